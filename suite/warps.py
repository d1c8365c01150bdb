"""Oracle and inputs of instructions across a warp. One warp a CTA; its member mask comes from memory.

Lanes outside the mask skip the instruction and keep the poison-free value that their `d` was given before.
Sources: PTX ISA 9.3, 9.7.9.6 and 9.7.14.10 to 9.7.14.13.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import rounding
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params

WARPS = 64
LANES = 32
KEPT = 0x5A5A5A5A  # what lanes outside the mask store

Row = list[int]


def width(params: Params) -> str:
    """Return the bit type of a."""
    return "b64" if params.get("type") == "b64" else "b32"


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d, its predicate p, a, and what each lane chooses: b and c of a shuffle; the mask of its warp."""
    shape = (WARPS, LANES)
    return (
        Buffer("d", "out", "b32", shape),
        Buffer("p", "out", "b32", shape),
        Buffer("a", "in", width(params), shape),
        Buffer("b", "in", "b32", shape),
        Buffer("c", "in", "b32", shape),
        Buffer("mask", "in", "b32", shape),
    )


def fields(params: Params) -> Params:
    """Return the destination's spelling and the modifiers; who takes part is a branch of the kernel."""
    destination = {"yes": "d|%p_p", "only": "_|%p_p"}.get(params.get("predicate", "no"), "d")
    return {
        "d_": destination,
        "negated": "!" if params.get("negate") == "yes" else "",
        "abs_": ".abs" if params.get("abs") == "yes" else "",
        "NaN_": ".NaN" if params.get("NaN") == "yes" else "",
        "kept": KEPT,
    }


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return values that tell every lane apart, or that agree in part, and masks that leave lanes out."""
    shape = (WARPS, LANES)
    masks = np.broadcast_to(_masks(params, rng), shape)
    return {
        "a": _values(params, rng, masks),
        "b": _sources(params, rng, masks),
        "c": np.broadcast_to(_clamps(params, rng), shape).astype(np.uint64),
        "mask": masks.astype(np.uint64),
    }


def _masks(params: Params, rng: np.random.Generator) -> np.ndarray:
    """Return a mask a warp: all lanes, and in every other warp some; a shuffle by distance needs them all."""
    masks = rng.integers(1, 1 << 32, (WARPS, 1), dtype=np.uint64)
    masks[::2] = 0xFFFFFFFF
    if params.get("lanes") == "all" or params.get("mode") in ("up", "down", "bfly"):
        masks[:] = 0xFFFFFFFF
    return masks


def _values(params: Params, rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    shape = masks.shape
    if params["op"] == "vote":
        return _votes(rng, masks)
    if params["op"] == "match":
        few = rng.integers(0, 4, shape, dtype=np.uint64)
        same = np.broadcast_to(few[:, :1], shape)
        chosen = np.where(np.arange(WARPS)[:, None] % 4 < 2, same, few)
        high = np.uint64(0x100000000 if width(params) == "b64" else 0x10000)
        return np.asarray(chosen * high + np.uint64(7))
    if params.get("type") == "f32":
        return _floats(params, rng, shape)
    values = rng.integers(0, 1 << 32, shape, dtype=np.uint64)
    values[1::4] >>= np.uint64(1)  # positive numbers alone
    values[2::4] |= np.uint64(0x80000000)
    return values


def _votes(rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    """Return predicates: all, none, all but one member, one member alone, or any."""
    votes = rng.integers(0, 2, masks.shape, dtype=np.uint64)
    member = masks >> np.arange(LANES, dtype=np.uint64) & np.uint64(1)
    first = np.argmax(member, axis=1)
    votes[0::8], votes[1::8] = 1, 1
    votes[2::8], votes[3::8] = 0, 0
    votes[4::8], votes[5::8] = 1, 0
    odd = np.arange(WARPS) % 8
    for flipped, value in ((4, 0), (5, 1)):
        rows = np.flatnonzero(odd == flipped)
        votes[rows, first[rows]] = value
    return votes


def _floats(params: Params, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return f32 codes with zeros of both signs, infinities and, in some warps, NaN."""
    codes = rng.integers(0, 1 << 32, shape, dtype=np.uint64)
    nan = (codes & np.uint64(0x7FFFFFFF)) > 0x7F800000
    codes = np.where(nan, np.uint64(0x3F800000), codes)
    codes[1::4] = rng.choice(np.array([0, 0x80000000], dtype=np.uint64), codes[1::4].shape)
    codes[2::8, 5::9] = 0x7FC00000
    codes[3::16] = 0x7FC00000
    return codes


def _sources(params: Params, rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    """Return b: a source lane of the mask or a distance, in some warps with bits above the five that count."""
    b = np.broadcast_to(np.arange(WARPS, dtype=np.uint64)[:, None] % np.uint64(LANES), (WARPS, LANES)).copy()
    if params.get("mode") == "idx":
        b = rng.integers(0, LANES, (WARPS, LANES), dtype=np.uint64)
        for warp in range(1, WARPS, 2):
            members = [lane for lane in range(LANES) if int(masks[warp, 0]) >> lane & 1]
            b[warp] = rng.choice(members, LANES)
    b[3::8] += np.uint64(LANES)
    return b


def _clamps(params: Params, rng: np.random.Generator) -> np.ndarray:
    """Return c of each warp: segments of 32, 16, 8 and so on lanes, with the clamp that the mode wants, or any."""
    segment = np.array([0, 16, 24, 28, 30, 31], dtype=np.uint64)[np.arange(WARPS) % 6]
    clamp = np.full(WARPS, 0 if params.get("mode") == "up" else 31, dtype=np.uint64)
    clamp[1::5] = rng.integers(0, LANES, len(clamp[1::5]), dtype=np.uint64)
    if params.get("mode") == "idx":  # where lanes are left out, any lane of the mask must be within reach
        segment[1::2], clamp[1::2] = 0, LANES - 1
    return (segment << np.uint64(8) | clamp)[:, None]


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d and p of every lane; lanes outside the mask store what they had."""
    d = np.full((WARPS, LANES), KEPT, dtype=np.uint64)
    p = np.full((WARPS, LANES), 0, dtype=np.uint64)
    for warp in range(WARPS):
        rows = {name: array[warp].tolist() for name, array in arrays.items()}
        members = [lane for lane in range(LANES) if rows["mask"][0] >> lane & 1]
        results = _ORACLES.get(params["op"], _redux)(params, rows, members)
        for lane, (value, predicate) in zip(members, results, strict=True):
            d[warp, lane] = KEPT if value is None else value & 0xFFFFFFFF
            p[warp, lane] = predicate
    return {"d": d, "p": p}


Results = list[tuple[int | None, int]]


def _shfl(params: Params, rows: dict[str, Row], members: Row) -> Results:
    results: Results = []
    for lane in members:
        j, inside = source_lane(params["mode"], lane, rows["b"][lane], rows["c"][lane])
        results.append((rows["a"][j if inside else lane], int(inside and params["predicate"] == "yes")))
    return results


def source_lane(mode: str, lane: int, b: int, c: int) -> tuple[int, bool]:
    """Return the source lane of a shuffle and whether it is in range. Source: 9.7.9.6, Semantics."""
    distance, clamp, segment = b & 31, c & 31, c >> 8 & 31
    highest = lane & segment | clamp & ~segment
    if mode == "up":
        return lane - distance, lane - distance >= highest
    targets = {"down": lane + distance, "bfly": lane ^ distance, "idx": lane & segment | distance & ~segment}
    return targets[mode], targets[mode] <= highest


def _vote(params: Params, rows: dict[str, Row], members: Row) -> Results:
    votes = [rows["a"][lane] ^ int(params["negate"] == "yes") for lane in members]
    if params["mode"] == "ballot":
        return [(sum(vote << lane for vote, lane in zip(votes, members, strict=True)), 0)] * len(members)
    outcome = {"all": all(votes), "any": any(votes), "uni": len(set(votes)) == 1}[params["mode"]]
    return [(None, int(outcome))] * len(members)


def _match(params: Params, rows: dict[str, Row], members: Row) -> Results:
    values = rows["a"]
    if params["mode"] == "any":
        return [(sum(1 << other for other in members if values[other] == values[lane]), 0) for lane in members]
    equal = len({values[lane] for lane in members}) == 1
    mask = rows["mask"][0] if equal else 0
    shown = params["predicate"]
    return [(None if shown == "only" else mask, int(equal and shown != "no"))] * len(members)


def _active(params: Params, rows: dict[str, Row], members: Row) -> Results:
    return [(rows["mask"][0], 0)] * len(members)


def _redux(params: Params, rows: dict[str, Row], members: Row) -> Results:
    codes = [rows["a"][lane] for lane in members]
    if params["type"] == "f32":
        return [(_extreme(params, codes), 0)] * len(members)
    values = [code - (1 << 32) if params["type"] == "s32" and code >> 31 else code for code in codes]
    result = values[0]
    for value in values[1:]:
        result = _INTEGER[params["op"]](result, value)
    return [(result, 0)] * len(members)


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "min": min,
    "max": max,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
}


def _extreme(params: Params, codes: Row) -> int:
    """Return the least or greatest f32 code of a warp, -0 below +0; NaN counts if .NaN or if there is nothing else."""
    if params["abs"] == "yes":
        codes = [code & 0x7FFFFFFF for code in codes]
    numbers = [code for code in codes if code & 0x7FFFFFFF <= 0x7F800000]
    if not numbers or (params["NaN"] == "yes" and len(numbers) < len(codes)):
        return rounding.CANONICAL_NAN["f32"]
    order: Callable[[int], int] = lambda code: ~code if code >> 31 else code | 1 << 31  # noqa: E731
    ordered = sorted(numbers, key=lambda code: order(code) & 0xFFFFFFFF)
    return ordered[0] if params["op"] == "min" else ordered[-1]


_ORACLES: dict[str, Callable[[Params, dict[str, Row], Row], Results]] = {
    "shfl": _shfl,
    "vote": _vote,
    "match": _match,
    "activemask": _active,
}
