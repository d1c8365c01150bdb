"""`show`: all the evidence for one cell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from reports import cells
from suite import catalogue, pipeline, targets, toolchains, waivers
from suite.errors import UsageError
from suite.evidence import Evidence, gather
from suite.execute import Executor
from suite.model import Observation
from suite.pipeline import Run, Tally
from suite.progress import Silent
from suite.selection import Selection
from suite.session import local_device

HELP = "show all the evidence for one cell: PTX, assembler log, SASS, cubin header, and what the GPU said"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("cell", metavar="CASE@TARGET")
    parser.add_argument("--toolchain", metavar="NAME", help="default: the newest ptxas found")


def execute(options: argparse.Namespace) -> int:
    """Print the evidence; exit 1 if the cell disagrees with the manual."""
    case_id, at, target_name = options.cell.rpartition("@")
    if not at:
        example = "mma_sync.b1:shape=m8n8k128,op=xor@sm_90a"
        raise UsageError(f"{options.cell!r} names no cell; write CASE@TARGET, as {example!r}")
    case, target = catalogue.find(case_id), targets.parse(target_name)
    toolchain = toolchains.resolve([options.toolchain] if options.toolchain else [])[0]
    toolchains.require_target(toolchain, target)
    cell = _ask(Selection((case,), (target,), (toolchain,)))
    print("\n".join(_lines(cell, gather(case, target, toolchain))))
    return 1 if cell.agreement == "disagrees" else 0


def _ask(chosen: Selection) -> Observation:
    """Return the one cell, taken as far as this machine allows."""
    found: list[Observation] = []
    device, no_device = local_device()
    run = Run(waivers.load(), found.append, Silent(), Tally(), Executor(device) if device else None, no_device)
    pipeline.ask(run, pipeline.assembled(chosen, run.tally, run.progress, run.runs))
    return found[0]


def _lines(cell: Observation, evidence: Evidence) -> Iterator[str]:
    claim = evidence.case.claim
    minimum = claim.minimum(evidence.target)
    yield f"case         {cell.case}"
    yield f"instruction  {evidence.case.instruction}"
    yield f"target       {cell.target}, {cell.toolchain}, .version {cell.ptx}"
    since = f"from PTX {minimum[0]}.{minimum[1]}" if minimum else "not supported"
    yield f"claim        {since} ({claim.cited})"
    yield f"observed     {cell.word}, {cell.realization or 'no code'}; {cell.agreement} {cell.waiver}".rstrip()
    yield f"validated    {_validation(cell)}"
    yield from _section("PTX", evidence.ptx.splitlines())
    for part, verdict in evidence.verdicts.items():
        said = [f"{entry.severity} [{entry.kind}] {entry.text}" for entry in verdict.diagnostics]
        yield from _section(f"assembler on the {part} kernel: {'accepted' if verdict.accepted else 'refused'}", said)
    yield from _section("SASS: * realizes the instruction, > is not in the scaffold either", evidence.sass_lines())
    yield from _section("cubin", evidence.header_lines())
    yield from _section("GPU", _gpu(cell))


def _section(title: str, lines: list[str]) -> Iterator[str]:
    yield f"--- {title}"
    yield from lines


def _validation(cell: Observation) -> str:
    known = cells.validations(cells.committed())
    return cells.Cell(cell, known.get((cell.case, cell.kernel), ())).validation


def _gpu(cell: Observation) -> list[str]:
    """Return what a GPU said: this machine's, else that of committed records of the same kernel."""
    if cell.gpu:
        return [f"{key}: {value}" for key, value in cell.gpu.items()]
    here = [f"not asked here: {cell.not_asked.reason}"] if cell.not_asked else []
    return here + [
        f"{record.path.name}: {seen.word} on {seen.target} {seen.gpu}"
        for record in cells.committed()
        for seen in record.cells
        if seen.case == cell.case and seen.kernel == cell.kernel and seen.gpu
    ]
