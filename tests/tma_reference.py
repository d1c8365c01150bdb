"""A slow and independent reference of what an access through a tensor map takes, by what the manual says of each mode.

Source: PTX ISA 9.3, 5.5.3 to 5.5.7.
"""

from __future__ import annotations

import itertools

from suite.tma_access import Access


def tile(where: Access) -> list[tuple[int, ...]]:
    steps = where.steps or (1,) * len(where.dims)
    counts = [-(-box // step) for box, step in zip(where.box, steps, strict=True)]
    found = []
    for backwards in itertools.product(*(range(count) for count in reversed(counts))):
        taken = reversed(backwards)
        found.append(tuple(c + i * s for c, i, s in zip(where.corner, taken, steps, strict=True)))
    return found


def columns(where: Access) -> list[tuple[int, ...]]:
    """Return the pixels as the sequence of all bounding boxes' pixels, from the first one on, by their sorted order."""
    spatial = len(where.lower)
    steps = (where.steps or (1,) * len(where.dims))[1:]
    boxes = [
        range(lower, dim + upper, step)
        for lower, upper, dim, step in zip(where.lower, where.upper, where.dims[1:], steps, strict=False)
    ]
    images = range(where.corner[-1], where.dims[-1] + 2000)
    count = 128 if where.mode == "im2col_w128" else where.box[1]
    first = tuple(reversed(where.corner[1:]))
    pixels: list[tuple[int, ...]] = []
    if where.mode != "im2col":  # the first pixel may lie left of the box, and H and D stay
        for image in images:
            before = range(where.corner[1], where.lower[0]) if image == where.corner[-1] else ()
            line = [w for w in (*before, *boxes[0]) if image > where.corner[-1] or w >= where.corner[1]]
            pixels += [(image, *reversed(where.corner[2:-1]), w) for w in line]
            if len(pixels) >= count:
                break
    else:
        every = (
            (image, *rest)
            for image in images
            for rest in itertools.product(*(boxes[i] for i in reversed(range(spatial))))
        )
        pixels = list(itertools.islice((pixel for pixel in every if pixel >= first), count))
    moved = where.offsets if where.mode == "im2col" else where.offsets[1:]
    shift = (*moved, *(0 for _ in range(len(where.dims) - 1 - len(moved))))
    return [
        (where.corner[0] + channel, *(p + s for p, s in zip(reversed(pixel), shift, strict=True)))
        for pixel in pixels[:count]
        for channel in range(where.box[0])
    ]


def fours(where: Access) -> list[tuple[int, ...]]:
    return [(where.corner[0] + i, row) for row in where.corner[1:] for i in range(where.box[0])]


def reference(where: Access) -> list[tuple[int, int | None]]:
    """Return, by element, its byte in shared memory and its byte in the tensor's buffer, None outside the tensor."""
    at = {"tile": tile, "four": fours}.get(where.mode, columns)(where)
    found = []
    for number, index in enumerate(at):
        inside = all(0 <= i < dim for i, dim in zip(index, where.dims, strict=True))
        steps = (where.itemsize, *where.strides)
        home = sum(i * step for i, step in zip(index, steps, strict=True)) if inside else None
        before = 128 * where.line
        found.append((place(before + number * where.itemsize, where.swizzle) - before, home))
    return found


# Which atom of a row of 128 bytes goes where, by row, as the manual draws it. Source: PTX ISA 9.3, 5.5.7.
DRAWN = {
    "none": (16, ("01234567",)),
    "32B": (16, ("01234567", "10325476")),
    "64B": (16, ("01234567", "10325476", "23016745", "32107654")),
    "128B": (16, ("01234567", "10325476", "23016745", "32107654", "45670123", "54761032", "67452301", "76543210")),
    "128B_atom_32B": (32, ("0123", "1032", "2301", "3210")),
    "128B_atom_32B_flip_8B": (32, ("0123", "1032", "2301", "3210")),
    "128B_atom_64B": (64, ("01", "10")),
}


def place(offset: int, swizzle: str) -> int:
    size, rows = DRAWN[swizzle]
    row, within = divmod(offset, 128)
    atom = rows[row % len(rows)].index(str(within // size))
    inner = within % size
    if swizzle.endswith("flip_8B") and row % 2:
        inner ^= 8
    return row * 128 + atom * size + inner
