"""What was read off the hardware of its matrix units, beside what is known of them, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reports.cells import Cell

_READ = ("F", "L", "c bits", "rounding", "e_zero", "nan", "-0 gives")
_HEAD = ("form", "target", "toolchain", "verdict", "model", *_READ, "expected where it differs", "cases")
NONE = "No record of these cells has a numeric round.\n"


def to_measured(cells: Iterable[Cell]) -> str:
    """Return a row for each form, target, model and set of measured parameters, with the number of its cases.

    A parameter that no golden dot of the form shows is left empty. Source of the rest: the records' `gpu.numeric`.
    """
    rows = Counter(_row(cell) for cell in cells if "numeric" in cell.seen.gpu)
    if not rows:
        return NONE
    lines = [_line(_HEAD), "|" + " --- |" * len(_HEAD)]
    lines += [_line((*row, str(count))) for row, count in sorted(rows.items())]
    return "\n".join([*lines, ""])


def _row(cell: Cell) -> tuple[str, ...]:
    seen, numeric = cell.seen, cell.seen.gpu["numeric"]
    measured, expected = numeric.get("measured", {}), numeric.get("expected", {})
    differs = ", ".join(f"{name} {expected[name]}" for name in expected if expected[name] != measured.get(name))
    form = seen.case.partition(":")[0]
    read = (str(measured.get(name, "")) for name in _READ)
    return (form, seen.target, seen.toolchain, numeric["verdict"], numeric["model"], *read, differs)


def _line(parts: Iterable[str]) -> str:
    return "| " + " | ".join(parts) + " |"
