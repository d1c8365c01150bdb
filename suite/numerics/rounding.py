"""The ways in which a unit turns its wide sum into a result. Source: arXiv 2511.10909, conversion functions.

Values are float64 and exact. A result of zero is +0 whatever was added up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite.formats import FORMATS, encode
from suite.numerics.operation import Codes, Values

NAN = {"f16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0x7FFFFFFFFFFFFFFF}  # Source: arXiv 2511.10909; f64: any NaN will do


def _to_zero(values: Values, fraction: int) -> Values:
    """Return f32 values cut to so many fraction bits; from 2^128 on an infinity."""
    bits = np.ascontiguousarray(values).view(np.uint64) & ~np.uint64((1 << (52 - fraction)) - 1)
    cut = bits.view(np.float64)
    small = np.abs(values) < 2.0**-126
    if small.any():
        grid = 2.0 ** (-126 - fraction)
        cut = np.where(small, np.trunc(np.where(small, values, 0.0) / grid) * grid, cut)
    return np.where(np.abs(cut) >= 2.0**128, np.copysign(np.inf, cut), cut) + 0.0


def _nearest(dtype: type[np.floating]) -> Callable[[Values], Values]:
    def rounded(values: Values) -> Values:
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(dtype).astype(np.float64) + 0.0

    return rounded


# How each is called in arXiv 2511.10909. RZ-E8M13 keeps 13 fraction bits in an f32.
ROUND: dict[str, Callable[[Values], Values]] = {
    "RZ-FP32": lambda values: _to_zero(values, 23),
    "RZ-E8M13": lambda values: _to_zero(values, 13),
    "RNE-FP32": _nearest(np.float32),
    "RNE-FP16": _nearest(np.float16),
}
FRACTION = {"RZ-FP32": 23, "RZ-E8M13": 13, "RNE-FP32": 23, "RNE-FP16": 10}


def packed(fmt: str, values: Values) -> Values:
    """Return f32 values as F2FP leaves them in D: rounded to nearest in IEEE arithmetic, a zero with its sign."""
    if fmt != "f16":
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(np.float16).astype(np.float64)


def codes_of(fmt: str, values: Values) -> Codes:
    """Return the codes of values that the format holds; NaN takes the unit's one NaN."""
    if fmt == "f32":
        codes = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    elif fmt == "f16":
        codes = values.astype(np.float16).view(np.uint16).astype(np.uint64)
    else:
        codes = encode(FORMATS[fmt], values)
    return np.where(np.isnan(values), np.uint64(NAN[fmt]), codes)
