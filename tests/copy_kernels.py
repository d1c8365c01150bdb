"""What the tests of the copy families share: rendering a family, assembling kernels, and running an oracle."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from suite import catalogue, targets, verify
from suite.assembler_process import Outcome, assemble_text
from suite.model import Kernel, Source
from suite.operands import TensorMap
from suite.probe import Arrays, Case
from suite.render import module_text, render
from tests.assemblers import real

PTX = (9, 5)  # of the ptxas that this environment holds
_LINE = re.compile(r", line (\d+); error")


@cache
def family(name: str) -> tuple[Case, ...]:
    """Return every case of a family."""
    return tuple(case for case in catalogue.expand() if case.family == name)


@cache
def ptxas() -> Path:
    """Return an assembler; the environment of the tests holds one."""
    return Path(real().path)


def sources(cases: Iterable[Case]) -> list[Source]:
    """Return the rendered kernels of every case."""
    return [render(case) for case in cases]


def assemble(kernels: Iterable[Kernel], target: str, ptx: tuple[int, int] = PTX) -> Outcome:
    """Assemble the kernels, each text once, as one module."""
    distinct = list({kernel.name: kernel for kernel in kernels}.values())
    return assemble_text([str(ptxas())], module_text(distinct, target, ptx), target, limit=120)


def assert_claimed_assemble(cases: Iterable[Case], target: str) -> None:
    """Assert that the armed kernels and scaffolds of the cases claimed for a target are accepted for it."""
    made = sources(claimed(cases, target))
    outcome = assemble([kernel for source in made for kernel in (source.armed, source.scaffold)], target)
    assert outcome.accepted, outcome.log


def assert_controls_assemble(cases: Iterable[Case], target: str) -> None:
    """Assert that the controls of all cases are accepted, claimed for the target or not."""
    outcome = assemble([source.control for source in sources(cases)], target)
    assert outcome.accepted, outcome.log


def refused(kernels: Iterable[Kernel], target: str, ptx: tuple[int, int] = PTX) -> set[str]:
    """Return the names of the kernels whose instruction itself, not only its surroundings, an error names."""
    distinct = list({kernel.name: kernel for kernel in kernels}.values())
    lines = {int(line) for line in _LINE.findall(assemble(distinct, target, ptx).log)}
    first, found = 4, set()
    for kernel in distinct:
        if any(first + mark in lines for mark in kernel.marked):
            found.add(kernel.name)
        first += kernel.text.count("\n")
    return found


def claimed(cases: Iterable[Case], target: str) -> list[Case]:
    """Return the cases that the manual claims for the target."""
    return [case for case in cases if targets.parse(target) in case.claim.targets]


def expected(case: Case, inputs: Arrays | None = None) -> Arrays:
    """Return what the oracle expects, as codes."""
    arrays = verify.inputs(case) if inputs is None else inputs
    outputs = case.probe.oracle(case.params, arrays)
    return {o.name: o.codes(outputs[o.name]).reshape(o.shape) for o in case.operands if o.role != "in"}


def assert_round_trips(case: Case) -> None:
    """Assert that every buffer gives back what is packed into it, inputs and expected outputs alike."""
    inputs = verify.inputs(case)
    arrays = {**inputs, **expected(case, inputs)}
    for operand in case.operands:
        if not isinstance(operand, TensorMap):
            raw = operand.pack(arrays[operand.name])
            assert raw.size == operand.nbytes
            codes = operand.codes(np.asarray(arrays[operand.name])).reshape(operand.shape)
            np.testing.assert_array_equal(operand.unpack(raw), codes)


def without_mark(source: Source) -> str:
    """Return the armed kernel's text without its instruction and with the scaffold's name."""
    lines = source.armed.text.replace(source.armed.name, source.scaffold.name).splitlines()
    return "\n".join(line for i, line in enumerate(lines) if i not in source.armed.marked) + "\n"
