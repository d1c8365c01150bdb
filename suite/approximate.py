"""Oracle of instructions with a stated error bound: the kernel itself tells whether each result lies within it.

Bounds are those of the manual, widened by what the result's format adds: half a spacing of its subnormals, and infinity
above its largest value. NaN inputs are left out. Sources: PTX ISA 9.3, 9.7.3.21, 9.7.3.22, 9.7.4.9 and 9.7.4.10.
"""

from __future__ import annotations

import numpy as np

from suite import rounding
from suite.elementwise import TYPES, join, register
from suite.floats import ELEMENTS, ONES, any_codes
from suite.formats import FORMATS
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.rounding import Values

# (absolute, relative) error. Source: the sections above; 2 ulp from the rounded result are 2.5 from the exact one.
BOUNDS = {
    ("tanh", "f16"): (2**-10.987, 0.0),
    ("tanh", "bf16"): (2**-8, 0.0),
    ("tanh", "f32"): (0.0, 2**-11),
    ("ex2", "f16"): (0.0, 2**-9.9),
    ("ex2", "bf16"): (0.0, 2**-7),
    ("ex2", "f32"): (0.0, 2.5 * 2**-23),
}


def fields(params: Params) -> Params:
    """Return the modifier and what the kernel needs to know of the type."""
    packed = TYPES[params["type"]]
    return {"ftz_": ".ftz" if params["ftz"] == "yes" else "", "fmt": packed.fmt, "slots": packed.count}


def threads(params: Params) -> int:
    """Return how many threads a case takes."""
    packed = TYPES[params["type"]]
    return ELEMENTS[packed.fmt] // packed.count


def operands(params: Params) -> tuple[Operand, ...]:
    """Return within (1 a slot), a, and the least and greatest allowed result of each slot, as f32."""
    size, slots = threads(params), TYPES[params["type"]].count
    return (
        Buffer("within", "out", "b32", (slots, size)),
        register("a", "in", params["type"], size),
        Buffer("low", "in", "f32", (slots, size)),
        Buffer("high", "in", "f32", (slots, size)),
    )


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return every code of a 16-bit format, or a spread of f32 ones, with the bounds of their results."""
    packed = TYPES[params["type"]]
    codes = any_codes(rng, packed.fmt, (threads(params), packed.count))
    values = rounding.values_of(packed.fmt, codes)
    codes = np.where(np.isnan(values), np.uint64(ONES[packed.fmt]), codes)
    low, high = bounds(params, rounding.values_of(packed.fmt, codes))
    return {"a": join(params["type"], codes), "low": _f32(low, "rm").T, "high": _f32(high, "rp").T}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return that every result is within its bounds."""
    return {"within": np.ones(arrays["low"].shape, dtype=np.uint64)}


def bounds(params: Params, values: Values) -> tuple[Values, Values]:
    """Return the least and the greatest value that the manual allows for each input."""
    fmt = TYPES[params["type"]].fmt
    if params["ftz"] == "yes":
        values = rounding.flush(fmt, values)
    with np.errstate(over="ignore"):
        exact = np.tanh(values) if params["op"] == "tanh" else np.exp2(values)
    return _widened(params, fmt, exact, _error(params, fmt, values, exact))


def _error(params: Params, fmt: str, values: Values, exact: Values) -> Values:
    """Return the allowed error; none where the manual gives the result of an input."""
    absolute, relative = BOUNDS[params["op"], fmt]
    facts = FORMATS[fmt]
    spacing = np.ldexp(1.0, 1 - facts.bias - facts.mantissa)
    error = absolute + relative * np.abs(np.where(np.isinf(exact), 0.0, exact))
    error = np.where(np.abs(exact) < rounding.smallest_normal(fmt), error + spacing, error)
    return np.where(np.isinf(values) | (values == 0), 0.0, error)


def _widened(params: Params, fmt: str, exact: Values, error: Values) -> tuple[Values, Values]:
    least, limit = rounding.smallest_normal(fmt), rounding.largest(fmt)
    low, high = np.minimum(exact - error, limit), exact + error
    low = np.where(np.isinf(exact) & (error == 0), exact, low)
    high = np.where(high >= limit, np.inf, high)
    if params["ftz"] == "yes":
        low = np.where((low > 0) & (low < least), 0.0, low)
    return low, high


def _f32(values: Values, direction: str) -> np.ndarray:
    """Return f32 codes of values, rounded outward."""
    return rounding.codes_of("f32", rounding.round_to("f32", values, direction))
