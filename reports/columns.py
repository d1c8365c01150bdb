"""Columns of any set of records: what one toolchain makes of all cases for one target, one column at a time.

A full sweep holds millions of cells, and no report needs more than a column or two of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from suite import targets
from suite.model import WORDS, Observation
from suite.record import Record
from suite.record_columns import Column

Cells = Mapping[str, Observation]
Keep = Callable[[str], bool]


@dataclass(frozen=True, order=True)
class Key:
    """A column's target and toolchain; sorts by toolchain, oldest first, then by target."""

    sort: tuple[object, ...] = field(repr=False)
    target: str = field(compare=False)
    toolchain: str = field(compare=False)


def key(target: str, toolchain: str) -> Key:
    """Return the key of a column."""
    return Key((*_age(toolchain), *_place(target)), target, toolchain)


@dataclass
class Columns:
    """The columns of a set of records.

    Where records overlap, of different kernels of a case the one asked last stands; of one kernel a disagreement stands
    before an agreement, and more progress before less.
    """

    records: Iterable[Record]
    _parts: dict[Key, list[tuple[Record, Collection[Observation]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = sorted(self.records, key=lambda record: str(record.header.get("started", "")))
        for record in self.records:
            self._take(record)

    @property
    def keys(self) -> list[Key]:
        """Return the columns' keys: toolchains oldest first, then targets."""
        return sorted(self._parts)

    def cells(self, at: Key, keep: Keep | None = None) -> Cells:
        """Return a column's cells by case, only those whose case `keep` takes; none where there is no such column."""
        return {case: cell for case, (cell, _) in self.traced(at, keep).items()}

    def traced(self, at: Key, keep: Keep | None = None) -> dict[str, tuple[Observation, Record]]:
        """Return a column's cells by case, each with the record that it is from."""
        found: dict[str, tuple[Observation, Record]] = {}
        for record, part in self._parts.get(at, ()):
            for cell in _kept(part, keep):
                if cell.case not in found or stands(cell, found[cell.case][0]):
                    found[cell.case] = (cell, record)
        return found

    def _take(self, record: Record) -> None:
        loose: dict[tuple[str, str], list[Observation]] = {}
        for part in getattr(record.cells, "parts", [record.cells]):
            if isinstance(part, Column):
                self._parts.setdefault(key(part.place["target"], part.place["toolchain"]), []).append((record, part))
                continue
            for cell in part:
                loose.setdefault((cell.target, cell.toolchain), []).append(cell)
        for (target, toolchain), cells in loose.items():
            self._parts.setdefault(key(target, toolchain), []).append((record, cells))


def stands(new: Observation, old: Observation) -> bool:
    """Tell whether a cell stands before an older one of the same case, target and toolchain."""
    return new.kernel != old.kernel or _weight(new) > _weight(old)


def newest(toolchains: Iterable[str]) -> str:
    """Return the newest ptxas, or the newest of what else there is. Raises `ValueError` for none."""
    return max(toolchains, key=_age)


def _weight(cell: Observation) -> tuple[int, int]:
    return ("agrees", "waived", "disagrees").index(cell.agreement), WORDS.index(cell.word)


def _kept(part: Collection[Observation], keep: Keep | None) -> Iterator[Observation]:
    if keep is None:
        return iter(part)
    return part.some(keep) if isinstance(part, Column) else (cell for cell in part if keep(cell.case))


def _age(toolchain: str) -> tuple[bool, tuple[int, ...], str]:
    return toolchain.startswith("ptxas"), tuple(int(part) for part in re.findall(r"\d+", toolchain)), toolchain


def _place(target: str) -> tuple[int, str]:
    known = _ORDER.get(target)
    return (known if known is not None else len(_ORDER), target)


_ORDER = {target.name: number for number, target in enumerate(targets.ALL)}
