"""Operands, exact inputs and the oracle of wgmma.mma_async, dense and sparse: D = A * B + D by one warpgroup a trial.

Logical arrays carry a leading axis of trials; B is held as (n, k), as its columns lie in memory. Sparse A is held as
its kept elements and their positions. Source: PTX ISA 9.3, 9.7.16; layouts stand in suite/wgmma.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.exact import digit_planes, exact_integers, one_hot, plane_count, random_multiplicand
from suite.formats import FORMATS
from suite.operands import Buffer, Fragment, Operand
from suite.probe import Arrays, Launch, Params
from suite.wgmma import (
    PAIRS,
    THREADS,
    Metadata,
    Multiplicand,
    RegisterMultiplicand,
    Tile,
    fragment_a,
    fragment_d,
    granularity,
)

M = 64  # rows of A and D. Source: 9.7.16.2
ANY_N = tuple(range(8, 257, 8))  # sizes of N with floats, and with integers and bits. Source: 9.7.16.2
INTEGER_N = (8, 16, 24, *range(32, 257, 16))
K_BYTES = 32  # of K that one dense instruction takes, whatever the type. Source: 9.7.16.2
REGION_A = 36 * 1024  # where A starts in shared memory, behind the largest B
SHARED = 48 * 1024
RANDOM_TRIALS = 3  # the second does not take D in; with integers the first and the third reach past the s32 range

# The float types of each unit, for what does not interact with the other types.
FLOATS: tuple[dict[str, str], ...] = (
    dict(d="f32", a="f16", b="f16"),
    dict(d="f16", a="f16", b="f16"),
    dict(d="f32", a="bf16", b="bf16"),
    dict(d="f32", a="tf32", b="tf32"),
    dict(d="f32", a="e4m3", b="e5m2"),
    dict(d="f16", a="e5m2", b="e4m3"),
)


@dataclass(frozen=True)
class Product:
    """Types, sizes and layouts of one wgmma.mma_async: what a case's parameters come to."""

    d: str
    a: str
    b: str
    n: int
    sparse: bool = False
    a_in: str = "smem"
    negate: str = "none"
    satfinite: str = "no"
    major_a: str = "k"
    major_b: str = "k"
    swizzle_a: str = "none"
    swizzle_b: str = "none"
    step: int = 0
    shift: int = 0
    select: int = 0

    @property
    def bits(self) -> int:
        """Return the width of an element of A and B."""
        return FORMATS[self.a].bits

    @property
    def k(self) -> int:
        """Return K as the opcode spells it. Source: 9.7.16.2."""
        return self.kept * (2 if self.sparse else 1)

    @property
    def kept(self) -> int:
        """Return the elements of a row of A that are stored."""
        return K_BYTES * 8 // self.bits

    @property
    def slots(self) -> int:
        """Return the elements of D that a register holds."""
        return 32 // FORMATS[self.d].bits

    @property
    def registers(self) -> int:
        """Return the registers of D that a thread holds."""
        return self.n // 2 // self.slots

    @property
    def tile_a(self) -> Tile | None:
        """Return A in shared memory, None where it is in registers."""
        tile = self._tile(M, self.kept, self.major_a, self.swizzle_a)
        return tile if self.a_in == "smem" else None

    @property
    def tile_b(self) -> Tile:
        """Return B in shared memory."""
        return self._tile(self.n, self.k, self.major_b, self.swizzle_b)

    @property
    def sign(self) -> int:
        """Return what A * B is multiplied by through imm-scale-a and imm-scale-b."""
        return 1 if self.negate in ("none", "ab") else -1

    def _tile(self, rows: int, k: int, major: str, swizzle: str) -> Tile:
        tile = Tile(rows, k * self.bits // max(self.bits, 8), max(self.bits, 8) // 8, major, swizzle)
        if swizzle == "none":
            return tile
        steps = max(1, tile.width // (tile.k * tile.item)) if major == "k" else 1
        return Tile(tile.mn, tile.k, tile.item, major, swizzle, self.step % steps, self.shift)


def product_of(params: Params, sparse: bool = False) -> Product:
    """Return what the parameters come to."""
    return Product(sparse=sparse, **params)


def operands(case: Product) -> tuple[Operand, ...]:
    """Return D before and after, a flag a trial (take D in), the plan (descriptors and sizes), A, B and metadata."""
    trials, k, kept = trial_count(case), case.k, case.kept
    layout = fragment_d(case.n, case.slots)
    tile = case.tile_a
    a: Operand = RegisterMultiplicand("a", "in", case.a, (trials, M, kept), fragment_a(kept, 32 // case.bits))
    return (
        Fragment("c", "in", case.d, (trials, M, case.n), layout),
        Fragment("d", "out", case.d, (trials, M, case.n), layout),
        Buffer("flags", "in", "b32", (trials,)),
        Buffer("plan", "in", "b64", (5,)),
        Multiplicand("a", "in", case.a, (trials, M, kept), tile) if tile else a,
        Multiplicand("b", "in", case.b, (trials, case.n, k), case.tile_b),
        *([_metadata(case, trials)] if case.sparse else []),
    )


def _metadata(case: Product, trials: int) -> Metadata:
    return Metadata("e", "in", "b8", (trials, M, case.kept), granularity(case.bits)[1], case.select)


def launch(case: Product) -> Launch:
    """Return one warpgroup a trial."""
    return Launch(grid=(trial_count(case), 1, 1), block=(THREADS, 1, 1))


# --- inputs ----------------------------------------------------------------------------------------------------------


def trial_count(case: Product) -> int:
    """Return the number of trials that `inputs` makes; random bits need no planes."""
    if case.bits == 1:
        return RANDOM_TRIALS
    planes_a, planes_b = plane_count(case.a, M * case.kept), plane_count(case.b, case.n * case.k)
    return RANDOM_TRIALS + len(_shifts(case)) * planes_a + planes_b


def _shifts(case: Product) -> range:
    """Return the shifts with which one-hot columns of B reach all of K; one-hot rows of A reach 64 at once."""
    return range(0, case.k, case.n)


def inputs(case: Product, rng: np.random.Generator) -> Arrays:
    """Return random trials, one of them with a D to be ignored, and planes that name each element of A and B."""
    trials, k, kept, n = trial_count(case), case.k, case.kept, case.n
    a = random_multiplicand(rng, case.a, (trials, M, kept))
    b = random_multiplicand(rng, case.b, (trials, n, k))
    c = exact_integers(rng, case.d, (trials, M, n), 900 if case.d == "f16" else 6000)
    e = random_positions(case, rng, trials)
    if case.bits > 1:
        at = RANDOM_TRIALS
        for shift in _shifts(case):
            for plane in digit_planes(case.a, M, kept):
                a[at], b[at], at = plane, one_hot(k, n, shift).T, at + 1
        for plane in digit_planes(case.b, n, k):
            a[at], e[at] = _one_hot_rows(case, e[at])
            b[at], at = plane, at + 1
    if case.d == "s32":
        _overflow(case, rng, a, b, c)
    c[1] = _garbage(case, (M, n))
    flags = np.ones(trials, dtype=np.uint64)
    flags[1] = 0
    return {"a": a, "b": b, "c": c, "flags": flags, "plan": plan(case), **({"e": e} if case.sparse else {})}


def random_positions(case: Product, rng: np.random.Generator, trials: int) -> np.ndarray:
    """Return legal positions within their chunks of all kept elements."""
    kept, of = granularity(case.bits)
    if of == 2:
        return rng.integers(0, 2, (trials, M, case.kept))
    return rng.choice(PAIRS, (trials, M, case.kept // kept)).reshape(trials, M, case.kept)


def _one_hot_rows(case: Product, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A whose row i has its one 1 in column i mod K, and its positions, like those given but for that column."""
    row = np.arange(M)
    column = row % case.k
    if not case.sparse:
        return one_hot(case.k, M, 0).T, positions
    kept, of = granularity(case.bits)
    chunks = positions.copy().reshape(M, -1, kept)
    within = column % of
    chunks[row, column // of] = within[:, None] if of == 2 else np.array([(0, 2), (0, 1), (2, 3), (1, 3)])[within]
    a = np.zeros_like(chunks)
    a[row, column // of, within % kept] = 1
    return a.reshape(M, -1), chunks.reshape(M, -1)


def _overflow(case: Product, rng: np.random.Generator, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """Make sums of trial 0 pass the largest s32 and, where a type is signed, those of trial 2 the least.

    Each element overflows in one direction only, so that clamping once or step by step is the same.
    """
    a[0], b[0] = abs(a[0]) % 5, abs(b[0]) % 5
    c[0] = 2**31 - 1 - rng.integers(0, 40, c[0].shape)
    if "s" in case.a + case.b:
        a[2], b[2] = abs(a[2]) % 5, abs(b[2]) % 5
        (a if case.a == "s8" else b)[2] *= -1
        c[2] = -(2**31) + rng.integers(0, 40, c[2].shape)


def _garbage(case: Product, shape: tuple[int, int]) -> np.ndarray:
    """Return a D that spoils every sum it enters."""
    if case.d == "s32":
        return np.full(shape, 0x55555555)
    return np.where(np.indices(shape).sum(axis=0) % 2, np.nan, np.inf)


def plan(case: Product) -> np.ndarray:
    """Return the descriptors of A and B, less the address of shared memory, and the bytes of a trial of A, B and D."""
    a, b = case.tile_a, case.tile_b
    described = [a.descriptor + (REGION_A >> 4), b.descriptor] if a else [0, b.descriptor]
    return np.array([*described, a.nbytes if a else 0, b.nbytes, 4 * THREADS * case.registers], dtype=np.uint64)


# --- the oracle ------------------------------------------------------------------------------------------------------


def expand(case: Product, arrays: Arrays) -> np.ndarray:
    """Return A as (trials, 64, K), with zeros where sparse A has none of its kept elements. Source: 9.7.16.6.1."""
    a = arrays["a"].astype(np.float64)
    if not case.sparse:
        return a
    kept, of = granularity(case.bits)
    dense = np.zeros((a.shape[0], M, case.k))
    column = np.arange(case.kept) // kept * of + arrays["e"]
    np.put_along_axis(dense, column, a, axis=2)
    return dense


def oracle(case: Product, arrays: Arrays) -> Arrays:
    """D = A * B + D where the flag is set, else A * B; s32 wraps, or clamps with .satfinite. Source: 9.7.16.5.2.

    Every sum is exact, in float64 as in D; a sum of 0 is +0.
    """
    products = case.sign * (expand(case, arrays) @ arrays["b"].astype(np.float64).swapaxes(1, 2))
    taken = np.where(arrays["flags"].reshape(-1, 1, 1) == 1, arrays["c"], 0)
    if case.d != "s32":
        return {"d": products + taken + 0.0}
    exact = products.astype(np.int64) + taken
    if case.satfinite == "yes":
        return {"d": np.clip(exact, -(2**31), 2**31 - 1)}
    return {"d": exact.astype(np.uint64) & np.uint64(0xFFFFFFFF)}


# --- the instruction -------------------------------------------------------------------------------------------------


def fields(case: Product, asked: str = "mma", pending: int = 0) -> Params:
    """Return the template's values and the parts of the instruction that derive from the parameters.

    `asked` names the statement in question; with `pending` waits the columns of D go to `pending + 1` groups.
    """
    count = case.registers // (pending + 1)
    vectors = ["{" + ", ".join(f"d{part * count + i}" for i in range(count)) + "}" for part in range(pending + 1)]
    return {
        "D": vectors[0],
        "A": "%adesc" if case.a_in == "smem" else "{a0, a1, a2, a3}",
        "k": case.k,
        "sp": ".sp" if case.sparse else "",
        "sat": ".satfinite" if case.satfinite == "yes" else "",
        "op": ".and.popc" if case.a == "b1" else "",
        "meta": f"%meta, {case.select}, " if case.sparse else "",
        "immediates": _immediates(case),
        "asked": asked,
        "vectors": vectors,
        "a_in": case.a_in,
        "sparse": case.sparse,
        "registers": case.registers,
        "width": 4 // case.slots,
        "region_a": REGION_A,
        "shared": SHARED,
    }


def _immediates(case: Product) -> str:
    """Return imm-scale-a and -b, of floats alone, and imm-trans-a and -b, of 16-bit ones in shared memory alone."""
    if FORMATS[case.a].kind != "float":
        return ""
    scales = [-1 if side in case.negate.replace("none", "") else 1 for side in "ab"]
    majors = [case.major_a] * (case.a_in == "smem") + [case.major_b]
    transposes = [int(major == "mn") for major in majors] if case.bits == 16 else []
    return "".join(f", {value}" for value in scales + transposes)


# SASS units by element type. Source: ptxas 13.5.37 for sm_90a, read with nvdisasm.
_SASS = {
    "f16": "HGMMA{sp}.64x{n}x{k}.{d}",
    "bf16": "HGMMA{sp}.64x{n}x{k}.{d}.{a}",
    "tf32": "HGMMA{sp}.64x{n}x{k}.{d}.{a}",
    "e4m3": "QGMMA{sp}.64x{n}x{k}.{d}.{a}.{b}",
    "e5m2": "QGMMA{sp}.64x{n}x{k}.{d}.{a}.{b}",
    "s8": "IGMMA{sp}.64x{n}x{k}.{a}.{b}{sat}",
    "u8": "IGMMA{sp}.64x{n}x{k}.{a}.{b}{sat}",
    "b1": "BGMMA.64x{n}x{k}.AND.POPC",
}


def native(case: Product) -> tuple[str, ...]:
    """Return the SASS opcode pattern of the case's own unit, shape and types."""
    sat = ".SAT" if case.satfinite == "yes" else ""
    types = {"d": case.d.upper(), "a": case.a.upper(), "b": case.b.upper()}
    return (_SASS[case.a].format(sp=".SP" if case.sparse else "", n=case.n, k=case.k, sat=sat, **types),)
