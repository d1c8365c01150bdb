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
    values = np.unique(decode(facts, finite_codes(facts)))
    return values[(np.abs(values) <= limit) & (values == np.round(values))] + 0  # + 0 turns -0 into 0


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


RANDOM_TRIALS = 8


def trial_count(a: str, b: str, mnk: tuple[int, int, int]) -> int:
    """Return the number of trials that `matrix_trials` makes."""
    m, n, k = mnk
    return RANDOM_TRIALS + plane_count(a, m * k) * -(-k // n) + plane_count(b, k * n) * -(-k // m) + 2


def matrix_trials(
    rng: np.random.Generator, fmts: tuple[str, str, str], mnk: tuple[int, int, int]
) -> tuple[Array, Array, Array]:
    """Return A, B and C, trials first, for D = A * B + C: random trials, and planes that name each element.

    `fmts` are the formats of A, B and C. Selectors walk over all of K; C is never all zero.
    """
    m, n, k = mnk
    a_fmt, b_fmt, c_fmt = fmts
    trials = trial_count(a_fmt, b_fmt, mnk)
    a = random_multiplicand(rng, a_fmt, (trials, m, k))
    b = random_multiplicand(rng, b_fmt, (trials, k, n))
    c = exact_integers(rng, c_fmt, (trials, m, n), 900 if c_fmt == "f16" else 6000)
    at = RANDOM_TRIALS
    for shift in range(0, k, n):
        for plane in digit_planes(a_fmt, m, k):
            a[at], b[at], at = plane, one_hot(k, n, shift), at + 1
    for shift in range(0, k, m):
        for plane in digit_planes(b_fmt, k, n):
            a[at], b[at], at = one_hot(k, m, shift).T, plane, at + 1
    distinct = np.arange(1, m * n + 1).reshape(m, n)
    a[at], c[at] = 0, distinct
    b[at + 1], c[at + 1] = 0, -distinct
    return a, b, c
