"""The command line: one subcommand a module of `suite.commands`; a user's errors are one line and exit code 2."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from suite.errors import UsageError

# Order of `--help`. Each module has `HELP`, `arguments(parser)` and `execute(options) -> exit code`.
COMMANDS = (
    *("list", "show", "explain", "sanity", "needs", "run", "matrix", "bundle", "toolchains", "fetch"),
    *("merge", "floor", "compat", "diff", "drift", "export", "answers", "mutants", "report"),
)

EXIT_UNJUDGED = 2  # as argparse's own for bad usage


def main(argv: Sequence[str]) -> int:
    """Run one subcommand; return 0 if all agree, 1 if something disagrees, 2 for bad usage or nothing judged."""
    options = _parser().parse_args(argv)
    try:
        code = int(options.execute(options))
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"ptxproof: {error}", file=sys.stderr)
        return EXIT_UNJUDGED
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is written as Python ends
        return EXIT_UNJUDGED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m suite", description="Which instructions really work on a GPU target."
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for name in COMMANDS:
        module = importlib.import_module(f"suite.commands.{name}")
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.arguments(subparser)
        subparser.set_defaults(execute=module.execute)
    return parser
