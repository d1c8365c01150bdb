"""What atom and red share: the manual's notes, the spelling, the operands, and the opcodes of machine code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suite import memory
from suite.operands import Operand
from suite.probe import Params, product

# Words and the target and PTX version that brought them. Source: PTX ISA 9.3, 9.7.14.5 and 9.7.14.6, Target ISA Notes
# and PTX ISA Notes, which agree but for b16 and b128, which only atom has.
WORDS = {
    # word              target   PTX
    "": ("sm_20", "2.0"),
    "64-bit": ("sm_32", "3.1"),
    "f64": ("sm_60", "5.0"),
    "f16x2": ("sm_60", "6.2"),
    "f16": ("sm_70", "6.3"),
    "b16": ("sm_70", "6.3"),
    "bf16": ("sm_90", "7.8"),
    "bf16x2": ("sm_90", "7.8"),
    "scope": ("sm_60", "5.0"),
    "sem": ("sm_70", "6.0"),
    "cluster": ("sm_90", "7.8"),
    "shared::cta": ("sm_30", "7.8"),
    "shared::cluster": ("sm_90", "7.8"),
    "cache_hint": ("sm_80", "7.4"),
    "vector": ("sm_90", "8.1"),
    "b128": ("sm_90", "8.3"),
    "b128 sys": ("sm_90", "8.4"),
    "noftz f32": ("sm_90", "9.4"),
}
NEWER = {"atom": "PTX ISA 9.4, 9.7.15.5", "red": "PTX ISA 9.4, 9.7.15.6"}  # the sections that have .noftz with f32
SCOPES = ("cta", "cluster", "gpu", "sys")

# How machine code spells types. Halves that lie in one access count together: v2.f16x2 is F16x4. Source: nvdisasm
# 13.5.37 of kernels that ptxas 13.5.37 made for sm_75, 80, 90, 100a and 120a.
TYPES = {"u32": "", "b32": "", "s32": "S32", "u64": "64", "b64": "64", "s64": "S64", "b128": "128", "b16": "16"}

# Types and operations that atom and red have. Source: PTX ISA 9.3, 9.7.14.5, Table 35, and 9.7.14.6, Table 36.
REDUCTIONS = (
    *(("u32", op) for op in ("add", "inc", "dec", "min", "max")),
    *(("s32", op) for op in ("add", "min", "max")),
    *(("u64", op) for op in ("add", "min", "max")),
    *(("s64", op) for op in ("min", "max")),
    *((kind, "add") for kind in ("f32", "f64", "f16", "f16x2", "bf16", "bf16x2")),
    *((kind, op) for kind in ("b32", "b64") for op in ("and", "or", "xor")),
)
# Source: the same sections, the tables of vector types.
VECTORS = (
    *((f"v{count}.f32", "add") for count in (2, 4)),
    *((f"v{count}.{kind}", op) for kind in ("f16", "bf16") for count in (2, 4, 8) for op in ("add", "min", "max")),
    *((f"v{count}.{kind}", op) for kind in ("f16x2", "bf16x2") for count in (2, 4) for op in ("add", "min", "max")),
)
# What .noftz may stand before though it need not. Source: PTX ISA 9.4, 9.7.15.5 and 9.7.15.6, Syntax.
PRESERVED = (("f32", "add"),)
PRESERVED_VECTORS = (("v2.f32", "add"), ("v4.f32", "add"))
# Operations whose results differ where all threads meet in one element.
COUNTERS = (
    *(("u32", op) for op in ("add", "inc", "dec")),
    *((kind, "add") for kind in ("s32", "u64", "f32", "f64")),
)


def rows(table: Sequence[tuple[str, str]], **columns: Sequence[str]) -> tuple[Params, ...]:
    """Return every combination of the columns for each type and operation of a table."""
    return tuple({**row, "op": op, "type": kind} for kind, op in table for row in product(**columns))


def preserving(strong: Sequence[str], pairs: Sequence[str]) -> Iterator[tuple[str, tuple[Params, ...]]]:
    """Yield form and rows of `.noftz` with f32; `strong` are semantics of scalars, `pairs` those of vectors."""
    anywhere, kept = ("generic", "global"), {"ftz": ("noftz",)}
    shared = ("shared", "shared::cta", "shared::cluster")
    hint = {"cache": ("L2::cache_hint",)}
    yield "noftz", rows(PRESERVED, **kept, space=(*anywhere, *shared))
    yield "noftz_order", rows(PRESERVED, **kept, sem=strong, space=("global",))
    yield "noftz_policy", rows(PRESERVED, **kept, space=anywhere, **hint)
    yield "noftz_vector", rows(PRESERVED_VECTORS, **kept, space=anywhere)
    yield "noftz_vector_order", rows(PRESERVED_VECTORS, **kept, sem=pairs, space=("global",))
    yield "noftz_vector_policy", rows(PRESERVED_VECTORS, **kept, space=("global",), **hint)


def words(params: Params) -> list[str]:
    """Return the words by which the manual's notes tell atomic operations apart."""
    count, element = memory.split(params["type"])
    sem = [word for word in params.get("sem", "none").split(".") if word != "none"]
    holds = {
        "64-bit": element in ("u64", "s64", "b64") and params["op"] not in ("add", "exch", "cas"),
        "scope": any(word in SCOPES for word in sem),
        "sem": any(word not in SCOPES for word in sem),
        "cache_hint": "cache" in params,
        "vector": count > 1,
        "b128 sys": element == "b128" and "sys" in sem,
        "noftz f32": preserves(params),
    }
    return ["", element, params["space"], *sem, *(word for word, true in holds.items() if true)]


def preserves(params: Params) -> bool:
    """Tell whether the case asks f32 to keep subnormals, which its addition may flush in global memory."""
    return bool(params.get("ftz") == "noftz")


def sass(bases: tuple[str, ...], params: Params) -> tuple[str, ...]:
    """Return the patterns of an operation by any of the base opcodes; shared memory of the CTA has no strength."""
    scope = params.get("sem", "none").rpartition(".")[2]
    strengths = memory.SCOPES[scope if scope in SCOPES else "gpu"]
    if params["space"] in ("shared", "shared::cta"):
        strengths = ("",)
    words = (params["op"].upper(), machine_type(params["type"]))
    return tuple(".".join(filter(None, (base, *words, strength))) for base in bases for strength in strengths)


def machine_type(kind: str) -> str:
    """Return how machine code spells a type with its vector, nothing for 32 bits without sign."""
    count, element = memory.split(kind)
    base, _, packed = element.partition("x")
    total = count * int(packed or 1)
    return TYPES.get(element, base.upper() + (f"x{total}" if total > 1 else ""))


def fields(params: Params) -> Params:
    """Return the parts of the opcode, with .noftz for halves and where f32 asks for it, and the registers' size."""
    count, element = memory.split(params["type"])
    return {
        **memory.fields(params),
        "sem": memory.dotted(params.get("sem", "none")),
        "space_word": memory.dotted(params["space"]),
        "operation": params["op"] + (".noftz" if "f16" in element or preserves(params) else ""),
        "caching": memory.dotted(params.get("cache", "none")),
        "count": count,
        "width": memory.bits(element),
        "B": memory.vector("b", count),
    }


def operands(params: Params) -> tuple[Operand, ...]:
    """Return the windows before and after, the operands of each thread and where it applies them."""
    return (
        memory.rows_buffer("out", "out", params),
        memory.rows_buffer("init", "in", params),
        memory.lanes_buffer("value", "in", params, memory.size(params["type"])),
        memory.offsets_buffer(),
    )
