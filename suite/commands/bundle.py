"""`bundle`: assemble here, run there."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite import bundle, pipeline, progress, selection
from suite.pipeline import Tally
from suite.session import local_device

HELP = "pack cubins and launch facts for a GPU machine without assembler or network"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.add_options(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the bundle to write")


def execute(options: argparse.Namespace) -> int:
    """Assemble, pack, and say how to run it."""
    chosen = selection.resolve(options.arch, options.toolchain, options.case, local_device()[0])
    tally = Tally()
    groups = pipeline.assembled(chosen, tally, progress.for_terminal(), lambda target: True)
    count = bundle.write(options.output, list(groups))
    for (stage, reason), cases in tally.not_asked.items():
        print(f"{stage}: {cases} cases not packed: {reason}")
    print(f"{options.output}: {count} cells; there: python -m suite run --bundle {options.output.name} --record FILE")
    return 0
