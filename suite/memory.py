"""Index functions, claims and oracles of ld, st, atom and red: 32 threads a CTA, an element each in a window of rows.

A window has 32 rows of 64 bytes. `at` is each thread's byte offset in the window of its CTA, in a cluster of two in the
other CTA's. A type is spelled with its vector: `v4.f32`; types that are packed, like f16x2, are two elements in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from suite.claims import Claim, ptx_version, since
from suite.formats import FORMATS, decode, encode
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Launch, Params

Bytes = NDArray[np.uint8]

LANES, ROW = 32, 64
TABLE = tuple(index * 7 % 256 for index in range(ROW))  # what the window in the .const state space holds
GENERIC_SPACES = ("generic", "global")


def split(kind: str) -> tuple[int, str]:
    """Return (registers, type) of a type with its vector: ("v4.f32") is (4, "f32")."""
    vector, _, element = kind.rpartition(".")
    return (int(vector.removeprefix("v")) if vector else 1), element


def bits(element: str) -> int:
    """Return the width of a PTX type in bits: 32 for f32 and f16x2."""
    base, _, packed = element.partition("x")
    return int(base.lstrip("bfsu")) * int(packed or 1)


def size(kind: str) -> int:
    """Return the bytes that an access of a type with its vector covers."""
    count, element = split(kind)
    return count * bits(element) // 8


def dotted(*words: str) -> str:
    """Return the words as modifiers of an opcode, leaving out `none` and the unnamed generic space."""
    return "".join(f".{word}" for word in words if word not in ("none", "generic"))


def words(params: Params, synchronizing: str) -> list[str]:
    """Return the words by which the manual's notes tell loads and stores apart: modifiers, their parts, and pairs.

    `synchronizing` is acquire or release.
    """
    sem, space, cache, kind = (params.get(key, "none") for key in ("sem", "space", "cache", "type"))
    parts = [part for word in cache.split(".") for part in word.split("::")]
    pairs = {
        "volatile local": sem == "volatile" and space == "local",
        f"mmio {synchronizing}": f"mmio.{synchronizing}" in sem,
        "b128 sys": kind == "b128" and sem.endswith("sys"),
        "L2 evict": "L2::evict" in cache,
        "256 bits": size(kind) == 32,
    }
    return ["", *sem.split("."), space, *parts, kind, *(pair for pair, holds in pairs.items() if holds)]


def claim(words: Iterable[str], table: Mapping[str, tuple[str, str]], section: str) -> Claim:
    """Claim the latest target and PTX version of the words that the table holds, as (target, version)."""
    found = [table[word] for word in dict.fromkeys(words) if word in table]
    target = max((target for target, _ in found), key=lambda name: int(name.removeprefix("sm_")))
    return since(target, ptx=max((ptx for _, ptx in found), key=ptx_version), section=section)


# How machine code spells a scope of strong accesses; sm_75 has CTA, later ones SM. Source: nvdisasm 13.5.37 of kernels
# that ptxas 13.5.37 made for sm_75, 80, 90, 100a and 120a, as for the words below.
SCOPES = {
    "cta": ("STRONG.CTA", "STRONG.SM"),
    "cluster": ("STRONG.GPU",),
    "gpu": ("STRONG.GPU",),
    "sys": ("STRONG.SYS",),
}
CACHING = {
    # PTX                   SASS
    "cs": "EF",
    "lu": "LU",
    "L1::evict_unchanged": "EU",
    "L1::evict_first": "EF",
    "L1::evict_last": "EL",
    "L1::no_allocate": "NA",
    "L2::evict_normal": "ENL2",
    "L2::evict_first": "EFL2",
    "L2::evict_last": "ELL2",
    "L2::64B": "LTC64B",
    "L2::128B": "LTC128B",
    "L2::256B": "LTC256B",
}
OPERATORS = {"ca": "cta", "cg": "gpu", "cv": "sys"}  # cache operators that machine code spells as scopes


def strengths(params: Params) -> tuple[str, ...]:
    """Return how machine code may spell the access's strength; shared and local memory know none."""
    sem, cache = params.get("sem", "none"), params.get("cache", "none")
    if fields(params)["state"] in ("local", "const") or params["space"] in ("shared", "shared::cta"):
        return ("",)
    if sem == "volatile":
        return SCOPES["sys"]
    if "mmio" in sem:
        return ("MMIO.SYS",)
    scope = sem.rpartition(".")[2] if "." in sem else OPERATORS.get(cache, "")
    weaker = SCOPES.get(scope, ("",))
    return (*weaker, "STRONG.SYS") if "L1" in cache and scope else weaker  # sm_75 has priorities at SYS alone


def caching(params: Params) -> str:
    """Return the words of machine code for a cache operator, eviction priorities and a prefetch size."""
    if params["space"] not in GENERIC_SPACES:
        return ""
    return ".".join(CACHING[word] for word in params.get("cache", "none").split(".") if word in CACHING)


def widths(kind: str) -> tuple[str, ...]:
    """Return the width of an access as machine code may spell it: narrow ones with a sign, 32 bits not at all.

    The registers of a narrow vector are cut from one access, whose sign is the assembler's choice.
    """
    count, element = split(kind)
    covered = 8 * size(kind)
    if covered > 16:
        return (str(covered) if covered > 32 else "",)
    if count == 1:
        return (f"{'S' if element.startswith('s') else 'U'}{covered}",)
    return (f"U{covered}", f"S{covered}")


def sass(bases: Iterable[str], params: Params, *words: str) -> tuple[str, ...]:
    """Return the patterns of an access by any of the base opcodes, with these further words."""
    spelled = itertools.product(bases, widths(params["type"]), (caching(params),), words or ("",), strengths(params))
    return tuple(".".join(filter(None, parts)) for parts in spelled)


def ctas(params: Params) -> int:
    """Return the CTAs of the launch: two where shared memory of a cluster is meant, else one."""
    return 2 if params["space"] == "shared::cluster" else 1


def launch(params: Params) -> Launch:
    """Return one warp a CTA, all CTAs in one cluster."""
    shape = (ctas(params), 1, 1)
    return Launch(grid=shape, cluster=shape)


def fields(params: Params) -> Params:
    """Return what the templates want to know of the window's state space and of the cache policy."""
    space = params["space"]
    state = "global" if space in GENERIC_SPACES else space.partition("::")[0]
    hinted = "cache_hint" in params.get("cache", "")
    return {"state": state, "generic": space == "generic", "hinted": hinted, "trailer": ", %policy" if hinted else ""}


def vector(name: str, count: int, sink: int = -1) -> str:
    """Return the PTX of `count` registers: one plain, several in braces, `_` at the index of the sink."""
    names = ["_" if index == sink else f"%{name}{index}" for index in range(count)]
    return names[0] if count == 1 else "{" + ", ".join(names) + "}"


def rows_buffer(name: str, role: str, params: Params) -> Operand:
    """Return a buffer of whole windows."""
    return Buffer(name, role, "b8", (ctas(params), LANES, ROW))


def lanes_buffer(name: str, role: str, params: Params, nbytes: int) -> Operand:
    """Return a buffer of `nbytes` a thread."""
    return Buffer(name, role, "b8", (ctas(params), LANES, nbytes))


def offsets_buffer() -> Operand:
    """Return the buffer of each thread's offset in its window."""
    return Buffer("at", "in", "u32", (LANES,))


def offsets(params: Params, rng: np.random.Generator, *, together: bool = False) -> NDArray[np.uint32]:
    """Return a thread's offset in bytes: a row of its own and an aligned place in it, or one place for all threads.

    In the local and const state spaces the window is a single row.
    """
    step = size(params["type"])
    inside = rng.integers(0, ROW // step, LANES) * step
    rows = rng.permutation(LANES)
    if params["space"] in ("local", "const"):
        rows = np.zeros(LANES, dtype=np.int64)
    if together:
        return np.full(LANES, rows[0] * ROW + inside[0], dtype=np.uint32)
    return np.asarray(rows * ROW + inside, dtype=np.uint32)


def places(params: Params, at: np.ndarray) -> list[tuple[int, int, int]]:
    """Return (CTA, lane, offset in all windows) of each thread's element."""
    count, found = ctas(params), []
    for cta in range(count):
        for lane in range(LANES):
            row = lane * ROW if params["space"] == "local" else 0
            found.append((cta, lane, (count - 1 - cta) * LANES * ROW + row + int(at[lane])))
    return found


def random_bytes(rng: np.random.Generator, *shape: int) -> Bytes:
    """Return random bytes."""
    return rng.integers(0, 256, shape, dtype=np.uint8)


# --- atomic operations -----------------------------------------------------------------------------------------------

Operation = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Source: PTX ISA 9.3, 9.7.14.5, Semantics.
OPERATIONS: dict[str, Operation] = {
    "add": lambda old, value: old + value,
    "and": lambda old, value: old & value,
    "or": lambda old, value: old | value,
    "xor": lambda old, value: old ^ value,
    "min": np.minimum,
    "max": np.maximum,
    "inc": lambda old, value: np.where(old >= value, 0, old + 1),
    "dec": lambda old, value: np.where((old == 0) | (old > value), value, old - 1),
}


def element_format(kind: str) -> str:
    """Return the format of an element in memory: f16 for f16x2, b64 for u64."""
    element = split(kind)[1].partition("x")[0]
    return "b64" if element == "u64" else element


def reduce_bytes(op: str, kind: str, old: Bytes, value: Bytes) -> Bytes:
    """Return the bytes that an operation without swap value leaves, element by element."""
    if op == "exch":
        return value.copy()
    facts = FORMATS[element_format(kind)]
    word = np.dtype(f"<u{facts.bits // 8}")
    result = OPERATIONS[op](*(decode(facts, raw.view(word)) for raw in (old, value)))
    if facts.kind == "float":
        return encode(facts, result).astype(word).view(np.uint8)
    return np.ascontiguousarray(result).astype(word).view(np.uint8)


def _float_codes(fmt: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return codes of small integers, whose sums are exact."""
    limit = {"bf16": 60, "f16": 500}.get(fmt, 1_000_000)
    return encode(FORMATS[fmt], rng.integers(-limit, limit + 1, shape).astype(np.float64))


def _subnormals(fmt: str, rng: np.random.Generator, count: int) -> Bytes:
    """Return codes of subnormals, whose sums are exact and no result of a flush to zero."""
    facts = FORMATS[fmt]
    codes = rng.integers(1, 1 << (facts.mantissa - 1), count)
    return codes.astype(f"<u{facts.bits // 8}").view(np.uint8)


def _integer_codes(op: str, fmt: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return codes over the whole range, for inc and dec near each other and 0, so that every branch is taken."""
    high = 4 if op in ("inc", "dec") else 1 << FORMATS[fmt].bits
    return rng.integers(0, high, shape, dtype=np.uint64)


def operand_bytes(op: str, kind: str, rng: np.random.Generator, *shape: int) -> Bytes:
    """Return operands of an operation: `shape` ends in bytes."""
    if op in ("cas", "exch"):
        return random_bytes(rng, *shape)
    fmt = element_format(kind)
    width = FORMATS[fmt].bits // 8
    inner = (*shape[:-1], shape[-1] // width)
    codes = _float_codes(fmt, rng, inner) if FORMATS[fmt].kind == "float" else _integer_codes(op, fmt, rng, inner)
    return np.ascontiguousarray(codes.astype(f"<u{width}")).view(np.uint8)


def update(params: Params, arrays: Arrays) -> Arrays:
    """Return the windows after every thread's operation on an element of its own, and what the elements held before."""
    flat = arrays["init"].reshape(-1).copy()
    nbytes, old = size(params["type"]), np.zeros_like(arrays["value"])
    for cta, lane, start in places(params, arrays["at"]):
        before, value = flat[start : start + nbytes].copy(), arrays["value"][cta, lane]
        old[cta, lane] = before
        if params["op"] != "cas":
            flat[start : start + nbytes] = reduce_bytes(params["op"], params["type"], before, value)
        elif np.array_equal(before, value):
            flat[start : start + nbytes] = arrays["swap"][cta, lane]
    return {"out": flat.reshape(arrays["init"].shape), "old": old}


def update_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return windows and operands.

    Every third compare value of a swap is what lies in memory, and so is every third operand of a minimum or maximum;
    every fourth thread of a float operation that keeps subnormals has them on both sides.
    """
    op, kind, count = params["op"], params["type"], ctas(params)
    nbytes, fmt = size(kind), element_format(kind)
    kept = fmt in ("f16", "bf16") or params.get("ftz") == "noftz"
    init = operand_bytes(op, kind, rng, count, LANES, ROW)
    value = operand_bytes(op, kind, rng, count, LANES, nbytes)
    at, flat = offsets(params, rng), init.reshape(-1)
    for cta, lane, start in places(params, at):
        if kept and lane % 4 == 1:
            elements = nbytes * 8 // FORMATS[fmt].bits
            flat[start : start + nbytes] = _subnormals(fmt, rng, elements)
            value[cta, lane] = _subnormals(fmt, rng, elements)
        if op in ("cas", "min", "max") and lane % 3 == 0:
            value[cta, lane] = flat[start : start + nbytes]
    return {"init": init, "value": value, "at": at, "swap": operand_bytes(op, kind, rng, count, LANES, nbytes)}


# --- all threads of a warp in one element ----------------------------------------------------------------------------

# How a result names a slot from 0 to 31: what converts it to u32. The elements begin as a multiple of 32.
SLOTS = {"u32": "mov.b32", "s32": "mov.b32", "u64": "cvt.u32.u64", "f32": "cvt.rzi.u32.f32", "f64": "cvt.rzi.u32.f64"}
FIRST = 96


def _one(kind: str, value: int) -> Bytes:
    facts = FORMATS[element_format(kind)]
    return encode(facts, np.array([value])).astype(f"<u{facts.bits // 8}").view(np.uint8)


def meeting_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return windows, one element for all, and operands by which every thread's result differs: 1, or a high bound."""
    count, nbytes = ctas(params), size(params["type"])
    at = offsets(params, rng, together=True)
    init = random_bytes(rng, count, LANES, ROW)
    row, column = divmod(int(at[0]), ROW)
    last = LANES - 1 if params["op"] == "dec" else 0
    init[:, row, column : column + nbytes] = _one(params["type"], FIRST + last)
    bound = 1 if params["op"] == "add" else 0xFFFFFFF0
    value = np.broadcast_to(_one(params["type"], bound), (count, LANES, nbytes)).copy()
    return {"init": init, "value": value, "at": at}


def meet(params: Params, arrays: Arrays) -> Arrays:
    """Return the windows after 32 steps in one element, and the results in order: each value was seen by one thread."""
    nbytes, (row, column) = size(params["type"]), divmod(int(arrays["at"][0]), ROW)
    down = params["op"] == "dec"
    out = arrays["init"].copy()
    out[:, row, column : column + nbytes] = _one(params["type"], FIRST - 1 if down else FIRST + LANES)
    seen = np.stack([_one(params["type"], FIRST + step) for step in range(LANES)])
    return {"out": out, "old": np.broadcast_to(seen, (ctas(params), *seen.shape)).copy()}
