"""Oracle and inputs of mov: what is packed or unpacked is the same words. Source: PTX ISA 9.3, 9.7.9.3 and 9.7.9.4.

A case's parameters are `type`, `way` (copy, pack or unpack) and `count` of elements.
"""

from __future__ import annotations

import numpy as np

from suite import integers
from suite.elementwise import register
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params

THREADS = 256


def _width(params: Params) -> int:
    """Return the bits of an element."""
    return int(params["type"][1:]) // int(params["count"])


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d and a: of (threads, elements) where it is a whole, else an operand an element."""
    return (*_side(params, "d", "out", params["way"] == "pack"), *_side(params, "a", "in", params["way"] == "unpack"))


def _side(params: Params, name: str, role: str, whole: bool) -> tuple[Operand, ...]:
    kind, count = f"b{_width(params)}", params["count"]
    if whole:
        return (Buffer(name, role, kind, (THREADS, count)),)
    return tuple(register(f"{name}{i}", role, kind, THREADS) for i in range(count))


def fields(params: Params) -> Params:
    """Return the list of elements, which operand is the whole, and its bits."""
    parts, whole = {"pack": ("a", "d"), "unpack": ("d", "a"), "copy": ("", "")}[params["way"]]
    listed = ", ".join(f"{parts}{i}" for i in range(params["count"]))
    return {"listed": listed, "bits": int(params["type"][1:]), "whole": whole}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return words, other ones in every element."""
    words = [integers.codes(rng, f"b{_width(params)}", THREADS) for _ in range(params["count"])]
    if params["way"] == "unpack":
        return {"a": np.stack(words, axis=1)}
    return {f"a{i}": word for i, word in enumerate(words)}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the elements that went in, each in its place."""
    if params["way"] == "pack":
        return {"d": np.stack([arrays[f"a{i}"] for i in range(params["count"])], axis=1)}
    if params["way"] == "unpack":
        return {f"d{i}": arrays["a"][:, i] for i in range(params["count"])}
    return {"d0": arrays["a0"]}
