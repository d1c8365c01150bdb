"""mma.sync: every dense warp-level matrix multiply-accumulate. PTX ISA 9.3, 9.7.15.5.14."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, family, mma, only, product, rows, since
from suite.numerics import cases as numeric
from suite.probe import Params

SECTION = "9.7.15.5.14"
FP8 = ("e4m3", "e5m2")
F8F6F4 = mma.F8F6F4
YES_NO = ("no", "yes")

# What the Target ISA Notes and PTX ISA Notes say, by element class and shape. Source: 9.7.15.5.14.
CLAIMS: dict[tuple[str, str], Claim] = {
    (element, shape): since(target, ptx=ptx, section=SECTION)
    for element, shape, target, ptx in (
        ("f16", "m8n8k4", "sm_70", "6.4"),
        ("f16", "m16n8k8", "sm_75", "6.5"),
        ("f16", "m16n8k16", "sm_80", "7.0"),
        ("bf16", "m16n8k8", "sm_80", "7.0"),
        ("bf16", "m16n8k16", "sm_80", "7.0"),
        ("tf32", "m16n8k4", "sm_80", "7.0"),
        ("tf32", "m16n8k8", "sm_80", "7.0"),
        ("f64", "m8n8k4", "sm_80", "7.0"),
        ("f64", "m16n8k4", "sm_90", "7.8"),
        ("f64", "m16n8k8", "sm_90", "7.8"),
        ("f64", "m16n8k16", "sm_90", "7.8"),
        ("int8", "m8n8k16", "sm_75", "6.5"),
        ("int8", "m16n8k16", "sm_80", "7.0"),
        ("int8", "m16n8k32", "sm_80", "7.0"),
        ("int4", "m8n8k32", "sm_75", "6.5"),
        ("int4", "m16n8k32", "sm_80", "7.0"),
        ("int4", "m16n8k64", "sm_80", "7.0"),
        ("b1.xor", "m8n8k128", "sm_75", "7.0"),
        ("b1.xor", "m16n8k128", "sm_80", "7.0"),
        ("b1.xor", "m16n8k256", "sm_80", "7.0"),
        ("b1.and", "m8n8k128", "sm_80", "7.1"),
        ("b1.and", "m16n8k128", "sm_80", "7.1"),
        ("b1.and", "m16n8k256", "sm_80", "7.1"),
        ("fp8.f32", "m16n8k32", "sm_89", "8.4"),
        ("fp8.f32", "m16n8k16", "sm_89", "8.7"),
        ("fp8.f16", "m16n8k32", "sm_89", "8.7"),
        ("fp8.f16", "m16n8k16", "sm_89", "8.7"),
    )
}
KINDS = only("sm_120a", ptx="8.7", section=SECTION) | family("sm_120f", ptx="8.8", section=SECTION)
NVF4_4X_UE8M0 = family("sm_120f", ptx="9.1", section=SECTION)


def stated(element: str, params: Params) -> Claim:
    """Return the row of CLAIMS for an element class, which may name parameters, and the case's shape."""
    return CLAIMS[element.format(**params), params["shape"]]


def kinds(params: Params) -> Claim:
    """Return the claim of the forms with a .kind; kind::mxf4nvf4 with ue8m0 scales by 16 came later than the rest."""
    late = params.get("s") == "ue8m0" and params.get("scale_vec") == "4X"
    return NVF4_4X_UE8M0 if late else KINDS


def sass(pattern: str, params: Params) -> tuple[str, ...]:
    """Return a SASS opcode pattern filled from the parameters; `mnk` is the shape as SASS writes it."""
    shape = mma.mnk(params)
    names = {key: str(value).upper() for key, value in params.items()}
    joined = {"mnk": "".join(map(str, shape)), "mxnxk": "x".join(map(str, shape)), "sat": mma.satfinite(params).upper()}
    return tuple(alternative.format(**names, **joined).rstrip(".") for alternative in pattern.split(" | "))


dense = partial(
    Probe,
    arguments="{D}, {A}, {B}, {C}",
    template="mma_sync.ptx.j2",
    operands=mma.fragments,
    inputs=mma.inputs,
    oracle=mma.multiply,
    launch=mma.launch,
    numeric=numeric.warp,
)
integer = partial(
    dense,
    opcode="mma.sync.aligned.{shape}.row.col{sat}.s32.{a}.{b}.s32",
    inputs=mma.integer_inputs,
    oracle=mma.integer_multiply,
    fields=lambda params: {"sat": mma.satfinite(params)},
)
scaled = partial(
    dense,
    opcode="mma.sync.aligned.{shape}.row.col.kind::{kind}.block_scale{vec}.{d}.{a}.{b}.{d}.{s}",
    arguments="{D}, {A}, {B}, {C}, {SFA}, {select_a}, {SFB}, {select_b}",
    claim=kinds,
    operands=mma.scaled_fragments,
    inputs=mma.scaled_inputs,
    oracle=mma.scaled_multiply,
    fields=mma.scaled_fields,
)

PROBES = (
    dense(
        form="f16_quad",
        opcode="mma.sync.aligned.{shape}.{alayout}.{blayout}.{d}.f16.f16.{c}",
        rows=tuple(
            dict(shape="m8n8k4", alayout=alayout, blayout=blayout, d=d, c=c)
            for alayout in ("row", "col")
            for blayout in ("row", "col")
            for d, c in (("f16", "f16"), ("f32", "f16"), ("f32", "f32"))
        ),
        claim=partial(stated, "f16"),
        native=partial(sass, "HMMA.884"),
        operands=mma.quad_fragments,
        inputs=mma.quad_inputs,
        oracle=mma.quad_multiply,
        numeric=numeric.quad,
        launch=mma.quad_launch,
    ),
    dense(
        form="f16",
        opcode="mma.sync.aligned.{shape}.row.col.{d}.{a}.{a}.{d}",
        rows=product(shape=("m16n8k8", "m16n8k16"), a=("f16",), d=("f16", "f32")),
        claim=partial(stated, "f16"),
        native=partial(sass, "HMMA.{mnk}.{d}"),
    ),
    dense(
        form="bf16_tf32",
        opcode="mma.sync.aligned.{shape}.row.col.{d}.{a}.{a}.{d}",
        rows=rows(
            "shape a d",
            ("m16n8k8", "bf16", "f32"),
            ("m16n8k16", "bf16", "f32"),
            ("m16n8k4", "tf32", "f32"),
            ("m16n8k8", "tf32", "f32"),
        ),
        claim=partial(stated, "{a}"),
        native=partial(sass, "HMMA.{mnk}.{d}.{a}"),
    ),
    dense(
        form="f64",
        opcode="mma.sync.aligned.{shape}.row.col.{d}.{a}.{a}.{d}{rnd}",
        rows=product(
            shape=("m8n8k4", "m16n8k4", "m16n8k8", "m16n8k16"),
            a=("f64",),
            d=("f64",),
            round=("default", "rn", "rz", "rm", "rp"),
        ),
        claim=partial(stated, "f64"),
        native=partial(sass, "DMMA.{mnk} | DMMA.{mxnxk}"),
        fields=lambda params: {"rnd": "" if params["round"] == "default" else f".{params['round']}"},
    ),
    integer(
        form="int8",
        rows=product(
            shape=("m8n8k16", "m16n8k16", "m16n8k32"), a=("s8", "u8"), b=("s8", "u8"), d=("s32",), satfinite=YES_NO
        ),
        claim=partial(stated, "int8"),
        native=partial(sass, "IMMA.{mnk}.{a}.{b}"),
    ),
    integer(
        form="int4",
        rows=product(
            shape=("m8n8k32", "m16n8k32", "m16n8k64"), a=("s4", "u4"), b=("s4", "u4"), d=("s32",), satfinite=YES_NO
        ),
        claim=partial(stated, "int4"),
        native=partial(sass, "IMMA.{mnk}.{a}.{b}"),
    ),
    dense(
        form="b1",
        opcode="mma.sync.aligned.{shape}.row.col.s32.b1.b1.s32.{op}.popc",
        rows=product(shape=("m8n8k128", "m16n8k128", "m16n8k256"), op=("xor", "and")),
        claim=partial(stated, "b1.{op}"),
        native=partial(sass, "BMMA.{mnk}.{op}.POPC"),
        operands=mma.bit_fragments,
        inputs=mma.bit_inputs,
        oracle=mma.bit_count,
        launch=mma.bit_launch,
    ),
    dense(
        form="fp8",
        opcode="mma.sync.aligned.{shape}.row.col.{d}.{a}.{b}.{d}",
        rows=product(shape=("m16n8k16", "m16n8k32"), a=FP8, b=FP8, d=("f16", "f32")),
        claim=partial(stated, "fp8.{d}"),
        native=partial(sass, "QMMA.{mnk}.{d}.{a}.{b}"),
    ),
    dense(
        form="f8f6f4",
        opcode="mma.sync.aligned.{shape}.row.col.kind::f8f6f4.{d}.{a}.{b}.{d}",
        rows=product(shape=("m16n8k32",), a=F8F6F4, b=F8F6F4, d=("f16", "f32")),
        claim=kinds,
        native=partial(sass, "QMMA.{mnk}.{d}.{a}.{b}"),
        operands=mma.boxed_fragments,
    ),
    scaled(
        form="mxf8f6f4",
        rows=mma.mxf8f6f4_rows("m16n8k32"),
        native=partial(sass, "QMMA.SF.{mnk}.{d}.{a}.{b}"),
    ),
    scaled(
        form="mxf4",
        rows=mma.mxf4_rows("m16n8k64"),
        native=partial(sass, "OMMA.SF.{mnk}.{d}.{a}.{b}"),
    ),
)
