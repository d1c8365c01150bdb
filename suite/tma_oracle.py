"""Pure index functions of the copy families: known contents, boxes of tensors, fill and swizzle.

Dimensions, corners and boxes are in elements, fastest first, as tensor maps have them; arrays are row-major, so that
their axes run the other way. Offsets, strides and sizes are in bytes.
"""

from __future__ import annotations

import functools
import math
import operator

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from suite.formats import FORMATS

Array = NDArray[np.unsignedinteger]
Extent = tuple[int, ...]

DONE = 0x600D0001  # the status word of a CTA whose wait ended as it should; ptx/tma_harness.ptx.j2 writes it

# Bits of a byte offset, and how far each pattern of them is shifted right to be XORed into the offset: the row of 128
# bytes, modulo 2, 4 or 8, flips the atom of 16, 32 or 64 bytes within it, and every other row two halves of 8 bytes.
# Source: PTX ISA 9.3, 5.5.7.
SWIZZLE_BITS: dict[str, tuple[tuple[int, int], ...]] = {
    "none": (),
    "32B": ((0x080, 3),),
    "64B": ((0x180, 3),),
    "128B": ((0x380, 3),),
    "128B_atom_32B": ((0x180, 2),),
    "128B_atom_32B_flip_8B": ((0x180, 2), (0x080, 4)),
    "128B_atom_64B": ((0x080, 1),),
}

SPAN = {"32B": 32, "64B": 64, "128B": 128}  # bytes of a swizzled box's fastest dimension. Source: the same

# Tensors by rank: no two extents of a tensor or of a box are equal. The fastest coordinate of a corner is a multiple of
# 16 bytes, as PTX ISA 9.3, 5.5.3.1, demands of a box's address: with any other an H200 ends the load or store in
# CUDA_ERROR_ILLEGAL_INSTRUCTION, unless all of the box lies outside the tensor (measured with driver 580.159.04;
# element 1, 19 and 41 of f16 against 0, 8, 16 and 32).
GEOMETRY: dict[int, tuple[Extent, Extent, Extent]] = {
    # rank  tensor        box              a corner inside
    1: ((208,), (64,), (48,)),
    2: ((160, 24), (32, 10), (48, 3)),
    3: ((48, 9, 6), (16, 4, 3), (16, 2, 1)),
    4: ((48, 7, 5, 6), (16, 3, 2, 4), (16, 2, 3, 1)),
    5: ((32, 4, 3, 5, 6), (16, 3, 2, 4, 5), (8, 1, 1, 1, 1)),
}


def box_of(rank: int, fmt: str, swizzle: str) -> Extent:
    """Return the rank's box, as wide as the span of the swizzle if there is one."""
    box = GEOMETRY[rank][1]
    return box if swizzle == "none" else (SPAN[swizzle] // itemsize(fmt), *box[1:])


def corner_of(rank: int, box: Extent, at: str) -> Extent:
    """Return where the box begins: `inside`, over the `low` or `high` edge of every dimension, or `beyond` them all."""
    dims, _, inside = GEOMETRY[rank]
    over = (16 if box[0] >= 32 else 8, *(size // 4 + 1 for size in box[1:]))
    high = tuple(extent - size + cut for extent, size, cut in zip(dims, box, over, strict=True))
    return {"inside": inside, "low": tuple(-cut for cut in over), "high": high, "beyond": dims}[at]


def itemsize(fmt: str) -> int:
    """Return the bytes of an element of that format."""
    return max(1, FORMATS[fmt].bits // 8)


def element(fmt: str) -> np.dtype[np.unsignedinteger]:
    """Return the unsigned little-endian type that holds an element's code."""
    return np.dtype(f"<u{itemsize(fmt)}")


def distinct(fmt: str, count: int) -> Array:
    """Return `count` even nonzero codes: all different from 16 bits on (f32: from 1 up), hashed by position in 8 bits.

    Raises `ValueError` where 16 bits cannot tell so many finite elements apart.
    """
    index = np.arange(count)
    if itemsize(fmt) == 1:
        return np.asarray((index * 0x9E3779B1 % 2**32 >> 13) % 127 * 2 + 2, dtype=element(fmt))
    if itemsize(fmt) == 2 and count >= 0x7C00 // 2:
        raise ValueError(f"{fmt} has no {count} different even finite codes")
    return np.asarray(2 * index + (2 if itemsize(fmt) == 2 else 0x3F800000), dtype=element(fmt))


def even_bytes(count: int) -> NDArray[np.uint8]:
    """Return `count` even bytes, none of them 0, in pairs of which no two are equal; at most 2 * 127 * 127."""
    pair = np.arange(-(-count // 2))
    return np.stack([pair % 127 * 2 + 2, pair // 127 * 2 + 2], axis=-1).astype(np.uint8).reshape(-1)[:count]


def prefilled(ctas: int, size: int) -> NDArray[np.uint8]:
    """Return (ctas, size): what each CTA's window of at most 65,536 bytes holds before the copy, every byte odd."""
    word = np.arange(size // 4)
    words = 0xA5010101 + (np.arange(ctas)[:, None] << 17) + (word % 128 << 1) + (word // 128 << 9)
    return np.ascontiguousarray(words.astype("<u4")).view(np.uint8)


def padded_strides(fmt: str, dims: Extent) -> Extent:
    """Return the strides of all dimensions but the fastest: multiples of 16, each with padding after its row."""
    strides: list[int] = []
    size = itemsize(fmt)
    for extent in dims[:-1]:
        size = -(-size * extent // 16) * 16 + 16
        strides.append(size)
    return tuple(strides)


def storage(fmt: str, dims: Extent, strides: Extent) -> int:
    """Return the elements that the tensor's buffer holds, padding included."""
    return ((strides[-1] if strides else itemsize(fmt)) * dims[-1]) // itemsize(fmt)


def tensor(flat: Array, dims: Extent, strides: Extent) -> Array:
    """Return the tensor as a view of its buffer, slowest axis first, without the padding."""
    steps = (flat.itemsize, *strides)
    return as_strided(flat, shape=dims[::-1], strides=steps[::-1])


def bounding_box(source: Array, corner: Extent, box: Extent) -> Array:
    """Return the box at `corner`, slowest axis first, with 0 for every element outside the tensor.

    The corner may lie at most a box below 0, and at the tensor's end at most. Source: PTX ISA 9.3, 5.5.3.3.
    """
    around = np.pad(source, [(extent, extent) for extent in box[::-1]])
    return around[tuple(slice(at + size, at + 2 * size) for at, size in zip(corner[::-1], box[::-1], strict=True))]


def store_box(destination: Array, corner: Extent, values: Array) -> None:
    """Write the part of the box at `corner`, none of it negative, that lies inside the tensor."""
    inside = destination[tuple(slice(at, at + size) for at, size in zip(corner[::-1], values.shape, strict=True))]
    inside[...] = values[tuple(slice(0, size) for size in inside.shape)]


def swizzle_offset(offset: int | NDArray[np.int64], mode: str) -> int | NDArray[np.int64]:
    """Return where the byte at `offset` of the box lies in shared memory, from a boundary of 1024 bytes on."""
    flip = functools.reduce(operator.xor, ((offset & bits) >> shift for bits, shift in SWIZZLE_BITS[mode]), offset * 0)
    return offset ^ flip


def swizzled(image: NDArray[np.uint8], mode: str) -> NDArray[np.uint8]:
    """Return the bytes of a box in the order in which they lie in shared memory; its own inverse.

    The size must be a multiple of 128 unless the mode is `none`.
    """
    offsets = np.arange(image.size)
    placed = np.empty_like(image)
    placed[swizzle_offset(offsets, mode)] = image
    return placed


def volume(box: Extent) -> int:
    """Return the number of elements of a box."""
    return math.prod(box)
