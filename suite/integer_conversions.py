"""Oracle and inputs of `cvt` to and from integers, and of `cvt.pack`. Source: PTX ISA 9.3, 9.7.9.22 and 9.7.9.23.

Integers of up to 32 bits lie in 32-bit registers: a result is extended into it, and above a source there is noise.
"""

from __future__ import annotations

import numpy as np

from suite import rounding
from suite.conversions import INTEGRAL, about, threads_of
from suite.elementwise import TYPES, register
from suite.floats import any_codes, is_on
from suite.formats import FORMATS
from suite.operands import Operand
from suite.probe import Arrays, Params
from suite.rounding import Codes, Values

INTEGERS = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
FLOATS = ("f16", "bf16", "f32", "f64")
ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def width(kind: str) -> int:
    """Return the bits of an integer type."""
    return int(kind[1:])


def limits(kind: str) -> tuple[int, int]:
    """Return the least and the greatest value of an integer type."""
    bits = width(kind)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)


def can_saturate(to: str, of: str) -> bool:
    """Tell whether `to` does not hold every value of `of`, which .sat needs."""
    low, high = limits(of)
    return low < limits(to)[0] or high > limits(to)[1]


def holder(kind: str, other: str) -> str:
    """Return the type of the register that holds a value; beside bf16 ptxas takes none that is wider than the type."""
    if kind in FLOATS:
        return kind
    return f"b{width(kind) if other == 'bf16' else max(32, width(kind))}"


def threads(params: Params) -> int:
    """Return how many threads a case takes."""
    return threads_of("b16" if params["of"] in ("f16", "bf16") else "b32")


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and a."""
    size, to, of = threads(params), params["to"], params["of"]
    return (register("d", "out", holder(to, of), size), register("a", "in", holder(of, to), size))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return integers of every magnitude and about every limit, or floats about integers."""
    size = threads(params)
    if params["of"] in INTEGERS:
        return {"a": _in_register(params, _integers(rng, params["of"], params["to"], size))}
    if FORMATS[params["of"]].bits == 16:
        return {"a": any_codes(rng, params["of"], (size, 1))[:, 0]}
    quarters = about(rng, params["of"], "quarters", size // 2)
    bounds = np.array([float(bound) for kind in INTEGERS for bound in limits(kind)])
    edges = np.concatenate([bounds, bounds + 0.5, bounds - 0.5, bounds * 2, bounds + 1])
    codes = rounding.codes_of(params["of"], rounding.round_to(params["of"], edges))
    codes = np.concatenate([codes, codes + np.uint64(1), np.maximum(codes, np.uint64(1)) - np.uint64(1)])
    return {"a": rng.permutation(np.concatenate([quarters, np.resize(codes, size - len(quarters))]))}


def _in_register(params: Params, codes: Codes) -> Codes:
    return codes & (ALL_ONES >> np.uint64(64 - TYPES[holder(params["of"], params["to"])].bits))


def _integers(rng: np.random.Generator, of: str, to: str, size: int) -> Codes:
    """Return source registers: values of every magnitude, limits of both types, and noise above the type's bits."""
    bits = width(of)
    codes = rng.integers(0, 1 << 64, size, dtype=np.uint64) >> rng.integers(0, 64, size, dtype=np.uint64)
    codes = np.where(rng.integers(0, 2, size) == 0, codes, ~codes)
    ends = [
        bound + step for kind in (of, to if to in INTEGERS else of) for bound in limits(kind) for step in (-1, 0, 1)
    ]
    codes[: 8 * len(ends)] = np.array([end & 0xFFFFFFFFFFFFFFFF for end in ends] * 8, dtype=np.uint64)
    if bits == 64:
        return codes
    noise = rng.integers(0, 1 << 32, size, dtype=np.uint64) << np.uint64(bits)
    return ((codes & np.uint64((1 << bits) - 1)) | noise) & np.uint64(0xFFFFFFFF)


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d."""
    codes = arrays["a"].astype(np.uint64)
    if params["to"] in FLOATS:
        return {"d": _to_float(params, codes)}
    if params["of"] in FLOATS:
        return {"d": _to_integer(params, rounding.values_of(params["of"], codes))}
    return {"d": _to_other_integer(params, codes)}


def extended(kind: str, codes: Codes) -> Codes:
    """Return the lowest bits of codes extended to 64 by the type's sign."""
    shift = np.uint64(64 - width(kind))
    moved = codes << shift
    return (moved.view(np.int64) >> shift.astype(np.int64)).view(np.uint64) if kind[0] == "s" else moved >> shift


def held(params: Params, codes: Codes) -> Codes:
    """Return a result extended into its register."""
    bits = TYPES[holder(params["to"], params["of"])].bits
    return extended(params["to"], codes) & (ALL_ONES >> np.uint64(64 - bits))


def _to_float(params: Params, codes: Codes) -> Codes:
    whole = extended(params["of"], codes)
    negative = (whole >> np.uint64(63) != 0) & (params["of"][0] == "s")
    magnitude = np.where(negative, ~whole + np.uint64(1), whole)
    values = rounding.odd_float(magnitude) * np.where(negative, -1.0, 1.0)
    values = np.where(magnitude == 0, 0.0, values)
    if params["to"] != "f64":
        values = rounding.round_to(params["to"], values, params["rnd"])
    values = rounding.saturate(values) if is_on(params, "sat") else values
    return rounding.codes_of(params["to"], values)


def _to_integer(params: Params, values: Values) -> Codes:
    """Return clamped integers; what NaN becomes is told by the types."""
    kind = params["to"]
    values = rounding.flush("f32", values) if is_on(params, "ftz") else values
    low, high = limits(kind)
    with np.errstate(invalid="ignore"):
        whole = INTEGRAL[params["rnd"]](values)
    inside = (whole > low) & (whole < float(high))  # the greatest 64-bit integers are no float64
    magnitude = np.where(inside, np.abs(whole), 0.0).astype(np.uint64)
    codes = np.where(whole < 0, ~magnitude + np.uint64(1), magnitude)
    codes = np.where(whole <= low, np.uint64(low & 0xFFFFFFFFFFFFFFFF), codes)
    codes = np.where(whole >= float(high), np.uint64(high), codes)
    zero = params["of"] != "f64" and width(kind) != 64
    nan = 0 if zero else 1 << (width(kind) - 1)
    return held(params, np.where(np.isnan(values), np.uint64(nan), codes))


def _to_other_integer(params: Params, codes: Codes) -> Codes:
    to, of = params["to"], params["of"]
    whole = extended(of, codes)
    if is_on(params, "sat"):
        low, high = (max(limits(to)[0], limits(of)[0]), min(limits(to)[1], limits(of)[1]))
        if of[0] == "s":
            whole = np.clip(whole.view(np.int64), low, high).view(np.uint64)
        else:
            whole = np.minimum(whole, np.uint64(high))
    return held(params, whole)


PACK_THREADS = 1 << 14


def pack_operands(params: Params) -> tuple[Operand, ...]:
    """Return d, a and b, and for results below 16 bits c."""
    names = ("a", "b", "c") if width(params["to"]) < 16 else ("a", "b")
    inputs_ = (register(name, "in", "b32", PACK_THREADS) for name in names)
    return (register("d", "out", "b32", PACK_THREADS), *inputs_)


def pack_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return integers of every magnitude and about the result's limits, and any c."""
    sources = {name: _integers(rng, "s32", params["to"], PACK_THREADS) for name in ("a", "b")}
    sources["b"] = rng.permutation(sources["b"])
    return {**sources, "c": rng.integers(0, 1 << 32, PACK_THREADS, dtype=np.uint64)}


def pack_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d: both sources clamped, a above b, and the low bits of c above them."""
    low, high = limits(params["to"])
    bits = np.uint64(width(params["to"]))
    mask = (np.uint64(1) << bits) - np.uint64(1)
    a, b = (np.clip(extended("s32", arrays[name]).view(np.int64), low, high).view(np.uint64) & mask for name in "ab")
    above = arrays["c"].astype(np.uint64) << (bits + bits) if bits < 16 else np.uint64(0)
    return {"d": (b | a << bits | above) & np.uint64(0xFFFFFFFF)}
