"""Oracle and inputs of integer, bit and byte instructions: one Python integer at a time, as the manual writes them.

A case's parameters are `op`, `type`, and where the instruction has them `mode`, `sat`, `relu`, `a`, `b`. Functions get
the parameters and the operands as integers of their types, and return any integer, of which the low bits are kept.
Sources: PTX ISA 9.3, 9.7.1, 9.7.8 and 9.7.9.7; the section of each stands in probes/integer.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite.elementwise import TYPES, join, register, split
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 2048
NAMES = ("a", "b", "c", "e")

Scalar = Callable[..., int]


def width(kind: str) -> int:
    """Return the bits of an integer type, or of one element of a packed one."""
    return int(kind[1:].split("x", maxsplit=1)[0])


def is_signed(kind: str) -> bool:
    """Tell whether an integer type is signed."""
    return kind.startswith("s")


def integer(kind: str, code: int) -> int:
    """Return the low bits of a code as an integer of the type."""
    bits = width(kind)
    value = code & ((1 << bits) - 1)
    return value - (1 << bits) if is_signed(kind) and value >> (bits - 1) else value


def clamp(kind: str, value: int) -> int:
    """Return the value clamped to the type."""
    bits = width(kind)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed(kind) else (0, (1 << bits) - 1)
    return min(max(value, low), high)


def _settled(params: Params, value: int) -> int:
    """Return a result after .sat or .relu."""
    if params.get("sat") == "yes":
        return clamp(params["type"], value)
    return max(value, 0) if params.get("relu") == "yes" else value


def _part(params: Params, product: int) -> int:
    """Return the part of a product that .hi or .lo keeps, without its sign; .wide keeps all."""
    return product >> width(params["type"]) if params["mode"] == "hi" else product


def _part24(params: Params, product: int) -> int:
    return (product >> 16) & 0xFFFFFFFF if params["mode"] == "hi" else product


def _mad(params: Params, a: int, b: int, c: int) -> int:
    return _settled(params, _part(params, a * b) + c)


def _mad24(params: Params, a: int, b: int, c: int) -> int:
    return _settled(params, integer(params["type"], _part24(params, a * b)) + c)


def _carryless(params: Params, a: int, b: int, c: int) -> int:
    product = 0
    for i in range(64):
        product ^= b << i if a >> i & 1 else 0
    return (product >> 64 if params["mode"] == "hi" else product) ^ c


def _bfind(params: Params, a: int) -> int:
    magnitude = ~a if a < 0 else a
    position = magnitude.bit_length() - 1
    return width(params["type"]) - 1 - position if position >= 0 and params["mode"] == "shiftamt" else position


def _fns(params: Params, mask: int, base: int, offset: int) -> int:
    """Return the position of the offset-th set bit from `base`, upward or downward, or -1."""
    if offset == 0:
        return base if mask >> base & 1 else -1
    places = range(base, 32) if offset > 0 else range(base, -1, -1)
    found = [place for place in places if mask >> place & 1]
    return found[abs(offset) - 1] if abs(offset) <= len(found) else -1


def _bfe(params: Params, a: int, position: int, length: int) -> int:
    bits, position, length = width(params["type"]), position & 0xFF, length & 0xFF
    field = (a >> position) & ((1 << length) - 1)  # a Python integer shifts in its sign
    end = min(position + length - 1, bits - 1)
    negative = is_signed(params["type"]) and length > 0 and a >> end & 1
    return field - (1 << length) if negative and field >> (length - 1) & 1 else field


def _bfi(params: Params, a: int, b: int, position: int, length: int) -> int:
    mask = ((1 << (length & 0xFF)) - 1) << (position & 0xFF)
    return (b & ~mask) | (a << (position & 0xFF) & mask)


def _szext(params: Params, a: int, b: int) -> int:
    if params["mode"] == "clamp" and b >= 32:
        return a
    length = b & 31
    return integer(f"{params['type'][0]}{length}", a) if length else 0


def _bmsk(params: Params, a: int, b: int) -> int:
    if params["mode"] == "wrap":
        a, b = a & 31, b & 31
    return 0 if a >= 32 else ((1 << min(b, 32)) - 1) << a


def _dp4a(params: Params, a: int, b: int, c: int) -> int:
    kinds = params["a"][0] + "8", params["b"][0] + "8"
    return c + sum(integer(kinds[0], a >> 8 * i) * integer(kinds[1], b >> 8 * i) for i in range(4))


def _dp2a(params: Params, a: int, b: int, c: int) -> int:
    kinds, first = (params["a"][0] + "16", params["b"][0] + "8"), 0 if params["mode"] == "lo" else 2
    return c + sum(integer(kinds[0], a >> 16 * i) * integer(kinds[1], b >> 8 * (first + i)) for i in range(2))


def _lop3(params: Params, a: int, b: int, c: int) -> int:
    table = params["lut"]
    return sum((table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i for i in range(32))


def _shf(params: Params, a: int, b: int, c: int) -> int:
    amount = min(c, 32) if params["mode"] == "clamp" else c & 31
    both = b << 32 | a
    return both << amount >> 32 if params["side"] == "l" else both >> amount


# Source bytes of d, the lowest first, by mode and selector. Source: 9.7.9.7.
_PERMUTED = {
    "f4e": ("0123", "1234", "2345", "3456"),
    "b4e": ("0765", "1076", "2107", "3210"),
    "rc8": ("0000", "1111", "2222", "3333"),
    "ecl": ("0123", "1123", "2223", "3333"),
    "ecr": ("0000", "0111", "0122", "0123"),
    "rc16": ("0101", "2323", "0101", "2323"),
}


def _prmt(params: Params, a: int, b: int, c: int) -> int:
    source = [(b << 32 | a) >> 8 * i & 0xFF for i in range(8)]
    if params["mode"] != "default":
        return sum(source[int(byte)] << 8 * i for i, byte in enumerate(_PERMUTED[params["mode"]][c & 3]))
    picks = [c >> 4 * i & 0xF for i in range(4)]
    return sum((0xFF * (source[p & 7] >> 7) if p & 8 else source[p & 7]) << 8 * i for i, p in enumerate(picks))


def _divide(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


FUNCTIONS: dict[str, Scalar] = {
    "add": lambda p, a, b: _settled(p, a + b),
    "sub": lambda p, a, b: _settled(p, a - b),
    "min": lambda p, a, b: _settled(p, min(a, b)),
    "max": lambda p, a, b: _settled(p, max(a, b)),
    "mul": lambda p, a, b: _part(p, a * b),
    "mad": _mad,
    "mul24": lambda p, a, b: _part24(p, a * b),
    "mad24": _mad24,
    "clmad": _carryless,
    "sad": lambda p, a, b, c: c + abs(a - b),
    "div": lambda p, a, b: _divide(a, b),
    "rem": lambda p, a, b: a - b * _divide(a, b),
    "abs": lambda p, a: abs(a),
    "neg": lambda p, a: -a,
    "and": lambda p, a, b: a & b,
    "or": lambda p, a, b: a | b,
    "xor": lambda p, a, b: a ^ b,
    "not": lambda p, a: ~a,
    "cnot": lambda p, a: int(a == 0),
    "shl": lambda p, a, b: a << min(b, width(p["type"])),
    "shr": lambda p, a, b: a >> min(b, width(p["type"])),
    "popc": lambda p, a: a.bit_count(),
    "clz": lambda p, a: width(p["type"]) - a.bit_length(),
    "brev": lambda p, a: int(f"{a:0{width(p['type'])}b}"[::-1], 2),
    "bfind": _bfind,
    "fns": _fns,
    "bfe": _bfe,
    "bfi": _bfi,
    "szext": _szext,
    "bmsk": _bmsk,
    "dp4a": _dp4a,
    "dp2a": _dp2a,
    "lop3": _lop3,
    "shf": _shf,
    "prmt": _prmt,
}


def kinds(params: Params) -> tuple[str, ...]:
    """Return the types of d and the inputs; of .wide instructions d and c are twice as wide as the rest."""
    own = params["type"]
    if params.get("mode") == "wide":
        double = f"{own[0]}{2 * width(own)}"
        return (double, own, own) if params["op"] == "mul" else (double, own, own, double)
    return tuple(own if kind == "=" else kind for kind in SHAPES[params["op"]].split())


# Types of d and the inputs of each instruction, = for its own type.
SHAPES = {
    **dict.fromkeys(("add", "sub", "min", "max", "mul", "mul24", "div", "rem", "and", "or", "xor"), "= = ="),
    **dict.fromkeys(("mad", "mad24", "clmad", "sad"), "= = = ="),
    **dict.fromkeys(("abs", "neg", "not", "cnot", "brev"), "= ="),
    **dict.fromkeys(("popc", "clz", "bfind"), "b32 ="),
    **dict.fromkeys(("dp4a", "dp2a"), "= b32 b32 ="),
    **dict.fromkeys(("lop3", "prmt", "shf"), "b32 b32 b32 b32"),
    **dict.fromkeys(("shl", "shr"), "= = b32"),
    "bfe": "= = b32 b32",
    "bfi": "= = = b32 b32",
    "fns": "b32 b32 b32 s32",
    "szext": "= = u32",
    "bmsk": "b32 u32 u32",
}


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and the inputs."""
    first, *others = kinds(params)
    inputs_ = (register(name, "in", kind, THREADS) for name, kind in zip(NAMES, others, strict=False))
    return (register("d", "out", first, THREADS), *inputs_)


def fields(params: Params) -> Params:
    """Return the dotted modifiers."""
    dotted = {f"{name}_": f".{name}" if params.get(name) == "yes" else "" for name in ("sat", "relu")}
    mode = params.get("mode", "default")
    names = NAMES[: len(kinds(params)) - 1]
    mode_ = "" if mode == "default" else f".{mode}"
    return {**dotted, "predicates": (), "after": "", "mode_": mode_, "inputs_": ", ".join(("d", *names))}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return integers of every magnitude and near every limit, slot by slot; small ones where an operand is a count."""
    _, *others = kinds(params)
    arrays = {name: codes(rng, kind, THREADS) for name, kind in zip(NAMES, others, strict=False)}
    for name, (low, high) in COUNTS.get(params["op"], {}).items():
        small = rng.integers(low, high, THREADS)
        arrays[name] = small.astype(np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    if params["op"] in ("mul24", "mad24"):
        arrays |= {name: _of_24_bits(params["type"], arrays[name]) for name in "ab"}
    if params["op"] in ("div", "rem"):
        arrays["b"] = np.where(arrays["b"] == 0, np.uint64(3), arrays["b"])
        lowest = np.uint64(1 << (width(params["type"]) - 1))
        arrays["a"] = np.where(arrays["a"] == lowest, np.uint64(5), arrays["a"])  # its quotient by -1 is undefined
    return arrays


# Ranges of the operands that count bits or lanes: most values in range, some beyond.
COUNTS = {
    "bfe": {"b": (0, 80), "c": (0, 80)},
    "bfi": {"c": (0, 80), "e": (0, 80)},
    "shl": {"b": (0, 80)},
    "shr": {"b": (0, 80)},
    "shf": {"c": (0, 70)},
    "szext": {"b": (0, 70)},
    "bmsk": {"a": (0, 40), "b": (0, 40)},
    "fns": {"b": (0, 32), "c": (-12, 13)},
}


def _of_24_bits(kind: str, codes: np.ndarray) -> np.ndarray:
    """Return 24-bit values extended to the type, as the instruction wants them."""
    low = codes & np.uint64(0xFFFFFF)
    negative = (low >> np.uint64(23) != 0) & is_signed(kind)
    return np.where(negative, low | np.uint64(0xFF000000), low)


def codes(rng: np.random.Generator, kind: str, threads: int) -> np.ndarray:
    """Return words of an integer type: slots of every magnitude, and near every limit."""
    packed = TYPES[kind]
    bits, shape = packed.width, (threads, packed.count)
    slots = rng.integers(0, 1 << 64, shape, dtype=np.uint64) >> rng.integers(64 - bits, 64, shape, dtype=np.uint64)
    slots = np.where(rng.integers(0, 2, shape) == 0, slots, ~slots) & np.uint64((1 << bits) - 1)
    ends = np.array([0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1], dtype=np.uint64)
    return join(kind, np.where(rng.integers(0, 8, shape) == 0, rng.choice(ends, shape), slots))


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d, slot by slot."""
    function = FUNCTIONS[params["op"]]
    first, *others = kinds(params)
    columns = [_values(kind, arrays[name]) for name, kind in zip(NAMES, others, strict=False)]
    mask = (1 << width(first)) - 1
    results = [function(params, *values) & mask for values in zip(*columns, strict=True)]
    return {"d": join(first, np.array(results, dtype=np.uint64).reshape(THREADS, -1))}


def _values(kind: str, words: np.ndarray) -> list[int]:
    return [integer(kind, code) for code in split(kind, words.astype(np.uint64)).reshape(-1).tolist()]
