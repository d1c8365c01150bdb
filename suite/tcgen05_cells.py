"""Operands of the tcgen05.mma kernels: words of tensor memory lane by lane, and byte images of shared memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.operands import Codes, Operand
from suite.tcgen05 import CHUNK, CONTAINER_SHIFT, Bytes, Tile, shared_rows
from suite.tcgen05_forms import LANES, PACKED, Form, Place, metadata, multiplicand, result, scale_a, scale_b

# What lies where no element does: legal metadata, and scales of 64, 3.25 or about 0.01, none of which may matter.
FILLER = {"e": 0x44444444, "sfa": 0x85858585, "sfb": 0x85858585}


@dataclass(frozen=True, eq=False)
class Cells(Operand):
    """A matrix in tensor memory, logical (trials, rows, columns): in memory [trial][CTA][lane][column] words.

    `place` says where each element goes, in containers of `container` bits, shifted by `up`.
    """

    form: Form
    place: Place
    container: int
    columns: int
    up: int = 0

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * self.form.group * LANES * self.columns * 4

    def pack(self, logical: np.ndarray) -> Bytes:
        """Return the bytes that hold the logical array, filler where no element lies."""
        codes, per = self.codes(logical).reshape(self.shape), 32 // self.container
        slots = np.zeros((self.shape[0], self.form.group, LANES, self.columns, per), dtype=np.uint64)
        shifts = np.arange(per, dtype=np.uint64) * np.uint64(self.container)
        slots[:] = np.uint64(FILLER.get(self.name, 0)) >> shifts & np.uint64((1 << self.container) - 1)
        at = self.place
        slots[:, at.part, at.lane, at.column, at.slot] = codes[:, None] << np.uint64(self.up)
        words = np.bitwise_or.reduce(slots << shifts, axis=-1).astype("<u4")
        return np.asarray(words.reshape(-1).view(np.uint8), dtype=np.uint8)

    def unpack(self, raw: Bytes) -> Codes:
        """Return the codes of the first copy of each element, in logical shape."""
        words = raw.view("<u4").reshape(self.shape[0], self.form.group, LANES, self.columns)
        at = self.place
        held = words[:, at.part[0], at.lane[0], at.column[0]].astype(np.uint64)
        shifts = (at.slot[0] * self.container + self.up).astype(np.uint64)
        return np.asarray(held >> shifts & np.uint64((1 << self.format.bits) - 1), dtype=np.uint64)


@dataclass(frozen=True)
class Shared(Operand):
    """A or B in shared memory, logical (trials, rows, elements): in memory the image of [trial][CTA]'s tile."""

    parts: int
    tile: Tile
    packed: bool

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * self.parts * self.tile.nbytes

    def pack(self, logical: np.ndarray) -> Bytes:
        """Return the bytes that hold the logical array."""
        codes = self.codes(logical).reshape(self.shape)
        rows = packed_rows(codes) if self.packed else shared_rows(self.format.bits, codes)
        chunks = rows.reshape(-1, self.tile.rows * self.tile.row_bytes // CHUNK, CHUNK)
        image = np.empty_like(chunks)
        image[:, self.tile.offsets().reshape(-1) // CHUNK] = chunks
        return image.reshape(-1)


def packed_rows(codes: Codes) -> Bytes:
    """Return rows of 4-bit codes two a byte, the first in the low bits. Source: 9.7.17.10.4.6."""
    return (codes[..., 0::2] | codes[..., 1::2] << np.uint64(4)).astype(np.uint8)


def stored(form: Form) -> int:
    """Return the elements of a row of A as it is stored: half of K where A is sparse."""
    return form.k // 2 if form.sparse else form.k


def memory_format(fmt: str) -> str:
    """Return the format of an element's code in memory: s1z4m11 is held as bits. Source: PTX ISA 9.4, 9.7.18.4.2."""
    return "b16" if fmt == "s1z4m11" else fmt


def matrix_a(form: Form, trials: int) -> Operand:
    """Return A, as Mx(K/2) where it is sparse, in shared or tensor memory."""
    fmt, shape = memory_format(form.types[1]), (trials, form.m, stored(form))
    if form.a_in == "smem":
        return Shared("a", "in", fmt, shape, form.group, form.tile_a, form.kind in PACKED)
    container = 256 // stored(form)
    up = CONTAINER_SHIFT.get(fmt, 0) if container == 8 else 0
    return Cells("a", "in", fmt, shape, form, multiplicand(form, container), container, 8, up)


def matrix_b(form: Form, trials: int) -> Operand:
    """Return B as (n, k), as its columns lie in memory; `.ws` holds columns beyond N too."""
    shape = (trials, form.tile_b.rows * form.group, form.k)
    return Shared("b", "in", memory_format(form.types[2]), shape, form.group, form.tile_b, form.kind in PACKED)


def tensors(form: Form, trials: int) -> tuple[Operand, ...]:
    """Return what else the instruction reads from tensor memory: D, and metadata and scales where it has them."""
    d = form.types[0]
    found: list[Operand] = [Cells("c", "in", d, (trials, form.m, form.n), form, result(form), 32, form.width)]
    if form.sparse:
        found.append(Cells("e", "in", "u4", (trials, form.m, form.chunks), form, metadata(form), 4, 8))
    if form.scale:
        shape_a, shape_b = (trials, form.m, form.blocks), (trials, form.n, form.blocks)
        found.append(Cells("sfa", "in", form.scale, shape_a, form, scale_a(form), 8, 8))
        found.append(Cells("sfb", "in", form.scale, shape_b, form, scale_b(form), 8, 8))
    return tuple(found)


def output(form: Form, trials: int) -> Operand:
    """Return D as it is read back."""
    return Cells("d", "out", form.types[0], (trials, form.m, form.n), form, result(form), 32, form.width)
