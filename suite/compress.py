"""Vectors of spcompress and spdecompress: sizes, legal combinations, inputs and oracles.

A row of `dense` is what is uncompressed, of `kept` what is left of it, of `index` where that stood.
Elements and indices are read from the lowest bits on; the manual shows that in figures alone. Sources: PTX ISA 9.4,
9.7.10.30 and 9.7.10.31.
"""

from __future__ import annotations

import numpy as np

from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params

REGISTERS = 253  # the most of all vectors together
REPEATS = tuple(1 << i for i in range(7))
FACTORS = ((1, 2), (1, 4), (1, 8), (1, 16), (2, 4), (2, 8), (2, 16), (4, 8), (4, 16))
LARGEST = 0  # the descriptor of spcompress that keeps the two greatest of four, of .u8 or .f16


def sizes(params: Params) -> dict[str, int]:
    """Return the registers of each vector. Source: PTX ISA 9.4, Tables 37 and 39."""
    few, many = params["few"], params["many"]
    bits = {
        "index": few * params["index"] * params["num"],
        "kept": few * params["element"] * params["num"],
        "dense": many * params["element"] * params["num"],
    }
    words = {name: -(-count // 32) for name, count in bits.items()}
    if params["op"] == "spcompress":  # whose repeat is a register of what is kept
        count = params["num"]
        words = {"index": -(-count * params["index"] // params["element"]), "kept": count, "dense": 2 * count}
    return words


def legal(params: Params) -> bool:
    """Tell whether the manual allows the combination."""
    words = sizes(params)
    dense = params["many"] * params["element"] * params["num"]
    return (
        sum(words.values()) <= REGISTERS
        and params["many"] <= 1 << params["index"]
        and params["few"] * params["element"] <= 32
        and (params["op"] == "spcompress" or 32 <= dense <= 4096)
    )


def vector(name: str, params: Params) -> str:
    """Return the PTX of a vector."""
    return "{" + ", ".join(f"%{name}_{i}" for i in range(sizes(params)[name])) + "}"


def operands(params: Params) -> tuple[Operand, ...]:
    """Return the vectors, and the descriptor of spcompress."""
    squeezed = params["op"] == "spcompress"
    roles = {"index": squeezed, "kept": squeezed, "dense": not squeezed}
    words = sizes(params)
    vectors = (Buffer(name, "out" if out else "in", "b32", (words[name],)) for name, out in roles.items())
    return (*vectors, Buffer("descriptor", "in", "b32", (1,))) if squeezed else tuple(vectors)


def _groups(params: Params) -> int:
    """Return the groups of the dense vector."""
    return max(1, sizes(params)["dense"] * 32 // int(params["many"] * params["element"]))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return elements that differ within their group, and places that rise, so that none is named twice."""
    groups = _groups(params)
    top = 1 << (params["element"] - 2)  # of 16 bits a finite f16, and no sign
    rows = [rng.choice(np.arange(1, top), params["many"], replace=False) for _ in range(groups)]
    few = [np.sort(rng.choice(params["many"], params["few"], replace=False)) for _ in rows]
    kept = [row[: params["few"]] for row in rows]
    return {
        "dense": _packed(rows, params["element"], sizes(params)["dense"]),
        "kept": _packed(kept, params["element"], sizes(params)["kept"]),
        "index": _packed(few, params["index"], sizes(params)["index"]),
        "descriptor": np.array([LARGEST], dtype=np.uint64),
    }


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the two greatest of four and their places; or the dense vector, 0 where nothing is put."""
    groups, many, few = _groups(params), params["many"], params["few"]
    if params["op"] == "spcompress":
        dense = _parts(arrays["dense"], params["element"], groups * many).reshape(-1, many)
        places = np.sort(np.argsort(dense, axis=1)[:, many - few :], axis=1)
        kept = np.take_along_axis(dense, places, axis=1)
        return {
            "kept": _packed(list(kept), params["element"], sizes(params)["kept"]),
            "index": _packed(list(places), params["index"], sizes(params)["index"]),
        }
    kept = _parts(arrays["kept"], params["element"], groups * few).reshape(-1, few)
    places = _parts(arrays["index"], params["index"], groups * few).reshape(-1, few)
    dense = np.zeros((len(kept), many), dtype=np.uint64)
    np.put_along_axis(dense, places.astype(np.intp), kept, axis=1)
    return {"dense": _packed(list(dense), params["element"], sizes(params)["dense"])}


def _packed(rows: list[np.ndarray], bits: int, words: int) -> np.ndarray:
    """Return the parts of the rows as words, from the lowest bits on."""
    parts = np.array(rows, dtype=np.uint64).reshape(-1, 1)
    flat = (parts >> np.arange(bits, dtype=np.uint64) & np.uint64(1)).astype(np.uint8).reshape(-1)
    full = np.zeros(32 * words, dtype=np.uint8)
    full[: flat.size] = flat
    return np.packbits(full, bitorder="little").view("<u4").astype(np.uint64)


def _parts(words: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Return the first `count` parts of the words."""
    flat = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: count * bits]
    weights = np.uint64(1) << np.arange(bits, dtype=np.uint64)
    return np.asarray(flat.reshape(count, bits).astype(np.uint64) @ weights)
