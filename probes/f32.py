"""f32 arithmetic: scalar, packed by two, mixed with f16 and bf16, and three-input minima. PTX ISA 9.3, 9.7.3, 9.7.5."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, approximate, elementwise, family, floats, product, since
from suite.probe import Params

NO_YES = ("no", "yes")
ROUNDS = ("default", "rn", "rz", "rm", "rp")
SECTIONS = {
    # op   plain       mixed
    "add": ("9.7.3.3", "9.7.5.1"),
    "sub": ("9.7.3.4", "9.7.5.2"),
    "mul": ("9.7.3.5", ""),
    "fma": ("9.7.3.6", "9.7.5.3"),
    "min": ("9.7.3.11", ""),
    "max": ("9.7.3.12", ""),
}


def scalar(params: Params) -> Claim:
    """Return the claim of an f32 form; fma came later than the rest, both before any target kept."""
    ptx = "2.0" if params["op"] == "fma" else "1.0"
    return since("sm_20", ptx=ptx, section=SECTIONS[params["op"]][0])


def pair(params: Params) -> Claim:
    """Return the claim of an .f32x2 form. Source: 9.7.3.3 to 9.7.3.6."""
    return since("sm_100", ptx="8.6", section=SECTIONS[params["op"]][0])


def mixed(params: Params) -> Claim:
    """Return the claim of .f32 with an f16 or bf16 operand. Source: 9.7.5.1 to 9.7.5.3."""
    return since("sm_100", ptx="8.6", section=SECTIONS[params["op"]][1])


def mixed_pair(params: Params) -> Claim:
    """Return the claim of the packed mixed forms. Source: PTX ISA 9.4, 9.7.5.1 to 9.7.5.3."""
    return family("sm_107f", ptx="9.4", section=SECTIONS[params["op"]][1])


def extreme(params: Params) -> Claim:
    """Return the claim of min and max. Source: 9.7.3.11 and 9.7.3.12."""
    section = SECTIONS[params["op"]][0]
    if params.get("inputs") == 3:
        return since("sm_100", ptx="8.8", section=section)
    if floats.is_on(params, "xorsign_abs"):
        return since("sm_86", ptx="7.2", section=section)
    if floats.is_on(params, "NaN"):
        return since("sm_80", ptx="7.0", section=section)
    return since("sm_10", ptx="1.0", section=section)


# The unit's opcodes by instruction. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 90, 100a, 107a and 120a.
UNITS = {"add": "FADD", "sub": "FADD", "mul": "FMUL", "fma": "FFMA", "min": "FMNMX", "max": "FMNMX"}
TOKENS = {"ftz": ".FTZ", "sat": ".SAT", "NaN": ".NAN", "xorsign_abs": ".XORSIGN"}
DIRECTIONS = {"rz": ".RZ", "rm": ".RM", "rp": ".RP"}


def sass(unit: str, params: Params) -> tuple[str, ...]:
    """Return the unit's opcode, `unit` after its name, with the case's rounding and modifiers."""
    tokens = "".join(token for name, token in TOKENS.items() if floats.is_on(params, name))
    return (f"{UNITS[params['op']]}{unit}{DIRECTIONS.get(params.get('rnd', ''), '')}{tokens}",)


MIXED_UNITS = {"add": "FHADD", "sub": "FHADD", "fma": "FHFMA"}
MIXED_TYPES = {"bf16": ".BF16", "f16x2": "2.F32x2.F16x2", "bf16x2": "2.F32x2.BF16x2"}


def mixed_sass(params: Params) -> tuple[str, ...]:
    """Return the mixed unit's opcode; its packed forms name the type of every operand."""
    result = {"f16x2": ".F16x2", "bf16x2": ".BF16x2"}.get(params["type"], "")
    types = MIXED_TYPES.get(params["narrow"], "") if not result else f"2{result}.F32x2.F32x2"
    tokens = DIRECTIONS.get(params.get("rnd", ""), "") + (".SAT" if floats.is_on(params, "sat") else "")
    return (f"{MIXED_UNITS[params['op']]}{types}{tokens}",)


elementary = partial(
    Probe,
    template="elementwise.ptx.j2",
    operands=floats.operands,
    inputs=floats.inputs,
    oracle=floats.oracle,
    launch=lambda params: elementwise.launch(floats.threads(params)),
)
binary = partial(elementary, arguments="d, a, b")
ternary = partial(elementary, arguments="d, a, b, c")
bounded = partial(
    Probe,
    arguments="d, a",
    template="approximate.ptx.j2",
    native=lambda params: (f"MUFU.{params['op'].upper()}",),
    operands=approximate.operands,
    inputs=approximate.inputs,
    oracle=approximate.oracle,
    launch=lambda params: elementwise.launch(approximate.threads(params)),
    fields=approximate.fields,
)
ADD_SUB, ARITHMETIC, DIRECTED = ("add", "sub"), ("add", "sub", "mul"), ("rn", "rz", "rm", "rp")
HALF, HALVES = ("f16", "bf16"), ("f16x2", "bf16x2")

PROBES = (
    binary(
        form="scalar",
        opcode="{op}{round}{ftz_}{sat_}.{type}",
        rows=product(op=ARITHMETIC, type=("f32",), rnd=ROUNDS, ftz=NO_YES, sat=NO_YES),
        claim=scalar,
        native=partial(sass, ""),
        fields=floats.modifiers("ftz", "sat"),
    ),
    ternary(
        form="fma",
        opcode="{op}{round}{ftz_}{sat_}.{type}",
        rows=product(op=("fma",), type=("f32",), rnd=DIRECTED, ftz=NO_YES, sat=NO_YES),
        claim=scalar,
        native=partial(sass, ""),
        fields=floats.modifiers("ftz", "sat"),
    ),
    binary(
        form="pair",
        opcode="{op}{round}{ftz_}.{type}",
        rows=product(op=ARITHMETIC, type=("f32x2",), rnd=ROUNDS, ftz=NO_YES),
        claim=pair,
        native=partial(sass, "2"),
        fields=floats.modifiers("ftz"),
    ),
    ternary(
        form="fma_pair",
        opcode="{op}{round}{ftz_}.{type}",
        rows=product(op=("fma",), type=("f32x2",), rnd=DIRECTED, ftz=NO_YES),
        claim=pair,
        native=partial(sass, "2"),
        fields=floats.modifiers("ftz"),
    ),
    binary(
        form="mixed",
        opcode="{op}{round}{sat_}.{type}.{narrow}",
        rows=product(op=ADD_SUB, type=("f32",), narrow=HALF, rnd=ROUNDS, sat=NO_YES),
        claim=mixed,
        native=mixed_sass,
        fields=floats.modifiers("sat"),
    ),
    ternary(
        form="fma_mixed",
        opcode="{op}{round}{sat_}.{type}.{narrow}",
        rows=product(op=("fma",), type=("f32",), narrow=HALF, rnd=DIRECTED, sat=NO_YES),
        claim=mixed,
        native=mixed_sass,
        fields=floats.modifiers("sat"),
    ),
    binary(
        form="mixed_pair",
        opcode="{op}{round}.{type}.{narrow}.{wide}",
        rows=product(op=ADD_SUB, type=("f32x2",), narrow=HALVES, wide=("f32x2",), rnd=ROUNDS),
        claim=mixed_pair,
        native=mixed_sass,
        fields=floats.modifiers(),
    ),
    ternary(
        form="fma_mixed_pair",
        opcode="{op}{round}.{type}.{narrow}.{middle}.{wide}",
        rows=product(op=("fma",), type=("f32x2",), narrow=HALVES, middle=("f32x2",), wide=("f32x2",), rnd=DIRECTED),
        claim=mixed_pair,
        native=mixed_sass,
        fields=floats.modifiers(),
        unlaunched="the manual's syntax makes b an .f32x2, its semantics an .f16x2",
    ),
    binary(
        form="narrowing_pair",
        opcode="{op}{round}{ftz_}.{type}.{narrow}.{wide}",
        rows=tuple(
            dict(op=op, type=kind, narrow="f32x2", wide="f32x2", rnd="rz", ftz="yes" if kind == "f16x2" else "no")
            for op in ADD_SUB
            for kind in HALVES
        ),
        claim=mixed_pair,
        native=mixed_sass,
        fields=floats.modifiers("ftz"),
        unlaunched="the manual does not say whether the f32 sum is rounded before it is converted",
    ),
    binary(
        form="extreme",
        opcode="{op}{ftz_}{NaN_}{xorsign_abs_}.{type}",
        rows=product(op=("min", "max"), type=("f32",), ftz=NO_YES, NaN=NO_YES, xorsign_abs=NO_YES),
        claim=extreme,
        native=partial(sass, ""),
        fields=floats.modifiers("ftz", "NaN", "xorsign_abs"),
    ),
    ternary(
        form="extreme3",
        opcode="{op}{ftz_}{NaN_}{abs_}.{type}",
        rows=product(op=("min", "max"), inputs=(3,), type=("f32",), ftz=NO_YES, NaN=NO_YES, abs=NO_YES),
        claim=extreme,
        native=partial(sass, "3"),
        fields=floats.modifiers("ftz", "NaN", "abs"),
    ),
    bounded(
        form="tanh",
        opcode="tanh.approx.{type}",
        rows=product(op=("tanh",), type=("f32",), ftz=("no",)),
        claim=lambda params: since("sm_75", ptx="7.0", section="9.7.3.22"),
    ),
    bounded(
        form="ex2",
        opcode="ex2.approx{ftz_}.{type}",
        rows=product(op=("ex2",), type=("f32",), ftz=NO_YES),
        claim=lambda params: since("sm_10", ptx="1.4", section="9.7.3.21"),
    ),
)
