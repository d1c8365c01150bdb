"""Sums that are rounded at every product: IEEE fused multiply-add in f64 and f32, one product after the other."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from suite.numerics.decode import Parts
from suite.numerics.fdpa import row_of
from suite.numerics.operation import Values

_SPLIT = 2.0**27 + 1
_PLAIN = (2.0**-900, 2.0**950)  # magnitudes of products and c that keep every intermediate exact and finite
DIRECTIONS = {"rn": 0, "rz": 2, "rm": -1, "rp": 1}


def fma_chain(a: Values, b: Values, c: Values, direction: str = "rn") -> Values:
    """Return c plus each product in ascending k, rounded to f64 each time. Source: arXiv 2511.10909 (DMMA)."""
    for k in range(a.shape[2]):
        x, y, z = np.broadcast_arrays(a[:, :, k, None], row_of(b, k), c)
        c = fma(x, y, z, direction)
    return c


def f32_chain(a: Parts, b: Parts, c: Values) -> Values:
    """Return c plus each product in ascending k, rounded to f32 each time (exact products of at most 22 bits)."""
    for k in range(a.value.shape[2]):
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            c = nearest_f32(a.value[:, :, k, None] * row_of(b.value, k), c)
    return c


def nearest_f32(x: Values, y: Values) -> Values:
    """Return x + y rounded once to f32: to odd in f64 first, which the second rounding cannot tell from exact."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        total, error = two_sum(x, y)
        return np.asarray(odd(total, error).astype(np.float32).astype(np.float64))


def two_sum(x: Values, y: Values) -> tuple[Values, Values]:
    """Return the rounded sum and its exact error. Source: Knuth, TAOCP 2, 4.2.2."""
    total = x + y
    virtual = total - x
    return total, (x - (total - virtual)) + (y - virtual)


def odd(total: Values, error: Values) -> Values:
    """Return the sum rounded to odd, which a second, shorter rounding cannot tell from the exact one."""
    even = (np.ascontiguousarray(total).view(np.int64) & 1) == 0
    moved = np.isfinite(total) & (error != 0) & even
    return np.where(moved, np.nextafter(total, np.copysign(np.inf, error)), total)


def fma(a: Values, b: Values, c: Values, direction: str) -> Values:
    """Return a * b + c rounded once to f64. Source: IEEE 754-2019, 5.4.1; Boldo and Melquiond (2008)."""
    with np.errstate(all="ignore"):
        plain = _within(a * b) & (abs(a) < _PLAIN[1]) & (abs(b) < _PLAIN[1]) & (_within(c) | (c == 0))
        result = np.where(plain, _plain_fma(a, b, c, direction), a * b + c)
    result = np.where(np.isfinite(a) & np.isfinite(b) & np.isinf(c), c, result)  # a product past the range is finite
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    unchanged = ((a == 0) | (b == 0)) & (c != 0)
    for index in map(tuple, np.argwhere(finite & ~plain & ~unchanged)):
        result[index] = _exact_fma(float(a[index]), float(b[index]), float(c[index]), direction)
    return result


def _within(x: Values) -> np.ndarray:
    return np.asarray((abs(x) > _PLAIN[0]) & (abs(x) < _PLAIN[1]))


def _plain_fma(a: Values, b: Values, c: Values, direction: str) -> Values:
    high, low = _two_product(a, b)
    upper, lower = two_sum(c, low)
    top, middle = two_sum(high, upper)
    rest = odd(*two_sum(middle, lower))
    result, error = two_sum(top, rest)
    return _directed(result, error, direction)


def _directed(result: Values, error: Values, direction: str) -> Values:
    """Return a nearest result moved to its neighbour where the error says that the direction wants that one."""
    if direction == "rn":
        return result
    down = {"rm": error < 0, "rp": error < -np.inf, "rz": (error < 0) & (result > 0)}[direction]
    up = {"rm": error > np.inf, "rp": error > 0, "rz": (error > 0) & (result < 0)}[direction]
    moved = np.where(down, np.nextafter(result, -np.inf), np.where(up, np.nextafter(result, np.inf), result))
    return np.where((direction == "rm") & (result == 0) & (error == 0), -0.0, moved)


def _two_product(a: Values, b: Values) -> tuple[Values, Values]:
    """Return the rounded product and its exact error. Source: Dekker, Numerische Mathematik 18 (1971)."""
    product = a * b
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    return product, al * bl - (((product - ah * bh) - al * bh) - ah * bl)


def _halves(x: Values) -> tuple[Values, Values]:
    high = _SPLIT * x - (_SPLIT * x - x)
    return high, x - high


def _exact_fma(a: float, b: float, c: float, direction: str) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return _zero(a, b, c, direction)
    nearest = _nearest(exact)
    if direction == "rn" or (np.isfinite(nearest) and Fraction(nearest) == exact):
        return nearest
    goes_down = direction == "rm" or (direction == "rz" and exact > 0)
    if np.isinf(nearest) or (Fraction(nearest) > exact) == goes_down:
        inward = (nearest > 0) == goes_down
        if np.isinf(nearest) and not inward:
            return nearest
        return math.nextafter(nearest, -math.inf if goes_down else math.inf)
    return nearest


def _zero(a: float, b: float, c: float, direction: str) -> float:
    """Return the zero of an exact zero sum: signs that agree stay, others give +0, under rm -0."""
    product_negative = (np.signbit(a) != np.signbit(b)) if a * b == 0 and (a == 0 or b == 0) else None
    if product_negative is not None and c == 0 and product_negative == np.signbit(c):
        return float(c)
    return -0.0 if direction == "rm" else 0.0


def _nearest(exact: Fraction) -> float:
    """Return the nearest f64, an infinity past the largest."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
