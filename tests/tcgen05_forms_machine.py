"""The tensor core of the forms of tcgen05.mma, for the machine of tests/tcgen05_machine.py.

It knows only what the kernel hands over: opcode, register values, and the bytes of shared and tensor memory. All
layouts are written anew, from the cell outwards: nothing of suite/tcgen05_forms.py is used. Source: PTX ISA 9.3,
9.7.17.4 and 9.7.17.10; for kind::ti16 PTX ISA 9.4, 9.7.18.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from suite.formats import FORMATS, decode
from tests.tcgen05_machine import CTA, Machine
from tests.tcgen05_unit import ABOVE, MachineError

Words = tuple[int, ...]
DENSE_K = {"f16": 16, "tf32": 8, "f8f6f4": 32, "i8": 32, "ti16": 16, "mxf8f6f4": 32, "mxf4": 64, "mxf4nvf4": 64}
NARROW = {0: "e4m3", 1: "e5m2", 3: "e2m3", 4: "e3m2", 5: "e2m1"}
CODES = {
    "f16": {0: "f16", 1: "bf16"}, "tf32": {2: "tf32"}, "f8f6f4": NARROW, "i8": {0: "u8", 1: "s8"}, "ti16": {3: "ti16"},
    "mxf8f6f4": NARROW, "mxf4": {1: "e2m1"}, "mxf4nvf4": {1: "e2m1"},
}  # fmt: skip
BLOCK = {"block16": 16, "block32": 32}
LEGAL = {0b0100, 0b1000, 0b1100, 0b1001, 0b1101, 0b0110, 0b1110}
# Bits of the instruction descriptor that must be 0: Tables 45 to 47, and no kernel here transposes (bits 15 and 16).
# Bit 24 is of mxf4nvf4's scale type from PTX ISA 9.4, Table 53, on.
RESERVED = {"mxf8f6f4": 0x8700_804B | 1 << 16, "mxf4": 0x8701_904B, "mxf4nvf4": 0x8601_904B}
PLAIN_RESERVED = 1 << 6 | 1 << 15 | 1 << 16 | 1 << 23 | 1 << 29


@dataclass
class Decoded:
    """An instruction with its descriptor read."""

    opcode: str
    kind: str
    group: int
    ws: bool
    sparse: bool
    bits: int

    @property
    def scaled(self) -> bool:
        return "block_scale" in self.opcode

    @property
    def m(self) -> int:
        return (self.bits >> 27 & 3) * 128 if self.scaled else (self.bits >> 24 & 31) * 16

    @property
    def n(self) -> int:
        return (self.bits >> 17 & 63) * 8

    @property
    def k(self) -> int:
        return DENSE_K[self.kind] * (1 + self.sparse)

    @property
    def d(self) -> str:
        return "f32" if self.scaled else {0: "f16", 1: "f32", 2: "s32"}[self.bits >> 4 & 3]

    def fmt(self, which: str) -> str:
        return CODES[self.kind][self.bits >> (7 if which == "a" else 10) & (3 if which == "b" and self.packed else 7)]

    @property
    def packed(self) -> bool:
        return self.kind in ("mxf4", "mxf4nvf4")

    def check(self) -> None:
        """Hold the descriptor against the tables of legal shapes and reserved bits."""
        if self.bits & RESERVED.get(self.kind, PLAIN_RESERVED):
            raise MachineError(f"reserved bits in 0x{self.bits:08x}")
        if (self.bits >> 2 & 1) != self.sparse:
            raise MachineError("sparsity in opcode and descriptor differ")
        rows = {(1, True): (32, 64, 128), (1, False): (64, 128), (2, False): (128, 256)}[self.group, self.ws]
        step = 8 * self.group
        widths = (64, 128, 256)[: 3 - self.sparse] if self.ws else range(step, 257, step)
        if self.m not in rows or self.n not in widths or (self.scaled and self.m == 64):
            raise MachineError(f"m {self.m}, n {self.n}")
        if self.scaled and self.sparse and self.group == 2 and self.m != 256:
            raise MachineError("sparse block-scaled pairs have M = 256")
        if self.bits >> 30 and not self.ws and not self.scaled:
            raise MachineError("a shift without .ws")

    def lane_rows(self, lane: int) -> tuple[int, int] | None:
        """Return (row of the CTA's part, bank of columns) of a lane, None where D does not reach."""
        rows = self.m // self.group
        if rows == 64 and not self.ws and (self.group == 1 or self.sparse):
            return (lane // 32 * 16 + lane % 32, 0) if lane % 32 < 16 else None
        return lane % rows, lane // rows

    @property
    def banks(self) -> int:
        return max(found[1] for lane in range(CTA) if (found := self.lane_rows(lane))) + 1


@dataclass
class FormMachine(Machine):
    """The machine with the forms of tcgen05.mma; it remembers what fills the collector buffers."""

    collected: dict[str, Words] = field(default_factory=dict)

    def _op_tcgen05_mma(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        word = {arg: self._words(arg, thread) for arg in args}
        kind = next(part for part in parts if part.startswith("kind::"))[6:]
        sparse = "sp" in parts
        rest = args[4 if sparse else 3 :]
        unit = Decoded(".".join(parts), kind, self.group, "ws" in parts, sparse, word[rest[0]][0])
        unit.check()
        rest = rest[1:]
        a, b = args[1], args[2]
        self._collect(parts, {"a": word[a]}, word[b])
        scales = [word[arg][0] for arg in rest[:2]] if unit.scaled else []
        lanes = word[rest[0]] if rest[0].startswith("{") else ()
        rest = rest[len(scales) + bool(lanes) :]
        take, last = bool(word[rest[0]][0]), int(word[rest[1]][0]) if len(rest) > 1 else 0
        mask = last if unit.ws else 0
        meta = word[args[3]][0] if sparse else None
        shift = mask >> 56 & 63
        columns = np.concatenate([self._b(unit, c, word[b][0], shift) for c in range(self.group)])
        zeroed = zero_columns(unit, mask)
        columns = np.where(zeroed[:, None], 0, columns)
        for cta in range(self.group):
            rows = self._a(unit, cta, a, word[a][0], meta)
            if scales:
                rows = rows * self._scales(unit, cta, scales[0], "a")
            scaled = columns * self._scales(unit, cta, scales[1], "b") if scales else columns
            factor = (0.0 if not take else 1.0) if unit.ws else (2.0**-last if take else 0.0)
            place = (cta, word[args[0]][0])
            self._write(unit, place, (rows, scaled, factor), lanes[4 * cta : 4 * cta + 4])
        self.issued += 1

    def _words(self, arg: str, thread: int) -> Words:
        names = arg.strip("{}").split(", ") if arg.startswith("{") else [arg.strip("[]")]
        return tuple(int(self.get(name)[thread]) for name in names)

    def _collect(self, parts: list[str], rows: dict[str, Words], columns: Words) -> None:
        for part in (part for part in parts if part.startswith("collector::")):
            _, buffer, use = part.split("::")
            source = rows.get(buffer, columns)
            if use in ("use", "lastuse") and self.collected.get(buffer) != source:
                raise MachineError(f"collector buffer {buffer} does not hold that matrix")
            if use == "fill":
                self.collected[buffer] = source
            elif use != "use":
                self.collected.pop(buffer, None)

    def _b(self, unit: Decoded, cta: int, descriptor: int, shift: int) -> np.ndarray:
        """Return a CTA's columns of B, as (n, k) values."""
        raw = read_tile(self.shared[cta], descriptor, unit.n // self.group + shift, 32 * (1 + unit.sparse))
        return values(unit, unit.fmt("b"), raw)[shift:]

    def _a(self, unit: Decoded, cta: int, text: str, value: int, meta: int | None) -> np.ndarray:
        """Return what each lane multiplies, as (128, k); lanes without a row are 0."""
        rows = unit.m // self.group
        if text.startswith("["):
            raw = np.ascontiguousarray(self.tensor[cta][:, value : value + 8].astype("<u4")).view(np.uint8)
            stored = values(unit, unit.fmt("a"), raw, boxed=True)
        else:
            tile = values(unit, unit.fmt("a"), read_tile(self.shared[cta], value, rows, 32))
            found = [unit.lane_rows(lane) for lane in range(CTA)]
            stored = np.stack([tile[place[0]] if place else 0 * tile[0] for place in found])
        if "ashift" in unit.opcode:
            stored[:-1] = stored[1:].copy()
        if meta is None:
            return stored
        return np.stack([self._expanded(unit, cta, lane, stored[lane], meta) for lane in range(CTA)])

    def _expanded(self, unit: Decoded, cta: int, lane: int, row: np.ndarray, meta: int) -> np.ndarray:
        """Return a row of A with its zeros, by the metadata that this lane's row finds. Figures 262 to 267."""
        full = np.zeros(unit.k)
        if unit.lane_rows(lane) is None:
            return full
        words = self.tensor[cta][:, meta : meta + 4]
        if unit.kind in ("f16", "tf32", "ti16"):
            selected, sixteen, within = unit.bits & 3, lane // 16 * 16, lane % 16
            halves = [int(words[sixteen + within % 8 + 8 * half, selected]) >> 16 * (within // 8) for half in (0, 1)]
            codes = [half >> 4 * i & 15 for half in halves for i in range(4)]
        else:
            if not unit.scaled and unit.bits & 3:
                raise MachineError("a selector that must be 0")
            codes = [int(words[lane, i // 8]) >> 4 * (i % 8) & 15 for i in range(16)]
        for chunk, code in enumerate(codes):
            expand(unit, full, row, chunk, code)
        return full

    def _scales(self, unit: Decoded, cta: int, address: int, which: str) -> np.ndarray:
        """Return the factor of each element: (128, k) for A by lane, (n, k) for B. Figures 231 to 242."""
        first, blocks = unit.bits >> (29 if which == "a" else 4) & 3, scale_blocks(unit)
        if first % blocks and blocks > 1:
            raise MachineError("a scale id that the vector size does not have")
        fmt = FORMATS[("ue4m3", "ue8m0", "ue5m3")[unit.bits >> 23 & 3]]
        words = self.tensor[cta][:, address : address + 8].astype("<u4")
        raw = np.ascontiguousarray(words).view(np.uint8).reshape(4, 32, 8, 4)[..., first : first + blocks]
        split = which == "b" and unit.m // self.group == 64
        groups = (raw[:2], raw[2:]) if split else (raw,)
        for copies in groups:
            used = -(-(unit.n // len(groups) if which == "b" else unit.m // self.group) // 32)
            if (copies[:, :, :used] != copies[:1, :, :used]).any():
                raise MachineError("copies of scales that differ")
        each = np.concatenate([g[0].transpose(1, 0, 2).reshape(256, blocks)[: unit.n // len(groups)] for g in groups])
        if which == "a":
            each = raw[0].transpose(1, 0, 2).reshape(256, blocks)[np.arange(CTA) % (unit.m // self.group)]
        return np.repeat(decode(fmt, each.astype(np.uint64)), unit.k // blocks, axis=1)

    def _write(
        self, unit: Decoded, place: tuple[int, int], factors: tuple[np.ndarray, np.ndarray, float], lanes: Words
    ) -> None:
        """Accumulate into the lanes that D reaches and no bit disables; `factors` are A, B and what D is taken by."""
        (cta, at), (a, b, factor) = place, factors
        fmt, width = FORMATS[unit.d], unit.n // unit.banks
        sign = -1 if (unit.bits >> 13 & 1) != (unit.bits >> 14 & 1) else 1
        for lane in range(CTA):
            found = unit.lane_rows(lane)
            if found is None or (lanes and lanes[lane // 32] >> lane % 32 & 1):
                continue
            cells = self.tensor[cta][lane, at : at + width]
            old = decode(fmt, cells & np.uint64((1 << fmt.bits) - 1)) * factor
            total = sign * (b[found[1] * width : (found[1] + 1) * width] @ a[lane]) + old + 0.0
            if unit.d == "s32":
                total = total.clip(-(2**31), 2**31 - 1) if unit.bits >> 3 & 1 else total
                total = (total.astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
            codes = total.astype({"f32": np.float32, "f16": np.float16, "s32": np.uint32}[unit.d])
            self.tensor[cta][lane, at : at + width] = codes.view(f"<u{fmt.bits // 8}") | ABOVE[fmt.bits]


def scale_blocks(unit: Decoded) -> int:
    """Return the scales of a row. Source: 9.7.17.10.7.1, Table 59, and the aliases below it."""
    parts = unit.opcode.split(".")
    vector = next((part for part in parts if part.startswith(("scale_vec", "block1", "block3"))), "block32")
    blocks = int(vector[-2]) if vector.startswith("scale_vec") else DENSE_K[unit.kind] // BLOCK[vector]
    if blocks not in {"mxf8f6f4": (1,), "mxf4": (2,), "mxf4nvf4": (2, 4)}[unit.kind]:
        raise MachineError(f"{vector} with {unit.kind}")
    return blocks


def expand(unit: Decoded, full: np.ndarray, row: np.ndarray, chunk: int, code: int) -> None:
    """Put the elements of one chunk where its code says. Source: 9.7.17.10.8.1 to .3."""
    if unit.kind == "tf32":
        full[2 * chunk + {0b1110: 1, 0b0100: 0}[code]] = row[chunk]
        return
    if code not in LEGAL:
        raise MachineError(f"metadata {code:04b}")
    unit_width = 2 if unit.packed else 1
    for i, place in enumerate((code & 3, code >> 2)):
        at, of = (4 * chunk + place) * unit_width, (2 * chunk + i) * unit_width
        full[at : at + unit_width] = row[of : of + unit_width]


def zero_columns(unit: Decoded, mask: int) -> np.ndarray:
    """Return which columns a zero-column mask descriptor zeroes, run after run. Source: 9.7.17.4.3 and its examples."""
    zeroed: list[int] = []
    per = unit.n // unit.banks
    for bank in range(unit.banks):
        bits: list[int] = []
        value = mask >> 32 + bank & 1
        while len(bits) < per + 256:
            run = (mask >> 40 & 255 if value else mask >> 48 & 255) + 1
            bits += [value] * run
            value ^= 1
        start = mask >> 8 * bank & 255
        zeroed += bits[start : start + per]
    return np.array(zeroed, dtype=bool) & bool(mask >> 39 & 1)


def read_tile(shared: np.ndarray, descriptor: int, rows: int, wide: int) -> np.ndarray:
    """Return (rows, wide) bytes of a K-major matrix. Source: 9.7.17.3.3 and 9.7.17.4.1, Table 43."""
    if descriptor >> 46 & 7 != 1 or descriptor >> 49 & 0xFFF or descriptor >> 14 & 3 or descriptor >> 30 & 3:
        raise MachineError(f"fixed or unused bits of the matrix descriptor 0x{descriptor:016x}")
    start, leading, stride = ((descriptor >> low & 0x3FFF) << 4 for low in (0, 16, 32))
    bits = {0: 0, 6: 1, 4: 2, 2: 3}[descriptor >> 61]
    row, byte = np.indices((rows, wide))
    chunk = byte // 16 * (16 if bits else leading) + byte % 16
    address = start + row % 8 * (16 << bits) + row // 8 * stride + chunk
    taken: np.ndarray = shared[address ^ (address >> 7 & (1 << bits) - 1) << 4]
    return taken


def values(unit: Decoded, fmt: str, raw: np.ndarray, *, boxed: bool = False) -> np.ndarray:
    """Return the elements that rows of bytes hold. Source: 9.7.17.10.4."""
    if unit.packed:
        return decode(FORMATS[fmt], np.stack([raw & 15, raw >> 4], axis=-1).reshape(len(raw), -1).astype(np.uint64))
    if fmt == "ti16":
        words = raw.view("<u2").astype(np.int64)
        return np.where(words >> 15, -1, 1) * (words & 0x7FF).astype(np.float64)
    bits = FORMATS[fmt].bits
    if bits >= 8:
        return decode(FORMATS[fmt], raw.view(f"<u{bits // 8}").astype(np.uint64))
    if boxed:
        return decode(FORMATS[fmt], raw.astype(np.uint64) >> np.uint64(2 * (bits == 4)))
    groups = raw.reshape(len(raw), -1, 16)
    numbers = [[int.from_bytes(group.tobytes(), "little") for group in line] for line in groups]
    codes = [[number >> bits * i & (1 << bits) - 1 for number in line for i in range(16)] for line in numbers]
    return decode(FORMATS[fmt], np.array(codes, dtype=np.uint64))
