"""What a cell costs in batches and alone, where the time of a sweep goes, and what a repeated run takes.

Run by `make bench`, which prints Markdown for docs/speed.md. Ratios are of one run on one machine; nothing is asserted.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suite import catalogue, codes, toolchains
from suite.assemble import batches
from suite.disassemble import nvdisasm
from suite.model import Kernel
from suite.observe import Assembled, observe
from suite.probe import Case
from suite.render import module_text, render
from suite.sources import sources
from suite.store import VARIABLE
from suite.targets import Target, parse
from suite.toolchains import Toolchain

SAMPLE = 100
SECONDS = 600
TARGETS = ("sm_80", "sm_100a", "sm_100f")


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time, and of processor time in this process and in its children."""

    wall: float
    own: float
    children: float

    @property
    def processor(self) -> float:
        """Return all processor seconds."""
        return self.own + self.children


def main() -> None:
    """Print the figures."""
    toolchain = toolchains.resolve([])[0]
    cases = catalogue.expand()
    print(f"Measured on {os.cpu_count()} cores of {_processor()}, Python {platform.python_version()},")
    print(f"{toolchain.name}, {len(cases)} cases.\n")
    with tempfile.TemporaryDirectory(prefix="ptxproof-bench-") as folder:
        os.environ[VARIABLE] = str(Path(folder, "cells"))
        _alone_and_together(cases[:: len(cases) // SAMPLE], toolchain, parse("sm_121a"))
        os.environ[VARIABLE] = str(Path(folder, "again"))
        _whole_targets(cases, toolchain)
        _commands(Path(folder, "record.jsonl"))


def _alone_and_together(cases: Sequence[Case], toolchain: Toolchain, target: Target) -> None:
    """Print what a cell of the sample costs with a process or two of its own, and in batches, in the same run."""
    kernels = [render(case).armed for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        alone = _cost(lambda: _each(kernels, toolchain, target, Path(folder)))
    together = _cost(lambda: observe(cases, toolchain, target))
    print(f"## A cell, of {len(cases)} cases on {target}\n")
    print("| | wall, ms | processor, ms | share |\n| --- | --- | --- | --- |")
    for name, cost in (("one ptxas and one nvdisasm process each", alone), ("in batches, nothing kept", together)):
        share = f"1/{alone.processor / cost.processor:.0f}"
        print(f"| {name} | {_ms(cost.wall, cases)} | {_ms(cost.processor, cases)} | {share} |")
    print()


def _whole_targets(cases: Sequence[Case], toolchain: Toolchain) -> None:
    """Print where the time goes for all cases, target by target, with what ptxas alone takes as the floor."""
    _cost(lambda: sources(tuple(cases)))
    print("## All cases, where the processor time goes, in seconds\n")
    print("| target | cells | accepted | all | ptxas | nvdisasm | Python | ptxas alone, floor |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in TARGETS:
        target = parse(name)
        codes._open.clear()
        items: list[Assembled] = []
        cost = _cost(partial(_observe_into, items, cases, toolchain, target))
        floor = _floor(items, toolchain, target)
        accepted = sum(item.word == "assembled" for item in items)
        figures = (cost.processor, floor.children, cost.children - floor.children, cost.own, floor.children)
        print(f"| {name} | {len(items)} | {accepted} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nsm_100f after sm_100a: codes already read are not disassembled again. Peak memory: {peak:.0f} MB.\n")


def _observe_into(items: list[Assembled], cases: Sequence[Case], toolchain: Toolchain, target: Target) -> None:
    items += observe(cases, toolchain, target)


def _commands(record: Path) -> None:
    """Print what a run of these targets takes a second and third time, process start included."""
    command = [sys.executable, "-m", "suite", "run", "--arch", ",".join(TARGETS), "--record", str(record)]
    print("## A repeated run of these targets\n\n| run | wall, s |\n| --- | --- |")
    for name in ("columns are made from kept kernels", "nothing changed"):
        cost = _cost(lambda: subprocess.run(command, capture_output=True, timeout=SECONDS, check=False))
        print(f"| {name} | {cost.wall:.1f} |")


def _floor(items: Sequence[Assembled], toolchain: Toolchain, target: Target) -> Cost:
    """Return what ptxas takes for the kernels of accepted cases in modules of the same size, and nothing else."""
    accepted = [item.source for item in items if item.word == "assembled"]
    kernels = list({kernel.name: kernel for s in accepted for kernel in (s.armed, s.scaffold)}.values())
    with tempfile.TemporaryDirectory() as folder:
        texts = [module_text(list(batch), target.name, toolchain.ptx) for batch in batches(kernels)]
        return _cost(lambda: [_assemble(text, toolchain, target, Path(folder)) for text in texts])


def _each(kernels: Sequence[Kernel], toolchain: Toolchain, target: Target, folder: Path) -> None:
    for kernel in kernels:
        _one(kernel.text, toolchain, target, folder)


def _one(text: str, toolchain: Toolchain, target: Target, folder: Path) -> None:
    header = f".version {toolchain.ptx[0]}.{toolchain.ptx[1]}\n.target {target}\n.address_size 64\n"
    if _assemble(header + text, toolchain, target, folder) == 0:
        subprocess.run([nvdisasm(), "-json", folder / "k.cubin"], capture_output=True, timeout=SECONDS, check=False)


def _assemble(text: str, toolchain: Toolchain, target: Target, folder: Path) -> int:
    (folder / "k.ptx").write_text(text)
    command = [toolchain.path, f"-arch={target}", str(folder / "k.ptx"), "-o", str(folder / "k.cubin")]
    return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode


def _cost(work: Callable[[], object]) -> Cost:
    wall, own, children = time.perf_counter(), _used(resource.RUSAGE_SELF), _used(resource.RUSAGE_CHILDREN)
    work()
    return Cost(
        time.perf_counter() - wall, _used(resource.RUSAGE_SELF) - own, _used(resource.RUSAGE_CHILDREN) - children
    )


def _used(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _ms(seconds: float, cases: Sequence[Case]) -> str:
    return f"{seconds / len(cases) * 1000:.1f}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


if __name__ == "__main__":
    main()
