"""Exact arithmetic and one rounding: what a single IEEE operation gives in any format and direction.

Values are float64 arrays. Sums are kept exact enough for any narrower format by rounding to odd, which no second
rounding to at most 51 bits can tell from the exact value. Source: IEEE 754-2019, section 4.3; Boldo and Melquiond,
"Emulation of FMA and correctly rounded sums" (2008), for rounding to odd.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS, decode, encode

Values = NDArray[np.float64]
Codes = NDArray[np.uint64]

# The NaN that an instruction gives where the manual says "canonical", which it does not spell. Source: the constants
# CUDART_NAN_F, CUDART_NAN_FP16 and CUDART_NAN_BF16 of the CUDA headers; PTX ISA 9.4, 5.2.3 (the others have no other).
CANONICAL_NAN = {"f32": 0x7FFFFFFF, "f16": 0x7FFF, "bf16": 0x7FFF, "ue8m0": 0xFF, "ue5m3": 0xFF}

_INTEGRAL: dict[str, Callable[[Values], Values]] = {
    "rn": np.rint,
    "rz": np.trunc,
    "rm": np.floor,
    "rp": np.ceil,
    "rna": lambda units: np.trunc(units + np.copysign(0.5, units)),
}


def largest(fmt: str) -> float:
    """Return the largest finite value of a float format."""
    facts = FORMATS[fmt]
    top = (1 << facts.exponent) - 1
    mantissa = (1 << facts.mantissa) - 1
    if facts.special == "ieee" or facts.mantissa == 0:
        top -= 1
    elif facts.special == "nan":
        mantissa -= 1
    return float(np.ldexp(1 + mantissa / (1 << facts.mantissa), top - facts.bias))


def smallest_normal(fmt: str) -> float:
    """Return the least positive normal value of a float format."""
    return float(np.ldexp(1.0, 1 - FORMATS[fmt].bias))


def round_to(fmt: str, values: Values, direction: str = "rn", *, finite: bool = False) -> Values:
    """Return values rounded to a float format; `finite` clamps to its largest value, infinities too.

    `direction` is rn, rz, rm, rp or rna as PTX spells them. NaN stays NaN, and zeros keep their sign.
    """
    facts = FORMATS[fmt]
    exponent = np.frexp(values)[1] - 1
    least = 1 - facts.bias if facts.mantissa else -facts.bias  # ue8m0 has powers of two alone, down to code 0
    quantum = np.maximum(exponent, least) - facts.mantissa
    with np.errstate(over="ignore", invalid="ignore"):  # f64 values that no narrower format holds; signalling NaNs
        rounded = np.ldexp(_INTEGRAL[direction](np.ldexp(values, -quantum)), quantum)
    limit = largest(fmt)
    if finite:
        return np.asarray(np.clip(rounded, -limit, limit))
    return np.where((np.abs(rounded) > limit) & np.isfinite(values), _overflow(rounded, direction, limit), rounded)


def _overflow(rounded: Values, direction: str, limit: float) -> Values:
    inward = {"rz": np.full(rounded.shape, True), "rm": rounded > 0, "rp": rounded < 0}
    stays = inward.get(direction, np.full(rounded.shape, False))
    return np.copysign(np.where(stays, limit, np.inf), rounded)


def add(a: Values, b: Values, direction: str = "rn") -> Values:
    """Return a + b rounded to odd; a zero sum of opposite signs is +0, under rm -0. Source: IEEE 754-2019, 6.3."""
    with np.errstate(invalid="ignore"):
        total = a + b
        virtual = total - a
        error = (a - (total - virtual)) + (b - virtual)
        inexact = np.isfinite(total) & (error != 0) & (total.view(np.int64) & 1 == 0)
        total = np.where(inexact, np.nextafter(total, np.copysign(np.inf, error)), total)
    if direction == "rm":
        total = np.where((total == 0) & ~(np.signbit(total)) & (np.signbit(a) | np.signbit(b)), -0.0, total)
    return total


def multiply(a: Values, b: Values) -> Values:
    """Return a * b, exact for formats of at most 26 mantissa bits."""
    with np.errstate(invalid="ignore"):
        return a * b


def fused(a: Values, b: Values, c: Values, direction: str = "rn") -> Values:
    """Return a * b + c rounded to odd."""
    return add(multiply(a, b), c, direction)


def odd_float(integers: Codes) -> Values:
    """Return unsigned 64-bit integers as float64 values rounded to odd."""
    top = (integers >> np.uint64(11)) | ((integers & np.uint64(0x7FF)) != 0)
    return np.where(integers < 1 << 53, integers.astype(np.float64), top.astype(np.float64) * 2048.0)


def flush(fmt: str, values: Values) -> Values:
    """Return values with subnormals of the format replaced by zeros of their sign (.ftz)."""
    tiny = np.abs(values) < smallest_normal(fmt)
    return np.where(tiny, np.copysign(0.0, values), values)


def saturate(values: Values) -> Values:
    """Return values clamped to [+0.0, 1.0], NaN as +0.0 (.sat)."""
    return np.where(values > 0, np.minimum(values, 1.0), 0.0)


def rectify(values: Values) -> Values:
    """Return values with what is below zero, and -0.0, replaced by +0.0; NaN stays (.relu)."""
    return np.where((values > 0) | np.isnan(values), values, 0.0)


def codes_of(fmt: str, values: Values) -> Codes:
    """Return the codes of values that the format holds exactly; NaN takes the canonical code.

    Raises `ValueError` for a value that it cannot hold, `KeyError` for NaN in a format without a canonical one.
    """
    nan = np.isnan(values)
    codes = encode(FORMATS[fmt], np.where(nan, 1.0, values))
    return np.where(nan, np.uint64(CANONICAL_NAN[fmt]), codes) if nan.any() else codes


def values_of(fmt: str, codes: Codes) -> Values:
    """Return the float64 values of codes."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return np.asarray(decode(FORMATS[fmt], codes), dtype=np.float64)
