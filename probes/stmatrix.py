"""stmatrix: matrices from fragments to shared memory. PTX ISA 9.3, 9.7.15.5.16."""

from __future__ import annotations

from functools import partial

from suite import Claim, Fragment, Operand, Probe, family, only, product, since
from suite import matrix_moves as moves
from suite.probe import Params

SECTION = "9.7.15.5.16"
SPACES = ("generic", "shared", "shared::cta")
NUMS = ("x1", "x2", "x4")

# Shape m16n8 and type b8 have the same notes; sm_110 was sm_101 before PTX 9.0.
NARROW = (
    only("sm_100a", ptx="8.6", section=SECTION)
    | only("sm_120a", ptx="8.7", section=SECTION)
    | family("sm_100f", "sm_120f", ptx="8.8", section=SECTION)
    | family("sm_110f", ptx="9.0", section=SECTION)
)

# What SASS calls the elements and a matrix, straight and transposed. Source: ptxas 13.5.37 for sm_90, 100a and 120a.
MATRICES = {("b16", "no"): "16.M88", ("b16", "yes"): "16.MT88", ("b8", "yes"): "8.MT168"}
COUNTS = {"x1": "", "x2": ".2", "x4": ".4"}


def claim(params: Params) -> Claim:
    """Return what the notes say of the case's shape."""
    return since("sm_90", ptx="7.8", section=SECTION) if params["shape"] == "m8n8" else NARROW


def operands(params: Params) -> tuple[Operand, ...]:
    """Return shared memory, the fragment and the lanes' addresses."""
    shape = (moves.planes(params), moves.row_count(params), moves.ELEMENTS[params["type"]][1])
    fragment = Fragment("a", "in", params["type"], shape, moves.layout(params))
    return (moves.memory("image", "inout", params), fragment, moves.addresses())


store = partial(
    Probe,
    opcode="stmatrix.sync.aligned.{shape}.{num}{transposed}{ss}.{type}",
    arguments="[{pointer}], {A}",
    claim=claim,
    template="matrix_moves.ptx.j2",
    native=lambda params: (f"STSM.{MATRICES[params['type'], params['trans']]}{COUNTS[params['num']]}",),
    operands=operands,
    inputs=moves.store_inputs,
    oracle=moves.stored,
    launch=moves.launch,
    fields=moves.spelled,
)

PROBES = (
    store(
        form="b16",
        rows=product(shape=("m8n8",), num=NUMS, trans=("no", "yes"), space=SPACES, type=("b16",)),
    ),
    store(
        form="b8",
        rows=product(shape=("m16n8",), num=NUMS, trans=("yes",), space=SPACES, type=("b8",)),
    ),
)
