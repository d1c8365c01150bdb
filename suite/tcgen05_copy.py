"""Operands, inputs and oracles of tcgen05.cp, shift and commit across a cluster: tensor memory before and after.

Arrays carry a leading axis of CTAs; a trial is one CTA, or one pair with cta_group::2. What the manual leaves open is
not compared. Source: PTX ISA 9.3, 9.7.17.9 and 9.7.17.12.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.tcgen05 import CHUNK, LANES, SWIZZLES, Tile, tensor_rows
from suite.tcgen05_mma import Multiplicand
from suite.tcgen05_transfer import distinct_words

COLUMNS = 32  # columns that each kernel allocates, fills and reads back
FIRST = 8  # the first column that the instruction of trial 0 writes
UNIT = 8  # columns of 256 bits
TRIALS = 2
CLUSTER = 4  # CTAs of a cluster in the kernels of commit

Words = NDArray[np.uint64]


class Block(NamedTuple):
    """A shape of tcgen05.cp: rows and bytes of a row in shared memory, and the row that each lane gets."""

    rows: int
    row_bytes: int
    row_of_lane: NDArray[np.intp] | None


_LANE = np.arange(LANES)
# By shape and multicast. 64x128b: the warps of a pair get the same 32 rows. 4x256b: the manual names no lanes.
# Source: 9.7.17.2.3, 9.7.17.9.2.
BLOCKS = {
    #                                   rows bytes  row of a lane
    ("128x256b", "none"):         Block(128, 32,    _LANE),
    ("4x256b", "none"):           Block(4,   32,    None),
    ("128x128b", "none"):         Block(128, 16,    _LANE),
    ("64x128b", "warpx2::02_13"): Block(64,  16,    _LANE % 64),
    ("64x128b", "warpx2::01_23"): Block(64,  16,    _LANE // 64 * 32 + _LANE % 32),
    ("32x128b", "warpx4"):        Block(32,  16,    _LANE % 32),
}  # fmt: skip

# Elements of the source format and the bits that one of them has in each byte of a cell: what stands beside them is not
# compared, for only pictures show it. e3m2 stands for both 6-bit types, which differ in no step of the copy.
# Source: 9.7.17.9.1, figures 194 to 198.
SOURCES = {
    #             element bits of a cell
    "none":      ("b8",   0xFFFFFFFF),
    "b6x16_p32": ("e3m2", 0x3F3F3F3F),
    "b4x16_p64": ("e2m1", 0x3C3C3C3C),
}  # fmt: skip


def block(params: Params) -> Block:
    """Return the geometry of a case of cp."""
    return BLOCKS[params["shape"], params["multicast"]]


def summed(params: Params) -> bool:
    """Tell whether the cells of a case are compared by their sum over the lanes."""
    return block(params).row_of_lane is None


def tile(params: Params) -> Tile:
    """Return the layout of a CTA's rows in shared memory: whole groups of 8 rows, as wide as the swizzle's atom."""
    shape = block(params)
    return Tile(max(8, shape.rows), SWIZZLES[params["swizzle"]][0] or shape.row_bytes, params["swizzle"])


def slice_bytes(params: Params) -> int:
    """Return how many bytes of each row the second trial skips, where rows are wider than what is copied."""
    width = block(params).row_bytes
    return width if tile(params).row_bytes > width else 0


def cp_operands(params: Params) -> tuple[Operand, ...]:
    """Return the tiles, the cells filled beforehand, and the cells read back, or their sums."""
    ctas, shape = TRIALS * params["cta_group"], tile(params)
    cells = (ctas, LANES, COLUMNS)
    return (
        Multiplicand("image", "in", SOURCES[params["source"]][0], (ctas, shape.rows, shape.row_bytes), 1, shape),
        Buffer("rows", "in", "b32", cells),
        Buffer("out", "out", "b32", (ctas, COLUMNS) if summed(params) else cells),
    )


def _codes(rng: np.random.Generator, operand: Operand) -> Words:
    return rng.integers(0, 1 << operand.format.bits, operand.shape, dtype=np.uint64)


def cp_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return random tiles, and distinct words for all cells, or for all columns where lanes are summed."""
    image, rows, _ = cp_operands(params)
    cells = distinct_words(rng, rows.shape)
    return {"image": _codes(rng, image), "rows": cells[:, :1].repeat(LANES, axis=1) if summed(params) else cells}


def cp_words(params: Params, image: Words) -> Words:
    """Return the words that each CTA copies, as (CTAs, rows, columns)."""
    shape, (fmt, _) = block(params), SOURCES[params["source"]]
    held = tensor_rows(fmt, FORMATS[fmt].bits, image)[:, : shape.rows]
    skip = slice_bytes(params) * (np.arange(len(held)) // params["cta_group"])
    taken = [part[:, at : at + shape.row_bytes] for part, at in zip(held, skip, strict=True)]
    return np.ascontiguousarray(taken).view("<u4").astype(np.uint64)


def cp_oracle(params: Params, arrays: Arrays) -> Arrays:
    """The words lie from column 8 (16 in trial 1) on, in the lanes of the shape; all other cells are as they were."""
    words, mask = cp_words(params, arrays["image"]), np.uint64(SOURCES[params["source"]][1])
    cells, order = arrays["rows"].copy(), block(params).row_of_lane
    lanes = np.arange(words.shape[1]) if order is None else np.arange(LANES)  # any lanes have the same sum
    for cta in range(len(cells)):
        first = FIRST + UNIT * (cta // params["cta_group"])
        cells[cta, lanes, first : first + words.shape[2]] = words[cta] if order is None else words[cta][order]
    cells &= mask
    return {"out": cells.sum(axis=1) & np.uint64(0xFFFFFFFF) if order is None else cells}


# --- shift ----------------------------------------------------------------------------------------------------------

SHIFTS = 4  # trials, one for each warp's lanes


def shift_operands(params: Params) -> tuple[Operand, ...]:
    """Return the cells before and after."""
    cells = (SHIFTS * params["cta_group"], LANES, COLUMNS)
    return Buffer("rows", "in", "b32", cells), Buffer("out", "out", "b32", cells)


def _shifted(params: Params, cells: Words) -> list[Words]:
    """Return each CTA's 32 lanes by 8 columns that its shift takes, as views."""
    warps = [cta // params["cta_group"] for cta in range(len(cells))]
    return [cells[cta, 32 * w : 32 * w + 32, FIRST : FIRST + UNIT] for cta, w in enumerate(warps)]


def shift_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return distinct words for all cells; in what is shifted, odd rows are alike, and so are even ones."""
    cells = distinct_words(rng, shift_operands(params)[0].shape)
    for part in _shifted(params, cells):
        part[:] = part[np.arange(32) % 2]
    return {"rows": cells}


def shift_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Every lane but the two at the ends holds a neighbour's row: which neighbour, "down" leaves open in the text.

    The kernel gives 0 for the two lanes at the ends of the 32, of which one keeps its row and one loses it.
    """
    cells = arrays["rows"].copy()
    for cta, part in enumerate(_shifted(params, cells)):
        part[:] = part[::-1]  # of two alternating rows, the other one
        first = 32 * (cta // params["cta_group"])
        cells[cta, [first, first + 31]] = 0
    return {"out": cells}


# --- commit across a cluster ----------------------------------------------------------------------------------------

COMMIT_TILE = Tile(LANES, CHUNK)
# The CTA that commits (with cta_group::2 the even one of its pair) and the mask of those whose barriers it arrives at.
MULTICASTS = ((0, 0b0001), (1, 0b0101), (2, 0b1010), (3, 0b0111), (0, 0b1110), (2, 0b1111))
REMOTES = ((0, 0b0010), (1, 0b0001), (2, 0b1000), (3, 0b0001), (0, 0b1000), (2, 0b0010))


def commit_operands(params: Params) -> tuple[Operand, ...]:
    """Return tiles and cells by CTA, who commits and to whom by cluster, then the arrivals and the cells after."""
    clusters = len(MULTICASTS)
    cells = (CLUSTER * clusters, LANES, COLUMNS)
    return (
        Multiplicand("image", "in", "b8", (CLUSTER * clusters, LANES, CHUNK), 1, COMMIT_TILE),
        Buffer("rows", "in", "b32", cells),
        Buffer("issuer", "in", "b32", (clusters,)),
        Buffer("mask", "in", "b32", (clusters,)),
        Buffer("arrivals", "out", "b32", (CLUSTER * clusters, 2)),
        Buffer("out", "out", "b32", cells),
    )


def commit_inputs(plan: tuple[tuple[int, int], ...], params: Params, rng: np.random.Generator) -> Arrays:
    """Return random tiles, distinct words for all cells, and the plan by columns."""
    image, rows, *_ = commit_operands(params)
    issuer, mask = np.array(plan, dtype=np.uint64).T
    odd = np.uint64(params["cta_group"] - 1)
    return {"image": _codes(rng, image), "rows": distinct_words(rng, rows.shape), "issuer": issuer & ~odd, "mask": mask}


def commit_oracle(params: Params, arrays: Arrays) -> Arrays:
    """A CTA in the mask is one phase on, with two arrivals to come; any other still lacks one. The copy is made."""
    rank = np.arange(CLUSTER, dtype=np.uint64)
    over = arrays["mask"][:, np.newaxis] >> rank & np.uint64(1)
    group = np.uint64(params["cta_group"])
    copies = (arrays["issuer"][:, np.newaxis] // group == rank // group).reshape(-1)
    words = arrays["image"].astype(np.uint8).view("<u4").astype(np.uint64)
    cells = arrays["rows"].copy()
    cells[copies, :, FIRST : FIRST + words.shape[2]] = words[copies]
    return {"arrivals": np.stack([over, over + np.uint64(1)], axis=-1).reshape(-1, 2), "out": cells}
