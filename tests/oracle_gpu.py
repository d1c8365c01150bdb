"""A GPU child whose kernels compute what the oracle says, or just not: a healthy GPU and its faults, without a GPU.

Arguments: the fault (`healthy`, `wrong`, `hang`, `fault`, `sick`) and the two file descriptors. A case that the device
does not claim is never asked, since no assembler gives code for it.
"""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import Connection

import numpy as np

from suite import arena, canary, catalogue
from suite.gpu_calls import Refusal
from suite.gpu_child import prepare, serve
from suite.model import Job
from suite.operands import TensorMap
from suite.verify import inputs

VICTIM = "mma_sync.f16:shape=m16n8k16,a=f16,d=f32"


class OracleEngine:
    """Loads everything, and runs a case by its oracle."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._dead = False

    def known(self, job: Job) -> bool:
        return True

    def load(self, job: Job, image: bytes) -> None:
        raise AssertionError("nothing is ever loaded")

    def run(self, job: Job) -> tuple[bytes, ...]:
        case = canary.CASE if job.case == canary.CASE.id else catalogue.find(job.case)
        if job.case == VICTIM and self._fault == "hang":
            time.sleep(600)
        if job.case == VICTIM and self._fault == "fault":
            self._dead = True
            raise Refusal("CUDA_ERROR_ILLEGAL_ADDRESS", "launch", "while running, run 0")
        arrays = inputs(case)
        results = case.probe.oracle(case.params, arrays)
        images = []
        for run in (0, 1):
            image = arena.poisoned(job.image, job.outputs, run)
            for name, place in arena.layout(case).items():
                if place.operand.role != "in" and not isinstance(place.operand, TensorMap):
                    image[place.start : place.end] = place.operand.pack(np.asarray(results[name]))
            if (job.case, self._fault) == (VICTIM, "wrong") or (job.case, self._fault) == (canary.CASE.id, "sick"):
                image[job.outputs[0][0]] ^= 1
            images.append(image.tobytes())
        return tuple(images)

    def alive(self) -> bool:
        return not self._dead


def main(fault: str, inbox: str, outbox: str) -> None:
    """Serve as `suite.gpu_child` does."""
    prepare()
    answers = Connection(int(outbox), readable=False)
    answers.send(("ready",))
    serve(Connection(int(inbox), writable=False), answers, OracleEngine(fault))


if __name__ == "__main__":
    main(*sys.argv[1:])
