"""Cells of any set of records, one a case, target and toolchain, and where each is validated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.columns import Columns, Keep, Key, stands
from suite.model import Observation
from suite.record import COMMITTED, Record, read
from suite.record_columns import Column

Validations = Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class Cell:
    """One observation with the targets on which some record shows this very kernel `correct`."""

    seen: Observation
    validated_on: tuple[str, ...]

    @property
    def validation(self) -> str:
        """Return `validated here`, `validated on sm_90a`, `unvalidated`, or what speaks against it here."""
        if self.seen.word in ("unloadable", "faulted", "hung", "flaky", "wrong"):
            return f"{self.seen.word} here"
        if self.seen.word == "correct":
            return "validated here" if shows(self.seen) else f"ran here, seen in {self.seen.observed or 'nothing'}"
        if self.validated_on:
            return f"validated on {', '.join(self.validated_on)}"
        return "unvalidated"


def shows(cell: Observation) -> bool:
    """Tell whether a `correct` cell shows that the instruction works: its effect is in memory, and it left code."""
    return cell.word == "correct" and not cell.observed and cell.realization != "elided"


def committed() -> list[Record]:
    """Return the records of reports/records/, in name order."""
    return [read(path) for path in sorted([*COMMITTED.glob("*.jsonl"), *COMMITTED.glob("*.jsonl.xz")])]


def validations(records: Iterable[Record]) -> Validations:
    """Return the targets on which each (case, kernel) was `correct`; a kernel that was changed since does not count."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        for part in getattr(record.cells, "parts", [record.cells]):
            if isinstance(part, Column) and not any(said["word"] == "correct" for said in part.outcomes):
                continue
            for cell in filter(shows, part):
                found[cell.case, cell.kernel].add(cell.target)
    return {key: tuple(sorted(targets)) for key, targets in found.items()}


def merge(records: Sequence[Record], validated: Validations) -> list[Cell]:
    """Return one cell a case, target and toolchain, in order of first appearance; `stream` holds fewer at once.

    Of different kernels of a case the one asked last stands; where records of one kernel differ, a disagreement stands
    before an agreement, and more progress before less.
    """
    best: dict[tuple[str, str, str], Observation] = {}
    for record in sorted(records, key=lambda record: str(record.header.get("started", ""))):
        for cell in record.cells:
            key = (cell.case, cell.target, cell.toolchain)
            if key not in best or stands(cell, best[key]):
                best[key] = cell
    return [Cell(cell, validated.get((cell.case, cell.kernel), ())) for cell in best.values()]


def stream(
    records: Iterable[Record], validated: Validations, wanted: Callable[[Key], bool], keep: Keep | None = None
) -> Iterator[Cell]:
    """Yield the merged cells a column at a time: of the columns that are `wanted`, the cases that `keep` takes."""
    columns = Columns(records)
    for key in filter(wanted, columns.keys):
        for cell in columns.cells(key, keep).values():
            yield Cell(cell, validated.get((cell.case, cell.kernel), ()))
