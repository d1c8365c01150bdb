"""Number formats against ml_dtypes, code by code, and the refusal of what a format cannot hold."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.formats import FORMATS, decode, encode, finite_codes

REFERENCES: dict[str, Any] = {
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "ue8m0": ml_dtypes.float8_e8m0fnu,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
}
SMALL_FLOATS = (*REFERENCES, "ue4m3", "ue5m3")
INTEGERS = tuple(name for name, facts in FORMATS.items() if facts.kind != "float" and facts.bits < 64)


def all_codes(name: str) -> np.ndarray:
    return np.arange(1 << FORMATS[name].bits, dtype=np.uint64)


@pytest.mark.parametrize("name", REFERENCES)
def test_every_code_is_the_references_number(name: str) -> None:
    codes = all_codes(name)
    narrow = codes.astype(np.uint16 if FORMATS[name].bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):  # the reference casts signalling NaNs
        reference = narrow.view(REFERENCES[name]).astype(np.float64)
    found = decode(FORMATS[name], codes).astype(np.float64)
    np.testing.assert_array_equal(found, reference)
    np.testing.assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(reference[~np.isnan(reference)]))


def test_ue4m3_is_e4m3_whose_sign_bit_is_ignored() -> None:
    codes = all_codes("ue4m3")
    e4m3 = (codes & np.uint64(0x7F)).astype(np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    np.testing.assert_array_equal(decode(FORMATS["ue4m3"], codes), e4m3)


def test_ue5m3_is_f16_cut_short_but_for_the_top_exponent() -> None:
    codes = all_codes("ue5m3")
    halves = (codes << np.uint64(7)).astype(np.uint16).view(np.float16).astype(np.float64)
    values = decode(FORMATS["ue5m3"], codes)
    np.testing.assert_array_equal(values[:0xF8], halves[:0xF8])
    assert values[0xF8:0xFF].tolist() == [8192.0 * eighths for eighths in range(8, 15)]
    assert np.isnan(values[0xFF])


@pytest.mark.parametrize("name", SMALL_FLOATS)
def test_finite_codes_come_back(name: str) -> None:
    codes = finite_codes(FORMATS[name])
    codes = codes[codes < 128] if name == "ue4m3" else codes
    np.testing.assert_array_equal(encode(FORMATS[name], decode(FORMATS[name], codes)), codes)


#        format   largest finite         finite codes    Source: OCP MX 1.0, 5.3; IEEE 754-2019
LIMITS = (
    ("e4m3", 448.0, 254),
    ("e5m2", 57344.0, 248),
    ("e3m2", 28.0, 64),
    ("e2m3", 7.5, 64),
    ("e2m1", 6.0, 16),
    ("ue8m0", 2.0**127, 255),
    ("ue4m3", 448.0, 254),
    ("ue5m3", 114688.0, 255),
    ("f16", 65504.0, 63488),
    ("bf16", 3.3895313892515355e38, 65280),
)


@pytest.mark.parametrize("name, largest, count", LIMITS)
def test_largest_value_and_number_of_finite_codes(name: str, largest: float, count: int) -> None:
    values = decode(FORMATS[name], finite_codes(FORMATS[name])).astype(np.float64)
    assert (values.max(), values.size) == (largest, count)
    with pytest.raises(ValueError, match="exactly"):
        encode(FORMATS[name], np.array([largest * 1.0625]))


@pytest.mark.parametrize("name", SMALL_FLOATS)
def test_a_value_between_two_codes_is_refused(name: str) -> None:
    values = np.unique(decode(FORMATS[name], finite_codes(FORMATS[name])).astype(np.float64))
    between = (values[:-1] + values[1:]) / 2
    for value in between[:: max(1, len(between) // 40)]:
        with pytest.raises(ValueError, match="exactly"):
            encode(FORMATS[name], np.array([values[0], value]))


#        format  values that it cannot hold
REFUSED = (
    ("f32", 1 + 2.0**-24),
    ("f32", 2**24 + 1),
    ("f64", 2**53 + 1),
    ("tf32", 1 + 2.0**-11),
    ("s8", 128),
    ("s8", -129),
    ("u8", 256),
    ("u8", -1),
    ("s4", 8),
    ("u4", 16),
    ("b1", 2),
    ("s32", 2**31),
    ("s32", -(2**31) - 1),
    ("u32", -1),
    ("u32", 2**32),
    ("s8", 0.5),
    ("s64", 0.5),
    ("b64", -1),
    ("e2m1", float("nan")),
    ("e3m2", float("inf")),
    ("e4m3", float("inf")),
    ("ue8m0", 0.0),
    ("ue8m0", -1.0),
    ("ue4m3", -0.5),
)


@pytest.mark.parametrize("name, value", REFUSED)
def test_what_a_format_cannot_hold_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        encode(FORMATS[name], np.array([value]))


def test_a_value_beyond_f32_is_refused_without_a_warning() -> None:
    with pytest.raises(ValueError, match="f32"):
        encode(FORMATS["f32"], np.array([1e300]))


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_and_bits_come_back(name: str) -> None:
    facts = FORMATS[name]
    codes = np.array([0, 1, (1 << facts.bits) - 1, 1 << (facts.bits - 1), (1 << (facts.bits - 1)) - 1], dtype=np.uint64)
    codes = codes & np.uint64((1 << facts.bits) - 1)
    values = decode(facts, codes)
    assert (values.min() < 0) == facts.signed
    np.testing.assert_array_equal(encode(facts, values), codes)


@pytest.mark.parametrize("name", ["s64", "b64", "f64"])
def test_64_bit_codes_come_back(name: str) -> None:
    codes = np.array([0, 1, 0x3FF0000000000001, 0x8000000000000000, 0xBFF0000000000000], dtype=np.uint64)
    np.testing.assert_array_equal(encode(FORMATS[name], decode(FORMATS[name], codes)), codes)


@given(st.integers(0, 2**32 - 1))
def test_tf32_ignores_its_low_13_bits(code: int) -> None:
    low = decode(FORMATS["tf32"], np.array([code | 0x1FFF], dtype=np.uint64))
    np.testing.assert_array_equal(low, decode(FORMATS["tf32"], np.array([code & ~0x1FFF], dtype=np.uint64)))


def test_tf32_keeps_its_lowest_mantissa_bit() -> None:
    one, next_one = decode(FORMATS["tf32"], np.array([0x3F800000, 0x3F802000], dtype=np.uint64)).tolist()
    assert (one, next_one) == (1.0, 1 + 2.0**-10)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "f16", "bf16", "e2m1", "e3m2", "e2m3", "f32", "f64"])
def test_the_sign_of_zero_is_kept(name: str) -> None:
    negative, positive = encode(FORMATS[name], np.array([-0.0, 0.0])).tolist()
    assert (negative, positive) == (1 << (FORMATS[name].bits - 1), 0)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "f16", "bf16", "ue8m0", "ue4m3", "f32", "f64"])
def test_nan_stays_nan(name: str) -> None:
    assert np.isnan(decode(FORMATS[name], encode(FORMATS[name], np.array([np.nan])))).all()
