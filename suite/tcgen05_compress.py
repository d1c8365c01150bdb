"""Operands, inputs and the oracle of tcgen05.ld with `.spcompress`: of four columns of a lane two, and which two.

A row of `out` is what a thread gets: the words of indices, then the elements kept. Read here from the lowest bits on,
both in the order of the columns, which the manual shows in a figure of spcompress alone. Sources: PTX ISA 9.4,
9.7.18.8.3, Table 60; 9.7.10.30, notes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS, decode, encode
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.tcgen05 import LANES
from suite.tcgen05_reduction import DECOYS, NAN, Words, reduced
from suite.tcgen05_transfer import Transfer, repeat

GROUP, KEPT, INDEX_BITS = 4, 2, 2  # .sp::2:4 and .b2
THREADS = 2 * LANES


def index_words(params: Params) -> int:
    """Return the registers of `mdata`. Source: Table 60."""
    return -(-repeat(params) // 32)


def kept_words(params: Params) -> int:
    """Return the registers of `cdata`. Source: Table 60."""
    return repeat(params) // 2


def places(params: Params, values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which two of each four on the last axis are kept, in rising order: a NaN always, then the extremes."""
    keys = np.abs(values) if params["abs"] == "yes" else values
    keys = np.where(np.isnan(keys), np.inf, keys if params["op"] == "max" else -keys)
    return np.sort(np.argsort(-keys, axis=-1)[..., :KEPT], axis=-1)


def _indices(chosen: NDArray[np.intp], words: int) -> Words:
    """Return the places of (..., groups, 2) as words, two bits each, from the lowest on."""
    flat = chosen.reshape(*chosen.shape[:-2], -1).astype(np.uint64)
    full = np.zeros((*flat.shape[:-1], words * 32 // INDEX_BITS), dtype=np.uint64)
    full[..., : flat.shape[-1]] = flat
    shifts = np.arange(0, 32, INDEX_BITS, dtype=np.uint64)
    return np.asarray(np.bitwise_or.reduce(full.reshape(*flat.shape[:-1], words, -1) << shifts, axis=-1))


@dataclass(frozen=True)
class Compression(Transfer):
    """The kernel of ld.spcompress and, with `red`, of ld.red.spcompress."""

    asked: str = "ld"
    red: bool = False

    def registers(self, params: Params) -> int:
        """Return the registers of both vectors."""
        return index_words(params) + kept_words(params)

    def fields(self, params: Params) -> Params:
        """Return the template's values and the parts of the instruction's text."""
        names = [f"r{i}" for i in range(self.registers(params))]
        first = index_words(params)
        return {
            **super().fields(params),
            "mdata": "{" + ", ".join(names[:first]) + "}",
            "cdata": "{" + ", ".join(names[first:]) + "}",
            "abs_part": ".abs" * (params["abs"] == "yes"),
            "nan_part": ".NaN" * (params.get("nan") == "yes"),
            **({"reduced": True} if self.red else {}),
        }

    def operands(self, params: Params) -> tuple[Operand, ...]:
        """Return the cells filled beforehand, the registers and, of ld.red, each thread's reduction."""
        more = (Buffer("red", "out", "f32", (2, LANES)),) if self.red else ()
        return *super().operands(params), *more

    def inputs(self, params: Params, rng: np.random.Generator) -> Arrays:
        """Return cells of which no two have one magnitude; every fourth lane holds a NaN where that is defined.

        The columns that are filled but not loaded hold decoys that would be kept.
        """
        count, thread = repeat(params), np.arange(THREADS).reshape(2, LANES, 1)
        sizes = rng.permuted(np.broadcast_to(1.0 + np.arange(count), (2, LANES, count)), axis=-1) + thread / THREADS
        codes = encode(FORMATS["f32"], sizes * rng.choice((-1.0, 1.0), sizes.shape))
        if params.get("nan", "yes") == "yes":
            holders = thread[..., 0] % 4 == 1
            codes[holders, (thread[..., 0] // 4 * 5 % count)[holders]] = NAN
        rows = rng.choice(np.array(DECOYS["f32"][:3], dtype=np.uint64), (2, LANES, self.width(params)))
        rows[..., :count] = codes
        return {"rows": rows}

    def oracle(self, params: Params, arrays: Arrays) -> Arrays:
        """Return the indices and the elements kept and, of ld.red, the least or greatest of all that was loaded."""
        loaded = arrays["rows"][..., : repeat(params)]
        groups = loaded.reshape(2, LANES, -1, GROUP)
        chosen = places(params, decode(FORMATS["f32"], groups).astype(np.float64))
        kept = np.take_along_axis(groups, chosen, axis=-1).reshape(2, LANES, -1)
        out = np.concatenate([_indices(chosen, index_words(params)), kept], axis=-1)
        return {"out": out, **({"red": reduced({**params, "type": "f32"}, loaded)} if self.red else {})}
