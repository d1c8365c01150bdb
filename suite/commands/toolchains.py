"""`toolchains`: the assemblers found on this machine."""

from __future__ import annotations

import argparse

from suite import toolchains
from suite.targets import ALL

HELP = "list the assemblers found, with the highest .version and the targets of each"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options."""


def execute(options: argparse.Namespace) -> int:
    """Print each toolchain, then those that are broken; exit 2 if there is none."""
    found = toolchains.discover()
    for toolchain in found.toolchains:
        known = [target.name for target in ALL if target.name in toolchain.targets]
        print(f"{toolchain.name}  .version {toolchain.ptx[0]}.{toolchain.ptx[1]}  {toolchain.origin}: {toolchain.path}")
        print(f"    {' '.join(known)}")
    for path, reason in found.broken:
        print(f"broken: {path}: {reason}")
    return 0 if found.toolchains else 2
