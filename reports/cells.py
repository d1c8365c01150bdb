"""Cells of any set of records, one a case, target and toolchain, and where each is validated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.model import WORDS, Observation
from suite.record import Record, read

RECORDS = Path(__file__).resolve().parent / "records"

Validations = Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class Cell:
    """One observation with the targets on which some committed record shows this very kernel `correct`."""

    seen: Observation
    validated_on: tuple[str, ...]

    @property
    def validation(self) -> str:
        """Return `validated here`, `validated on sm_90a`, or `unvalidated`."""
        if self.seen.word == "correct":
            return "validated here"
        if self.validated_on:
            return f"validated on {', '.join(self.validated_on)}"
        return "unvalidated"


def committed() -> list[Record]:
    """Return the records of reports/records/, in name order."""
    return [read(path) for path in sorted(RECORDS.glob("*.jsonl"))]


def validations(records: Iterable[Record]) -> Validations:
    """Return the targets on which each (case, kernel) was `correct`; a kernel that was changed since does not count."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        for cell in record.cells:
            if cell.word == "correct":
                found[cell.case, cell.kernel].add(cell.target)
    return {key: tuple(sorted(targets)) for key, targets in found.items()}


def merge(records: Sequence[Record], validated: Validations) -> list[Cell]:
    """Return one cell a case, target and toolchain, in order of first appearance.

    Where records differ, a disagreement stands before an agreement, and more progress before less.
    """
    best: dict[tuple[str, str, str], Observation] = {}
    for record in records:
        for cell in record.cells:
            key = (cell.case, cell.target, cell.toolchain)
            if key not in best or _weight(cell) > _weight(best[key]):
                best[key] = cell
    return [Cell(cell, validated.get((cell.case, cell.kernel), ())) for cell in best.values()]


def _weight(cell: Observation) -> tuple[int, int]:
    return ("agrees", "waived", "disagrees").index(cell.agreement), WORDS.index(cell.word)
