"""`compat`: PTX of which targets assembles for which."""

from __future__ import annotations

import argparse

from suite import selection, toolchains
from suite.compat import Pair, pairs

HELP = "show which targets' PTX an assembler takes for which targets (the base, a and f rules, as measured)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--arch", action="append", metavar="T[,T...]", help="default: all")
    parser.add_argument("--toolchain", metavar="NAME", help="default: the newest ptxas found")


def execute(options: argparse.Namespace) -> int:
    """Print a Markdown table: a row a source, a column a target; the cell says ✓ or the class of the refusal."""
    toolchain = toolchains.resolve([options.toolchain] if options.toolchain else [])[0]
    found = pairs(toolchain, selection.targets_of(options.arch or ["all"]))
    columns = list(dict.fromkeys(pair.target for pair in found))
    print(f"PTX for the row's target, assembled for the column's by {toolchain.name}\n")
    print("| .target | " + " | ".join(str(target) for target in columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for source in columns:
        said = [_say(pair) for pair in found if pair.source == source]
        print(f"| {source} | " + " | ".join(said) + " |")
    return 0


def _say(pair: Pair) -> str:
    return "✓" if pair.accepted else {"family_mismatch": "·"}.get(pair.kind, pair.kind)
