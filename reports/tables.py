"""Tables of texts, as Markdown or on a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PIPE_WIDTH = 200  # columns of a log or pipe, which does not wrap


@dataclass(frozen=True)
class Table:
    """A title, what stands under it, and rows under their head."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    text: str = ""


def to_markdown(tables: Iterable[Table]) -> str:
    """Return the tables as Markdown, a heading each."""
    return "\n".join(line for table in tables for line in _markdown(table))


def show(tables: Iterable[Table]) -> None:
    """Print the tables; as Markdown where `rich` is not installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table as Rich
    except ImportError:
        print(to_markdown(tables))
        return

    class Piped(Console):
        """A console that leaves a closed pipe to the command line: rich would exit 1, which means a loss here."""

        def on_broken_pipe(self) -> None:
            """Raise `BrokenPipeError`."""
            raise BrokenPipeError

    console = Piped(highlight=False, width=None if sys.stdout.isatty() else max(PIPE_WIDTH, _columns()))
    for table in tables:
        shown = Rich(title=escape(table.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for name in table.head:
            shown.add_column(escape(name), overflow="fold")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown if table.rows else f"[bold]{escape(table.title)}[/]")
        if table.text:
            console.print(escape(table.text))


def _columns() -> int:
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def _markdown(table: Table) -> list[str]:
    lines = [f"## {table.title}", ""] + ([table.text, ""] if table.text else [])
    if table.rows:
        lines += ["| " + " | ".join(table.head) + " |", "|" + " --- |" * len(table.head)]
        lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table.rows] + [""]
    return lines


def cell(text: str) -> str:
    """Return a text as it can stand in a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())
