"""`fetch`: one ptxas of each minor release, from PyPI into the cache."""

from __future__ import annotations

import argparse

from suite.fetch import RELEASES, fetch

HELP = "fetch one ptxas of each minor release from 12.8 on, from PyPI into the cache folder"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("release", nargs="*", metavar="RELEASE", help=f"only these; default {' '.join(RELEASES)}")


def execute(options: argparse.Namespace) -> int:
    """Fetch what is not there yet, and print where each is."""
    for release in options.release or RELEASES:
        print(f"ptxas {release}: {fetch(release)}", flush=True)
    return 0
