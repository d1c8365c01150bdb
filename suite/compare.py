"""Oracle and inputs of comparisons and selections: set, setp, selp and slct on every type, packed halves included.

A case's parameters are `type` (of what is compared, or selected), `cmp`, and where the instruction has them `dtype` (of
the result of set), `ftz`, `bool` (and, or, xor), `negate` (of c), `pair` (setp writes p and q) and `sign` (the type of
slct's c). Sources: PTX ISA 9.3, 9.3.1, 9.7.6.1 to 9.7.6.4, 9.7.7.1 and 9.7.7.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import floats, integers, rounding
from suite.elementwise import TYPES, join, register, split
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 2048
FLOATS = ("f16", "bf16", "f32", "f64", "f16x2", "bf16x2")

Flags = np.ndarray

EQUAL = ("eq", "ne")
ORDERED = (*EQUAL, "lt", "le", "gt", "ge")
UNSIGNED = (*ORDERED, "lo", "ls", "hi", "hs")
FLOATING = (*ORDERED, "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")

_RELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], Flags]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_LOWER = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
_COMBINED: dict[str, Callable[[Flags, Flags], Flags]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def comparisons(kind: str) -> tuple[str, ...]:
    """Return the comparison operators that a type has."""
    return FLOATING if kind in FLOATS else {"b": EQUAL, "u": UNSIGNED, "s": ORDERED}[kind[0]]


def values(kind: str, words: np.ndarray) -> np.ndarray:
    """Return what words of a type hold, as (threads, slots): float64, or the integers of the type."""
    codes = split(kind, words)
    if kind in FLOATS:
        return rounding.values_of(TYPES[kind].fmt, codes)
    if kind[0] != "s":
        return codes
    shift = 64 - integers.width(kind)
    return np.asarray((codes << np.uint64(shift)).view(np.int64) >> np.int64(shift))


def holds(cmp: str, x: np.ndarray, y: np.ndarray) -> Flags:
    """Return where a comparison is true; of a NaN, the ordered ones are false and the unordered ones true."""
    unknown = np.isnan(x) | np.isnan(y) if x.dtype.kind == "f" else np.zeros(x.shape, dtype=bool)
    if cmp in ("num", "nan"):
        return unknown if cmp == "nan" else ~unknown
    if cmp in _LOWER or cmp in _RELATIONS:
        return np.asarray(_RELATIONS[_LOWER.get(cmp, cmp)](x, y) & ~unknown)
    return np.asarray(_RELATIONS[cmp[:-1]](x, y) | unknown)


def compared(params: Params, arrays: Arrays) -> Flags:
    """Return the comparison of a and b, slot by slot."""
    pair = [values(params["type"], arrays[name]) for name in "ab"]
    if params.get("ftz") == "yes":
        pair = [rounding.flush(TYPES[params["type"]].fmt, value) for value in pair]
    return holds(params["cmp"], *pair)


def combined(params: Params, flags: Flags, arrays: Arrays) -> Flags:
    """Return flags combined with predicate c, negated or not, where the case has one."""
    if "bool" not in params:
        return flags
    c = (arrays["c"] != 0) ^ (params["negate"] == "yes")
    return _COMBINED[params["bool"]](flags, c[:, None])


# --- setp -------------------------------------------------------------------------------------------------------------


def setp_operands(params: Params) -> tuple[Operand, ...]:
    """Return p, q where the case writes it, a, b, and c where the case combines."""
    results = ("p", "q") if params["pair"] == "yes" else ("p",)
    return (*(register(name, "out", "b32", THREADS) for name in results), *_sources(params))


def setp_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return p, and q: of packed types the second slot's result, of others that of the complement."""
    flags = compared(params, arrays)
    both = flags if flags.shape[1] == 2 else np.concatenate([flags, ~flags], axis=1)
    told = combined(params, both, arrays).astype(np.uint64)
    return {"p": told[:, 0], "q": told[:, 1]}


def _sources(params: Params) -> tuple[Operand, ...]:
    third = (register("c", "in", "b32", THREADS),) if "bool" in params else ()
    return (*(register(name, "in", params["type"], THREADS) for name in "ab"), *third)


def fields(params: Params) -> Params:
    """Return the dotted modifiers, the third operand, and which operands are predicates."""
    third = ("!" if params.get("negate") == "yes" else "") + "%p_c"
    return {
        "predicates": ("p", "q", "c"),
        "after": "",
        "truth": "" if params["type"] == "f32" else "setp.neu.f32 %p, %w, 0f00000000",
        "bool_": f".{params['bool']}" if "bool" in params else "",
        "ftz_": ".ftz" if params.get("ftz") == "yes" else "",
        "c_": f", {third}" if "bool" in params else "",
        "p_": "%p_p|%p_q" if params.get("pair") == "yes" else "%p_p",
    }


# --- set --------------------------------------------------------------------------------------------------------------


def set_operands(params: Params) -> tuple[Operand, ...]:
    """Return d, a, b, and c where the case combines; packed integers have a d of their own type."""
    return (register("d", "out", params.get("dtype", params["type"]), THREADS), *_sources(params))


def set_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d: 1.0 or all ones where true, a slot of it for each of packed operands."""
    flags, kind = combined(params, compared(params, arrays), arrays), params.get("dtype", params["type"])
    bits = TYPES[kind].bits // flags.shape[1]
    one = floats.ONES[TYPES[kind].fmt] if kind in FLOATS else (1 << bits) - 1
    codes = np.where(flags, np.uint64(one), np.uint64(0))
    shifts = np.arange(flags.shape[1], dtype=np.uint64) * np.uint64(bits)
    return {"d": np.bitwise_or.reduce(codes << shifts, axis=-1)}


# --- selections -------------------------------------------------------------------------------------------------------


def select_operands(params: Params) -> tuple[Operand, ...]:
    """Return d, a, b and c: a predicate of selp, a number of slct."""
    sides = (register(name, role, params["type"], THREADS) for name, role in (("d", "out"), ("a", "in"), ("b", "in")))
    return (*sides, register("c", "in", params.get("sign", "b32"), THREADS))


def select_fields(params: Params) -> Params:
    """Return the modifier, and whether c is a predicate."""
    ftz = ".ftz" if params.get("ftz") == "yes" else ""
    return {"predicates": () if "sign" in params else ("c",), "after": "", "ftz_": ftz}


def select_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return a where predicate c is true, or number c is not negative; b where c is NaN."""
    if "sign" not in params:
        first = arrays["c"] != 0
    else:
        third = values(params["sign"], arrays["c"])[:, 0]
        third = rounding.flush("f32", third) if params.get("ftz") == "yes" else third
        first = third >= 0
    return {"d": np.where(first, arrays["a"], arrays["b"])}


# --- inputs -----------------------------------------------------------------------------------------------------------


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return a, and b equal to it, beside it or anywhere, a third each; c of both truths, or of every sign."""
    a = words(rng, params["type"])
    step = rng.integers(0, 4, THREADS, dtype=np.uint64)
    mask = np.uint64((1 << TYPES[params["type"]].bits) - 1)
    which = rng.integers(0, 3, THREADS)
    b = np.where(which == 0, a, np.where(which == 1, (a ^ step) & mask, words(rng, params["type"])))
    flags = rng.integers(0, 2, THREADS, dtype=np.uint64)
    return {"a": a, "b": b, "c": words(rng, params["sign"]) if "sign" in params else flags}


def words(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Return words of a type: of floats NaN, infinities, zeros and subnormals too."""
    if kind not in FLOATS:
        return integers.codes(rng, kind, THREADS)
    fmt, shape = TYPES[kind].fmt, (THREADS, TYPES[kind].count)
    codes = floats.any_codes(rng, fmt, shape)
    return join(kind, np.where(rng.integers(0, 4, shape) == 0, floats.special_codes(rng, fmt, shape), codes))
