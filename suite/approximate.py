"""Oracle of instructions with a stated error bound: the kernel itself tells whether each result lies within it.

Bounds are those of the manual, widened by what the result's format adds: a spacing of its subnormals, and infinity
above its largest value. Where the manual states none - for NaN, an angle beyond 100 pi, a divisor beyond 2^126 - the
inputs are replaced by ones. Sources: PTX ISA 9.3, 9.7.3.8, 9.7.3.13 to 9.7.3.22, 9.7.4.9 and 9.7.4.10.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import rounding
from suite.elementwise import TYPES, join, register
from suite.floats import ELEMENTS, ONES, any_codes
from suite.formats import FORMATS
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.rounding import Values

ANGLES = (2 * np.pi, 100 * np.pi)

# What each instruction computes, of f64 values.
EXACT: dict[str, Callable[..., Values]] = {
    "tanh": np.tanh,
    "ex2": np.exp2,
    "rcp": lambda a: 1 / a,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "div_approx": lambda a, b: a / b,
    "div_full": lambda a, b: a / b,
}

# (absolute, relative) error. Source: the sections above; n ulp from the rounded result are n + 0.5 from the exact one.
# Those of lg2 and of angles hold near 1 and within 2 pi; `_error` has the others.
BOUNDS = {
    ("tanh", "f16"): (2**-10.987, 0.0),
    ("tanh", "bf16"): (2**-8, 0.0),
    ("tanh", "f32"): (0.0, 2**-11),
    ("ex2", "f16"): (0.0, 2**-9.9),
    ("ex2", "bf16"): (0.0, 2**-7),
    ("ex2", "f32"): (0.0, 2.5 * 2**-23),
    ("rcp", "f32"): (0.0, 1.5 * 2**-23),
    ("sqrt", "f32"): (0.0, 2**-23),
    ("rsqrt", "f32"): (0.0, 2**-22.9),
    ("lg2", "f32"): (2**-22, 0.0),
    ("sin", "f32"): (2**-20.5, 0.0),
    ("cos", "f32"): (2**-20.4, 0.0),
    ("div_approx", "f32"): (0.0, 2.5 * 2**-23),
    ("div_full", "f32"): (0.0, 2.5 * 2**-23),
}


def fields(params: Params) -> Params:
    """Return the modifier and what the kernel needs to know of the type."""
    packed = TYPES[params["type"]]
    return {"ftz_": ".ftz" if params["ftz"] == "yes" else "", "fmt": packed.fmt, "slots": packed.count}


def threads(params: Params) -> int:
    """Return how many threads a case takes."""
    packed = TYPES[params["type"]]
    return ELEMENTS[packed.fmt] // packed.count


def names(params: Params) -> tuple[str, ...]:
    """Return the instruction's inputs."""
    return ("a", "b") if params["op"].startswith("div") else ("a",)


def operands(params: Params) -> tuple[Operand, ...]:
    """Return within (1 a slot), the inputs, and the least and greatest allowed result of each slot, as f32."""
    size, slots = threads(params), TYPES[params["type"]].count
    return (
        Buffer("within", "out", "b32", (slots, size)),
        *(register(name, "in", params["type"], size) for name in names(params)),
        Buffer("low", "in", "f32", (slots, size)),
        Buffer("high", "in", "f32", (slots, size)),
    )


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return every code of a 16-bit format, or a spread of f32 ones, with the bounds of their results."""
    packed = TYPES[params["type"]]
    columns = [_any(params, rng, (threads(params), packed.count)) for _ in names(params)]
    values = [rounding.values_of(packed.fmt, codes) for codes in columns]
    open_ = _open(params, values)
    columns = [np.where(open_, np.uint64(ONES[packed.fmt]), codes) for codes in columns]
    low, high = bounds(params, *(rounding.values_of(packed.fmt, codes) for codes in columns))
    words = {name: join(params["type"], codes) for name, codes in zip(names(params), columns, strict=True)}
    return {**words, "low": _f32(low, "rm").T, "high": _f32(high, "rp").T}


def _any(params: Params, rng: np.random.Generator, shape: tuple[int, int]) -> rounding.Codes:
    """Return codes of any kind; of angles, half of them within the range that has a bound."""
    codes = any_codes(rng, TYPES[params["type"]].fmt, shape)
    if params["op"] not in ("sin", "cos"):
        return codes
    angles = rng.uniform(-1, 1, shape) * rng.choice(np.array(ANGLES), shape)
    return np.where(rng.integers(0, 2, shape) == 0, codes, rounding.codes_of("f32", rounding.round_to("f32", angles)))


def _open(params: Params, values: list[Values]) -> np.ndarray:
    """Return where the manual states no bound, or a NaN without a code."""
    first, last = values[0], np.abs(values[-1])
    open_ = np.isnan(first) | np.isnan(last)
    if params["op"] in ("sqrt", "rsqrt", "lg2"):
        open_ |= first < 0
    if params["op"] in ("sin", "cos"):
        open_ |= last > ANGLES[1]
    if params["op"] == "div_approx":
        open_ |= (last < 2.0**-126) | (last > 2.0**126)
    if params["op"] == "div_full":
        open_ |= (last < 2.0**-126) | np.isinf(last)  # of zero and infinity no ulp is an error
    return np.asarray(open_)


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return that every result is within its bounds."""
    return {"within": np.ones(arrays["low"].shape, dtype=np.uint64)}


def bounds(params: Params, *values: Values) -> tuple[Values, Values]:
    """Return the least and the greatest value that the manual allows for each input."""
    fmt = TYPES[params["type"]].fmt
    if params["ftz"] == "yes":
        values = tuple(rounding.flush(fmt, value) for value in values)
    with np.errstate(over="ignore", divide="ignore"):
        exact = EXACT[params["op"]](*values)
    return _widened(params, fmt, exact, _error(params, fmt, values[0], exact))


def _error(params: Params, fmt: str, values: Values, exact: Values) -> Values:
    """Return the allowed error; none where the manual gives the result of an input."""
    absolute, relative = BOUNDS[params["op"], fmt]
    facts = FORMATS[fmt]
    spacing = np.ldexp(1.0, 1 - facts.bias - facts.mantissa)
    magnitude = np.abs(np.where(np.isinf(exact), 0.0, exact))
    error = absolute + relative * magnitude
    if params["op"] == "lg2":
        error = np.where((values > 0.5) & (values < 2), absolute, 2.0**-22 * magnitude)
    if params["op"] in ("sin", "cos"):
        error = np.where(np.abs(values) > ANGLES[0], 2**-14.7, error)
    error = np.where(np.abs(exact) < rounding.smallest_normal(fmt), error + spacing, error)
    return np.where(np.isinf(values) | (values == 0), 0.0, error)


def _widened(params: Params, fmt: str, exact: Values, error: Values) -> tuple[Values, Values]:
    """Return bounds that hold every result of the format within the error of the exact one."""
    low, high = _lowest(params, fmt, exact, error), -_lowest(params, fmt, -exact, error)
    return low, high


def _lowest(params: Params, fmt: str, exact: Values, error: Values) -> Values:
    least, limit = rounding.smallest_normal(fmt), rounding.largest(fmt)
    low = np.minimum(exact - error, limit)
    low = np.where(np.isinf(exact) & (error == 0), exact, low)
    low = np.where(low <= -limit, -np.inf, low)
    if params["ftz"] == "yes":
        low = np.where((low > 0) & (low < least), 0.0, low)

    return np.asarray(low)


def _f32(values: Values, direction: str) -> np.ndarray:
    """Return f32 codes of values, rounded outward."""
    return rounding.codes_of("f32", rounding.round_to("f32", values, direction))
