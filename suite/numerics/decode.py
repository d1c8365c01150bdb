"""Codes taken apart as a tensor core takes them: the value, and the exponent that alignment goes by.

A subnormal keeps the least exponent of its format and is not normalised. Source: arXiv 2511.10909, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS, decode
from suite.numerics.operation import Codes, Values

Exponents = NDArray[np.int16]

NOTHING = -9000  # the exponent of a zero: below any other, and two of them still fit 16 bits


@dataclass(frozen=True)
class Parts:
    """Values (exact in float64; infinities and NaN as such) and their exponents, `NOTHING` for what is no number."""

    value: Values
    exponent: Exponents

    @property
    def finite(self) -> bool:
        """Tell whether no value is an infinity or NaN."""
        return bool(np.isfinite(self.value).all())

    def each(self, arranged: Callable[[np.ndarray], np.ndarray]) -> Parts:
        """Return values and exponents arranged in the same way."""
        return Parts(arranged(self.value), arranged(self.exponent))

    def numbers(self) -> Parts:
        """Return the same with zeros in place of infinities and NaN."""
        return self if self.finite else Parts(np.where(np.isfinite(self.value), self.value, 0.0), self.exponent)


def least_exponent(fmt: str) -> int:
    """Return the exponent of the format's subnormals; ue8m0 has none, and goes one further down."""
    return (1 if FORMATS[fmt].mantissa else 0) - FORMATS[fmt].bias


def parts(fmt: str, codes: Codes) -> Parts:
    """Return codes taken apart; bits that the format ignores are dropped."""
    if FORMATS[fmt].bits <= 16:
        values, exponents = _table(fmt)
        index = codes.astype(np.intp)
        return Parts(values[index], exponents[index])
    return of_values(fmt, values_of(fmt, codes))


def values_of(fmt: str, codes: Codes) -> Values:
    """Return the values of codes in float64."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return np.asarray(decode(FORMATS[fmt], codes), dtype=np.float64)


def of_values(fmt: str, values: Values) -> Parts:
    """Return values that the format holds, taken apart."""
    exponents = np.maximum(np.frexp(values)[1] - 1, least_exponent(fmt)).astype(np.int16)
    number = np.isfinite(values) & (values != 0)
    return Parts(values, np.where(number, exponents, np.int16(NOTHING)))


@cache
def _table(fmt: str) -> tuple[Values, Exponents]:
    taken = of_values(fmt, decode(FORMATS[fmt], np.arange(1 << FORMATS[fmt].bits, dtype=np.uint64)))
    return taken.value, taken.exponent


def scales(fmt: str, codes: Codes) -> Parts:
    """Return scale codes taken apart; of ue4m3 bit 7 is ignored. Source: arXiv 2511.10909, block-scaled operations."""
    return parts(fmt, codes & np.uint64(0x7F) if fmt == "ue4m3" else codes)
