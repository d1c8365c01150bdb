"""Integer, bit-field and byte instructions. PTX ISA 9.3, 9.7.1, 9.7.8 and 9.7.9.7."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, elementwise, family, integers, product, since
from suite.opcodes import NONE
from suite.probe import Params

NO_YES = ("no", "yes")
U, S, B = ("u16", "u32", "u64"), ("s16", "s32", "s64"), ("b16", "b32", "b64")
X2, X4 = ("u16x2", "s16x2"), ("u8x4", "s8x4")
SIGNED_X = ("s16x2", "s8x4")

# Section, first target and PTX version of each instruction's oldest form. Source: the notes of each section.
NOTES = {
    "add": ("9.7.1.1", "sm_10", "1.0"),
    "sub": ("9.7.1.2", "sm_10", "1.0"),
    "mul": ("9.7.1.3", "sm_10", "1.0"),
    "mad": ("9.7.1.4", "sm_10", "1.0"),
    "clmad": ("9.7.1.5", "sm_80", "9.3"),
    "mul24": ("9.7.1.6", "sm_10", "1.0"),
    "mad24": ("9.7.1.7", "sm_10", "1.0"),
    "sad": ("9.7.1.8", "sm_10", "1.0"),
    "div": ("9.7.1.9", "sm_10", "1.0"),
    "rem": ("9.7.1.10", "sm_10", "1.0"),
    "abs": ("9.7.1.11", "sm_10", "1.0"),
    "neg": ("9.7.1.12", "sm_10", "1.0"),
    "min": ("9.7.1.13", "sm_10", "1.0"),
    "max": ("9.7.1.14", "sm_10", "1.0"),
    "popc": ("9.7.1.15", "sm_20", "2.0"),
    "clz": ("9.7.1.16", "sm_20", "2.0"),
    "bfind": ("9.7.1.17", "sm_20", "2.0"),
    "fns": ("9.7.1.18", "sm_30", "6.0"),
    "brev": ("9.7.1.19", "sm_20", "2.0"),
    "bfe": ("9.7.1.20", "sm_20", "2.0"),
    "bfi": ("9.7.1.21", "sm_20", "2.0"),
    "szext": ("9.7.1.22", "sm_70", "7.6"),
    "bmsk": ("9.7.1.23", "sm_70", "7.6"),
    "dp4a": ("9.7.1.24", "sm_61", "5.0"),
    "dp2a": ("9.7.1.25", "sm_61", "5.0"),
    "and": ("9.7.8.1", "sm_10", "1.0"),
    "or": ("9.7.8.2", "sm_10", "1.0"),
    "xor": ("9.7.8.3", "sm_10", "1.0"),
    "not": ("9.7.8.4", "sm_10", "1.0"),
    "cnot": ("9.7.8.5", "sm_10", "1.0"),
    "lop3": ("9.7.8.6", "sm_50", "4.3"),
    "shf": ("9.7.8.7", "sm_32", "3.1"),
    "shl": ("9.7.8.8", "sm_10", "1.0"),
    "shr": ("9.7.8.9", "sm_10", "1.0"),
    "prmt": ("9.7.9.7", "sm_20", "2.0"),
}


def stated(params: Params) -> Claim:
    """Return the claim of an instruction's oldest form."""
    section, target, ptx = NOTES[params["op"]]
    return since(target, ptx=ptx, section=section)


def packed(params: Params) -> Claim:
    """Return the claim of packed and .relu forms: pairs since sm_90, four bytes and clamped sums by family."""
    section = NOTES[params["op"]][0]
    if params["type"] in (*X2, "s32") and params.get("sat", "no") == "no":
        return since("sm_90", ptx="8.0", section=section)
    return of_families(params)


def of_families(params: Params) -> Claim:
    """Return the claim of what PTX ISA 9.2 brought to sm_120f; sums and differences came to sm_107f too."""
    section = NOTES[params["op"]][0]
    names = ("sm_107f", "sm_120f") if params["op"] in ("add", "sub") else ("sm_120f",)
    return family(*names, ptx="9.2", section=section)


# The units' opcodes by instruction; {A}, {B}, {MODE}, {SIDE} and {W} stand for the case's types and modes. What is not
# here is nowhere an opcode: bfe, bfi, cnot, div, fns, mad24, mul24 and rem are emulated on every target kept. A form of
# 64 bits is native only where the opcode says so. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 80, 89, 90a,
# 100a, 107a and 121a.
UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("add", "sub"), ("IADD3", "IADD", "IMAD.IADD", "VIADD")),
    "neg": ("IADD3", "IADD", "IMAD.MOV", "VIADD"),
    **dict.fromkeys(("min", "max"), ("IMNMX", "VIMNMX")),
    **dict.fromkeys(("and", "or", "xor", "not", "lop3"), ("LOP3.LUT",)),
    **dict.fromkeys(("clz", "bfind"), ("FLO",)),
    "abs": ("IABS",),
    "popc": ("POPC",),
    "brev": ("BREV",),
    "prmt": ("PRMT",),
    "shl": ("SHF.L", "IMAD.SHL"),
    "shr": ("SHF.R",),
    "shf": ("SHF.{SIDE}{W}",),
    "szext": ("SGXT{W}",),
    "bmsk": ("BMSK{W}",),
    "clmad": ("CLMAD.{MODE}",),
    "dp4a": ("IDP.4A.{A}8.{B}8",),
    "dp2a": ("IDP.2A.{MODE}.{A}16.{B}8",),
    "sad": ("VABSDIFF",),
}
PRODUCTS = {"lo": "IMAD", "hi": "IMAD.HI", "wide": "IMAD.WIDE"}


def sass(params: Params) -> tuple[str, ...]:
    """Return the units' opcodes with the case's types, .RELU and saturation."""
    kind, mode = params["type"], params.get("mode", "")
    names = (PRODUCTS[mode],) if params["op"] in ("mul", "mad") else UNITS.get(params["op"], NONE)
    tokens = ".RELU" if params.get("relu") == "yes" else ""
    tokens += ".ISAT" if params.get("sat") == "yes" else ""
    if kind in X2 + X4:
        tokens += _lanes(params)
    values = {
        "A": params.get("a", "")[:1].upper(),
        "B": params.get("b", "")[:1].upper(),
        "MODE": mode.upper(),
        "SIDE": params.get("side", "").upper(),
        "W": ".W" if mode == "wrap" else "",
    }
    spelled = tuple(name.format(**values) + tokens for name in names)
    if kind.endswith("64") and params["op"] != "clmad":
        return tuple(f"{name}.{width}" for name in spelled for width in ("64", "U64", "S64"))
    return spelled


def _lanes(params: Params) -> str:
    """Return a packed type as SASS writes it: `.S8x4`; a sum of pairs has no sign unless it is clamped."""
    kind = params["type"]
    unsigned_sum = params["op"] == "add" and kind in X2 and (kind == "u16x2" or params["sat"] == "no")
    return ".16x2" if unsigned_sum else f".{kind[0].upper()}{kind[1:]}"


instruction = partial(
    Probe,
    arguments="{inputs_}",
    claim=stated,
    template="elementwise.ptx.j2",
    native=sass,
    operands=integers.operands,
    inputs=integers.inputs,
    oracle=integers.oracle,
    launch=lambda params: elementwise.launch(integers.THREADS),
    fields=integers.fields,
)

PROBES = (
    instruction(
        form="plain",
        opcode="{op}.{type}",
        rows=product(op=("add", "sub", "min", "max", "div", "rem"), type=U + S)
        + product(op=("sad",), type=U + S)
        + product(op=("abs", "neg"), type=S)
        + product(op=("and", "or", "xor", "not", "cnot", "shl"), type=B)
        + product(op=("shr",), type=B + U + S)
        + product(op=("popc", "clz", "brev"), type=("b32", "b64"))
        + product(op=("bfe",), type=("u32", "u64", "s32", "s64"))
        + product(op=("bfi",), type=("b32", "b64"))
        + product(op=("fns",), type=("b32",)),
    ),
    instruction(form="sat", opcode="{op}.sat.{type}", rows=product(op=("add", "sub"), type=("s32",), sat=("yes",))),
    instruction(
        form="sat_u32",
        opcode="{op}.sat.{type}",
        rows=product(op=("add",), type=("u32",), sat=("yes",)),
        claim=of_families,
    ),
    instruction(
        form="part",
        opcode="{op}{mode_}{sat_}.{type}",
        rows=product(op=("mul", "mad"), mode=("hi", "lo"), type=U + S, sat=("no",))
        + product(op=("mul24", "mad24"), mode=("hi", "lo"), type=("u32", "s32"), sat=("no",))
        + product(op=("mad", "mad24"), mode=("hi",), type=("s32",), sat=("yes",))
        + product(op=("clmad",), mode=("hi", "lo"), type=("u64",), sat=("no",)),
    ),
    instruction(
        form="wide",
        opcode="{op}{mode_}.{type}",
        rows=product(op=("mul", "mad"), mode=("wide",), type=("u16", "u32", "s16", "s32")),
    ),
    instruction(
        form="mode",
        opcode="{op}{mode_}.{type}",
        rows=product(op=("bfind",), mode=("default", "shiftamt"), type=("u32", "u64", "s32", "s64"))
        + product(op=("szext",), mode=("clamp", "wrap"), type=("u32", "s32"))
        + product(op=("bmsk",), mode=("clamp", "wrap"), type=("b32",)),
    ),
    instruction(
        form="prmt",
        opcode="{op}.{type}{mode_}",
        rows=product(op=("prmt",), mode=("default", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16"), type=("b32",)),
    ),
    instruction(
        form="shf",
        opcode="{op}.{side}{mode_}.{type}",
        rows=product(op=("shf",), side=("l", "r"), mode=("clamp", "wrap"), type=("b32",)),
    ),
    instruction(
        form="dp4a",
        opcode="{op}.{a}.{b}",
        rows=tuple(
            dict(op="dp4a", a=a, b=b, type="u32" if a == b == "u32" else "s32")
            for a in ("u32", "s32")
            for b in ("u32", "s32")
        ),
    ),
    instruction(
        form="dp2a",
        opcode="{op}{mode_}.{a}.{b}",
        rows=tuple(
            dict(op="dp2a", mode=mode, a=a, b=b, type="u32" if a == b == "u32" else "s32")
            for mode in ("lo", "hi")
            for a in ("u32", "s32")
            for b in ("u32", "s32")
        ),
    ),
    instruction(
        form="lop3",
        opcode="{op}.{type}",
        arguments="d, a, b, c, {lut}",
        rows=product(op=("lop3",), type=("b32",), lut=(0x1A, 0x40, 0x80, 0x96, 0xE8, 0xFE)),
    ),
    instruction(
        form="packed",
        opcode="{op}{sat_}.{type}",
        rows=product(op=("add",), type=X2 + X4, sat=NO_YES) + product(op=("sub",), type=X4, sat=NO_YES),
        claim=packed,
    ),
    instruction(
        form="packed_extreme",
        opcode="{op}{relu_}.{type}",
        rows=product(op=("min", "max"), type=X2 + X4, relu=("no",))
        + product(op=("min", "max"), type=(*SIGNED_X, "s32"), relu=("yes",)),
        claim=packed,
    ),
    instruction(form="packed_neg", opcode="{op}.{type}", rows=product(op=("neg",), type=("s8x4",)), claim=of_families),
)
