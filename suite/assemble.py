"""Stage 3, assemble: Kernel -> Verdict. Assembles kernels in batches; each gets the verdict that it would get alone.

An assembler prints every error of a module with its line and does not stop at the first. So one pass over many kernels
gives a verdict on each, and a second over the survivors the code. A fatal error, which stops the pass, is the last one
printed: those behind it are survivors. A crash, a time-out, or a message without an owner splits the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from suite.assembler_process import AssemblerError, Outcome, assemble_text, command, threads
from suite.attribute import Reading, attribute, refuses
from suite.claims import PtxVersion
from suite.cores import cores
from suite.diagnostics import messages
from suite.model import Diagnostic, Kernel, Verdict
from suite.render import header, module_text
from suite.targets import Target
from suite.toolchains import Toolchain, require_target

# Called with the number of kernels that have just got their verdict.
Progress = Callable[[int], None]

# Kernels a module. Measured on 2 cores: ptxas takes 15 ms, twice where it refuses some, and then 1 to 20 ms a kernel.
BATCH = 1024

T = TypeVar("T")

SECONDS = 20.0  # for any module: a kernel takes some 20 ms
SECONDS_A_KERNEL = 0.25

# Classes of messages about the header that are results: they speak of `.version` and `.target`, which kernels share.
_OF_THE_HEADER = ("unknown_target", "family_mismatch", "needs_newer_ptx")


def assemble(
    kernels: Sequence[Kernel],
    toolchain: Toolchain,
    target: Target,
    ptx: PtxVersion | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    seconds: float = SECONDS,
) -> dict[str, Verdict]:
    """Return a verdict on each kernel, by name, in the kernels' order; accepted kernels share their module's cubin.

    `ptx` is the `.version`, by default the toolchain's highest; `workers` are processes at a time, by default one a
    CPU; `seconds` is the time limit of a process, to which a batch adds some a kernel. Raises `UsageError` where the
    toolchain does not know the target, `AssemblerError` where the assembler cannot do its work on any kernel.
    """
    distinct = list({kernel.name: kernel for kernel in kernels}.values())
    bench = Bench(toolchain, target, ptx or toolchain.ptx, seconds)
    verdicts: dict[str, Verdict] = {}
    with threads(workers or cores()) as pool:
        for found in pool.map(bench.judge, batches(distinct)):
            verdicts |= found
            if progress:
                progress(len(found))
    return {kernel.name: verdicts[kernel.name] for kernel in distinct}


def assemble_one(kernel: Kernel, toolchain: Toolchain, target: Target, ptx: PtxVersion | None = None) -> Verdict:
    """Return the verdict on one kernel in a module of its own; raises as `assemble` does."""
    return assemble([kernel], toolchain, target, ptx, workers=1)[kernel.name]


def batches(items: Sequence[T]) -> list[Sequence[T]]:
    """Return kernels, or what has one each, cut into modules, none larger than pays and all of about one size."""
    count = -(-len(items) // BATCH)
    return [items[len(items) * i // count : len(items) * (i + 1) // count] for i in range(count)]


@dataclass(frozen=True)
class Bench:
    """One assembler set up for one target and `.version`. Raises `UsageError` where it does not know the target."""

    toolchain: Toolchain
    target: Target
    ptx: PtxVersion
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        require_target(self.toolchain, self.target)

    def judge(self, kernels: Sequence[Kernel]) -> dict[str, Verdict]:
        """Return each kernel's verdict, splitting the batch where one pass does not tell."""
        if not kernels:
            return {}
        outcome = self._run(kernels)
        reading = self._read(outcome, kernels)
        if any(map(refuses, reading.shared)):
            return self._refuse_all(reading)
        if len(kernels) == 1:
            return {kernels[0].name: self._alone(outcome, reading)}
        if outcome.crashed or outcome.timed_out or reading.stray or not (outcome.accepted or reading.refused):
            middle = len(kernels) // 2
            return self.judge(kernels[:middle]) | self.judge(kernels[middle:])
        return self._together(kernels, outcome, reading)

    def _together(self, kernels: Sequence[Kernel], outcome: Outcome, reading: Reading) -> dict[str, Verdict]:
        """Return verdicts from a pass whose every message has an owner, the last of them fatal if it was not whole."""
        if outcome.accepted:
            return {name: Verdict(True, entries, outcome.cubin) for name, entries in reading.own.items()}
        refused = {name: Verdict(False, reading.own[name]) for name in reading.refused}
        return refused | self.judge([kernel for kernel in kernels if kernel.name not in refused])

    def _alone(self, outcome: Outcome, reading: Reading) -> Verdict:
        """Return the verdict on a module's only kernel, to which every message belongs."""
        (own,) = reading.own.values()
        said = own + reading.stray
        if outcome.accepted:
            return Verdict(True, said, outcome.cubin)
        if not any(map(refuses, own)):
            self._require_sane()
        if outcome.timed_out:
            return Verdict(False, (*said, Diagnostic("timeout", "fatal", f"no end within {self.seconds:g} s")))
        if outcome.crashed:
            return Verdict(False, (*said, Diagnostic("crash", "fatal", f"the assembler died: {_cause(outcome)}")))
        if not any(map(refuses, said)):
            said = (*said, Diagnostic("other", "fatal", f"no cubin and no message: {_cause(outcome)}"))
        return Verdict(False, said)

    def _require_sane(self) -> None:
        """Raise `AssemblerError` if even a module without kernels is refused, so that no kernel is to blame."""
        _ = self._of_any_module

    def _refuse_all(self, reading: Reading) -> dict[str, Verdict]:
        """Return the verdicts of kernels under a header that is refused."""
        for entry in reading.shared:
            if refuses(entry) and entry.kind not in _OF_THE_HEADER:
                raise AssemblerError(f"{self.toolchain.name} refuses the header for {self.target}: {entry.text}")
        return {name: Verdict(False, reading.shared + entries) for name, entries in reading.own.items()}

    def _read(self, outcome: Outcome, kernels: Sequence[Kernel]) -> Reading:
        """Return the log by kernel, without what is printed for any module."""
        reading = attribute(messages(outcome.log), kernels, self._header.count("\n"))
        shared = reading.shared + tuple(entry for entry in reading.stray if entry.kind in _OF_THE_HEADER)
        stray = tuple(entry for entry in reading.stray if entry.kind not in _OF_THE_HEADER)
        if stray and not any(map(refuses, shared)):
            stray = tuple(entry for entry in stray if entry.text not in self._of_any_module)
        return Reading(reading.own, shared, stray)

    @cached_property
    def _of_any_module(self) -> frozenset[str]:
        """The texts printed for a module without kernels. Raises `AssemblerError` where even that is refused."""
        outcome = self._run(())
        if not outcome.accepted:
            said = " ".join(outcome.log.split()) or _cause(outcome)
            raise AssemblerError(f"{self.toolchain.name} refuses even an empty module for {self.target}: {said}")
        return frozenset(message.text for message in messages(outcome.log))

    @property
    def _header(self) -> str:
        return header(self.target.name, self.ptx)

    def _run(self, kernels: Sequence[Kernel]) -> Outcome:
        program = command(self.toolchain.kind, self.toolchain.path)
        text = module_text(list(kernels), self.target.name, self.ptx)
        limit = self.seconds + SECONDS_A_KERNEL * max(0, len(kernels) - 1)
        return assemble_text(program, text, self.target.name, limit=limit)


def _cause(outcome: Outcome) -> str:
    if outcome.timed_out:
        return "time-out"
    status = outcome.status or 0
    return f"signal {-status}" if status < 0 else f"exit status {status}"
