"""f64 arithmetic, and f32 that is rounded as exactly: quotients, roots, signs, kinds. PTX ISA 9.3, 9.7.3."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, elementwise, floats, precise, product, since
from suite.opcodes import NONE
from suite.probe import Params

NO_YES = ("no", "yes")
ROUNDS, DIRECTED = ("default", "rn", "rz", "rm", "rp"), ("rn", "rz", "rm", "rp")

# Section, then target and PTX version of f32 and of f64. Source: the notes of each section.
NOTES = {
    "testp": ("9.7.3.1", ("sm_20", "2.0"), ("sm_20", "2.0")),
    "copysign": ("9.7.3.2", ("sm_20", "2.0"), ("sm_20", "2.0")),
    "add": ("9.7.3.3", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "sub": ("9.7.3.4", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "mul": ("9.7.3.5", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "fma": ("9.7.3.6", ("sm_20", "2.0"), ("sm_13", "1.4")),
    "mad": ("9.7.3.7", ("sm_20", "2.0"), ("sm_13", "1.4")),
    "div": ("9.7.3.8", ("sm_20", "1.4"), ("sm_13", "1.4")),
    "abs": ("9.7.3.9", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "neg": ("9.7.3.10", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "min": ("9.7.3.11", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "max": ("9.7.3.12", ("sm_10", "1.0"), ("sm_13", "1.0")),
    "rcp": ("9.7.3.13", ("sm_20", "2.0"), ("sm_13", "1.4")),
    "sqrt": ("9.7.3.15", ("sm_20", "2.0"), ("sm_13", "1.4")),
}


def stated(params: Params) -> Claim:
    """Return what the notes say of the instruction and its type."""
    section, f32, f64 = NOTES[params["op"]]
    target, ptx = f64 if params["type"] == "f64" else f32
    return since(target, ptx=ptx, section=section)


# The units' opcodes; quotients, reciprocals and roots are routines or sequences, minima of f64 a comparison and two
# selections. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 80, 90a, 100a, 107a and 121a.
UNITS = {
    ("add", "f64"): ("DADD",),
    ("sub", "f64"): ("DADD",),
    ("mul", "f64"): ("DMUL",),
    ("fma", "f64"): ("DFMA",),
    ("mad", "f64"): ("DFMA",),
    ("mad", "f32"): ("FFMA",),
    ("abs", "f64"): ("DADD",),
    ("neg", "f64"): ("DADD",),
    ("abs", "f32"): ("FADD",),
    ("neg", "f32"): ("FADD",),
}
TOKENS = {"ftz": ".FTZ", "sat": ".SAT"}


def sass(params: Params) -> tuple[str, ...]:
    """Return the unit's opcode with the case's rounding and modifiers."""
    rnd = params.get("rnd", "default")
    direction = "" if rnd in ("default", "rn") else f".{rnd.upper()}"
    tokens = "".join(token for name, token in TOKENS.items() if floats.is_on(params, name))
    return tuple(unit + direction + tokens for unit in UNITS.get((params["op"], params["type"]), NONE))


exact = partial(
    Probe,
    claim=stated,
    template="elementwise.ptx.j2",
    native=sass,
    operands=precise.operands,
    inputs=precise.inputs,
    oracle=precise.oracle,
    launch=lambda params: elementwise.launch(precise.THREADS),
    fields=floats.modifiers("ftz"),
)
moved = partial(
    exact,
    operands=floats.operands,
    inputs=floats.inputs,
    oracle=floats.oracle,
    launch=lambda params: elementwise.launch(floats.threads(params)),
)
gross = partial(
    exact,
    arguments="d, a",
    inputs=precise.gross_inputs,
    oracle=precise.gross,
    fields=floats.modifiers(),
)

PROBES = (
    exact(
        form="sum",
        opcode="{op}{round}.{type}",
        arguments="d, a, b",
        rows=product(op=("add", "sub", "mul"), type=("f64",), rnd=ROUNDS, ftz=("no",)),
    ),
    exact(
        form="fused",
        opcode="{op}{round}.{type}",
        arguments="d, a, b, c",
        rows=product(op=("fma", "mad"), type=("f64",), rnd=DIRECTED, ftz=("no",)),
    ),
    moved(
        form="mad_f32",
        opcode="{op}{round}{ftz_}{sat_}.{type}",
        arguments="d, a, b, c",
        rows=product(op=("mad",), type=("f32",), rnd=DIRECTED, ftz=NO_YES, sat=NO_YES),
        fields=floats.modifiers("ftz", "sat"),
    ),
    exact(
        form="quotient",
        opcode="{op}{round}{ftz_}.{type}",
        arguments="d, a, b",
        rows=product(op=("div",), type=("f64",), rnd=DIRECTED, ftz=("no",))
        + product(op=("div",), type=("f32",), rnd=DIRECTED, ftz=NO_YES),
    ),
    exact(
        form="root",
        opcode="{op}{round}{ftz_}.{type}",
        arguments="d, a",
        rows=product(op=("rcp", "sqrt"), type=("f64",), rnd=DIRECTED, ftz=("no",))
        + product(op=("rcp", "sqrt"), type=("f32",), rnd=DIRECTED, ftz=NO_YES),
    ),
    moved(
        form="sign",
        opcode="{op}{ftz_}.{type}",
        arguments="d, a",
        rows=product(op=("abs", "neg"), type=("f64",), ftz=("no",))
        + product(op=("abs", "neg"), type=("f32",), ftz=NO_YES),
        fields=floats.modifiers("ftz"),
    ),
    moved(
        form="extreme",
        opcode="{op}.{type}",
        arguments="d, a, b",
        rows=product(op=("min", "max"), type=("f64",)),
        fields=floats.modifiers(),
    ),
    exact(
        form="copysign",
        opcode="{op}.{type}",
        arguments="d, a, b",
        rows=product(op=("copysign",), type=("f32", "f64")),
        inputs=precise.any_inputs,
        oracle=precise.copied,
        fields=floats.modifiers(),
    ),
    exact(
        form="testp",
        opcode="{op}.{kind}.{type}",
        arguments="%p_p, a",
        rows=product(
            op=("testp",),
            kind=("finite", "infinite", "number", "notanumber", "normal", "subnormal"),
            type=("f32", "f64"),
        ),
        operands=precise.test_operands,
        inputs=precise.any_inputs,
        oracle=precise.tested,
        fields=lambda params: {"predicates": ("p",), "after": ""},
    ),
    gross(
        form="rcp_gross",
        opcode="rcp.approx.ftz.f64",
        rows=product(op=("rcp",), type=("f64",)),
        claim=lambda params: since("sm_20", ptx="2.1", section="9.7.3.14"),
        native=lambda params: ("MUFU.RCP64H",),
    ),
    gross(
        form="rsqrt_gross",
        opcode="rsqrt.approx.ftz.f64",
        rows=product(op=("rsqrt",), type=("f64",)),
        claim=lambda params: since("sm_20", ptx="4.0", section="9.7.3.17"),
        native=lambda params: ("MUFU.RSQ64H",),
        operands=lambda params: precise.operands({**params, "op": "rcp"}),
    ),
    gross(
        form="rsqrt",
        opcode="rsqrt.approx.f64",
        rows=product(op=("rsqrt",), type=("f64",)),
        claim=lambda params: since("sm_13", ptx="1.4", section="9.7.3.16"),
        native=lambda params: NONE,
        operands=lambda params: precise.operands({**params, "op": "rcp"}),
        unlaunched="the manual states no error for rsqrt.approx.f64",
    ),
)
