"""Approximations of f32 with a stated error: quotients, roots, sines and logarithms. PTX ISA 9.3, 9.7.3."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, approximate, elementwise, product, since
from suite.opcodes import NONE
from suite.probe import Params

NO_YES = ("no", "yes")

# Section of each instruction, all of which had their modifiers in PTX ISA 1.4 on every target. Source: their notes.
SECTIONS = {
    "div_approx": "9.7.3.8",
    "div_full": "9.7.3.8",
    "rcp": "9.7.3.13",
    "sqrt": "9.7.3.15",
    "rsqrt": "9.7.3.16",
    "sin": "9.7.3.18",
    "cos": "9.7.3.19",
    "lg2": "9.7.3.20",
}

# A quotient is a product with a reciprocal; an angle is scaled before it comes to the unit. Source: nvdisasm 13.5.37 of
# the armed kernels for sm_75, 90a and 121a.
UNITS = {"rcp": "RCP", "sqrt": "SQRT", "rsqrt": "RSQ", "sin": "SIN", "cos": "COS", "lg2": "LG2"}


def stated(params: Params) -> Claim:
    """Return what the notes say of the instruction."""
    return since("sm_10", ptx="1.4", section=SECTIONS[params["op"]])


def sass(params: Params) -> tuple[str, ...]:
    """Return the special function's opcode, none of quotients."""
    return (f"MUFU.{UNITS[params['op']]}",) if params["op"] in UNITS else NONE


bounded = partial(
    Probe,
    claim=stated,
    template="approximate.ptx.j2",
    native=sass,
    operands=approximate.operands,
    inputs=approximate.inputs,
    oracle=approximate.oracle,
    launch=lambda params: elementwise.launch(approximate.threads(params)),
    fields=approximate.fields,
)

PROBES = (
    bounded(
        form="one",
        opcode="{op}.approx{ftz_}.{type}",
        arguments="d, a",
        rows=product(op=tuple(UNITS), type=("f32",), ftz=NO_YES),
    ),
    bounded(
        form="quotient",
        opcode="div.approx{ftz_}.{type}",
        arguments="d, a, b",
        rows=product(op=("div_approx",), type=("f32",), ftz=NO_YES),
    ),
    bounded(
        form="quotient_full",
        opcode="div.full{ftz_}.{type}",
        arguments="d, a, b",
        rows=product(op=("div_full",), type=("f32",), ftz=NO_YES),
    ),
)
