"""All the evidence for one cell, made again on demand: PTX, log, SASS with the realization marked, cubin header."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from suite.assemble import assemble_one
from suite.disassemble import cubin_header, disassemble
from suite.model import Kernel, Realization, Sass, Source, Verdict
from suite.opcodes import matches
from suite.probe import Case
from suite.realize import realize
from suite.render import header, render
from suite.targets import Target
from suite.toolchains import Toolchain


@dataclass(frozen=True)
class Evidence:
    """One case as a toolchain sees it on a target."""

    case: Case
    target: Target
    toolchain: Toolchain
    source: Source
    verdicts: dict[str, Verdict]
    sass: Sass | None
    scaffold: Sass | None
    realization: Realization | None

    @property
    def ptx(self) -> str:
        """Return the module that holds the armed kernel, the instruction's lines marked."""
        lines = self.source.armed.text.splitlines()
        marked = (
            f"{line}  // <- the instruction" if i in self.source.armed.marked else line for i, line in enumerate(lines)
        )
        return header(self.target.name, self.toolchain.ptx) + "\n".join(marked) + "\n"

    @property
    def cubin(self) -> bytes:
        """Return the armed kernel's cubin, empty if it was refused."""
        return self.verdicts["armed"].cubin

    def sass_lines(self) -> list[str]:
        """Return the machine code, one instruction a line.

        `>` stands before what the scaffold has not at that place, `*` before the instruction's own opcode and calls of
        routines that only this kernel calls.
        """
        armed = self.sass.instructions if self.sass else ()
        return [f"{mark} {text}" for mark, (_, text) in zip(self._marks(), armed, strict=True)]

    def _marks(self) -> list[str]:
        if self.sass is None or self.scaffold is None:
            return []
        here, there = ([opcode for opcode, _ in code.instructions] for code in (self.sass, self.scaffold))
        marks = [" "] * len(here)
        for kind, _, _, start, stop in SequenceMatcher(None, there, here, autojunk=False).get_opcodes():
            if kind in ("insert", "replace"):
                marks[start:stop] = [self._mark(i) for i in range(start, stop)]
        return marks

    def _mark(self, index: int) -> str:
        opcode, text = self.sass.instructions[index] if self.sass else ("", "")
        called = self.realization.opcodes if self.realization else {}
        own = any(matches(pattern, opcode) for pattern in self.case.native)
        return "*" if own or any(name in text for name in called if name.startswith("_")) else ">"

    def header_lines(self) -> list[str]:
        """Return the facts of the cubin's header."""
        return [f"{key}: {value}" for key, value in cubin_header(self.cubin).items()] if self.cubin else []


def gather(case: Case, target: Target, toolchain: Toolchain) -> Evidence:
    """Return the evidence of one case on a target, each kernel assembled alone."""
    source = render(case)
    parts: dict[str, Kernel] = {"armed": source.armed, "scaffold": source.scaffold, "control": source.control}
    verdicts = {name: assemble_one(kernel, toolchain, target, toolchain.ptx) for name, kernel in parts.items()}
    sass = _sass(verdicts["armed"], source.armed)
    scaffold = _sass(verdicts["scaffold"], source.scaffold)
    realization = realize(sass, scaffold, case.native) if sass and scaffold else None
    return Evidence(case, target, toolchain, source, verdicts, sass, scaffold, realization)


def _sass(verdict: Verdict, kernel: Kernel) -> Sass | None:
    return disassemble(verdict.cubin)[kernel.name] if verdict.accepted else None
