"""Oracle and inputs of instructions that carry: each is given a carry, and tells what it leaves in CC.CF.

A case's parameters are `op` (add, addc, sub, subc, mad or madc), `type`, `cc` (whether it writes CC.CF) and, of
products, `part`. Source: PTX ISA 9.3, 9.7.2.1 to 9.7.2.6.
"""

from __future__ import annotations

import numpy as np

from suite import integers
from suite.elementwise import register
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 1024
SUBTRACTIONS = ("sub", "subc")


def names(params: Params) -> tuple[str, ...]:
    """Return the numeric inputs."""
    return ("a", "b", "c") if params["op"].startswith("mad") else ("a", "b")


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d, what CC.CF is afterwards, the sum that gives it before (kept alive), the numbers, and what is given."""
    numbers = (register(name, "in", params["type"], THREADS) for name in names(params))
    return (
        register("d", "out", params["type"], THREADS),
        register("left", "out", "u32", THREADS),
        register("giving", "out", "u32", THREADS),
        *numbers,
        register("given", "in", "u32", THREADS),
    )


def fields(params: Params) -> Params:
    """Return the modifier, and how a carry or a borrow is made and read."""
    borrows = params["op"] in SUBTRACTIONS
    return {
        "cc_": ".cc" if params["cc"] == "yes" else "",
        "give": "sub.cc.u32 giving, 0, given" if borrows else "add.cc.u32 giving, given, 0xffffffff",
        "take": "subc.u32 left, 0, 0" if borrows else "addc.u32 left, 0, 0",
    }


def one(params: Params, given: int, a: int, b: int, c: int = 0) -> tuple[int, int]:
    """Return d, and the carry or borrow that is left, of unsigned words."""
    bits = integers.width(params["type"])
    taken = given if params["op"].endswith("c") else 0
    if params["op"] in SUBTRACTIONS:
        total = a - b - taken
    elif params["op"].startswith("mad"):
        total = _part(params, bits, a, b) + c + taken
    else:
        total = a + b + taken
    carried = int(not 0 <= total < 1 << bits)
    return total % (1 << bits), carried if params["cc"] == "yes" else given


def _part(params: Params, bits: int, a: int, b: int) -> int:
    """Return half of a product, as an unsigned word."""
    x, y = (integers.integer(params["type"], word) for word in (a, b))
    return (x * y >> (bits if params["part"] == "hi" else 0)) % (1 << bits)


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return words near every limit, a quarter of which give a sum of all ones, and both carries."""
    kind = params["type"]
    arrays = {name: integers.codes(rng, kind, THREADS) for name in names(params)}
    mask = np.uint64((1 << integers.width(kind)) - 1)
    arrays["b"][::4] = arrays["a"][::4] if params["op"] in SUBTRACTIONS else ~arrays["a"][::4] & mask
    given = rng.integers(0, 2, THREADS, dtype=np.uint64)
    if "c" in arrays:
        rows = zip(*(arrays[name].tolist() for name in "ab"), strict=True)
        halves = np.array([_part(params, integers.width(kind), *row) for row in rows], dtype=np.uint64)
        arrays["c"][::4] = ~halves[::4] & mask
    return {**arrays, "given": given}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d, and 0 or 1 for a carry that is left, 0 or all ones for a borrow."""
    columns = zip(*(arrays[name].tolist() for name in ("given", *names(params))), strict=True)
    results = np.array([one(params, *row) for row in columns], dtype=np.uint64)
    left = results[:, 1] * np.uint64(0xFFFFFFFF if params["op"] in SUBTRACTIONS else 1)
    giving = (-arrays["given"] if params["op"] in SUBTRACTIONS else arrays["given"] - np.uint64(1)) & np.uint64(
        0xFFFFFFFF
    )
    return {"d": results[:, 0], "left": left, "giving": giving}
