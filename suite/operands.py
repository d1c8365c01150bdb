"""Operands: the kernel's parameters, and how logical arrays become the bytes that the kernel sees.

Every operand turns a logical array into bytes and back. Unsigned arrays are codes (bit patterns), all others are
values, which must be exact in the operand's format.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.formats import FORMATS, Format, encode
from suite.layouts import Layout

Codes = NDArray[np.uint64]


@dataclass(frozen=True)
class Operand:
    """A kernel parameter. `role` is `in`, `out` or `inout`; every one is a 64-bit pointer unless it says otherwise."""

    name: str
    role: str
    fmt: str
    shape: tuple[int, ...]

    @property
    def format(self) -> Format:
        """Return the facts of the element format."""
        return FORMATS[self.fmt]

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        raise NotImplementedError

    @property
    def vector(self) -> str:
        """Return the PTX text that `arguments` puts for the operand's upper-case name."""
        return self.name

    def codes(self, logical: np.ndarray) -> Codes:
        """Return the codes of a logical array: itself if unsigned, else encoded.

        Raises `ValueError` for a value that is not exact, or a code that is too wide.
        """
        if logical.dtype.kind != "u":
            return encode(self.format, logical)
        codes = logical.astype(np.uint64)
        if self.format.bits < 64 and (codes >> np.uint64(self.format.bits)).any():
            raise ValueError(f"{self.name}: a code is wider than {self.fmt}")
        return codes

    def pack(self, logical: np.ndarray) -> NDArray[np.uint8]:
        """Return the bytes that hold the logical array."""
        raise NotImplementedError

    def unpack(self, raw: NDArray[np.uint8]) -> Codes:
        """Return the codes, in logical shape, that the bytes hold."""
        raise NotImplementedError


@dataclass(frozen=True)
class Buffer(Operand):
    """A plain row-major array in global memory, little endian; elements narrower than 8 bits take a byte each."""

    @property
    def _item(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype(f"<u{max(1, self.format.bits // 8)}")

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return int(np.prod(self.shape)) * self._item.itemsize

    def pack(self, logical: np.ndarray) -> NDArray[np.uint8]:
        """Return the bytes that hold the logical array."""
        return self.codes(logical).reshape(self.shape).astype(self._item).reshape(-1).view(np.uint8)

    def unpack(self, raw: NDArray[np.uint8]) -> Codes:
        """Return the codes, in logical shape, that the bytes hold."""
        return raw.view(self._item).reshape(self.shape).astype(np.uint64)


@dataclass(frozen=True)
class Fragment(Operand):
    """A matrix held in registers: in memory it lies as [trial][register][lane] words, as the kernel loads it.

    `shape` is (trials, rows, columns); `layout` maps each register slot to a matrix element; `container` is the width
    of a slot in bits and `shift` the code's place in it (FP4 in an 8-bit container sits in bits 5:2).
    """

    layout: Layout
    container: int = 0
    shift: int = 0

    @property
    def word(self) -> int:
        """Return the register width in bits: 64 for f64, else 32."""
        return 64 if self.format.bits == 64 else 32

    @property
    def registers(self) -> int:
        """Return the number of registers a lane holds."""
        return self.layout.registers

    @property
    def vector(self) -> str:
        """Return the brace-enclosed vector of the operand's registers."""
        return "{" + ", ".join(f"{self.name}{i}" for i in range(self.registers)) + "}"

    @property
    def register_type(self) -> str:
        """Return the PTX type of a register: f32 and f64 operands need their own, all others take .b32."""
        return self.fmt if self.fmt in ("f32", "f64") else "b32"

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * self.registers * self.layout.lanes * self.word // 8

    def pack(self, logical: np.ndarray) -> NDArray[np.uint8]:
        """Return the bytes that hold the logical array."""
        codes = self.codes(logical).reshape(self.shape) << np.uint64(self.shift)
        slots = codes[:, self.layout.row, self.layout.column]
        shifts = np.arange(self.layout.slots, dtype=np.uint64) * np.uint64(self._width)
        words = np.bitwise_or.reduce(slots << shifts, axis=-1)
        return np.ascontiguousarray(words.astype(f"<u{self.word // 8}")).reshape(-1).view(np.uint8)

    def unpack(self, raw: NDArray[np.uint8]) -> Codes:
        """Return the codes, in logical shape, that the bytes hold."""
        words = raw.view(f"<u{self.word // 8}").astype(np.uint64)
        words = words.reshape(self.shape[0], self.registers, self.layout.lanes, 1)
        shifts = np.arange(self.layout.slots, dtype=np.uint64) * np.uint64(self._width)
        mask = np.uint64((1 << self._width) - 1) if self._width < 64 else np.uint64(0xFFFFFFFFFFFFFFFF)
        codes = np.zeros(self.shape, dtype=np.uint64)
        codes[:, self.layout.row, self.layout.column] = ((words >> shifts) & mask) >> np.uint64(self.shift)
        return codes

    @property
    def _width(self) -> int:
        return self.container or self.format.bits


@dataclass(frozen=True)
class Scale(Operand):
    """The scale matrix of a block-scaled mma: one 32-bit register a lane, of which selectors pick lanes and bytes.

    `shape` is (trials, vectors, blocks): a row of scale_A or a column of scale_B, by block of K. `lanes` and `vectors`
    say which lane holds which vector; blocks lie in bytes from `byte` on. All other bytes hold `DECOY`, which must not
    matter.
    """

    lanes: tuple[int, ...] = ()
    vectors: tuple[int, ...] = ()
    byte: int = 0

    DECOY = 0x85  # 2^6 as ue8m0, 5 * 2^-9 (bit 7 ignored) as ue4m3: never the value of a chosen scale
    registers = 1
    word = 32
    register_type = "b32"

    @property
    def vector(self) -> str:
        """Return the operand's one register, which takes no braces."""
        return f"{self.name}0"

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * 32 * 4

    def pack(self, logical: np.ndarray) -> NDArray[np.uint8]:
        """Return the bytes that hold the logical array."""
        raw = np.full((self.shape[0], 32, 4), self.DECOY, dtype=np.uint8)
        chosen = self.codes(logical).astype(np.uint8)[:, list(self.vectors)]
        raw[:, list(self.lanes), self.byte : self.byte + self.shape[2]] = chosen
        return raw.reshape(-1)

    def unpack(self, raw: NDArray[np.uint8]) -> Codes:
        """Return the codes, in logical shape, that the bytes hold."""
        held = raw.reshape(self.shape[0], 32, 4)[:, list(self.lanes), self.byte : self.byte + self.shape[2]]
        codes = np.zeros(self.shape, dtype=np.uint64)
        codes[:, list(self.vectors)] = held
        return codes


@dataclass(frozen=True)
class TensorMap(Operand):
    """A 128-byte tensor map passed by value as a `__grid_constant__` parameter, encoded on the host.

    `over` names the buffer operand it describes (which is a parameter too). Dimensions and box are in elements, fastest
    first; `strides` in bytes, of all dimensions but the fastest. `mode`, `lower` and `upper` are those of
    `suite.model.TensorMapSpec`. Source: CUDA driver API, cuTensorMapEncodeTiled, …Im2col and …Im2colWide.
    """

    over: str = ""
    dims: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    box: tuple[int, ...] = ()
    element_strides: tuple[int, ...] = ()
    swizzle: str = "none"
    interleave: str = "none"
    fill: str = "zero"
    mode: str = "tile"
    lower: tuple[int, ...] = ()
    upper: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Return 0: a tensor map takes no room of its own in global memory."""
        return 0
