"""Counts by family, target and toolchain: the catalogue's size and what became of it, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.cells import Cell
from suite.model import REALIZATIONS, WORDS


def to_summary(cells: Sequence[Cell]) -> str:
    """Return a table a toolchain: a row a family and target, with counts of words, realizations and agreements."""
    toolchains = dict.fromkeys(cell.seen.toolchain for cell in cells)
    return "\n".join(_table(name, [cell for cell in cells if cell.seen.toolchain == name]) for name in toolchains)


def _table(toolchain: str, cells: Sequence[Cell]) -> str:
    groups: dict[tuple[str, str], Counter[str]] = {}
    opcodes: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        seen = cell.seen
        key = (seen.family, seen.target)
        groups.setdefault(key, Counter()).update(
            filter(None, ("cases", seen.word, seen.realization, seen.agreement, _not_run(cell)))
        )
        opcodes.setdefault(key, set()).add(seen.opcode)
    names = ("cases", *WORDS, *REALIZATIONS, "disagrees", "waived", "not run")
    shown = [name for name in names if any(group[name] for group in groups.values())]
    head = ["family", "target", "opcodes", *shown]
    lines = [f"### {toolchain}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for (family, target), group in groups.items():
        counts = [str(group[name] or "") for name in shown]
        lines.append("| " + " | ".join([family, target, str(len(opcodes[family, target])), *counts]) + " |")
    return "\n".join([*lines, ""])


def _not_run(cell: Cell) -> str:
    return "not run" if cell.seen.not_asked else ""
