"""Records of any size with every word, realization and agreement in them, and what a catalogue would say of them.

`python tests/browser/synthetic.py CASES TARGETS TOOLCHAINS FILE` writes a page of that size, to measure with.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.page.build import build
from reports.page.sources import Described
from suite.model import DIAGNOSTIC_CLASSES, Diagnostic, NotAsked, Observation
from suite.targets import ALL

FAMILIES = 30
GPU = {"name": "NVIDIA H200", "capability": "9.0", "driver": "580.159.04", "cuda": "13.0"}
HERE = {"system": "Linux", "arch": "x86_64", "python": "3.12.3"}
_OPCODES = ("HMMA.16816.F32", "QMMA.16832.F32.E2M1.E2M1", "UTMALDG.2D.MULTICAST", "PRMT", "F2FP.SATFINITE.E4M3")
_SHAPES = ("m16n8k8", "m16n8k16", "m16n8k32", "m16n8k64")


@dataclass(frozen=True)
class Made:
    """A record whose cells are made as they are asked for."""

    path: Path
    header: dict[str, Any]
    cases: int
    targets: tuple[str, ...]
    toolchains: tuple[str, ...]
    ran: str = ""  # the target that a GPU ran
    not_asked: dict[tuple[str, str], int] = field(default_factory=lambda: {("load", "no sm_121 device"): 7})
    complete: bool = True

    @property
    def cells(self) -> Iterator[Observation]:
        """Return the cells, the same each time."""
        for toolchain in self.toolchains:
            for target in self.targets:
                for number in range(self.cases):
                    yield _cell(number, target, toolchain, ran=target == self.ran)


def records(cases: int, targets: int, toolchains: int) -> list[Made]:
    """Return a sweep without a GPU over that many newest targets, and an H200's record of sm_90a."""
    names = tuple(target.name for target in ALL[-targets:])
    tools = tuple(f"ptxas 13.{minor}.{30 + minor}" for minor in range(toolchains))
    sweep = Made(Path("sweep.jsonl"), _header("2026-01-01T00:00:00Z", None), cases, names, tools)
    h200 = Made(Path("h200.jsonl"), _header("2026-02-01T00:00:00Z", GPU), cases, ("sm_90a",), tools[-1:], "sm_90a")
    return [sweep, h200]


def case_id(number: int) -> str:
    """Return the id of a case."""
    family = number % FAMILIES
    return f"family_{family:02}.form:shape={_SHAPES[number % 4]},a=e2m1,index={number}"


def describe(case: str) -> Described:
    """Return a kernel and a claim for any case."""
    number = int(case.rpartition("=")[2])
    body = "".join(f"    add.u32 %r{i}, %r{i}, {number + i};\n" for i in range(40))
    text = f".visible .entry k{number:016x}()\n{{\n{body}    {_opcode(number)} %r0, %r1;\n}}\n"
    minimum = (("sm_90a", "8.0"), ("sm_121a", "8.8"))
    return Described(
        f"{_opcode(number)} %r0, %r1;", "PTX ISA 9.3, 9.7.15.5.14", minimum, f"k{number:016x}", text, (42,)
    )


def _opcode(number: int) -> str:
    return f"mma.sync.aligned.{_SHAPES[number % 4]}.row.col.f32.e2m1.e2m1.f32.i{number}"


def _header(started: str, gpu: dict[str, str] | None) -> dict[str, Any]:
    return {"record": "ptxproof", "started": started, "machine": HERE, "gpu": gpu, "catalogue": "0123456789ab"}


def _cell(number: int, target: str, toolchain: str, *, ran: bool) -> Observation:
    dice = random.Random(f"{number} {target} {'' if number % 50 else toolchain}")
    word = "rejected" if dice.random() < 0.3 else "assembled"
    if ran and word == "assembled":
        word = dice.choices(("correct", "wrong", "faulted", "assembled"), (90, 2, 1, 7))[0]
    said = (Diagnostic(DIAGNOSTIC_CLASSES[2], "error", f"Instruction 'mma' not supported on .target '{target}'", 42),)
    realization = (
        None if word == "rejected" else dice.choices(("native", "emulated", "call", "elided"), (80, 15, 4, 1))[0]
    )
    agreement = dice.choices(("agrees", "disagrees", "waived"), (96, 2, 2))[0]
    gpu = {"seconds": 0.001, "compared": 4098, "numeric": {"rounding": "rn", "bits": [10, 23]}} if ran else {}
    return Observation(
        case=case_id(number),
        family=f"family_{number % FAMILIES:02}",
        opcode=_opcode(number),
        target=target,
        toolchain=toolchain,
        ptx="9.0",
        word=word,
        agreement=agreement,
        kernel=f"k{number:016x}",
        realization=realization,
        opcodes={_OPCODES[number % 5]: 1 + dice.randrange(3)} if realization not in (None, "elided") else {},
        diagnostics=said if word == "rejected" else (),
        not_asked=NotAsked("load", f"no {target} device") if word == "assembled" else None,
        gpu=gpu if word in ("correct", "wrong", "faulted") else {},
        waiver="known: measured twice" if agreement == "waived" else "",
    )


def main(arguments: list[str]) -> None:
    """Write a page."""
    cases, targets, toolchains = map(int, arguments[:3])
    page = build(records(cases, targets, toolchains), describe=describe)
    Path(arguments[3]).write_text(page, encoding="utf-8")
    print(f"{arguments[3]}: {len(page) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
