"""`drift`: what changed between two toolchains."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from reports.drift import KINDS, drift
from suite.errors import UsageError
from suite.record import read

HELP = "show what changed between two toolchains in records: lost, new, realization, diagnostic, code"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    parser.add_argument("--before", required=True, metavar="TOOLCHAIN", help="as in the record: 'ptxas 12.9.86'")
    parser.add_argument("--after", required=True, metavar="TOOLCHAIN")
    parser.add_argument("--json", action="store_true")


def execute(options: argparse.Namespace) -> int:
    """Print the changes; exit 1 if anything that was accepted no longer is."""
    cells = [cell for path in options.records for cell in read(path).cells]
    known = {cell.toolchain for cell in cells}
    for name in (options.before, options.after):
        if name not in known:
            raise UsageError(f"no cell of these records is from {name!r}; they are from {', '.join(sorted(known))}")
    changes = drift(cells, options.before, options.after)
    for change in changes:
        where = f"{change.case}@{change.target}"
        text = f"{change.kind}: {where}: {change.before} -> {change.after}"
        print(json.dumps(asdict(change)) if options.json else text)
    counts = Counter(change.kind for change in changes)
    if not options.json:
        print(", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "nothing changed")
    return 1 if counts["lost"] else 0
