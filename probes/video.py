"""Video instructions, scalar and SIMD: integer operations on bytes and half words. PTX ISA 9.3, 9.7.19."""

from __future__ import annotations

from functools import partial

from suite import Probe, elementwise, product, since, video
from suite.opcodes import NONE
from suite.probe import Params

SCALAR, SIMD = "9.7.19.1", "9.7.19.2"
NO_YES = ("no", "yes")
KINDS = ("u32", "s32")
SECOND = ("none", "add", "min", "max")
COMPARE = tuple(video.COMPARE)
PARTS = ("b0", "b1", "b2", "b3", "h0", "h1")
PLAIN = ("none",)

# No target kept has units for the other instructions: they are emulated.
# Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 80, 89, 90a, 100a, 103a, 107a, 110a, 120a and 121a.
UNITS = {"vabsdiff4": ("VABSDIFF4",)}


def sass(params: Params) -> tuple[str, ...]:
    """Return the unit's opcode, none where there is no unit."""
    return UNITS.get(params["op"], NONE)


instruction = partial(
    Probe,
    arguments="{listed}",
    template="elementwise.ptx.j2",
    native=sass,
    operands=video.operands,
    inputs=video.inputs,
    oracle=video.oracle,
    launch=lambda params: elementwise.launch(video.THREADS),
    fields=video.fields,
)
scalar = partial(instruction, claim=lambda params: since("sm_20", ptx="2.0", section=SCALAR))
simd = partial(instruction, claim=lambda params: since("sm_30", ptx="3.0", section=SIMD))

ARITHMETIC = ("vadd", "vsub", "vabsdiff", "vmin", "vmax")
LANES2 = ("vadd2", "vsub2", "vavrg2", "vabsdiff2", "vmin2", "vmax2")
LANES4 = ("vadd4", "vsub4", "vavrg4", "vabsdiff4", "vmin4", "vmax4")

PROBES = (
    scalar(
        form="scalar",
        opcode="{op}.{d}.{a}.{b}{sat_}{second_}",
        rows=product(op=ARITHMETIC, d=KINDS, a=KINDS, b=KINDS, sat=NO_YES, second=SECOND),
    ),
    scalar(
        form="part",
        opcode="{op}.{d}.{a}.{b}{sat_}",
        rows=product(
            op=("vadd",), d=("s32",), a=("u32",), b=("s32",), sat=("yes",), second=PLAIN, pick_a=PARTS, pick_b=PARTS
        )
        + product(op=("vsub",), d=KINDS, a=KINDS, b=("u32",), sat=NO_YES, second=PLAIN, pick_b=("h1",), put=PARTS),
    ),
    scalar(
        form="shift",
        opcode="{op}.{d}.{a}.{b}{sat_}{mode_}{second_}",
        rows=product(
            op=("vshl", "vshr"), d=KINDS, a=KINDS, b=("u32",), sat=NO_YES, mode=("clamp", "wrap"), second=SECOND
        ),
    ),
    scalar(
        form="set",
        opcode="{op}.{a}.{b}{compare_}{second_}",
        rows=product(op=("vset",), a=KINDS, b=KINDS, compare=COMPARE, second=SECOND),
    ),
    scalar(
        form="mad",
        opcode="{op}.{d}.{a}.{b}{po_}{sat_}{scale_}",
        rows=tuple(
            dict(op="vmad", d=d, a=a, b=b, po=po, sat=sat, scale=scale, negate=negate, pick_a=pick, pick_b=pick)
            for d, a, b, pick in (
                ("u32", "u32", "u32", "none"),
                ("s32", "u32", "u32", "none"),
                ("s32", "u32", "s32", "h0"),
                ("s32", "s32", "u32", "b3"),
                ("s32", "s32", "s32", "none"),
            )
            for po, negate in (("no", "none"), ("yes", "none"), ("no", "a"), ("no", "c"))
            for sat in NO_YES
            for scale in ("none", "shr7", "shr15")
            if negate == "none" or d == "s32"
        ),
    ),
    simd(
        form="simd",
        opcode="{op}.{d}.{a}.{b}{sat_}{second_}",
        rows=product(op=LANES2 + LANES4, d=KINDS, a=KINDS, b=KINDS, sat=NO_YES, second=PLAIN, put=PLAIN)
        + product(op=LANES2 + LANES4, d=KINDS, a=KINDS, b=KINDS, sat=("no",), second=("add",), put=PLAIN),
    ),
    simd(
        form="simd_set",
        opcode="{op}.{a}.{b}{compare_}{second_}",
        rows=product(op=("vset2", "vset4"), a=KINDS, b=KINDS, compare=COMPARE, second=("none", "add"), put=PLAIN),
    ),
    simd(
        form="simd_part2",
        opcode="{op}.{d}.{a}.{b}{second_}",
        rows=product(
            op=("vadd2",),
            d=("s32",),
            a=("s32",),
            b=("u32",),
            second=("none", "add"),
            put=("h0", "h1", "h10"),
            pick_a=("h13", "h02"),
            pick_b=("h30", "h22"),
        ),
    ),
    simd(
        form="simd_part4",
        opcode="{op}.{d}.{a}.{b}{second_}",
        rows=product(
            op=("vmax4",),
            d=("u32",),
            a=("u32",),
            b=("u32",),
            second=("none", "add"),
            put=(
                "b0",
                "b1",
                "b10",
                "b2",
                "b20",
                "b21",
                "b210",
                "b3",
                "b30",
                "b31",
                "b310",
                "b32",
                "b320",
                "b321",
                "b3210",
            ),
            pick_a=("b7016",),
            pick_b=("b0325",),
        ),
    ),
)
