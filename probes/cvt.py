"""cvt between float formats: f16, bf16, tf32, FP8, FP6, FP4, ue8m0, s2f6, scalar and packed. PTX ISA 9.3, 9.7.9.22."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from suite import Claim, Probe, conversions, elementwise, family, only, product, since, stochastic
from suite.probe import Params

SECTION, NEWER = "9.7.9.22", "PTX ISA 9.4, 9.7.10.24"
NO_YES = ("no", "yes")
F8, F6, F4 = ("e4m3x2", "e5m2x2"), ("e2m3x2", "e3m2x2"), ("e2m1x2",)
DIRECTED = ("rn", "rz", "rm", "rp")
INTEGRAL = ("rni", "rzi", "rmi", "rpi")

# Target ISA Notes and PTX ISA Notes, form by form. sm_101 became sm_110 in PTX ISA 9.0. sm_107 came with PTX ISA 9.4.
ALWAYS = since("sm_13", ptx="1.0", section=SECTION)
AMPERE = since("sm_80", ptx="7.0", section=SECTION)
FINITE = since("sm_13", ptx="8.1", section=SECTION)
AMPERE_FINITE = since("sm_80", ptx="8.1", section=SECTION)
FROM_BF16 = since("sm_80", ptx="7.1", section=SECTION)
HOPPER = since("sm_90", ptx="7.8", section=SECTION)
FP8 = since("sm_90", ptx="7.8", section=SECTION) | since("sm_89", ptx="8.1", section=SECTION)
BLACKWELL_FINITE = since("sm_100", ptx="8.6", section=SECTION)
NARROW = (
    only("sm_100a", "sm_120a", ptx="8.6", section=SECTION)
    | family("sm_100f", "sm_120f", ptx="8.8", section=SECTION)
    | only("sm_110a", ptx="9.0", section=SECTION)
    | family("sm_110f", ptx="9.0", section=SECTION)
)
STOCHASTIC = only("sm_100a", "sm_103a", ptx="8.7", section=SECTION) | only("sm_107a", ptx="9.4", section=NEWER)
S2F6 = only("sm_100a", "sm_103a", "sm_110a", "sm_120a", "sm_121a", ptx="9.1", section=SECTION) | only(
    "sm_107a", ptx="9.4", section=NEWER
)


def families(ptx: str) -> Claim:
    """Return the claim of what came to three families at once."""
    return family("sm_100f", "sm_110f", "sm_120f", ptx=ptx, section=SECTION)


def of_f32(params: Params) -> Claim:
    """Return the claim of f16 and bf16 results of f32: .satfinite came later, and to f16 for every target."""
    if params["to"] == "f16" and params["relu"] == "no":
        return FINITE
    return AMPERE_FINITE if params["satfinite"] == "yes" else AMPERE


def of_f32_to_tf32(params: Params) -> Claim:
    """Return the claim of tf32 results: .rna first, then .rn and .rz, then these with .satfinite."""
    finite = params["satfinite"] == "yes"
    if params["rnd"] == "rna":
        return AMPERE_FINITE if finite else AMPERE
    return BLACKWELL_FINITE if finite else HOPPER


def scalars(params: Params) -> Claim:
    """Return the claim of a conversion between scalars: those with bf16 are younger."""
    if params["of"] == "bf16" and params["to"] == "f32":
        return HOPPER if params["ftz"] == "yes" else FROM_BF16
    return HOPPER if "bf16" in (params["of"], params["to"]) else ALWAYS


def constant(claim: Claim) -> Callable[[Params], Claim]:
    """Return the claim for every case alike."""
    return lambda params: claim


# How SASS names a format where it does not as PTX does, and what a conversion becomes: the packing unit, the conversion
# unit, the rounding unit, or for f16 to f32 the half-precision adder. Source: nvdisasm 13.5.37 of the armed kernels for
# sm_75, 90a, 100a, 103a, 110a, 120a and 121a.
SASS_NAMES = {"ue8m0": "E8", "s2f6": "S2_6"}
ROUNDED = {"rz": ".RZ", "rm": ".RM", "rp": ".RP"}


def sass_formats(params: Params) -> str:
    """Return the formats of result and source as SASS writes them."""
    names = [conversions.element(params[key]) for key in ("to", "of")]
    return ".".join(SASS_NAMES.get(name, name).upper() for name in names)


def packing(params: Params) -> tuple[str, ...]:
    """Return the packing unit's opcode with formats, direction and modifiers."""
    names = ("relu", "satfinite", "pzo")
    modifiers = "".join(f".{name.upper()}" for name in names if params.get(name) == "yes")
    scaled = ".SCALE_BY_C" if params.get("scaled") == "n1" else ""
    return (f"F2FP.{sass_formats(params)}{ROUNDED.get(params['rnd'], '')}{modifiers}{scaled}",)


def scalar_sass(params: Params) -> tuple[str, ...]:
    """Return the opcodes of scalar conversions."""
    if params["rnd"] in INTEGRAL:
        kind = "" if params["to"] == "f32" else f".{params['to'].upper()}"
        direction = {"rni": "", "rzi": ".TRUNC", "rmi": ".FLOOR", "rpi": ".CEIL"}[params["rnd"]]
        return (f"FRND{kind}{direction}",)
    formats = f"{sass_formats(params)}{ROUNDED.get(params['rnd'], '')}"
    adder = ("HADD2.F32",) if (params["to"], params["of"]) == ("f32", "f16") else ()
    return (f"F2F.{formats}", f"F2FP.{formats}", *adder)


conversion = partial(
    Probe,
    arguments="d, {from_}{scale_}",
    template="elementwise.ptx.j2",
    native=packing,
    operands=conversions.operands,
    inputs=conversions.inputs,
    oracle=conversions.oracle,
    launch=lambda params: elementwise.launch(conversions.threads(params)),
    fields=conversions.fields,
)

stochastic_ = partial(
    Probe,
    opcode="cvt{round}{relu_}{satfinite_}{pzo_}.{to}.{of}",
    arguments="d, {from_}, rbits",
    claim=constant(STOCHASTIC),
    template="elementwise.ptx.j2",
    native=packing,
    operands=stochastic.operands,
    inputs=stochastic.inputs,
    oracle=stochastic.oracle,
    launch=lambda params: elementwise.launch(conversions.threads(params)),
    fields=stochastic.fields,
)


def down(form: str, to: tuple[str, ...], of: tuple[str, ...], claim: Claim) -> Probe:
    """Return the probe of conversions to narrow packed formats, which .satfinite is mandatory for."""
    return conversion(
        form=form,
        opcode="cvt{round}.satfinite{relu_}.{to}.{of}",
        rows=product(to=to, of=of, rnd=("rn",), satfinite=("yes",), relu=NO_YES),
        claim=constant(claim),
    )


def up(form: str, of: tuple[str, ...], claim: Claim) -> Probe:
    """Return the probe of conversions of narrow packed formats to .f16x2."""
    return conversion(
        form=form,
        opcode="cvt{round}{relu_}.{to}.{of}",
        rows=product(to=("f16x2",), of=of, rnd=("rn",), relu=NO_YES),
        claim=constant(claim),
    )


def scalar(form: str, opcode: str, rows: tuple[Params, ...], **others: Any) -> Probe:
    """Return a probe of conversions between scalar floats."""
    return conversion(form=form, opcode=opcode, rows=rows, **{"claim": scalars, "native": scalar_sass, **others})


PROBES = (
    scalar(
        "widen",
        "cvt{ftz_}{sat_}.{to}.{of}",
        product(to=("f32",), of=("f16",), rnd=("none",), ftz=NO_YES, sat=NO_YES)
        + product(to=("f64",), of=("f16",), rnd=("none",), ftz=("no",), sat=NO_YES)
        + product(to=("f64",), of=("f32",), rnd=("none",), ftz=NO_YES, sat=NO_YES)
        + product(to=("f32",), of=("bf16",), rnd=("none",), ftz=NO_YES, sat=("no",))
        + product(to=("f64",), of=("bf16",), rnd=("none",), ftz=("no",), sat=("no",)),
    ),
    scalar(
        "narrow",
        "cvt{round}{ftz_}{sat_}.{to}.{of}",
        product(to=("f16",), of=("f32",), rnd=DIRECTED, ftz=NO_YES, sat=NO_YES)
        + product(to=("f16",), of=("f64",), rnd=DIRECTED, ftz=("no",), sat=NO_YES)
        + product(to=("f32",), of=("f64",), rnd=DIRECTED, ftz=NO_YES, sat=NO_YES)
        + product(to=("bf16",), of=("f64", "f16"), rnd=DIRECTED, ftz=("no",), sat=("no",))
        + product(to=("f16",), of=("bf16",), rnd=DIRECTED, ftz=("no",), sat=("no",)),
    ),
    scalar(
        "integral",
        "cvt{round}{ftz_}{sat_}.{to}.{of}",
        tuple(
            dict(to=kind, of=kind, rnd=rnd, ftz=ftz, sat=sat)
            for kind, flushes, saturates in (
                ("f16", ("no",), NO_YES),
                ("bf16", ("no",), ("no",)),
                ("f32", NO_YES, NO_YES),
                ("f64", ("no",), NO_YES),
            )
            for rnd in INTEGRAL
            for ftz in flushes
            for sat in saturates
        ),
    ),
    scalar(
        "same",
        "cvt{ftz_}{sat_}.{to}.{of}",
        product(to=("f32",), of=("f32",), rnd=("none",), ftz=("yes",), sat=NO_YES)
        + tuple(dict(to=kind, of=kind, rnd="none", ftz="no", sat="yes") for kind in ("f16", "f32", "f64")),
    ),
    scalar(
        "of_f32",
        "cvt{round}{relu_}{satfinite_}.{to}.{of}",
        product(to=("bf16",), of=("f32",), rnd=("rn", "rz"), relu=NO_YES, satfinite=NO_YES)
        + tuple(
            dict(to="f16", of="f32", rnd=rnd, relu=relu, satfinite=satfinite)
            for rnd in ("rn", "rz")
            for relu, satfinite in (("yes", "no"), ("no", "yes"), ("yes", "yes"))
        ),
        claim=of_f32,
        native=packing,
    ),
    conversion(
        form="pair_of_f32",
        opcode="cvt{round}{relu_}{satfinite_}.{to}.{of}",
        rows=product(to=("f16x2", "bf16x2"), of=("f32",), rnd=("rn", "rz"), relu=NO_YES, satfinite=NO_YES),
        claim=of_f32,
    ),
    scalar(
        "tf32",
        "cvt{round}{satfinite_}{relu_}.{to}.{of}",
        product(to=("tf32",), of=("f32",), rnd=("rna",), satfinite=NO_YES, relu=("no",))
        + product(to=("tf32",), of=("f32",), rnd=("rn", "rz"), satfinite=NO_YES, relu=NO_YES),
        claim=of_f32_to_tf32,
        native=packing,
    ),
    down("f8", F8, ("f32", "f16x2"), FP8),
    down("f8_of_bf16", F8, ("bf16x2",), families("9.1")),
    down("f6_f4", F6 + F4, ("f32",), NARROW),
    down("f6_f4_of_half", F6 + F4, ("f16x2", "bf16x2"), families("9.1")),
    up("half_of_f8", F8, FP8),
    up("half_of_f6_f4", F6 + F4, NARROW),
    conversion(
        form="bf16_of_narrow",
        opcode="cvt{round}{relu_}{satfinite_}{scaled_}.{to}.{of}",
        rows=product(to=("bf16x2",), of=F8 + F6 + F4, rnd=("rn",), relu=NO_YES, satfinite=NO_YES, scaled=NO_YES),
        claim=constant(families("9.2")),
    ),
    conversion(
        form="ue8m0",
        opcode="cvt{round}{satfinite_}.{to}.{of}",
        rows=product(to=("ue8m0x2",), of=("f32", "bf16x2"), rnd=("rz", "rp"), satfinite=NO_YES),
        claim=constant(NARROW),
    ),
    conversion(
        form="of_ue8m0",
        opcode="cvt{round}.{to}.{of}",
        rows=product(to=("bf16x2",), of=("ue8m0x2",), rnd=("rn",)),
        claim=constant(NARROW),
    ),
    conversion(
        form="s2f6",
        opcode="cvt{round}.satfinite{relu_}{scaled_}.{to}.{of}",
        rows=product(to=("s2f6x2",), of=("f32", "bf16x2"), rnd=("rn",), satfinite=("yes",), relu=NO_YES, scaled=NO_YES),
        claim=constant(S2F6),
    ),
    conversion(
        form="of_s2f6",
        opcode="cvt{round}{satfinite_}{relu_}{scaled_}.{to}.{of}",
        rows=product(to=("bf16x2",), of=("s2f6x2",), rnd=("rn",), satfinite=NO_YES, relu=NO_YES, scaled=NO_YES),
        claim=constant(S2F6),
    ),
    stochastic_(
        form="stochastic_pair",
        rows=product(to=("f16x2", "bf16x2"), of=("f32",), rnd=("rs",), relu=NO_YES, satfinite=NO_YES),
    ),
    stochastic_(
        form="stochastic_four",
        rows=product(
            to=("e4m3x4", "e5m2x4", "e3m2x4", "e2m3x4", "e2m1x4"),
            of=("f32",),
            rnd=("rs",),
            relu=NO_YES,
            satfinite=("yes",),
        ),
    ),
)
