"""Float arithmetic one exact rational at a time: correctly rounded sums, products, quotients and roots of f32 and f64.

Slow and readable; results are codes, or None where the manual leaves a code open (a NaN) or an operation has none.
Sources: IEEE 754-2019, 4.3 and 6.3; PTX ISA 9.3, 9.7.3.3 to 9.7.3.8, 9.7.3.13 and 9.7.3.15.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction

from suite.formats import FORMATS

_CODES = {"f32": ("<f", "<I"), "f64": ("<d", "<Q")}


def value(fmt: str, code: int) -> float:
    """Return the value of a code of f32 or f64."""
    real, integer = _CODES[fmt]
    return float(struct.unpack(real, struct.pack(integer, code))[0])


def code(fmt: str, number: float) -> int:
    """Return the code of a value that the format holds; of NaN, its first quiet one."""
    real, integer = _CODES[fmt]
    return int(struct.unpack(integer, struct.pack(real, number))[0])


def rounded(fmt: str, exact: Fraction, direction: str) -> float:
    """Return a non-zero rational rounded to a format: rn, rz, rm or rp. Too great becomes infinity or the largest."""
    facts = FORMATS[fmt]
    magnitude = abs(exact)
    exponent = max(_exponent(magnitude), 1 - facts.bias) - facts.mantissa
    unit = Fraction(2) ** exponent
    whole, rest = divmod(magnitude, unit)
    whole += _up(direction, exact < 0, rest / unit, whole % 2 == 1)
    sign = 1 if exact > 0 else -1
    if whole * unit >= Fraction(2) ** (facts.bias + 1):
        inward = direction in ("rz", "rm" if exact > 0 else "rp")
        return sign * (_largest(fmt) if inward else math.inf)
    return math.copysign(float(whole * unit), sign)


def _exponent(magnitude: Fraction) -> int:
    """Return e with 2^e <= magnitude < 2^(e+1)."""
    guess = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return guess if Fraction(2) ** guess <= magnitude else guess - 1


def _up(direction: str, negative: bool, rest: Fraction, odd: bool) -> bool:
    """Tell whether a magnitude is rounded away from zero, `rest` of a unit above what is kept."""
    if direction == "rn":
        return rest > Fraction(1, 2) or (rest == Fraction(1, 2) and odd)
    return rest > 0 and direction == ("rm" if negative else "rp")


def _largest(fmt: str) -> float:
    facts = FORMATS[fmt]
    return math.ldexp(2 - 2.0**-facts.mantissa, facts.bias)


def _sum(x: float, y: float) -> Fraction | float:
    """Return x + y: a float where it is infinite or NaN."""
    return Fraction(x) + Fraction(y) if math.isfinite(x) and math.isfinite(y) else x + y


def add(fmt: str, direction: str, x: float, y: float) -> float:
    """Return x + y; an exact zero of opposite signs is +0, under rm -0."""
    exact = _sum(x, y)
    if isinstance(exact, float):
        return exact
    if exact == 0:
        return _zero(direction, x, y)
    return rounded(fmt, exact, direction)


def _zero(direction: str, x: float, y: float) -> float:
    both = math.copysign(1, x) + math.copysign(1, y)
    return math.copysign(0.0, both if both else (-1 if direction == "rm" else 1))


def mul(fmt: str, direction: str, x: float, y: float) -> float:
    """Return x * y."""
    if not (math.isfinite(x) and math.isfinite(y)) or 0 in (x, y):
        return x * y
    return rounded(fmt, Fraction(x) * Fraction(y), direction)


def fma(fmt: str, direction: str, x: float, y: float, z: float) -> float:
    """Return x * y + z, rounded once."""
    if not all(map(math.isfinite, (x, y, z))):
        return (math.copysign(1.0, x * y) if math.isfinite(x) and math.isfinite(y) else x * y) + z
    product = Fraction(x) * Fraction(y)
    exact = product + Fraction(z)
    if exact:
        return rounded(fmt, exact, direction)
    if product:  # it cancels z
        return -0.0 if direction == "rm" else 0.0
    return _zero(direction, math.copysign(0.0, math.copysign(1, x) * math.copysign(1, y)), z)


def div(fmt: str, direction: str, x: float, y: float) -> float:
    """Return x / y."""
    sign = math.copysign(1, x) * math.copysign(1, y)
    if math.isnan(x) or math.isnan(y) or (x == 0 and y == 0) or (math.isinf(x) and math.isinf(y)):
        return math.nan
    if math.isinf(x) or y == 0:
        return math.copysign(math.inf, sign)
    if x == 0 or math.isinf(y):
        return math.copysign(0.0, sign)
    return rounded(fmt, Fraction(x) / Fraction(y), direction)


def rcp(fmt: str, direction: str, x: float) -> float:
    """Return 1 / x."""
    return div(fmt, direction, 1.0, x)


def sqrt(fmt: str, direction: str, x: float) -> float:
    """Return the square root of x; that of -0 is -0."""
    if math.isnan(x) or x < 0:
        return math.nan
    if x == 0 or math.isinf(x):
        return x
    number = Fraction(x)
    shift = 2 * 1200  # of which the root keeps half: more bits than any format and direction needs
    scaled = (number.numerator << shift) // number.denominator  # exact: denominators are powers of two below 2^shift
    root = math.isqrt(scaled)
    return rounded(fmt, Fraction(2 * root + (root * root != scaled), 1 << (shift // 2 + 1)), direction)


OPERATIONS: dict[str, Callable[..., float]] = {
    "add": add,
    "sub": lambda fmt, direction, x, y: add(fmt, direction, x, -y),
    "mul": mul,
    "fma": fma,
    "mad": fma,
    "div": div,
    "rcp": rcp,
    "sqrt": sqrt,
}
