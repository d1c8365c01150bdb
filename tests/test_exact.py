"""The inputs of mma: every partial sum is exact in every order, and the planes tell all elements apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite import catalogue, verify
from suite.exact import (
    RANDOM_TRIALS,
    WIDE_TRIALS,
    digit_planes,
    digits,
    matrix_trials,
    one_hot,
    plane_count,
    trial_count,
)
from suite.formats import FORMATS, encode
from suite.probe import Case
from tests import manual_mma as manual

CASES = [case for case in catalogue.expand() if case.family == "mma_sync"]
SHAPES = ((8, 8, 4), (16, 8, 8), (16, 8, 32), (16, 8, 64))
FORMATS_OF_A = ("f16", "bf16", "tf32", "f64", "e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "s8", "u8", "s4", "u4")

# Bits of significand that a sum of products keeps. Source: IEEE 754-2019 for f16, f32 and f64; the FP8 units of sm_89
# keep 13 fraction bits below the greatest term, which holds sums of less than 2^14 units.
KEPT = {"f16": 11, "f32": 24, "f64": 53, "fp8.f32": 14}


def unit(values: np.ndarray) -> np.ndarray:
    """Return the greatest power of two that divides each value: infinite for zero."""
    mantissa, exponent = np.frexp(values)
    lowest = np.rint(np.ldexp(mantissa, 53)).astype(np.int64)
    step = np.where(lowest == 0, np.inf, np.ldexp((lowest & -lowest).astype(np.float64), exponent - 53))
    return np.asarray(step)


def widest_sum(case: Case) -> float:
    """Return the greatest sum of magnitudes of one D element's terms, in units that divide all of them."""
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in verify.inputs(case).items()}
    a, b, c = arrays["a"], arrays["b"], arrays["c"]
    if case.probe.form == "f16_quad":
        a, b = a.reshape(-1, 4, 8, 4).reshape(-1, 8, 4), b.reshape(-1, 4, 4, 8).reshape(-1, 4, 8)
        c = c.reshape(-1, 8, 8)
    if "sfa" in arrays:
        size = a.shape[2] // arrays["sfa"].shape[2]
        a = a * np.repeat(arrays["sfa"], size, axis=2)
        b = b * np.repeat(arrays["sfb"], size, axis=2).transpose(0, 2, 1)
    worst = 0.0
    for trial in range(a.shape[0]):
        terms = np.concatenate([a[trial][:, :, None] * b[trial][None], c[trial][:, None, :]], axis=1)
        worst = max(worst, float((np.abs(terms).sum(axis=1) / unit(terms).min(axis=1)).max()))
    return worst


@pytest.mark.parametrize("name", sorted({case.probe.form for case in CASES} - {"b1", "int8", "int4"}))
def test_every_partial_sum_is_exact_in_every_order(name: str) -> None:
    for case in CASES:
        if case.probe.form == name:
            read = manual.form(case.instruction)
            bits = KEPT.get(f"{name}.{read.d}", KEPT[read.d])
            assert math.log2(widest_sum(case)) <= bits, case.id


def test_a_sum_too_wide_is_seen() -> None:
    assert unit(np.array([6000.5, 12.0, 0.0])).tolist() == [0.5, 4.0, np.inf]


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_integer_sums_leave_s32_only_in_the_trials_meant_to(name: str) -> None:
    for case in CASES:
        if case.probe.form == name:
            arrays = verify.inputs(case)
            sums = abs(arrays["a"].astype(np.int64)) @ abs(arrays["b"].astype(np.int64)) + abs(arrays["c"])
            over = np.asarray((sums >= 2**31).any(axis=(1, 2)))
            signed = "s" in case.params["a"] + case.params["b"]
            assert over.tolist() == [True, signed] + [False] * (len(over) - 2), case.id


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_an_overflowing_element_moves_in_one_direction_only(name: str) -> None:
    for case in CASES:
        if case.probe.form == name:
            arrays = verify.inputs(case)
            terms = arrays["a"][:2, :, :, None].astype(np.int64) * arrays["b"][:2, None]
            assert (terms[0] >= 0).all()
            if "s" in case.params["a"] + case.params["b"]:
                assert (terms[1] <= 0).all(), case.id


@pytest.mark.parametrize("mnk", SHAPES)
@pytest.mark.parametrize("fmt", FORMATS_OF_A)
def test_counts_are_what_is_made(fmt: str, mnk: tuple[int, int, int]) -> None:
    m, n, k = mnk
    accumulator = "s32" if FORMATS[fmt].kind == "int" else "f64" if fmt == "f64" else "f32"
    a, b, c = matrix_trials(np.random.default_rng(0), (fmt, fmt, accumulator), mnk)
    count = trial_count(fmt, fmt, mnk)
    assert (a.shape, b.shape, c.shape) == ((count, m, k), (count, k, n), (count, m, n))
    zero = np.flatnonzero((c.reshape(count, -1) == 0).all(axis=1))
    assert set(zero) <= {RANDOM_TRIALS + i for i in range(WIDE_TRIALS)}
    assert (a[-2] == 0).all()
    assert (b[-1] == 0).all()


@pytest.mark.parametrize("fmt", FORMATS_OF_A)
@pytest.mark.parametrize("rows, columns", [(16, 4), (16, 64), (64, 8)])
def test_planes_tell_all_elements_apart_and_are_exact(fmt: str, rows: int, columns: int) -> None:
    planes = digit_planes(fmt, rows, columns)
    assert len(planes) == plane_count(fmt, rows * columns)
    named = {tuple(column) for column in planes.reshape(len(planes), -1).T.tolist()}
    assert len(named) == rows * columns
    encode(FORMATS[fmt], planes)
    values = digits(fmt).tolist()
    assert (values[0], len(set(values))) == (0, len(values))


@pytest.mark.parametrize("rows, columns, shift", [(4, 8, 0), (16, 8, 8), (8, 16, 3)])
def test_one_hot_selects_one_row_a_column(rows: int, columns: int, shift: int) -> None:
    selector = one_hot(rows, columns, shift)
    assert (selector.sum(axis=0) == 1).all()
    assert selector.argmax(axis=0).tolist() == [(j + shift) % rows for j in range(columns)]


@pytest.mark.parametrize("mnk", SHAPES)
@pytest.mark.parametrize("fmt", ["f16", "e2m1", "s8"])
def test_every_element_of_a_and_b_reaches_d_alone(fmt: str, mnk: tuple[int, int, int]) -> None:
    m, n, k = mnk
    a, b, _ = matrix_trials(np.random.default_rng(0), (fmt, fmt, "s32" if fmt == "s8" else "f32"), mnk)
    start = RANDOM_TRIALS + WIDE_TRIALS
    walks_a = start + plane_count(fmt, m * k) * -(-k // n)
    selected_of_a = b[start:walks_a].sum(axis=(0, 2))
    selected_of_b = a[walks_a:-2].sum(axis=(0, 1))
    assert (selected_of_a > 0).all()
    assert (selected_of_b > 0).all()
