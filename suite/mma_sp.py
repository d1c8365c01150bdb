"""What the forms of sparse warp-level `mma` share: metadata, operands, inputs and reference arithmetic.

A is held compressed, (trials, m, k / 2); its metadata is a matrix of 4-bit codes, one a chunk of a row of A. All arrays
carry a leading axis of trials. Source: PTX ISA 9.3, 9.7.15.6.1 and 9.7.15.6.2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from suite import mma
from suite.exact import RANDOM_TRIALS, digit_planes, exact_integers, one_hot, plane_count, random_multiplicand
from suite.formats import FORMATS
from suite.layouts import Layout, mma_a, mma_b, mma_c
from suite.operands import Fragment, Operand
from suite.probe import Arrays, Launch, Params

# A code holds two 2-bit indices, the first in its low bits. In order they rise; plain mma.sp takes any two that differ;
# tf32 names one of two elements by the index of its halves. Source: PTX ISA 9.3, 9.7.15.6.1.
ORDERED = (0b0100, 0b1000, 0b1001, 0b1100, 0b1101, 0b1110)
ANY = tuple(code for code in range(16) if code & 3 != code >> 2)
TF32 = (0b0100, 0b1110)

# For each quarter of a chunk a legal code that keeps it, and which of the kept it is.
KEEPING = {0: (0b0100, 0), 1: (0b1101, 0), 2: (0b1001, 1), 3: (0b1100, 1)}


def chunk(params: Params) -> int:
    """Return the columns of A that one metadata code covers: of 1:2, 2:4, or pairs of 4:8."""
    if params["a"] == "tf32":
        return 2
    return 8 if FORMATS[params["a"]].bits == 4 and not boxed(params) else 4


def boxed(params: Params) -> bool:
    """Tell whether each element of A and B takes 8 bits of its own: kinds f8f6f4 and mxf8f6f4."""
    return str(params.get("kind", "")).endswith("f8f6f4")


def codes(params: Params) -> tuple[int, ...]:
    """Return the legal metadata codes of the case."""
    if params["a"] == "tf32":
        return TF32
    return ANY if params.get("variant") == "sp" else ORDERED


# Metadata registers: lane 4g + t of quad g. Whatever the selector, all 32 lanes together hold 16 codes for each of the
# 16 rows; a selector picks as many columns as A has chunks. Source: Figures 119 to 147 of 9.7.15.6.2.
@cache
def metadata(wide: bool) -> Layout:
    """Return the layout of the 16 x 16 codes: `wide` (16 and 32 bits) has rows g and g + 8 in one lane's halves.

    The narrower types have one row a lane: row g in even lanes, row g + 8 in odd ones.
    """
    _, lane, slot = np.indices((1, 32, 8))
    group, thread = lane >> 2, lane % 4
    if wide:
        return Layout(group + 8 * (slot // 4), thread * 4 + slot % 4)
    return Layout(group + 8 * (thread % 2), thread // 2 * 8 + slot)


def chosen(params: Params, meta: np.ndarray) -> np.ndarray:
    """Return the codes that the case's selector picks, (trials, m, chunks), of all codes in registers."""
    chunks = mma.mnk(params)[2] // chunk(params)
    first = params.get("selector", 0) * chunks
    return meta[:, :, first : first + chunks]


def columns(meta: np.ndarray, width: int) -> np.ndarray:
    """Return the dense column of each compressed element, from the codes of its row's chunks of `width` columns."""
    kept = np.arange(max(1, width // 2))
    unit = max(1, width // 4)
    index = (meta[..., None] >> (2 * (kept // unit))) & 3
    within = index // 2 if width == 2 else index * unit + kept % unit
    dense = np.arange(meta.shape[-1])[:, None] * width + within
    return dense.reshape(*meta.shape[:-1], -1)


def expand(params: Params, a: np.ndarray, meta: np.ndarray) -> np.ndarray:
    """Return the dense A (trials, m, k) of a compressed A and the metadata that lies in the registers."""
    dense = np.zeros((*a.shape[:2], mma.mnk(params)[2]), dtype=a.dtype)
    where = columns(chosen(params, meta.astype(np.int64)), chunk(params))
    np.put_along_axis(dense, where, a, axis=2)
    return dense


def trial_count(params: Params) -> int:
    """Return the number of trials that `inputs` makes."""
    m, n, k = mma.mnk(params)
    _, a, b, _ = mma.formats(params)
    return RANDOM_TRIALS + plane_count(a, m * k // 2) * -(-k // n) + plane_count(b, k * n) * -(-k // m) + 2


def fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, compressed A, B, C and the metadata as register fragments."""
    m, n, k = mma.mnk(params)
    d, a, b, c = mma.formats(params)
    trials = trial_count(params)
    in_a, in_b = (4, 4) if boxed(params) else (mma.slots(a), mma.slots(b))
    width_a, width_b = (mma.box(a), mma.box(b)) if boxed(params) else ((), ())
    return (
        Fragment("d", "out", d, (trials, m, n), mma_c(m, n, mma.slots(d))),
        Fragment("a", "in", a, (trials, m, k // 2), mma_a(m, k // 2, in_a), *width_a),
        Fragment("b", "in", b, (trials, k, n), mma_b(k, n, in_b), *width_b),
        Fragment("c", "in", c, (trials, m, n), mma_c(m, n, mma.slots(c))),
        Fragment("e", "in", "u4", (trials, 16, 16), metadata(FORMATS[a].bits >= 16)),
    )


def scaled_fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B, C, the metadata, scale_A and scale_B of a block-scaled form."""
    scales = mma.scaled_fragments(params)[4:]
    trials = trial_count(params)
    return (*fragments(params), *(replace(scale, shape=(trials, *scale.shape[1:])) for scale in scales))


def launch(params: Params) -> Launch:
    """Return one warp a trial."""
    return Launch(grid=(trial_count(params), 1, 1))


def keeping(params: Params, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each wanted dense column a code of its chunk that keeps it, and its place in the compressed row."""
    width = chunk(params)
    if width == 2:
        return np.array(TF32)[column % 2], column // 2
    unit = width // 4
    table = np.array([KEEPING[quarter] for quarter in range(4)])[column % width // unit]
    return table[..., 0], column // width * (width // 2) + table[..., 1] * unit + column % unit


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return A, B, C and metadata: random trials, and planes that name each element of A and of B.

    Partial sums are exact in any order. All lanes hold legal metadata, of which the selector must pick the right part.
    """
    m, n, k = mma.mnk(params)
    _, a_fmt, b_fmt, c_fmt = mma.formats(params)
    trials = trial_count(params)
    a = random_multiplicand(rng, a_fmt, (trials, m, k // 2))
    b = random_multiplicand(rng, b_fmt, (trials, k, n))
    c = exact_integers(rng, c_fmt, (trials, m, n), 900 if c_fmt == "f16" else 6000)
    e = rng.choice(np.array(codes(params)), (trials, 16, 16))
    picked = chosen(params, e)  # a view: what is written to it stands in `e`
    at = RANDOM_TRIALS
    for shift in range(0, k, n):
        for plane in digit_planes(a_fmt, m, k // 2):
            a[at], b[at], at = plane, one_hot(k, n, shift), at + 1
    row = np.arange(m)
    for shift in range(0, k, m):
        column = (row + shift) % k
        code, place = keeping(params, column)
        for plane in digit_planes(b_fmt, k, n):
            a[at], b[at] = 0, plane
            a[at, row, place], picked[at, row, column // chunk(params)], at = 1, code, at + 1
    distinct = np.arange(1, m * n + 1).reshape(m, n)
    a[at], c[at] = 0, distinct
    b[at + 1], c[at + 1] = 0, -distinct
    return {"a": a, "b": b, "c": c, "e": e}


def integer_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return inputs as above, with a trial whose every sum passes the largest s32, and one that passes the least."""
    arrays = dict(inputs(params, rng))
    a, b, c = arrays["a"], arrays["b"], arrays["c"]
    for trial in range(2):
        a[trial], b[trial] = abs(a[trial]) % 5, abs(b[trial]) % 5
    c[0] = 2**31 - 1 - rng.integers(0, 40, c[0].shape)
    if "s" in params["a"] + params["b"]:
        (a if params["a"].startswith("s") else b)[1] *= -1
        c[1] = -(2**31) + rng.integers(0, 40, c[1].shape)
    return arrays


def scaled_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return inputs as above with random scales; scale_B is held by column of B."""
    *_, sfa, sfb = scaled_fragments(params)
    values = mma.SCALE_VALUES[params["s"]]
    return {**inputs(params, rng), "sfa": rng.choice(values, sfa.shape), "sfb": rng.choice(values, sfb.shape)}


def _dense(params: Params, arrays: Arrays) -> Arrays:
    return {**arrays, "a": expand(params, arrays["a"], arrays["e"])}


def multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = A * B + C, exact on the inputs above."""
    return mma.multiply(params, _dense(params, arrays))


def integer_multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = A * B + C in s32, wrapped or clamped."""
    return mma.integer_multiply(params, _dense(params, arrays))


def scaled_multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = (A * scale_A) * (B * scale_B) + C, where the blocks are of dense columns."""
    return mma.scaled_multiply(params, _dense(params, arrays))
