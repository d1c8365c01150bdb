"""mma.sp and mma.sp::ordered_metadata: warp-level products with a sparse A. PTX ISA 9.3, 9.7.15.6.3."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, family, mma, mma_sp, only, product, since
from suite.numerics import cases as numeric
from suite.probe import Params

SECTION = "9.7.15.6.3"
FP8 = ("e4m3", "e5m2")
F8F6F4 = mma.F8F6F4
YES_NO = ("no", "yes")
VARIANTS = ("sp", "ordered")

# Sparsity selectors by shape and width of an element of A: of one lane in a quad, of a pair, or of all.
# Source: PTX ISA 9.3, 9.7.15.6.1.
ONE, PAIR, ALL = (0, 1, 2, 3), (0, 1), (0,)
SELECTORS: dict[tuple[str, int], tuple[int, ...]] = {
    ("m16n8k8", 32): ONE,
    ("m16n8k16", 32): PAIR,
    ("m16n8k16", 16): ONE,
    ("m16n8k32", 16): PAIR,
    ("m16n8k32", 8): PAIR,
    ("m16n8k64", 8): ALL,
    ("m16n8k64", 4): PAIR,
    ("m16n8k128", 4): ALL,
}

# The least target and PTX version of the forms without a .kind, by class; ordered metadata came with 8.5.
# Source: 9.7.15.6.3, Target ISA Notes and PTX ISA Notes.
FIRST = {
    "all": ("sm_80", "7.1"),
    "fp8": ("sm_89", "8.4"),
    "fp8.f16": ("sm_120", "8.7"),
}
KINDS = only("sm_120a", ptx="8.7", section=SECTION) | family("sm_120f", ptx="8.8", section=SECTION)
FP4 = only("sm_120a", ptx="8.7", section=SECTION) | only("sm_121a", ptx="8.8", section=SECTION)
FP4_4X_UE8M0 = only("sm_120a", "sm_121a", ptx="9.1", section=SECTION)


def stated(element: str, params: Params) -> Claim:
    """Return the claim of a form without a .kind."""
    target, ptx = FIRST[element]
    return since(target, ptx=max(ptx, "8.5") if params["variant"] == "ordered" else ptx, section=SECTION)


def fp8(params: Params) -> Claim:
    """Return the claim of FP8 without a .kind: f16 results came later than the rest."""
    return stated("fp8" if params["d"] == "f32" else "fp8.f16", params)


def kinds(params: Params) -> Claim:
    """Return the claim of the forms with a .kind; the FP4 kinds belong to two targets alone."""
    if not params["kind"].startswith("mxf4"):
        return KINDS
    return FP4_4X_UE8M0 if (params["s"], params["scale_vec"]) == ("ue8m0", "4X") else FP4


def table(bits: int, shapes: tuple[str, ...], **columns: tuple[str, ...]) -> tuple[Params, ...]:
    """Return both variants with every legal selector, times the given columns."""
    return tuple(
        row
        for shape in shapes
        for row in product(variant=VARIANTS, shape=(shape,), **columns, selector=SELECTORS[shape, bits])
    )


def spelled(params: Params) -> Params:
    """Return the parts of an instruction that derive from its parameters."""
    sp = "sp" if params.get("variant") == "sp" else "sp::ordered_metadata"
    return {"sp": sp, "sat": mma.satfinite(params), "selector": params.get("selector", 0)}


def scaled_spelled(params: Params) -> Params:
    """Return the same of a block-scaled instruction."""
    return {**spelled(params), **mma.scaled_fields(params)}


def sass(pattern: str, params: Params) -> tuple[str, ...]:
    """Return a SASS opcode pattern filled from the parameters; `mnk` is the shape as SASS writes it."""
    names = {key: str(value).upper() for key, value in params.items()}
    return tuple(p.format(**names, mnk="".join(map(str, mma.mnk(params)))) for p in pattern.split(" | "))


sparse = partial(
    Probe,
    opcode="mma.{sp}.sync.aligned.{shape}.row.col.{d}.{a}.{a}.{d}",
    arguments="{D}, {A}, {B}, {C}, e0, {selector}",
    template="mma_sync.ptx.j2",
    operands=mma_sp.fragments,
    inputs=mma_sp.inputs,
    oracle=mma_sp.multiply,
    launch=mma_sp.launch,
    numeric=numeric.sparse_warp,
    fields=spelled,
)
integer = partial(
    sparse,
    opcode="mma.{sp}.sync.aligned.{shape}.row.col{sat}.s32.{a}.{b}.s32",
    claim=partial(stated, "all"),
    native=partial(sass, "IMMA.SP.{mnk}.{a}.{b}"),
    inputs=mma_sp.integer_inputs,
    oracle=mma_sp.integer_multiply,
)
scaled = partial(
    sparse,
    opcode="mma.{sp}.sync.aligned.{shape}.row.col.kind::{kind}.block_scale{vec}.{d}.{a}.{b}.{d}.{s}",
    arguments="{D}, {A}, {B}, {C}, e0, {selector}, {SFA}, {select_a}, {SFB}, {select_b}",
    claim=kinds,
    operands=mma_sp.scaled_fragments,
    inputs=mma_sp.scaled_inputs,
    oracle=mma_sp.scaled_multiply,
    fields=scaled_spelled,
)

PROBES = (
    sparse(
        form="f16",
        rows=table(16, ("m16n8k16", "m16n8k32"), a=("f16",), d=("f16", "f32")),
        claim=partial(stated, "all"),
        native=partial(sass, "HMMA.SP.{mnk}.{d}"),
    ),
    sparse(
        form="bf16",
        rows=table(16, ("m16n8k16", "m16n8k32"), a=("bf16",), d=("f32",)),
        claim=partial(stated, "all"),
        native=partial(sass, "HMMA.SP.{mnk}.{d}.{a}"),
    ),
    sparse(
        form="tf32",
        rows=table(32, ("m16n8k8", "m16n8k16"), a=("tf32",), d=("f32",)),
        claim=partial(stated, "all"),
        native=partial(sass, "HMMA.SP.{mnk}.{d}.{a}"),
    ),
    integer(
        form="int8",
        rows=table(8, ("m16n8k32", "m16n8k64"), a=("s8", "u8"), b=("s8", "u8"), d=("s32",), satfinite=YES_NO),
    ),
    integer(
        form="int4",
        rows=table(4, ("m16n8k64", "m16n8k128"), a=("s4", "u4"), b=("s4", "u4"), d=("s32",), satfinite=YES_NO),
    ),
    sparse(
        form="fp8",
        opcode="mma.{sp}.sync.aligned.{shape}.row.col.{d}.{a}.{b}.{d}",
        # The notes speak of f16 results and of m16n8k32 too, which the syntax does not spell. ptxas 13.5.37 has f16
        # with ordered metadata alone ("Illegal modifier '.sp'"), m16n8k32 not at all ("Incorrect instruction type").
        rows=tuple(
            dict(variant=variant, shape="m16n8k64", a=a, b=b, d=d)
            for variant, d in (("sp", "f32"), ("ordered", "f32"), ("ordered", "f16"))
            for a in FP8
            for b in FP8
        ),
        claim=fp8,
        native=partial(sass, "QMMA.SP.{mnk}.{d}.{a}.{b}"),
    ),
    sparse(
        form="f8f6f4",
        opcode="mma.{sp}.sync.aligned.{shape}.row.col.kind::{kind}.{d}.{a}.{b}.{d}",
        rows=product(shape=("m16n8k64",), kind=("f8f6f4",), a=F8F6F4, b=F8F6F4, d=("f16", "f32")),
        claim=kinds,
        native=partial(sass, "QMMA.SP.{mnk}.{d}.{a}.{b}"),
    ),
    scaled(
        form="mxf8f6f4",
        rows=mma.mxf8f6f4_rows("m16n8k64"),
        native=partial(sass, "QMMA.SF.SP.{mnk}.{d}.{a}.{b}"),
    ),
    scaled(
        form="mxf4",
        rows=mma.mxf4_rows("m16n8k128"),
        native=partial(sass, "OMMA.SF.SP.{mnk}.{d}.{a}.{b}"),
    ),
)
