"""Facts of the warpgroup tensor core: shared-memory tiles and descriptors, register fragments, sparsity metadata.

Pure index functions and the operands built on them. Source: PTX ISA 9.3, 9.7.16; sections stand beside each table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from suite.layouts import Index, Layout, mma_a, mma_c
from suite.operands import Codes, Fragment, Operand

Bytes = NDArray[np.uint8]

WARPS, THREADS = 4, 128  # of a warpgroup. Source: 9.7.16.1
CORE = 16  # bytes of the 128-bit element in which shared-memory layouts are written. Source: 9.7.16.5.1.2
PATTERN = 128  # bytes that one step of the base offset stands for. Source: 9.7.16.5.1.2.2
FILLER = 0x7F  # of shared memory that no element takes: NaN in f16, bf16, e4m3 and e5m2, the largest s8

# Swizzle modes: bytes of a row of the atom (none: one core) and the descriptor's code. Source: 9.7.16.5.1.2.2.
SWIZZLES = {"none": (CORE, 0), "32B": (32, 3), "64B": (64, 2), "128B": (128, 1)}


@dataclass(frozen=True)
class Tile:
    """A matrix of `mn` by `k` items of `item` bytes in shared memory, from an address aligned to 1024 bytes on.

    `major` is `k` or `mn`: along which items are adjacent. `step` moves the K-major matrix within wider swizzled rows,
    by so many times its own width; `shift` starts the swizzle pattern so many times 128 bytes later.
    Source: 9.7.16.5.1.2.1.3 (canonical layouts).
    """

    mn: int
    k: int
    item: int
    major: str = "k"
    swizzle: str = "none"
    step: int = 0
    shift: int = 0

    @property
    def width(self) -> int:
        """Return the bytes of a row of the swizzle atom."""
        return SWIZZLES[self.swizzle][0]

    @property
    def strides(self) -> tuple[int, int]:
        """Return the leading and the stride dimension byte offset. Source: 9.7.16.5.1.2.1.1 and .2."""
        block = 8 * self.width
        if self.major == "k":
            return (CORE * self.mn if self.swizzle == "none" else CORE), block
        if self.swizzle == "none":
            return -(-self.mn * self.item // CORE) * block, block
        return self.k // 8 * block, block

    @property
    def start(self) -> int:
        """Return the byte offset of the matrix start address."""
        return self.shift * PATTERN + self.step * self.k * self.item

    @property
    def descriptor(self) -> int:
        """Return the matrix descriptor, less the address of the tile. Source: 9.7.16.5.1.2.2."""
        leading, stride = self.strides
        code = SWIZZLES[self.swizzle][1]
        return self.start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | (self.shift & 7) << 49 | code << 62

    @property
    def nbytes(self) -> int:
        """Return the bytes up to the end of the last core, whole rows of the atom included."""
        return -(-(int(self.offsets().max()) + self.item) // self.width) * self.width

    def offsets(self) -> Index:
        """Return the byte offset of each item, as (mn, k)."""
        row, column = np.indices((self.mn, self.k))
        leading, stride = self.strides
        if self.major == "mn":
            atom, inside = row * self.item // self.width, row * self.item % self.width
            along_mn, along_k = (stride, leading) if self.swizzle == "none" else (leading, stride)
            linear = atom * along_mn + inside + column % 8 * self.width + column // 8 * along_k
        else:
            inside = column * self.item
            along = inside // CORE * leading + inside % CORE + self.step * self.k * self.item
            linear = row // 8 * stride + row % 8 * self.width + along
        return self.shift * PATTERN + (linear ^ (linear >> 7 & self.width // CORE - 1) << 4)


@dataclass(frozen=True)
class Multiplicand(Operand):
    """A or B in shared memory, logical (trials, M or N, K): the byte image of each trial's tile.

    Bits that the format ignores (the low 13 of tf32) are ones.
    """

    tile: Tile

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * self.tile.nbytes

    def pack(self, logical: np.ndarray) -> Bytes:
        """Return the bytes that hold the logical array."""
        items = _items(self.codes(logical).reshape(self.shape) | _ignored(self), self.format.bits)
        image = np.full((self.shape[0], self.tile.nbytes), FILLER, dtype=np.uint8)
        image.view(items.dtype)[:, self.tile.offsets() // self.tile.item] = items
        return image.reshape(-1)


@dataclass(frozen=True)
class RegisterMultiplicand(Fragment):
    """A in registers. Bits that the format ignores are ones."""

    def codes(self, logical: np.ndarray) -> Codes:
        """Return the codes of a logical array, ignored bits set."""
        return np.asarray(super().codes(logical) | _ignored(self), dtype=np.uint64)


def _ignored(operand: Operand) -> np.uint64:
    return np.uint64((1 << operand.format.padding) - 1)


def _items(codes: Codes, bits: int) -> np.ndarray:
    """Return codes as whole little-endian items; single bits go eight to a byte, the first lowest."""
    if bits == 1:
        return np.packbits(codes.astype(np.uint8), axis=-1, bitorder="little")
    return codes.astype(f"<u{bits // 8}")


# --- register fragments, laid out in memory as [block][thread][register] for vector loads ---------------------------


@cache
def fragment_a(k: int, slots: int) -> Layout:
    """Return the layout of A (64 x k, `slots` elements a register): four registers a thread.

    A warp holds 16 rows, as in the warp-level mma. Source: 9.7.16.5.1.1, figures 148, 150, 152 and 154; for packed
    sparse A (k kept elements), 9.7.16.6.2, figures 175, 177 and 179.
    """
    return _warpgroup([mma_a(16, k, slots)])


@cache
def fragment_d(n: int, slots: int) -> Layout:
    """Return the layout of D (64 x n): 8 columns a block, 4 registers (2 with `slots` 2) of each a thread.

    Source: 9.7.16.5.1.1, figures 149, 151, 153 and 155.
    """
    return _warpgroup([mma_c(16, 8, slots)] * (n // 8))


def _warpgroup(blocks: list[Layout]) -> Layout:
    """Return a warp's blocks, side by side in columns of 8, for four warps on top of each other."""
    warp = np.arange(WARPS).reshape(-1, 1, 1, 1)
    rows, columns = [], []
    for block, layout in enumerate(blocks):
        row, column = (index.transpose(1, 0, 2)[None] for index in (layout.row, layout.column))
        rows.append((row + 16 * warp).reshape(-1, layout.slots))
        columns.append((column + 8 * block + 0 * warp).reshape(-1, layout.slots))
    return Layout(np.stack(rows), np.stack(columns))


# --- sparse A --------------------------------------------------------------------------------------------------------

# The pairs of positions that the two kept elements of a chunk of four may have. Source: 9.7.16.6.1.
PAIRS = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
# Metadata of a chunk of two, by the position of its kept element. Source: 9.7.16.6.1 (.tf32).
ALTERNATIVES = np.array([0b0100, 0b1110], dtype=np.uint64)


def granularity(fmt_bits: int) -> tuple[int, int]:
    """Return (kept, of): how many elements of a chunk are kept, and its length. Source: 9.7.16.6.1."""
    return (1, 2) if fmt_bits == 32 else (2, 4)


@cache
def metadata(chunks: int, select: int) -> tuple[Index, Index, Index]:
    """Return threads, and rows and chunks (threads, 8) whose 4-bit fields their words hold, the lowest first.

    With 16 chunks a row, every thread holds half a row; with 8, pair `select` of each quad holds halves of two rows.
    Source: 9.7.16.6.2, figures 176, 178, 180 and 181.
    """
    thread, field = np.indices((THREADS, 8))
    row, low = thread // 32 * 16 + thread % 32 // 4, thread % 4
    if chunks == 16:
        return np.arange(THREADS), row + 8 * (low % 2), 8 * (low // 2) + field
    chosen = np.flatnonzero(low[:, 0] // 2 == select)
    return chosen, (row + 8 * (field // 4))[chosen], (4 * (low % 2) + field % 4)[chosen]


@dataclass(frozen=True)
class Metadata(Operand):
    """Positions of the kept elements within their chunks, logical (trials, 64, kept): one word a thread.

    `of` is the length of a chunk. Threads that the selector does not name hold `DECOY`, which must not matter.
    """

    of: int
    select: int = 0

    DECOY = 0xE4E4E4E4  # legal for chunks of two and of four, and unlike any two equal halves of a row

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * THREADS * 4

    def pack(self, logical: np.ndarray) -> Bytes:
        """Return the bytes that hold the logical array."""
        positions = logical.astype(np.uint64)
        fields = (
            ALTERNATIVES[positions] if self.of == 2 else positions[..., 0::2] | positions[..., 1::2] << np.uint64(2)
        )
        threads, rows, chunks = metadata(fields.shape[2], self.select)
        words = np.full((self.shape[0], THREADS), self.DECOY, dtype="<u4")
        shifts = np.arange(8, dtype=np.uint64) * np.uint64(4)
        words[:, threads] = np.bitwise_or.reduce(fields[:, rows, chunks] << shifts, axis=-1)
        return words.reshape(-1).view(np.uint8)
