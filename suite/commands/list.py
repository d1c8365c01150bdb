"""`list`: the expanded catalogue."""

from __future__ import annotations

import argparse
import json
from typing import Any

from suite.catalogue import select
from suite.probe import Case

HELP = "list the cases of the catalogue"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--case", action="append", metavar="GLOB", help="only cases whose id matches")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, with opcode, instruction and claim"
    )


def execute(options: argparse.Namespace) -> int:
    """Print one case a line."""
    for case in select(tuple(options.case or ())):
        print(json.dumps(describe(case)) if options.json else case.id)
    return 0


def describe(case: Case) -> dict[str, Any]:
    """Return what the catalogue says of a case, as plain data."""
    claim = case.claim
    return {
        "case": case.id,
        "family": case.family,
        "opcode": case.opcode,
        "instruction": case.instruction,
        "parameters": dict(case.params),
        "claim": {
            "targets": [target.name for target in sorted(claim.targets)],
            "ptx": f"{claim.ptx[0]}.{claim.ptx[1]}",
            "section": claim.section,
        },
    }
