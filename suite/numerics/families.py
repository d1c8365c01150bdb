"""Input families: each returns the codes of A, B and C (and scales) of some trials, and is there for certain faults.

Small integers, and random numbers that add up to nothing, cannot tell arithmetics apart; these can. `suite.numerics.
mutation` shows which family finds which fault. All derive from the generator that they are given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite.formats import FORMATS
from suite.numerics.encode import edges, nearest, powers, raw
from suite.numerics.fdpa import Step
from suite.numerics.models import Fused, run
from suite.numerics.operation import Operation, part

Rng = np.random.Generator
Inputs = dict[str, np.ndarray]
Family = Callable[[Rng, Operation, int], Inputs]


def _shapes(op: Operation, trials: int) -> dict[str, tuple[int, int, int]]:
    return {"a": (trials, op.m, op.k), "b": (trials, op.columns, op.n), "c": (trials, op.m, op.n)}


def _coded(op: Operation, values: dict[str, np.ndarray]) -> Inputs:
    return {name: nearest({"a": op.a, "b": op.b, "c": op.c}[name], array) for name, array in values.items()}


def uniform(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Uniform in [-1, 1], c too."""
    return _coded(op, {name: rng.uniform(-1, 1, shape) for name, shape in _shapes(op, trials).items()})


def normal(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Normal, with a c of all significant bits."""
    return _coded(op, {name: rng.standard_normal(shape) for name, shape in _shapes(op, trials).items()})


def bits(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Any codes but infinities and NaN, subnormals among them; where sums would overflow, B (and A) below 2."""
    fmts = {"a": op.a, "b": op.b, "c": op.c}
    found = {name: raw(rng, fmts[name], shape) for name, shape in _shapes(op, trials).items()}
    for name in ("b", "a")[: 2 if op.d == "f16" else op.kind in ("float", "f64")]:
        facts = FORMATS[fmts[name]]
        if powers(fmts[name])[1] + powers(fmts["a"])[1] > powers(op.d)[1]:
            found[name] &= ~np.uint64(1 << (facts.exponent - 1 + facts.mantissa + facts.padding))
    return found


def wide(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Exponents within 12 of 1 (5 where f16 must hold the sum), full significands: alignment cuts at every depth."""
    reach = 5 if op.d == "f16" else 12
    return _coded(
        op,
        {
            name: rng.choice((-1.0, 1.0), shape)
            * (1 + rng.random(shape))
            * 2.0 ** rng.integers(-reach, reach, shape, endpoint=True)
            for name, shape in _shapes(op, trials).items()
        },
    )


def cancelling(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Pairs of products that cancel, and a residue far below them: what is lost on the way is all that is left.

    Columns of B are of one value but for the residue's rows, so that pairs cancel wherever a sparse A has them.
    """
    values = {name: rng.standard_normal(shape) for name, shape in _shapes(op, trials).items()}
    a, b, c = values["a"], values["b"], values["c"]
    half = op.k // 2
    order = rng.permuted(np.broadcast_to(np.arange(op.k), a.shape), axis=2)
    strong = 2.0 ** rng.integers(0, 8, (trials, op.m, half))
    pairs = np.concatenate([a[:, :, :half] * strong, -a[:, :, :half] * strong], axis=2)
    residue = rng.random(a.shape) < 2 / op.k
    paired = np.take_along_axis(pairs, order[:, :, : 2 * half] % (2 * half), axis=2)
    a[:] = np.where(residue, a * 2.0 ** rng.integers(-14, 0, a.shape), paired)
    b[:] = rng.choice((-1.5, 1.0, 1.25, 1.75), (trials, 1, op.n))
    c *= np.where(rng.random(c.shape) < 0.5, 2.0 ** rng.integers(-20, 1, c.shape), 0)
    return _coded(op, values)


def subnormal(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Subnormals in every other row of A and column of B, with a c that is 0, as small as the sums, or subnormal."""
    values = {name: rng.standard_normal(shape) for name, shape in _shapes(op, trials).items()}
    for name, fmt, places in (("a", op.a, np.s_[:, ::2]), ("b", op.b, np.s_[:, :, ::2])):
        most = 1 << FORMATS[fmt].mantissa
        shape = values[name][places].shape
        values[name][places] = rng.integers(-most, most, shape, endpoint=True) * 2.0 ** powers(fmt)[0]
    small = 2.0 ** (powers(op.a)[0] + FORMATS[op.a].mantissa)
    least = 2.0 ** powers(op.c)[0] * rng.integers(-3, 3, values["c"].shape, endpoint=True)
    values["c"] = np.choose(rng.integers(0, 3, values["c"].shape), [0 * least, values["c"] * small, least])
    return _coded(op, values)


def chain(rng: Rng, op: Operation, trials: int) -> Inputs:
    """A chain: each trial's c is what the one before gave, by a fixed arithmetic that need not be the unit's own."""
    found = normal(rng, op, trials)
    zeros = {"at": np.broadcast_to(np.arange(op.k), (1, op.m, op.k))} if op.sparse else {}
    step = Step(25, -21, "RNE-FP16") if op.d == "f16" else Step(25, -133, "RZ-FP32")
    for trial in range(1, trials if op.c == op.d else 0):
        one = part({"a": found["a"], "b": found["b"], "c": found["c"]}, slice(trial - 1, trial))
        plain = Operation(op.a, op.b, op.c, op.d, op.m, op.n, op.k, op.width)
        found["c"][trial] = run(Fused(step, op.k), plain, {**one, **zeros})[0]
    return found


def special_a(rng: Rng, op: Operation, trials: int) -> Inputs:
    """One code of the edges of A's format a row, in another k each, among numbers and zeros."""
    found = _sparse_numbers(rng, op, trials)
    codes = np.array(edges(op.a), dtype=np.uint64)
    number = np.arange(trials * op.m).reshape(trials, op.m)
    trial, row = np.indices((trials, op.m))
    found["a"][trial, row, number % op.k] = codes[(number + number // len(codes)) % len(codes)]
    return found


def special_b(rng: Rng, op: Operation, trials: int) -> Inputs:
    """One code of the edges of B's format a column, in another k each, among numbers and zeros."""
    found = _sparse_numbers(rng, op, trials)
    codes = np.array(edges(op.b), dtype=np.uint64)
    number = np.arange(trials * op.n).reshape(trials, op.n)
    trial, column = np.indices((trials, op.n))
    found["b"][trial, number % op.columns, column] = codes[(number + number // len(codes)) % len(codes)]
    return found


def special_c(rng: Rng, op: Operation, trials: int) -> Inputs:
    """The edges of C's format; in every other row beside products that are all zeros of either sign."""
    found = _sparse_numbers(rng, op, trials)
    codes = np.array(edges(op.c), dtype=np.uint64)
    found["c"] = codes[np.arange(found["c"].size) % len(codes)].reshape(found["c"].shape)
    found["a"][:, ::2] &= np.uint64(1 << (FORMATS[op.a].bits - 1))
    return found


def overflow(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Infinities of both signs among products and c, sums just under and over the largest result, and -0 alone."""
    found = _sparse_numbers(rng, op, trials)
    top = np.array(edges(op.a), dtype=np.uint64)
    values = nearest(op.b, np.array([1.0, -1.0, 2.0]))
    found["b"][:] = rng.choice(values, (trials, 1, op.n))
    large = top[-12:] if FORMATS[op.a].special == "ieee" else top[-4:]
    chosen = rng.random(found["a"].shape) < 2 / op.k
    found["a"] = np.where(chosen, rng.choice(large[: len(large) // 2], found["a"].shape), found["a"])
    pairs = rng.random(found["a"].shape) < 0.5 / op.k
    found["a"] = np.where(pairs, rng.choice(large, found["a"].shape), found["a"])
    huge = np.array(edges(op.c), dtype=np.uint64)[-12:]
    found["c"] = np.where(rng.random(found["c"].shape) < 0.5, rng.choice(huge, found["c"].shape), found["c"])
    sign_a, sign_c = (np.uint64(1 << (FORMATS[fmt].bits - 1)) for fmt in (op.a, op.c))
    found["a"][-1, ::2], found["c"][-1, ::2] = sign_a, sign_c
    found["b"][-1] = values[0]
    return found


def _sparse_numbers(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Return normal numbers, one in eight of A and B a zero of either sign."""
    values = {name: rng.standard_normal(shape) for name, shape in _shapes(op, trials).items()}
    found = _coded(op, values)
    for name, fmt in (("a", op.a), ("b", op.b)):
        sign = np.uint64(1 << (FORMATS[fmt].bits - 1))
        found[name] = np.where(rng.random(found[name].shape) < 1 / 8, found[name] & sign, found[name])
    return found


def integers(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Codes over the whole range of A, B and C: sums wrap, or clamp."""
    return bits(rng, op, trials)


def leaving(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Sums that leave s32 at one end or the other, with a c close to it."""
    found = bits(rng, op, trials)
    facts = FORMATS[op.a]
    found["a"] = rng.integers(0, 1 << (facts.bits - 1), found["a"].shape).astype(np.uint64)
    found["b"] = rng.integers(0, 1 << (FORMATS[op.b].bits - 1), found["b"].shape).astype(np.uint64)
    if facts.signed:  # every other row of A is negative
        found["a"][:, 1::2] = -found["a"][:, 1::2] & np.uint64((1 << facts.bits) - 1)
    ends = np.array([0x7FFFFFFF, 0x80000000] if facts.signed else [0x7FFFFFFF], dtype=np.uint64)
    found["c"] = ends[np.arange(op.m)[:, None] % len(ends)] ^ rng.integers(0, 40, found["c"].shape).astype(np.uint64)
    return found


def returning(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Sums that leave s32 in the first half of k and come back in the second: does it clamp once, or on the way?"""
    found = bits(rng, op, trials)
    a, b = FORMATS[op.a], FORMATS[op.b]
    most_a, most_b = ((1 << (facts.bits - 1 if facts.signed else facts.bits)) - 1 for facts in (a, b))
    found["a"][:] = most_a
    found["b"][:] = most_b if b.signed else 0
    if b.signed:
        found["b"][:, op.columns // 2 :] = (1 << b.bits) - most_b
    found["c"] = (np.uint64(0x7FFFFFFF) - rng.integers(0, 3 * op.k, found["c"].shape).astype(np.uint64)).astype(
        np.uint64
    )
    found["c"][1::2] ^= np.uint64(0xFFFFFFFF)
    return found


def counted(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Bits of uneven density by row and column, and any c."""
    shapes = _shapes(op, trials)
    return {
        "a": (rng.random(shapes["a"]) < np.linspace(0.1, 0.9, op.m)[:, None]).astype(np.uint64),
        "b": (rng.random(shapes["b"]) < np.linspace(0.9, 0.1, op.n)[None]).astype(np.uint64),
        "c": rng.integers(0, 1 << 32, shapes["c"], dtype=np.uint64),
    }


# --- scales ----------------------------------------------------------------------------------------------------------


def ones(op: Operation, trials: int) -> Inputs:
    """Return scales of 1."""
    one = nearest(op.scale, np.array([1.0]))[0]
    return {name: np.full((trials, rows, op.blocks), one) for name, rows in (("sfa", op.m), ("sfb", op.n))}


def distinct_scales(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Powers of two, another one for each row and block of A and column and block of B within small ranges."""
    found = normal(rng, op, trials)
    spread = {"sfa": (op.m, 1), "sfb": (op.n, 3)}
    for name, (rows, factor) in spread.items():
        index = np.arange(rows * op.blocks).reshape(rows, op.blocks) * factor + np.arange(trials)[:, None, None]
        found[name] = nearest(op.scale, np.exp2((index * 5) % 13 - 6))
    return found


def random_scales(rng: Rng, op: Operation, trials: int) -> Inputs:
    """Any finite scale codes near 1, bit 7 of ue4m3 set in some: it must not matter."""
    found = wide(rng, op, trials)
    low, high = (117, 138) if op.scale == "ue8m0" else (1, 0x7F)
    for name, rows in (("sfa", op.m), ("sfb", op.n)):
        codes = rng.integers(low, high, (trials, rows, op.blocks)).astype(np.uint64)
        found[name] = codes | (rng.integers(0, 2, codes.shape).astype(np.uint64) << np.uint64(7)) * (
            op.scale != "ue8m0"
        )
    return found


def special_scales(rng: Rng, op: Operation, trials: int) -> Inputs:
    """The least, the largest and the NaN scale in one row or column each; blocks of zeros under some of them."""
    found = _sparse_numbers(rng, op, trials)
    found |= ones(op, trials)
    codes = np.array([0x00, 0xFF, 0xFE, 0x01, 0x7F, 0x7E, 0x80, 0x81], dtype=np.uint64)
    for name, rows in (("sfa", op.m), ("sfb", op.n)):
        number = np.arange(trials * rows).reshape(trials, rows)
        trial, row = np.indices((trials, rows))
        hit = (number + trial) % 3 == 0
        place = (trial[hit], row[hit], number[hit] % op.blocks)
        found[name][place] = codes[number[hit] // 3 % len(codes)]
    found["a"][:, 1::4] &= np.uint64(1 << (FORMATS[op.a].bits - 1))
    return found


# The families of each kind of operation, and how many trials each takes of small products (about 128 dots).
FLOAT: dict[str, tuple[Family, int]] = {
    "uniform": (uniform, 6),
    "normal": (normal, 6),
    "bits": (bits, 6),
    "wide": (wide, 8),
    "cancelling": (cancelling, 8),
    "subnormal": (subnormal, 6),
    "chain": (chain, 16),
    "special_a": (special_a, 6),
    "special_b": (special_b, 8),
    "special_c": (special_c, 4),
    "overflow": (overflow, 6),
}
SCALED: dict[str, tuple[Family, int]] = {
    "distinct_scales": (distinct_scales, 6),
    "random_scales": (random_scales, 8),
    "special_scales": (special_scales, 4),
}
INTEGER: dict[str, tuple[Family, int]] = {
    "integers": (integers, 16),
    "leaving": (leaving, 4),
    "returning": (returning, 4),
}
BITS: dict[str, tuple[Family, int]] = {"counted": (counted, 16)}
SMALL = 128  # dots of the products that take those numbers
LARGE = 4096  # dots of products that take one trial of each family, of a chain two
_SLOW = 4  # of f64, whose exact sums are slow outside the middle of its range, that many times fewer


def of(op: Operation) -> dict[str, tuple[Family, int]]:
    """Return the operation's families with the trials of each: fewer of larger products."""
    by_kind = {"float": FLOAT, "f64": FLOAT, "integer": INTEGER, "bits": BITS}[op.kind]
    chosen = {**by_kind, **(SCALED if op.scale else {})}
    if op.kind == "integer" and not op.satfinite:
        chosen.pop("returning")
    least = 2 if op.dots < LARGE else 1
    share = op.dots * (_SLOW if op.kind == "f64" else 1)
    return {
        name: (make, max(least, count * SMALL // share, 2 * (name == "chain")))
        for name, (make, count) in chosen.items()
    }


def inputs(rng: Rng, op: Operation) -> tuple[Inputs, list[tuple[str, slice]]]:
    """Return all families' trials one after the other, and which are whose; scales of 1 where a family has none."""
    made, spans, at = [], [], 0
    for name, (make, trials) in of(op).items():
        found = make(rng, op, trials)
        made.append({**(ones(op, trials) if op.scale else {}), **found})
        spans.append((name, slice(at, at + trials)))
        at += trials
    return {name: np.concatenate([one[name] for one in made]) for name in made[0]}, spans
