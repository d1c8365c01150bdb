"""Numbers to codes for inputs: the nearest that a format has, powers of two, and the codes at its edges."""

from __future__ import annotations

from functools import cache

import numpy as np

from suite.formats import FORMATS
from suite.numerics.decode import values_of
from suite.numerics.operation import Codes, Values


def nearest(fmt: str, values: Values) -> Codes:
    """Return codes of the format near the values: the largest finite one for what is beyond, tf32 and bf16 cut."""
    facts = FORMATS[fmt]
    if facts.kind != "float":
        return values.astype(np.int64).astype(np.uint64) & np.uint64((1 << facts.bits) - 1)
    if fmt == "f64":
        return values.astype(np.float64).view(np.uint64).copy()
    if fmt in ("f32", "tf32", "bf16"):
        single = np.clip(values, -3.3e38, 3.3e38).astype(np.float32).view(np.uint32).astype(np.uint64)
        return {"f32": single, "tf32": single & ~np.uint64(0x1FFF), "bf16": single >> np.uint64(16)}[fmt]
    if fmt == "f16":
        return np.clip(values, -65504, 65504).astype(np.float16).view(np.uint16).astype(np.uint64)
    table, codes = _finite(fmt)
    above = np.clip(np.searchsorted(table, values), 1, len(table) - 1)
    return codes[np.where(values - table[above - 1] < table[above] - values, above - 1, above)]


@cache
def _finite(fmt: str) -> tuple[Values, Codes]:
    codes = np.arange(1 << FORMATS[fmt].bits, dtype=np.uint64)
    values = values_of(fmt, codes)
    kept = np.isfinite(values)
    order = np.argsort(values[kept], kind="stable")
    return values[kept][order], codes[kept][order]


def raw(rng: np.random.Generator, fmt: str, shape: tuple[int, ...]) -> Codes:
    """Return random codes without infinities and NaN."""
    facts = FORMATS[fmt]
    codes = rng.integers(0, (1 << facts.bits) - 1, shape, dtype=np.uint64, endpoint=True)
    if facts.kind != "float":
        return codes
    finite = np.isfinite(values_of(fmt, codes))
    top = np.uint64(1 << (facts.mantissa + facts.padding))  # the lowest bit of the exponent makes the number finite
    return np.where(finite, codes, codes ^ top)


@cache
def powers(fmt: str) -> tuple[int, int]:
    """Return the exponents of the least and the largest power of two of a format."""
    facts = FORMATS[fmt]
    least = 1 - facts.bias - facts.mantissa
    top = (1 << facts.exponent) - 1 - facts.bias
    return least, top - 1 if facts.special == "ieee" else top


@cache
def edges(fmt: str) -> tuple[int, ...]:
    """Return the codes at a float format's edges, both signs: zeros, subnormals, normals, infinities, NaNs."""
    facts = FORMATS[fmt]
    hidden, top = 1 << facts.mantissa, (1 << facts.exponent) - 1
    last = (top << facts.mantissa) + hidden - 1  # all ones
    least = [0, 1, hidden - 1, hidden, hidden + 1]
    if facts.special == "ieee":
        infinite = top << facts.mantissa
        ends = [infinite - 1, infinite, infinite + 1, infinite + hidden // 2, last]
    elif facts.special == "nan":
        ends = [last - 1, last]
    else:
        ends = [last]
    sign = 1 << (facts.mantissa + facts.exponent)
    codes = dict.fromkeys((*least, *ends))
    return tuple((code | signed) << facts.padding for code in codes for signed in (0, sign if facts.signed else 0))
