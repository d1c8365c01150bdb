"""A batch gives each kernel the verdict that it would get alone: on a sample here, on all cases with --all-cases."""

from __future__ import annotations

import zlib

import pytest

from suite import catalogue, targets, toolchains
from suite.assemble import assemble, assemble_one
from suite.model import Kernel, Verdict
from suite.render import render

TARGETS = ("sm_90a", "sm_100a", "sm_120a")
SAMPLE = 24  # kernels a target where not all are asked


def said(verdict: Verdict) -> tuple[bool, list[tuple[str, str, int | None]]]:
    return verdict.accepted, sorted((d.kind, d.text, d.line) for d in verdict.diagnostics)


def kernels() -> list[Kernel]:
    sources = [render(case) for case in catalogue.expand()]
    return list({k.name: k for s in sources for k in (s.armed, s.scaffold, s.control)}.values())


@pytest.mark.parametrize("name", TARGETS)
def test_batch_verdicts_are_those_of_kernels_alone(name: str, request: pytest.FixtureRequest) -> None:
    toolchain, target, every = toolchains.resolve([])[0], targets.parse(name), kernels()
    chosen = every if request.config.getoption("--all-cases") else sorted(every, key=_shuffled)[:SAMPLE]
    together = assemble(every if request.config.getoption("--all-cases") else chosen, toolchain, target)
    different = [k.name for k in chosen if said(together[k.name]) != said(assemble_one(k, toolchain, target))]
    assert different == []
    assert {verdict.accepted for verdict in together.values()} == {True, False}


def _shuffled(kernel: Kernel) -> int:
    """Return an order that mixes the families and stays the same from run to run."""
    return zlib.crc32(kernel.name.encode())
