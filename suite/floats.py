"""Oracle and inputs of float arithmetic on registers: add, sub, mul, fma, min, max, neg and abs, scalar and packed.

A case's parameters are `op`, `type` (of the result and the other operands), `rnd`, and `yes` or `no` for each modifier.
Where the manual leaves a result open - the code of a NaN, the sign of a clamped zero - the element's inputs are
replaced by ones. Sources: PTX ISA 9.3, 9.7.3.3 to 9.7.3.12, 9.7.4.1 to 9.7.4.8, 9.7.5.1 to 9.7.5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from suite import rounding
from suite.elementwise import TYPES, join, register, split
from suite.formats import FORMATS
from suite.operands import Operand
from suite.probe import Arrays, Params
from suite.rounding import Codes, Values

NAMES = ("a", "b", "c")
ONES = {"f16": 0x3C00, "bf16": 0x3F80, "f32": 0x3F800000, "f64": 0x3FF << 52}
ELEMENTS = {"f16": 1 << 16, "bf16": 1 << 16, "f32": 1 << 14, "f64": 1 << 14}  # of a case: every code of 16 bits

_EXACT: dict[str, Callable[..., Values]] = {
    "add": rounding.add,
    "sub": lambda a, b, direction: rounding.add(a, -b, direction),
    "mul": lambda a, b, direction: rounding.multiply(a, b),
    "fma": rounding.fused,
    "mad": rounding.fused,
    "neg": lambda a, direction: -a,
    "abs": lambda a, direction: np.abs(a),
}


def is_on(params: Params, name: str) -> bool:
    """Tell whether the case has the modifier of that name."""
    return params.get(name) == "yes"


def modifiers(*names: str) -> Callable[[Params], Params]:
    """Return the fields of a case: the dotted rounding mode and the dotted modifiers, in the manual's order."""

    def fields(params: Params) -> Params:
        dotted = {name: f".{name.replace('_', '.')}" if is_on(params, name) else "" for name in names}
        rnd = params.get("rnd", "default")
        return {
            "predicates": (),
            "after": "",
            "round": "" if rnd == "default" else f".{rnd}",
            **{f"{name}_": text for name, text in dotted.items()},
        }

    return fields


def count(params: Params) -> int:
    """Return how many inputs the instruction takes."""
    return int(params.get("inputs", {"neg": 1, "abs": 1, "fma": 3, "mad": 3}.get(params["op"], 2)))


def kinds(params: Params) -> tuple[str, ...]:
    """Return the register types of the inputs; where the case mixes precisions, `narrow`, `middle` and `wide`."""
    same = params["type"]
    first = params.get("narrow", same)
    last = params.get("wide", same)
    return {1: (first,), 2: (first, last), 3: (first, params.get("middle", first), last)}[count(params)]


def threads(params: Params) -> int:
    """Return how many threads a case takes."""
    slots = TYPES[params["type"]].count
    return min(ELEMENTS[TYPES[kind].fmt] for kind in (params["type"], *kinds(params))) // slots


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and the inputs."""
    size = threads(params)
    named = zip(NAMES, kinds(params), strict=False)
    return (register("d", "out", params["type"], size), *(register(name, "in", kind, size) for name, kind in named))


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d, slot by slot."""
    fmts = [TYPES[kind].fmt for kind in kinds(params)]
    codes = [split(kind, arrays[name]) for name, kind in zip(NAMES, kinds(params), strict=False)]
    values = [rounding.values_of(fmt, code) for fmt, code in zip(fmts, codes, strict=True)]
    result, _ = evaluate(params, values)
    return {"d": join(params["type"], rounding.codes_of(TYPES[params["type"]].fmt, result))}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return codes of the inputs; of 16-bit formats the first takes every code, others lie near it or anywhere."""
    fmts = [TYPES[kind].fmt for kind in kinds(params)]
    shape = (threads(params), TYPES[params["type"]].count)
    codes = _codes(rng, fmts, shape)
    if params["op"] in ("fma", "mad"):
        codes[2] = _cancelling(rng, fmts, codes)
    values = [rounding.values_of(fmt, code) for fmt, code in zip(fmts, codes, strict=True)]
    _, settled = evaluate(params, values)
    ones = [np.where(settled, code, np.uint64(ONES[fmt])) for fmt, code in zip(fmts, codes, strict=True)]
    packed = zip(NAMES, kinds(params), ones, strict=False)
    return {name: join(kind, code) for name, kind, code in packed}


def evaluate(params: Params, values: Sequence[Values]) -> tuple[Values, np.ndarray]:
    """Return the results, and whether the manual settles each."""
    if params["op"] in ("min", "max"):
        return _extreme(params, values)
    fmt = TYPES[params["type"]].fmt
    direction = params.get("rnd", "default").replace("default", "rn")
    if is_on(params, "ftz"):
        values = [rounding.flush(fmt, value) for value in values]
    exact = _EXACT[params["op"]](*values, direction)
    rounded = rounding.round_to(fmt, exact, direction)
    settled: np.ndarray = np.full(rounded.shape, True)
    if is_on(params, "oob"):  # which NaN is the out-of-bounds one, the manual does not say
        settled = np.asarray(~np.isnan(values).any(axis=0))
    if is_on(params, "ftz"):  # tiny before rounding, but not after: the manual does not say which counts
        least = rounding.smallest_normal(fmt)
        settled &= ~((np.abs(exact) < least) & (np.abs(rounded) == least))
        rounded = rounding.flush(fmt, rounded)
    return _clamped(params, rounded, settled)


def _clamped(params: Params, rounded: Values, settled: np.ndarray) -> tuple[Values, np.ndarray]:
    """Return results after .sat or .relu; -0 is not settled there, and NaN nowhere else."""
    negative_zero = (rounded == 0) & np.signbit(rounded)
    if is_on(params, "sat"):
        return rounding.saturate(rounded), settled & ~negative_zero
    if is_on(params, "relu"):
        return rounding.rectify(rounded), settled & ~negative_zero
    return rounded, settled & ~np.isnan(rounded)


def _extreme(params: Params, values: Sequence[Values]) -> tuple[Values, np.ndarray]:
    """Return the minimum or maximum of two or three inputs; two NaN have an open one unless .NaN makes it canonical."""
    fmt = TYPES[params["type"]].fmt
    values = [rounding.flush(fmt, value) for value in values] if is_on(params, "ftz") else list(values)
    unknown = np.isnan(values).any(axis=0)
    sign = np.bitwise_xor.reduce([np.signbit(value) for value in values])
    if is_on(params, "xorsign_abs") or is_on(params, "abs"):
        values = [np.abs(value) for value in values]
    result = values[0]
    for value in values[1:]:
        result = _pick(params, result, value)
    if is_on(params, "xorsign_abs"):
        result = np.where(np.isnan(result), result, np.copysign(result, np.where(sign, -1.0, 1.0)))
    if is_on(params, "NaN"):
        return result, np.full(result.shape, True)
    # The sign of a NaN input: 9.7.4.7 and 9.7.4.8 differ.
    return result, np.asarray(~unknown) if is_on(params, "xorsign_abs") else ~np.isnan(result)


def _pick(params: Params, x: Values, y: Values) -> Values:
    """Return the lesser or greater of two values; -0.0 is less than +0.0, and NaN gives way unless .NaN."""
    below = (x < y) | ((x == y) & np.signbit(x))
    chosen = np.where(below == (params["op"] == "min"), x, y)
    if is_on(params, "NaN"):
        return np.where(np.isnan(x) | np.isnan(y), np.nan, chosen)
    return np.where(np.isnan(x), y, np.where(np.isnan(y), x, chosen))


def _codes(rng: np.random.Generator, fmts: Sequence[str], shape: tuple[int, int]) -> list[Codes]:
    first = any_codes(rng, fmts[0], shape)
    return [first, *(_beside(rng, fmts[0], first, fmt) for fmt in fmts[1:])]


def any_codes(rng: np.random.Generator, fmt: str, shape: tuple[int, int]) -> Codes:
    """Return codes in random order: all of a 16-bit format, of others random ones, round ones and special ones."""
    size, facts = shape[0] * shape[1], FORMATS[fmt]
    if facts.bits == 16:
        return np.resize(rng.permutation(1 << 16), size).astype(np.uint64).reshape(shape)
    codes = rng.integers(0, 1 << facts.bits, size, dtype=np.uint64)
    codes[::4] &= ~np.uint64((1 << facts.mantissa // 2 + 1) - 1)
    codes[1::4] = _ordinary(rng, fmt, len(codes[1::4]))
    codes[2::16] = special_codes(rng, fmt, codes[2::16].shape)
    return rng.permutation(codes).reshape(shape)


def special_codes(rng: np.random.Generator, fmt: str, shape: tuple[int, ...]) -> Codes:
    """Return codes of zero, one, infinity, NaN and both ends of the subnormals and normals, either sign."""
    facts = FORMATS[fmt]
    sign, least = facts.bits - 1, 1 << facts.mantissa
    top = ((1 << facts.exponent) - 1) << facts.mantissa
    special = (0, 1, least - 1, least, ONES[fmt], top - 1, top, top | least >> 1)
    chosen = rng.choice(np.array(special, dtype=np.uint64), shape)
    return np.asarray(chosen | (rng.integers(0, 2, shape, dtype=np.uint64) << np.uint64(sign)))


def _ordinary(rng: np.random.Generator, fmt: str, size: int) -> Codes:
    """Return codes of values between 2^-12 and 2^12, either sign."""
    facts = FORMATS[fmt]
    exponent = rng.integers(facts.bias - 12, facts.bias + 12, size, dtype=np.uint64) << np.uint64(facts.mantissa)
    sign = rng.integers(0, 2, size, dtype=np.uint64) << np.uint64(facts.bits - 1)
    return np.asarray(exponent | rng.integers(0, 1 << facts.mantissa, size, dtype=np.uint64) | sign)


def _beside(rng: np.random.Generator, fmt: str, first: Codes, other: str) -> Codes:
    """Return codes of `other`: a third anywhere, a third near the first operand's value, a third its near opposite."""
    anywhere = any_codes(rng, other, first.shape)
    with np.errstate(invalid="ignore"):
        near = rounding.round_to(other, np.nan_to_num(rounding.values_of(fmt, first)), finite=True)
    codes = rounding.codes_of(other, near)
    step = rng.integers(0, 1 << rng.integers(1, FORMATS[other].mantissa), first.shape, dtype=np.uint64)
    sign = np.uint64(1 << (FORMATS[other].bits - 1))
    near_codes = np.where(codes & ~sign >= step, codes - step, codes)
    which = rng.integers(0, 3, first.shape)
    return np.where(which == 0, anywhere, np.where(which == 1, near_codes, near_codes ^ sign))


def _cancelling(rng: np.random.Generator, fmts: Sequence[str], codes: Sequence[Codes]) -> Codes:
    """Return codes of c, half of them beside -a * b, so that the product's low bits decide."""
    a, b = (rounding.values_of(fmt, code) for fmt, code in zip(fmts[:2], codes[:2], strict=True))
    with np.errstate(invalid="ignore", over="ignore"):
        product = rounding.round_to(fmts[2], np.nan_to_num(-a * b, posinf=1.0, neginf=-1.0), finite=True)
    return np.where(rng.integers(0, 2, codes[2].shape) == 0, codes[2], rounding.codes_of(fmts[2], product))
