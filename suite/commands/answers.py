"""`answers`: what the field claims, settled by records."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from reports import cells
from reports.answers import claims, page
from reports.answers.settle import settle
from suite.commands.diff import find_records, write

HELP = "settle what the field claims by records: confirmed, refuted or open, at which level of evidence"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "records", nargs="*", type=Path, metavar="RECORD", help="records or folders of them (default: the committed)"
    )
    parser.add_argument("--claim", action="append", type=int, metavar="NUMBER", help="only this claim")
    parser.add_argument("--format", choices=("markdown", "json"), default="markdown")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write there instead of printing")


def execute(options: argparse.Namespace) -> int:
    """Print or write the answers; exit 0, for a refuted claim is an answer as good as any."""
    records = [record for path in options.records for record in find_records(path)] or cells.committed()
    chosen = [claim for claim in claims.load() if not options.claim or claim.number in options.claim]
    settled = settle(chosen, records)
    if options.format == "json":
        text = json.dumps(page.to_data(settled), indent=1, ensure_ascii=False) + "\n"
    else:
        text = page.to_markdown(settled, records)
    if options.output:
        write(options.output, text)
    else:
        print(text, end="")
    return 0
