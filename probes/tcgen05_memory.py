"""tcgen05.ld.red, and alloc and dealloc with operands known at run time alone.

Sources: PTX ISA 9.3, 9.7.17.7 and 9.7.17.8; PTX ISA 9.4, 9.7.18.7, for `.exclusive`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, family, only, product
from suite import tcgen05_reduction as reduction
from suite.probe import Arrays, Params
from suite.tcgen05 import ALLOCATIONS, COLUMNS, LANES
from suite.tcgen05_transfer import distinct_words

ALLOCATION, LOAD = "9.7.17.7.1", "9.7.17.8.3"
THREADS = (LANES, 1, 1)

# --- ld.red -----------------------------------------------------------------------------------------------------------

# Tokens of LDTM.STAT, which has none for u32. Source: ptxas 13.5.37 for sm_103a and sm_110a, read with nvdisasm.
TYPE_TOKENS = {"f32": ".F32", "s32": ".S32", "u32": ""}


@cache
def reduction_claim() -> Claim:
    """Claim what the notes say of ld.red, which sm_100 has not; sm_101 is sm_110 from PTX 9.0."""
    return family("sm_103f", ptx="8.8", section=LOAD) | family("sm_110f", ptx="9.0", section=LOAD)


def _reduction_native(params: Params) -> tuple[str, ...]:
    tokens = ".ABS" if params["abs"] == "yes" else ""
    tokens = f".{params['num']}.{params['op'].upper()}{tokens.removeprefix('.')}{TYPE_TOKENS[params['type']]}"
    return ("LDTM.STAT" + tokens + (".NAN" if params["nan"] == "yes" else ""),)


_KERNEL = reduction.Reduction()
_OVER = {"shape": reduction.SHAPES, "num": reduction.COUNTS, "op": ("min", "max")}
LD_RED = Probe(
    form="ld_red",
    opcode="tcgen05.ld.red.sync.aligned.{shape}.{num}.{op}{abs_part}{nan_part}.{type}",
    arguments="{R}, %redval, [%taddr]{split}",
    rows=(
        *product(**_OVER, abs=("no", "yes"), nan=("no", "yes"), type=("f32",)),
        *product(**_OVER, abs=("no",), nan=("no",), type=("u32", "s32")),
    ),
    claim=lambda params: reduction_claim(),
    template="tcgen05_transfer.ptx.j2",
    native=_reduction_native,
    operands=_KERNEL.operands,
    inputs=_KERNEL.inputs,
    oracle=_KERNEL.oracle,
    launch=lambda params: Launch((2, 1, 1), THREADS),
    fields=_KERNEL.fields,
)

# --- allocation -------------------------------------------------------------------------------------------------------


@cache
def allocation_claim() -> Claim:
    """Claim what the notes of alloc and dealloc say; sm_101 is sm_110 from PTX 9.0."""
    return (
        only("sm_100a", ptx="8.6", section=ALLOCATION)
        | family("sm_100f", ptx="8.8", section=ALLOCATION)
        | family("sm_110f", ptx="9.0", section=ALLOCATION)
    )


@cache
def exclusive_claim() -> Claim:
    """Claim what the notes say of `.exclusive`."""
    return family("sm_100f", "sm_110f", ptx="9.4", section="PTX ISA 9.4, 9.7.18.7.1")


def _memory_fields(asked: str, params: Params) -> Params:
    """Return the template's values for a round trip that wants every column once more than there are."""
    exclusive = ".exclusive" if params.get("permit") == "exclusive" else ""
    return {
        "asked": asked,
        "rounds": COLUMNS // params["columns"] + 1,
        "counted": True,
        "exclusive": exclusive,
    }


def _memory_operands(params: Params) -> tuple[Operand, ...]:
    """Return the words put into each lane, the count of columns, the words read back, and the count if it was legal."""
    shape = (2, LANES, params["columns"])
    return (
        Buffer("rows", "in", "b32", shape),
        Buffer("count", "in", "b32", (2,)),
        Buffer("out", "out", "b32", shape),
        Buffer("legal", "out", "b32", (2,)),
    )


def _memory_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return distinct words for every cell, and the count."""
    rows = distinct_words(rng, (2, LANES, params["columns"]))
    return {"rows": rows, "count": np.full(2, params["columns"], dtype=np.uint64)}


def _memory_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Every cell comes back, and the allocation ends within 512 columns."""
    return {"out": arrays["rows"], "legal": arrays["count"]}


def _allocation(
    form: str,
    opcode: str,
    arguments: str,
    natives: tuple[str, str],
    *,
    observed: str = "memory",
    claimed: Callable[[], Claim] = allocation_claim,
    **columns: Sequence[Any],
) -> Probe:
    """Return a probe of alloc or dealloc; `natives` are the opcodes for one CTA and for a pair."""
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=product(cta_group=(1, 2), **(columns or {"columns": ALLOCATIONS})),
        claim=lambda params: claimed(),
        template="tcgen05_memory.ptx.j2",
        native=lambda params: natives[params["cta_group"] - 1 :][:1],
        operands=_memory_operands,
        inputs=_memory_inputs,
        oracle=_memory_oracle,
        launch=lambda params: Launch((2, 1, 1), THREADS, (params["cta_group"], 1, 1)),
        fields=partial(_memory_fields, form.partition("_")[0]),
        observed=observed,
    )


ALLOCATED = ("UTCATOMSWS.FIND_AND_SET", "UTCATOMSWS.2CTA.FIND_AND_SET")
FREED = ("UTCATOMSWS.AND", "UTCATOMSWS.AND")
ALLOCATIONS_AT_RUN_TIME = (
    _allocation(
        "alloc_generic", "tcgen05.alloc.cta_group::{cta_group}.sync.aligned.b32", "[%place], %count", ALLOCATED
    ),
    _allocation(
        "alloc_counted",
        "tcgen05.alloc.cta_group::{cta_group}.sync.aligned.shared::cta.b32",
        "[slot], %count",
        ALLOCATED,
    ),
    _allocation(
        "dealloc_counted",
        "tcgen05.dealloc.cta_group::{cta_group}.sync.aligned.b32",
        "%tensor, %count",
        FREED,
        observed="launch",  # later rounds would wait for ever for columns that were not freed
    ),
)

# Multiples of 32, powers of 2 or not. sm_107 has 576 columns, of which no other target's kernel could want all.
_exclusive = partial(_allocation, claimed=exclusive_claim, permit=("exclusive",), columns=(32, 64, 96, 288, 512))
EXCLUSIVE = (
    _exclusive(
        "alloc_exclusive",
        "tcgen05.alloc.{permit}.cta_group::{cta_group}.sync.aligned.shared::cta.b32",
        "[slot], %count",
        ALLOCATED,
    ),
    _exclusive(
        "alloc_exclusive_generic",
        "tcgen05.alloc.{permit}.cta_group::{cta_group}.sync.aligned.b32",
        "[%place], %count",
        ALLOCATED,
    ),
    _exclusive(
        "dealloc_exclusive",
        "tcgen05.dealloc.{permit}.cta_group::{cta_group}.sync.aligned.b32",
        "%tensor, %count",
        FREED,
        observed="launch",  # later rounds would wait for ever for columns that were not freed
    ),
)

PROBES = (LD_RED, *ALLOCATIONS_AT_RUN_TIME, *EXCLUSIVE)
