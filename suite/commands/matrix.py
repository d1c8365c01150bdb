"""`matrix`: the capability matrix of any set of records."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from reports import cells, matrix, matrix_folded, measured, summary, terminal
from reports.cells import Cell
from reports.columns import Columns, Key
from suite.commands.diff import matching, named
from suite.errors import UsageError
from suite.record import Record, read

HELP = "print the capability matrix of records (default: the committed ones)"
FORMATS = {
    "markdown": matrix_folded.to_folded,
    "cases": matrix.to_markdown,
    "csv": matrix.to_csv,
    "json": matrix.to_json_text,
    "measured": measured.to_measured,
}
COUNTS = {"summary": summary.to_summary, "counts": summary.to_counts}  # of cells one by one, which are not held


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="*", type=Path, metavar="RECORD", help="record files")
    parser.add_argument(
        "--format",
        choices=("table", *FORMATS, *COUNTS),
        default="table",
        help="markdown: cases that say the same in one row; cases: a row a case; summary: counts by family and target; "
        "counts: what is accepted, families by targets; measured: what was read off the matrix units",
    )
    add_filters(parser)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add --family, --targets, --toolchain and --case."""
    parser.add_argument("--family", metavar="F[,F...]", help="only these families, as mma_sync")
    parser.add_argument("--targets", metavar="T[,T...]", help="only these targets, as sm_100a,sm_121a")
    parser.add_argument("--toolchain", action="append", metavar="NAME", help="only these toolchains, as 13.5")
    parser.add_argument("--case", action="append", metavar="GLOB", help="only cases whose id matches")


def execute(options: argparse.Namespace) -> int:
    """Print the matrix; exit 1 where a cell disagrees with the manual."""
    known = cells.committed()
    records = [read(path) for path in options.records] or known
    if not records:
        raise UsageError("there are no committed records; name one, such as build/matrix/record.jsonl")
    disagrees = False

    def noted() -> Iterator[Cell]:
        nonlocal disagrees
        for cell in chosen(options, records, known):
            disagrees = disagrees or cell.seen.agreement == "disagrees"
            yield cell

    if options.format in COUNTS:
        print(COUNTS[options.format](noted()), end="")
    elif options.format == "table":
        terminal.show(list(noted()))
        report_gaps(records)
    else:
        print(FORMATS[options.format](list(noted())), end="")
    return 1 if disagrees else 0


def chosen(options: argparse.Namespace, records: Sequence[Record], known: Sequence[Record]) -> Iterator[Cell]:
    """Return the merged cells that the filters leave, a column at a time.

    Raises `UsageError` for a family, target, toolchain or case that no record holds.
    """
    keys = Columns(records).keys
    toolchains = [named(spelled, sorted({key.toolchain for key in keys})) for spelled in options.toolchain or ()]
    targets = [name.strip() for name in (options.targets or "").split(",") if name.strip()]
    there = {key.target for key in keys}
    if set(targets) - there:
        raise UsageError(f"no cell of these records is of {sorted(set(targets) - there)[0]}; see `matrix` without it")
    families = [f"{name.strip()}.*" for name in (options.family or "").split(",") if name.strip()]

    def wanted(key: Key) -> bool:
        return (not targets or key.target in targets) and (not toolchains or key.toolchain in toolchains)

    in_family, in_case = matching(families), matching(options.case)
    validated = cells.validations([*known, *records])
    found = cells.stream(
        records, validated, wanted, lambda case: all(keep is None or keep(case) for keep in (in_family, in_case))
    )
    first = next(found, None)
    if first is None:
        raise UsageError("no cell of these records matches --family, --case and the other filters together")
    return chain([first], found)


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
        for name, suffix in (("cases", "md"), ("csv", "csv"), ("json", "json")):
            (folder / f"matrix.{suffix}").write_text(FORMATS[name](merged), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the matrix into {folder}: {error.strerror}; the record is kept") from None
