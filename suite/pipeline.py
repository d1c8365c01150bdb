"""The whole pipeline: catalogue -> render -> assemble -> disassemble -> load -> launch -> verify -> judge -> record.

A group is what one toolchain made of the cases for one target. A run takes groups, from assemblers or from a bundle,
through the GPU where there is one, hands each finished cell to `add`, and counts what was not asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from suite import canary
from suite.claims import PtxVersion
from suite.execute import Executor, splitter
from suite.judge import agreement
from suite.launch import Split
from suite.model import NotAsked, Observation
from suite.observe import Assembled, observe
from suite.progress import Progress
from suite.selection import Selection
from suite.targets import Target
from suite.waivers import Waivers


@dataclass(frozen=True)
class Group:
    """The cases of one toolchain and target as assembled; `canary` gives the known-good kernel's name and cubin."""

    toolchain: str
    ptx: PtxVersion
    target: Target
    items: tuple[Assembled, ...]
    canary: Callable[[], tuple[str, bytes]]
    split: Split | None = None


@dataclass
class Tally:
    """What a run has seen so far: cells by agreement and word, and cases not asked by (stage, reason)."""

    agreements: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    not_asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, cell: Observation) -> None:
        """Count one finished cell."""
        self.agreements[cell.agreement] += 1
        self.words[cell.word] += 1
        if cell.not_asked:
            self.not_asked[cell.not_asked.stage, cell.not_asked.reason] += 1


@dataclass(frozen=True)
class Run:
    """Everything a run needs beside its groups; `no_device` says why `executor` is None."""

    waivers: Waivers
    add: Callable[[Observation], None]
    progress: Progress
    tally: Tally
    executor: Executor | None = None
    no_device: str = ""


def assembled(selection: Selection, tally: Tally, progress: Progress, *, code: bool) -> Iterator[Group]:
    """Yield what each toolchain makes of each target, with cubins if `code`; count targets that are unknown to it."""
    for toolchain in selection.toolchains:
        for target in selection.targets:
            if target.name not in toolchain.targets:
                tally.not_asked["assemble", f"{toolchain.name} does not know {target}"] += len(selection.cases)
                continue
            items = tuple(observe(selection.cases, toolchain, target, progress, code=code))
            good = lambda toolchain=toolchain, target=target: canary.image(toolchain, target)  # noqa: E731
            split = splitter(items, toolchain, target)
            yield Group(toolchain.name, toolchain.ptx, target, items, good, split)


def ask(run: Run, groups: Iterable[Group]) -> None:
    """Take every group as far as this machine allows; each cell reaches `add` as soon as it is finished."""
    for group in groups:
        with run.progress.stage(f"{group.target} {group.toolchain}: cases judged", len(group.items)) as step:
            for cell in _cells(run, group):
                judged = run.waivers.apply(cell)
                run.tally.count(judged)
                run.add(judged)
                step()


def _cells(run: Run, group: Group) -> Iterator[Observation]:
    """Yield the cells that end at the assembler, then the others as the GPU answers."""
    waiting: list[Assembled] = []
    for item in group.items:
        reason = _unrunnable(run, item, group.target) if item.word == "assembled" else ""
        if item.word == "assembled" and not reason:
            waiting.append(item)
        else:
            yield _cell(item, group, not_asked=NotAsked("load", reason) if reason else None)
    if run.executor and waiting:
        for item, word, gpu, not_asked in run.executor.execute(waiting, group.canary(), group.split):
            yield _cell(item, group, word=word, gpu=gpu, not_asked=not_asked)


def _unrunnable(run: Run, item: Assembled, target: Target) -> str:
    """Return why an assembled case does not go to a GPU, empty if it does."""
    if run.executor is None or not target.runs_on(run.executor.device.capability):
        here = f" ({run.no_device})" if run.no_device else ""
        return f"no sm_{target.number} device{here}"
    return item.case.probe.unlaunched or ("" if item.cubin else "its machine code cannot be disassembled")


def _cell(
    item: Assembled,
    group: Group,
    *,
    word: str = "",
    gpu: dict[str, Any] | None = None,
    not_asked: NotAsked | None = None,
) -> Observation:
    """Return the judged cell of an assembled case, with what the GPU said if it was asked."""
    case, word = item.case, word or item.word
    return Observation(
        case=case.id,
        family=case.family,
        opcode=case.opcode,
        target=group.target.name,
        toolchain=group.toolchain,
        ptx=f"{group.ptx[0]}.{group.ptx[1]}",
        word=word,
        agreement=agreement(case.claim, group.target, group.ptx, word),
        kernel=item.source.armed.name,
        diagnostics=item.diagnostics,
        realization=item.realization.word if item.realization else None,
        opcodes=item.realization.opcodes if item.realization else {},
        observed="" if case.probe.observed == "memory" else case.probe.observed,
        not_asked=not_asked,
        gpu=gpu or {},
    )
