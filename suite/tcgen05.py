"""Facts of the fifth-generation tensor core: descriptors, shared-memory tiles, and layouts of tensor memory.

Pure index functions and tables, no lanes of any kernel. Source: PTX ISA 9.3, 9.7.17; section numbers stand beside
each table. Tests prove the layouts bijections and read the tiles back by the manual's canonical-layout formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from suite.layouts import Layout
from suite.operands import Codes

Bytes = NDArray[np.uint8]

LANES, COLUMNS = 128, 512  # tensor memory of a CTA, in cells of 32 bits. Source: 9.7.17.1
ALLOCATIONS = (32, 64, 128, 256, 512)  # legal column counts. Source: 9.7.17.7.1
STEP_BYTES = 32  # bytes of K that one dense tcgen05.mma takes, whatever the kind. Source: 9.7.17.2.1, Table 42
CHUNK = 16  # bytes of the 128-bit element that shared-memory layouts are written in. Source: 9.7.17.3.3


@dataclass(frozen=True)
class Movement:
    """A shape of tcgen05.ld and st: registers a thread and columns a lane at `.x1`, and the largest `.num`."""

    registers: int
    columns: int
    largest: int


# Source: 9.7.17.2.3 and 9.7.17.8.3, Table 52. 16x32bx2 is two accesses of 16 lanes by one column.
MOVEMENTS = {
    #                    registers columns largest
    "16x64b":   Movement(1,        2,      128),
    "16x128b":  Movement(2,        4,      64),
    "16x256b":  Movement(4,        8,      32),
    "32x32b":   Movement(1,        1,      128),
    "16x32bx2": Movement(1,        1,      128),
}  # fmt: skip


def counts(shape: str) -> tuple[int, ...]:
    """Return the legal values of `.num` of a data movement shape."""
    return tuple(1 << i for i in range(MOVEMENTS[shape].largest.bit_length()))


def split_offset(shape: str, num: int, slots: int) -> int:
    """Return the `immHalfSplitoff` used here, in columns: past the first half, with a gap where there is room."""
    width = num * slots
    return min(2 * width, COLUMNS - width) if shape == "16x32bx2" else 0


def columns_touched(shape: str, num: int, slots: int) -> int:
    """Return the columns from the base address to the last one accessed; `slots` is 2 with 16-bit packing, else 1."""
    return split_offset(shape, num, slots) + MOVEMENTS[shape].columns * num * slots


@cache
def movement(shape: str, num: int, slots: int = 1) -> Layout:
    """Return the tensor-memory cell of each register slot of a warp, as lane (row) and column from the base address.

    `slots` is 2 with `.pack::16b` or `.unpack::16b`: the low half of a register is the lower of two adjacent columns,
    16 bits of each. Source: 9.7.17.2.3.1, figures 183 to 187; 9.7.17.8.2, figure 193.
    """
    register, thread, slot = np.indices((MOVEMENTS[shape].registers * num, 32, slots))
    quad, low = thread // 4, thread % 4
    if shape == "32x32b":
        lane, column = thread, register
    elif shape == "16x32bx2":
        lane, column = thread % 16, register
    elif shape == "16x64b":
        lane, column = quad + 8 * (low % 2), 2 * register + low // 2
    elif shape == "16x128b":
        lane, column = quad + 8 * (register % 2), 4 * (register // 2) + low
    else:
        lane, column = quad + 8 * (register // 2 % 2), 8 * (register // 4) + 2 * low + register % 2
    second = split_offset(shape, num, slots) * (thread // 16)
    return Layout(lane, column * slots + slot + second)


# Instruction descriptor codes of element types, by kind. Source: 9.7.17.4.2, Table 45.
RESULT_CODES = {"f16": 0, "f32": 1, "s32": 2}
TYPE_CODES = {
    "f16": {"f16": 0, "bf16": 1},
    "tf32": {"tf32": 2},
    "f8f6f4": {"e4m3": 0, "e5m2": 1, "e2m3": 3, "e3m2": 4, "e2m1": 5},
    "i8": {"u8": 0, "s8": 1},
}
# Elements of K that one dense instruction takes. Source: 9.7.17.2.1, Table 42.
K_OF_KIND = {"f16": 16, "tf32": 8, "f8f6f4": 32, "i8": 32}


def instruction_descriptor(kind: str, types: tuple[str, str, str], m: int, n: int) -> int:
    """Return the 32-bit descriptor of a dense, K-major, unnegated mma; `types` are those of D, A and B.

    Source: 9.7.17.4.2, Table 45.
    """
    dtype, atype, btype = types
    codes = TYPE_CODES[kind]
    return RESULT_CODES[dtype] << 4 | codes[atype] << 7 | codes[btype] << 10 | (n >> 3) << 17 | (m >> 4) << 24


# Swizzle modes: bytes of a row of the atom (0: none) and the descriptor's code. Source: 9.7.17.4.1, Table 43.
SWIZZLES = {"none": (0, 0), "32B": (32, 6), "64B": (64, 4), "128B": (128, 2)}


@dataclass(frozen=True)
class Tile:
    """A K-major matrix of `rows` by `row_bytes` in shared memory, at an address aligned to 1024 bytes.

    Unswizzled, 8 x 16-byte core matrices lie row group after row group, then K chunk after K chunk. Swizzled, a row is
    as wide as the atom. Source: 9.7.17.3.3 (canonical layouts), 9.7.17.10.6.
    """

    rows: int
    row_bytes: int
    swizzle: str = "none"

    @property
    def nbytes(self) -> int:
        """Return the size in bytes."""
        return self.rows * self.row_bytes

    @property
    def leading(self) -> int:
        """Return the leading dimension byte offset: from one 16-byte chunk of K to the next; unused when swizzled."""
        return CHUNK * self.rows if self.swizzle == "none" else CHUNK

    @property
    def stride(self) -> int:
        """Return the stride dimension byte offset: from 8 rows to the next 8."""
        return 8 * (SWIZZLES[self.swizzle][0] or CHUNK)

    @property
    def advance(self) -> int:
        """Return the bytes by which the start address moves for the next K step of 32 bytes."""
        return 2 * self.leading if self.swizzle == "none" else STEP_BYTES

    @property
    def descriptor(self) -> int:
        """Return the 64-bit shared memory descriptor less its start address. Source: 9.7.17.4.1, Table 43."""
        code = SWIZZLES[self.swizzle][1]
        return self.leading >> 4 << 16 | self.stride >> 4 << 32 | 0b001 << 46 | code << 61

    def offsets(self) -> NDArray[np.intp]:
        """Return the byte offset of each 16-byte chunk, as (rows, chunks)."""
        row, chunk = np.indices((self.rows, self.row_bytes // CHUNK))
        width = SWIZZLES[self.swizzle][0]
        linear = row // 8 * self.stride + row % 8 * (width or CHUNK) + chunk * self.leading
        return linear ^ (linear >> 7 & max(width // CHUNK - 1, 0)) << 4


def row_bytes(bits: int, k: int) -> int:
    """Return the bytes that `k` elements take in shared memory: 6- and 4-bit ones take 16 bytes for each 16."""
    return k * max(bits, 8) // 8


def shared_rows(bits: int, codes: Codes) -> Bytes:
    """Return rows of codes (..., k) as shared memory holds them (..., bytes).

    16 elements of 6 or 4 bits lie packed, low bits first, at the start of 16 bytes, and zero padding follows.
    Source: 9.7.17.10.4.4, figures 202 and 203.
    """
    if bits >= 8:
        return np.ascontiguousarray(codes.astype(f"<u{bits // 8}")).view(np.uint8)
    grouped = codes.reshape(*codes.shape[:-1], -1, 16, 1)
    stream = (grouped >> np.arange(bits, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)
    stream = stream.reshape(*stream.shape[:-2], 16 * bits)
    padded = np.pad(stream, [(0, 0)] * (stream.ndim - 1) + [(0, 128 - 16 * bits)])
    return np.packbits(padded, axis=-1, bitorder="little").reshape(*codes.shape)


# Place of a code in its 8-bit container in tensor memory. Source: 9.7.17.10.4.3, figures 199 to 201.
CONTAINER_SHIFT = {"e2m1": 2}


def tensor_rows(fmt: str, bits: int, codes: Codes) -> Bytes:
    """Return rows of codes (..., k) as tensor memory holds them (..., bytes): one container after another."""
    shifted = codes << np.uint64(CONTAINER_SHIFT.get(fmt, 0))
    return np.ascontiguousarray(shifted.astype(f"<u{max(bits, 8) // 8}")).view(np.uint8)
