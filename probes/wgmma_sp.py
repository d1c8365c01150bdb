"""wgmma_sp: warpgroup-level matrix multiply-accumulate with structured sparse A. PTX ISA 9.3, 9.7.16.6."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, only, product, rows
from suite import wgmma_mma as mma
from suite.numerics import cases as numeric
from suite.probe import Params
from suite.wgmma_mma import ANY_N, FLOATS, INTEGER_N

SECTION = "9.7.16.6.3"
FP8, INT8, YES_NO = ("e4m3", "e5m2"), ("s8", "u8"), ("no", "yes")
FEW_N = (8, 96, 256)  # where A comes from registers, too, and where both selectors are asked
INTEGERS = (dict(d="s32", a="s8", b="u8"),)
HALVES = (FLOATS[0], FLOATS[2])  # the types that may be MN-major. Source: 9.7.16.6.3

CLAIM = only("sm_90a", ptx="8.2", section=SECTION)
MIXED_INT8 = only("sm_90a", ptx="8.4", section=SECTION)


def claim(params: Params) -> Claim:
    """Return what the notes say: sm_90a alone; .u8.s8 and .s8.u8 came later."""
    return MIXED_INT8 if {params["a"], params["b"]} == {"u8", "s8"} else CLAIM


def multiply(form: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of D = A * B + D with sparse A."""
    case = partial(mma.product_of, sparse=True)
    return Probe(
        form=form,
        opcode="wgmma.mma_async.sp.sync.aligned.m64n{n}k{k}{sat}.{d}.{a}.{b}",
        arguments="{D}, {A}, %bdesc, {meta}%scale{immediates}",
        rows=table,
        claim=claim,
        template="wgmma.ptx.j2",
        native=lambda params: mma.native(case(params)),
        operands=lambda params: mma.operands(case(params)),
        inputs=lambda params, rng: mma.inputs(case(params), rng),
        oracle=lambda params, arrays: mma.oracle(case(params), arrays),
        launch=lambda params: mma.launch(case(params)),
        fields=lambda params: mma.fields(case(params)),
        numeric=lambda params: numeric.warpgroup(case(params)),
    )


def everywhere(n: tuple[int, ...], selectors: tuple[int, ...], **types: tuple[str, ...]) -> tuple[Params, ...]:
    """Return all types at every N with A in shared memory, and at a few with A in registers and the last selector."""
    few = tuple(size for size in n if size in FEW_N)
    return product(n=n, **types, a_in=("smem",), select=selectors[:1]) + product(
        n=few, **types, a_in=("registers",), select=selectors[-1:]
    )


def layouts(types: tuple[Params, ...], *table: Params) -> tuple[Params, ...]:
    """Return each row of a table of layouts for each of the types, at an N of several swizzle atoms."""
    return tuple({"n": 192, **kinds, **row} for kinds in types for row in table)


# K of B takes 64 bytes, which the rows of a 32-byte swizzle atom do not hold.
K_MAJOR = rows(
    "swizzle_a swizzle_b step shift",
    ("32B", "64B", 0, 0),
    ("64B", "64B", 1, 0),
    ("64B", "128B", 1, 0),
    ("128B", "128B", 3, 0),
    ("none", "128B", 0, 0),
    ("128B", "none", 2, 0),
)
SHIFTED = rows(
    "swizzle_a swizzle_b step shift",
    ("64B", "64B", 1, 3),
    ("128B", "128B", 3, 5),
)
MN_MAJOR = tuple(
    {"major_a": a, "major_b": b, "swizzle_a": swizzle, "swizzle_b": swizzle}
    for swizzle in ("none", "32B", "64B", "128B")
    for a, b in (("mn", "k"), ("k", "mn"), ("mn", "mn"))
    if (swizzle, b) != ("32B", "k")
)
MN_PARTLY = tuple(  # the last atom is taken in part
    {"n": 136, "major_a": "mn", "major_b": "mn", "swizzle_a": swizzle, "swizzle_b": swizzle}
    for swizzle in ("64B", "128B")
)
MN_REGISTERS = tuple(
    {"a_in": "registers", "major_b": "mn", "swizzle_b": swizzle} for swizzle in ("none", "32B", "64B", "128B")
)
NEGATED = product(negate=("a", "b", "ab"), a_in=("smem", "registers"))
SELECTED = product(n=FEW_N, select=(1,))

FORMS = {
    "f16": everywhere(ANY_N, (0, 1), d=("f16", "f32"), a=("f16",), b=("f16",)),
    "bf16": everywhere(ANY_N, (0, 1), d=("f32",), a=("bf16",), b=("bf16",)),
    "tf32": everywhere(ANY_N, (0, 1), d=("f32",), a=("tf32",), b=("tf32",)),
    "fp8": everywhere(ANY_N, (0,), d=("f16", "f32"), a=FP8, b=FP8),
    "int8": everywhere(INTEGER_N, (0,), d=("s32",), a=INT8, b=INT8, satfinite=YES_NO),
    "select": tuple({**row, **kinds} for kinds in FLOATS[:4] for row in SELECTED),
    "negate": tuple({"n": 24, **kinds, **row} for kinds in FLOATS for row in NEGATED),
    "k_major": layouts(FLOATS[:1] + FLOATS[2:5] + INTEGERS, *K_MAJOR),
    "base_offset": layouts(FLOATS[:1] + FLOATS[2:5] + INTEGERS, *SHIFTED),
    "mn_major": layouts(HALVES, *MN_MAJOR, *MN_PARTLY, *MN_REGISTERS),
}

PROBES = tuple(multiply(form, table) for form, table in FORMS.items())
