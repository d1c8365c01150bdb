"""Inputs whose every partial sum is exact in any order, and planes that give a wrong layout away.

A result on such inputs does not depend on how a tensor core aligns and rounds, so a difference is a fault of layout,
operand or write. Limits keep every sum an integer multiple of the products' unit below 2^13, which is exact even where
an accumulator keeps 13 fraction bits (NUMERICS: Ada and Hopper FP8 units).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from suite.formats import FORMATS, decode, finite_codes

Array = np.ndarray


@cache
def digits(fmt: str) -> Array:
    """Return the distinct values used as digits of an element's index in that format, 0 first.

    For integers up to 8 bits all values; for narrow floats the multiples of 1/2 up to 8 in magnitude; for wide floats
    the integers 0 to 1023 (bf16: 255). All of them an f16 accumulator below 1024 can take up exactly.
    """
    facts = FORMATS[fmt]
    if facts.kind != "float":
        return decode(facts, np.arange(1 << min(facts.bits, 8), dtype=np.uint64))
    if facts.bits > 8:
        return np.arange(256 if fmt == "bf16" else 1024, dtype=np.float64)
    values = decode(facts, finite_codes(facts))
    distinct = np.unique(values[(np.abs(values) <= 8) & (values * 2 == np.round(values * 2))])
    return distinct[np.lexsort((distinct, np.abs(distinct)))] + 0


@cache
def small_integers(fmt: str, limit: int) -> Array:
    """Return the integers of magnitude at most `limit` that the format holds, for random operands."""
    facts = FORMATS[fmt]
    if facts.kind != "float":
        return np.arange(-limit if facts.signed else 0, limit + 1)
    if facts.bits > 8:
        return np.arange(-limit, limit + 1, dtype=np.float64)
    values: Array = np.unique(decode(facts, finite_codes(facts)))
    chosen = (np.abs(values) <= limit) & (values == np.round(values))
    return np.asarray(values[chosen] + 0)  # + 0 turns -0 into 0


def exact_integers(rng: np.random.Generator, fmt: str, shape: tuple[int, ...], limit: int) -> Array:
    """Return random integer values of the format, at most `limit` in magnitude."""
    return rng.choice(small_integers(fmt, limit), size=shape)


def random_multiplicand(rng: np.random.Generator, fmt: str, shape: tuple[int, ...]) -> Array:
    """Return random values of A or B: integers over their whole range, floats as integers of at most 4."""
    facts = FORMATS[fmt]
    if facts.kind != "float":
        return rng.choice(decode(facts, np.arange(1 << facts.bits, dtype=np.uint64)), size=shape)
    return exact_integers(rng, fmt, shape, 4)


def plane_count(fmt: str, elements: int) -> int:
    """Return how many digit planes tell `elements` elements apart."""
    base, planes = len(digits(fmt)), 1
    while base**planes < elements:
        planes += 1
    return planes


def digit_planes(fmt: str, rows: int, columns: int) -> Array:
    """Return (planes, rows, columns): plane r holds digit r of each element's row-major index.

    Together the planes are different at every element, so whatever arrives elsewhere is recognised.
    """
    values = digits(fmt)
    index = np.arange(rows * columns).reshape(rows, columns)
    return np.stack([values[index // len(values) ** r % len(values)] for r in range(plane_count(fmt, rows * columns))])


def one_hot(rows: int, columns: int, shift: int) -> Array:
    """Return a (rows, columns) selector: column j has its one 1 in row (j + shift) mod rows."""
    selector = np.zeros((rows, columns))
    column = np.arange(columns)
    selector[(column + shift) % rows, column] = 1
    return selector


# Values for the trials that need every significand bit and the whole range. Columns: odd significands of the format's
# full width; factors 2^e for A and 2^-e for B; even values near the top, for sums of which an f32 D or an f16 D needs
# more bits than f16 or bf16 has; the unit that makes such a sum odd.
_WIDE: dict[str, tuple[tuple[float, ...], int, dict[str, tuple[float, ...]], float]] = {
    #       full significands                exponent  tops by D                              unit
    "f64": ((2.0**52 + 1, 2.0**52 + 4711.0), 500, {"f64": (2.0**24, 2.0**24 + 2)}, 1),
    "tf32": ((1025, 1367, 1705, 2047), 100, {"f32": (24, 26, 28, 30)}, 1),
    "f16": ((1025, 1367, 1705, 2047), 6, {"f32": (24, 26, 28, 30), "f16": (6, 8)}, 1),
    "bf16": ((129, 171, 213, 255), 100, {"f32": (24, 26, 28, 30)}, 1),
    "e4m3": ((9, 11, 13, 15), 2, {"f32": (10, 12, 14), "f16": (6, 8)}, 1),
    "e5m2": ((5, 7), 4, {"f32": (12, 14), "f16": (6, 8)}, 1),
    "e3m2": ((5, 7), 1, {"f32": (4, 6), "f16": (3, 4)}, 0.5),
    "e2m3": ((4.5, 5.5, 6.5, 7.5), 0, {"f32": (4, 6), "f16": (3, 4)}, 0.5),
    "e2m1": ((1.5, 3, 6), 0, {"f32": (4, 6), "f16": (3, 4)}, 0.5),
}
RANDOM_TRIALS = 8
WIDE_TRIALS = 4


def trial_count(a: str, b: str, mnk: tuple[int, int, int]) -> int:
    """Return the number of trials that `matrix_trials` makes."""
    m, n, k = mnk
    planes = plane_count(a, m * k) * -(-k // n) + plane_count(b, k * n) * -(-k // m)
    return RANDOM_TRIALS + WIDE_TRIALS + planes + 2


def matrix_trials(
    rng: np.random.Generator, fmts: tuple[str, str, str], mnk: tuple[int, int, int]
) -> tuple[Array, Array, Array]:
    """Return A, B and C, trials first, for D = A * B + C: random and wide trials, and planes that name each element.

    `fmts` are the formats of A, B and C, the last of which is D's too. Selectors walk over all of K.
    """
    m, n, k = mnk
    a_fmt, b_fmt, c_fmt = fmts
    trials = trial_count(a_fmt, b_fmt, mnk)
    a = random_multiplicand(rng, a_fmt, (trials, m, k))
    b = random_multiplicand(rng, b_fmt, (trials, k, n))
    c = exact_integers(rng, c_fmt, (trials, m, n), 900 if c_fmt == "f16" else 6000)
    if FORMATS[a_fmt].kind == "float":
        widen(rng, fmts, (a[RANDOM_TRIALS:], b[RANDOM_TRIALS:], c[RANDOM_TRIALS:]))
    at = RANDOM_TRIALS + WIDE_TRIALS
    for shift in range(0, k, n):
        for plane in digit_planes(a_fmt, m, k):
            a[at], b[at], at = plane, one_hot(k, n, shift), at + 1
    for shift in range(0, k, m):
        for plane in digit_planes(b_fmt, k, n):
            a[at], b[at], at = one_hot(k, m, shift).T, plane, at + 1
    distinct = 2 * np.arange(m * n).reshape(m, n) + 1 + (2.0**52 if c_fmt == "f64" else 0)
    a[at], c[at] = 0, distinct
    b[at + 1], c[at + 1] = 0, -distinct
    return a, b, c


def widen(rng: np.random.Generator, fmts: tuple[str, str, str], trials: tuple[Array, Array, Array]) -> None:
    """Fill the first four trials with what a machine of fewer bits or less range would get wrong.

    In turn: full significands in A; in B; both ends of the exponent range; sums of many bits.
    """
    a, b, c = trials
    (_, m, k), n = a.shape, b.shape[2]
    (full_a, range_a, tops_a, unit_a), (full_b, range_b, tops_b, unit_b) = _WIDE[fmts[0]], _WIDE[fmts[1]]
    a[0], b[0], c[0] = rng.choice(full_a, (m, k)), one_hot(k, n, 0), 0
    a[1], b[1], c[1] = one_hot(k, m, 0).T, rng.choice(full_b, (k, n)), 0
    exponent = min(range_a, range_b)
    a[2], b[2] = a[2] * 2.0**exponent, b[2] * 2.0**-exponent
    d = fmts[2]
    a[3], b[3], c[3] = rng.choice(tops_a[d], (m, k)), rng.choice(tops_b[d], (k, n)), 0
    a[3, :, -1], b[3, -1] = unit_a, unit_b
