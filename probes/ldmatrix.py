"""ldmatrix: matrices from shared memory to fragments.

Sources: PTX ISA 9.3, 9.7.15.5.15; PTX ISA 9.4, 9.7.16.5.15, for `.s8.s4`, which packs a row of 16 elements in 8 bytes.
"""

from __future__ import annotations

from functools import partial

from suite import Claim, Fragment, Operand, Probe, family, only, product, since
from suite import matrix_moves as moves
from suite.opcodes import UNDECODED
from suite.probe import Params

SECTION = "9.7.15.5.15"
SPACES = ("generic", "shared", "shared::cta")
UNPACKED = ("b8x16.b6x16_p32", "b8x16.b4x16_p64")

# Shapes m16n16 and m8n16, type b8 and the unpacking formats have the same notes; sm_110 was sm_101 before PTX 9.0.
NARROW = (
    only("sm_100a", ptx="8.6", section=SECTION)
    | only("sm_120a", ptx="8.7", section=SECTION)
    | family("sm_100f", "sm_120f", ptx="8.8", section=SECTION)
    | family("sm_110f", ptx="9.0", section=SECTION)
)

NEWER = "PTX ISA 9.4, 9.7.16.5.15"
SIGN_EXTENDING = only("sm_90a", ptx="9.4", section=NEWER) | family(
    "sm_100f", "sm_110f", "sm_120f", ptx="9.4", section=NEWER
)

# What SASS calls the elements and a matrix, straight and transposed. Source: ptxas 13.5.37, from sm_75 on and for
# sm_100a, 103f, 110a and 120a.
ELEMENTS = {"b16": "16", "b8": "8", "b8x16.b6x16_p32": "U6x16P32TO8", "b8x16.b4x16_p64": "U4x16P64TO8"}
MATRICES = {
    ("m8n8", "no"): "M88",
    ("m8n8", "yes"): "MT88",
    ("m16n16", "yes"): "MT1616",
    ("m8n16", "no"): "M816",
}
COUNTS = {"x1": "", "x2": ".2", "x4": ".4"}


def sass(params: Params) -> tuple[str, ...]:
    """Return the SASS opcode of the case.

    Of `.s8.s4` nvdisasm 13.5.37 prints nothing, though the code has one instruction more, whose low 12 bits are LDSM's.
    """
    if params["type"] == moves.SIGNED:
        return (UNDECODED,)
    matrix = MATRICES[params["shape"], params["trans"]]
    return (f"LDSM.{ELEMENTS[params['type']]}.{matrix}{COUNTS[params['num']]}",)


def claim(params: Params) -> Claim:
    """Return what the notes say of the case's shape and space."""
    if params["type"] == moves.SIGNED:
        return SIGN_EXTENDING
    if params["shape"] != "m8n8":
        return NARROW
    return since("sm_75", ptx="7.8" if params["space"] == "shared::cta" else "6.5", section=SECTION)


def operands(params: Params) -> tuple[Operand, ...]:
    """Return the fragment, shared memory and the lanes' addresses."""
    bits, count = moves.ELEMENTS[params["type"]]
    shape = (moves.planes(params), moves.row_count(params), count)
    fragment = Fragment("d", "out", "b16" if bits == 16 else "b8", shape, moves.layout(params))
    return (fragment, moves.memory("src", "in", params), moves.addresses())


load = partial(
    Probe,
    opcode="ldmatrix.sync.aligned.{shape}.{num}{transposed}{ss}.{type}",
    arguments="{D}, [{pointer}]",
    claim=claim,
    template="matrix_moves.ptx.j2",
    native=sass,
    operands=operands,
    inputs=moves.load_inputs,
    oracle=moves.loaded,
    launch=moves.launch,
    fields=moves.spelled,
)

PROBES = (
    load(
        form="b16",
        rows=product(shape=("m8n8",), num=("x1", "x2", "x4"), trans=("no", "yes"), space=SPACES, type=("b16",)),
    ),
    load(
        form="b8",
        rows=product(shape=("m16n16",), num=("x1", "x2"), trans=("yes",), space=SPACES, type=("b8",)),
    ),
    load(
        form="unpack",
        rows=product(shape=("m16n16",), num=("x1", "x2"), trans=("yes",), space=SPACES, type=UNPACKED)
        + product(shape=("m8n16",), num=("x1", "x2", "x4"), trans=("no",), space=SPACES, type=UNPACKED),
    ),
    load(
        form="extend",
        rows=product(shape=("m8n16",), num=("x1", "x2", "x4"), trans=("no",), space=SPACES, type=(moves.SIGNED,)),
    ),
)
