"""The matrix on a terminal: a table a form, the counts by family and target, and what was not asked."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.cells import Cell
from reports.matrix import LEGEND, Grid, cell_sign, cell_text, grids, validation_text
from suite.model import REALIZATIONS, WORDS

if TYPE_CHECKING:  # where bundles run, only numpy and cuda-python are installed
    from rich.table import Table

GROUPS_SHOWN = 400  # rows of the summary up to which each family has its own
PIPE_WIDTH = 200  # columns of a log or pipe, which does not wrap
_VALIDATED = 14  # columns of the last one
_STYLES = {"●": "green", "◐": "cyan", "✗": "dim", **dict.fromkeys("?⊘‼∞≈≠", "red")}

_NAMES = ("cases", *WORDS, *REALIZATIONS, "disagrees", "waived")

Groups = Mapping[tuple[str, str, str], Counter[str]]
Row = tuple[str, tuple[Cell | None, ...]]


def show(cells: Sequence[Cell]) -> None:
    """Print a table a form, then the summary by family and target, then the legend."""
    show_rows(cells)
    show_summary(counts(cells))


def show_rows(cells: Sequence[Cell]) -> None:
    """Print a table a form; nothing where `rich` is not installed."""
    console, width = _console()
    for grid in grids(cells) if console else ():
        for form, rows in _forms(grid).items():
            console.print(_table(grid, form, rows, width))


def show_summary(groups: Groups) -> None:
    """Print the counts by family and target, and the legend; of a sweep the counts by target alone."""
    console, _ = _console()
    groups = groups if len(groups) <= GROUPS_SHOWN else _by_target(groups)
    if console is None:
        print(plain_summary(groups))
        return
    console.print(_summary(groups))
    console.print(LEGEND, style="dim")


def _by_target(groups: Groups) -> Groups:
    """Return the counts of all families together."""
    found: dict[tuple[str, str, str], Counter[str]] = {}
    for (toolchain, _, target), group in groups.items():
        found.setdefault((toolchain, "all", target), Counter()).update(group)
    return found


def counts(cells: Iterable[Cell]) -> Groups:
    """Return the counts of cases, words, realizations and agreements by toolchain, family and target."""
    groups: dict[tuple[str, str, str], Counter[str]] = {}
    for cell in cells:
        seen = cell.seen
        said = filter(None, ("cases", seen.word, seen.realization, seen.agreement))
        groups.setdefault((seen.toolchain, seen.family, seen.target), Counter()).update(said)
    return groups


def plain_summary(groups: Groups) -> str:
    """Return the counts by family and target, as plain lines."""
    return "\n".join(
        f"{family} {target} {toolchain}: " + ", ".join(f"{group[name]} {name}" for name in _NAMES if group[name])
        for (toolchain, family, target), group in groups.items()
    )


def not_asked_lines(not_asked: Mapping[tuple[str, str], int]) -> list[str]:
    """Return a line for each stage and reason that kept cases from being asked further."""
    return [f"{stage}: {count} cases not run: {reason}" for (stage, reason), count in sorted(not_asked.items())]


def _forms(grid: Grid) -> dict[str, list[Row]]:
    forms: dict[str, list[Row]] = {}
    for case, cells in grid.rows:
        forms.setdefault(case.partition(":")[0], []).append((case, cells))
    return forms


def _parameters(case: str) -> dict[str, str]:
    """Return the parameters that a case's id spells."""
    return dict(part.split("=", 1) for part in case.partition(":")[2].split(",") if part)


def _table(grid: Grid, form: str, rows: Sequence[Row], width: int) -> Table:
    """Return a form's table: what all its cases share in the title, what varies in columns of its own.

    Where the words do not fit the width, cells are signs.
    """
    parameters = [_parameters(case) for case, _ in rows]
    varying = [name for name in parameters[0] if len({p.get(name) for p in parameters}) > 1]
    shared = " ".join(f"{name}={value}" for name, value in parameters[0].items() if name not in varying)
    table = _plain_table(f"{form}  {shared}  ({len(rows)} cases)", [*varying, *grid.columns, "validated"])
    fixed = sum(max(len(p.get(name, "")) for p in parameters) + 3 for name in varying)
    words = sum(max(len(cell_text(cells[i])) for _, cells in rows) + 3 for i in range(len(grid.columns)))
    say = cell_text if fixed + words + _VALIDATED <= width else cell_sign
    for (_, cells), values in zip(rows, parameters, strict=True):
        texts = [say(cell) for cell in cells]
        styled = [f"[{_STYLES[text[0]]}]{text}[/]" if text else "" for text in texts]
        table.add_row(*(values.get(name, "") for name in varying), *styled, validation_text(cells))
    return table


def _console() -> tuple[Any, int]:
    """Return a console, None where `rich` is not installed, and its width."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    try:
        from rich.console import Console
    except ImportError:
        return None, width
    return Console(highlight=False, width=width), width


def _summary(groups: Groups) -> Table:
    """Return the counts by family and target, of several toolchains by those too; what nothing shows is left out."""
    names = [name for name in _NAMES if any(group[name] for group in groups.values())]
    several = len({toolchain for toolchain, _, _ in groups}) > 1
    table = _plain_table("by family and target", [*(["toolchain"] if several else []), "family", "target", *names])
    for (toolchain, family, target), group in groups.items():
        place = [toolchain] if several else []
        table.add_row(*place, family, target, *(str(group[name] or "") for name in names))
    return table


def _plain_table(title: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:  # only the last gives way where room is short
        table.add_column(name, no_wrap=name != "validated", overflow="fold")
    return table
