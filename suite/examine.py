"""Stage 7 for a case of several launches: results -> one finding, of the case's own round and of its numeric one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from suite import arena
from suite.model import GpuResult, Job
from suite.numerics.rounds import Round, build
from suite.prepare import Prepared
from suite.probe import Case
from suite.targets import Target
from suite.verify import Finding, inputs, unstable, verify


@dataclass(frozen=True)
class Answered:
    """A case's jobs, what each shows if memory ended as it must, and the results that came back."""

    prepared: Prepared
    results: tuple[GpuResult, ...] = field(repr=False)

    @property
    def matched(self) -> bool:
        """Tell whether every launch left exactly what it must."""
        return all(result.matched for result in self.results)


def examine(case: Case, target: Target, opcodes: Mapping[str, int], answered: Answered) -> Finding:
    """Return the finding of all launches of a case; a numeric round can only take `correct` away."""
    (job, *more), (result, *others) = answered.prepared.jobs, answered.results
    shows = answered.prepared.shows
    own = Finding("correct", shows[0]) if result.matched else verify(case, job, result, inputs(case))
    if own.word == "wrong" and more:
        return Finding(own.word, {**own.evidence, **_layout(case, target, opcodes, more[0], others[0])})
    if not more or own.word != "correct":
        return own
    if others[0].matched:
        return Finding(own.word, {**own.evidence, "numeric": shows[1]})
    numeric = build(case, target, opcodes)
    if numeric is None:
        raise ValueError(f"{case.id} has a job of a numeric round, and no such round")
    found = judged(numeric, more[0], others[0])
    return Finding(found.word, {**own.evidence, "numeric": found.evidence})


def _layout(case: Case, target: Target, opcodes: Mapping[str, int], job: Job, result: GpuResult) -> dict[str, Any]:
    """Return where the elements of a wrong product were found, if its numeric round ran and has planes to tell."""
    numeric = build(case, target, opcodes) if result.arenas else None
    if numeric is None:
        return {}
    found = numeric.layout(arena.outputs(numeric.case, job, result.arenas[0])["d"])
    return {"layout": found} if found else {}


def judged(numeric: Round, job: Job, result: GpuResult) -> Finding:
    """Return what a numeric round shows where its memory is not the expected one."""
    if result.outcome != "ok":
        return verify(numeric.case, job, result, numeric.inputs)
    violations = arena.check(job, numeric.case, result)
    if violations:
        return Finding("wrong", {"changed": [str(entry) for entry in violations[:4]], "differ": len(violations)})
    shaky = unstable(numeric.case, job, result)
    if shaky:
        return shaky
    first, second = (arena.outputs(numeric.case, job, image)["d"] for image in result.arenas[:2])
    if (first != second).any():
        return verify(_expecting(numeric, first), job, result, numeric.inputs)
    verdict = numeric.judge(first)
    return Finding("wrong" if verdict.word == "wrong" else "correct", numeric.evidence(verdict, first))


def _expecting(numeric: Round, d: Any) -> Case:
    """Return the round's case with what the first run gave for an oracle: what differs then is the second."""
    return replace(numeric.case, probe=replace(numeric.case.probe, oracle=lambda params, arrays: {"d": d}))
