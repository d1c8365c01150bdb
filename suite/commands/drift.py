"""`drift`: what changed between two toolchains; `diff --toolchain X --toolchain Y` by another word."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands import diff

HELP = "show what changed between two toolchains in records: diff --toolchain BEFORE --toolchain AFTER"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    parser.add_argument("--before", required=True, metavar="TOOLCHAIN", help="as in the record: 'ptxas 12.9.86'")
    parser.add_argument("--after", required=True, metavar="TOOLCHAIN")
    parser.add_argument("--json", action="store_true")


def execute(options: argparse.Namespace) -> int:
    """Print the changes; exit 1 if anything that worked no longer does."""
    style = "json" if options.json else "table"
    compared = [options.before, options.after]
    chosen = argparse.Namespace(
        records=options.records, target=None, toolchain=compared, case=None, format=style, output=None
    )
    return diff.execute(chosen)
