"""Stage 7, verify: GpuResult -> Finding. Holds what came back against the oracle, bit for bit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suite import arena
from suite.formats import decode
from suite.model import GpuResult, Job
from suite.operands import Operand
from suite.probe import Arrays, Case


@dataclass(frozen=True)
class Finding:
    """What a launch showed: the observation word, and the evidence in plain data."""

    word: str
    evidence: dict[str, Any] = field(default_factory=dict)


def inputs(case: Case) -> Arrays:
    """Return the case's logical inputs, which derive from its id alone, so that a case repeats exactly."""
    seed = int.from_bytes(hashlib.sha256(case.id.encode()).digest()[:8], "little")
    return case.probe.inputs(case.params, np.random.default_rng(seed))


def verify(case: Case, job: Job, result: GpuResult, arrays: Arrays) -> Finding:
    """Return the word of a launch: `correct` only if every output bit, red zone and input is as it must be.

    `flaky` is a result that is another one when the same launch is repeated.

    `arrays` are the logical inputs that the job was made from.
    """
    if result.outcome != "ok":
        evidence = {"stage": result.stage, "code": result.code, "detail": result.detail}
        return Finding(result.outcome, {key: value for key, value in evidence.items() if value})
    violations = arena.check(job, case, result)
    if violations:
        return Finding("wrong", {"changed": [str(entry) for entry in violations[:4]], "differ": len(violations)})
    return unstable(case, job, result) or _compare(case, job, result, arrays)


def unstable(case: Case, job: Job, result: GpuResult) -> Finding | None:
    """Return `flaky` with the first element that differs between two runs from the same arena, None if none does."""
    if len(result.arenas) <= len(arena.POISONS):
        return None
    first, last = (arena.outputs(case, job, image) for image in (result.arenas[0], result.arenas[-1]))
    for operand in case.operands:
        changed = _difference(operand, last[operand.name], first[operand.name]) if operand.name in first else {}
        if changed:
            return Finding("flaky", {"unstable": changed})
    return None


def _compare(case: Case, job: Job, result: GpuResult, arrays: Arrays) -> Finding:
    first, second = (arena.outputs(case, job, image) for image in result.arenas[: len(arena.POISONS)])
    if not first:
        raise ValueError(f"{case.id} has no output: nothing could show that it works")
    expected = case.probe.oracle(case.params, arrays)
    for operand in case.operands:
        if operand.role == "in" or operand.name not in first:
            continue
        unwritten = _difference(operand, first[operand.name], second[operand.name])
        if unwritten:
            return Finding("wrong", {"unwritten": unwritten})
        want = operand.codes(np.asarray(expected[operand.name])).reshape(operand.shape)
        mismatch = _difference(operand, first[operand.name], want)
        if mismatch:
            return Finding("wrong", {"mismatch": mismatch})
    return Finding("correct", {"compared": int(sum(codes.size for codes in first.values()))})


def _difference(operand: Operand, found: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """Return the first differing element with index, bits and values, and how many differ; empty if none."""
    differs = found != expected
    if not differs.any():
        return {}
    index = tuple(int(i) for i in np.argwhere(differs)[0])
    pair = np.array([found[index], expected[index]], dtype=np.uint64)
    values = [repr(value) for value in decode(operand.format, pair).tolist()]
    digits = -(-operand.format.bits // 4)
    return {
        "operand": operand.name,
        "index": list(index),
        "found": f"0x{int(pair[0]):0{digits}x} ({values[0]})",
        "expected": f"0x{int(pair[1]):0{digits}x} ({values[1]})",
        "differ": int(differs.sum()),
        "of": int(differs.size),
    }
