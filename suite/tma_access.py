"""Which elements of a tensor an access through a tensor map takes, in the order of shared memory: tile, gather, im2col.

Extents, boxes and coordinates are in elements, fastest first (C, W, H, D, N where a tensor is a batch of images), as
tensor maps have them; strides in bytes. Source: PTX ISA 9.3, 5.5.3 to 5.5.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from suite.operands import TensorMap
from suite.tma_oracle import Array, Extent, swizzled

# Bits of the types that a tensor map knows; b32 and b64 are u32 and u64 there. Source: CUDA driver API,
# CUtensorMapDataType.
_WIDTHS = {
    8: ("u8",),
    16: ("u16", "f16", "bf16"),
    32: ("u32", "s32", "b32", "f32", "f32_ftz", "tf32", "tf32_ftz"),
    64: ("u64", "s64", "b64", "f64"),
}
BITS = {fmt: bits for bits, fmts in _WIDTHS.items() for fmt in fmts}

# The first code of a tensor, and how far codes lie apart: plain values all, no NaN, no zero, none subnormal from 32
# bits on, and of 32 bits nothing that tf32 would round away. All are even, where bytes before a copy are odd.
_CODES = {8: (2, 2), 16: (2, 2), 32: (0x3F800000, 1 << 13), 64: (0x3FF0000000000000, 2)}

# What stands for any NaN where the kernel tells NaNs: which one fills, the manual does not say.
SOME_NAN = {"f16": 0x7E01, "f32": 0x7FC00001}


@dataclass(frozen=True)
class Access:
    """One access through a tensor map: the map, and the coordinates and offsets of the instruction.

    `mode` is `tile`, `four` (gather4 and scatter4), `im2col`, `im2col_w` or `im2col_w128`. For `four`, `corner` is the
    column and four rows. For the last three, `box` is (channels per pixel, pixels per column), `lower` and `upper` are
    the corners of the bounding box, W first, and `offsets` are by dimension, none for a store; of im2col_w they are
    (halo, W offset), and coordinates leave the halo out. `line` is where in a swizzle's pattern a load begins, in lines
    of 128 bytes of shared memory.
    """

    fmt: str
    dims: Extent
    strides: Extent
    box: Extent
    corner: Extent
    steps: Extent = ()
    mode: str = "tile"
    lower: Extent = ()
    upper: Extent = ()
    offsets: Extent = ()
    swizzle: str = "none"
    interleave: str = "none"
    fill: str = "zero"
    line: int = 0

    @property
    def itemsize(self) -> int:
        """Return the bytes of an element."""
        return BITS[self.fmt] // 8

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """Return the unsigned little-endian type that holds an element's code."""
        return np.dtype(f"<u{self.itemsize}")

    @property
    def storage(self) -> int:
        """Return the elements that the tensor's buffer holds, padding included."""
        return (self.strides[-1] * self.dims[-1] if self.strides else self.dims[0] * self.itemsize) // self.itemsize

    @property
    def count(self) -> int:
        """Return the elements that the access moves, those outside the tensor included."""
        return len(coordinates(self))

    @property
    def nbytes(self) -> int:
        """Return the bytes that the access moves in shared memory, those outside the tensor included."""
        return self.count * self.itemsize


def operand(access: Access, name: str, over: str) -> TensorMap:
    """Return the kernel's parameter: the tensor map of the access, over the buffer of that name."""
    return TensorMap(
        name=name,
        role="in",
        fmt=access.fmt,
        shape=access.dims[::-1],
        over=over,
        dims=access.dims,
        strides=access.strides,
        box=access.box,
        element_strides=access.steps or (1,) * len(access.dims),
        swizzle=access.swizzle,
        interleave=access.interleave,
        fill=access.fill,
        mode="tile" if access.mode == "four" else access.mode,
        lower=access.lower,
        upper=access.upper,
    )


def codes(fmt: str, count: int) -> Array:
    """Return `count` codes of the format: all different from 16 bits on, hashed by position in 8 bits.

    Raises `ValueError` where the format has not so many.
    """
    first, apart = _CODES[BITS[fmt]]
    if BITS[fmt] == 8:
        return np.asarray((np.arange(count) * 0x9E3779B1 % 2**32 >> 13) % 127 * apart + first, dtype=np.uint8)
    if first + count * apart >= (1 << BITS[fmt]) * 31 // 64:
        raise ValueError(f"{fmt} has no {count} different even finite codes")
    return np.arange(count).astype(f"<u{BITS[fmt] // 8}") * apart + first


@lru_cache(maxsize=64)
def coordinates(access: Access) -> NDArray[np.int64]:
    """Return (elements, rank): the tensor coordinates of each element, as they lie in shared memory without swizzle.

    The array is shared and cannot be written.
    """
    found = _coordinates(access)
    found.flags.writeable = False
    return found


def _coordinates(access: Access) -> NDArray[np.int64]:
    if access.mode == "four":
        return np.concatenate([_tile(replace(access, corner=(access.corner[0], row))) for row in access.corner[1:]])
    if access.mode == "tile":
        return _tile(access)
    channels = range(access.corner[0], access.corner[0] + access.box[0])
    return np.array([(channel, *pixel) for pixel in _pixels(access) for channel in channels])


def places(access: Access) -> NDArray[np.int64]:
    """Return, by element, its index in the tensor's buffer; -1 for one outside the tensor."""
    at = coordinates(access)
    inside = ((at >= 0) & (at < np.array(access.dims))).all(axis=1)
    return np.where(inside, at @ np.array((access.itemsize, *access.strides)) // access.itemsize, -1)


def loaded(access: Access, flat: Array) -> NDArray[np.uint8]:
    """Return the bytes that a load from the buffer `flat` leaves in shared memory, NaNs that fill as `SOME_NAN`."""
    at = places(access)
    fill = 0 if access.fill == "zero" else SOME_NAN[access.fmt]
    image = np.where(at < 0, np.array(fill, dtype=access.dtype), flat[at]).view(np.uint8)
    before = np.zeros(128 * access.line, dtype=np.uint8)
    return swizzled(np.concatenate([before, image]), access.swizzle)[before.size :]


def unswizzled(access: Access, source: Array) -> Array:
    """Return the elements in shared memory in the order of `places`."""
    return swizzled(source.view(np.uint8), access.swizzle).view(access.dtype)


def _tile(access: Access) -> NDArray[np.int64]:
    """Return the box at the corner: every step-th element of it, so that it holds ceil(box / step) a dimension."""
    steps = access.steps or (1,) * len(access.box)
    axes = [np.arange(0, size, step) + at for at, size, step in zip(access.corner, access.box, steps, strict=True)]
    grid = np.meshgrid(*axes[::-1], indexing="ij")
    return np.stack([axis.reshape(-1) for axis in grid[::-1]], axis=-1)


def _pixels(access: Access) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of each pixel, W first: through the bounding box, then through that of the next image.

    Boxes begin at the lower corner and end `upper` after the tensor's last pixel; offsets move boxes and pixels alike.
    im2col_w goes along W alone, in the same rows of all images.
    """
    wide = access.mode != "im2col"
    at = list(access.corner[1:])
    ends = [size - 1 + over for size, over in zip(access.dims[1:], access.upper, strict=False)]
    steps = (access.steps or (1,) * len(access.dims))[1:]
    moved = access.offsets[1:] if wide else access.offsets
    offsets = (*moved, *(0 for _ in at[len(moved) :]))
    for _ in range(128 if access.mode == "im2col_w128" else access.box[1]):
        yield tuple(base + offset for base, offset in zip(at, offsets, strict=True))
        for axis, lower in enumerate(access.lower):
            at[axis] += steps[axis]
            if at[axis] <= ends[axis]:
                break
            at[axis] = lower
        else:
            at[-1] += 1
