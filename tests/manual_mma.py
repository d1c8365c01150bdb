"""A warp-level `mma` on paper: fragments element by element as the manual writes them, and a machine that obeys them.

Nothing here uses the suite's layouts, formats or oracles. Source: PTX ISA 9.3, 9.7.15.3 and 9.7.15.5.1 to 9.7.15.5.14.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

Array = Any  # numpy arrays: float64 values, or uint64 codes and registers
Formula = Callable[[int, int, int], tuple[int, int]]  # (groupID, threadID_in_group, i) -> (row, column)

# (shape, bits an element takes in a register): (elements a lane holds, where element i lies)
A: dict[tuple[str, int], tuple[int, Formula]] = {
    ("m8n8k4", 64): (1, lambda g, t, i: (g, t)),
    ("m8n8k16", 8): (4, lambda g, t, i: (g, t * 4 + i)),
    ("m8n8k32", 4): (8, lambda g, t, i: (g, t * 8 + i)),
    ("m8n8k128", 1): (32, lambda g, t, i: (g, t * 32 + i)),
    ("m16n8k4", 32): (2, lambda g, t, i: (g if i == 0 else g + 8, t)),
    ("m16n8k4", 64): (2, lambda g, t, i: (g if i == 0 else g + 8, t)),
    ("m16n8k8", 16): (4, lambda g, t, i: (g if i in (0, 1) else g + 8, t * 2 + (i & 1))),
    ("m16n8k8", 32): (4, lambda g, t, i: (g if i in (0, 2) else g + 8, t if i in (0, 1) else t + 4)),
    ("m16n8k8", 64): (4, lambda g, t, i: (g if i in (0, 2) else g + 8, t if i in (0, 1) else t + 4)),
    ("m16n8k16", 16): (8, lambda g, t, i: (g if i < 2 or 4 <= i < 6 else g + 8, t * 2 + (i & 1) + (0 if i < 4 else 8))),
    ("m16n8k16", 64): (8, lambda g, t, i: (g, i * 2 + t) if i % 2 == 0 else (g + 8, i * 2 - 2 + t)),
    ("m16n8k16", 8): (8, lambda g, t, i: (g if i < 4 else g + 8, t * 4 + (i & 3))),
    ("m16n8k32", 4): (16, lambda g, t, i: (g if i < 8 else g + 8, t * 8 + (i & 7))),
    ("m16n8k32", 8): (16, lambda g, t, i: (g if i < 4 or 8 <= i < 12 else g + 8, t * 4 + (i & 3) + 16 * (i >= 8))),
    ("m16n8k64", 4): (32, lambda g, t, i: (g if i < 8 or 16 <= i < 24 else g + 8, t * 8 + (i & 7) + 32 * (i >= 16))),
    ("m16n8k128", 1): (64, lambda g, t, i: (g if i < 32 else g + 8, t * 32 + (i & 31))),
    # The manual prints `+ i` for i < 64, which leaves the matrix; its figure and `i & 0x1F` of the other half decide.
    ("m16n8k256", 1): (128, lambda g, t, i: (g if i < 32 or 64 <= i < 96 else g + 8, t * 32 + i % 32 + i // 64 * 128)),
}
B: dict[tuple[str, int], tuple[int, Formula]] = {
    ("m8n8k4", 64): (1, lambda g, t, i: (t, g)),
    ("m8n8k16", 8): (4, lambda g, t, i: (t * 4 + i, g)),
    ("m8n8k32", 4): (8, lambda g, t, i: (t * 8 + i, g)),
    ("m8n8k128", 1): (32, lambda g, t, i: (t * 32 + i, g)),
    ("m16n8k4", 32): (1, lambda g, t, i: (t, g)),
    ("m16n8k4", 64): (1, lambda g, t, i: (t, g)),
    ("m16n8k8", 16): (2, lambda g, t, i: (t * 2 + i, g)),
    ("m16n8k8", 32): (2, lambda g, t, i: (t if i == 0 else t + 4, g)),
    ("m16n8k8", 64): (2, lambda g, t, i: (t if i == 0 else t + 4, g)),
    ("m16n8k16", 16): (4, lambda g, t, i: (t * 2 + (i & 1) + (0 if i < 2 else 8), g)),
    ("m16n8k16", 64): (4, lambda g, t, i: (t + i * 4, g)),
    ("m16n8k16", 8): (4, lambda g, t, i: (t * 4 + i, g)),
    ("m16n8k32", 4): (8, lambda g, t, i: (t * 8 + (i & 7), g)),
    ("m16n8k32", 8): (8, lambda g, t, i: (t * 4 + (i & 3) + (0 if i < 4 else 16), g)),
    ("m16n8k64", 4): (16, lambda g, t, i: (t * 8 + (i & 7) + (0 if i < 8 else 32), g)),
    ("m16n8k128", 1): (32, lambda g, t, i: (t * 32 + i, g)),
    ("m16n8k256", 1): (64, lambda g, t, i: (t * 32 + (i & 31) + (0 if i < 32 else 128), g)),
}
C: dict[str, tuple[int, Formula]] = {
    "m8": (2, lambda g, t, i: (g, t * 2 + i)),
    "m16": (4, lambda g, t, i: (g if i < 2 else g + 8, t * 2 + (i & 1))),
}
# mma.m8n8k4 with .f16: (lane, i) -> (row, column) in the computation that the lane takes part in.
QUAD: dict[str, tuple[int, Callable[[int, int], tuple[int, int]]]] = {
    "a.row": (4, lambda lane, i: (lane % 4 if lane < 16 else lane % 4 + 4, i)),
    "a.col": (4, lambda lane, i: (i % 4 if lane < 16 else i % 4 + 4, lane % 4)),
    "b.row": (4, lambda lane, i: (lane % 4, i if lane < 16 else i + 4)),
    "b.col": (4, lambda lane, i: (i, lane % 4 if lane < 16 else lane % 4 + 4)),
    "c.f16": (8, lambda lane, i: (lane % 4 if lane < 16 else lane % 4 + 4, i)),
    "c.f32": (8, lambda lane, i: ((lane & 1) + (i & 2) + (0 if lane < 16 else 4), (i & 4) + (lane & 2) + (i & 1))),
}
QUAD_ROWS = {"a": 8, "b": 4, "c": 8}  # of one computation's matrix: the four are stacked
BITS = {"e2m1": 4, "s4": 4, "u4": 4, "b1": 1, "e3m2": 6, "e2m3": 6, "f16": 16, "bf16": 16, "f64": 64}
BITS |= dict.fromkeys(("e4m3", "e5m2", "s8", "u8"), 8) | dict.fromkeys(("tf32", "f32", "s32"), 32)
FLOATS: dict[str, Any] = {
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "ue8m0": ml_dtypes.float8_e8m0fnu,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "tf32": np.float32,
    "f64": np.float64,
}


@dataclass(frozen=True)
class Form:
    """What an opcode says: shape, formats of D, A, B and C, and how wide an element of A and B lies in a register."""

    shape: str
    d: str
    a: str
    b: str
    c: str
    layouts: tuple[str, str]
    boxed: bool
    quad: bool
    operation: str = ""
    satfinite: bool = False
    scale: str = ""
    blocks: int = 0
    selectors: tuple[int, int, int, int] = (0, 0, 0, 0)
    fp4_shift: int = 2

    @property
    def mnk(self) -> tuple[int, int, int]:
        m, n, k = (int(part) for part in re.findall(r"\d+", self.shape))
        return m, n, k

    def width(self, name: str) -> int:
        fmt = getattr(self, name)
        return 8 if self.boxed and name in "ab" else BITS[fmt]


def form(instruction: str) -> Form:
    """Return what the text of an instruction says."""
    words = instruction.split(maxsplit=1)[0].split(".")
    shape, layouts = words[3], (words[4], words[5])
    types = [word for word in words[6:] if word in BITS]
    kind = next((word.removeprefix("kind::") for word in words if word.startswith("kind::")), "")
    d, a, b, c = types[:4]
    read = Form(shape, d, a, b, c, layouts, "f8f6f4" in kind, shape == "m8n8k4" and a == "f16")
    read = replace(read, operation=next((w for w in words if w in ("and", "xor")), ""), satfinite="satfinite" in words)
    if "block_scale" not in words:
        return read
    spelled = next((w.removeprefix("scale_vec::") for w in words if w.startswith("scale_vec")), "")
    vec = spelled or {"mxf8f6f4": "1X", "mxf4": "2X"}[kind]
    (byte_a, thread_a), (byte_b, thread_b) = re.findall(r"\{(\d), (\d)\}", instruction)
    chosen = (int(byte_a), int(thread_a), int(byte_b), int(thread_b))
    return replace(read, scale=words[-1], blocks=int(vec[0]), selectors=chosen)


@cache
def indices(read: Form, name: str) -> tuple[Array, Array]:
    """Return row and column of the element in each (register, lane, slot) of operand `a`, `b`, `c` or `d`."""
    width = read.width(name)
    slots = 1 if width >= 32 else 32 // width
    if read.quad:
        tail = read.layouts["ab".index(name)] if name in "ab" else getattr(read, name)
        count, where = QUAD[f"{'c' if name == 'd' else name}.{tail}"]
        rows = QUAD_ROWS["c" if name == "d" else name]
        table = [[_stacked(where(lane, i), (lane % 16) // 4 * rows) for lane in range(32)] for i in range(count)]
    else:
        tables = {"a": A, "b": B}
        source = tables[name][read.shape, width] if name in tables else C[read.shape.split("n")[0]]
        count, formula = source
        table = [[formula(lane >> 2, lane % 4, i) for lane in range(32)] for i in range(count)]
    by_element = np.array(table).reshape(count // slots, slots, 32, 2).transpose(0, 2, 1, 3)
    return by_element[..., 0], by_element[..., 1]


def _stacked(place: tuple[int, int], above: int) -> tuple[int, int]:
    return place[0] + above, place[1]


def extent(read: Form, name: str) -> tuple[int, int]:
    """Return rows and columns of an operand's logical matrix."""
    m, n, k = read.mnk
    if read.quad:
        return {"a": (32, 4), "b": (16, 8)}.get(name, (32, 8))
    return {"a": (m, k), "b": (k, n)}.get(name, (m, n))


def values(fmt: str, codes: Array) -> Array:
    """Return the numbers that codes stand for, as float64."""
    bits = BITS.get(fmt, 8)
    if fmt == "ue4m3":
        return (codes & 0x7F).astype(np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    if fmt in ("tf32", "f32"):
        kept = codes & np.uint64(0xFFFFE000 if fmt == "tf32" else 0xFFFFFFFF)
        return kept.astype(np.uint32).view(np.float32).astype(np.float64)
    if fmt in FLOATS:
        unsigned = np.dtype(f"u{max(1, bits // 8)}")
        return codes.astype(unsigned).view(FLOATS[fmt]).astype(np.float64)
    numbers = codes.astype(np.int64)
    if fmt.startswith("s"):
        numbers = np.where(numbers >> (bits - 1) & 1, numbers - (1 << bits), numbers)
    return numbers.astype(np.float64)


def read_matrix(read: Form, name: str, words: Array) -> Array:
    """Return the logical values, trials first, that the registers [trial][register][lane] hold."""
    row, column = indices(read, name)
    width, fmt = read.width(name), getattr(read, name)
    low = read.fp4_shift if read.boxed and name in "ab" and fmt == "e2m1" else 0
    shifts = np.arange(row.shape[2], dtype=np.uint64) * np.uint64(width) + np.uint64(low)
    mask = np.uint64((1 << BITS[fmt]) - 1)
    matrix = np.zeros((words.shape[0], *extent(read, name)))
    matrix[:, row, column] = values(fmt, (words[..., None] >> shifts) & mask)
    return matrix


def scales(read: Form, words: Array, which: str) -> Array:
    """Return scale_A by row or scale_B by column, and block: [trial][vector][block]."""
    byte_a, thread_a, byte_b, thread_b = read.selectors
    byte = byte_a if which == "sfa" else byte_b
    held = words.reshape(-1, 32, 1) >> np.arange(0, 32, 8, dtype=np.uint64) & np.uint64(255)
    numbers = values(read.scale, held)[:, :, byte : byte + read.blocks]
    if which == "sfa":
        lanes = [4 * (row % 8) + 2 * thread_a + row // 8 for row in range(16)]
    else:
        lanes = [4 * column + thread_b for column in range(8)]
    return numbers[:, lanes]


def product(read: Form, matrices: dict[str, Array]) -> Array:
    """Return D's exact values."""
    a, b, c = matrices["a"], matrices["b"], matrices["c"]
    if read.quad:
        return (a.reshape(-1, 4, 8, 4) @ b.reshape(-1, 4, 4, 8)).reshape(-1, 32, 8) + c
    if read.operation == "xor":
        return a @ (1 - b) + (1 - a) @ b + c
    if read.scale:
        size = a.shape[2] // read.blocks
        blocks = range(0, a.shape[2], size)
        parts = (
            (a[:, :, k : k + size] @ b[:, k : k + size])
            * matrices["sfa"][:, :, None, k // size]
            * matrices["sfb"][:, None, :, k // size]
            for k in blocks
        )
        return c + np.sum(np.stack(list(parts)), axis=0)
    with np.errstate(invalid="ignore"):  # a mutant's format may overflow
        return a @ b + c


def write_matrix(read: Form, d: Array) -> Array:
    """Return D's registers, [trial][register][lane]."""
    row, column = indices(read, "d")
    if read.d == "s32":
        bounded = np.clip(d, -(2.0**31), 2.0**31 - 1) if read.satfinite else d
        codes = bounded.astype(np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    else:
        size = BITS[read.d] // 8
        with np.errstate(over="ignore"):  # machines that err may overflow
            codes = d.astype(FLOATS[read.d]).view(np.dtype(f"u{size}")).astype(np.uint64)
    shifts = np.arange(row.shape[2], dtype=np.uint64) * np.uint64(BITS[read.d])
    return np.bitwise_or.reduce(codes[:, row, column] << shifts, axis=-1)


def matrices(read: Form, words: dict[str, Array]) -> dict[str, Array]:
    """Return every input as logical values."""
    found = {name: read_matrix(read, name, words[name]) for name in "abc"}
    return found | {name: scales(read, words[name], name) for name in ("sfa", "sfb") if name in words}


def execute(read: Form, words: dict[str, Array]) -> Array:
    """Return D's registers from the registers of A, B, C and the scales."""
    return write_matrix(read, product(read, matrices(read, words)))


def registers(operand: Any, logical: Array) -> Array:
    """Return what lies in an operand's registers, [trial][register][lane], once the kernel has loaded its bytes."""
    raw: Array = operand.pack(logical)
    return raw.view(f"<u{operand.word // 8}").astype(np.uint64).reshape(operand.shape[0], -1, 32)
