"""Inputs and the oracle of tcgen05.ld.red: the registers that ld gives, and their least or greatest beside them.

Where a lane is read in two parts (16x32bx2) both hold the same extreme: whether the reduction goes over one part, in
the thread that loads it, or over the whole lane, the manual does not say. Source: PTX ISA 9.3, 9.7.17.8.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS, decode, encode
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.rounding import CANONICAL_NAN
from suite.tcgen05 import LANES
from suite.tcgen05_transfer import Transfer

Words = NDArray[np.uint64]

NAN = 0x7FC12345  # with a payload, which a canonical NaN has not
# What stands in all cells that are not loaded: each would be the result, if it were. The first three for f32 and .abs.
DECOYS = {
    "f32": (0x71800000, 0xF1800000, 0x0D800000, NAN),
    "u32": (0x00000000, 0xFFFFFFFF),
    "s32": (0x80000000, 0x7FFFFFFF),
}
MARGIN = 1 << 24  # integers nearer than this to an end of their range are extremes alone


def _ordinary(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return values that are never a result: of magnitude 16 to 1008, or away from the ends of the range."""
    if dtype == "f32":
        return np.asarray(rng.integers(1 << 16, 63 << 16, shape) / 4096 * rng.choice((-1.0, 1.0), shape))
    low = 0 if dtype == "u32" else -(1 << 31)
    return rng.integers(low + MARGIN, low + (1 << 32) - MARGIN, shape).astype(np.float64)


def _extremes(rng: np.random.Generator, params: Params, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the least or greatest value of each lane, another for each index below 512."""
    least = params["op"] == "min"
    if params["type"] == "f32":
        sizes = 1 + index / 64 if least and params["abs"] == "yes" else 2000.0 + index
        signs = rng.choice((-1.0, 1.0), index.shape) if params["abs"] == "yes" else -1.0 if least else 1.0
        return np.asarray(sizes * signs)
    low = 0 if params["type"] == "u32" else -(1 << 31)
    return (low + 1 + index if least else low + (1 << 32) - 2 - index).astype(np.float64)


@dataclass(frozen=True)
class Reduction(Transfer):
    """The kernel of ld.red."""

    asked: str = "ld"

    def fields(self, params: Params) -> Params:
        """Return the template's values and the parts of the instruction's text."""
        parts = {name: f".{spelled}" * (params[key] == "yes") for name, key, spelled in _PARTS}
        return {**super().fields(params), **parts, "reduced": True}

    def operands(self, params: Params) -> tuple[Operand, ...]:
        """Return the cells filled beforehand, the registers, and each thread's reduction."""
        return *super().operands(params), Buffer("red", "out", params["type"], (2, LANES))

    def inputs(self, params: Params, rng: np.random.Generator) -> Arrays:
        """Return cells: those loaded hold one extreme a thread, at changing places; all others are decoys."""
        dtype, registers = params["type"], self.registers(params)
        thread = np.arange(2 * LANES).reshape(2, LANES)
        lane = thread % 32 % (16 if params["shape"] == "16x32bx2" else 32)
        values = _ordinary(rng, dtype, (2, LANES, registers))
        extreme = _extremes(rng, params, np.arange(2 * LANES))[thread // 32 * 32 + lane]
        place = thread * 5 % registers
        np.put_along_axis(values, place[..., np.newaxis], extreme[..., np.newaxis], axis=-1)
        codes = encode(FORMATS[dtype], values)
        if params["nan"] == "yes":
            codes[lane % 4 == 1, (place[lane % 4 == 1] + 1) % registers] = NAN
        decoys = np.array(DECOYS[dtype][: 3 if params["nan"] == "no" else None], dtype=np.uint64)
        rows = rng.choice(decoys, (2, LANES, self.width(params)))
        rows[self.cells(params)] = codes[..., np.newaxis]
        return {"rows": rows}

    def oracle(self, params: Params, arrays: Arrays) -> Arrays:
        """Return the registers, and the least or greatest of each thread's: its absolute value, or a canonical NaN."""
        out = super().oracle(params, arrays)["out"]
        return {"out": out, "red": reduced(params, out)}


def reduced(params: Params, words: Words) -> Words:
    """Return the least or greatest along the last axis: its absolute value where wanted, a canonical NaN of any NaN."""
    values = decode(FORMATS[params["type"]], words).astype(np.float64)
    keys = np.abs(values) if params["abs"] == "yes" else values
    best = np.argmin(keys, axis=-1) if params["op"] == "min" else np.argmax(keys, axis=-1)
    red = np.take_along_axis(words, best[..., np.newaxis], axis=-1)[..., 0]
    if params["abs"] == "yes":
        red = red & np.uint64(0x7FFFFFFF)
    return np.where(np.isnan(values).any(-1), np.uint64(CANONICAL_NAN["f32"]), red)


_PARTS = (("abs_part", "abs", "abs"), ("nan_part", "nan", "NaN"))

# Legal values of .num: at least x2. Source: 9.7.17.8.3, .red.
COUNTS = tuple(f"x{1 << i}" for i in range(1, 8))
SHAPES = ("32x32b", "16x32bx2")
