"""A GPU child whose kernels all load, run and write nothing: every output comes back as the poison that it was."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from suite.arena import poisoned
from suite.gpu_child import prepare, serve
from suite.model import Job


class IdleEngine:
    """Loads anything, and launches nothing."""

    def __init__(self) -> None:
        self._kernels: set[str] = set()

    def known(self, job: Job) -> bool:
        return job.kernel in self._kernels

    def load(self, job: Job, image: bytes) -> None:
        self._kernels.add(job.kernel)

    def run(self, job: Job) -> tuple[bytes, ...]:
        return tuple(poisoned(job.image, job.outputs, number).tobytes() for number in (0, 1))

    def alive(self) -> bool:
        return True


def main(inbox: str, outbox: str) -> None:
    """Serve as `suite.gpu_child` does."""
    prepare()
    answers = Connection(int(outbox), readable=False)
    answers.send(("ready",))
    serve(Connection(int(inbox), writable=False), answers, IdleEngine())


if __name__ == "__main__":
    main(*sys.argv[1:])
