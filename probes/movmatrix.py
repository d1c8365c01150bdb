"""movmatrix: an 8 x 8 matrix transposed across the registers of a warp. PTX ISA 9.3, 9.7.15.5.17."""

from __future__ import annotations

import numpy as np

from suite import Fragment, Operand, Probe, since
from suite.matrix_moves import rows_of_8
from suite.probe import Arrays, Params


def _operands(params: Params) -> tuple[Operand, ...]:
    layout = rows_of_8(1, 8, False)
    return (Fragment("d", "out", "b16", (1, 8, 8), layout), Fragment("a", "in", "b16", (1, 8, 8), layout))


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    codes = rng.choice(np.arange(1, 1 << 16), 64, replace=False)
    return {"a": codes.astype(np.uint64).reshape(1, 8, 8)}


def _transposed(params: Params, arrays: Arrays) -> Arrays:
    return {"d": arrays["a"].transpose(0, 2, 1)}


PROBES = (
    Probe(
        form="b16",
        opcode="movmatrix.sync.aligned.{shape}.trans.{type}",
        arguments="d0, a0",
        rows=(dict(shape="m8n8", type="b16"),),
        claim=lambda params: since("sm_75", ptx="7.8", section="9.7.15.5.17"),
        template="mma_sync.ptx.j2",
        native=lambda params: ("MOVM.16.MT88",),
        operands=_operands,
        inputs=_inputs,
        oracle=_transposed,
    ),
)
