"""The capability matrix: cases down, targets across, by family, as a terminal table, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import Cell, shows
from suite.record import to_json

SCHEMA = "ptxproof.matrix/1"

# Sign of each word, so that the matrix reads without colour.
SIGNS = {
    "correct": "●",
    "assembled": "◐",
    "rejected": "✗",
    "unaskable": "?",
    "unloadable": "⊘",
    "faulted": "‼",
    "hung": "∞",
    "flaky": "≈",
    "wrong": "≠",
}
LEGEND = (
    "  ".join(f"{sign} {word}" for word, sign in SIGNS.items())
    + "  ! behind a sign: disagrees with the manual  ~ waived"
)


@dataclass(frozen=True)
class Grid:
    """One family's cells: a row a case, a column a target and toolchain."""

    family: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def grids(cells: Sequence[Cell]) -> list[Grid]:
    """Return one grid a family, rows and columns in order of first appearance."""
    several = len({cell.seen.toolchain for cell in cells}) > 1
    families = dict.fromkeys(cell.seen.family for cell in cells)
    return [_grid(name, [c for c in cells if c.seen.family == name], several) for name in families]


def cell_text(cell: Cell | None) -> str:
    """Return what a cell says in a table: sign, word, realization and agreement."""
    if cell is None:
        return ""
    seen = cell.seen
    sign = SIGNS[seen.word] + {"agrees": "", "disagrees": "!", "waived": "~"}[seen.agreement]
    return " ".join(part for part in (sign, seen.word, seen.realization or "") if part)


def cell_sign(cell: Cell | None) -> str:
    """Return the least a cell says, where there is no room for words: its sign and whether it disagrees."""
    return cell_text(cell).partition(" ")[0]


def validation_text(cells: Sequence[Cell | None]) -> str:
    """Return where a row's case is validated; rejected cells have nothing to validate."""
    live = [cell for cell in cells if cell and cell.seen.word not in ("rejected", "unaskable")]
    here = [cell.seen.target for cell in live if shows(cell.seen)]
    against = [f"{cell.validation.removesuffix(' here')} on {cell.seen.target}" for cell in live if _contradicts(cell)]
    elsewhere = [target for cell in live for target in cell.validated_on if not _contradicts(cell)]
    validated = list(dict.fromkeys(against + here + elsewhere))
    return ", ".join(validated) if validated else ("unvalidated" if live else "-")


def _contradicts(cell: Cell) -> bool:
    return cell.validation.endswith(" here") and cell.seen.word != "correct"


def to_markdown(cells: Sequence[Cell]) -> str:
    """Return a Markdown table a family, and the legend."""
    parts = [_markdown(grid) for grid in grids(cells)]
    return "\n".join([*parts, LEGEND, ""])


def to_csv(cells: Sequence[Cell]) -> str:
    """Return one line a cell."""
    names = ("case", "family", "opcode", "target", "toolchain", "ptx", "word", "realization", "agreement", "validation")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*names, "opcodes", "diagnostics"))
    for cell in cells:
        data = plain(cell)
        opcodes = " ".join(f"{count}x{name}" for name, count in cell.seen.opcodes.items())
        said = " | ".join(entry.text for entry in cell.seen.diagnostics)
        writer.writerow((*(data[name] or "" for name in names), opcodes, said))
    return out.getvalue()


def to_json_text(cells: Sequence[Cell]) -> str:
    """Return the schema's name and one object a cell."""
    return json.dumps({"schema": SCHEMA, "cells": [plain(cell) for cell in cells]}, indent=1, ensure_ascii=False) + "\n"


def plain(cell: Cell) -> dict[str, Any]:
    """Return a cell as plain data, with every field of the matrix present."""
    empty: dict[str, Any] = {"realization": None, "opcodes": {}, "diagnostics": [], "not_asked": None, "gpu": {}}
    return {**empty, **to_json(cell.seen), "validation": cell.validation, "validated_on": list(cell.validated_on)}


def _grid(family: str, cells: Sequence[Cell], several: bool) -> Grid:
    def column(cell: Cell) -> str:
        return f"{cell.seen.target} {cell.seen.toolchain}" if several else cell.seen.target

    columns = tuple(dict.fromkeys(column(cell) for cell in cells))
    table: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        table.setdefault(cell.seen.case, {})[column(cell)] = cell
    rows = tuple((case, tuple(found.get(name) for name in columns)) for case, found in table.items())
    return Grid(family, columns, rows)


def _markdown(grid: Grid) -> str:
    head = ["case", *grid.columns, "validated"]
    lines = [f"### {grid.family}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for case, cells in grid.rows:
        name = case.removeprefix(f"{grid.family}.")
        texts = [f"`{name}`", *(cell_text(cell) for cell in cells), validation_text(cells)]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join([*lines, ""])
