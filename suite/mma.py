"""What the forms of warp-level `mma` share: operands, inputs and reference arithmetic of D = A * B + C.

Arrays are logical and row-major and carry a leading axis of trials; one warp runs each. Source: PTX ISA 9.3, 9.7.15.5.
"""

from __future__ import annotations

import re

import numpy as np

from suite.exact import exact_integers, matrix_trials, trial_count, widen
from suite.formats import FORMATS
from suite.layouts import mma_a, mma_b, mma_c, quad_a, quad_b, quad_c, scale_a, scale_b
from suite.operands import Fragment, Operand, Scale
from suite.probe import Arrays, Launch, Params, product

SHIFT = {"e2m1": 2}  # FP4 in an 8-bit container sits in bits 5:2. Source: 9.7.15.5.14

Mnk = tuple[int, int, int]


def mnk(params: Params) -> Mnk:
    """Return (m, n, k) of the case's shape."""
    m, n, k = (int(part) for part in re.findall(r"\d+", params["shape"]))
    return m, n, k


def formats(params: Params) -> tuple[str, str, str, str]:
    """Return the element formats of D, A, B and C; B is as A and C as D unless the case says otherwise."""
    d = params["d"]
    return d, params["a"], params.get("b", params["a"]), params.get("c", d)


def fragments(params: Params, boxed: bool = False) -> tuple[Operand, ...]:
    """Return D, A, B and C as register fragments; `boxed` puts each element of A and B in 8 bits of its own."""
    m, n, k = mnk(params)
    d, a, b, c = formats(params)
    trials = trial_count(a, b, (m, n, k))
    slots_a, slots_b = (4, 4) if boxed else (slots(a), slots(b))
    return (
        Fragment("d", "out", d, (trials, m, n), mma_c(m, n, slots(d))),
        Fragment("a", "in", a, (trials, m, k), mma_a(m, k, slots_a), *(box(a) if boxed else ())),
        Fragment("b", "in", b, (trials, k, n), mma_b(k, n, slots_b), *(box(b) if boxed else ())),
        Fragment("c", "in", c, (trials, m, n), mma_c(m, n, slots(c))),
    )


def slots(fmt: str) -> int:
    """Return the elements of that format in one register."""
    return max(1, 32 // FORMATS[fmt].bits)


def box(fmt: str) -> tuple[int, int]:
    """Return (width, shift) of the 8-bit container that the f8f6f4 kinds put an element in."""
    return 8, SHIFT.get(fmt, 0)


def launch(params: Params) -> Launch:
    """Return one warp a trial."""
    _, a, b, _ = formats(params)
    return Launch(grid=(trial_count(a, b, mnk(params)), 1, 1))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return A, B and C whose partial sums are exact in any order."""
    _, a_fmt, b_fmt, c_fmt = formats(params)
    a, b, c = matrix_trials(rng, (a_fmt, b_fmt, c_fmt), mnk(params))
    return {"a": a, "b": b, "c": c}


def multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = A * B + C, exact on the inputs above."""
    return {"d": arrays["a"] @ arrays["b"] + arrays["c"]}


def integer_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return A, B and C as above, with one trial whose sums pass the largest s32 and one that passes the least.

    Each element of such a trial overflows in one direction only, so that clamping once or step by step is the same.
    """
    arrays = dict(inputs(params, rng))
    _, a_fmt, b_fmt, _ = formats(params)
    arrays["a"][0], arrays["b"][0] = abs(arrays["a"][0]) % 5, abs(arrays["b"][0]) % 5
    arrays["c"][0] = 2**31 - 1 - rng.integers(0, 40, arrays["c"][0].shape)
    if "s" in a_fmt + b_fmt:
        arrays["a"][1], arrays["b"][1] = abs(arrays["a"][1]) % 5, abs(arrays["b"][1]) % 5
        negative = "a" if a_fmt.startswith("s") else "b"
        arrays[negative][1] *= -1
        arrays["c"][1] = -(2**31) + rng.integers(0, 40, arrays["c"][1].shape)
    return arrays


def integer_multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = A * B + C in s32: wrapped, or clamped with .satfinite. Source: 9.7.15.5.14, integer operations."""
    exact = arrays["a"].astype(np.int64) @ arrays["b"].astype(np.int64) + arrays["c"]
    if params["satfinite"] == "yes":
        return {"d": np.clip(exact, -(2**31), 2**31 - 1)}
    return {"d": exact.astype(np.uint64) & np.uint64(0xFFFFFFFF)}


BIT_TRIALS = 24


def bit_fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B and C of a single-bit form."""
    m, n, k = mnk(params)
    return (
        Fragment("d", "out", "s32", (BIT_TRIALS, m, n), mma_c(m, n, 1)),
        Fragment("a", "in", "b1", (BIT_TRIALS, m, k), mma_a(m, k, 32)),
        Fragment("b", "in", "b1", (BIT_TRIALS, k, n), mma_b(k, n, 32)),
        Fragment("c", "in", "s32", (BIT_TRIALS, m, n), mma_c(m, n, 1)),
    )


def bit_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return random bits of uneven density by row and column, so that exchanged rows or columns change the counts."""
    m, n, k = mnk(params)
    density_a = np.linspace(0.1, 0.9, m)[:, None]
    density_b = np.linspace(0.9, 0.1, n)[None, :]
    return {
        "a": (rng.random((BIT_TRIALS, m, k)) < density_a).astype(np.int64),
        "b": (rng.random((BIT_TRIALS, k, n)) < density_b).astype(np.int64),
        "c": rng.integers(-(2**30), 2**30, (BIT_TRIALS, m, n)),
    }


def bit_count(params: Params, arrays: Arrays) -> Arrays:
    """Return D = popc(A op B) + C over rows of A and columns of B. Source: 9.7.15.5.14, single-bit mma."""
    both = arrays["a"] @ arrays["b"]
    if params["op"] == "and":
        return {"d": both + arrays["c"]}
    ones = arrays["a"].sum(axis=2, keepdims=True) + arrays["b"].sum(axis=1, keepdims=True)
    return {"d": ones - 2 * both + arrays["c"]}


QUAD_TRIALS = 16


def quad_fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B and C of mma.m8n8k4.f16: four independent products, stacked by rows."""
    d, c = params["d"], params["c"]
    return (
        Fragment("d", "out", d, (QUAD_TRIALS, 32, 8), quad_c(slots(d))),
        Fragment("a", "in", "f16", (QUAD_TRIALS, 32, 4), quad_a(params["alayout"])),
        Fragment("b", "in", "f16", (QUAD_TRIALS, 16, 8), quad_b(params["blayout"])),
        Fragment("c", "in", c, (QUAD_TRIALS, 32, 8), quad_c(slots(c))),
    )


def quad_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return four stacked A (32 x 4), B (16 x 8) and C (32 x 8); trials 4 to 7 name each element of A or B."""
    d_fmt, c_fmt = params["d"], params["c"]
    a = exact_integers(rng, "f16", (QUAD_TRIALS, 32, 4), 4)
    b = exact_integers(rng, "f16", (QUAD_TRIALS, 16, 8), 4)
    c = exact_integers(rng, c_fmt, (QUAD_TRIALS, 32, 8), 6000 if c_fmt == "f32" else 900)
    for q in range(4):
        rows_a, rows_b = slice(8 * q, 8 * q + 8), slice(4 * q, 4 * q + 4)
        widen(rng, ("f16", "f16", d_fmt), (a[:, rows_a], b[:, rows_b], c[:, rows_a]))
    for trial, eye in enumerate((np.eye(4), np.eye(4)[::-1]), start=4):
        a[trial], b[trial] = np.arange(1, 129).reshape(32, 4), np.tile(eye, (4, 2))
        a[trial + 2], b[trial + 2] = np.tile(eye, (8, 1)), np.arange(1, 129).reshape(16, 8)
    return {"a": a, "b": b, "c": c}


def quad_multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return the four products D = A * B + C."""
    a = arrays["a"].reshape(-1, 4, 8, 4)
    b = arrays["b"].reshape(-1, 4, 4, 8)
    return {"d": (a @ b).reshape(-1, 32, 8) + arrays["c"]}


def boxed_fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B and C of an f8f6f4 form, each element of A and B in 8 bits of its own."""
    return fragments(params, boxed=True)


# Selectors (byte-id-a, thread-id-a, byte-id-b, thread-id-b) by scale_vec size: the lowest legal and the highest.
# Source: PTX ISA 9.3, 9.7.15.3, Table 40.
SELECTORS = {
    ("1X", "first"): (0, 0, 0, 0),
    ("1X", "last"): (3, 1, 2, 3),
    ("2X", "first"): (0, 0, 0, 0),
    ("2X", "last"): (2, 1, 2, 3),
    ("4X", "first"): (0, 0, 0, 0),
    ("4X", "last"): (0, 1, 0, 3),
}
SCALE_VALUES = {"ue8m0": 2.0 ** np.arange(-3, 4), "ue4m3": np.array([0.5, 1, 1.5, 2, 3, 4])}


F8F6F4 = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")


def mxf8f6f4_rows(shape: str) -> tuple[Params, ...]:
    """Return the cases of kind::mxf8f6f4 of a shape. Source: 9.7.15.3, Table 39."""
    return product(
        shape=(shape,),
        kind=("mxf8f6f4",),
        scale_vec=("default", "1X"),
        a=F8F6F4,
        b=F8F6F4,
        d=("f32",),
        s=("ue8m0",),
        select=("first", "last"),
    )


def mxf4_rows(shape: str) -> tuple[Params, ...]:
    """Return the cases of kind::mxf4 and kind::mxf4nvf4 of a shape. Source: 9.7.15.3, Table 39."""
    return tuple(
        dict(shape=shape, kind=kind, scale_vec=vec, a="e2m1", b="e2m1", d="f32", s=s, select=select)
        for kind, vec, s in (
            ("mxf4", "default", "ue8m0"),
            ("mxf4", "2X", "ue8m0"),
            ("mxf4nvf4", "2X", "ue8m0"),
            ("mxf4nvf4", "4X", "ue8m0"),
            ("mxf4nvf4", "4X", "ue4m3"),
        )
        for select in ("first", "last")
    )


def scale_vec(params: Params) -> str:
    """Return the scale_vec size, with the manual's default where the case spells none. Source: 9.7.15.5.14."""
    default = {"mxf8f6f4": "1X", "mxf4": "2X"}
    return str(default[params["kind"]] if params["scale_vec"] == "default" else params["scale_vec"])


def selectors(params: Params) -> tuple[int, int, int, int]:
    """Return the case's (byte-id-a, thread-id-a, byte-id-b, thread-id-b)."""
    return SELECTORS[scale_vec(params), params["select"]]


def scaled_fragments(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B, C, scale_A and scale_B of a block-scaled form."""
    matrices = fragments(params, boxed=params["kind"] == "mxf8f6f4")
    m, n, _ = mnk(params)
    blocks = int(scale_vec(params)[0])
    byte_a, thread_a, byte_b, thread_b = selectors(params)
    trials = matrices[0].shape[0]

    def scale(name: str, vectors: int, pair: tuple[np.ndarray, np.ndarray], byte: int) -> Scale:
        lanes, indices = (tuple(int(i) for i in part) for part in pair)
        return Scale(name, "in", params["s"], (trials, vectors, blocks), lanes, indices, byte)

    return (*matrices, scale("sfa", m, scale_a(thread_a), byte_a), scale("sfb", n, scale_b(thread_b), byte_b))


def scaled_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return A, B and C as for any mma, with random scales; scale_B is held by column of B."""
    *_, sfa, sfb = scaled_fragments(params)
    values = SCALE_VALUES[params["s"]]
    return {**inputs(params, rng), "sfa": rng.choice(values, sfa.shape), "sfb": rng.choice(values, sfb.shape)}


def scaled_multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = (A * scale_A) * (B * scale_B) + C. Source: 9.7.15.3."""
    block = arrays["a"].shape[2] // arrays["sfa"].shape[2]
    a = arrays["a"] * np.repeat(arrays["sfa"], block, axis=2)
    b = arrays["b"] * np.repeat(arrays["sfb"], block, axis=2).transpose(0, 2, 1)
    return {"d": a @ b + arrays["c"]}


def scaled_fields(params: Params) -> Params:
    """Return the parts of a block-scaled instruction that derive from its parameters: scale_vec and selectors."""
    byte_a, thread_a, byte_b, thread_b = selectors(params)
    vec = params["scale_vec"]
    return {
        "vec": "" if vec == "default" else f".scale_vec::{vec}",
        "select_a": f"{{{byte_a}, {thread_a}}}",
        "select_b": f"{{{byte_b}, {thread_b}}}",
    }


def satfinite(params: Params) -> str:
    """Return `.satfinite` for the cases that ask for it."""
    return ".satfinite" if params.get("satfinite") == "yes" else ""


def quad_launch(params: Params) -> Launch:
    """Return one warp a trial of mma.m8n8k4.f16."""
    return Launch(grid=(QUAD_TRIALS, 1, 1))


def bit_launch(params: Params) -> Launch:
    """Return one warp a trial of a single-bit form."""
    return Launch(grid=(BIT_TRIALS, 1, 1))
