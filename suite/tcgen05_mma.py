"""Operands, exact inputs and the oracle of tcgen05.mma: D = A * B + D on one CTA or a pair.

Logical arrays carry a leading axis of trials; B is held as (n, k), as its columns lie in memory. Source: PTX ISA 9.3,
9.7.17.10; what each size and layout is stands in suite/tcgen05.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.exact import digit_planes, exact_integers, one_hot, plane_count, random_multiplicand
from suite.operands import Buffer, Operand
from suite.probe import Arrays
from suite.tcgen05 import (
    ALLOCATIONS,
    CHUNK,
    K_OF_KIND,
    STEP_BYTES,
    Bytes,
    Tile,
    instruction_descriptor,
    row_bytes,
    shared_rows,
    tensor_rows,
)

RANDOM_TRIALS = 3  # of these the second does not take D in


@dataclass(frozen=True)
class Multiplicand(Operand):
    """A or B of tcgen05.mma, logical (trials, M or N, K): in memory the byte image of [trial][part].

    `parts` is the number of CTAs that share the rows. `tile` lays a part out for shared memory; without it the rows
    lie linearly, as they go to tensor memory.
    """

    parts: int = 1
    tile: Tile | None = None

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        trials, rows, k = self.shape
        return trials * rows * row_bytes(self.format.bits, k)

    @property
    def part_bytes(self) -> int:
        """Return the bytes of one CTA's part of one trial."""
        return self.nbytes // (self.shape[0] * self.parts)

    def pack(self, logical: np.ndarray) -> Bytes:
        """Return the bytes that hold the logical array."""
        codes, bits = self.codes(logical).reshape(self.shape), self.format.bits
        if self.tile is None:
            return tensor_rows(self.fmt, bits, codes).reshape(-1)
        chunks = shared_rows(bits, codes).reshape(-1, self.tile.rows * self.tile.row_bytes // CHUNK, CHUNK)
        image = np.empty_like(chunks)
        image[:, self.tile.offsets().reshape(-1) // CHUNK] = chunks
        return image.reshape(-1)


@dataclass(frozen=True)
class Product:
    """Sizes, tiles and descriptors of one D = A * B + D by `group` CTAs, which halve the rows of A and of B (columns).

    `types` are those of D, A and B; `mnk` covers all CTAs and steps. D lies at column 0, A in tensor memory after it.
    """

    group: int
    kind: str
    types: tuple[str, str, str]
    mnk: tuple[int, int, int]
    swizzle: str = "none"
    a_in_tensor_memory: bool = False

    @property
    def rows(self) -> int:
        """Return the rows of A and D that one CTA holds."""
        return self.mnk[0] // self.group

    @property
    def steps(self) -> int:
        """Return the instructions that K takes."""
        return self.mnk[2] // K_OF_KIND[self.kind]

    @property
    def tile_a(self) -> Tile | None:
        """Return a CTA's part of A in shared memory, None where A is in tensor memory."""
        return None if self.a_in_tensor_memory else Tile(self.rows, self.steps * STEP_BYTES, self.swizzle)

    @property
    def tile_b(self) -> Tile:
        """Return a CTA's part of B in shared memory."""
        return Tile(self.mnk[1] // self.group, self.steps * STEP_BYTES, self.swizzle)

    @property
    def column_a(self) -> int:
        """Return the first column of A in tensor memory."""
        return -(-self.mnk[1] // ALLOCATIONS[0]) * ALLOCATIONS[0]

    @property
    def columns(self) -> int:
        """Return the columns to allocate."""
        needed = self.column_a + self.steps * STEP_BYTES // 4 if self.a_in_tensor_memory else self.mnk[1]
        return next(count for count in ALLOCATIONS if count >= needed)

    @property
    def descriptor(self) -> int:
        """Return the instruction descriptor."""
        return instruction_descriptor(self.kind, self.types, self.mnk[0], self.mnk[1])


def trial_count(case: Product) -> int:
    """Return the number of trials that `inputs` makes."""
    (m, n, k), (dtype, atype, btype) = case.mnk, case.types
    planes_a, planes_b = plane_count(atype, m * k) * -(-k // n), plane_count(btype, k * n) * -(-k // m)
    return RANDOM_TRIALS + planes_a + planes_b + plane_count(dtype, m * n)


def operands(case: Product) -> tuple[Operand, ...]:
    """Return A and B as byte images, D before and after as plain rows, and a flag a trial: take D in."""
    (m, n, k), (dtype, atype, btype), trials = case.mnk, case.types, trial_count(case)
    return (
        Multiplicand("a", "in", atype, (trials, m, k), case.group, case.tile_a),
        Multiplicand("b", "in", btype, (trials, n, k), case.group, case.tile_b),
        Buffer("c", "in", dtype, (trials, m, n)),
        Buffer("flags", "in", "b32", (trials,)),
        Buffer("d", "out", dtype, (trials, m, n)),
    )


def inputs(case: Product, rng: np.random.Generator) -> Arrays:
    """Return random trials, one of them with D to be ignored, and planes that name each element of A, B and D."""
    (m, n, k), (dtype, atype, btype), trials = case.mnk, case.types, trial_count(case)
    a = random_multiplicand(rng, atype, (trials, m, k))
    b = random_multiplicand(rng, btype, (trials, n, k))
    c = exact_integers(rng, dtype, (trials, m, n), 900)
    flags = np.ones(trials, dtype=np.uint64)
    flags[1] = 0
    at = RANDOM_TRIALS
    for shift in range(0, k, n):
        for plane in digit_planes(atype, m, k):
            a[at], b[at], at = plane, one_hot(k, n, shift).T, at + 1
    for shift in range(0, k, m):
        for plane in digit_planes(btype, n, k):
            a[at], b[at], at = one_hot(k, m, shift).T, plane, at + 1
    a[at:], c[at:] = 0, digit_planes(dtype, m, n)
    return {"a": a, "b": b, "c": c, "flags": flags}


def oracle(arrays: Arrays) -> Arrays:
    """D = A * B + D where the flag is set, else A * B. Every sum is exact, in float64 as in D; a sum of 0 is +0."""
    a, b, c = (arrays[name].astype(np.float64) for name in "abc")
    taken = arrays["flags"].astype(np.float64).reshape(-1, 1, 1)
    return {"d": a @ b.swapaxes(1, 2) + c * taken + 0.0}
