"""multimem.cp.async.bulk and multimem.cp.reduce.async.bulk: copies and reductions into every replica of an object.

Sources: PTX ISA 9.3, 9.7.9.26.4.4 and 9.7.9.26.4.5; PTX ISA 9.4, 9.7.10.28.4.5, for `.noftz` with f32.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, bulk_oracle, family, product, since
from suite.bulk_oracle import GUARD, MULTIMEM_COPY, MULTIMEM_REDUCE, NEWER, RELAXED, TO, TO_GLOBAL
from suite.probe import Arrays, Params

THREADS = 64


def _copy_claim(params: Params) -> Claim:
    masked = "mask" in params
    if bulk_oracle.is_sem(params):  # .cp_mask needs sm_100, which leaves sm_90a out
        late = family("sm_100f", "sm_110f", ptx="9.3", section=MULTIMEM_COPY)
        return late if masked else bulk_oracle.semantics(MULTIMEM_COPY)
    return since("sm_100" if masked else "sm_90", ptx="9.1", section=MULTIMEM_COPY)


def _reduce_claim(params: Params) -> Claim:
    if params.get("ftz") == "noftz":
        return since("sm_90", ptx="9.4", section=NEWER + "9.7.10.28.4.5")
    return since("sm_90", ptx="9.3" if bulk_oracle.is_sem(params) else "9.1", section=MULTIMEM_REDUCE)


def _copy_sass(params: Params) -> tuple[str, ...]:
    masked = ".DST_G_BYTE_MASK" if "mask" in params else ""
    return (f"UBLKCP.G.S{masked}{bulk_oracle.strength(params)}",)


def _operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "inout", "b8", (TO + params["bytes"] + GUARD,)),
        Buffer("src", "in", "b8", (1, params["bytes"])),
        Buffer("facts", "in", "u32", (2,)),
    )


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {operand.name: np.zeros(operand.shape, dtype=np.uint8) for operand in _operands(params)}


def _fields(params: Params) -> Params:
    operation = bulk_oracle.operation(params) if "op" in params else ""
    return {**bulk_oracle.fields(params), "operation": operation}


multimem = partial(
    Probe,
    template="bulk_store.ptx.j2",
    operands=_operands,
    inputs=_inputs,
    oracle=lambda params, arrays: {"out": arrays["out"]},
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_fields,
    observed="sass",
    unlaunched="needs a multicast object over several GPUs",
)
SEMS = ("none", *RELAXED)

PROBES = (
    multimem(
        form="copy",
        opcode="multimem.cp.async.bulk{sem_}.global.shared::cta.bulk_group{kind}",
        arguments="[%to], [%base], %size",
        rows=product(sem=("none", "weak", *RELAXED), bytes=(272,)),
        claim=_copy_claim,
        native=_copy_sass,
    ),
    multimem(
        form="cp_mask",
        opcode="multimem.cp.async.bulk{sem_}.global.shared::cta.bulk_group.cp_mask{kind}",
        arguments="[%to], [%base], %size, %mask",
        rows=product(sem=("none", "weak", *RELAXED), bytes=(272,), mask=("0xa5c3",)),
        claim=_copy_claim,
        native=_copy_sass,
    ),
    multimem(
        form="reduce",
        opcode="multimem.cp.reduce.async.bulk{sem_}.global.shared::cta.bulk_group.{operation}",
        arguments="[%to], [%base], %size",
        rows=(
            *({"op": op, "type": kind, **row} for op, kind in TO_GLOBAL for row in product(sem=SEMS, bytes=(272,))),
            *product(op=("add",), type=("f32",), ftz=("noftz",), sem=SEMS, bytes=(272,)),
        ),
        claim=_reduce_claim,
        native=partial(bulk_oracle.machine_reduction, "G.S"),
    ),
)
