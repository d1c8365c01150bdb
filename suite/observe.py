"""From verdicts to the assembler's half of a cell: rendered kernels -> word, realization and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from suite import cache, codes
from suite.assemble import Bench, assemble_one, batches
from suite.cache import Entry, Shelf
from suite.cores import cores
from suite.errors import DisassemblerError
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
    known: Mapping[str, Entry]
    missing: Sequence[Kernel]
    shelf: Shelf
    answers: Sequence[Future[dict[str, Entry]]]
    name: str
    code: bool

    def collect(self, progress: Progress | None = None) -> list[Assembled]:
        """Return what the toolchain makes of each case, in the cases' order, when all is answered."""
        with (progress or Silent()).stage(self.name, len(self.known) + len(self.missing)) as step:
            step(len(self.known))
            fresh: dict[str, Entry] = {}
            for answer in self.answers:
                fresh |= answer.result()
                step(len(answer.result()))
        codes.flush()
        self.shelf.keep(self.missing, fresh, code=self.code)
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
    with ThreadPoolExecutor(cores()) as pool:
        return ask(pool, cases, toolchain, target, code=code).collect(progress)


def ask(pool: ThreadPoolExecutor, cases: Sequence[Case], toolchain: Toolchain, target: Target, *, code: bool) -> Asked:
    """Hand to the pool what the cache does not hold, a module at a time, each assembled and then disassembled."""
    made = sources(tuple(cases))
    kernels = _kernels(made)
    shelf = cache.shelf(toolchain, target, toolchain.ptx)
    known = shelf.find(kernels, code=code)
    missing = [kernel for kernel in kernels if kernel.name not in known]
    bench = Bench(toolchain, target, toolchain.ptx)
    answers = [pool.submit(_entries, bench, batch, code=code) for batch in batches(missing)]
    name = f"{target} {toolchain.name}: kernels assembled"
    return Asked(list(zip(cases, made, strict=True)), known, missing, shelf, answers, name, code)


def _entries(bench: Bench, kernels: Sequence[Kernel], *, code: bool) -> dict[str, Entry]:
    """Return the verdict and code of each kernel of a module; with the cubins only if `code`."""
    verdicts = bench.judge(kernels)
    read = _read(verdicts)
    lost = [kernel for kernel in kernels if verdicts[kernel.name].accepted and kernel.name not in read]
    found = {name: Entry(verdict, read.get(name)) for name, verdict in verdicts.items()} | _alone(lost, bench)
    return found if code else {name: _without_cubin(entry) for name, entry in found.items()}


def _read(verdicts: Mapping[str, Verdict]) -> dict[str, Code]:
    """Return the kernels' code by module; none of a module that the disassembler cannot read."""
    modules: dict[bytes, list[str]] = {}
    for name, verdict in verdicts.items():
        if verdict.accepted:
            modules.setdefault(verdict.cubin, []).append(name)
    found: dict[str, Code] = {}
    for cubin, names in modules.items():
        try:
            found |= codes.read(cubin, names)
        except DisassemblerError:
            continue
    return found


def _alone(kernels: Sequence[Kernel], bench: Bench) -> dict[str, Entry]:
    """Return the entries of kernels whose module could not be disassembled, each from a module of its own.

    An assembler may accept an instruction and write code that the target has not: that kernel keeps its verdict, with
    what the disassembler said, and has no code that anybody could run.
    """
    found: dict[str, Entry] = {}
    for kernel in kernels:
        verdict = assemble_one(kernel, bench.toolchain, bench.target, bench.ptx)
        try:
            found[kernel.name] = Entry(verdict, codes.read(verdict.cubin, [kernel.name])[kernel.name])
        except DisassemblerError as error:
            said = Diagnostic("other", "warning", f"the code cannot be disassembled: {error}")
            found[kernel.name] = Entry(Verdict(True, (*verdict.diagnostics, said)), None)
    return found


def _without_cubin(entry: Entry) -> Entry:
    return Entry(Verdict(entry.verdict.accepted, entry.verdict.diagnostics), entry.code)


def _kernels(sources: Sequence[Source]) -> list[Kernel]:
    """Return the distinct kernels; armed ones first, so that modules to be loaded hold little else."""
    parts = ([s.armed for s in sources], [s.scaffold for s in sources], [s.control for s in sources])
    return list({kernel.name: kernel for part in parts for kernel in part}.values())


def _cell(case: Case, source: Source, entries: Mapping[str, Entry]) -> Assembled:
    verdicts = {k.name: entries[k.name].verdict for k in (source.armed, source.scaffold, source.control)}
    word = _word(source, verdicts)
    armed, scaffold = entries[source.armed.name], entries[source.scaffold.name]
    if word != "assembled":
        return Assembled(case, source, word, _telling(source, verdicts), None, None, b"")
    if armed.code is None or scaffold.code is None:
        return Assembled(case, source, word, armed.verdict.diagnostics, None, None, b"")
    realization = realize(armed.code, scaffold.code, case.native)
    return Assembled(case, source, word, armed.verdict.diagnostics, realization, armed.code, armed.verdict.cubin)


def _word(source: Source, verdicts: Mapping[str, Verdict]) -> str:
    """Return the word: `rejected` needs an accepted control and a complaint about the instruction's own line."""
    armed = verdicts[source.armed.name]
    if armed.accepted:
        return "assembled" if verdicts[source.scaffold.name].accepted else "unaskable"
    if not verdicts[source.control.name].accepted:
        return "unaskable"
    about = [entry.line for entry in armed.diagnostics if entry.severity in ("error", "fatal")]
    return "rejected" if any(line in source.armed.marked for line in about) else "unaskable"


def _telling(source: Source, verdicts: Mapping[str, Verdict]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics that a reader needs: of the instruction's lines if it was rejected, else of all parts."""
    armed = verdicts[source.armed.name]
    if _word(source, verdicts) == "rejected":
        return tuple(d for d in armed.diagnostics if d.line is None or d.line in source.armed.marked)
    return _blamed(verdicts[source.control.name]) or _blamed(verdicts[source.scaffold.name]) or armed.diagnostics


def _blamed(verdict: Verdict) -> tuple[Diagnostic, ...]:
    return () if verdict.accepted else verdict.diagnostics
