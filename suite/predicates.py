"""Oracle and inputs of logic on predicates. Sources: PTX ISA 9.3, 9.7.8.1 to 9.7.8.4 and 9.7.8.6.

Predicates are words that are zero or not. p is the result, q and r are inputs; lop3 has words a, b, c and d beside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import integers
from suite.elementwise import register
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 1024

_COMBINED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def operands(params: Params) -> tuple[Operand, ...]:
    """Return p and the predicates that it is made from; of lop3, d where it is told, and the words."""
    outs, ins = ["p"], ["q"]
    if params["op"] in _COMBINED:
        ins = ["q", "r"]
    if params["op"] == "lop3":
        outs, ins = ["p", *(["d"] if params["result"] == "told" else [])], ["a", "b", "c", "q"]
    roles = [*((name, "out") for name in outs), *((name, "in") for name in ins)]
    return tuple(register(name, role, "b32", THREADS) for name, role in roles)


def fields(params: Params) -> Params:
    """Return which operands are predicates, and the sink where d is not told."""
    told = params.get("result") == "told"
    return {"predicates": ("p", "q", "r"), "after": "", "d_": "d" if told else "_"}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return predicates of both truths, and sparse words, so that a good part of the results is zero."""
    words = {name: integers.codes(rng, "b32", THREADS) for name in "abc"}
    for word in words.values():
        word[rng.integers(0, 2, THREADS) == 0] = 0
    return {**words, **{name: rng.integers(0, 2, THREADS, dtype=np.uint64) for name in "qr"}}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return p, and of lop3 its word d."""
    if params["op"] == "lop3":
        rows = zip(*(arrays[name].tolist() for name in "abc"), strict=True)
        word = np.array([integers.FUNCTIONS["lop3"](params, *row) for row in rows], dtype=np.uint64)
        return {"p": _COMBINED[params["bool"]](word != 0, arrays["q"] != 0).astype(np.uint64), "d": word}
    first = arrays["q"] != 0
    if params["op"] in _COMBINED:
        return {"p": _COMBINED[params["op"]](first, arrays["r"] != 0).astype(np.uint64)}
    return {"p": (~first if params["op"] == "not" else first).astype(np.uint64)}
