"""Oracle and inputs of correctly rounded f32 and f64 instructions, sign moves and tests of a number's kind.

A case's parameters are `op`, `type` (f32 or f64), `rnd`, and `ftz`. NaN results, whose codes
the manual leaves open, are not asked for. Sources: PTX ISA 9.3, 9.7.3.1 to 9.7.3.8, 9.7.3.13 and 9.7.3.15.
"""

from __future__ import annotations

import math

import numpy as np

from suite import floats, rationals, rounding
from suite.elementwise import register
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 512
NAMES = ("a", "b", "c")
COUNTS = {"rcp": 1, "sqrt": 1, "fma": 3, "mad": 3}


def names(params: Params) -> tuple[str, ...]:
    """Return the instruction's inputs."""
    return NAMES[: COUNTS.get(params["op"], 2)]


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and the inputs."""
    sources = (register(name, "in", params["type"], THREADS) for name in names(params))
    return (register("d", "out", params["type"], THREADS), *sources)


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return numbers of every kind; the second near the first, opposite to it, or anywhere; c often cancels a * b."""
    fmt, sign = params["type"], np.uint64(1 << (63 if params["type"] == "f64" else 31))
    a = floats.any_codes(rng, fmt, (THREADS, 1))[:, 0]
    b = floats.any_codes(rng, fmt, (THREADS, 1))[:, 0]
    near = a ^ rng.integers(0, 1 << 12, THREADS, dtype=np.uint64)
    b = np.choose(rng.integers(0, 4, THREADS), [b, b, near, near ^ sign])
    columns = {"a": a & ~sign if params["op"] == "sqrt" else a, "b": b, "c": _cancelling(rng, fmt, a, b)}
    columns = {name: columns[name] for name in names(params)}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    open_ = np.array([one(params, *row) is None for row in rows])
    return {name: np.where(open_, np.uint64(floats.ONES[fmt]), column) for name, column in columns.items()}


def _cancelling(rng: np.random.Generator, fmt: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return codes, half of them of -a * b rounded, others anywhere."""
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    products = [rationals.mul(fmt, "rn", *(rationals.value(fmt, code) for code in pair)) for pair in pairs]
    opposite = np.array([rationals.code(fmt, -product) for product in products], dtype=np.uint64)
    return np.where(rng.integers(0, 2, THREADS) == 0, opposite, floats.any_codes(rng, fmt, (THREADS, 1))[:, 0])


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d."""
    rows = zip(*(arrays[name].tolist() for name in names(params)), strict=True)
    return {"d": np.array([one(params, *row) for row in rows], dtype=np.uint64)}


def one(params: Params, *codes: int) -> int | None:
    """Return the code of a result, None where the manual leaves it open."""
    fmt, direction = params["type"], params["rnd"].replace("default", "rn")
    values = [rationals.value(fmt, code) for code in codes]
    if params["ftz"] == "yes":
        values = [_flushed(fmt, value) for value in values]
    result = rationals.OPERATIONS[params["op"]](fmt, direction, *values)
    if math.isnan(result):
        return None
    if params["ftz"] == "yes":
        least = rounding.smallest_normal(fmt)
        if abs(result) == least and abs(rationals.OPERATIONS[params["op"]](fmt, "rz", *values)) < least:
            return None  # tiny before rounding, but not after: the manual does not say which counts
        result = _flushed(fmt, result)
    return rationals.code(fmt, result)


def _flushed(fmt: str, value: float) -> float:
    return math.copysign(0.0, value) if abs(value) < rounding.smallest_normal(fmt) else value


# --- signs and kinds --------------------------------------------------------------------------------------------------


def any_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return codes of every kind, a half of them special."""
    columns = {}
    for name in ("a", "b"):
        codes = floats.any_codes(rng, params["type"], (THREADS, 1))[:, 0]
        special = floats.special_codes(rng, params["type"], (THREADS,))
        columns[name] = np.where(rng.integers(0, 2, THREADS) == 0, codes, special)
    return columns


def copied(params: Params, arrays: Arrays) -> Arrays:
    """Return b with the sign of a."""
    sign = np.uint64(1 << (63 if params["type"] == "f64" else 31))
    return {"d": (arrays["b"] & ~sign) | (arrays["a"] & sign)}


def test_operands(params: Params) -> tuple[Operand, ...]:
    """Return predicate p and number a."""
    return (register("p", "out", "b32", THREADS), register("a", "in", params["type"], THREADS))


def tested(params: Params, arrays: Arrays) -> Arrays:
    """Return whether each number is of a kind; zeros are normal."""
    values = rounding.values_of(params["type"], arrays["a"])
    subnormal = (values != 0) & (np.abs(values) < rounding.smallest_normal(params["type"]))
    kinds = {
        "finite": np.isfinite(values),
        "infinite": np.isinf(values),
        "number": ~np.isnan(values),
        "notanumber": np.isnan(values),
        "normal": np.isfinite(values) & ~subnormal,
        "subnormal": subnormal,
    }
    return {"p": kinds[params["kind"]].astype(np.uint64)}


# --- the table of what is given for inputs of no number's kind --------------------------------------------------------

INFINITY, NAN = 0x7FF << 52, 0x7FFFFFFF << 32
SIGN, LEAST = 1 << 63, 1 << 52


def gross_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return zeros, subnormals with a bit in the upper word, infinities and NaN: what the manual gives results of."""
    upper = rng.integers(1, 1 << 20, THREADS, dtype=np.uint64) << np.uint64(32)
    lower = rng.integers(0, 1 << 32, THREADS, dtype=np.uint64)
    top = np.full(THREADS, INFINITY, dtype=np.uint64)
    kinds = [np.zeros(THREADS, dtype=np.uint64), upper | lower, top, top | upper | lower]
    codes = np.choose(rng.integers(0, 4, THREADS), kinds)
    signs = rng.integers(0, 2, THREADS, dtype=np.uint64) << np.uint64(63)
    negative = (codes == INFINITY) & (params["op"] == "rsqrt")  # of a NaN result no code is given there
    return {"a": np.where(negative, codes, codes | signs)}


def gross(params: Params, arrays: Arrays) -> Arrays:
    """Return the reciprocal, or that of the square root, of zeros, subnormals, infinities and NaN."""
    magnitude, sign = arrays["a"] & np.uint64(SIGN - 1), arrays["a"] & np.uint64(SIGN)
    result = np.where(magnitude == INFINITY, sign, np.uint64(INFINITY) | sign)
    return {"d": np.where(magnitude > INFINITY, np.uint64(NAN), result)}
