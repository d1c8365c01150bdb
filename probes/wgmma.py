"""wgmma: dense warpgroup-level matrix multiply-accumulate and its ordering. PTX ISA 9.3, 9.7.16."""

from __future__ import annotations

from suite import Claim, Probe, only, product, rows
from suite import wgmma_mma as mma
from suite.numerics import cases as numeric
from suite.probe import Params
from suite.wgmma_mma import ANY_N, FLOATS, INTEGER_N

SECTION = "9.7.16.5.2"
FP8, INT8, YES_NO = ("e4m3", "e5m2"), ("s8", "u8"), ("no", "yes")
FEW_N = (8, 96, 256)  # where A comes from registers, too

OTHERS = (dict(d="s32", a="s8", b="u8"), dict(d="s32", a="b1", b="b1"))
HALVES = (FLOATS[0], FLOATS[2])  # the types that may be MN-major. Source: 9.7.16.5.2

CLAIM = only("sm_90a", ptx="8.0", section=SECTION)
MIXED_INT8 = only("sm_90a", ptx="8.4", section=SECTION)


def claim(params: Params) -> Claim:
    """Return what the notes say: sm_90a alone; .u8.s8 and .s8.u8 came later."""
    return MIXED_INT8 if {params["a"], params["b"]} == {"u8", "s8"} else CLAIM


def multiply(form: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of D = A * B + D."""
    return Probe(
        form=form,
        opcode="wgmma.mma_async.sync.aligned.m64n{n}k{k}{sat}.{d}.{a}.{b}{op}",
        arguments="{D}, {A}, %bdesc, %scale{immediates}",
        rows=table,
        claim=claim,
        template="wgmma.ptx.j2",
        native=lambda params: mma.native(mma.product_of(params)),
        operands=lambda params: mma.operands(mma.product_of(params)),
        inputs=lambda params, rng: mma.inputs(mma.product_of(params), rng),
        oracle=lambda params, arrays: mma.oracle(mma.product_of(params), arrays),
        launch=lambda params: mma.launch(mma.product_of(params)),
        fields=lambda params: mma.fields(mma.product_of(params)),
        numeric=lambda params: numeric.warpgroup(mma.product_of(params)),
    )


def everywhere(n: tuple[int, ...], **types: tuple[str, ...]) -> tuple[Params, ...]:
    """Return all types at every N with A in shared memory, and at a few with A in registers."""
    few = tuple(size for size in n if size in FEW_N)
    return product(n=n, **types, a_in=("smem",)) + product(n=few, **types, a_in=("registers",))


def layouts(types: tuple[Params, ...], *table: Params) -> tuple[Params, ...]:
    """Return each row of a table of layouts for each of the types, at an N of several swizzle atoms."""
    return tuple({"n": 192, **kinds, **row} for kinds in types for row in table)


K_MAJOR = rows(
    "swizzle_a swizzle_b step shift",
    ("32B", "32B", 0, 0),
    ("64B", "64B", 0, 0),
    ("64B", "64B", 1, 0),
    ("128B", "128B", 0, 0),
    ("128B", "128B", 3, 0),
    ("none", "128B", 1, 0),
    ("128B", "none", 2, 0),
    ("32B", "64B", 1, 0),
)
# Not both with a 32-byte swizzle: without the offset the halves of K would be exchanged in both, which nobody sees.
SHIFTED = rows(
    "swizzle_a swizzle_b step shift",
    ("none", "32B", 0, 1),
    ("32B", "none", 0, 1),
    ("64B", "64B", 1, 3),
    ("128B", "128B", 2, 5),
)
MN_MAJOR = tuple(
    {"major_a": a, "major_b": b, "swizzle_a": swizzle, "swizzle_b": swizzle}
    for swizzle in ("none", "32B", "64B", "128B")
    for a, b in (("mn", "k"), ("k", "mn"), ("mn", "mn"))
)
MN_SHIFTED = rows(
    "major_a major_b swizzle_a swizzle_b shift",
    ("mn", "mn", "32B", "32B", 1),
    ("mn", "mn", "64B", "64B", 2),
    ("mn", "mn", "128B", "128B", 6),
)
MN_PARTLY = tuple(  # the last atom is taken in part
    {"n": 136, "major_a": "mn", "major_b": "mn", "swizzle_a": swizzle, "swizzle_b": swizzle}
    for swizzle in ("64B", "128B")
)
MN_REGISTERS = tuple(
    {"a_in": "registers", "major_b": "mn", "swizzle_b": swizzle} for swizzle in ("none", "32B", "64B", "128B")
)
NEGATED = product(negate=("a", "b", "ab"), a_in=("smem", "registers"))

FORMS = {
    "f16": everywhere(ANY_N, d=("f16", "f32"), a=("f16",), b=("f16",)),
    "bf16": everywhere(ANY_N, d=("f32",), a=("bf16",), b=("bf16",)),
    "tf32": everywhere(ANY_N, d=("f32",), a=("tf32",), b=("tf32",)),
    "fp8": everywhere(ANY_N, d=("f16", "f32"), a=FP8, b=FP8),
    "int8": everywhere(INTEGER_N, d=("s32",), a=INT8, b=INT8, satfinite=YES_NO),
    "negate": tuple({"n": 24, **kinds, **row} for kinds in FLOATS for row in NEGATED),
    "k_major": layouts(FLOATS[:1] + FLOATS[2:5] + OTHERS, *K_MAJOR),
    "base_offset": layouts(FLOATS[:1] + FLOATS[2:5] + OTHERS, *SHIFTED) + layouts(HALVES, *MN_SHIFTED),
    "mn_major": layouts(HALVES, *MN_MAJOR, *MN_PARTLY, *MN_REGISTERS),
}


def grouped(params: Params) -> mma.Product:
    """Return the product whose columns of D go to `pending + 1` groups, 8 to each."""
    return mma.Product("f32", "f16", "f16", 8 * (params.get("pending", 0) + 1))


def ordering(form: str, section: str, table: tuple[Params, ...], native: tuple[str, ...], observed: str) -> Probe:
    """Return a probe of one of the instructions around wgmma.mma_async."""
    return Probe(
        form=form,
        opcode=f"wgmma.{form}.sync.aligned",
        arguments="{pending}" if form == "wait_group" else "",
        rows=table,
        claim=lambda params: only("sm_90a", ptx="8.0", section=section),
        template="wgmma_groups.ptx.j2",
        native=lambda params: native,
        operands=lambda params: mma.operands(grouped(params)),
        inputs=lambda params, rng: mma.inputs(grouped(params), rng),
        oracle=lambda params, arrays: mma.oracle(grouped(params), arrays),
        launch=lambda params: mma.launch(grouped(params)),
        fields=lambda params: mma.fields(grouped(params), form, params.get("pending", 0)),
        observed=observed,
    )


PROBES = (
    *(multiply(form, table) for form, table in FORMS.items()),
    multiply("b1", everywhere(INTEGER_N, d=("s32",), a=("b1",), b=("b1",))),
    ordering("fence", "9.7.16.7.1", product(pending=(0, 1)), ("WARPGROUP.ARRIVE",), "sass"),
    # A commit is no opcode of its own but an operand, gsb0, of the one before it.
    ordering("commit_group", "9.7.16.7.2", product(pending=(0, 1)), (), "launch"),
    # ptxas would wait by itself before registers are read, so that no memory can show a wait left out.
    ordering("wait_group", "9.7.16.7.3", product(pending=(0, 1, 2, 3, 7)), ("WARPGROUP.DEPBAR.LE",), "sass"),
)
