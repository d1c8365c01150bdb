"""Kernels of one instruction on registers: each thread applies it to an element of every operand.

A PTX type such as `e4m3x2` is a register of slots; `split` and `join` go between words and the codes in their slots,
slot 0 in the lowest bits. Source of the table: PTX ISA 9.3, 5.2.3 to 5.2.5, and 9.7.9.22 for the order of packing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS
from suite.operands import Buffer
from suite.probe import Launch

Codes = NDArray[np.uint64]
BLOCK = 256


@dataclass(frozen=True)
class Packed:
    """A register type: `count` elements of format `fmt`, each in a slot of `width` bits."""

    fmt: str
    count: int
    width: int

    @property
    def bits(self) -> int:
        """Return the register's width in bits."""
        return self.count * self.width


TYPES: dict[str, Packed] = {
    # type          element  count width
    "b8": Packed("b8", 1, 8),
    "b16": Packed("b16", 1, 16),
    "b32": Packed("b32", 1, 32),
    "b64": Packed("b64", 1, 64),
    "u16": Packed("b16", 1, 16),
    "s16": Packed("b16", 1, 16),
    "u32": Packed("u32", 1, 32),
    "s32": Packed("s32", 1, 32),
    "u64": Packed("b64", 1, 64),
    "s64": Packed("s64", 1, 64),
    "f16": Packed("f16", 1, 16),
    "bf16": Packed("bf16", 1, 16),
    "f32": Packed("f32", 1, 32),
    "tf32": Packed("tf32", 1, 32),
    "f64": Packed("f64", 1, 64),
    "f16x2": Packed("f16", 2, 16),
    "bf16x2": Packed("bf16", 2, 16),
    "f32x2": Packed("f32", 2, 32),
    "e4m3x2": Packed("e4m3", 2, 8),
    "e5m2x2": Packed("e5m2", 2, 8),
    "e4m3x4": Packed("e4m3", 4, 8),
    "e5m2x4": Packed("e5m2", 4, 8),
    "e3m2x2": Packed("e3m2", 2, 8),
    "e2m3x2": Packed("e2m3", 2, 8),
    "e3m2x4": Packed("e3m2", 4, 8),
    "e2m3x4": Packed("e2m3", 4, 8),
    "e2m1x2": Packed("e2m1", 2, 4),
    "e2m1x4": Packed("e2m1", 4, 4),
    "e2m1p4x4": Packed("e2m1", 4, 8),
    "ue8m0x2": Packed("ue8m0", 2, 8),
    "ue5m3x2": Packed("ue5m3", 2, 8),
    "ue8m0x4": Packed("ue8m0", 4, 8),
    "s2f6x2": Packed("s8", 2, 8),
    "u8x4": Packed("u8", 4, 8),
    "s8x4": Packed("s8", 4, 8),
    "u16x2": Packed("b16", 2, 16),
    "s16x2": Packed("b16", 2, 16),
}


def split(kind: str, words: Codes) -> Codes:
    """Return the codes in the slots of words, as (words, slots)."""
    facts = TYPES[kind]
    shifts = np.arange(facts.count, dtype=np.uint64) * np.uint64(facts.width)
    mask = np.uint64((1 << FORMATS[facts.fmt].bits) - 1)
    return (np.asarray(words, dtype=np.uint64)[:, None] >> shifts) & mask


def join(kind: str, codes: Codes) -> Codes:
    """Return words from (words, slots) codes; unused bits of a slot are zero."""
    facts = TYPES[kind]
    shifts = np.arange(facts.count, dtype=np.uint64) * np.uint64(facts.width)
    return np.asarray(np.bitwise_or.reduce(np.asarray(codes, dtype=np.uint64) << shifts, axis=-1))


def register(name: str, role: str, kind: str, threads: int) -> Buffer:
    """Return the operand that gives each thread one register of a type."""
    facts = TYPES[kind]
    return Buffer(name, role, facts.fmt if facts.count == 1 else f"b{facts.bits}", (threads,))


def launch(threads: int) -> Launch:
    """Return whole blocks of threads. Raises `ValueError` for a number that does not fill them."""
    if threads % BLOCK:
        raise ValueError(f"{threads} threads do not fill blocks of {BLOCK}")
    return Launch(grid=(threads // BLOCK, 1, 1), block=(BLOCK, 1, 1))


def filled(rows: Codes, threads: int) -> Codes:
    """Return as many rows as there are threads: those given, again from the first."""
    return np.asarray(np.resize(rows, (threads, *rows.shape[1:])))
