"""Oracle and inputs of `cvt.rs`: truncation, or away from zero where the random bits carry out of what is cut off.

For f16 and bf16 every random bit is given by the text. For four elements the manual's figures alone say where the bits
of a half word go, so those cases use random bits that are all ones or all zeros for an element, which the text does
give. Results are normal numbers, where what is cut off is the end of the f32 mantissa, and with .pzo zeros, of which
nothing is cut off. Source: PTX ISA 9.3, 9.7.9.22; PTX ISA 9.4, 9.7.10.24, for .pzo.
"""

from __future__ import annotations

import numpy as np

from suite import conversions, rounding
from suite.elementwise import TYPES, join, register
from suite.floats import is_on
from suite.formats import FORMATS, finite_codes
from suite.operands import Operand
from suite.probe import Arrays, Params
from suite.rounding import Codes, Values

SIGN = np.uint64(1 << 31)

# Bits of rbits that belong to each slot, the lowest first. Source: 9.7.9.22, `rbits`.
MASKS = {
    "f16x2": (0x00001FFF, 0x1FFF0000),
    "bf16x2": (0x0000FFFF, 0xFFFF0000),
    "e2m1x4": (0x00FF00FF, 0x00FF00FF, 0xFF00FF00, 0xFF00FF00),
    **dict.fromkeys(("e4m3x4", "e5m2x4", "e3m2x4", "e2m3x4"), (0x0000FFFF, 0x0000FFFF, 0xFFFF0000, 0xFFFF0000)),
}


def fields(params: Params) -> Params:
    """Return the dotted modifiers and the sources, in braces where there are four."""
    inner = conversions.fields(params)
    return {**inner, "from_": f"{{{inner['from_']}}}" if TYPES[params["to"]].count == 4 else inner["from_"]}


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d, the sources and the random bits."""
    return (*conversions.operands(params), register("rbits", "in", "b32", conversions.threads(params)))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return f32 sources with normal results, and random bits as the module says."""
    shape = (conversions.threads(params), TYPES[params["to"]].count)
    codes = _sources(params, rng, shape)
    rbits = _random_bits(params, rng, shape[0])
    names = conversions.sources(params)
    return {**{name: codes[:, -1 - i] for i, name in enumerate(names)}, "rbits": rbits}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d."""
    to, fmt = params["to"], TYPES[params["to"]].fmt
    slots = [arrays[name].astype(np.uint64) for name in reversed(conversions.sources(params))]
    cut = 23 - FORMATS[fmt].mantissa
    magnitudes = np.stack(
        [_carried(to, i, slot & ~SIGN, arrays["rbits"], cut) for i, slot in enumerate(slots)], axis=-1
    )
    values = rounding.values_of("f32", magnitudes) * np.where(np.stack(slots, axis=-1) & SIGN, -1.0, 1.0)
    values = np.clip(values, -rounding.largest(fmt), rounding.largest(fmt)) if is_on(params, "satfinite") else values
    values = rounding.rectify(values) if is_on(params, "relu") else values
    values = values + 0.0 if is_on(params, "pzo") else values  # -0.0 + 0.0 is +0.0
    return {"d": join(to, rounding.codes_of(fmt, values))}


def _carried(to: str, slot: int, magnitudes: Codes, rbits: Codes, cut: int) -> Codes:
    """Return f32 magnitudes truncated by `cut` bits, after the slot's random bits were added below."""
    mask = MASKS[to][slot]
    chosen = rbits.astype(np.uint64) & np.uint64(mask)
    if TYPES[to].count == 2:
        random = chosen >> np.uint64(16 * slot)
    else:  # all ones or all zeros
        random = np.where(chosen != 0, np.uint64((1 << cut) - 1), np.uint64(0))
    return ((magnitudes + random) >> np.uint64(cut)) << np.uint64(cut)


def _random_bits(params: Params, rng: np.random.Generator, size: int) -> Codes:
    masks = MASKS[params["to"]]
    if len(masks) == 2:
        return rng.integers(0, 1 << 32, size, dtype=np.uint64) & np.uint64(masks[0] | masks[1])
    chosen = rng.integers(0, 2, (2, size), dtype=np.uint64)
    return np.asarray(chosen[0] * np.uint64(masks[0]) | chosen[1] * np.uint64(masks[2]))


def _sources(params: Params, rng: np.random.Generator, shape: tuple[int, int]) -> Codes:
    """Return f32 codes whose truncation is normal and below the largest value of the result's format."""
    fmt = TYPES[params["to"]].fmt
    grid = _normal(fmt)
    codes = rounding.codes_of("f32", rng.choice(grid, shape))
    cut = 23 - FORMATS[fmt].mantissa
    low = min(cut, 8)  # of what is cut off, the bits that decide whatever the alignment of the random ones
    rest = rng.integers(0, 1 << low, shape, dtype=np.uint64) << np.uint64(cut - low)
    if len(MASKS[params["to"]]) == 2:
        rest = rng.integers(0, 1 << cut, shape, dtype=np.uint64)
    sign = rng.integers(0, 2, shape, dtype=np.uint64) << np.uint64(31)
    codes = codes | rest | sign
    if is_on(params, "satfinite"):
        codes[::16] = np.uint64(0x7F000000) | sign[::16]
    if is_on(params, "pzo"):
        codes[1::16] = sign[1::16]
    return np.asarray(codes)


def _normal(fmt: str) -> Values:
    """Return the positive normal values of a format, without the largest, below which there is room to round up."""
    values = rounding.values_of(fmt, finite_codes(FORMATS[fmt]))
    return np.asarray(values[(values >= rounding.smallest_normal(fmt)) & (values < rounding.largest(fmt))])
