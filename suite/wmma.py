"""What the forms of `wmma` share: matrices in memory, operands, inputs and reference arithmetic.

Fragments are opaque, so that every case runs load, mma and store, and is seen in memory alone. Arrays are logical and
row-major and carry a leading axis of trials, one warp each. Source: PTX ISA 9.3, 9.7.15.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite import mma
from suite.exact import matrix_trials, trial_count
from suite.formats import FORMATS
from suite.operands import Buffer, Codes, Operand
from suite.probe import Arrays, Launch, Params

ALIGNED = 256  # bits: what the start of every row or column is a multiple of where a stride is given

# What a load or store is tried with beside its own type. Source: PTX ISA 9.3, 9.7.15.2.
ACCUMULATORS = {"f16": "f32", "bf16": "f32", "tf32": "f32", "f64": "f64"}
MULTIPLICANDS = {
    ("f32", "m16n16k8"): "tf32",
    ("s32", "m8n8k32"): "s4",
    ("s32", "m8n8k128"): "b1",
}
USUAL = {"f16": "f16", "f32": "f16", "s32": "s8", "f64": "f64"}


@dataclass(frozen=True)
class Matrix(Operand):
    """Matrices in global memory, one a trial, `major` row or col; `shape` is (trials, rows, columns).

    Elements narrower than 8 bits are packed, the first in the low bits. `registers` of `register_type` hold a fragment.
    """

    major: str = "row"
    registers: int = 1

    @property
    def register_type(self) -> str:
        """Return the PTX type of a register: f32 and f64 have their own, all others take .b32."""
        return self.fmt if self.fmt in ("f32", "f64") else "b32"

    @property
    def vector(self) -> str:
        """Return the brace-enclosed vector of the fragment's registers."""
        return "{" + ", ".join(f"{self.name}{i}" for i in range(self.registers)) + "}"

    @property
    def trial_bytes(self) -> int:
        """Return the size of one trial's matrix in bytes."""
        return self.shape[1] * self.shape[2] * self.format.bits // 8

    @property
    def line(self) -> int:
        """Return the stride in elements between rows, or between columns of a column-major matrix."""
        return self.shape[2] if self.major == "row" else self.shape[1]

    @property
    def nbytes(self) -> int:
        """Return the size in global memory in bytes."""
        return self.shape[0] * self.trial_bytes

    def pack(self, logical: np.ndarray) -> NDArray[np.uint8]:
        """Return the bytes that hold the logical array."""
        stored = self._turned(self.codes(logical).reshape(self.shape))
        if self.format.bits >= 8:
            return np.ascontiguousarray(stored.astype(f"<u{self.format.bits // 8}")).reshape(-1).view(np.uint8)
        bits = stored.reshape(-1, 1) >> np.arange(self.format.bits, dtype=np.uint64) & np.uint64(1)
        return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little")

    def unpack(self, raw: NDArray[np.uint8]) -> Codes:
        """Return the codes, in logical shape, that the bytes hold."""
        width, trials = self.format.bits, self.shape[0]
        if width >= 8:
            codes = raw.view(f"<u{width // 8}").astype(np.uint64)
        else:
            bits = np.unpackbits(raw, bitorder="little").reshape(-1, width).astype(np.uint64)
            codes = np.bitwise_or.reduce(bits << np.arange(width, dtype=np.uint64), axis=1)
        return self._turned(codes.reshape(trials, -1, self.line))

    def _turned(self, codes: Codes) -> Codes:
        return codes if self.major == "row" else codes.transpose(0, 2, 1)


def plan(params: Params) -> Params:
    """Return the whole product that a case runs: shape, formats of D, A, B and C, and layouts in memory."""
    shape, matrix = params["shape"], params.get("matrix", "mma")
    whole = {"alayout": "row", "blayout": "col", "clayout": "row", "dlayout": "row", "satfinite": "no", "op": "xor"}
    if matrix == "mma":
        return {**whole, **params, "b": params["a"]}
    fmt = params["type"]
    a = fmt if matrix in "ab" else MULTIPLICANDS.get((fmt, shape), USUAL.get(fmt))
    d = ACCUMULATORS.get(fmt, "s32") if matrix in "ab" else fmt
    return {**whole, f"{matrix}layout": params["layout"], "shape": shape, "a": a, "b": a, "c": d, "d": d}


def extents(params: Params) -> dict[str, tuple[int, int]]:
    """Return rows and columns of each matrix."""
    m, n, k = mma.mnk(params)
    return {"a": (m, k), "b": (k, n), "c": (m, n), "d": (m, n)}


def registers(whole: Params, name: str) -> int:
    """Return the registers of a fragment: as many as its elements fill, but always eight for f16 A and B.

    Source: PTX ISA 9.3, 9.7.15.4.1. An f64 accumulator takes two, as in the examples, not the one of the table.
    """
    rows, columns = extents(whole)[name]
    if name in "ab" and whole[name] == "f16":
        return 8
    return rows * columns * min(32, FORMATS[whole[name]].bits) // 1024


def padded(whole: Params, name: str) -> tuple[int, int]:
    """Return rows and columns of a matrix whose stride is longer than its rows (or columns), by 32 bytes and more."""
    rows, columns = extents(whole)[name]
    step = ALIGNED // FORMATS[whole[name]].bits
    row_major = whole[f"{name}layout"] == "row"
    line = (-(-(columns if row_major else rows) // step) + 1) * step
    return (rows, line) if row_major else (line, columns)


def is_padded(params: Params, name: str) -> bool:
    """Tell whether the case gives that matrix a stride of its own."""
    return bool(params.get("matrix") == name and params["stride"] == "padded")


def trials(whole: Params) -> int:
    """Return the number of trials."""
    return mma.BIT_TRIALS if whole["a"] == "b1" else trial_count(whole["a"], whole["b"], mma.mnk(whole))


def operands(params: Params) -> tuple[Operand, ...]:
    """Return D, A, B and C, and the `knobs`: a zero that no compiler knows, and the stride in elements."""
    whole = plan(params)

    def matrix(name: str, role: str) -> Matrix:
        rows, columns = padded(whole, name) if is_padded(params, name) else extents(whole)[name]
        shape, major = (trials(whole), rows, columns), whole[f"{name}layout"]
        return Matrix(name, role, whole[name], shape, major, registers(whole, name))

    d = matrix("d", "inout" if is_padded(params, "d") else "out")
    return (d, matrix("a", "in"), matrix("b", "in"), matrix("c", "in"), Buffer("knobs", "in", "u32", (2,)))


def launch(params: Params) -> Launch:
    """Return one warp a trial."""
    return Launch(grid=(trials(plan(params)), 1, 1))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return exact A, B and C; padding holds values of the same kind, which must not matter or change."""
    whole = plan(params)
    arrays = dict(_product_inputs(whole, rng))
    held = {operand.name: operand for operand in operands(params) if isinstance(operand, Matrix)}
    for name in "abc":
        rows, columns = extents(whole)[name]
        wide = rng.choice(arrays[name].reshape(-1), held[name].shape)
        wide[:, :rows, :columns] = arrays[name]
        arrays[name] = wide
    if held["d"].role == "inout":
        arrays["d"] = rng.integers(0, 1 << min(32, held["d"].format.bits), held["d"].shape, dtype=np.uint64)
    line = held[params["matrix"]].line if params.get("stride") == "padded" else 0
    return {**arrays, "knobs": np.array([0, line], dtype=np.uint32)}


def _product_inputs(whole: Params, rng: np.random.Generator) -> Arrays:
    if whole["a"] == "b1":
        return mma.bit_inputs(whole, rng)
    if whole["d"] == "s32":
        return mma.integer_inputs(whole, rng)
    narrow = "f16" if "f16" in (whole["c"], whole["d"]) else whole["c"]  # what both accumulators hold exactly
    a, b, c = matrix_trials(rng, (whole["a"], whole["b"], narrow), mma.mnk(whole))
    return {"a": a, "b": b, "c": c}


def multiply(params: Params, arrays: Arrays) -> Arrays:
    """Return D = A * B + C as codes, with its padding as it was."""
    whole = plan(params)
    inner = {name: arrays[name][:, :rows, :columns] for name, (rows, columns) in extents(whole).items() if name != "d"}
    if whole["a"] == "b1":
        d = mma.bit_count(whole, inner)["d"]
    else:
        d = (mma.integer_multiply if whole["d"] == "s32" else mma.multiply)(whole, inner)["d"]
    operand = operands(params)[0]
    if operand.role == "out":
        return {"d": d}
    full = arrays["d"].copy()
    full[:, : d.shape[1], : d.shape[2]] = operand.codes(d)
    return {"d": full}
