"""Oracle and inputs of video instructions, scalar and SIMD: one Python integer at a time, as the manual writes them.

A case's parameters are `op`, the types `d`, `a` and `b` (u32 or s32), `sat`, `second` (none, add, min or max), and the
selectors `pick_a`, `pick_b` and `put` (of d). Where the text leaves an intermediate value open - one that does not fit
the type in which a second minimum or maximum reads c, and is not clamped - the element's inputs are replaced by ones.
Sources: PTX ISA 9.3, 9.7.19.1 (the stages, and each operation's pseudocode) and 9.7.19.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite.elementwise import register
from suite.integers import clamp, integer, is_signed
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 256
WORD = 0xFFFFFFFF

Compared = dict[str, Callable[[int, int], bool]]
COMPARE: Compared = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
PRIMARY: dict[str, Callable[[int, int], int]] = {
    "vadd": lambda x, y: x + y,
    "vsub": lambda x, y: x - y,
    "vabsdiff": lambda x, y: abs(x - y),
    "vmin": min,
    "vmax": max,
    "vavrg": lambda x, y: (x + y + (x + y >= 0)) >> 1,
}

SECOND: dict[str, Callable[[int, int], int]] = {"add": lambda x, y: x + y, "min": min, "max": max}


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d, a, b and c."""
    return (register("d", "out", "b32", THREADS), *(register(name, "in", "b32", THREADS) for name in "abc"))


def fields(params: Params) -> Params:
    """Return the dotted modifiers and the operands with their selectors."""
    dotted = {
        key: _dotted(params.get(key, "none"))
        for key in ("second", "scale", "mode", "compare", "pick_a", "pick_b", "put")
    }
    sat = ".sat" if params.get("sat") == "yes" else ""
    third = dotted["second"] or dotted["put"] or params["op"] == "vmad" or lanes(params) > 1
    signs = {name: "-" if name in params.get("negate", "") else "" for name in "abc"}
    listed = f"d{dotted['put']}, {signs['a']}a{dotted['pick_a']}, {signs['b']}b{dotted['pick_b']}"
    extra = {"predicates": (), "after": "", "po_": ".po" if params.get("po") == "yes" else "", "sat_": sat}
    return {
        **{f"{key}_": value for key, value in dotted.items()},
        **extra,
        "listed": listed + (f", {signs['c']}c" if third else ""),
    }


def _dotted(word: str) -> str:
    return "" if word == "none" else f".{word}"


def lanes(params: Params) -> int:
    """Return 2 or 4 for SIMD instructions, else 1."""
    return int(params["op"][-1]) if params["op"][-1].isdigit() else 1


def picked(kind: str, word: int, selector: str) -> int:
    """Return the byte, half word or word that a selector such as `b2` names, extended by the type's sign."""
    if selector == "none":
        return integer(kind, word)
    bits = 8 if selector[0] == "b" else 16
    return integer(f"{kind[0]}{bits}", word >> bits * int(selector[1]))


def merged(selector: str, value: int, c: int) -> int:
    """Return c with a byte or half word replaced."""
    bits = 8 if selector[0] == "b" else 16
    mask = ((1 << bits) - 1) << bits * int(selector[1])
    return c & ~mask | value << bits * int(selector[1]) & mask


def _scalar(params: Params, a: int, b: int, c: int) -> tuple[int, bool]:
    """Return d of a scalar instruction, and whether it is settled."""
    if params["op"] == "vmad":
        return _mad(params, a, b, c)
    x = picked(params["a"], a, params.get("pick_a", "none"))
    y = picked(params["b"], b, params.get("pick_b", "none"))
    value = _primary(params, x, y)
    put, kind = params.get("put", "none"), params.get("d", "u32")
    if params.get("sat") == "yes":
        value = clamp(kind if put == "none" else f"{kind[0]}{8 if put[0] == 'b' else 16}", integer("s34", value))
    settled = params["second"] in ("none", "add") or clamp(kind, value) == value
    if params["second"] != "none":
        value = SECOND[params["second"]](value, integer(kind, c))
    return (value if put == "none" else merged(put, value, c)) & WORD, settled


def _primary(params: Params, x: int, y: int) -> int:
    if params["op"] == "vset":
        return int(COMPARE[params["compare"]](x, y))
    if params["op"] in ("vshl", "vshr"):
        amount = min(y, 32) if params["mode"] == "clamp" else y & 31
        return x << amount if params["op"] == "vshl" else x >> amount
    return PRIMARY[params["op"]](x, y)


def _mad(params: Params, a: int, b: int, c: int) -> tuple[int, bool]:
    """Return a * b + c with its negations, plus one, scale and clamp.

    Of an unsigned product less c the text reads c as unsigned, the pseudocode as signed: settled where both agree.
    """
    negate, scale = params["negate"], params["scale"]
    unsigned = not (is_signed(params["a"]) or is_signed(params["b"]))
    signed = not unsigned or negate != "none"
    product = picked(params["a"], a, params["pick_a"]) * picked(params["b"], b, params["pick_b"])
    third = integer("s32" if signed else "u32", c)
    value = (
        product * (-1 if negate in ("a", "b") else 1) + third * (-1 if negate == "c" else 1) + (params["po"] == "yes")
    )
    value >>= 0 if scale == "none" else int(scale[3:])
    if params["sat"] == "yes":
        value = clamp("s32" if signed else "u32", value)
    return value & WORD, abs(value) < 1 << 62 and not (unsigned and negate == "c" and c >> 31)


def _simd(params: Params, a: int, b: int, c: int) -> tuple[int, bool]:
    """Return d of a SIMD instruction, and whether it is settled: a sum needs results that fit their type."""
    count = lanes(params)
    bits = 32 // count
    both, op = b << 32 | a, params["op"][:-1]
    kind_d = f"{params.get('d', 'u32')[0]}{bits}"
    result, settled = (c if params["second"] == "add" else 0), True
    picks = _lane_picks(params, count)
    for i in range(count):
        x, y = (integer(f"{params[name][0]}{bits}", both >> bits * picks[name][i]) for name in "ab")
        value = int(COMPARE[params["compare"]](x, y)) if op == "vset" else PRIMARY[op](x, y)
        value = clamp(kind_d, value) if params.get("sat") == "yes" else value
        chosen = params["put"] == "none" or str(i) in params["put"][1:]
        if params["second"] == "add":
            settled &= clamp(kind_d, value) == value
            result += value if chosen else 0
        else:
            result |= (value if chosen else c >> bits * i) % (1 << bits) << bits * i
    return result & WORD, settled


def _lane_picks(params: Params, count: int) -> dict[str, list[int]]:
    """Return which of the lanes of a and b each lane of a source is, lowest first."""
    defaults = {"a": list(range(count)), "b": list(range(count, 2 * count))}
    named = {name: params.get(f"pick_{name}", "none") for name in "ab"}
    return {
        n: defaults[n] if word == "none" else [int(digit) for digit in reversed(word[1:])] for n, word in named.items()
    }


def result(params: Params, a: int, b: int, c: int) -> tuple[int, bool]:
    """Return d and whether the manual settles it."""
    return _simd(params, a, b, c) if lanes(params) > 1 else _scalar(params, a, b, c)


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return words of every magnitude, and words whose bytes or half words lie near each other."""
    words = {name: _words(rng) for name in "abc"}
    near = words["a"] ^ (rng.integers(0, 1 << 32, THREADS, dtype=np.uint64) & np.uint64(0x03030303))
    words["b"][::3] = near[::3]
    if params["op"] in ("vshl", "vshr"):
        words["b"][::2] = rng.integers(0, 40, THREADS // 2, dtype=np.uint64)
        words["b"][2::4] &= np.uint64(1)  # so that clamped results, and what they are compared with, keep high bits
        words["c"][2::4] |= np.uint64(0xC0000000)
    columns = zip(*(words[name].tolist() for name in "abc"), strict=True)
    settled = np.array([result(params, *row)[1] for row in columns])
    return {name: np.where(settled, word, np.uint64(1)) for name, word in words.items()}


def _words(rng: np.random.Generator) -> np.ndarray:
    words = rng.integers(0, 1 << 32, THREADS, dtype=np.uint64)
    words[::4] >>= rng.integers(0, 32, len(words[::4]), dtype=np.uint64)
    words[1::8] = rng.choice(
        np.array([0, 1, 0x7FFFFFFF, 0x80000000, WORD, 0x80FF7F01], dtype=np.uint64), len(words[1::8])
    )
    return words


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d."""
    columns = zip(*(arrays[name].tolist() for name in "abc"), strict=True)
    return {"d": np.array([result(params, *row)[0] for row in columns], dtype=np.uint64)}
