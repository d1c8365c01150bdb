"""f16 and bf16 arithmetic, scalar and packed by two. PTX ISA 9.3, 9.7.4."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, approximate, elementwise, floats, product, since
from suite.probe import Params

F16, BF16 = ("f16", "f16x2"), ("bf16", "bf16x2")
NO_YES = ("no", "yes")

# Section, then target and PTX version by element. Source: PTX ISA 9.3, Target ISA Notes and PTX ISA Notes.
NOTES = {
    # op    section    f16             bf16
    "add": ("9.7.4.1", ("sm_53", "4.2"), ("sm_90", "7.8")),
    "sub": ("9.7.4.2", ("sm_53", "4.2"), ("sm_90", "7.8")),
    "mul": ("9.7.4.3", ("sm_53", "4.2"), ("sm_90", "7.8")),
    "fma": ("9.7.4.4", ("sm_53", "4.2"), ("sm_80", "7.0")),
    "neg": ("9.7.4.5", ("sm_53", "6.0"), ("sm_80", "7.0")),
    "abs": ("9.7.4.6", ("sm_53", "6.5"), ("sm_80", "7.0")),
    "min": ("9.7.4.7", ("sm_80", "7.0"), ("sm_80", "7.0")),
    "max": ("9.7.4.8", ("sm_80", "7.0"), ("sm_80", "7.0")),
    "tanh": ("9.7.4.9", ("sm_75", "7.0"), ("sm_90", "7.8")),
    "ex2": ("9.7.4.10", ("sm_75", "7.0"), ("sm_90", "7.8")),
}

# Modifiers that need more than their instruction. Source: 9.7.4.4, 9.7.4.7 and 9.7.4.8.
MODIFIERS = {"relu": ("sm_80", "7.0"), "oob": ("sm_90", "8.1"), "xorsign_abs": ("sm_86", "7.2")}


def stated(params: Params) -> Claim:
    """Return what the notes say of the instruction, its type and its modifiers: the latest of each."""
    section, f16, bf16 = NOTES[params["op"]]
    needs = [bf16 if params["type"].startswith("bf16") else f16]
    needs += [need for name, need in MODIFIERS.items() if floats.is_on(params, name)]
    target = max((target for target, _ in needs), key=lambda name: int(name[3:]))
    version = max((ptx for _, ptx in needs), key=lambda text: tuple(map(int, text.split("."))))
    return since(target, ptx=version, section=section)


# The unit's opcodes by instruction. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 80, 90, 100, 120.
UNITS = {
    "add": ("HADD2", "HFMA2"),
    "sub": ("HADD2", "HFMA2"),
    "mul": ("HMUL2", "HFMA2"),
    "fma": ("HFMA2",),
    "neg": ("HADD2", "HFMA2"),
    "abs": ("HADD2", "HFMA2"),
    "min": ("HMNMX2",),
    "max": ("HMNMX2",),
}
TOKENS = {"ftz": ".FTZ", "sat": ".SAT", "relu": ".RELU", "NaN": ".NAN", "xorsign_abs": ".XORSIGN", "oob": ".OOB"}


def sass(params: Params) -> tuple[str, ...]:
    """Return the unit's opcodes with the case's modifiers."""
    tokens = "".join(token for name, token in TOKENS.items() if floats.is_on(params, name))
    element = ".BF16_V2" if params["type"].startswith("bf16") else ""
    return tuple(f"{unit}{element}{tokens}" for unit in UNITS[params["op"]])


binary = partial(
    Probe,
    arguments="d, a, b",
    claim=stated,
    template="elementwise.ptx.j2",
    native=sass,
    operands=floats.operands,
    inputs=floats.inputs,
    oracle=floats.oracle,
    launch=lambda params: elementwise.launch(floats.threads(params)),
)
fused = partial(binary, arguments="d, a, b, c")
unary = partial(binary, arguments="d, a")
bounded = partial(
    Probe,
    arguments="d, a",
    template="approximate.ptx.j2",
    native=lambda params: (f"MUFU.{params['op'].upper()}.{elementwise.TYPES[params['type']].fmt.upper()}",),
    operands=approximate.operands,
    inputs=approximate.inputs,
    oracle=approximate.oracle,
    launch=lambda params: elementwise.launch(approximate.threads(params)),
    fields=approximate.fields,
)

PROBES = (
    binary(
        form="arithmetic",
        opcode="{op}{round}{ftz_}{sat_}.{type}",
        rows=product(op=("add", "sub", "mul"), type=F16, rnd=("default", "rn"), ftz=NO_YES, sat=NO_YES),
        fields=floats.modifiers("ftz", "sat"),
    ),
    binary(
        form="bf16",
        opcode="{op}{round}.{type}",
        rows=product(op=("add", "sub", "mul"), type=BF16, rnd=("default", "rn")),
        fields=floats.modifiers(),
    ),
    fused(
        form="fma",
        opcode="fma.rn{ftz_}{sat_}.{type}",
        rows=product(op=("fma",), type=F16, ftz=NO_YES, sat=NO_YES),
        fields=floats.modifiers("ftz", "sat"),
    ),
    fused(
        form="fma_relu",
        opcode="fma.rn{ftz_}{relu_}.{type}",
        rows=product(op=("fma",), type=F16, ftz=NO_YES, relu=("yes",)),
        fields=floats.modifiers("ftz", "relu"),
    ),
    fused(
        form="fma_bf16",
        opcode="fma.rn{relu_}.{type}",
        rows=product(op=("fma",), type=BF16, relu=NO_YES),
        fields=floats.modifiers("relu"),
    ),
    fused(
        form="fma_oob",
        opcode="fma.rn{oob_}{relu_}.{type}",
        rows=product(op=("fma",), type=F16 + BF16, oob=("yes",), relu=NO_YES),
        fields=floats.modifiers("oob", "relu"),
    ),
    unary(
        form="sign",
        opcode="{op}{ftz_}.{type}",
        rows=product(op=("neg", "abs"), type=F16, ftz=NO_YES) + product(op=("neg", "abs"), type=BF16, ftz=("no",)),
        fields=floats.modifiers("ftz"),
    ),
    binary(
        form="extreme",
        opcode="{op}{ftz_}{NaN_}{xorsign_abs_}.{type}",
        rows=product(op=("min", "max"), type=F16, ftz=NO_YES, NaN=NO_YES, xorsign_abs=NO_YES)
        + product(op=("min", "max"), type=BF16, ftz=("no",), NaN=NO_YES, xorsign_abs=NO_YES),
        fields=floats.modifiers("ftz", "NaN", "xorsign_abs"),
    ),
    bounded(
        form="tanh",
        opcode="tanh.approx.{type}",
        rows=product(op=("tanh",), type=F16 + BF16, ftz=("no",)),
        claim=stated,
    ),
    bounded(
        form="ex2",
        opcode="ex2.approx{ftz_}.{type}",
        rows=product(op=("ex2",), type=F16, ftz=("no",)) + product(op=("ex2",), type=BF16, ftz=("yes",)),
        claim=stated,
    ),
)
