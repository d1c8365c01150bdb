"""`export`: the compact table behind `supports(target, opcode, toolkit=…)`, for other projects."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from reports import cells
from reports.export import forms, table
from suite.commands.diff import find_records
from suite.errors import UsageError

HELP = "write what each target has, by opcode and toolchain: JSON, CSV, Markdown, Parquet, or a Python module to vendor"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "records", nargs="*", type=Path, metavar="RECORD", help="records or folders of them (default: the committed)"
    )
    parser.add_argument("--format", choices=tuple(forms.FORMS), required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="what to write")


def execute(options: argparse.Namespace) -> int:
    """Write the export and say what it holds."""
    known = cells.committed()
    records = [record for path in options.records for record in find_records(path)] or known
    if not any(len(record.cells) for record in records):
        raise UsageError("no record with cells; name one, such as build/sweep/record.jsonl")
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    built = table.build(records, cells.validations([*known, *records]), made)
    data = forms.FORMS[options.format](built)
    try:
        options.output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {options.output}: {error.strerror}") from None
    count = len(built["opcodes"]), len(built["columns"])
    print(f"{options.output}: {count[0]} opcodes, {count[1]} columns of toolchain and target, {len(data)} bytes")
    return 0
