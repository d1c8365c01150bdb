"""Additions, subtractions and products of many words: what is carried in and out by CC.CF. PTX ISA 9.3, 9.7.2."""

from __future__ import annotations

from suite import Claim, Probe, carry, elementwise, product, since
from suite.opcodes import NONE
from suite.probe import Params

# Section, and PTX version of 32 and of 64 bits. Source: the notes of each section.
NOTES = {
    "add.cc": ("9.7.2.1", "1.2", "4.3"),
    "addc": ("9.7.2.2", "1.2", "4.3"),
    "sub.cc": ("9.7.2.3", "1.2", "4.3"),
    "subc": ("9.7.2.4", "1.2", "4.3"),
    "mad.cc": ("9.7.2.5", "3.0", "4.3"),
    "madc": ("9.7.2.6", "3.0", "4.3"),
}


def stated(params: Params) -> Claim:
    """Return what the notes say of the instruction's width; mad.cc and madc have needed sm_20 from the first."""
    names = [params["op"] + params["cc"].replace("yes", ".cc").replace("no", ""), params["op"]]
    section, short, long = next(NOTES[name] for name in names if name in NOTES)
    wide = params["type"].endswith("64")
    target = "sm_20" if wide or params["op"].startswith("mad") else "sm_10"
    return since(target, ptx=long if wide else short, section=section)


# A carry is a predicate of the adders, which on sm_107 and later take 64 bits; before, and for products, several
# instructions do it. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 90a, 107a and 121a.
ADDERS = ("IADD3", "IADD", "IADD3.X", "IADD.X", "IMAD.X", "IMAD.IADD", "VIADD")


def sass(params: Params) -> tuple[str, ...]:
    """Return the adders of the width."""
    if params["op"].startswith("mad"):
        return NONE
    return ("IADD.64",) if params["type"].endswith("64") else ADDERS


TYPES = ("u32", "s32", "u64", "s64")

PROBES = tuple(
    Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=rows,
        claim=stated,
        template="carry.ptx.j2",
        native=sass,
        operands=carry.operands,
        inputs=carry.inputs,
        oracle=carry.oracle,
        launch=lambda params: elementwise.launch(carry.THREADS),
        fields=carry.fields,
    )
    for form, opcode, arguments, rows in (
        (
            "sum",
            "{op}{cc_}.{type}",
            "d, a, b",
            product(op=("add", "sub"), cc=("yes",), type=TYPES)
            + product(op=("addc", "subc"), cc=("no", "yes"), type=TYPES),
        ),
        (
            "product",
            "{op}.{part}{cc_}.{type}",
            "d, a, b, c",
            product(op=("mad",), part=("hi", "lo"), cc=("yes",), type=TYPES)
            + product(op=("madc",), part=("hi", "lo"), cc=("no", "yes"), type=TYPES),
        ),
    )
)
