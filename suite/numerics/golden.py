"""Dots that read a unit's parameters off its results: F, L, the rounding, the accumulator's width, the zero exponent.

Each probe is one dot. Probes lie on the diagonals of as many trials as they need; what stands beside the diagonals is
compared bit for bit like anything else. Method: arXiv 2510.15884, 2511.10909 and 2512.07004.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from suite.formats import FORMATS
from suite.numerics.decode import values_of
from suite.numerics.encode import edges, nearest, powers
from suite.numerics.operation import Codes, Operation

_DEEP = 34  # the most that a term is put below the largest one: more than any F of an unscaled unit
_TRIPLES = ((0, 1, 2), (0, 1, 4))  # three products of one step, of neighbours and of bytes 0 and 1 of each four


@dataclass(frozen=True)
class Probe:
    """One dot: `a` and `b` by product, everything else 0, and c. `kind` and `at` say what it is a point of."""

    kind: str
    at: int
    a: dict[int, float] = field(hash=False)
    b: dict[int, float] = field(hash=False)
    c: float = 0.0


@cache
def probes(op: Operation) -> tuple[Probe, ...]:
    """Return the probes that the operation's formats can express; none but for floats."""
    if op.kind != "float" or op.k < 4:
        return ()
    found = [*_accumulator(op), *_rounding(op), *_sign(op)]
    if _deepest(op) > _largest(op) - _DEEP + 6:
        return (*found, *_sweep_c(op))
    return (*found, *_sweep(op), *_positions(op), *_zero(op))


def trials(op: Operation) -> int:
    """Return the trials that the probes take."""
    return -(-len(probes(op)) // min(op.m, op.n))


def arrays(op: Operation, at: np.ndarray | None) -> dict[str, Codes]:
    """Return A, B and C with a probe on each place of the diagonals, and of scaled forms scales of 1.

    `at` are the dense columns of a sparse A (trials, m, k).
    """
    count, side = trials(op), min(op.m, op.n)
    a, b = np.zeros((count, op.m, op.k)), np.zeros((count, op.columns, op.n))
    c = np.zeros((count, op.m, op.n))
    for number, probe in enumerate(probes(op)):
        trial, place = divmod(number, side)
        for k, value in probe.a.items():
            a[trial, place, k] = value
            b[trial, k if at is None else at[trial, place, k], place] = probe.b[k]
        c[trial, place, place] = probe.c
    found = {"a": _codes(op.a, a), "b": _codes(op.b, b), "c": _codes(op.c, c)}
    return found | {
        name: np.full((count, rows, op.blocks), nearest(op.scale, np.array([1.0]))[0], dtype=np.uint64)
        for name, rows in ((("sfa", op.m), ("sfb", op.n)) if op.scale else ())
    }


def _codes(fmt: str, values: np.ndarray) -> Codes:
    """Return codes; NaN stands for a NaN with a payload, and -0 stays."""
    codes = nearest(fmt, np.nan_to_num(values))
    codes = np.where((values == 0) & np.signbit(values), np.uint64(1 << (FORMATS[fmt].bits - 1)), codes)
    return np.where(np.isnan(values), np.uint64(edges(fmt)[-4]), codes)


def _largest(op: Operation) -> int:
    """Return the exponent of the largest product to use: its results are in range of D."""
    most = powers(op.a)[1] + powers(op.b)[1]
    return min(most, 15 if op.d == "f16" else 30)


def _deepest(op: Operation) -> int:
    """Return the exponent of the least product that D can show."""
    least = powers(op.a)[0] + powers(op.b)[0]
    return max(least, -24 if op.d == "f16" else -140)


def _factors(op: Operation, exponent: int) -> tuple[float, float]:
    """Return powers of two in A and B of that product."""
    low, high = powers(op.b)
    other = min(max(exponent // 2, low), high)
    mine = min(max(exponent - other, powers(op.a)[0]), powers(op.a)[1])
    return 2.0**mine, 2.0 ** (exponent - mine)


def _products(op: Operation, kind: str, at: int, terms: dict[int, tuple[int, int]], c: float = 0.0) -> Probe:
    """Return a probe of products sign * 2^exponent."""
    pairs = {k: (sign, *_factors(op, exponent)) for k, (sign, exponent) in terms.items()}
    a = {k: sign * mine for k, (sign, mine, _) in pairs.items()}
    return Probe(kind, at, a, {k: other for k, (_, _, other) in pairs.items()}, c)


def _sweep(op: Operation) -> list[Probe]:
    """Return {big, -big, tiny} with tiny ever further below: it is there as long as F reaches."""
    big = _largest(op)
    depth = range(min(_DEEP, big - _deepest(op)) + 1)
    return [
        _products(op, f"fraction {which}", d, {x: (1, big), y: (-1, big), z: (1, big - d)})
        for which, (x, y, z) in enumerate(_TRIPLES)
        if z < op.k
        for d in depth
    ]


def _positions(op: Operation) -> list[Probe]:
    """Return {big, -big} at 0 and 1 and a tiny that no F reaches everywhere else: it is there in a later step."""
    big = _largest(op)
    tiny = max(big - _DEEP, _deepest(op))
    return [_products(op, "position", k, {0: (1, big), 1: (-1, big), k: (1, tiny)}) for k in range(2, op.k)]


def _sweep_c(op: Operation) -> list[Probe]:
    """Return c = 2^d and as many products of 1 as there are: they show as long as F reaches."""
    if op.d == "f16":
        return []
    ones = dict.fromkeys(range(op.k), 1.0)
    return [Probe("below c", d, ones, ones, 2.0**d) for d in range(23 + op.k.bit_length())]


def _accumulator(op: Operation) -> list[Probe]:
    """Return c = 1 + 2^-j alone."""
    return [Probe("c", j, {}, {}, 1 + 2.0**-j) for j in range(1, 11 if "f16" in (op.c, op.d) else 24)]


def _rounding(op: Operation) -> list[Probe]:
    """Return an odd c and 3/4 of its last place, both signs."""
    if op.c != op.d:
        return []
    c = 2.0**11 + 2 if op.d == "f16" else 2.0**24 + 2
    return [Probe("round", sign, {0: 1.5 * sign}, {0: 1.0}, c * sign) for sign in (1, -1)]


def _sign(op: Operation) -> list[Probe]:
    """Return -0 alone, and a NaN with a payload as c."""
    zeros = Probe("minus zero", 0, dict.fromkeys(range(op.k), -0.0), dict.fromkeys(range(op.k), 1.0), -0.0)
    return [zeros, Probe("nan", 0, {}, {}, float("nan"))]


def _zero(op: Operation) -> list[Probe]:
    """Return what shows how far below an empty c a product still counts: f32 from its least, f16 from half of that."""
    least = powers(op.a)[0] + powers(op.b)[0]
    if op.d == "f16" and least <= -48:
        return [_products(op, "zero", j, {0: (1, -25), 1: (1, -j)}) for j in range(26, 49)]
    if op.d == "f32" and least <= -170:
        return [_products(op, "zero", j, {0: (1, -149), 1: (-1, -j)}) for j in range(150, 171)]
    return []


# --- reading ---------------------------------------------------------------------------------------------------------


def measure(op: Operation, found: Codes) -> dict[str, Any]:
    """Return the parameters that D (the trials of `arrays`) shows; what the formats cannot show is left out.

    `F` and `c bits` are fraction bits (or a text such as `>=34` where the sweep ends), `L` products, `steps` the
    products of the first step where they are no neighbours, `rounding`, `e_zero`, `nan` and `-0 gives` codes.
    """
    seen = _by_kind(op, found)
    shown: dict[str, Any] = {}
    if "c" in seen:
        kept = [j for j, value in seen["c"].items() if _number(op, value) != 1]
        shown["c bits"] = max(kept, default=0)
    shown |= _fraction(op, seen)
    if "position" in seen:
        shown |= _length(op, seen["position"])
    if "round" in seen:
        shown["rounding"] = _direction(op, seen["round"])
    if "zero" in seen and isinstance(shown.get("F"), int):
        counted = [j for j, value in seen["zero"].items() if (value == 1) == (op.d == "f16")]
        shown["e_zero"] = shown["F"] - max(counted, default=0)
    digits = FORMATS[op.d].bits // 4
    shown["nan"] = f"0x{seen['nan'][0]:0{digits}x}"
    shown["-0 gives"] = f"0x{seen['minus zero'][0]:0{digits}x}"
    return shown


def _number(op: Operation, code: int) -> float:
    return float(values_of(op.d, np.array([code], dtype=np.uint64))[0])


def _by_kind(op: Operation, found: Codes) -> dict[str, dict[int, int]]:
    side = min(op.m, op.n)
    seen: dict[str, dict[int, int]] = {}
    for number, probe in enumerate(probes(op)):
        trial, place = divmod(number, side)
        seen.setdefault(probe.kind, {})[probe.at] = int(found[trial, place, place])
    return seen


def _fraction(op: Operation, seen: dict[str, dict[int, int]]) -> dict[str, Any]:
    """Return F: the last distance at which tiny shows in a triple that is of one step."""
    if "below c" in seen:
        shows = [d for d, value in seen["below c"].items() if _number(op, value) != 2.0**d]
        last = max(shows, default=-1)
        return {"F": f">={last}" if last == max(seen["below c"]) else last}
    ends = [_last(seen[kind]) for kind in ("fraction 0", "fraction 1") if kind in seen]
    exact = [end for end in ends if isinstance(end, int)]
    return {"F": min(exact) if exact else ends[0]}


def _last(sweep: dict[int, int]) -> int | str:
    there = [d for d, value in sweep.items() if value]
    last = max(there, default=-1)
    return f">={last}" if last == max(sweep) else last


def _length(op: Operation, positions: dict[int, int]) -> dict[str, Any]:
    """Return the products of the first step: those where tiny is lost."""
    step = [0, 1, *(k for k, value in positions.items() if not value)]
    if len(step) == 2 and op.k > 2:
        return {}
    return {"L": len(step)} | ({"steps": step} if step != list(range(len(step))) else {})


def _direction(op: Operation, ends: dict[int, int]) -> str:
    size = 2.0**11 + 2 if op.d == "f16" else 2.0**24 + 2
    up, down = (abs(_number(op, ends[sign])) > size for sign in (1, -1))
    return {(False, False): "toward zero", (True, True): "nearest", (True, False): "up", (False, True): "down"}[
        up, down
    ]
