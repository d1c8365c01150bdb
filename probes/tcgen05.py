"""tcgen05: tensor memory and the fifth-generation tensor core. PTX ISA 9.3, 9.7.17.

Whole kernels of 128 threads: allocate, fill, compute, commit and wait, read, free. Logical operands carry a leading
axis of trials, one CTA (or, with cta_group::2, one pair of CTAs) each. A barrier that never completes gives `FAILURE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from suite import FORMATS, Buffer, Claim, Launch, Operand, Probe, family, only, product, rows
from suite import tcgen05 as facts
from suite import tcgen05_mma as mma
from suite.numerics import cases as numeric
from suite.probe import Arrays, Params
from suite.tcgen05_transfer import Transfer, distinct_words

ALLOCATION, MMA = "9.7.17.7.1", "9.7.17.10.9.1"
FAILURE = "0x7A17F00D"  # what a kernel writes for D whose barrier did not complete within 65536 tries
THREADS = (128, 1, 1)

# SASS opcodes that realize each statement, for one CTA and for a pair; none for those that only order what ptxas emits.
# Source: ptxas 13.5.37 for sm_100a, read with nvdisasm.
NATIVE = {
    "alloc":                   ("UTCATOMSWS.FIND_AND_SET", "UTCATOMSWS.2CTA.FIND_AND_SET"),
    "dealloc":                 ("UTCATOMSWS.AND", "UTCATOMSWS.AND"),
    "relinquish_alloc_permit": ("UVIRTCOUNT.DEALLOC.SMPOOL", "UVIRTCOUNT.DEALLOC.SMPOOL"),
    "before_thread_sync":      (),
    "after_thread_sync":       (),
    "wait_ld":                 (),
    "wait_st":                 ("FENCE.VIEW.ASYNC.T",),
    "ld":                      ("LDTM",),
    "st":                      ("STTM",),
    "f16":                     ("UTCHMMA", "UTCHMMA.2CTA"),
    "tf32":                    ("UTCHMMA", "UTCHMMA.2CTA"),
    "f8f6f4":                  ("UTCQMMA", "UTCQMMA.2CTA"),
    "i8":                      ("UTCIMMA", "UTCIMMA.2CTA"),
    "commit":                  ("UTCBAR", "UTCBAR.2CTA"),
}  # fmt: skip


def native(statement: str, params: Params) -> tuple[str, ...]:
    """Return the opcode that realizes the statement for the case's cta_group, or none."""
    return NATIVE[statement][params.get("cta_group", 1) - 1 :][:1]


@cache
def family_wide(section: str) -> Claim:
    """Claim what the notes of every tcgen05 instruction say, `.kind::i8` excepted; sm_101 is sm_110 from PTX 9.0."""
    return (
        only("sm_100a", ptx="8.6", section=section)
        | family("sm_100f", ptx="8.8", section=section)
        | family("sm_110f", ptx="9.0", section=section)
    )


@cache
def chip_only(section: str) -> Claim:
    """Claim what the notes of tcgen05.mma say of `.kind::i8`."""
    return only("sm_100a", ptx="8.6", section=section) | only("sm_110a", ptx="9.0", section=section)


# --- allocation, fences and waits: a round trip of every allocated cell through st and ld ---------------------------


def memory_fields(asked: str, params: Params) -> Params:
    """Return the template's values for the round trip: `rounds` want every column once more than there are."""
    columns = params.get("columns", 64)
    rounds = facts.COLUMNS // columns + 1 if "columns" in params else 1
    group = params.get("cta_group", 1)
    return {"asked": asked.format(**params), "columns": columns, "cta_group": group, "rounds": rounds}


def memory_operands(params: Params) -> tuple[Operand, ...]:
    """Return the words put into each lane, the words read back, and whether the address was a legal one."""
    shape = (2, facts.LANES, params.get("columns", 64))
    return Buffer("rows", "in", "b32", shape), Buffer("out", "out", "b32", shape), Buffer("legal", "out", "b32", (2,))


def memory_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return distinct words for every cell."""
    return {"rows": distinct_words(rng, memory_operands(params)[0].shape)}


def memory_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Every cell comes back, and the allocation starts in lane 0 and ends within 512 columns."""
    return {"out": arrays["rows"], "legal": np.ones(2, dtype=np.uint64)}


def memory(form: str, opcode: str, arguments: str, table: tuple[Params, ...], **rest: Any) -> Probe:
    """Return a probe whose kernel is the round trip; `asked` names its statement."""
    asked = rest.pop("asked", form)
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        template="tcgen05_memory.ptx.j2",
        native=lambda params: native(asked.format(**params), params),
        operands=memory_operands,
        inputs=memory_inputs,
        oracle=memory_oracle,
        launch=lambda params: Launch((2, 1, 1), THREADS, (params.get("cta_group", 1), 1, 1)),
        fields=partial(memory_fields, asked),
        **rest,
    )


GROUPS = (1, 2)
MEMORY = (
    memory(
        "alloc",
        "tcgen05.alloc.cta_group::{cta_group}.sync.aligned.shared::cta.b32",
        "[slot], {columns}",
        product(cta_group=GROUPS, columns=facts.ALLOCATIONS),
        claim=lambda params: family_wide(ALLOCATION),
    ),
    memory(
        "dealloc",
        "tcgen05.dealloc.cta_group::{cta_group}.sync.aligned.b32",
        "%tensor, {columns}",
        product(cta_group=GROUPS, columns=facts.ALLOCATIONS),
        claim=lambda params: family_wide(ALLOCATION),
        observed="launch",  # later rounds would wait for ever for columns that were not freed
    ),
    memory(
        "relinquish_alloc_permit",
        "tcgen05.relinquish_alloc_permit.cta_group::{cta_group}.sync.aligned",
        "",
        product(cta_group=GROUPS),
        claim=lambda params: family_wide(ALLOCATION),
        observed="sass",
    ),
    memory(
        "fence",
        "tcgen05.fence::{order}",
        "",
        product(order=("before_thread_sync", "after_thread_sync")),
        asked="{order}",
        claim=lambda params: family_wide("9.7.17.11.1"),
        observed="sass",
    ),
    memory(
        "wait",
        "tcgen05.wait::{op}.sync.aligned",
        "",
        product(op=("ld", "st")),
        asked="wait_{op}",
        claim=lambda params: family_wide("9.7.17.8.5"),
        observed="sass",  # and memory, if the race is lost without it
    ),
)

# --- ld and st: each shape against rows moved by 32x32b ---------------------------------------------------------------


SHAPES = tuple({"shape": shape, "num": f"x{num}"} for shape in facts.MOVEMENTS for num in facts.counts(shape))


def transfer(form: str, opcode: str, arguments: str, kernel: Transfer) -> Probe:
    """Return a probe of one direction over every shape and count."""
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=SHAPES,
        claim=lambda params: family_wide("9.7.17.8.3" if kernel.asked == "ld" else "9.7.17.8.4"),
        template="tcgen05_transfer.ptx.j2",
        native=lambda params: native(kernel.asked, params),
        operands=kernel.operands,
        inputs=kernel.inputs,
        oracle=kernel.oracle,
        launch=lambda params: Launch((2, 1, 1), THREADS),
        fields=kernel.fields,
    )


LD, ST = "tcgen05.ld.sync.aligned.{shape}.{num}", "tcgen05.st.sync.aligned.{shape}.{num}"
TRANSFERS = (
    transfer("ld", LD + ".b32", "{R}, [%taddr]{split}", Transfer("ld")),
    transfer("ld_pack", LD + ".pack::16b.b32", "{R}, [%taddr]{split}", Transfer("ld", 2)),
    transfer("st", ST + ".b32", "[%taddr]{split}, {R}", Transfer("st")),
    transfer("st_unpack", ST + ".unpack::16b.b32", "[%taddr]{split}, {R}", Transfer("st", 2)),
)

# --- mma and commit -------------------------------------------------------------------------------------------------

COMMITTED = {"kind": "f16", "atype": "f16", "btype": "f16", "dtype": "f32", "m": 128, "n": 64, "k": 16, "a_in": "smem"}


COMMITS = {  # the barrier's address, and the state space in the opcode
    "generic": {"address": "[%barrier]", "suffix": ""},
    "shared::cluster": {"address": "[barrier]", "suffix": ".shared::cluster"},
}


@cache
def geometry(group: int, kind: str, types: tuple[str, str, str], mnk: tuple[int, int, int], where: str) -> mma.Product:
    """Return sizes, tiles and descriptors of a case; `where` is the swizzle of the tiles, or `tmem` for A."""
    return mma.Product(group, kind, types, mnk, "none" if where == "tmem" else where, where == "tmem")


def product_of(params: Params) -> mma.Product:
    """Return the geometry of a case of mma or commit."""
    bound = {**COMMITTED, "m": COMMITTED["m"] * params["cta_group"], "swizzle": "none", **params}
    types = (bound["dtype"], bound["atype"], bound["btype"])
    where = "tmem" if bound["a_in"] == "tmem" else bound["swizzle"]
    return geometry(bound["cta_group"], bound["kind"], types, (bound["m"], bound["n"], bound["k"]), where)


def mma_fields(asked: str, params: Params) -> Params:
    """Return the template's values and the parts of the instruction's text."""
    case = product_of(params)
    tile_a, element = case.tile_a, FORMATS[case.types[0]].bits // 8
    return {
        "asked": asked,
        "kind": case.kind,
        "n": case.mnk[1],
        "rows": case.rows,
        "element": element,
        "steps": case.steps,
        "columns": case.columns,
        "idesc": f"0x{case.descriptor:08X}",
        "failure": FAILURE,
        "a_in": "smem" if tile_a else "tmem",
        "A": "%adesc" if tile_a else "[%a]",
        "a_row": case.steps * facts.STEP_BYTES,
        "a_column": case.column_a,
        "a_tile": tile_a.nbytes if tile_a else 0,
        "a_bytes": tile_a.nbytes if tile_a else 0,
        "a_descriptor": f"0x{tile_a.descriptor:016X}" if tile_a else "0",
        "a_advance": tile_a.advance >> 4 if tile_a else 0,
        "b_bytes": case.tile_b.nbytes,
        "b_descriptor": case.tile_b.descriptor + (tile_a.nbytes >> 4 if tile_a else 0),
        "b_advance": case.tile_b.advance >> 4,
        "tile_bytes": case.tile_b.nbytes + (tile_a.nbytes if tile_a else 0),
        **COMMITS[params.get("space", "shared::cluster")],
    }


def mma_launch(params: Params) -> Launch:
    """Return one CTA or one pair a trial."""
    group = params["cta_group"]
    return Launch((group * mma.trial_count(product_of(params)), 1, 1), THREADS, (group, 1, 1))


def multiply(form: str, opcode: str, arguments: str, **rest: Any) -> Probe:
    """Return a probe whose kernel is one product."""
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        template="tcgen05_mma.ptx.j2",
        operands=lambda params: mma.operands(product_of(params)),
        inputs=lambda params, rng: mma.inputs(product_of(params), rng),
        oracle=lambda params, arrays: mma.oracle(arrays),
        launch=mma_launch,
        fields=partial(mma_fields, form),
        **rest,
    )


TYPES = {
    "f16": (("f16", "f16", "f32"), ("f16", "f16", "f16"), ("bf16", "bf16", "f32")),
    "tf32": (("tf32", "tf32", "f32"),),
    "f8f6f4": (
        *((fmt, fmt, "f32") for fmt in facts.TYPE_CODES["f8f6f4"]),
        *((a, b, "f32") for a, b in pairwise((*facts.TYPE_CODES["f8f6f4"], "e4m3"))),
        ("e4m3", "e4m3", "f16"),
        ("e2m1", "e5m2", "f16"),
    ),
    "i8": tuple((a, b, "s32") for a in ("s8", "u8") for b in ("s8", "u8")),
}
HEADER = "cta_group kind atype btype dtype m n k a_in swizzle"
SIZES = ((64, 8), (64, 24), (64, 256), (128, 16), (128, 128), (128, 256))
IN = ("smem", "tmem")


def _rows() -> Iterator[tuple[Any, ...]]:
    """Yield every type pair at one size; then, for the first pair of each kind, other sizes, swizzles and CTA pairs."""
    for kind, pairs in TYPES.items():
        k = facts.K_OF_KIND[kind]
        yield from ((1, kind, *types, 128, 64, k, where, "none") for types in pairs for where in IN)
        yield from ((1, kind, *pairs[0], m, n, k, where, "none") for m, n in SIZES for where in IN)
        yield from ((1, kind, *pairs[0], 64, 64, 4 * k, where, "none") for where in IN)
        yield from (
            (1, kind, *pairs[0], 128, 64, width // facts.STEP_BYTES * k, "smem", swizzle)
            for swizzle, (width, _) in facts.SWIZZLES.items()
            if width
        )
        yield from ((2, kind, *pairs[0], 256, n, k, where, "none") for n in (64, 256) for where in IN)


MULTIPLIES = (
    multiply(
        "mma",
        "tcgen05.mma.cta_group::{cta_group}.kind::{kind}",
        "[%d], {A}, %bdesc, %idesc, %accumulate",
        rows=rows(HEADER, *_rows()),
        claim=lambda params: chip_only(MMA) if params["kind"] == "i8" else family_wide(MMA),
        native=lambda params: native(params["kind"], params),
        numeric=lambda params: numeric.tcgen05(product_of(params)),
    ),
    multiply(
        "commit",
        "tcgen05.commit.cta_group::{cta_group}.mbarrier::arrive::one{suffix}.b64",
        "{address}",
        rows=product(cta_group=GROUPS, space=tuple(COMMITS)),
        claim=lambda params: family_wide("9.7.17.12.1"),
        native=partial(native, "commit"),
    ),
)

PROBES = (*MEMORY, *TRANSFERS, *MULTIPLIES)
