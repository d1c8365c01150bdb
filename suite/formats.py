"""Number formats as a table of facts, with one readable encoder and decoder.

A *code* is an element's bit pattern (unsigned); a *value* is its number. Source of the table: PTX ISA 9.3,
5.2.3 (alternate floating-point formats), PTX ISA 9.4 for ue5m3, with the bias of CUDA's cuda_fp8.hpp 13.5; OCP
Microscaling Formats (MX) 1.0, section 5.3; IEEE 754-2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """One element format.

    `bits` is the width of the code; `kind` is `float`, `int` or `bits`. Floats have `exponent` and `mantissa` bits,
    `bias`, and `special`: `ieee` (infinities and NaNs at the top exponent), `nan` (only the all-ones code is NaN)
    or `none`. tf32 is held in 32 bits of which the low 13 are ignored.
    """

    name: str
    bits: int
    kind: str
    exponent: int = 0
    mantissa: int = 0
    bias: int = 0
    special: str = "none"
    signed: bool = True
    padding: int = 0

    @property
    def ptx(self) -> str:
        """Return the type as PTX spells it in an opcode."""
        return self.name


#        name     bits kind    exp man bias special signed padding (low bits of the code that are ignored)
_TABLE = (
    Format("f64", 64, "float", 11, 52, 1023, "ieee"),
    Format("f32", 32, "float", 8, 23, 127, "ieee"),
    Format("tf32", 32, "float", 8, 10, 127, "ieee", padding=13),
    Format("f16", 16, "float", 5, 10, 15, "ieee"),
    Format("bf16", 16, "float", 8, 7, 127, "ieee"),
    Format("e5m2", 8, "float", 5, 2, 15, "ieee"),
    Format("e4m3", 8, "float", 4, 3, 7, "nan"),
    Format("e3m2", 6, "float", 3, 2, 3, "none"),
    Format("e2m3", 6, "float", 2, 3, 1, "none"),
    Format("e2m1", 4, "float", 2, 1, 1, "none"),
    Format("ue8m0", 8, "float", 8, 0, 127, "nan", signed=False),
    Format("ue4m3", 8, "float", 4, 3, 7, "nan", signed=False),
    Format("ue5m3", 8, "float", 5, 3, 15, "nan", signed=False),
    Format("s64", 64, "int"),
    Format("s32", 32, "int"),
    Format("u32", 32, "int", signed=False),
    Format("s8", 8, "int"),
    Format("u8", 8, "int", signed=False),
    Format("s4", 4, "int"),
    Format("u4", 4, "int", signed=False),
    Format("b1", 1, "bits", signed=False),
    Format("b8", 8, "bits", signed=False),
    Format("b16", 16, "bits", signed=False),
    Format("b32", 32, "bits", signed=False),
    Format("b64", 64, "bits", signed=False),
)
FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}

Array = np.ndarray


def decode(fmt: Format, codes: Array) -> Array:
    """Return the values of `codes`: float64 for floats, int64 for integers and bits (uint64 for 64-bit ones)."""
    words: NDArray[np.uint64] = np.asarray(codes).astype(np.uint64)
    if fmt.kind != "float":
        return _decode_integer(fmt, words)
    if fmt.name == "f64":
        return words.view(np.float64)
    if fmt.bits <= 16:
        return np.asarray(_small_table(fmt)[words])
    widened = (words >> np.uint64(fmt.padding)) << np.uint64(fmt.padding)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return widened.astype(np.uint32).view(np.float32).astype(np.float64)


def encode(fmt: Format, values: Array) -> NDArray[np.uint64]:
    """Return the codes of `values`, each of which the format must hold exactly.

    Raises `ValueError` with the first value that it cannot hold. NaN takes the format's first NaN code.
    """
    values = np.asarray(values)
    if fmt.kind != "float":
        codes = values.astype(np.int64).astype(np.uint64) & np.uint64((1 << fmt.bits) - 1)
    elif fmt.name == "f64":
        codes = values.astype(np.float64).view(np.uint64).copy()
    elif fmt.name == "f16":  # numpy's own, which is faster than a table
        with np.errstate(over="ignore", under="ignore"):
            codes = values.astype(np.float16).view(np.uint16).astype(np.uint64)
        codes = np.where(np.isnan(values), np.uint64(0x7C01), codes)
    elif fmt.bits <= 16:
        codes = _nearest_code(fmt, values.astype(np.float64))
    else:
        with np.errstate(over="ignore"):  # what overflows is refused below
            codes = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    _require_exact(fmt, values, codes)
    return codes


def finite_codes(fmt: Format) -> NDArray[np.uint64]:
    """Return all codes of a format of at most 16 bits whose value is finite, in code order."""
    codes = np.arange(1 << fmt.bits, dtype=np.uint64)
    return codes[np.isfinite(decode(fmt, codes).astype(np.float64))]


def _decode_integer(fmt: Format, codes: NDArray[np.uint64]) -> Array:
    if fmt.bits == 64:
        return codes.view(np.int64) if fmt.signed else codes
    shift = np.int64(64 - fmt.bits)
    if fmt.signed:
        return (codes.view(np.int64) << shift) >> shift
    return codes.astype(np.int64)


def _value(fmt: Format, code: int) -> float:
    """Return the value of one code: the readable definition that the tables are built from."""
    mantissa = code & ((1 << fmt.mantissa) - 1)
    exponent = (code >> fmt.mantissa) & ((1 << fmt.exponent) - 1)
    sign = -1.0 if fmt.signed and code >> (fmt.bits - 1) else 1.0
    top = (1 << fmt.exponent) - 1
    magnitude_code = code & ((1 << (fmt.exponent + fmt.mantissa)) - 1)
    if fmt.special == "ieee" and exponent == top:
        return float("nan") if mantissa else sign * float("inf")
    if fmt.special == "nan" and magnitude_code == (1 << (fmt.exponent + fmt.mantissa)) - 1:
        return float("nan")
    if fmt.mantissa == 0:  # ue8m0 has no zero and no subnormals: code 0 is 2^-127
        return float(2.0 ** (exponent - fmt.bias))
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - fmt.bias - fmt.mantissa)
    return sign * (1 + mantissa / (1 << fmt.mantissa)) * 2.0 ** (exponent - fmt.bias)


@cache
def _small_table(fmt: Format) -> NDArray[np.float64]:
    return np.array([_value(fmt, code) for code in range(1 << fmt.bits)], dtype=np.float64)


@cache
def _code_of_value(fmt: Format) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    table = _small_table(fmt)
    codes = np.flatnonzero(~np.isnan(table))
    order = codes[np.argsort(table[codes], kind="stable")]
    return table[order], order.astype(np.uint64)


def _nearest_code(fmt: Format, values: NDArray[np.float64]) -> NDArray[np.uint64]:
    table, codes = _code_of_value(fmt)
    index = np.clip(np.searchsorted(table, values), 0, len(table) - 1)
    found = codes[index]
    if fmt.signed:  # -0 and +0 compare equal: keep the sign that the value has
        zero = values == 0
        found = np.where(zero, np.where(np.signbit(values), np.uint64(1 << (fmt.bits - 1)), np.uint64(0)), found)
    if fmt.special != "none":
        nan = np.uint64(np.flatnonzero(np.isnan(_small_table(fmt)))[0])
        found = np.where(np.isnan(values), nan, found)
    return np.asarray(found, dtype=np.uint64)


def _require_exact(fmt: Format, values: Array, codes: NDArray[np.uint64]) -> None:
    back = decode(fmt, codes)
    if values.dtype.kind in "iu" and back.dtype.kind == "f":  # compared as floats, 2^53 + 1 would equal 2^53
        back = back.astype(values.dtype)
    same = back == values
    if values.dtype.kind == "f":
        same |= np.isnan(values) & np.isnan(back.astype(np.float64))
    if not np.all(same):
        first = values[~same].flat[0]
        raise ValueError(f"{fmt.name} cannot hold {first!r} exactly")
