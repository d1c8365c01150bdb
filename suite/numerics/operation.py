"""One matrix operation as a model sees it: formats and sizes of D = A * B + C, without lanes, registers or opcodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS

Codes = NDArray[np.uint64]
Values = NDArray[np.float64]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Operation:
    """Formats and sizes of one product.

    `k` counts the products of a dot: of sparse forms the kept ones, which stand in `width` columns of a dense row.
    `scale` is the format of the scales, of which each row of A and column of B has `blocks`. Integers may clamp
    (`satfinite`); `bits` is `and` or `xor` of single-bit forms; `rounding` is that of f64.

    Arrays are codes: `a` (trials, m, k), `b` (trials, width, n), `c` (trials, m, n); scales `sfa` (trials, m, blocks)
    and `sfb` (trials, n, blocks); of sparse forms the dense column of each element of A, `at` (trials, m, k).
    """

    a: str
    b: str
    c: str
    d: str
    m: int
    n: int
    k: int
    width: int = 0
    scale: str = ""
    blocks: int = 0
    satfinite: bool = False
    bits: str = ""
    rounding: str = "rn"

    @property
    def sparse(self) -> bool:
        """Tell whether A is held without its zeros."""
        return bool(self.width)

    @property
    def columns(self) -> int:
        """Return the columns of a dense row of A."""
        return self.width or self.k

    @property
    def kind(self) -> str:
        """Return `float`, `f64`, `integer` or `bits`."""
        if self.a == "f64":
            return "f64"
        return {"float": "float", "int": "integer", "bits": "bits"}[FORMATS[self.a].kind]

    @property
    def dots(self) -> int:
        """Return the dots of one trial."""
        return self.m * self.n


@dataclass(frozen=True)
class Numeric:
    """How a case's kernel is fed with any codes of its operation.

    `arrange` turns the operation's arrays into the kernel's inputs. `positions` makes, for so many trials, `at` of a
    sparse A and whatever else the kernel takes for it. `seen` turns the arrays into those that the product is of, where
    the instruction changes signs. `stack` products make one trial of the kernel.
    """

    operation: Operation
    arrange: Callable[[Arrays], Arrays] = lambda arrays: arrays
    positions: Callable[[np.random.Generator, int], Arrays] | None = None
    seen: Callable[[Arrays], Arrays] = lambda arrays: arrays
    stack: int = 1


def part(arrays: Arrays, trials: slice) -> dict[str, np.ndarray]:
    """Return some trials of all arrays."""
    return {name: array[trials] for name, array in arrays.items()}
