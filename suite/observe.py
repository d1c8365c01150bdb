"""From verdicts to the assembler's half of a cell: rendered kernels -> word, realization and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from suite import cache
from suite.assemble import assemble, assemble_one
from suite.cache import Entry
from suite.disassemble import DisassemblerError, disassemble
from suite.model import Diagnostic, Kernel, Realization, Sass, Source, Verdict
from suite.probe import Case
from suite.progress import Progress, Silent, Step
from suite.realize import realize
from suite.render import render
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
    cubin: bytes


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
    sources = [render(case) for case in cases]
    kernels = _kernels(sources)
    with (progress or Silent()).stage(f"{target} {toolchain.name}: kernels assembled", len(kernels)) as step:
        entries = _entries(kernels, toolchain, target, step, code=code)
    return [_cell(case, source, entries) for case, source in zip(cases, sources, strict=True)]


def _entries(
    kernels: Sequence[Kernel], toolchain: Toolchain, target: Target, step: Step, *, code: bool
) -> dict[str, Entry]:
    """Return every kernel's verdict and code: from the cache what it holds, the rest by asking."""
    shelf = cache.shelf(toolchain, target, toolchain.ptx)
    known = shelf.find(kernels, code=code)
    step(len(known))
    missing = [kernel for kernel in kernels if kernel.name not in known]
    verdicts = assemble(missing, toolchain, target, progress=step)
    sass = _disassembled(verdicts)
    fresh = {name: Entry(verdict, sass.get(name)) for name, verdict in verdicts.items()}
    fresh |= _alone([k for k in missing if verdicts[k.name].accepted and k.name not in sass], toolchain, target)
    shelf.keep(missing, fresh, code=code)
    return known | fresh


def _alone(kernels: Sequence[Kernel], toolchain: Toolchain, target: Target) -> dict[str, Entry]:
    """Return the entries of kernels whose module could not be disassembled, each from a module of its own.

    An assembler may accept an instruction and write code that the target has not: that kernel keeps its verdict, with
    what the disassembler said, and has no code that anybody could run.
    """
    found: dict[str, Entry] = {}
    for kernel in kernels:
        verdict = assemble_one(kernel, toolchain, target, toolchain.ptx)
        try:
            found[kernel.name] = Entry(verdict, disassemble(verdict.cubin)[kernel.name])
        except DisassemblerError as error:
            said = Diagnostic("other", "warning", f"the code cannot be disassembled: {error}")
            found[kernel.name] = Entry(Verdict(True, (*verdict.diagnostics, said)), None)
    return found


def _kernels(sources: Sequence[Source]) -> list[Kernel]:
    """Return the distinct kernels; armed ones first, so that modules to be loaded hold little else."""
    parts = ([s.armed for s in sources], [s.scaffold for s in sources], [s.control for s in sources])
    return list({kernel.name: kernel for part in parts for kernel in part}.values())


def _disassembled(verdicts: Mapping[str, Verdict]) -> dict[str, Sass]:
    modules = list({id(verdict.cubin): verdict.cubin for verdict in verdicts.values() if verdict.cubin}.values())
    with ThreadPoolExecutor() as pool:
        return {name: sass for module in pool.map(_readable, modules) for name, sass in module.items()}


def _readable(cubin: bytes) -> dict[str, Sass]:
    """Return a module's code, nothing if the disassembler cannot read it."""
    try:
        return disassemble(cubin)
    except DisassemblerError:
        return {}


def _cell(case: Case, source: Source, entries: Mapping[str, Entry]) -> Assembled:
    verdicts = {k.name: entries[k.name].verdict for k in (source.armed, source.scaffold, source.control)}
    word = _word(source, verdicts)
    armed, scaffold = entries[source.armed.name], entries[source.scaffold.name]
    if word != "assembled":
        return Assembled(case, source, word, _telling(source, verdicts), None, b"")
    if armed.sass is None or scaffold.sass is None:
        return Assembled(case, source, word, armed.verdict.diagnostics, None, b"")
    realization = realize(armed.sass, scaffold.sass, case.native)
    return Assembled(case, source, word, armed.verdict.diagnostics, realization, armed.verdict.cubin)


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
