"""Drift: what changed between two toolchains over the same cases and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from suite.model import Observation

ACCEPTED = ("assembled", "unloadable", "faulted", "hung", "flaky", "wrong", "correct")
# What can change, most important first.
KINDS = ("lost", "new", "realization changed", "diagnostic changed", "code changed")


@dataclass(frozen=True)
class Change:
    """One case and target that two toolchains see differently, and how each does."""

    kind: str
    case: str
    target: str
    before: str
    after: str


def drift(cells: Iterable[Observation], before: str, after: str) -> list[Change]:
    """Return the changes from toolchain `before` to `after`, by kind, then in the cells' order."""
    table: dict[tuple[str, str], dict[str, Observation]] = {}
    for cell in cells:
        table.setdefault((cell.case, cell.target), {})[cell.toolchain] = cell
    both = (found for found in table.values() if before in found and after in found)
    changes = [change for found in both for change in _changes(found[before], found[after])]
    return sorted(changes, key=lambda change: KINDS.index(change.kind))


def _changes(old: Observation, new: Observation) -> Iterator[Change]:
    """Yield the most important change of a cell, if there is one."""
    was, now = old.word in ACCEPTED, new.word in ACCEPTED
    if was != now:
        yield Change("new" if now else "lost", old.case, old.target, _say(old), _say(new))
    elif not was and _kinds(old) != _kinds(new):
        yield Change("diagnostic changed", old.case, old.target, _say(old), _say(new))
    elif was and old.realization != new.realization:
        yield Change("realization changed", old.case, old.target, _say(old), _say(new))
    elif was and _code(old) != _code(new):
        yield Change("code changed", old.case, old.target, _opcodes(old), _opcodes(new))


def _kinds(cell: Observation) -> set[tuple[str, str]]:
    return {(entry.kind, entry.text) for entry in cell.diagnostics}


def _code(cell: Observation) -> dict[str, int]:
    return {opcode: count for opcode, count in cell.opcodes.items() if opcode != "NOP"}


def _opcodes(cell: Observation) -> str:
    return " ".join(f"{count}x{opcode}" for opcode, count in cell.opcodes.items())


def _say(cell: Observation) -> str:
    said = cell.diagnostics[0].text if cell.diagnostics else ""
    return " ".join(part for part in (cell.word, cell.realization or "", said) if part)
