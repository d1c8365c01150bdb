"""Oracle and inputs of mov: what is packed or unpacked is the same words. Source: PTX ISA 9.3, 9.7.9.3 and 9.7.9.4.

A case's parameters are `type`, `way` (copy, pack or unpack) and `count` of elements.
"""

from __future__ import annotations

import numpy as np

from suite import integers
from suite.elementwise import register
from suite.operands import Operand
from suite.probe import Arrays, Params

THREADS = 256


def _width(params: Params) -> int:
    """Return the bits of an element."""
    return int(params["type"][1:]) // int(params["count"])


def operands(params: Params) -> tuple[Operand, ...]:
    """Return the elements that come, and those that went in."""
    kind, count = f"b{_width(params)}", params["count"]
    outs = (register(f"d{i}", "out", kind, THREADS) for i in range(count))
    return (*outs, *(register(f"a{i}", "in", kind, THREADS) for i in range(count)))


def fields(params: Params) -> Params:
    """Return the elements, the way and the width of the whole."""
    side = "a" if params["way"] == "pack" else "d"
    listed = ", ".join(f"{side}{i}" for i in range(params["count"]))
    return {"listed": listed, "bits": int(params["type"][1:]), "way": params["way"], "count": params["count"]}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return words, other ones in every element."""
    return {f"a{i}": integers.codes(rng, f"b{_width(params)}", THREADS) for i in range(params["count"])}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the elements that went in, each in its place."""
    return {f"d{i}": arrays[f"a{i}"] for i in range(params["count"])}
