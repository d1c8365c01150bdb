"""Which model a case has: by what the machine code does on a target, not by what PTX calls it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from suite.formats import FORMATS
from suite.numerics import parameters
from suite.numerics.models import Bits, Doubles, Fused, Grouped, Halves, Integers, Model, Sequential
from suite.numerics.operation import Operation
from suite.numerics.parameters import Row
from suite.targets import Target

# Units by the first part of their opcode.
FLOAT_UNITS = ("HMMA", "QMMA", "OMMA", "HGMMA", "QGMMA", "UTCHMMA", "UTCQMMA", "UTCOMMA")
INTEGER_UNITS = ("IMMA", "BMMA", "IGMMA", "BGMMA", "UTCIMMA")
GROUPED_UNITS = ("OMMA", "UTCOMMA")
FP8_BITS = 8

# The routine of mma.m8n8k4.f16 from sm_80 on. Source: its code from ptxas 13.5.37 for sm_90a. Of f32 results four FFMA
# from +0 in ascending k, then FADD of C; of f16 ones FMUL and FFMA of k = 0, 1, added to C, then those of 2, 3, F2FP.
_QUAD = "__cuda_sm_8x_mma_"


@dataclass(frozen=True)
class Choice:
    """A model, where it comes from, and whether it is more than a guess: only an established one can prove `wrong`."""

    model: Model
    source: str
    established: bool = True

    @property
    def name(self) -> str:
        """Return the model's name, a guess marked as such."""
        return self.model.name if self.established else f"{self.model.name} [hypothesis]"


def choose(target: Target, opcodes: Mapping[str, int], op: Operation) -> Choice | None:
    """Return the model of an operation that `opcodes` (SASS, with counts) do on a target, None where there is none.

    Of sparse products it is a guess, but on chips where it was found so: T-FDPA over the kept ones, L counting those.
    """
    units = tensor_opcodes(opcodes)
    if op.kind in ("integer", "bits"):
        exact = any(unit.split(".")[0] in INTEGER_UNITS for unit in units)
        return Choice(Bits() if op.kind == "bits" else Integers(), "PTX ISA 9.3, exact") if exact else None
    if op.kind == "f64":
        return Choice(Doubles(), "arXiv 2511.10909") if any(unit.startswith("DMMA") for unit in units) else None
    return _float(target, opcodes, op, units)


def tensor_opcodes(opcodes: Mapping[str, int]) -> dict[str, int]:
    """Return the opcodes of matrix units among a kernel's; the steps of one HMMA.884 count as one opcode."""
    found: Counter[str] = Counter()
    for opcode, count in opcodes.items():
        if opcode.split(".")[0] in (*FLOAT_UNITS, *INTEGER_UNITS, "DMMA"):
            found[re.sub(r"\.STEP\d", "", opcode)] += count
    return found


def _float(target: Target, opcodes: Mapping[str, int], op: Operation, units: Mapping[str, int]) -> Choice | None:
    if not units and any(opcode.startswith(_QUAD) for opcode in opcodes):
        return Choice(Sequential(late=True) if op.d == "f32" else Sequential(pairs=True), "machine code")
    if len(units) != 1:
        return None
    (opcode, count), chip = next(iter(units.items())), target.number
    unit = opcode.split(".")[0]
    row = parameters.find("HMMA.884" if opcode.startswith("HMMA.884") else unit, chip)
    if row is None or not _same_result(opcode, opcodes, op):
        return None
    if unit == "HMMA" and FORMATS[op.a].bits <= FP8_BITS:
        return _halves(target, row, opcodes, op, count)
    if unit in GROUPED_UNITS:
        return None if op.sparse else Choice(Grouped(row.step("f32")), row.source, row.measured)
    return _fused(target, row, opcode, op)


def _fused(target: Target, row: Row, opcode: str, op: Operation) -> Choice | None:
    products = _products(row, op)
    if op.sparse:
        if op.scale:
            return None
        seen = parameters.SPARSE.get(target.number, "")
        return Choice(
            Fused(row.step(op.d), min(products, op.k), kept=True), seen or "hypothesis", established=bool(seen)
        )
    length = min(products, op.k, opcode_k(opcode) or op.k)
    widened = op.c == "f16" and "F32" in opcode.split(".") and not opcode.startswith("HMMA.884")
    return Choice(Fused(row.step(_result(opcode, op)), length, widened=widened), row.source, row.measured)


def _result(opcode: str, op: Operation) -> str:
    """Return the format that the unit gives: of an HMMA that spells F32 that, though D be rounded to f16 after it."""
    return "f32" if op.c == "f32" and "F32" in opcode.split(".") else op.d


def _products(row: Row, op: Operation) -> int:
    """Return the products that the unit fuses; a byte-wide unit takes narrower elements a byte each."""
    return row.nbytes * 8 // max(8, FORMATS[op.a].bits)


def _halves(target: Target, row: Row, opcodes: Mapping[str, int], op: Operation, count: int) -> Choice | None:
    """Return the model of FP8 unpacked to f16: two products, then C by FADD or HADD2."""
    added = "FADD" if op.d == "f32" else "HADD2"
    unpacks = any(opcode.startswith("F2FP.F16.") and "UNPACK" in opcode for opcode in opcodes)
    if not unpacks or added not in opcodes or count != 2:
        return None
    established = row.measured and (not op.sparse or target.number in parameters.SPARSE)
    return Choice(Halves(row.step(op.d)), "arXiv 2512.07004 (results), machine code", established)


def _same_result(opcode: str, opcodes: Mapping[str, int], op: Operation) -> bool:
    """Tell whether the opcode's own result and accumulator are the operation's, so that nothing is rounded around it.

    Those of tcgen05 say it in a descriptor. Where C is f16 and D f32, C is only widened; where C is f32 and D f16, the
    unit's f32 is rounded to nearest by F2FP.
    """
    if opcode.startswith("UTC"):
        return True
    given = opcode.split(".")
    if op.d == "f32":
        return "F32" in given or given[0] == "OMMA"
    if op.c == "f32":
        return "F32" in given and any(name.startswith("F2FP.F16.F32") for name in opcodes)
    return op.c == op.d == "f16" and "F16" in given


def opcode_k(opcode: str) -> int | None:
    """Return the K of an opcode such as HMMA.16816 or HGMMA.64x8x16, None where it spells none."""
    for token in opcode.split(".")[1:]:
        if match := re.fullmatch(r"\d+x\d+x(\d+)", token):
            return int(match[1])
        if match := re.fullmatch(r"(8|16)(8|16|32)(\d+)", token):
            return int(match[3])
    return None


def least_error_bits(op: Operation) -> int:
    """Return F of the least exact unit that the operation could run on, for a bound where no model is known."""
    fractions = [row.fraction for row in parameters.ROWS if _could(row, op)]
    return min(fractions, default=23)


def _could(row: Row, op: Operation) -> bool:
    wide = FORMATS[op.a].bits > FP8_BITS
    return (row.unit.endswith("HMMA") or row.unit in ("HMMA.884", "HGMMA")) if wide else True
