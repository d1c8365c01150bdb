"""The matrix on a terminal: a table a family, the counts, and what was not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from reports.cells import Cell
from reports.matrix import LEGEND, Grid, cell_text, grids, validation_text
from suite.model import WORDS

_STYLES = {"●": "green", "◐": "cyan", "✗": "dim", "?": "red", "⊘": "red", "‼": "red", "∞": "red", "≠": "red"}


def show(cells: Sequence[Cell]) -> None:
    """Print a table a family, then the summary by family, then the legend."""
    try:
        from rich.console import Console
    except ImportError:  # only numpy and cuda-python are installed where bundles run
        print(plain_summary(cells))
        return
    console = Console(highlight=False)
    for grid in grids(cells):
        console.print(_table(grid))
    console.print(_summary(cells))
    console.print(LEGEND, style="dim")


def plain_summary(cells: Sequence[Cell]) -> str:
    """Return the counts of words by family and target, as plain lines."""
    counts = Counter((cell.seen.family, cell.seen.target, cell.seen.word) for cell in cells)
    return "\n".join(f"{family} {target}: {count} {word}" for (family, target, word), count in counts.items())


def not_asked_lines(not_asked: Mapping[tuple[str, str], int]) -> list[str]:
    """Return a line for each stage and reason that kept cases from being asked further."""
    return [f"{stage}: {count} cases not run: {reason}" for (stage, reason), count in sorted(not_asked.items())]


def _table(grid: Grid) -> object:
    from rich.table import Table

    table = Table(title=f"{grid.family} ({len(grid.rows)} cases)", title_justify="left", pad_edge=False)
    table.add_column("case", overflow="fold")
    for name in grid.columns:
        table.add_column(name, no_wrap=True)
    table.add_column("validated", no_wrap=True)
    for case, cells in grid.rows:
        texts = [cell_text(cell) for cell in cells]
        styled = [f"[{_STYLES.get(text[:1], 'default')}]{text}[/]" if text else "" for text in texts]
        table.add_row(case.removeprefix(f"{grid.family}."), *styled, validation_text(cells))
    return table


def _summary(cells: Sequence[Cell]) -> object:
    from rich.table import Table

    table = Table(title="by family and target", title_justify="left", pad_edge=False)
    for name in ("family", "target", "cases", *WORDS, "native", "emulated", "call", "elided", "disagrees", "waived"):
        table.add_column(name, justify="left" if name in ("family", "target") else "right")
    for family, target in dict.fromkeys((c.seen.family, c.seen.target) for c in cells):
        group = [c.seen for c in cells if (c.seen.family, c.seen.target) == (family, target)]
        words = Counter(seen.word for seen in group)
        means = Counter(seen.realization for seen in group)
        ends = Counter(seen.agreement for seen in group)
        counts = [*(words[w] for w in WORDS), *(means[m] for m in ("native", "emulated", "call", "elided"))]
        figures = [str(n or "") for n in (len(group), *counts, ends["disagrees"], ends["waived"])]
        table.add_row(family, target, *figures)
    return table
