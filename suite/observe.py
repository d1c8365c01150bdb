"""From verdicts to the assembler's half of a cell: rendered kernels -> word, realization and diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from suite import cache, codes
from suite.assemble import Bench, batches
from suite.assembler_process import threads
from suite.cache import Entry, Shelf
from suite.cores import cores
from suite.model import Code, Diagnostic, Kernel, Realization, Source, Verdict
from suite.probe import Case
from suite.progress import Progress, Silent
from suite.realize import realize
from suite.sources import sources
from suite.targets import Target
from suite.toolchains import Toolchain


@dataclass(frozen=True)
class Assembled:
    """How far a case came without a GPU, with the code that a GPU would run."""

    case: Case
    source: Source
    word: str
    diagnostics: tuple[Diagnostic, ...]
    realization: Realization | None
    code: Code | None
    cubin: bytes


@dataclass(frozen=True)
class Asked:
    """The kernels of some cases with a toolchain and a target: what was known, and what is being asked."""

    sources: Sequence[tuple[Case, Source]]
    target: Target
    known: Mapping[str, Entry]
    shelf: Shelf
    answers: Sequence[tuple[int, Future[dict[str, Verdict]]]]
    name: str
    code: bool

    def collect(self, progress: Progress | None = None) -> list[Assembled]:
        """Return what the toolchain makes of each case, in the cases' order, when all is answered."""
        with (progress or Silent()).stage(self.name, len(self.sources)) as step:
            step(len(self.sources) - sum(count for count, _ in self.answers))
            verdicts: dict[str, Verdict] = {}
            for count, answer in self.answers:
                verdicts |= answer.result()
                step(count)
        fresh = _read(verdicts, self.target, code=self.code)
        codes.flush()
        self.shelf.keep(_kernels([source for _, source in self.sources]), fresh, code=self.code)
        entries = {**self.known, **fresh}
        return [_cell(case, source, entries) for case, source in self.sources]


def observe(
    cases: Sequence[Case],
    toolchain: Toolchain,
    target: Target,
    progress: Progress | None = None,
    *,
    code: bool = False,
) -> list[Assembled]:
    """Return what a toolchain makes of each case on a target, in the cases' order; with their cubins if `code`.

    Raises `TemplateError` for a template that does not render, `AssemblerError` for an assembler that makes no sense.
    """
    with threads(cores()) as pool:
        return ask(pool, cases, toolchain, target, code=code).collect(progress)


def ask(pool: ThreadPoolExecutor, cases: Sequence[Case], toolchain: Toolchain, target: Target, *, code: bool) -> Asked:
    """Hand to the pool what the cache does not hold, a module at a time."""
    made = sources(tuple(cases))
    shelf = cache.shelf(toolchain, target, toolchain.ptx)
    known = shelf.find(_kernels(made), code=code)
    bench = Bench(toolchain, target, toolchain.ptx)
    parts = batches([source for source in made if not _answered(source, known)])
    answers = [(len(part), pool.submit(_verdicts, bench, part, known)) for part in parts]
    name = f"{target} {toolchain.name}: cases assembled"
    return Asked(list(zip(cases, made, strict=True)), target, known, shelf, answers, name, code)


def _answered(source: Source, known: Mapping[str, Entry]) -> bool:
    armed = known.get(source.armed.name)
    return armed is not None and _counterpart(source, armed.verdict).name in known


def _counterpart(source: Source, armed: Verdict) -> Kernel:
    """Return the kernel that the armed one's verdict is held against: the control if it was refused."""
    return source.scaffold if armed.accepted else source.control


def _verdicts(bench: Bench, sources: Sequence[Source], known: Mapping[str, Entry]) -> dict[str, Verdict]:
    """Return the verdicts that are not known, of the armed kernels and then of what each is held against."""
    found = {source.armed.name: known[source.armed.name].verdict for source in sources if source.armed.name in known}
    found |= bench.judge(_distinct(source.armed for source in sources if source.armed.name not in found))
    others = _distinct(_counterpart(source, found[source.armed.name]) for source in sources)
    found |= bench.judge([kernel for kernel in others if kernel.name not in found and kernel.name not in known])
    return {name: verdict for name, verdict in found.items() if name not in known}


def _read(verdicts: Mapping[str, Verdict], target: Target, *, code: bool) -> dict[str, Entry]:
    """Return the verdicts with the kernels' code, and with their cubins only if `code`.

    An assembler may accept an instruction and write code that the target has not: that kernel keeps its verdict, with
    what there is to say, and has no code that anybody could run.
    """
    modules: dict[bytes, list[str]] = {}
    for name, verdict in verdicts.items():
        if verdict.accepted:
            modules.setdefault(verdict.cubin, []).append(name)
    read = codes.read(modules, target.number)
    entries = {name: _entry(verdict, read.get(name)) for name, verdict in verdicts.items()}
    return entries if code else {name: _without_cubin(entry) for name, entry in entries.items()}


def _entry(verdict: Verdict, code: Code | str | None) -> Entry:
    if not isinstance(code, str):
        return Entry(verdict, code)
    said = Diagnostic("other", "warning", f"the code cannot be disassembled: {code}")
    return Entry(Verdict(True, (*verdict.diagnostics, said), verdict.cubin), None)


def _without_cubin(entry: Entry) -> Entry:
    return Entry(Verdict(entry.verdict.accepted, entry.verdict.diagnostics), entry.code)


def _kernels(sources: Sequence[Source]) -> list[Kernel]:
    """Return the distinct kernels of sources."""
    return _distinct(kernel for s in sources for kernel in (s.armed, s.scaffold, s.control))


def _distinct(kernels: Iterable[Kernel]) -> list[Kernel]:
    return list({kernel.name: kernel for kernel in kernels}.values())


def _cell(case: Case, source: Source, entries: Mapping[str, Entry]) -> Assembled:
    armed = entries[source.armed.name]
    other = entries[_counterpart(source, armed.verdict).name]
    word = _word(source, armed.verdict, other.verdict)
    if word != "assembled":
        return Assembled(case, source, word, _telling(source, word, armed.verdict, other.verdict), None, None, b"")
    if armed.code is None or other.code is None:
        return Assembled(case, source, word, armed.verdict.diagnostics, None, None, b"")
    realization = realize(armed.code, other.code, case.native)
    return Assembled(case, source, word, armed.verdict.diagnostics, realization, armed.code, armed.verdict.cubin)


def _word(source: Source, armed: Verdict, other: Verdict) -> str:
    """Return the word: `rejected` needs an accepted control and a complaint about the instruction's own line."""
    if armed.accepted:
        return "assembled" if other.accepted else "unaskable"
    if not other.accepted:
        return "unaskable"
    about = [entry.line for entry in armed.diagnostics if entry.severity in ("error", "fatal")]
    return "rejected" if any(line in source.armed.marked for line in about) else "unaskable"


def _telling(source: Source, word: str, armed: Verdict, other: Verdict) -> tuple[Diagnostic, ...]:
    """Return the diagnostics that a reader needs: of the instruction's lines if rejected, else of what failed."""
    if word == "rejected":
        return tuple(d for d in armed.diagnostics if d.line is None or d.line in source.armed.marked)
    return armed.diagnostics if other.accepted else other.diagnostics
