"""mov: registers, and registers packed into and unpacked from one. PTX ISA 9.3, 9.7.9.3 and 9.7.9.4."""

from __future__ import annotations

from suite import Claim, Probe, elementwise, moves, product, since
from suite.probe import Params

SCALAR, VECTOR = "9.7.9.3", "9.7.9.4"
TYPES = ("b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64")

# Source: 9.7.9.4, the sizes that pack and unpack; elements of 8 bits are left out: a register of 8 bits holds no value.
PARTS = ((32, 2), (64, 4), (64, 2), (128, 4), (128, 2))


def stated(section: str, params: Params) -> Claim:
    """Return what the notes say: 128 bits came with PTX ISA 8.3."""
    if params["type"] == "b128":
        return since("sm_70", ptx="8.3", section=section)
    return since("sm_13" if params["type"] == "f64" else "sm_10", ptx="1.0", section=section)


def probe(form: str, arguments: str, section: str, rows: tuple[Params, ...]) -> Probe:
    """Return a probe of one way to move; a register is renamed, or its parts put together by other instructions."""
    return Probe(
        form=form,
        opcode="mov.{type}",
        arguments=arguments,
        rows=rows,
        claim=lambda params: stated(section, params),
        template="move.ptx.j2",
        native=lambda params: ("MOV", "IMAD.MOV.U32"),
        operands=moves.operands,
        inputs=moves.inputs,
        oracle=moves.oracle,
        launch=lambda params: elementwise.launch(moves.THREADS),
        fields=moves.fields,
    )


VECTORS = tuple(dict(type=f"b{bits}", count=count) for bits, count in PARTS)

PROBES = (
    probe("scalar", "d0, a0", SCALAR, product(type=TYPES, way=("copy",), count=(1,))),
    probe("pack", "d, {{{listed}}}", VECTOR, tuple({**row, "way": "pack"} for row in VECTORS)),
    probe("unpack", "{{{listed}}}, a", VECTOR, tuple({**row, "way": "unpack"} for row in VECTORS)),
)
