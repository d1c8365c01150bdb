"""All the evidence for one cell, made again on demand: PTX, log, SASS with the realization marked, cubin header."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from suite.assemble import assemble_one
from suite.disassemble import cubin_header, disassemble
from suite.model import Kernel, Realization, Sass, Source, Verdict
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
        """Return the machine code, one instruction a line, `>` before what the realization is read from."""
        left = Counter(self.realization.opcodes if self.realization else {})
        lines = []
        for opcode, text in self.sass.instructions if self.sass else ():
            lines.append(f"{'>' if left[opcode] > 0 else ' '} {text}")
            left[opcode] -= 1
        return lines

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
    return Evidence(case, target, toolchain, source, verdicts, sass, realization)


def _sass(verdict: Verdict, kernel: Kernel) -> Sass | None:
    return disassemble(verdict.cubin)[kernel.name] if verdict.accepted else None
