"""`matrix`: the capability matrix of any set of records."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from reports import cells, matrix, summary, terminal
from reports.cells import Cell
from suite.errors import UsageError
from suite.record import Record, read

HELP = "print the capability matrix of records (default: the committed ones)"
FORMATS = {
    "markdown": matrix.to_markdown,
    "csv": matrix.to_csv,
    "json": matrix.to_json_text,
    "summary": summary.to_summary,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="*", type=Path, metavar="RECORD", help="record files")
    parser.add_argument("--format", choices=("table", *FORMATS), default="table")


def execute(options: argparse.Namespace) -> int:
    """Print the matrix; exit 1 where a cell disagrees with the manual."""
    known = cells.committed()
    records = [read(path) for path in options.records] or known
    if not records:
        raise UsageError("there are no committed records; name one, such as build/matrix/record.jsonl")
    merged = cells.merge(records, cells.validations([*known, *records]))
    if options.format == "table":
        terminal.show(merged)
        report_gaps(records)
    else:
        print(FORMATS[options.format](merged), end="")
    return 1 if any(cell.seen.agreement == "disagrees" for cell in merged) else 0


def report_gaps(records: Sequence[Record]) -> None:
    """Print what the records did not ask, and which of them were cut short."""
    for record in records:
        for line in terminal.not_asked_lines(record.not_asked):
            print(line)
        if not record.complete:
            print(f"{record.path} was cut short: {len(record.cells)} cells are all it holds")


def write(folder: Path, merged: Sequence[Cell]) -> None:
    """Write matrix.md, matrix.csv and matrix.json into a folder. Raises `UsageError` where it cannot."""
    try:
        for name, suffix in (("markdown", "md"), ("csv", "csv"), ("json", "json")):
            (folder / f"matrix.{suffix}").write_text(FORMATS[name](merged), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the matrix into {folder}: {error.strerror}; the record is kept") from None
