"""Step `instructions`: the packed cases on one GPU, through the ordinary pipeline; every cell is given as it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from suite import bundle, pipeline, waivers
from suite.crew import processes
from suite.execute import Executor
from suite.gpu_device import devices
from suite.launch import GpuUnhealthy
from suite.model import Observation
from suite.pipeline import Group, Run, Tally
from suite.progress import Silent
from suite.record import from_json, to_json
from suite.sanity.model import Finding, Ran
from suite.sanity.steps import Emit
from suite.targets import native

NOTHING = "no code was assembled or packed"  # why the step is skipped

# Words of a GPU that does not do what it was asked, and how they read.
_BROKEN = {
    "wrong": "ran and gave wrong bits",
    "flaky": "gave other bits in another run",
    "faulted": "faulted",
    "hung": "hung",
    "unloadable": "is refused by the driver",
}


def run(emit: Emit, index: str, packed: str, level: str = "quick") -> None:
    """Give each cell of the bundle's groups for this GPU's own target."""
    device = next(device for device in devices() if device.index == int(index))
    target = native(device.capability)

    def add(cell: Observation) -> None:
        emit("cell", to_json(cell))
        emit.begin(f"the case after {cell.case}")

    run = Run(waivers.load(), add, Silent(), Tally(), Executor(device, processes() if level == "full" else 0))
    emit.begin("starting the GPU's process")
    try:
        pipeline.ask(run, (group for group in bundle.read(Path(packed)).groups() if group.target == target))
    except GpuUnhealthy as error:
        emit("unhealthy", str(error))


def packed_for(path: Path) -> tuple[list[Group], list[str]]:
    """Return a bundle's groups and the targets they are for. Raises `UsageError` for a file that is no bundle."""
    groups = list(bundle.read(path).groups())
    return groups, [group.target.name for group in groups]


def cells(ran: Ran) -> list[Observation]:
    """Return the cells that the step gave, also where it was cut short."""
    return [from_json(value) for value in ran.values("cell")]


def judge(ran: Ran, expected: int) -> list[Finding]:
    """Return what the cells of one GPU say of it; `expected` is how many there should be."""
    seen = cells(ran)
    found = [_finding(cell, ran.where) for cell in seen if cell.agreement == "disagrees"]
    unhealthy = ran.value("unhealthy")
    if unhealthy:
        found.append(
            Finding(
                "unfit",
                "gpu-unhealthy",
                f"the GPU fails what it should do well: {unhealthy}",
                (),
                "look for Xid errors (dmesg), reset the GPU or take it out of service",
                ran.where,
            )
        )
    elif (ran.status == "done" and not expected) or (ran.status == "skipped" and ran.said == NOTHING):
        found.append(
            Finding(
                "unjudged",
                "instructions-not-asked",
                "no instruction was asked of this GPU",
                (),
                "install ptxas (nvidia-cuda-nvcc), or give --bundle FILE packed elsewhere",
                ran.where,
            )
        )
    elif ran.status == "done" and len(seen) < expected:
        found.append(
            Finding(
                "unjudged",
                "instructions-incomplete",
                f"{len(seen)} of {expected} cases answered",
                (),
                "repeat with --level full",
                ran.where,
            )
        )
    return found + _not_run(seen, ran.where)


def _finding(cell: Observation, where: str) -> Finding:
    evidence = (f"{cell.case}@{cell.target} with {cell.toolchain}: {cell.word} {cell.gpu or ''}".strip(), *_said(cell))
    repeat = f"python -m suite show '{cell.case}@{cell.target}'"
    if cell.word in _BROKEN:
        name = {"wrong": "wrong-bits", "flaky": "wrong-bits", "hung": "instruction-hung"}.get(
            cell.word, f"instruction-{cell.word}"
        )
        return Finding(
            "unfit",
            name,
            f"{cell.opcode} {_BROKEN[cell.word]}",
            evidence,
            f"do not use this GPU for results that matter; all the evidence: {repeat}",
            where,
        )
    if cell.word in ("assembled", "correct"):
        return Finding(
            "unfit",
            "control-accepted",
            f"{cell.opcode} works on {cell.target}, which has it not",
            evidence,
            f"something lies: assembler, driver or the GPU's name; see {repeat}",
            where,
        )
    if cell.word == "unaskable":
        return Finding(
            "unjudged",
            "control-refused",
            f"{cell.opcode} could not be asked",
            evidence,
            f"the harness is to blame: {repeat}",
            where,
        )
    return Finding(
        "unfit",
        "instruction-rejected",
        f"{cell.opcode} is refused on {cell.target}",
        evidence,
        "a newer ptxas or driver may know it",
        where,
    )


def _said(cell: Observation) -> tuple[str, ...]:
    return tuple(entry.text for entry in cell.diagnostics[:2])


def _not_run(seen: Sequence[Observation], where: str) -> list[Finding]:
    lost = [cell for cell in seen if cell.not_asked and cell.word == "assembled" and cell.agreement == "agrees"]
    reasons = {cell.not_asked.reason for cell in lost if cell.not_asked}
    return [
        Finding(
            "note",
            "not-launched",
            f"{sum(c.not_asked is not None and c.not_asked.reason == r for c in lost)} "
            f"cases were assembled and not launched: {r}",
            (),
            "",
            where,
        )
        for r in sorted(reasons)
    ]


def not_asked(seen: Sequence[Observation]) -> Counter[tuple[str, str]]:
    """Return how many cells ended for want of something, by stage and reason."""
    return Counter((cell.not_asked.stage, cell.not_asked.reason) for cell in seen if cell.not_asked)
