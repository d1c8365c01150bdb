"""The numeric models by name: each turns the codes of A, B and C into the codes of D.

A model knows the arithmetic and nothing of targets or opcodes; `suite.numerics.choice` says which one a machine has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from suite.formats import FORMATS, decode
from suite.numerics import chains, fdpa, scaled
from suite.numerics.decode import Parts, parts, values_of
from suite.numerics.fdpa import Step
from suite.numerics.operation import Arrays, Codes, Operation, Values, part
from suite.numerics.rounding import ROUND, codes_of, packed

CHUNK = 1 << 14  # dots that are worked on at once: their arrays stay in a core's cache
EXACT_C = 1 << 31  # bound of s32


class Model(Protocol):
    """What gives D: `name` says which arithmetic it is, and is what reports print."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D (trials, m, n)."""


def run(model: Model, op: Operation, arrays: Arrays) -> Codes:
    """Return the model's D, worked out in chunks of trials."""
    trials = arrays["c"].shape[0]
    size = max(1, CHUNK // op.dots)
    chunks = [model.run(op, part(arrays, slice(at, at + size))) for at in range(0, trials, size)]
    return np.concatenate(chunks) if chunks else arrays["c"].astype(np.uint64)


def operands(op: Operation, arrays: Arrays) -> tuple[Parts, Parts, Values]:
    """Return A, B (of sparse forms gathered for each row of A) and the values of C."""
    if op.scale:
        a, b = scaled.scaled_parts(op, arrays)
    else:
        a, b = parts(op.a, arrays["a"]), parts(op.b, arrays["b"])
    return a, gathered(op, b, arrays), values_of(op.c, arrays["c"])


def gathered(op: Operation, b: Parts, arrays: Arrays) -> Parts:
    """Return B as the kept elements of A meet it: (trials, k, m, n) of a sparse form, else as it is."""
    if not op.sparse:
        return b
    at = arrays["at"].swapaxes(1, 2)
    trial = np.arange(at.shape[0])[:, None, None]
    return b.each(lambda x: x[trial, at])


def some(a: Parts, b: Parts, chosen: np.ndarray) -> tuple[Parts, Parts]:
    """Return the columns of A and rows of B of those products."""
    return a.each(lambda x: x[:, :, chosen]), b.each(lambda x: x[:, chosen])


@dataclass(frozen=True)
class Fused:
    """T-FDPA and, with scales, ST-FDPA: steps of `length` products in ascending k, each rounded and fed to the next.

    A unit that only gives f32 has D rounded once more where that is f16. `kept` says that L counts kept products;
    `widened` that an f16 C was made f32 before, so that its subnormals are aligned as numbers of that format.
    """

    step: Step
    length: int
    kept: bool = False
    widened: bool = False

    @property
    def name(self) -> str:
        """Return for example `T-FDPA L=16 F=25 RZ-FP32`."""
        kind = "sparse T-FDPA" if self.kept else "T-FDPA"
        c = ", C made f32" if self.widened else ""
        return f"{kind} L={self.length} F={self.step.fraction} {self.step.rounding} e_zero={self.step.zero}{c}"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b, c = operands(op, arrays)
        step = replace(self.step, accumulator="f32" if self.widened else op.c)
        for chosen in self.steps(op):
            c = fdpa.fused(step, *some(a, b, chosen), c)
            step = replace(step, accumulator="f16" if "FP16" in step.rounding else "f32")
        return codes_of(op.d, packed(op.d, c))

    def steps(self, op: Operation) -> Iterator[np.ndarray]:
        """Yield the products of each step."""
        for first in range(0, op.k, self.length):
            yield np.arange(first, min(first + self.length, op.k))


@dataclass(frozen=True)
class Grouped:
    """GST-FDPA of the FP4 kinds."""

    step: Step

    @property
    def name(self) -> str:
        """Return for example `GST-FDPA G=16 F=35 RZ-FP32`."""
        return f"GST-FDPA G={scaled.GROUP} F={self.step.fraction} {self.step.rounding} e_zero={self.step.zero}"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        return codes_of(op.d, scaled.grouped(self.step, op, arrays, values_of(op.c, arrays["c"])))


@dataclass(frozen=True)
class Halves:
    """FP8 by two f16 products: of each four, k = 0 and 1, then k = 2 and 3; C comes last, by one IEEE addition.

    This is how ptxas spells mma.sync of FP8 for sm_90, 100, 103 and 110, read from its machine code: each register of
    four bytes is unpacked into two of f16.
    """

    step: Step

    @property
    def name(self) -> str:
        """Return for example `2 x (T-FDPA F=25 RZ-FP32) + C`."""
        return f"2 x (T-FDPA F={self.step.fraction} {self.step.rounding}) + C"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b, c = operands(op, arrays)
        total = np.zeros(arrays["c"].shape)
        step = replace(self.step, accumulator="f16" if "FP16" in self.step.rounding else "f32")
        for half in (0, 2):
            k = np.arange(op.k)
            total = fdpa.fused(step, *some(a, b, k[(k % 4 == half) | (k % 4 == half + 1)]), total)
        with np.errstate(invalid="ignore"):
            added = ROUND["RNE-FP16"](total + c) if op.d == "f16" else chains.nearest_f32(total, c)
        return codes_of(op.d, added)


@dataclass(frozen=True)
class Once:
    """All products and c added without loss and rounded once: what no unit here does, kept to recognise it."""

    rounding: str

    @property
    def name(self) -> str:
        """Return for example `exact sum, RNE-FP32`."""
        return f"exact sum, {self.rounding}"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D; sums that span more than float64 holds are rounded to odd on the way."""
        a, b, c = operands(op, arrays)
        with np.errstate(invalid="ignore", over="ignore"):
            total, error = c, np.zeros(c.shape)
            for k in range(op.k):
                total, lost = chains.two_sum(total, a.value[:, :, k, None] * fdpa.row_of(b.value, k))
                error = error + lost
            total, lost = chains.two_sum(total, error)
            total = np.where(np.isnan(lost), total, chains.odd(total, lost))
        special = fdpa.specials(a.value, b.value, c)
        return codes_of(op.d, ROUND[self.rounding](np.where(np.isfinite(special), total, special)))


@dataclass(frozen=True)
class Sequential:
    """One IEEE fused multiply-add in f32 a product, k ascending.

    `late` starts from 0 and adds c at the end. `pairs` adds up two products at a time, and then those sums.
    """

    late: bool = False
    pairs: bool = False

    @property
    def name(self) -> str:
        """Return for example `f32 FMA chain, c last`."""
        return f"f32 FMA {'pairs' if self.pairs else 'chain'}{', c last' if self.late else ''}"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b, c = operands(op, arrays)
        total = np.zeros(c.shape) if self.late else c
        for first in range(0, op.k, 2 if self.pairs else op.k):
            chosen = np.arange(first, min(first + 2, op.k) if self.pairs else op.k)
            begun = np.full(c.shape, -0.0) if self.pairs else total  # a pair begins with a product, whose sign stays
            summed = chains.f32_chain(*some(a, b, chosen), begun)
            total = chains.nearest_f32(total, summed) if self.pairs else summed
        total = chains.nearest_f32(total, c) if self.late else total
        return codes_of(op.d, packed(op.d, total))


@dataclass(frozen=True)
class WholeNan:
    """A model of tf32 in which a NaN is told by all 32 bits, those too that numbers ignore."""

    model: Model

    @property
    def name(self) -> str:
        """Return the model's name, and this."""
        return f"{self.model.name}, NaN by all 32 bits"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        taken = {name: arrays[name] for name in "ab"}
        whole = {name: (codes & np.uint64(0x7FFFFFFF)) > np.uint64(0x7F800000) for name, codes in taken.items()}
        quiet = {name: np.where(whole[name], np.uint64(0x7FC00000), codes) for name, codes in taken.items()}
        return self.model.run(op, {**arrays, **quiet})


@dataclass(frozen=True)
class Added:
    """C added at the end to products alone, with one IEEE rounding."""

    products: Fused

    @property
    def name(self) -> str:
        """Return the products' model, and that c comes last."""
        return f"({self.products.name}) + C"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        alone = self.products.run(op, {**arrays, "c": np.zeros_like(arrays["c"])})
        total, c = values_of(op.d, alone), values_of(op.c, arrays["c"])
        with np.errstate(invalid="ignore"):
            added = ROUND["RNE-FP16"](total + c) if op.d == "f16" else chains.nearest_f32(total, c)
        return codes_of(op.d, added)


@dataclass(frozen=True)
class Doubles:
    """A chain of IEEE f64 fused multiply-adds, k ascending, in the instruction's rounding mode."""

    name: str = "f64 FMA chain"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b, c = (values_of("f64", arrays[name]) for name in "abc")
        return codes_of("f64", chains.fma_chain(a, b, c, op.rounding))


@dataclass(frozen=True)
class Integers:
    """Exact sums in s32, wrapped, or clamped: once at the end, or with `length` after every so many products."""

    length: int = 0

    @property
    def name(self) -> str:
        """Return for example `integer, clamped once`."""
        return f"integer, steps of {self.length}" if self.length else "integer"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b, c = (decode(FORMATS[fmt], arrays[name]) for name, fmt in (("a", op.a), ("b", op.b), ("c", op.c)))
        if op.sparse:
            a = spread(op, a, arrays["at"])
        size = (self.length or op.columns) if op.satfinite else op.columns
        for first in range(0, op.columns, size):
            chosen = slice(first, first + size)
            c = c + (a[:, :, chosen].astype(np.float64) @ b[:, chosen].astype(np.float64)).astype(np.int64)
            if op.satfinite:
                c = np.clip(c, -EXACT_C, EXACT_C - 1)
        return np.asarray(c.astype(np.uint64) & np.uint64(0xFFFFFFFF))


def spread(op: Operation, a: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return sparse A as dense rows."""
    dense = np.zeros((*a.shape[:2], op.columns), dtype=a.dtype)
    np.put_along_axis(dense, at, a, axis=2)
    return dense


@dataclass(frozen=True)
class Bits:
    """Ones of `and` or `xor` over rows and columns, added to c in s32."""

    name: str = "ones counted"

    def run(self, op: Operation, arrays: Arrays) -> Codes:
        """Return D."""
        a, b = arrays["a"].astype(np.float64), arrays["b"].astype(np.float64)
        both = a @ b
        ones = both if op.bits == "and" else a.sum(2, keepdims=True) + b.sum(1, keepdims=True) - 2 * both
        total = ones.astype(np.int64) + decode(FORMATS[op.c], arrays["c"])
        return np.asarray(total.astype(np.uint64) & np.uint64(0xFFFFFFFF))
