"""Facts of every form of tcgen05.mma: K, descriptors, and where D, A, metadata and scales lie in tensor memory.

Pure tables and index functions. Source: PTX ISA 9.3, 9.7.17.2, 9.7.17.4 and 9.7.17.10; PTX ISA 9.4, 9.7.18.4 for
kind::ti16. Where the manual's layout is a figure, its text says the rule and NVIDIA's CUTLASS
(include/cute/atom/mma_traits_sm100.hpp: tmem_frg, tmem_frg_ws, tmem_e_frg, tmem_sf_frg) the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from suite.tcgen05 import ALLOCATIONS, Tile

Index = NDArray[np.intp]

# Elements of K of one dense instruction (a sparse one takes twice as many), and the codes of A's and B's types in the
# instruction descriptor. Source: 9.7.17.2.1, Table 42; 9.7.17.4.2, Tables 45 to 47; ti16: PTX ISA 9.4, Table 51.
_NARROW = {"e4m3": 0, "e5m2": 1, "e2m3": 3, "e3m2": 4, "e2m1": 5}
KINDS: dict[str, tuple[int, dict[str, int]]] = {
    "f16": (16, {"f16": 0, "bf16": 1}),
    "tf32": (8, {"tf32": 2}),
    "f8f6f4": (32, _NARROW),
    "i8": (32, {"u8": 0, "s8": 1}),
    "ti16": (16, {"s1z4m11": 3}),
    "mxf8f6f4": (32, _NARROW),
    "mxf4": (64, {"e2m1": 1}),
    "mxf4nvf4": (64, {"e2m1": 1}),
}
SCALED = ("mxf8f6f4", "mxf4", "mxf4nvf4")
PACKED = ("mxf4", "mxf4nvf4")  # two elements a byte, in shared and tensor memory. Source: 9.7.17.10.4.5 and .6
RESULT_CODES = {"f16": 0, "f32": 1, "s32": 2}
SCALE_CODES = {"ue4m3": 0, "ue8m0": 1, "ue5m3": 2}  # ue5m3: PTX ISA 9.4, Table 53
HALVED_METADATA = ("f16", "tf32", "ti16")  # one column of metadata, chosen by the selector; other kinds take two

# Blocks of a row that have a scale each, by kind and spelling. Source: 9.7.17.10.7.1, Table 59; 9.7.17.10.9.1.
BLOCKS = {
    ("mxf8f6f4", "default"): 1, ("mxf8f6f4", "1X"): 1, ("mxf8f6f4", "block32"): 1,
    ("mxf4", "default"): 2, ("mxf4", "2X"): 2, ("mxf4", "block32"): 2,
    ("mxf4nvf4", "2X"): 2, ("mxf4nvf4", "block32"): 2, ("mxf4nvf4", "4X"): 4, ("mxf4nvf4", "block16"): 4,
}  # fmt: skip

LANES = 128
SPARE = 32  # columns of B beyond N that `.ws` may be shifted to. Source: 9.7.17.4.3, Table 48 (column shift)
MAX_SHIFT = {0: 0, 8: 1, 16: 2, 32: 3}  # Source: 9.7.17.4.2, Table 45, bits 30-31


@dataclass(frozen=True)
class Place:
    """Cells of logical elements: CTA, lane, column from the operand's first, and slot in the word.

    Each array is (copies, *element shape): the hardware wants some operands several times.
    """

    part: Index
    lane: Index
    column: Index
    slot: Index


@dataclass(frozen=True)
class Form:
    """One instruction D = A * B + D on `group` CTAs: sizes over all of them, where A is, and the descriptor's fields.

    `types` are those of D, A and B. `vec` is the spelling of the scale vector size, `ids` are those of scale A and B.
    `negate` holds `a` or `b` or both.
    """

    group: int
    kind: str
    types: tuple[str, str, str]
    m: int
    n: int
    a_in: str = "smem"
    sparse: bool = False
    ws: bool = False
    vec: str = ""
    scale: str = ""
    ids: tuple[int, int] = (0, 0)
    selector: int = 0
    shift: int = 0
    negate: str = ""
    saturate: bool = False
    scratch: bool = False
    swizzled: bool = False

    @property
    def k(self) -> int:
        """Return the logical K of the instruction."""
        return KINDS[self.kind][0] * (2 if self.sparse else 1)

    @property
    def rows(self) -> int:
        """Return the rows of A and D that one CTA holds."""
        return self.m // self.group

    @property
    def half(self) -> bool:
        """Tell whether D takes 16 of each warp's 32 lanes: layouts F and C. Source: 9.7.17.10.5."""
        return self.rows == 64 and not self.ws and (self.group == 1 or self.sparse)

    @property
    def banks(self) -> int:
        """Return how many groups of lanes share D's columns: 2 in layouts B and E, 4 in G. Source: 9.7.17.10.5."""
        return 1 if self.half else LANES // self.rows

    @property
    def width(self) -> int:
        """Return the columns of tensor memory that D takes."""
        return self.n // self.banks

    @property
    def blocks(self) -> int:
        """Return the scales a row of A or column of B has."""
        return BLOCKS[self.kind, self.vec]

    @property
    def chunks(self) -> int:
        """Return the 4-bit metadata codes of a row of A. Source: 9.7.17.10.8.1 to .3."""
        return self.k // {"tf32": 2, "mxf4": 8, "mxf4nvf4": 8}.get(self.kind, 4)

    @property
    def columns(self) -> dict[str, tuple[int, int]]:
        """Return (first column, columns) of each operand in tensor memory; all multiples of 8."""
        wanted = (
            ("c", self.width, True),
            ("scratch", self.width, self.scratch),
            ("a", 8, self.a_in == "tmem"),
            ("e", 8, self.sparse),
            ("sfa", 8, bool(self.scale)),
            ("sfb", 8, bool(self.scale)),
        )
        places, at = {}, 0
        for name, width, there in wanted:
            if there:
                places[name], at = (at, width), at + width
        return places

    @property
    def allocation(self) -> int:
        """Return the columns to allocate."""
        return next(count for count in ALLOCATIONS if count >= sum(width for _, width in self.columns.values()))

    @property
    def tile_a(self) -> Tile:
        """Return a CTA's part of A in shared memory: 32 bytes a row, packed if sparse."""
        return Tile(self.rows, 32, "32B" if self.swizzled else "none")

    @property
    def tile_b(self) -> Tile:
        """Return a CTA's part of B in shared memory: 32 bytes a column, 64 if A is sparse."""
        swizzle = ("64B" if self.sparse else "32B") if self.swizzled else "none"
        return Tile(self.n // self.group + (SPARE if self.ws else 0), 64 if self.sparse else 32, swizzle)

    @property
    def descriptor(self) -> int:
        """Return the 32-bit instruction descriptor. Source: 9.7.17.4.2, Tables 45 to 47."""
        dtype, atype, btype = self.types
        codes = KINDS[self.kind][1]
        common = self.sparse << 2 | codes[atype] << 7 | codes[btype] << 10 | (self.n >> 3) << 17
        common |= ("a" in self.negate) << 13 | ("b" in self.negate) << 14
        if self.kind in SCALED:
            ids = self.ids[1] << 4 | self.ids[0] << 29
            return common | ids | SCALE_CODES[self.scale] << 23 | (self.m >> 7) << 27
        result = self.saturate << 3 | RESULT_CODES[dtype] << 4 | self.selector
        return common | result | (self.m >> 4) << 24 | MAX_SHIFT[self.shift] << 30


def _place(*index: Index) -> Place:
    part, lane, column, slot = (np.ascontiguousarray(array) for array in np.broadcast_arrays(*index))
    return Place(part, lane, column, slot)


def _lane(form: Form, row: Index, bank: Index) -> Index:
    """Return the lane of a row of a CTA's part, in one of the banks. Source: 9.7.17.10.5."""
    return row // 16 * 32 + row % 16 if form.half else bank * form.rows + row


@cache
def result(form: Form) -> Place:
    """Return the cell of each element (m, n) of D. Source: 9.7.17.10.5, layouts A to G."""
    row, column = np.indices((form.m, form.n))
    lane = _lane(form, row % form.rows, column // form.width)
    return _place(*(array[None] for array in (row // form.rows, lane, column % form.width, 0 * row)))


@cache
def multiplicand(form: Form, container: int) -> Place:
    """Return the slot of each stored element (m, 32 bytes) of A, once in every bank. Source: 9.7.17.10.4 and .5."""
    bank, row, k = np.indices((form.banks, form.m, 256 // container))
    per = 32 // container
    return _place(row // form.rows, _lane(form, row % form.rows, bank), k // per, k % per)


@cache
def metadata(form: Form) -> Place:
    """Return the 4-bit slot of each code (m, chunks), once in every bank. Source: 9.7.17.10.8.4, figures 262 to 267.

    16-bit and 32-bit kinds: rows r and r + 8 share the words of a lane for each half of K, in the selected column.
    """
    bank, row, chunk = np.indices((form.banks, form.m, form.chunks))
    lane = _lane(form, row % form.rows, bank)
    if form.kind in HALVED_METADATA:
        shared = lane // 16 * 16 + lane % 8 + 8 * (chunk // 4)
        return _place(row // form.rows, shared, np.asarray(form.selector), 4 * (lane % 16 // 8) + chunk % 4)
    return _place(row // form.rows, lane, chunk // 8, chunk % 8)


@cache
def scale_a(form: Form) -> Place:
    """Return the byte of each scale (m, blocks) of A, in all four lane partitions. Source: 9.7.17.10.7.2."""
    copy, row, block = np.indices((4, form.m, form.blocks))
    local = row % form.rows
    return _place(row // form.rows, local % 32 + 32 * copy, local // 32, block + form.ids[0])


@cache
def scale_b(form: Form) -> Place:
    """Return the byte of each scale (n, blocks) of B, in every CTA of the pair. Source: 9.7.17.10.7.3.

    Four copies, one a lane partition; in layout B each half of the columns has two, beside the part of D it serves.
    """
    copy, column, block = np.indices((4 // form.banks * form.group, form.n, form.blocks))
    bank, local = column // form.width, column % form.width
    partition = bank * (4 // form.banks) + copy // form.group
    return _place(copy % form.group, local % 32 + 32 * partition, local // 32, block + form.ids[1])


def column_mask(form: Form, descriptor: int) -> NDArray[np.bool_]:
    """Return which of the N columns of B count as zero. Source: 9.7.17.4.3, Table 48 and its examples.

    The table calls `skip span` what the examples use as the run of zeroed columns; equal spans are the same in both.
    """
    spans = [(descriptor >> 48 & 0xFF) + 1, (descriptor >> 40 & 0xFF) + 1]  # used, zeroed
    masks = []
    for bank in range(form.banks):
        first = descriptor >> 32 + bank & 1
        period = [first] * spans[first] + [1 - first] * spans[1 - first]
        skipped = descriptor >> 8 * bank & 0xFF
        masks += [period[(skipped + i) % len(period)] for i in range(form.width)]
    return np.array(masks, dtype=bool) & bool(descriptor >> 39 & 1)
