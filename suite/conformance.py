"""The conformance run that pytest drives: questions, asked a group at a time, and the controller's record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suite import catalogue, pipeline, selection, waivers
from suite.execute import Executor
from suite.model import Observation
from suite.observe import Assembled
from suite.pipeline import Run, Tally
from suite.probe import Case
from suite.progress import Silent
from suite.record import Writer
from suite.selection import Selection
from suite.session import header, local_device
from suite.store import alone, folder
from suite.targets import Target
from suite.toolchains import Toolchain


@dataclass(frozen=True)
class Question:
    """One case on one target with one toolchain; `id` names the toolchain only where the run has several."""

    case: Case
    target: Target
    toolchain: Toolchain
    id: str

    @property
    def group(self) -> str:
        """Return what is asked in one go: a family on a target with a toolchain."""
        return f"{self.case.family} {self.target} {self.toolchain.name}"


@dataclass
class Conformance:
    """Asks questions, all of a group at its first; `worker` counts from 0 and chooses among several GPUs."""

    worker: int = 0
    selected: list[Question] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _cells: dict[tuple[str, str, str], Observation] = field(default_factory=dict)
    _assembled: dict[tuple[Target, str], dict[Case, Assembled]] = field(default_factory=dict)

    def questions(
        self, arch: Sequence[str] | None, toolchain: Sequence[str] | None, case: Sequence[str] | None
    ) -> list[Question]:
        """Return the questions that the options select, a group after the other.

        Raises `UsageError` as `selection.resolve` does. A target that one of several toolchains does not know makes a
        line of `unknown` instead.
        """
        chosen = selection.resolve(arch, toolchain, case, local_device()[0])
        several = len(chosen.toolchains) > 1
        found = []
        for tool in chosen.toolchains:
            for target in chosen.targets:
                if target.name not in tool.targets:
                    line = f"assemble: {len(chosen.cases)} cases not run: {tool.name} does not know {target}"
                    self.unknown.append(line)
                    continue
                suffix = f" {tool.name}" if several else ""
                found += [Question(c, target, tool, f"{c.id}@{target}{suffix}") for c in chosen.cases]
        return found

    def ask(self, question: Question) -> Observation:
        """Return the question's cell; the first of a group takes the whole group through the pipeline."""
        key = (question.case.id, question.target.name, question.toolchain.name)
        if key not in self._cells:
            self._ask_group(question)
        return self._cells[key]

    def _ask_group(self, question: Question) -> None:
        device, no_device = local_device(self.worker)
        executor = Executor(device) if device else None
        run = Run(waivers.load(), self._keep, Silent(), Tally(), executor, no_device)
        group = [q.case for q in self.selected if q.group == question.group]
        known = self._assemble(question, group, run)
        items = tuple(known[case] for case in group)
        pipeline.ask(run, [pipeline.group_of(question.toolchain, question.target, items)])

    def _assemble(self, question: Question, group: Sequence[Case], run: Run) -> Mapping[Case, Assembled]:
        """Return what the toolchain makes of the target's selected cases, of all families at once.

        So each module is full. One worker does it, and the others find it in the cache; where there is none, each does
        the groups that it gets.
        """
        place = (question.target, question.toolchain.name)
        if place not in self._assembled or group[0] not in self._assembled[place]:
            every = [q.case for q in self.selected if (q.target, q.toolchain.name) == place]
            cases = tuple(dict.fromkeys(every if folder() else group))
            chosen = Selection(cases, (question.target,), (question.toolchain,))
            with alone(" ".join(map(str, place))):
                (made,) = pipeline.assembled(chosen, run.tally, run.progress, run.runs)
            self._assembled[place] = {item.case: item for item in made.items}
        return self._assembled[place]

    def _keep(self, cell: Observation) -> None:
        self._cells[cell.case, cell.target, cell.toolchain] = cell


class Recorder:
    """What the controller keeps of the cells that reach it: the record, the counts, and the waivers' needs."""

    def __init__(self, path: Path | None) -> None:
        self._tally = Tally()
        self._waivers = waivers.load()
        self._writer = Writer(path, {**header(local_device()[0]), "catalogue": catalogue.version()}) if path else None

    @property
    def unneeded(self) -> list[str]:
        """Return a line for each cell in a waiver's scope that does not need it."""
        return self._waivers.unneeded

    def add(self, cell: Observation) -> None:
        """Take one finished cell."""
        self._tally.count(self._waivers.apply(cell))
        if self._writer:
            self._writer.add(cell)

    def close(self, *, interrupted: bool) -> None:
        """End the record."""
        if self._writer:
            self._writer.close(self._tally.not_asked, interrupted=interrupted)

    def summary(self) -> list[str]:
        """Return the lines to print at the end: what was not asked, and waivers that are not needed."""
        not_asked = sorted(self._tally.not_asked.items())
        return [f"{stage}: {count} cases not run: {reason}" for (stage, reason), count in not_asked] + self.unneeded
