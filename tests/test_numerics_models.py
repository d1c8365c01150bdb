"""The models against a slow second opinion, and the codes against an independent library."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.formats import FORMATS
from suite.numerics import chains
from suite.numerics.decode import NOTHING, parts, scales
from suite.numerics.fdpa import Step
from suite.numerics.models import Bits, Doubles, Fused, Grouped, Halves, Integers, Once, Sequential, run
from suite.numerics.operation import Operation
from tests import numeric_reference as reference

LIBRARY = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "ue8m0": ml_dtypes.float8_e8m0fnu,
}
CUT = {"RZ-FP32": 23, "RZ-E8M13": 13, "RNE-FP16": None}


@pytest.mark.parametrize("fmt", LIBRARY)
def test_every_code_has_the_value_that_ml_dtypes_gives_it(fmt: str) -> None:
    codes = np.arange(1 << FORMATS[fmt].bits, dtype=np.uint64)
    narrow = codes.astype(np.uint16 if FORMATS[fmt].bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):
        expected = narrow.view(LIBRARY[fmt]).astype(np.float64)
    np.testing.assert_array_equal(parts(fmt, codes).value, expected)


@pytest.mark.parametrize("fmt", [*LIBRARY, "ue4m3"])
def test_every_exponent_is_that_of_the_field(fmt: str) -> None:
    codes = np.arange(1 << FORMATS[fmt].bits, dtype=np.uint64)
    taken = (scales if fmt == "ue4m3" else parts)(fmt, codes)
    for code in codes.tolist():
        number = reference.take_apart(fmt, code & 0x7F if fmt == "ue4m3" else code)
        want = number.exponent if number.significand and not number.special else NOTHING
        assert taken.exponent[code] == want, hex(code)


def test_tf32_drops_the_low_bits_even_of_a_nan() -> None:
    codes = np.array([0x3F801FFF, 0x7F800001, 0x7F802000], dtype=np.uint64)
    np.testing.assert_array_equal(parts("tf32", codes).value, [1.0, np.inf, np.nan])


# (A, C and D, L, step): one line an arithmetic that a unit has.
STEPS = [
    ("f16", "f32", 4, Step(23, -131, "RZ-FP32")),
    ("f16", "f32", 8, Step(24, -132, "RZ-FP32")),
    ("f16", "f32", 16, Step(25, -133, "RZ-FP32")),
    ("bf16", "f32", 8, Step(24, -132, "RZ-FP32")),
    ("bf16", "f32", 16, Step(25, -133, "RZ-FP32")),
    ("tf32", "f32", 4, Step(24, -132, "RZ-FP32")),
    ("tf32", "f32", 8, Step(25, -133, "RZ-FP32")),
    ("f16", "f16", 4, Step(23, -19, "RNE-FP16")),
    ("f16", "f16", 8, Step(24, -20, "RNE-FP16")),
    ("f16", "f16", 16, Step(25, -21, "RNE-FP16")),
    ("e4m3", "f32", 16, Step(13, -132, "RZ-E8M13")),
    ("e5m2", "f32", 32, Step(13, -133, "RZ-E8M13")),
    ("e4m3", "f16", 32, Step(13, -21, "RNE-FP16")),
    ("e5m2", "f32", 32, Step(25, -133, "RZ-FP32")),
    ("e3m2", "f32", 32, Step(25, -133, "RZ-FP32")),
    ("e2m3", "f16", 32, Step(25, -21, "RNE-FP16")),
    ("e2m1", "f32", 32, Step(25, -133, "RZ-FP32")),
]
ANY_BITS = "any bits"
NEAR = "near"


def codes(rng: np.random.Generator, fmt: str, shape: tuple[int, ...], how: str) -> np.ndarray:
    """Return any bit patterns, or numbers whose exponents lie together (sums that cancel, subnormals too)."""
    found = rng.integers(0, 1 << FORMATS[fmt].bits, shape, dtype=np.uint64)
    facts = FORMATS[fmt]
    if how == NEAR and facts.mantissa + facts.exponent > 4:
        low = rng.choice([0, (1 << facts.exponent) // 2])
        field = rng.integers(low, low + 6, shape, dtype=np.uint64) if facts.exponent > 3 else None
        if field is not None:
            at = facts.mantissa + facts.padding
            found = (found & ~np.uint64(((1 << facts.exponent) - 1) << at)) | field << np.uint64(at)
    return np.where(rng.random(shape) < 0.15, found & np.uint64(1 << (facts.bits - 1)), found)


def arrays_of(seed: int, op: Operation, how: str, trials: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "a": codes(rng, op.a, (trials, op.m, op.k), how),
        "b": codes(rng, op.b, (trials, op.columns, op.n), how),
        "c": codes(rng, op.c, (trials, op.m, op.n), how),
    }


@pytest.mark.parametrize("unit", STEPS)
@pytest.mark.parametrize("how", [ANY_BITS, NEAR])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_t_fdpa_is_that_of_the_reference(unit: tuple[str, str, int, Step], how: str, seed: int) -> None:
    fmt, d, length, step = unit
    op = Operation(fmt, fmt, d, d, 3, 3, 2 * length)
    arrays = arrays_of(seed, op, how)
    found = run(Fused(step, length), op, arrays)
    for i in range(op.m):
        for j in range(op.n):
            a, b = arrays["a"][0, i].tolist(), arrays["b"][0, :, j].tolist()
            fmts = (fmt, fmt, d, d)
            c = int(arrays["c"][0, i, j])
            want = reference.dot(fmts, a, b, c, reference.Unit(length, step.fraction, step.zero, CUT[step.rounding]))
            assert int(found[0, i, j]) == want, (i, j, hex(int(found[0, i, j])), hex(want))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), half=st.booleans())
def test_emulated_fp8_is_two_products_and_an_addition(seed: int, half: bool) -> None:
    d = "f16" if half else "f32"
    op = Operation("e4m3", "e5m2", d, d, 3, 3, 32)
    arrays = arrays_of(seed, op, NEAR)
    step = Step(25, -21, "RNE-FP16") if half else Step(25, -133, "RZ-FP32")
    found = run(Halves(step), op, arrays)
    order = [k for k in range(32) if k % 4 < 2] + [k for k in range(32) if k % 4 > 1]
    for i in range(3):
        a, b = arrays["a"][0, i, order].tolist(), arrays["b"][0, order, i].tolist()
        unit = reference.Unit(16, step.fraction, step.zero, CUT[step.rounding])
        t = reference.dot(("e4m3", "e5m2", d, d), a, b, 0, unit)
        c = int(arrays["c"][0, i, i])
        if all(not reference.take_apart(d, code).special for code in (t, c)):
            assert int(found[0, i, i]) == reference.nearest_sum(d, t, c)


def scaled(seed: int, op: Operation) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    middle = {"ue8m0": (100, 150), "ue4m3": (0, 256)}[op.scale]
    whole = rng.random() < 0.2
    return arrays_of(seed, op, NEAR) | {
        name: rng.integers(*((0, 256) if whole else middle), (1, count, op.blocks)).astype(np.uint64)
        for name, count in (("sfa", op.m), ("sfb", op.n))
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), fmt=st.sampled_from(["e4m3", "e5m2", "e3m2", "e2m3", "e2m1"]))
def test_st_fdpa_is_that_of_the_reference(seed: int, fmt: str) -> None:
    op = Operation(fmt, fmt, "f32", "f32", 3, 3, 32, scale="ue8m0", blocks=1)
    arrays = scaled(seed, op)
    found = run(Fused(Step(25, -133, "RZ-FP32"), 32), op, arrays)
    for i in range(3):
        x, y = int(arrays["sfa"][0, i, 0]), int(arrays["sfb"][0, i, 0])
        terms = [
            (reference.take_apart(fmt, p), reference.take_apart(fmt, q))
            for p, q in zip(arrays["a"][0, i].tolist(), arrays["b"][0, :, i].tolist(), strict=True)
        ]
        c = reference.take_apart("f32", int(arrays["c"][0, i, i]))
        want = reference.step(terms, c, "f32", reference.Unit(32, 25, -133, 23), x - 127 + y - 127)
        assert int(found[0, i, i]) == (0x7FFFFFFF if 255 in (x, y) else want)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.sampled_from(["ue8m0", "ue4m3"]), blocks=st.sampled_from([2, 4]))
def test_gst_fdpa_is_that_of_the_reference(seed: int, scale: str, blocks: int) -> None:
    op = Operation("e2m1", "e2m1", "f32", "f32", 3, 3, 64, scale=scale, blocks=blocks)
    arrays = scaled(seed, op)
    found = run(Grouped(Step(35, -139, "RZ-FP32")), op, arrays)
    for i in range(3):
        a, b = arrays["a"][0, i].tolist(), arrays["b"][0, :, i].tolist()
        x, y = arrays["sfa"][0, i].tolist(), arrays["sfb"][0, i].tolist()
        want = reference.grouped((a, b), int(arrays["c"][0, i, i]), scale, (x, y))
        assert int(found[0, i, i]) == want


def as_f64(value: Fraction, direction: str) -> float:
    """Return a value rounded to f64, by trying the neighbours of a guess."""
    guess = value.numerator / value.denominator
    low, high = sorted((guess, float(np.nextafter(guess, np.inf if Fraction(guess) < value else -np.inf))))
    if Fraction(guess) == value:
        return guess
    toward_zero = low if value > 0 else high
    return {"rn": guess, "rm": low, "rp": high, "rz": toward_zero}[direction]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda x: x == 0 or 1e-140 < abs(x) < 1e140)


@settings(max_examples=200, deadline=None)
@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, direction=st.sampled_from(["rn", "rz", "rm", "rp"]))
def test_fma_rounds_once_in_every_direction(a: float, b: float, c: float, direction: str) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact:
        found = chains.fma(np.array([a]), np.array([b]), np.array([c]), direction)[0]
        assert found == as_f64(exact, direction)


@pytest.mark.parametrize("direction", ["rn", "rz", "rm", "rp"])
def test_fma_of_f64_at_its_ends(direction: str) -> None:
    most, least = float(np.finfo(np.float64).max), 5e-324
    triples = [(most, 2.0, 0.0), (-most, 2.0, 0.0), (least, 0.5, 0.0), (least, -0.5, 0.0), (most, 1.0, -most)]
    a, b, c = (np.array(column) for column in zip(*triples, strict=True))
    up, down = direction in ("rp",), direction in ("rm",)
    inward = direction == "rz"
    want = [
        most if inward or down else np.inf,
        -most if inward or up else -np.inf,
        least if up else 0.0,
        -least if down else -0.0,
        -0.0 if down else 0.0,
    ]
    found = chains.fma(a, b, c, direction)
    assert [struct.pack("d", x) for x in found[:2]] == [struct.pack("d", x) for x in want[:2]]
    np.testing.assert_array_equal(found, want)
    assert np.signbit(found[4]) == np.signbit(want[4])


def test_an_infinite_c_stays_whatever_finite_factors_come() -> None:
    """An H200 shows it: their product is no infinity, though it lies past the range."""
    a, b, c = np.array([1e300, 1e300, np.inf]), np.array([-1e300, 1e300, -1.0]), np.array([np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(chains.fma(a, b, c, "rn"), [np.inf, np.inf, np.nan])


def test_a_widened_c_is_aligned_as_f32() -> None:
    """A subnormal f16 C that was made f32 first does not lift the exponent at which products are cut."""
    op = Operation("f16", "f16", "f16", "f32", 1, 1, 16)
    arrays = {"a": np.zeros((1, 1, 16), np.uint64), "b": np.zeros((1, 16, 1), np.uint64)}
    arrays["a"][0, 0, :2], arrays["b"][0, :2, 0] = (0x0001, 0x0401), (0x0001, 0x0401)
    arrays["c"] = np.full((1, 1, 1), 0x0001, np.uint64)
    step = Step(25, -133, "RZ-FP32")
    plain, widened = (run(Fused(step, 16, widened=w), op, arrays)[0, 0, 0] for w in (False, True))
    assert plain != widened


def test_an_f32_result_that_is_packed_to_f16_keeps_the_sign_of_a_zero() -> None:
    """An H200 shows it where a unit gives f32 and F2FP makes D of it."""
    op = Operation("f16", "f16", "f32", "f16", 1, 1, 16)
    arrays = {"a": np.zeros((1, 1, 16), np.uint64), "b": np.zeros((1, 16, 1), np.uint64)}
    arrays["c"] = np.full((1, 1, 1), 0x80000001, np.uint64)
    assert run(Fused(Step(25, -133, "RZ-FP32"), 16), op, arrays)[0, 0, 0] == 0x8000
    assert run(Fused(Step(25, -21, "RNE-FP16"), 16), op, arrays)[0, 0, 0] == 0x0000


def test_a_chain_of_f64_goes_up_in_k() -> None:
    op = Operation("f64", "f64", "f64", "f64", 1, 1, 4)
    values = np.array([2.0**53, 1.0, 1.0, 1.0])
    a = values.view(np.uint64).reshape(1, 1, 4)
    b = np.ones((1, 4, 1)).view(np.uint64)
    arrays = {"a": a, "b": b, "c": np.zeros((1, 1, 1), dtype=np.uint64)}
    assert run(Doubles(), op, arrays).view(np.float64)[0, 0, 0] == 2.0**53
    arrays["a"] = a[:, :, ::-1].copy()
    assert run(Doubles(), op, arrays).view(np.float64)[0, 0, 0] == 2.0**53 + 4


def test_integers_wrap_or_clamp() -> None:
    a, b = np.full((1, 1, 2), 100, dtype=np.uint64), np.full((1, 2, 1), 100, dtype=np.uint64)
    b[0, 1] = 0x9C  # -100
    arrays = {"a": a, "b": b, "c": np.full((1, 1, 1), 0x7FFFFFFF, dtype=np.uint64)}
    op = Operation("s8", "s8", "s32", "s32", 1, 1, 2)
    clamped = Operation("s8", "s8", "s32", "s32", 1, 1, 2, satfinite=True)
    assert int(run(Integers(), op, arrays)[0, 0, 0]) == 0x7FFFFFFF
    assert int(run(Integers(), clamped, arrays)[0, 0, 0]) == 0x7FFFFFFF
    assert int(run(Integers(length=1), clamped, arrays)[0, 0, 0]) == 0x7FFFFFFF - 10000
    arrays["b"] = np.full((1, 2, 1), 100, dtype=np.uint64)
    assert int(run(Integers(), op, arrays)[0, 0, 0]) == 0x7FFFFFFF + 20000
    assert int(run(Integers(), clamped, arrays)[0, 0, 0]) == 0x7FFFFFFF


@pytest.mark.parametrize("kind, count", [("and", lambda x, y: x & y), ("xor", lambda x, y: x ^ y)])
def test_bits_are_counted(kind: str, count: Callable[[int, int], int]) -> None:
    rng = np.random.default_rng(1)
    op = Operation("b1", "b1", "s32", "s32", 2, 2, 128, bits=kind)
    a, b = rng.integers(0, 2, (1, 2, 128), dtype=np.uint64), rng.integers(0, 2, (1, 128, 2), dtype=np.uint64)
    c = np.full((1, 2, 2), 0xFFFFFFFF, dtype=np.uint64)
    found = run(Bits(), op, {"a": a, "b": b, "c": c})
    want = sum(count(int(x), int(y)) for x, y in zip(a[0, 1], b[0, :, 0], strict=True)) - 1
    assert int(found[0, 1, 0]) == want % 2**32


def test_sparse_products_are_those_of_the_gathered_rows() -> None:
    rng = np.random.default_rng(2)
    sparse = Operation("f16", "f16", "f32", "f32", 4, 4, 8, width=16)
    arrays = arrays_of(3, sparse, NEAR)
    arrays["at"] = np.sort(np.stack([rng.permutation(16)[:8] for _ in range(4)]), axis=1)[None]
    model = Fused(Step(25, -133, "RZ-FP32"), 8)
    found = run(model, sparse, arrays)
    dense = Operation("f16", "f16", "f32", "f32", 1, 4, 8)
    for row in range(4):
        one = {
            "a": arrays["a"][:, row : row + 1],
            "b": arrays["b"][:, arrays["at"][0, row]],
            "c": arrays["c"][:, row : row + 1],
        }
        np.testing.assert_array_equal(found[:, row : row + 1], run(model, dense, one))


def test_other_arithmetics_differ_and_are_what_they_say() -> None:
    op = Operation("f16", "f16", "f32", "f32", 4, 4, 16)
    rng = np.random.default_rng(4)
    arrays = {
        "a": rng.standard_normal((1, 4, 16)).astype(np.float16).view(np.uint16).astype(np.uint64),
        "b": rng.standard_normal((1, 16, 4)).astype(np.float16).view(np.uint16).astype(np.uint64),
        "c": rng.standard_normal((1, 4, 4)).astype(np.float32).view(np.uint32).astype(np.uint64),
    }
    a, b = (arrays[name].astype(np.uint16).view(np.float16) for name in "ab")
    c = arrays["c"].astype(np.uint32).view(np.float32)
    for i in range(4):
        for j in range(4):
            terms = [Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[0, i], b[0, :, j], strict=True)]
            total = Fraction(float(c[0, i, j]))
            want = reference.pack("f32", sum(terms, total), None)
            assert int(run(Once("RNE-FP32"), op, arrays)[0, i, j]) == want
            code = 0
            for term in terms:
                code = reference.pack("f32", total + term, None)
                total = reference.take_apart("f32", code).value
            assert int(run(Sequential(), op, arrays)[0, i, j]) == code
