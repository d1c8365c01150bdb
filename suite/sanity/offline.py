"""Profiles for a target without its GPU: from the assembler and from committed records, and labelled with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suite import pipeline, toolchains, waivers
from suite.limits import SHARED_OPT_IN
from suite.model import Observation
from suite.pipeline import Run, Tally
from suite.progress import Progress
from suite.sanity import profiles
from suite.sanity.assemblers import described
from suite.sanity.check import finding, newest_ptx
from suite.sanity.model import Report
from suite.sanity.profiles import Profile
from suite.selection import Selection
from suite.targets import Target
from suite.toolchains import Toolchain

_BROKEN = ("unloadable", "faulted", "hung", "flaky", "wrong")
_CLUSTERS_FROM, _PORTABLE = (9, 0), 8  # Source: CUDA C++ Programming Guide, thread block clusters


@dataclass(frozen=True)
class Seen:
    """What committed records say: where each (case, kernel) was correct, and the cells of some target."""

    correct: Mapping[tuple[str, str], tuple[str, ...]]
    cells: Sequence[Observation]


def check(needs: Sequence[Profile], target: Target, toolchain: Toolchain, seen: Seen, shown: Progress) -> Report:
    """Return the answers of the profiles for a target. Raises `UsageError` where the toolchain does not know it."""
    toolchains.require_target(toolchain, target)
    cells = {cell.case: cell for cell in _cells(needs, target, toolchain, shown)}
    told = {case: _told(cell, target, seen) for case, cell in cells.items()}
    limits = {
        "shared": SHARED_OPT_IN.get(target.capability),
        "cluster": _PORTABLE if target.capability >= _CLUSTERS_FROM else 1,
        "toolchain": newest_ptx([described(toolchain)], target.name),
    }
    known = {name: value for name, value in limits.items() if value is not None}
    hardware = sum(bool(entry) for entry in told.values())
    recorded = f"{hardware} of {len(told)} cases in committed records"
    level = f"assembled by {toolchain.name} for {target}; {recorded}; no GPU asked"
    report = Report("offline", target=target.name)
    for profile in needs:
        answer = profiles.answer(profile, profiles.Facts(cells, known, level, on_hardware=False, more=told))
        report.profiles.append({**answer, "where": target.name})
        report.findings.append(finding(answer, target.name))
    return report


def _cells(needs: Sequence[Profile], target: Target, toolchain: Toolchain, shown: Progress) -> list[Observation]:
    found: list[Observation] = []
    selection = Selection(profiles.cases(needs), (target,), (toolchain,))
    tally = Tally()
    run = Run(waivers.load(), found.append, shown, tally, None, "none was asked")
    pipeline.ask(run, pipeline.assembled(selection, tally, shown, run.runs))
    return found


def _told(cell: Observation, target: Target, seen: Seen) -> str:
    """Return what records add: `refuted …` where this very kernel failed on this target, or where it was correct."""
    for other in seen.cells:
        if (other.case, other.kernel, other.target) == (cell.case, cell.kernel, target.name) and other.word in _BROKEN:
            return f"refuted: {other.word} on {other.target} in a committed record"
    where = seen.correct.get((cell.case, cell.kernel), ())
    return f"correct on {', '.join(where)} in committed records" if where else ""
