"""The whole pipeline: catalogue -> render -> assemble -> disassemble -> load -> launch -> verify -> judge -> record.

A group is what one toolchain made of the cases for one target. A run takes groups, from assemblers or from a bundle,
through the GPU where there is one, hands each finished cell to `add`, and counts what was not asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from suite import canary, columns
from suite.assemble import assemble
from suite.assembler_process import threads
from suite.claims import PtxVersion
from suite.cores import cores
from suite.execute import Executor, splitter
from suite.judge import agreement
from suite.launch import Split
from suite.model import Kernel, NotAsked, Observation, Verdict
from suite.observe import Assembled
from suite.observe import ask as ask_assembler
from suite.probe import Case
from suite.progress import Progress
from suite.selection import Selection
from suite.sources import sources
from suite.targets import Target
from suite.toolchains import Toolchain
from suite.waivers import Waivers

Answers = Callable[[Progress], list[Assembled]]


@dataclass(frozen=True)
class Group:
    """The cases of one toolchain and target as assembled; `canary` gives the known-good kernel's name and cubin.

    `split` and `assemble`, where there is an assembler, give kernels of a module again, each alone or all in a new one.
    """

    toolchain: str
    ptx: PtxVersion
    target: Target
    items: tuple[Assembled, ...]
    canary: Callable[[], tuple[str, bytes]]
    split: Split | None = None
    assemble: Callable[[Sequence[Kernel]], Mapping[str, Verdict]] | None = None

    @cached_property
    def version(self) -> str:
        """The `.version` as it is written."""
        return f"{self.ptx[0]}.{self.ptx[1]}"


@dataclass
class Tally:
    """What a run has seen so far.

    Cells by agreement and by word, cases not asked by (stage, reason), and by (toolchain, family, target) the counts of
    `cases` and of each word, realization and agreement.
    """

    agreements: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    not_asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    groups: dict[tuple[str, str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def count(self, cell: Observation) -> None:
        """Count one finished cell."""
        self.agreements[cell.agreement] += 1
        self.words[cell.word] += 1
        group = self.groups[cell.toolchain, cell.family, cell.target]
        group["cases"] += 1
        group[cell.word] += 1
        group[cell.agreement] += 1
        if cell.realization:
            group[cell.realization] += 1
        if cell.not_asked:
            self.not_asked[cell.not_asked.stage, cell.not_asked.reason] += 1


@dataclass(frozen=True)
class Run:
    """Everything a run needs beside its groups; `no_device` says why `executor` is None.

    `add` takes each cell as soon as it is finished. Where no GPU is asked a group is finished as a whole: `add_column`
    takes that, if given.
    """

    waivers: Waivers
    add: Callable[[Observation], None]
    progress: Progress
    tally: Tally
    executor: Executor | None = None
    no_device: str = ""
    add_column: Callable[[Sequence[Observation]], None] | None = None

    def runs(self, target: Target) -> bool:
        """Tell whether this run's GPU runs code for the target."""
        return self.executor is not None and target.runs_on(self.executor.device.capability)


def assembled(
    selection: Selection, tally: Tally, progress: Progress, code: Callable[[Target], bool]
) -> Iterator[Group]:
    """Yield what each toolchain makes of each target, with cubins where `code`; count targets that it does not know."""
    pairs = [(toolchain, target) for toolchain in selection.toolchains for target in selection.targets]
    for toolchain, target in pairs:
        if target.name not in toolchain.targets:
            tally.not_asked["assemble", f"{toolchain.name} does not know {target}"] += len(selection.cases)
    known = [(toolchain, target) for toolchain, target in pairs if target.name in toolchain.targets]
    with threads(cores()) as pool:
        asked = (_answers(pool, selection.cases, *pair, code=code(pair[1])) for pair in known)
        for (toolchain, target), answers in zip(known, _ahead(asked), strict=True):
            yield group_of(toolchain, target, tuple(answers(progress)))


def group_of(toolchain: Toolchain, target: Target, items: tuple[Assembled, ...]) -> Group:
    """Return the group of what a toolchain, which is here, made of some cases on a target."""

    def good() -> tuple[str, bytes]:
        return canary.image(toolchain, target)

    def again(kernels: Sequence[Kernel]) -> Mapping[str, Verdict]:
        return assemble(kernels, toolchain, target)

    return Group(toolchain.name, toolchain.ptx, target, items, good, splitter(items, toolchain, target), again)


def _answers(
    pool: ThreadPoolExecutor, cases: Sequence[Case], toolchain: Toolchain, target: Target, *, code: bool
) -> Answers:
    """Return what waits for the answers: already known as a whole, unless their code is wanted, or asked for now."""
    if code:
        return ask_assembler(pool, cases, toolchain, target, code=True).collect
    place = columns.column(cases, toolchain, target)
    found = place.find(cases, sources(tuple(cases)))
    if found is not None:
        return lambda progress: found
    asked = ask_assembler(pool, cases, toolchain, target, code=False)

    def collect(progress: Progress) -> list[Assembled]:
        items = asked.collect(progress)
        place.keep(items)
        return items

    return collect


def _ahead(asked: Iterator[Answers]) -> Iterator[Answers]:
    """Yield in order, with the next group handed to the pool already, so that no core waits for a group's end."""
    current = next(asked, None)
    while current:
        following = next(asked, None)
        yield current
        current = following


def ask(run: Run, groups: Iterable[Group]) -> None:
    """Take every group as far as this machine allows; each cell reaches `add` as soon as it is finished."""
    for group in groups:
        if run.add_column and not run.runs(group.target):
            run.add_column([_judged(run, cell) for cell in _cells(run, group)])
            continue
        with run.progress.stage(f"{group.target} {group.toolchain}: cases judged", len(group.items)) as step:
            for cell in _cells(run, group):
                run.add(_judged(run, cell))
                step()


def _judged(run: Run, cell: Observation) -> Observation:
    judged = run.waivers.apply(cell)
    run.tally.count(judged)
    return judged


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
        for item, word, gpu, not_asked in run.executor.execute(waiting, group.canary(), group.split, group.target):
            yield _cell(item, group, word=word, gpu=gpu, not_asked=not_asked)


def _unrunnable(run: Run, item: Assembled, target: Target) -> str:
    """Return why an assembled case does not go to a GPU, empty if it does."""
    if not run.runs(target):
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
    found = object.__new__(Observation)  # through __init__ a sweep's cells take twice as long
    vars(found).update(
        case=case.id,
        family=case.family,
        opcode=case.opcode,
        target=group.target.name,
        toolchain=group.toolchain,
        ptx=group.version,
        word=word,
        agreement=agreement(case.claim, group.target, group.ptx, word),
        kernel=item.source.armed.name,
        diagnostics=item.diagnostics,
        realization=item.realization.word if item.realization else None,
        opcodes=item.realization.opcodes if item.realization else {},
        code=item.code.digest if item.code else "",
        registers=item.code.registers if item.code else 0,
        instructions=item.code.instructions if item.code else 0,
        observed="" if case.probe.observed == "memory" else case.probe.observed,
        not_asked=not_asked,
        gpu=gpu or {},
        waiver="",
    )
    return found
