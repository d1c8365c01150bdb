"""Register fragment layouts of warp-level matrix instructions, as pure index tables.

A layout says which matrix element each slot of each register of each lane holds. Source: PTX ISA 9.3, 9.7.15.5.1 to
9.7.15.5.13 (fragment figures and formulas of `mma`). Tests prove each a bijection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Layout:
    """Row and column of the element in each slot, as arrays of shape (registers, lanes, slots).

    Slot 0 is the lowest bits of a register. Rows and columns are those of the logical matrix.
    """

    row: Index = field(repr=False)
    column: Index = field(repr=False)

    @property
    def registers(self) -> int:
        """Return the registers a lane holds."""
        return int(self.row.shape[0])

    @property
    def lanes(self) -> int:
        """Return the lanes that take part."""
        return int(self.row.shape[1])

    @property
    def slots(self) -> int:
        """Return the elements a register holds."""
        return int(self.row.shape[2])


def _grid(registers: int, slots: int) -> tuple[Index, Index, Index, Index]:
    """Return register, lane group (lane >> 2), thread in group (lane % 4) and slot, broadcast together."""
    register, lane, slot = np.indices((registers, 32, slots))
    return register, lane >> 2, lane % 4, slot


@cache
def mma_a(m: int, k: int, slots: int) -> Layout:
    """Return the layout of A (m x k, m 8 or 16) with `slots` elements a register.

    Rows of the two 8-row halves alternate from register to register, then k steps by four registers' width.
    """
    halves = m // 8
    register, group, thread, slot = _grid(m * k // (32 * slots), slots)
    row = group + 8 * (register % halves)
    return Layout(row, (register // halves) * 4 * slots + thread * slots + slot)


@cache
def mma_b(k: int, n: int, slots: int) -> Layout:
    """Return the layout of B (k x n, n 8) with `slots` elements a register."""
    register, group, thread, slot = _grid(k * n // (32 * slots), slots)
    return Layout(register * 4 * slots + thread * slots + slot, group)


@cache
def mma_c(m: int, n: int, slots: int) -> Layout:
    """Return the layout of C and D (m x n, n 8) with `slots` elements a register: 1 for 32 and 64 bits, 2 for f16."""
    register, group, thread, slot = _grid(m * n // (32 * slots), slots)
    element = register * slots + slot
    return Layout(group + 8 * (element // 2), thread * 2 + element % 2)


# mma.m8n8k4 with .f16: four matrices a warp, one a quad pair (lanes 4q..4q+3 and 4q+16..4q+19). The logical matrices
# are stacked by rows: row 8q + r is row r of computation q. Source: PTX ISA 9.3, 9.7.15.5.1.
def _quad_pair(registers: int, slots: int) -> tuple[Index, Index, Index, Index]:
    """Return the element i of the fragment, the lane, the computation q and 4 for lanes of the high group."""
    register, lane, slot = np.indices((registers, 32, slots))
    return register * slots + slot, lane, (lane % 16) // 4, 4 * (lane // 16)


@cache
def quad_a(major: str) -> Layout:
    """Return the layout of the four stacked A (32 x 4) of mma.m8n8k4.f16, `major` row or col."""
    i, lane, q, high = _quad_pair(2, 2)
    row, column = (lane % 4, i) if major == "row" else (i % 4, lane % 4)
    return Layout(8 * q + high + row, column)


@cache
def quad_b(major: str) -> Layout:
    """Return the layout of the four stacked B (16 x 8; rows 4q + k) of mma.m8n8k4.f16, `major` row or col."""
    i, lane, q, high = _quad_pair(2, 2)
    row, column = (lane % 4, i + high) if major == "row" else (i, lane % 4 + high)
    return Layout(4 * q + row, column)


@cache
def quad_c(slots: int) -> Layout:
    """Return the layout of the four stacked C or D (32 x 8) of mma.m8n8k4.f16: 2 slots for f16, 1 for f32."""
    i, lane, q, high = _quad_pair(8 // slots, slots)
    if slots == 2:
        return Layout(8 * q + high + lane % 4, i)
    row = (lane & 1) + (i & 2)
    return Layout(8 * q + high + row, (i & 4) + (lane & 2) + (i & 1))


# Scale matrices of the block-scaled kinds: one 32-bit register a lane, of which the selectors pick lanes and bytes.
# Source: PTX ISA 9.3, 9.7.15.3, Figures 43 to 45 and Table 40.
@cache
def scale_a(thread_id: int) -> tuple[Index, Index]:
    """Return (lanes, rows) of scale_A: the thread pair chosen by `thread_id` (0 or 1) holds rows g and g + 8."""
    group, half = np.indices((8, 2)).reshape(2, -1)
    return group * 4 + 2 * thread_id + half, group + 8 * half


@cache
def scale_b(thread_id: int) -> tuple[Index, Index]:
    """Return (lanes, columns) of scale_B: the thread chosen by `thread_id` (0 to 3) of quad g holds column g."""
    group = np.arange(8)
    return group * 4 + thread_id, group
