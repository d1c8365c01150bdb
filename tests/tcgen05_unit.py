"""What the tensor core of tests/tcgen05_machine.py does: cells of ld and st, descriptors, tiles and products.

Written from the manual's formulas anew, so that suite/tcgen05.py is held against something independent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from suite.formats import FORMATS, decode


class MachineError(AssertionError):
    """The kernel did what the manual forbids, or what this machine does not know."""


# What stands above an element in its cell: the manual does not say, so no kernel may depend on it.
ABOVE = {32: np.uint64(0), 16: np.uint64(0x5A5A0000)}


@cache
def cells(shape: str, num: int, split: int, slots: int) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Return (register, thread, half) -> (lane, column), found from the cell outwards: who holds it."""
    lanes, width = (32, 1) if shape == "32x32b" else (16, int(re.findall(r"x(\d+)", shape)[0]) // 32)
    held = {}
    for lane in range(lanes):
        for column in range(num * width * (2 if shape == "16x32bx2" else 1)):
            repeat, inner = divmod(column, width)
            if shape == "32x32b":
                register, thread = column, lane
            elif shape == "16x32bx2":
                register, thread = column % num, lane + 16 * (column // num)
            elif shape == "16x64b":
                register, thread = repeat, lane % 8 * 4 + lane // 8 + inner * 2
            elif shape == "16x128b":
                register, thread = repeat * 2 + lane // 8, lane % 8 * 4 + inner
            else:
                register, thread = repeat * 4 + lane // 8 * 2 + inner % 2, lane % 8 * 4 + inner // 2
            place = register + split * (column // num) // slots if shape == "16x32bx2" else column
            for half in range(slots):
                held[register, thread, half] = (lane, place * slots + half)
    return held


CODES = {
    "f16": {0: "f16", 1: "bf16"},
    "tf32": {2: "tf32"},
    "f8f6f4": {0: "e4m3", 1: "e5m2", 3: "e2m3", 4: "e3m2", 5: "e2m1"},
    "i8": {0: "u8", 1: "s8"},
}


@dataclass
class Multiply:
    """What an instruction descriptor says. Source: PTX ISA 9.3, 9.7.17.4.2, Table 45."""

    m: int
    n: int
    a: str
    b: str
    d: str
    group: int

    @classmethod
    def decode(cls, kind: str, bits: int, group: int) -> Multiply:
        """Read the fields; every one that these kernels do not use must be 0."""
        if bits & 0b1110_0000_1000_0001_1110_0000_0100_1111:
            raise MachineError(f"reserved or unused bits in the instruction descriptor 0x{bits:08x}")
        codes = CODES[kind]
        d = {0: "f16", 1: "f32", 2: "s32"}[bits >> 4 & 3]
        m, n = (bits >> 24 & 31) * 16, (bits >> 17 & 63) * 8
        step = (8 if m // group == 64 else 16) * group
        if m // group not in (64, 128) or n % step or not 0 < n <= 256:
            raise MachineError(f"m {m}, n {n}")
        return cls(m, n, codes[bits >> 7 & 7], codes[bits >> 10 & 7], d, group)

    def lanes(self) -> np.ndarray:
        """Return the lane of each row of a CTA's part of D."""
        rows = np.arange(self.m // self.group)
        return rows if len(rows) == 128 else np.concatenate([np.arange(16) + 32 * w for w in range(4)])

    def multiplicand(self, tensor: np.ndarray, shared: np.ndarray, text: str, value: int, which: str) -> np.ndarray:
        """Return a CTA's part of A or B as values (rows, k)."""
        fmt = self.a if which == "a" else self.b
        if text.startswith("["):
            words = tensor[self.lanes(), value : value + 8]
            raw = np.ascontiguousarray(words.astype("<u4")).view(np.uint8)
            shift = np.uint64(2 if fmt == "e2m1" else 0)
            size = max(8, FORMATS[fmt].bits) // 8
            return decode(FORMATS[fmt], raw.view(f"<u{size}").astype(np.uint64) >> shift)
        rows = (self.m if which == "a" else self.n) // self.group
        return elements(fmt, tile(shared, value, rows))

    def accumulate(self, tensor: np.ndarray, address: int, product: np.ndarray, *, take: bool) -> None:
        """Add into D, or overwrite it."""
        per = self.m // self.group
        fmt = FORMATS[self.d]
        for cta in range(self.group):
            place = np.ix_(self.lanes(), np.arange(self.n) + address)
            mask = np.uint64((1 << fmt.bits) - 1)
            old = decode(fmt, tensor[cta][place] & mask) if take else 0
            total = product[cta * per : cta * per + per] + old
            codes = {"f32": np.float32, "f16": np.float16, "s32": np.int32}[self.d]
            tensor[cta][place] = total.astype(codes).view(f"<u{fmt.bits // 8}") | ABOVE[fmt.bits]


def tile(shared: np.ndarray, descriptor: int, rows: int) -> np.ndarray:
    """Return (rows, 32) bytes by the canonical K-major layouts ((8,m),(T,2)). Source: 9.7.17.3.3 and 9.7.17.4.1."""
    if descriptor >> 46 & 7 != 1 or descriptor >> 49 & 0xFFF or descriptor >> 14 & 3 or descriptor >> 30 & 3:
        raise MachineError(f"fixed or unused bits of the matrix descriptor 0x{descriptor:016x}")
    start, leading, stride = ((descriptor >> low & 0x3FFF) << 4 for low in (0, 16, 32))
    bits = {0: 0, 6: 1, 4: 2, 2: 3}[descriptor >> 61]
    pitch = 16 << bits
    row, byte = np.indices((rows, 32))
    chunk = byte // 16 * (16 if bits else leading)
    address = start + row % 8 * pitch + row // 8 * stride + chunk + byte % 16
    taken: np.ndarray = shared[address ^ (address >> 7 & (1 << bits) - 1) << 4]
    return taken


def elements(fmt: str, tile: np.ndarray) -> np.ndarray:
    bits = FORMATS[fmt].bits
    if bits >= 8:
        return decode(FORMATS[fmt], tile.view(f"<u{bits // 8}").astype(np.uint64))
    rows = []
    for line in tile:
        numbers = [int.from_bytes(line[at : at + 16].tobytes(), "little") for at in (0, 16)]
        rows.append([number >> bits * i & (1 << bits) - 1 for number in numbers for i in range(16)])
    return decode(FORMATS[fmt], np.array(rows, dtype=np.uint64))
