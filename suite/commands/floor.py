"""`floor`: the lowest .version that takes each case, beside the claimed one."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from suite import progress, selection
from suite.claims import PtxVersion
from suite.floor import floors

HELP = "show the lowest .version at which an assembler takes each case, beside the one the manual claims"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.add_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a case, also where both are the same")


def execute(options: argparse.Namespace) -> int:
    """Print the cases whose floor is not the claimed one; exit 1 if an assembler asks for more than the manual says."""
    chosen = selection.resolve(options.arch, options.toolchain, options.case, None)
    counts: Counter[str] = Counter()
    for toolchain in chosen.toolchains:
        for target in chosen.targets:
            for floor in floors(chosen.cases, toolchain, target, progress.for_terminal()):
                counts[floor.relation] += 1
                claimed, accepted = _text(floor.claimed), _text(floor.accepted)
                if options.json:
                    where = {"target": target.name, "toolchain": toolchain.name, "relation": floor.relation}
                    print(json.dumps({"case": floor.case, **where, "claimed": claimed, "accepted": accepted}))
                elif floor.relation != "same":
                    print(f"{floor.relation}: {floor.case}@{target}: claimed {claimed}, accepted {accepted}")
    if not options.json:
        print(", ".join(f"{count} {relation}" for relation, count in counts.items()))
    return 1 if counts["higher"] or counts["never"] else 0


def _text(version: PtxVersion | None) -> str:
    return f"{version[0]}.{version[1]}" if version else "-"
