"""Counts by family, target and toolchain: the catalogue's size and what became of it, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reports.cells import Cell
from reports.diff import ACCEPTED
from suite.model import REALIZATIONS, WORDS
from suite.targets import Target, parse


@dataclass
class _Group:
    """What a family shows on a target: counts by what was said, and its opcodes."""

    counts: Counter[str] = field(default_factory=Counter)
    opcodes: set[str] = field(default_factory=set)


def to_summary(cells: Iterable[Cell]) -> str:
    """Return a table a toolchain: a row a family and target, with counts of words, realizations and agreements.

    Goes through the cells once and holds none of them.
    """
    return "\n".join(_table(name, groups) for name, groups in _grouped(cells).items())


def to_counts(cells: Iterable[Cell]) -> str:
    """Return what is accepted: a table of toolchains by targets, then one a toolchain of families by targets.

    An entry is the number of cases accepted, and after a slash how many of them have an opcode of their own in the
    machine code, where those are fewer. Goes through the cells once and holds none of them.
    """
    toolchains = _grouped(cells)
    places = sorted({parse(target) for groups in toolchains.values() for _, target in groups})
    whole = {(name, target): group for name, groups in toolchains.items() for target, group in _whole(groups).items()}
    parts = [_pivot("toolchain", places, whole)]
    for name, groups in toolchains.items():
        known = [place for place in places if place.name in {target for _, target in groups}]
        parts.append(f"### {name}\n\n{_pivot('family', known, groups)}")
    return "\n".join(parts)


def _whole(groups: Mapping[tuple[str, str], _Group]) -> Mapping[str, _Group]:
    """Return the counts of all families together, by target."""
    found: dict[str, _Group] = {}
    for (_, target), group in groups.items():
        mine = found.setdefault(target, _Group())
        mine.counts.update(group.counts)
        mine.opcodes |= group.opcodes
    return found


def _pivot(axis: str, places: Sequence[Target], groups: Mapping[tuple[str, str], _Group]) -> str:
    """Return the table of the groups, by (row, target), with the row's cases and opcodes before the targets."""
    head = [axis, "cases", "opcodes", *map(str, places)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in dict.fromkeys(row for row, _ in groups):
        mine = [groups.get((row, str(place))) for place in places]
        first = next(group for group in mine if group)
        entries = [_accepted(group) if group else "-" for group in mine]
        lines.append("| " + " | ".join([row, str(first.counts["cases"]), str(len(first.opcodes)), *entries]) + " |")
    return "\n".join([*lines, ""])


def _accepted(group: _Group) -> str:
    accepted, native = sum(group.counts[word] for word in ACCEPTED), group.counts["native"]
    return "" if not accepted else str(accepted) if native == accepted else f"{accepted}/{native}"


def _grouped(cells: Iterable[Cell]) -> dict[str, dict[tuple[str, str], _Group]]:
    toolchains: dict[str, dict[tuple[str, str], _Group]] = {}
    for cell in cells:
        seen = cell.seen
        group = toolchains.setdefault(seen.toolchain, {}).setdefault((seen.family, seen.target), _Group())
        said = ("cases", seen.word, seen.realization, seen.agreement, "not run" if seen.not_asked else None)
        group.counts.update(filter(None, said))
        group.opcodes.add(seen.opcode)
    return toolchains


def _table(toolchain: str, groups: Mapping[tuple[str, str], _Group]) -> str:
    names = ("cases", *WORDS, *REALIZATIONS, "disagrees", "waived", "not run")
    shown = [name for name in names if any(group.counts[name] for group in groups.values())]
    head = ["family", "target", "opcodes", *shown]
    lines = [f"### {toolchain}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    families = list(dict.fromkeys(family for family, _ in groups))
    for (family, target), group in sorted(groups.items(), key=lambda item: families.index(item[0][0])):
        counts = [str(group.counts[name] or "") for name in shown]
        lines.append("| " + " | ".join([family, target, str(len(group.opcodes)), *counts]) + " |")
    return "\n".join([*lines, ""])
