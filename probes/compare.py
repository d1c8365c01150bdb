"""Comparisons and selections: set, setp, selp and slct, of every type. PTX ISA 9.3, 9.7.6 and 9.7.7; 9.4, 9.7.7."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, compare, elementwise, family, product, since
from suite.compare import FLOATING, THREADS, comparisons
from suite.opcodes import NONE
from suite.probe import Params

SET, SETP, SELP, SLCT = "9.7.6.1", "9.7.6.2", "9.7.6.3", "9.7.6.4"
SET_HALF, SETP_HALF = "9.7.7.1", "9.7.7.2"
BITS, UNSIGNED, SIGNED = ("b16", "b32", "b64"), ("u16", "u32", "u64"), ("s16", "s32", "s64")
INTEGERS = BITS + UNSIGNED + SIGNED
WIDE = (*INTEGERS, "f32", "f64")
F16, BF16 = ("f16", "f16x2"), ("bf16", "bf16x2")
FLUSHED = ("f32", "f16", "f16x2")
NO_YES = ("no", "yes")
BOOLEANS = ("and", "or", "xor")


def wide(section: str, params: Params) -> Claim:
    """Return the claim of a form without halves: f64 came later than the rest."""
    target = "sm_13" if "f64" in (params["type"], params.get("dtype")) else "sm_10"
    return since(target, ptx="1.0", section=section)


def halves(section: str, params: Params) -> Claim:
    """Return the claim of a form with halves. Source: 9.7.7.1 and 9.7.7.2."""
    kinds = (params["type"], params.get("dtype", params["type"]))
    if any(kind in BF16 for kind in kinds):
        return since("sm_90", ptx="7.8", section=section)
    into_integers = params["type"] in F16 and kinds[1] not in F16
    return since("sm_53", ptx="6.5" if into_integers else "4.2", section=section)


# The units by what they compare, the rest of an opcode by what it writes. Integers give a word on sm_107 alone; set of
# integers and f64 is a comparison and a selection elsewhere. Source: nvdisasm 13.5.37 of the armed kernels for sm_75,
# 80, 89, 90a, 100a, 107a and 121a.
SETP_UNITS = {"f32": "FSETP", "f64": "DSETP", **dict.fromkeys(F16, "HSETP2"), **dict.fromkeys(BF16, "HSETP2.BF16_V2")}
SET_UNITS = {"f32": "FSET", **dict.fromkeys(F16, "HSET2"), **dict.fromkeys(BF16, "HSET2.BF16_V2")}


def tokens(params: Params) -> str:
    """Return the modifiers that a comparison's opcode must have."""
    return (".FTZ" if params.get("ftz") == "yes" else "") + f".{params.get('bool', 'and').upper()}"


def setp_sass(params: Params) -> tuple[str, ...]:
    """Return the unit that compares into predicates; of integers of 64 bits, the one that takes them whole."""
    unit = SETP_UNITS.get(params["type"], "ISETP")
    if params["type"].endswith("64") and unit == "ISETP":
        return tuple(f"{unit}.{width}{tokens(params)}" for width in ("U64", "S64"))
    return (unit + tokens(params),)


def set_sass(params: Params) -> tuple[str, ...]:
    """Return the unit that compares into a register, 1.0 or all ones; none where there is none."""
    if params["type"] in INTEGERS and params["dtype"] in ("u32", "s32") and not params["type"].endswith("64"):
        return ("VISET.BM",)
    unit, one = SET_UNITS.get(params["type"]), ".BF" if params["dtype"] in compare.FLOATS else ""
    return (unit + one + tokens(params),) if unit else NONE


def all_comparisons(types: tuple[str, ...], **columns: tuple[str, ...]) -> tuple[Params, ...]:
    """Return every comparison of each type, with and without .ftz where it has it."""
    return tuple(
        row
        for kind in types
        for row in product(type=(kind,), cmp=comparisons(kind), ftz=NO_YES if kind in FLUSHED else ("no",), **columns)
    )


comparison = partial(
    Probe,
    template="elementwise.ptx.j2",
    inputs=compare.inputs,
    launch=lambda params: elementwise.launch(THREADS),
    fields=compare.fields,
)
setp = partial(
    comparison,
    opcode="setp.{cmp}{bool_}{ftz_}.{type}",
    arguments="{p_}, a, b{c_}",
    native=setp_sass,
    operands=compare.setp_operands,
    oracle=compare.setp_oracle,
)
set_ = partial(
    comparison,
    opcode="set.{cmp}{bool_}{ftz_}.{dtype}.{type}",
    arguments="d, a, b{c_}",
    native=set_sass,
    operands=compare.set_operands,
    oracle=compare.set_oracle,
)
selection = partial(
    comparison,
    operands=compare.select_operands,
    oracle=compare.select_oracle,
)
SOME_BOOLEANS = {"bool": BOOLEANS, "negate": NO_YES}

PROBES = (
    setp(form="setp", rows=all_comparisons(WIDE, pair=("no",)), claim=partial(wide, SETP)),
    setp(
        form="setp_pair",
        rows=product(type=INTEGERS, cmp=("eq", "ne"), ftz=("no",), pair=("yes",))
        + product(type=("f32",), cmp=("ge", "neu"), ftz=NO_YES, pair=("yes",))
        + product(type=("f64",), cmp=("ge", "neu"), ftz=("no",), pair=("yes",)),
        claim=partial(wide, SETP),
    ),
    setp(
        form="setp_bool",
        rows=product(type=("b16", "u32", "s64", "f32", "f64"), cmp=("ne",), ftz=("no",), pair=NO_YES, **SOME_BOOLEANS)
        + product(type=("f32",), cmp=("ltu",), ftz=("yes",), pair=NO_YES, **SOME_BOOLEANS),
        claim=partial(wide, SETP),
    ),
    setp(form="setp_half", rows=all_comparisons(("f16", "bf16"), pair=("no",)), claim=partial(halves, SETP_HALF)),
    setp(
        form="setp_halves", rows=all_comparisons(("f16x2", "bf16x2"), pair=("yes",)), claim=partial(halves, SETP_HALF)
    ),
    setp(
        form="setp_half_bool",
        rows=product(type=("f16", "bf16"), cmp=("lt",), ftz=("no",), pair=("no",), **SOME_BOOLEANS)
        + product(type=("f16x2", "bf16x2"), cmp=("lt",), ftz=("no",), pair=("yes",), **SOME_BOOLEANS)
        + product(type=("f16",), cmp=("geu",), ftz=("yes",), pair=("no",), **SOME_BOOLEANS)
        + product(type=("f16x2",), cmp=("geu",), ftz=("yes",), pair=("yes",), **SOME_BOOLEANS),
        claim=partial(halves, SETP_HALF),
    ),
    set_(form="set", rows=all_comparisons(WIDE, dtype=("u32",)), claim=partial(wide, SET)),
    set_(
        form="set_into",
        rows=product(dtype=("s32", "f32"), type=INTEGERS, cmp=("ne",), ftz=("no",))
        + product(dtype=("s32", "f32"), type=("f32",), cmp=("le", "gtu", "nan"), ftz=NO_YES)
        + product(dtype=("s32", "f32"), type=("f64",), cmp=("le", "gtu", "nan"), ftz=("no",)),
        claim=partial(wide, SET),
    ),
    set_(
        form="set_bool",
        rows=product(dtype=("u32", "f32"), type=("b32", "s64", "f64"), cmp=("eq",), ftz=("no",), **SOME_BOOLEANS)
        + product(dtype=("u32", "f32"), type=("f32",), cmp=("ltu",), ftz=NO_YES, **SOME_BOOLEANS),
        claim=partial(wide, SET),
    ),
    set_(
        form="set_half",
        rows=all_comparisons(("f16",), dtype=("f16", "u16"))
        + all_comparisons(("bf16",), dtype=("u16",))
        + all_comparisons(("f16x2",), dtype=("f16x2", "u32"))
        + all_comparisons(("bf16x2",), dtype=("bf16x2", "u32")),
        claim=partial(halves, SET_HALF),
    ),
    set_(
        form="set_half_into",
        rows=product(dtype=("f16", "bf16"), type=WIDE, cmp=("ne",), ftz=("no",))
        + product(dtype=("f16",), type=("f32",), cmp=("ltu",), ftz=("yes",))
        + product(dtype=("bf16",), type=("f16",), cmp=FLOATING, ftz=("no",))
        + product(dtype=("s16", "u32", "s32"), type=("f16",), cmp=("lt", "nan"), ftz=NO_YES)
        + product(dtype=("s16", "u32", "s32"), type=("bf16",), cmp=("lt", "nan"), ftz=("no",))
        + product(dtype=("s32",), type=("f16x2",), cmp=("lt", "nan"), ftz=NO_YES)
        + product(dtype=("s32",), type=("bf16x2",), cmp=("lt", "nan"), ftz=("no",)),
        claim=partial(halves, SET_HALF),
    ),
    set_(
        form="set_half_bool",
        rows=tuple(
            dict(dtype=dtype, type=kind, cmp=cmp, ftz=ftz, bool=how, negate=negate)
            for dtype, kind, cmp, ftz in (
                ("f16", "f16", "lt", "no"),
                ("f16", "f16", "geu", "yes"),
                ("f16", "s32", "lt", "no"),
                ("bf16", "f32", "lt", "no"),
                ("u16", "bf16", "geu", "no"),
                ("f16x2", "f16x2", "lt", "no"),
                ("u32", "f16x2", "geu", "yes"),
                ("bf16x2", "bf16x2", "lt", "no"),
                ("s32", "bf16x2", "geu", "no"),
            )
            for how in BOOLEANS
            for negate in NO_YES
        ),
        claim=partial(halves, SET_HALF),
    ),
    set_(
        form="set_packed",
        opcode="set.{cmp}.{type}",
        rows=all_comparisons(("u8x4", "s8x4", "u16x2", "s16x2")),
        claim=lambda params: family("sm_107f", ptx="9.4", section="PTX ISA 9.4, 9.7.7.1"),
        native=lambda params: (f"VISET.BM.{params['type'].replace('u', 'U').replace('s', 'S')}",),
    ),
    selection(
        form="selp",
        opcode="selp.{type}",
        arguments="d, a, b, %p_c",
        rows=product(type=WIDE),
        claim=partial(wide, SELP),
        native=lambda params: ("SEL.64",) if params["type"].endswith("64") else ("SEL", "FSEL"),
        fields=compare.select_fields,
    ),
    selection(
        form="slct",
        opcode="slct{ftz_}.{type}.{sign}",
        arguments="d, a, b, c",
        rows=product(type=WIDE, sign=("s32",), ftz=("no",)) + product(type=WIDE, sign=("f32",), ftz=NO_YES),
        claim=partial(wide, SLCT),
        native=lambda params: NONE,
        fields=compare.select_fields,
    ),
)
