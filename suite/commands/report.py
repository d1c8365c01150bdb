"""`report`: the page, and the picture, of any set of records."""

from __future__ import annotations

import argparse
from pathlib import Path

from reports import cells
from suite.errors import UsageError
from suite.record import read

HELP = "write the page of records (default: the committed ones): one HTML file that needs no network"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="*", type=Path, metavar="RECORD", help="record files")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page; default build/report.html")
    parser.add_argument(
        "--sass", action="append", metavar="T[,T...]", help="put the machine code of these targets in, assembled anew"
    )
    parser.add_argument(
        "--picture", type=Path, action="append", metavar="FILE", help="a heat map, families by targets: .svg or .png"
    )
    parser.add_argument("--toolchain", metavar="NAME", help="of the picture; default the one with most cells")


def execute(options: argparse.Namespace) -> int:
    """Write what was asked for and say where it lies; the picture alone where no page is named."""
    known = cells.committed()
    committed = {record.path.resolve(): record for record in known}
    records = [committed.get(path.resolve()) or read(path) for path in options.records] or known
    if not records:
        raise UsageError("there are no committed records; name one, such as build/matrix/record.jsonl")
    if options.output or not options.picture:
        from reports.page.build import build  # only a page needs the catalogue

        names = tuple(part.strip() for value in options.sass or () for part in value.split(","))
        text = build(records, known, sass=names)
        _write(options.output or Path("build/report.html"), text.encode())
    if options.picture:
        from reports.picture import draw  # a plotting library takes a second to import

        for path in options.picture:
            _write(path, draw(records, path.suffix, options.toolchain))
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    print(f"{path}: {len(content) / 1e6:.1f} MB")
