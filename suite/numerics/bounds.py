"""How far a sum of cut products can be from the exact one, where no model says what it is.

Each of the n products and c lose less than 2^-F of the largest term or partial sum, and each step's result less than
one unit in its last place. How many steps there are is not known, so that one a product is allowed for:
|D - exact| <= (n + 1) * 2^-F * top + n * ulp(D).
"""

from __future__ import annotations

import numpy as np

from suite.numerics import fdpa
from suite.numerics.chains import odd, two_sum
from suite.numerics.decode import values_of
from suite.numerics.models import operands
from suite.numerics.operation import Arrays, Codes, Operation, Values
from suite.numerics.rounding import FRACTION, ROUND, codes_of

LARGEST = {"f32": (2 - 2.0**-23) * 2.0**127, "f16": 65504.0}


def nearest(op: Operation, arrays: Arrays) -> Codes:
    """Return the codes of the exact sums, to nearest."""
    rounding = "RNE-FP16" if op.d == "f16" else "RNE-FP32"
    return codes_of(op.d, ROUND[rounding](_sums(op, arrays)[0]))


def outside(op: Operation, arrays: Arrays, found: Codes, fraction: int) -> np.ndarray:
    """Return where D is further from the exact sum than units of F = `fraction` can bring it.

    Infinities and NaN must be there exactly where the operands make them; a sum within the bound of the largest value
    may be either.
    """
    exact, top = _sums(op, arrays)
    values = values_of(op.d, found)
    fewest = min(fraction, FRACTION["RNE-FP16" if op.d == "f16" else "RZ-FP32"])
    ulp = np.exp2(np.floor(np.log2(np.maximum(np.nan_to_num(abs(exact), posinf=0), _least(op.d)))) - fewest)
    bound = (op.k + 1) * top * 2.0**-fraction + op.k * ulp
    with np.errstate(invalid="ignore"):
        near = abs(values - exact) <= bound
        overflown = np.isinf(values) & (abs(exact) + bound > LARGEST[op.d]) & (np.sign(values) == np.sign(exact))
    same = (np.isnan(values) & np.isnan(exact)) | ((values == exact) & np.isinf(exact))
    return np.asarray(~np.where(np.isfinite(exact), near | overflown, same))


def _least(fmt: str) -> float:
    return 2.0**-14 if fmt == "f16" else 2.0**-126


def _sums(op: Operation, arrays: Arrays) -> tuple[Values, Values]:
    """Return the exact sums, to all bits of an f32, and what no term or partial sum exceeds."""
    a, b, c = operands(op, arrays)
    with np.errstate(invalid="ignore", over="ignore"):
        total, top, error = c, np.nan_to_num(abs(c), posinf=0), np.zeros(c.shape)
        for k in range(op.k):
            term = a.value[:, :, k, None] * fdpa.row_of(b.value, k)
            total, lost = two_sum(total, term)
            error, top = error + lost, top + np.nan_to_num(abs(term), posinf=0)
        total, lost = two_sum(total, error)
        total = np.where(np.isnan(lost), total, odd(total, lost))
    special = fdpa.specials(a.value, b.value, c)
    return np.where(np.isfinite(special), total, special), 2 * top
