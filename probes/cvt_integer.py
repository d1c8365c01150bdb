"""cvt to, from and between integers, and cvt.pack. PTX ISA 9.3, 9.7.9.22 and 9.7.9.23."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, elementwise, product, since
from suite import integer_conversions as conversions
from suite.integer_conversions import FLOATS, INTEGERS
from suite.probe import Params

CONVERT, PACK = "9.7.9.22", "9.7.9.23"
DIRECTED, INTEGRAL = ("rn", "rz", "rm", "rp"), ("rni", "rzi", "rmi", "rpi")


def stated(params: Params) -> Claim:
    """Return the claim: forms with bf16 are younger than the oldest target kept."""
    young = "bf16" in (params["to"], params["of"])
    return since("sm_90", ptx="7.8", section=CONVERT) if young else since("sm_13", ptx="1.0", section=CONVERT)


def packed(params: Params) -> Claim:
    """Return the claim of cvt.pack; types below 8 bits need sm_75."""
    narrow = conversions.width(params["to"]) < 8
    return since("sm_75" if narrow else "sm_72", ptx="6.5", section=PACK)


def fields(params: Params) -> Params:
    """Return the dotted rounding and modifiers."""
    dotted = {f"{name}_": f".{name}" if params.get(name) == "yes" else "" for name in ("ftz", "sat")}
    rnd = params.get("rnd", "none")
    return {**dotted, "predicates": (), "after": "", "round": "" if rnd == "none" else f".{rnd}"}


# How the conversion units name a type (f32 and s32 not at all) and a rounding. Source: nvdisasm 13.5.37 of the armed
# kernels for sm_75, 90a, 100a and 120a.
UNNAMED = ("f32", "s32")
ROUNDED = {"rz": ".RZ", "rm": ".RM", "rp": ".RP", "rzi": ".TRUNC", "rmi": ".FLOOR", "rpi": ".CEIL"}


def sass(params: Params) -> tuple[str, ...]:
    """Return the unit's opcodes with its types, rounding and .FTZ."""
    to, of = params["to"], params["of"]
    types = "".join(f".{kind.upper()}" for kind in (to, of) if kind not in UNNAMED)
    flushed = params.get("ftz") == "yes" and conversions.width(to) < 64  # the 64-bit units flush by a multiplication
    direction = ROUNDED.get(params.get("rnd", ""), "") + (".FTZ" if flushed else "")
    if to in FLOATS:
        return (f"I2F{types}{direction}", f"I2FP.{to.upper()}.{of.upper()}{direction}")
    return (
        (f"F2I{types}{direction}", f"F2IP.{to.upper()}.{of.upper()}{direction}")
        if of in FLOATS
        else (f"I2I.{to.upper()}",)
    )


conversion = partial(
    Probe,
    arguments="d, a",
    claim=stated,
    template="elementwise.ptx.j2",
    native=sass,
    operands=conversions.operands,
    inputs=conversions.inputs,
    oracle=conversions.oracle,
    launch=lambda params: elementwise.launch(conversions.threads(params)),
    fields=fields,
)

PROBES = (
    conversion(
        form="to_float",
        opcode="cvt{round}{sat_}.{to}.{of}",
        rows=product(to=("f16", "bf16", "f32"), of=INTEGERS, rnd=DIRECTED, sat=("no",))
        + product(to=("f64",), of=("u8", "u16", "u32", "s8", "s16", "s32"), rnd=DIRECTED, sat=("no",))
        + product(to=("f16", "f32"), of=INTEGERS, rnd=("rn",), sat=("yes",)),
    ),
    conversion(
        form="of_float",
        opcode="cvt{round}{ftz_}.{to}.{of}",
        rows=product(to=INTEGERS, of=FLOATS, rnd=INTEGRAL, ftz=("no",))
        + product(to=INTEGERS, of=("f32",), rnd=INTEGRAL, ftz=("yes",)),
    ),
    conversion(
        form="of_float_sat",
        opcode="cvt{round}{sat_}.{to}.{of}",
        rows=product(to=INTEGERS, of=("f16", "f32", "f64"), rnd=("rzi",), sat=("yes",)),
    ),
    conversion(
        form="integers",
        opcode="cvt.{to}.{of}",
        rows=product(to=INTEGERS, of=INTEGERS),
    ),
    conversion(
        form="integers_sat",
        opcode="cvt.sat.{to}.{of}",
        rows=tuple(
            dict(to=to, of=of, sat="yes") for to in INTEGERS for of in INTEGERS if conversions.can_saturate(to, of)
        ),
    ),
    Probe(
        form="pack",
        opcode="cvt.pack.sat.{to}.s32{tail}",
        arguments="{arguments}",
        rows=product(to=("u16", "s16", "u8", "s8", "u4", "s4", "u2", "s2")),
        claim=packed,
        template="elementwise.ptx.j2",
        native=lambda params: (f"I2IP.{params['to'].upper()}.S32.SAT",),
        operands=conversions.pack_operands,
        inputs=conversions.pack_inputs,
        oracle=conversions.pack_oracle,
        launch=lambda params: elementwise.launch(conversions.PACK_THREADS),
        fields=lambda params: {
            **fields({}),
            "tail": ".b32" if conversions.width(params["to"]) < 16 else "",
            "arguments": "d, a, b, c" if conversions.width(params["to"]) < 16 else "d, a, b",
        },
    ),
)
