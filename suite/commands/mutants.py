"""`mutants`: which input family finds which wrong machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from suite.numerics import mutation
from suite.numerics.mutants import MUTANTS

HELP = "show which numeric inputs find which wrong arithmetic, layout or harness fault (takes half a minute)"

HEAD = """# Faults and the inputs that find them

`python -m suite mutants --format markdown` prints this page; `tests/test_mutants.py` holds it against the code. A row
is a machine that is wrong in one way; a cell says on how many of the units that can have the fault an input family
shows it. Every fault is found on every unit by some family, or the tests fail. *small integers* is what matrix products
are usually tested with.
"""
UNITS = "\nUnits: {}.\n"
TAIL = """
The same permutation of K in A and in B is no fault where one step takes all products ({same}); it shows, and is found,
where steps are chained ({chained}).
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--format", choices=("markdown",), default="markdown", help="how it is printed")


def execute(options: argparse.Namespace) -> int:
    """Print the table; exit 1 if a mutant survives on some unit."""
    print(document(), end="")
    survivors = [m.name for m in MUTANTS if not all(mutation.killers(m, name) for name in mutation.affected(m))]
    return 1 if survivors else 0


def document() -> str:
    """Return the page: what it is, the table, the units, and the permutation that is none."""
    seen = mutation.invariance()
    named = {
        "same": ", ".join(name for name, families in seen.items() if not families),
        "chained": ", ".join(name for name, families in seen.items() if families),
    }
    return HEAD + "\n" + _table() + UNITS.format("; ".join(mutation.UNITS)) + TAIL.format(**named)


def _table() -> str:
    columns = list(dict.fromkeys(family for name in mutation.UNITS for family in mutation.tried(name).inputs))
    lines = [_line(["fault", "kind", *columns]), _line(["---"] * (len(columns) + 2))]
    for mutant, by_unit in mutation.matrix().items():
        cells = [_cell(family, by_unit) for family in columns]
        lines.append(_line([mutant.name, mutant.kind, *cells]))
    return "".join(lines)


def _cell(family: str, by_unit: dict[str, list[str]]) -> str:
    """Return on how many of the units that take the family and can have the fault it shows; empty where on none."""
    taking = [name for name in by_unit if family in mutation.tried(name).inputs]
    found = sum(family in by_unit[name] for name in taking)
    return f"{found}/{len(taking)}" if found else ""


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"
