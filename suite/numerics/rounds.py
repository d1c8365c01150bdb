"""The numeric round of a case: a second launch of its kernel, on inputs of which every rounding shows.

The inputs derive from the case's id alone. The round is a case of its own, with as many trials as it needs, and goes
through arena, launch and verification like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.numerics import families, golden, planes
from suite.numerics.choice import Choice, choose
from suite.numerics.models import run
from suite.numerics.operation import Arrays, Codes, Numeric, Operation
from suite.numerics.verdict import Verdict, judge
from suite.operands import Operand
from suite.probe import Case, Launch
from suite.targets import Target


@dataclass(frozen=True)
class Round:
    """A case with its numeric inputs: `arrays` as the model sees them, `inputs` as the kernel does."""

    case: Case
    operation: Operation
    choice: Choice | None
    arrays: Arrays = field(repr=False)
    inputs: Arrays = field(repr=False)
    golden: int = 0
    planes: int = 0

    def expected(self) -> Codes | None:
        """Return the chosen model's D, None where none is chosen."""
        return run(self.choice.model, self.operation, self.arrays) if self.choice else None

    def held(self, d: Codes) -> dict[str, np.ndarray]:
        """Return the model's D as the kernel's output."""
        return {"d": d.reshape(_operand(self.case, "d").shape)}

    def judge(self, d: Codes) -> Verdict:
        """Return what the kernel's D shows."""
        return judge(self.operation, self.arrays, self._logical(d), self.choice)

    def evidence(self, verdict: Verdict, d: Codes) -> dict[str, Any]:
        """Return what a record keeps: the verdict, and the parameters read off the hardware beside the model's."""
        shown: dict[str, Any] = {"verdict": verdict.word, "model": verdict.model, "dots": verdict.dots}
        if verdict.first:
            shown["first"] = {**verdict.first, "family": self.family(verdict.first["index"][0])}
        if self.choice:
            shown["source"] = self.choice.source
        shown["bits"] = hashlib.sha256(np.ascontiguousarray(d).tobytes()).hexdigest()[:16]
        if self.golden:
            shown["measured"] = golden.measure(self.operation, self._logical(d))
            expected = {} if verdict.word == "exact" else self._expected_parameters()
            shown |= {"expected": expected} if expected not in ({}, shown["measured"]) else {}
        return shown

    def family(self, trial: int) -> str:
        """Return the name of the input family that a trial belongs to."""
        counts = {"golden": self.golden, "planes": self.planes}
        at = 0
        for name, count in (counts | {name: count for name, (_, count) in families.of(self.operation).items()}).items():
            at += count
            if trial < at:
                return name
        return "padding"

    def layout(self, d: Codes) -> dict[str, Any]:
        """Return where the elements of A and B were found to lie, nothing where no planes were asked."""
        first = self._logical(d)[self.golden : self.golden + self.planes]
        return planes.read(self.operation, first) if self.planes else {}

    def _logical(self, d: Codes) -> Codes:
        return d.reshape(self.arrays["c"].shape)

    def _expected_parameters(self) -> dict[str, Any]:
        if not self.choice:
            return {}
        first = {name: array[: self.golden] for name, array in self.arrays.items()}
        return golden.measure(self.operation, run(self.choice.model, self.operation, first))


def build(case: Case, target: Target, opcodes: Mapping[str, int]) -> Round | None:
    """Return the case's numeric round on a target where `opcodes` realize it; None where it has none.

    Integers and f64 without a model have none: there is nothing to hold them against but what the first round did.
    """
    numeric = case.probe.numeric(case.params) if case.probe.numeric else None
    if numeric is None:
        return None
    op = numeric.operation
    choice = choose(target, opcodes, op)
    if choice is None and op.kind != "float":
        return None
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{case.id} numeric".encode()).digest()[:8], "little"))
    arrays = _arrays(rng, numeric)
    seen = numeric.seen(arrays)
    trials = arrays["c"].shape[0] // numeric.stack
    return Round(
        _of_trials(case, trials), op, choice, seen, numeric.arrange(arrays), golden.trials(op), planes.trials(op)
    )


def _arrays(rng: np.random.Generator, numeric: Numeric) -> dict[str, np.ndarray]:
    """Return the probes' trials, the planes', then those of every family, filled up to whole trials of the kernel."""
    op = numeric.operation
    found, _ = families.inputs(rng, op)
    probes, layout = golden.trials(op), planes.trials(op)
    trials = -(-(probes + layout + found["c"].shape[0]) // numeric.stack) * numeric.stack
    places = dict(numeric.positions(rng, trials)) if numeric.positions else {}
    parts = [golden.arrays(op, places["at"][:probes] if op.sparse else None)] if probes else []
    parts += [{**(families.ones(op, layout) if op.scale else {}), **planes.arrays(op)}] if layout else []
    parts.append(found)
    spare = trials - sum(len(one["c"]) for one in parts)
    parts.append({name: array[:1].repeat(spare, axis=0) for name, array in found.items()})
    return {**{name: np.concatenate([one[name] for one in parts]) for name in found}, **places}


def _of_trials(case: Case, trials: int) -> Case:
    """Return the case with so many trials: every operand that has one entry a trial, and as many blocks."""
    before = _operand(case, "d").shape[0]
    operands = tuple(
        replace(operand, shape=(trials, *operand.shape[1:])) if operand.name not in ("plan", "knobs") else operand
        for operand in case.operands
    )
    x, y, z = case.launch.grid
    launch: Launch = replace(case.launch, grid=(x // before * trials, y, z))
    probe = replace(case.probe, operands=lambda params: operands, launch=lambda params: launch)
    return replace(case, probe=probe)


def _operand(case: Case, name: str) -> Operand:
    return next(operand for operand in case.operands if operand.name == name)
