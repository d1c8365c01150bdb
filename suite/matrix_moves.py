"""What ldmatrix, stmatrix and movmatrix share: fragments of rows of 16 bytes, and the bytes of those rows.

The logical matrix is memory's: a row is one of the 16-byte rows whose addresses the lanes give, whatever .trans makes
of it. Arrays carry a leading axis of trials, one warp each. Source: PTX ISA 9.3, 9.7.15.5.15 to 9.7.15.5.17.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from suite.layouts import Layout
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Launch, Params

SLOTS = 32  # rows of 16 bytes in shared memory, more than any form reads or writes
ROW = 16

# Bits of an element in a row, and how many a row has. Source: 9.7.15.5.15; b6 is padded by 32 bits, b4 by 64. A row of
# s8.s4 (PTX ISA 9.4) is 8 bytes without padding: what follows it here is another's.
ELEMENTS = {
    "b16": (16, 8),
    "b8": (8, 16),
    "b8x16.b6x16_p32": (6, 16),
    "b8x16.b4x16_p64": (4, 16),
    "s8.s4": (4, 16),
}

SIGNED = "s8.s4"  # whose elements are extended by their sign


@cache
def rows_of_8(count: int, elements: int, transposed: bool) -> Layout:
    """Return the layout of `count` matrices of 8 rows, each in a register: b16 pairs, or (8 x 16) quadruples of b8.

    Four lanes hold a row, from low elements to high; transposed, a lane's two elements are of two rows.
    """
    slots = elements // 4
    register, lane, slot = np.indices((count, 32, slots))
    group, thread = lane >> 2, lane % 4
    if transposed:
        return Layout(8 * register + 2 * thread + slot, group)
    return Layout(8 * register + group, slots * thread + slot)


# The layouts of the transposed b8 forms are drawn in figures alone (105 and 108 of 9.7.15.5.15 and 9.7.15.5.16). These
# formulas agree with the maps SM100_U8x8_LDSM_T, SM100_U8x16_LDSM_T and SM100_U8x4_STSM_T of CUTLASS 4, which are used
# on silicon: a register holds two bytes of each of two rows of memory, the second pair 8 bytes on.
@cache
def load_16x16(count: int) -> Layout:
    """Return the layout of `count` transposed 16 x 16 matrices of b8, two registers each: a lane has four rows."""
    register, lane, slot = np.indices((2 * count, 32, 4))
    row = 16 * (register // 2) + 4 * (lane % 4) + 2 * (register % 2) + slot % 2
    return Layout(row, (lane >> 2) + 8 * (slot // 2))


@cache
def store_16x8(count: int) -> Layout:
    """Return the layout of `count` transposed 16 x 8 matrices of b8, one register each: memory has 8 rows of 16."""
    register, lane, slot = np.indices((count, 32, 4))
    return Layout(8 * register + 2 * (lane % 4) + slot % 2, (lane >> 2) + 8 * (slot // 2))


def layout(params: Params) -> Layout:
    """Return the fragment layout of a load or store."""
    count = int(params["num"][1:])
    if params["shape"] == "m16n16":
        return load_16x16(count)
    if params["shape"] == "m16n8":
        return store_16x8(count)
    return rows_of_8(count, ELEMENTS[params["type"]][1], params.get("trans") == "yes")


def row_count(params: Params) -> int:
    """Return the rows of memory that a load or store takes: 8 a matrix, 16 for m16n16."""
    return int(params["num"][1:]) * (16 if params["shape"] == "m16n16" else 8)


def row_bytes(elements: np.ndarray, bits: int, padding: np.ndarray) -> np.ndarray:
    """Return the 16-byte rows that hold the elements from the lowest bit on; what is left is `padding`'s."""
    split = elements.astype(np.uint64)[..., None] >> np.arange(bits, dtype=np.uint64) & np.uint64(1)
    packed = np.packbits(split.astype(np.uint8).reshape(*elements.shape[:-1], -1), axis=-1, bitorder="little")
    return np.concatenate([packed, padding[..., packed.shape[-1] :]], axis=-1)


def row_elements(rows: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Return the elements that 16-byte rows hold."""
    split = np.unpackbits(rows.astype(np.uint8), axis=-1, bitorder="little")[..., : bits * count]
    places = split.reshape(*rows.shape[:-1], count, bits).astype(np.uint64)
    return np.asarray(np.bitwise_or.reduce(places << np.arange(bits, dtype=np.uint64), axis=-1))


def planes(params: Params) -> int:
    """Return how many trials tell all elements apart by their digits."""
    bits, count = ELEMENTS[params["type"]]
    elements = row_count(params) * count
    return max(2, -(-(elements - 1).bit_length() // bits))


def distinct(params: Params, rng: np.random.Generator) -> np.ndarray:
    """Return (trials, rows, elements) codes; over the trials no two elements are the same."""
    bits, count = ELEMENTS[params["type"]]
    trials, rows = planes(params), row_count(params)
    number = rng.permutation(rows * count).astype(np.uint64).reshape(rows, count)
    plane = np.arange(trials, dtype=np.uint64)[:, None, None] * np.uint64(bits)
    spread = number * np.uint64(0x9E3779B1)  # an odd factor: numbers stay distinct modulo any power of two
    return (spread >> plane) & np.uint64((1 << bits) - 1)


def places(params: Params, rng: np.random.Generator) -> np.ndarray:
    """Return the byte offset in shared memory that each lane gives: its row's, where rows lie in no order.

    Lanes beyond the last row repeat the first ones', since sm_75 wants a valid address of every lane.
    """
    slot = rng.permutation(SLOTS)[: row_count(params)]
    return np.asarray(slot[np.arange(32) % len(slot)] * ROW, dtype=np.uint32)


def memory(name: str, role: str, params: Params) -> Buffer:
    """Return the image of shared memory, one a trial."""
    return Buffer(name, role, "b8", (planes(params), SLOTS, ROW))


def addresses() -> Operand:
    """Return the operand of the lanes' addresses, in bytes from the start of shared memory."""
    return Buffer("places", "in", "u32", (32,))


def launch(params: Params) -> Launch:
    """Return one warp a trial."""
    return Launch(grid=(planes(params), 1, 1))


def noise(rng: np.random.Generator, params: Params) -> np.ndarray:
    """Return random bytes of shared memory, (trials, slots, 16)."""
    return rng.integers(0, 256, (planes(params), SLOTS, ROW), dtype=np.uint8)


def load_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return shared memory whose addressed rows hold distinct elements, the rest noise; and the addresses."""
    source, where = noise(rng, params), places(params, rng)
    slots = where[: row_count(params)] // ROW
    source[:, slots] = row_bytes(distinct(params, rng), ELEMENTS[params["type"]][0], source[:, slots])
    return {"src": source, "places": where}


def loaded(params: Params, arrays: Arrays) -> Arrays:
    """Return the elements of the rows whose addresses the lanes give, each in a destination element of its own."""
    slots = arrays["places"][: row_count(params)] // ROW
    elements = row_elements(arrays["src"][:, slots], *ELEMENTS[params["type"]])
    return {"d": sign_extended(elements) if params["type"] == SIGNED else elements}


def sign_extended(elements: np.ndarray) -> np.ndarray:
    """Return 4-bit two's complement codes as 8-bit ones."""
    return np.asarray(elements | (elements >> np.uint64(3)) * np.uint64(0xF0), dtype=np.uint64)


def store_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return distinct elements, noise in shared memory, and the addresses."""
    return {"a": distinct(params, rng), "image": noise(rng, params), "places": places(params, rng)}


def stored(params: Params, arrays: Arrays) -> Arrays:
    """Return shared memory with the elements in the rows whose addresses the lanes give, else as it was."""
    image = arrays["image"].copy()
    slots = arrays["places"][: row_count(params)] // ROW
    image[:, slots] = row_bytes(arrays["a"], ELEMENTS[params["type"]][0], image[:, slots])
    return {"image": image}


def spelled(params: Params) -> Params:
    """Return the parts of an instruction that derive from its parameters."""
    space = params["space"]
    return {
        "ss": "" if space == "generic" else f".{space}",
        "transposed": ".trans" if params["trans"] == "yes" else "",
        "pointer": "%generic" if space == "generic" else "%near",
    }
