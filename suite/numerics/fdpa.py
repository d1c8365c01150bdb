"""The truncated fused dot product: what one step of a float tensor core does. Source: arXiv 2511.10909 and 2512.07004.

All products of a step and the accumulator are aligned at the largest exponent, cut to F fraction bits each, added
without loss and rounded once. float64 carries this exactly: a product has at most 22 significant bits, a term cut is
an integer below 2^(F + 2), and 33 of them stay far below 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.numerics.decode import Parts, of_values
from suite.numerics.operation import Values
from suite.numerics.rounding import ROUND


@dataclass(frozen=True)
class Step:
    """F fraction bits kept, the exponent that stands for zeros, the rounding of the result, and c's format."""

    fraction: int
    zero: int
    rounding: str
    accumulator: str = "f32"


def fused(step: Step, a: Parts, b: Parts, c: Values) -> Values:
    """Return the rounded a . b + c of each row and column, as values.

    `a` is (trials, m, k). `b` is (trials, k, n), or (trials, k, m, n) where each row of A meets columns of its own.
    """
    taken = of_values(step.accumulator, c)
    top = np.maximum(_largest(a, b, taken.exponent), np.int16(step.zero))
    total = _sum(step.fraction, a.numbers(), b.numbers(), taken.numbers().value, top)
    result = ROUND[step.rounding](total)
    if a.finite and b.finite and taken.finite:
        return result
    special = specials(a.value, b.value, c)
    return np.where(np.isfinite(special), result, special)


def _largest(a: Parts, b: Parts, top: NDArray[np.int16]) -> NDArray[np.int16]:
    top = top.copy()
    product = np.empty_like(top)
    for k in range(a.value.shape[2]):
        np.add(a.exponent[:, :, k, None], row_of(b.exponent, k), out=product)
        np.maximum(top, product, out=top)
    return top


def _sum(fraction: int, a: Parts, b: Parts, c: Values, top: NDArray[np.int16]) -> Values:
    """Return the sum of all terms, each cut to a multiple of 2^(top - fraction)."""
    scale = power(fraction - top)
    total = np.trunc(c * scale)
    term = np.empty_like(total)
    for k in range(a.value.shape[2]):
        np.multiply(a.value[:, :, k, None], row_of(b.value, k), out=term)
        np.multiply(term, scale, out=term)
        np.trunc(term, out=term)
        total += term
    return np.asarray(total * power(top - fraction))


def row_of(b: np.ndarray, k: int) -> np.ndarray:
    """Return what element k of each row of A is multiplied by, broadcast to (trials, m, n)."""
    row: np.ndarray = b[:, k]
    return row if b.ndim == 4 else row[:, None, :]


def power(exponent: NDArray[np.int16]) -> Values:
    """Return 2^exponent, of exponents within those of normal float64 values."""
    return ((exponent.astype(np.int64) + 1023) << 52).view(np.float64)


def specials(a: Values, b: Values, c: Values) -> Values:
    """Return NaN or an infinity where a row, a column or c has one that decides the result, anything finite elsewhere.

    NaN comes of NaN, of infinity times zero and of infinities of both signs.
    """
    signs_a, signs_b, total = _signs(a), _signs(b), _signs(c)
    with np.errstate(invalid="ignore"):
        for k in range(a.shape[2]):
            total = total + signs_a[:, :, k, None] * row_of(signs_b, k)
    return total


def _signs(values: Values) -> Values:
    """Return finite values as -1, 0 or 1: their products and sums cannot overflow."""
    return np.where(np.isinf(values), values, np.sign(values))
