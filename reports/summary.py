"""Counts by family, target and toolchain: the catalogue's size and what became of it, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reports.cells import Cell
from suite.model import REALIZATIONS, WORDS


@dataclass
class _Group:
    """What a family shows on a target: counts by what was said, and its opcodes."""

    counts: Counter[str] = field(default_factory=Counter)
    opcodes: set[str] = field(default_factory=set)


def to_summary(cells: Iterable[Cell]) -> str:
    """Return a table a toolchain: a row a family and target, with counts of words, realizations and agreements.

    Goes through the cells once and holds none of them.
    """
    toolchains: dict[str, dict[tuple[str, str], _Group]] = {}
    for cell in cells:
        seen = cell.seen
        group = toolchains.setdefault(seen.toolchain, {}).setdefault((seen.family, seen.target), _Group())
        said = ("cases", seen.word, seen.realization, seen.agreement, "not run" if seen.not_asked else None)
        group.counts.update(filter(None, said))
        group.opcodes.add(seen.opcode)
    return "\n".join(_table(name, groups) for name, groups in toolchains.items())


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
