"""Operands, inputs and the oracle of tcgen05.ld and st: registers of 128 threads against cells of tensor memory.

Source: PTX ISA 9.3, 9.7.17.8; which cell a register holds stands in suite/tcgen05.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite import tcgen05 as facts
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params


def distinct_words(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return 32-bit codes that all differ, and whose low halves differ within each 65536."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    odd, start = (np.uint64(value) for value in rng.integers(1 << 16, 1 << 32, 2))
    return (index * (odd | np.uint64(1)) + start) & np.uint64(0xFFFFFFFF)


def repeat(params: Params) -> int:
    """Return the repeat factor: 8 of `x8`."""
    return int(params["num"].removeprefix("x"))


@dataclass(frozen=True)
class Transfer:
    """The kernel of one direction, `ld` or `st`; with `slots` 2 a register holds 16 bits of two adjacent cells.

    Odd trials take the upper 16 lanes of each warp, where the shape has only 16.
    """

    asked: str
    slots: int = 1

    def registers(self, params: Params) -> int:
        """Return the registers of a thread that the instruction names."""
        return facts.MOVEMENTS[params["shape"]].registers * repeat(params)

    def width(self, params: Params) -> int:
        """Return the columns that the kernel fills or reads back, which it does in eights."""
        return -(-facts.columns_touched(params["shape"], repeat(params), self.slots) // 8) * 8

    def fields(self, params: Params) -> Params:
        """Return the template's values and the parts of the instruction's text."""
        shape, registers, width = params["shape"], self.registers(params), self.width(params)
        split = facts.split_offset(shape, repeat(params), self.slots)
        return {
            "asked": self.asked,
            "cta_group": 1,
            "held": "out" if self.asked == "ld" else "data",
            "registers": registers,
            "width": width,
            "columns": next(count for count in facts.ALLOCATIONS if count >= width),
            "half": shape != "32x32b",
            "mask": "0xffff" if self.slots == 2 else "0xffffffff",
            "R": "{" + ", ".join(f"r{i}" for i in range(registers)) + "}",
            "split": f", {split}" if shape == "16x32bx2" else "",
        }

    def operands(self, params: Params) -> tuple[Operand, ...]:
        """Return the cells filled beforehand, row by row, then the registers (in or out) and the cells read back."""
        cells, held = (2, facts.LANES, self.width(params)), (2, facts.LANES, self.registers(params))
        rows_in = Buffer("rows", "in", "b32", cells)
        if self.asked == "ld":
            return rows_in, Buffer("out", "out", "b32", held)
        return rows_in, Buffer("data", "in", "b32", held), Buffer("out", "out", "b32", cells)

    def inputs(self, params: Params, rng: np.random.Generator) -> Arrays:
        """Return distinct words for all cells and, for st, all registers."""
        return {o.name: distinct_words(rng, o.shape) for o in self.operands(params) if o.role == "in"}

    def cells(self, params: Params) -> tuple[np.ndarray, ...]:
        """Return trial, lane and column of the cells of each register slot, as (trials, 128, registers, slots)."""
        layout = facts.movement(params["shape"], repeat(params), self.slots)
        trial = np.arange(2).reshape(2, 1, 1, 1, 1)
        warp = np.arange(4).reshape(1, 4, 1, 1, 1)
        lane = 32 * warp + layout.row.swapaxes(0, 1) + (16 * trial if params["shape"] != "32x32b" else 0)
        index = np.broadcast_arrays(trial, lane, layout.column.swapaxes(0, 1))
        return tuple(part.reshape(2, facts.LANES, self.registers(params), self.slots) for part in index)

    def oracle(self, params: Params, arrays: Arrays) -> Arrays:
        """Return what the registers hold after ld, or the cells after st."""
        bits = np.uint64(32 // self.slots)
        mask, shifts = (np.uint64(1) << bits) - np.uint64(1), np.arange(self.slots, dtype=np.uint64) * bits
        cells = arrays["rows"] & mask
        if self.asked == "ld":
            return {"out": np.bitwise_or.reduce(cells[self.cells(params)] << shifts, axis=-1)}
        cells[self.cells(params)] = arrays["data"][..., np.newaxis] >> shifts & mask
        return {"out": cells}
