"""Inputs and oracle of arithmetic on four narrow floats in a register: exact, then rounded to an 8-bit type.

A case's parameters are `op`, `type` (of the result and of c in add, sub and fma), `first` and `second` (of the other
operands), and `sat`. Where the manual leaves a result open - beyond the largest value without .satfinite, and of NaN or
infinite inputs - the slot's inputs are ones instead. Source: PTX ISA 9.4, 9.7.6.1 to 9.7.6.4.
"""

from __future__ import annotations

import numpy as np

from suite import rounding
from suite.elementwise import TYPES, join, register, split
from suite.formats import FORMATS, encode
from suite.operands import Operand
from suite.probe import Arrays, Params
from suite.rounding import Codes, Values

THREADS = 1024
NAMES = ("a", "b", "c")
SCALES = (119, 136)  # codes of ue8m0 near 1.0, whose sums with other types are not all the greater of the two


def kinds(params: Params) -> tuple[str, ...]:
    """Return the types of the inputs, in order."""
    if params["op"] == "mul":
        return (params["first"], params["second"])
    if params["op"] == "fma":
        return (params["first"], params["second"], params["type"])
    return (params["first"], params["type"])


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and the inputs."""
    inputs = (register(name, "in", kind, THREADS) for name, kind in zip(NAMES, kinds(params), strict=False))
    return (register("d", "out", params["type"], THREADS), *inputs)


def evaluate(params: Params, values: list[Values]) -> tuple[Values, np.ndarray]:
    """Return the rounded results, and whether the manual settles each."""
    fmt = TYPES[params["type"]].fmt
    if params["op"] == "mul":
        exact = rounding.multiply(*values)
    elif params["op"] == "fma":
        exact = rounding.fused(values[0], values[1], values[2])
    else:
        exact = rounding.add(values[0], values[1] if params["op"] == "add" else -values[1])
    kept = params["sat"] == "yes"
    rounded = rounding.round_to(fmt, exact, finite=kept)
    settled = np.isfinite(values).all(axis=0) & np.isfinite(exact) & np.isfinite(rounded)
    return rounded, np.asarray(settled & (kept | (np.abs(exact) <= rounding.largest(fmt))))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return codes of the inputs, all that a type has; c of fma by turns nearly takes the product away."""
    fmts, shape = [TYPES[kind].fmt for kind in kinds(params)], (THREADS, 4)
    codes = [_codes(rng, fmt, shape) for fmt in fmts]
    if params["op"] == "fma":
        product = rounding.multiply(
            *(rounding.values_of(fmt, code) for fmt, code in zip(fmts[:2], codes[:2], strict=True))
        )
        near = np.where(np.isfinite(product), rounding.round_to(fmts[2], -product, finite=True), 0.0)
        codes[2] = np.where(rng.integers(0, 2, shape) == 0, rounding.codes_of(fmts[2], near), codes[2])
    values = [rounding.values_of(fmt, code) for fmt, code in zip(fmts, codes, strict=True)]
    settled = evaluate(params, values)[1]
    ones = [encode(FORMATS[fmt], np.ones(1)) for fmt in fmts]
    told = [np.where(settled, code, one.astype(np.uint64)) for code, one in zip(codes, ones, strict=True)]
    return {name: join(kind, code) for name, kind, code in zip(NAMES, kinds(params), told, strict=False)}


def _codes(rng: np.random.Generator, fmt: str, shape: tuple[int, int]) -> Codes:
    low, high = SCALES if fmt == "ue8m0" else (0, 1 << FORMATS[fmt].bits)
    return rng.integers(low, high, shape, dtype=np.uint64)


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d, slot by slot."""
    pairs = list(zip(NAMES, kinds(params), strict=False))
    values = [rounding.values_of(TYPES[kind].fmt, split(kind, arrays[name])) for name, kind in pairs]
    result = evaluate(params, values)[0]
    return {"d": join(params["type"], rounding.codes_of(TYPES[params["type"]].fmt, result))}
