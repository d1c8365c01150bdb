"""Before stage 5: case -> its jobs, with all that needs no GPU done: inputs, images, and what memory must hold after.

This is most of a run's arithmetic, needs nothing but the case, and so may be done in any process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite import arena
from suite.model import Job
from suite.numerics.rounds import Round, build
from suite.numerics.verdict import Verdict
from suite.probe import Arrays, Case
from suite.targets import Target
from suite.verify import inputs


@dataclass(frozen=True)
class Prepared:
    """The jobs of one case, its own and its numeric round's, and what each shows if memory ends as it must."""

    jobs: tuple[Job, ...]
    shows: tuple[dict[str, Any], ...] = field(default=())


def prepare(case: Case, module: str, kernel: str, target: Target, opcodes: Mapping[str, int]) -> Prepared:
    """Return the case's jobs with the digest of the arena that each must leave, under either poison."""
    arrays = inputs(case)
    job = arena.job(case, arrays, module, kernel)
    expected = case.probe.oracle(case.params, arrays)
    sizes = [np.asarray(expected[o.name]).size for o in case.operands if o.role != "in" and o.name in expected]
    own = replace(job, expected=digest(case, job, expected))
    numeric = build(case, target, opcodes)
    if numeric is None:
        return Prepared((own,), ({"compared": sum(sizes)},))
    second, shown = _numeric(numeric, module, kernel)
    return Prepared((own, second), ({"compared": sum(sizes)}, shown))


def _numeric(numeric: Round, module: str, kernel: str) -> tuple[Job, dict[str, Any]]:
    """Return the job of a numeric round, and its evidence if it ends as the model says.

    Without a model nobody knows beforehand what it must leave: then all of it comes back.
    """
    job = arena.job(numeric.case, numeric.inputs, module, kernel)
    expected = numeric.expected()
    if expected is None or numeric.choice is None:
        return job, {}
    shown = numeric.evidence(Verdict("exact", numeric.choice.name, int(expected.size)), expected)
    return replace(job, expected=digest(numeric.case, job, numeric.held(expected))), shown


def digest(case: Case, job: Job, expected: Arrays) -> bytes:
    """Return the digest of an arena whose outputs hold what is expected and whose other bytes are as they were."""
    image = np.frombuffer(job.image, dtype=np.uint8).copy()
    for place in arena.layout(case).values():
        if place.operand.role != "in":
            codes = place.operand.codes(np.asarray(expected[place.operand.name])).reshape(place.operand.shape)
            image[place.start : place.end] = place.operand.pack(codes)
    return hashlib.sha256(image.tobytes()).digest()
