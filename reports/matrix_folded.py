"""The matrix short enough to paste: one row for cases of a form that say the same in every column."""

from __future__ import annotations

from collections.abc import Sequence

from reports.cells import Cell
from reports.folding import describe, form_of
from reports.matrix import LEGEND, Grid, cell_text, grids, validation_text
from reports.tables import cell as escaped

Cells = tuple[Cell | None, ...]


def to_folded(cells: Sequence[Cell]) -> str:
    """Return a Markdown table a family, rows folded, and the legend."""
    return "\n".join([*map(_markdown, grids(cells)), LEGEND, ""])


def _markdown(grid: Grid) -> str:
    head = ["form", "cases", *grid.columns, "validated"]
    lines = [f"### {grid.family}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    forms: dict[str, list[tuple[str, Cells]]] = {}
    for case, cells in grid.rows:
        forms.setdefault(form_of(case), []).append((case, cells))
    for form, rows in forms.items():
        lines += [_line(form.removeprefix(f"{grid.family}."), *row) for row in _folded(rows)]
    return "\n".join([*lines, ""])


def _folded(rows: Sequence[tuple[str, Cells]]) -> list[tuple[str, tuple[str, ...]]]:
    """Return what each group of rows is about, and what its cells and its validation say."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for case, cells in rows:
        alike.setdefault((*map(cell_text, cells), validation_text(cells)), []).append(case)
    among = [case for case, _ in rows]
    return [(describe(cases, among), said) for said, cases in alike.items()]


def _line(form: str, cases: str, said: Sequence[str]) -> str:
    return "| " + " | ".join([f"`{form}`", *map(escaped, (cases, *said))]) + " |"
