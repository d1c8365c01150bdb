"""A slow second opinion on the models: one dot at a time, in whole numbers and fractions, written from the papers.

It shares no code with `suite.numerics`. Sources: arXiv 2511.10909 (T-FDPA, ST-FDPA, GST-FDPA), IEEE 754-2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

#           exponent bits, fraction bits, bias, infinities and NaN as in IEEE
FLOATS = {
    "f64": (11, 52, 1023, True),
    "f32": (8, 23, 127, True),
    "tf32": (8, 10, 127, True),
    "f16": (5, 10, 15, True),
    "bf16": (8, 7, 127, True),
    "e5m2": (5, 2, 15, True),
    "e4m3": (4, 3, 7, False),
    "e3m2": (3, 2, 3, False),
    "e2m3": (2, 3, 1, False),
    "e2m1": (2, 1, 1, False),
    "ue4m3": (4, 3, 7, False),
}


@dataclass(frozen=True)
class Number:
    """(-1)^negative * significand * 2^exponent, or `inf`, or `nan`."""

    negative: bool
    significand: Fraction
    exponent: int
    special: str = ""

    @property
    def value(self) -> Fraction:
        magnitude = self.significand * Fraction(2) ** self.exponent
        return -magnitude if self.negative else magnitude


def take_apart(fmt: str, code: int) -> Number:
    if fmt == "ue8m0":
        return Number(False, Fraction(1), code - 127, "nan" if code == 255 else "")
    if fmt == "tf32":
        code >>= 13
    exponent_bits, fraction_bits, bias, ieee = FLOATS[fmt]
    signed = fmt != "ue4m3"
    fraction = code % 2**fraction_bits
    exponent = (code >> fraction_bits) % 2**exponent_bits
    negative = bool(signed and code >> (fraction_bits + exponent_bits) & 1)
    full = exponent == 2**exponent_bits - 1
    if ieee and full:
        return Number(negative, Fraction(0), 0, "nan" if fraction else "inf")
    if fmt in ("e4m3", "ue4m3") and full and fraction == 2**fraction_bits - 1:
        return Number(negative, Fraction(0), 0, "nan")
    hidden = 1 if exponent else 0
    return Number(negative, hidden + Fraction(fraction, 2**fraction_bits), max(exponent, 1) - bias)


def truncate(x: Fraction) -> int:
    whole = abs(x.numerator) // x.denominator
    return -whole if x < 0 else whole


def special_of(terms: list[tuple[Number, Number]], c: Number) -> str:
    """Return nan, +inf, -inf or nothing."""
    signs = set()
    for a, b in terms:
        if "nan" in (a.special, b.special):
            return "nan"
        if "inf" in (a.special, b.special):
            if any(not x.special and x.significand == 0 for x in (a, b)):
                return "nan"
            signs.add(a.negative != b.negative)
    if c.special == "nan":
        return "nan"
    if c.special == "inf":
        signs.add(c.negative)
    if len(signs) == 2:
        return "nan"
    return ("-inf" if signs.pop() else "+inf") if signs else ""


INFINITIES = {"f32": (0x7F800000, 0xFF800000), "f16": (0x7C00, 0xFC00)}
NAN = {"f32": 0x7FFFFFFF, "f16": 0x7FFF}


def pack(fmt: str, value: Fraction, cut: int | None) -> int:
    """Return the code of a value: toward zero with `cut` fraction bits kept, or to nearest even if `cut` is None."""
    exponent_bits, fraction_bits, bias, _ = FLOATS[fmt]
    if value == 0:
        return 0
    negative, magnitude = value < 0, abs(value)
    exponent = 1 - bias
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    kept = fraction_bits if cut is None else cut
    scaled = magnitude / Fraction(2) ** (exponent - kept)
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    if cut is None and (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2)):
        whole += 1
    significand = whole * 2 ** (fraction_bits - kept)
    code = significand + max(0, exponent + bias - 1) * 2**fraction_bits
    if code >= (2**exponent_bits - 1) * 2**fraction_bits:
        return INFINITIES[fmt][negative]
    return int(code | (negative and code != 0) << (exponent_bits + fraction_bits))


@dataclass(frozen=True)
class Unit:
    """Products a step, fraction bits, exponent of zeros, and fraction bits of a result cut (None: to nearest even)."""

    length: int
    fraction: int
    zero: int
    cut: int | None


def step(terms: list[tuple[Number, Number]], c: Number, d: str, unit: Unit, more: int = 0) -> int:
    """Return the code of one fused step. `more` is added to the exponent of every product (block scales)."""
    special = special_of(terms, c)
    if special:
        return NAN[d] if special == "nan" else INFINITIES[d][special == "-inf"]
    aligned = [
        (a.significand * b.significand, a.exponent + b.exponent + more, a.negative != b.negative) for a, b in terms
    ]
    aligned.append((c.significand, c.exponent, c.negative))
    aligned = [(s, e if s else unit.zero, n) for s, e, n in aligned]
    return finish(aligned, d, unit.fraction, unit.cut)


def finish(aligned: list[tuple[Fraction, int, bool]], d: str, fraction: int, cut: int | None) -> int:
    top = max(e for _, e, _ in aligned)
    total = sum(truncate((-s if n else s) * Fraction(2) ** (e - top + fraction)) for s, e, n in aligned)
    return pack(d, total * Fraction(2) ** (top - fraction), cut)


def dot(fmts: tuple[str, str, str, str], a: list[int], b: list[int], c: int, unit: Unit) -> int:
    """Return D's code of a chain of fused steps; `fmts` are those of A, B, C and D."""
    d = fmts[3]
    current = take_apart(fmts[2], c)
    code = 0
    for first in range(0, len(a), unit.length):
        chosen = slice(first, first + unit.length)
        terms = [(take_apart(fmts[0], x), take_apart(fmts[1], y)) for x, y in zip(a[chosen], b[chosen], strict=True)]
        code = step(terms, current, d, unit)
        current = take_apart(d, code)
    return code


GST_FRACTION, GST_ZERO = 35, -139


def grouped(vectors: tuple[list[int], list[int]], c: int, scale: str, sf: tuple[list[int], list[int]]) -> int:
    """Return the code of a GST-FDPA of e2m1 elements in groups of 16."""
    terms = []
    accumulator = take_apart("f32", c)
    scales = [[take_apart(scale, code & 0x7F if scale == "ue4m3" else code) for code in side] for side in sf]
    a, b = vectors
    size = len(a) // len(sf[0])
    if accumulator.special == "nan" or any(x.special for side in scales for x in side):
        return NAN["f32"]
    if accumulator.special:
        return INFINITIES["f32"][accumulator.negative]
    for first in range(0, len(a), 16):
        products = [
            take_apart("e2m1", x).value * take_apart("e2m1", y).value
            for x, y in zip(a[first : first + 16], b[first : first + 16], strict=True)
        ]
        x, y = scales[0][first // size], scales[1][first // size]
        total = sum(products, Fraction(0)) * x.significand * y.significand
        empty = not any(products) or not x.significand or not y.significand
        terms.append((abs(total), GST_ZERO if empty else x.exponent + y.exponent, total < 0))
    s = accumulator.significand
    terms.append((s, accumulator.exponent if s else GST_ZERO, accumulator.negative))
    return finish(terms, "f32", GST_FRACTION, 23)


def nearest_sum(fmt: str, x: int, y: int) -> int:
    """Return the code of the IEEE sum of two finite codes, to nearest even."""
    p, q = take_apart(fmt, x), take_apart(fmt, y)
    total = p.value + q.value
    if total == 0:
        negative = p.negative and q.negative
        return int(negative) << (sum(FLOATS[fmt][:2]))
    return pack(fmt, total, None)
