"""The child process that owns one GPU's context: says what it is about to do, does it, and says how it went.

Messages in: `("module", key, image)` and `("job", number, Job)`.
Messages out: first `("ready",)` or `("refused", NoGpu)`; then for every job, in order, `("load", number)` where its
kernel must be loaded, `("begin", number)` before its launch, and a `Reply`. After a fault that stays with the process
the reply says so, and the child ends. An exception that is no `Refusal` ends the child with its traceback on stderr: it
speaks of us, not of a case.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any, Protocol

from suite.gpu_calls import Refusal, Reply
from suite.gpu_device import NoGpu
from suite.model import GpuResult, Job

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h


class Engine(Protocol):
    """What the protocol needs of a GPU; raises `Refusal` for what the driver refuses."""

    def known(self, job: Job) -> bool:
        """Tell whether the job's kernel is loaded."""

    def load(self, job: Job, image: bytes) -> None:
        """Load the job's kernel from its module's image."""

    def run(self, job: Job) -> tuple[bytes, ...]:
        """Return the arena after each poisoned run; where they differ, after one more with the first poison."""

    def alive(self) -> bool:
        """Tell whether the next job can still run in this process."""


def serve(inbox: Connection, outbox: Connection, engine: Engine) -> None:
    """Answer jobs until the parent hangs up or a fault ends this process's use of the GPU."""
    modules: dict[str, bytes] = {}
    while (message := _next(inbox)) is not None:
        match message:
            case ("module", key, image):
                modules[key] = image
            case ("job", number, job):
                reply = _answer(outbox, engine, number, job, modules[job.module])
                outbox.send(reply)
                if not reply.alive:
                    return


def _next(inbox: Connection) -> Any:
    try:
        return inbox.recv()
    except EOFError:
        return None


def _answer(outbox: Connection, engine: Engine, number: int, job: Job, image: bytes) -> Reply:
    started = time.perf_counter()
    try:
        if not engine.known(job):
            outbox.send(("load", number))
            engine.load(job, image)
        outbox.send(("begin", number))
        arenas = engine.run(job)
    except Refusal as refusal:
        return Reply(number, _refused(job, refusal, time.perf_counter() - started), engine.alive(), refusal.whole)
    seconds = time.perf_counter() - started
    if job.expected and all(hashlib.sha256(arena).digest() == job.expected for arena in arenas):
        return Reply(number, GpuResult(job.case, "ok", "done", seconds=seconds, matched=True))
    return Reply(number, GpuResult(job.case, "ok", "done", arenas=arenas, seconds=seconds))


def _refused(job: Job, refusal: Refusal, seconds: float) -> GpuResult:
    outcome = "unloadable" if refusal.stage == "load" else "faulted"
    return GpuResult(job.case, outcome, refusal.stage, refusal.code, refusal.detail, seconds=seconds)


def prepare() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, also in the middle of a kernel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Serve one device: arguments are its index and the file descriptors to read from and write to."""
    prepare()
    device, inbox, outbox = (int(argument) for argument in arguments)
    answers = Connection(outbox, readable=False)
    try:
        from suite.gpu_engine import CudaEngine  # here, so that the protocol stands without CUDA

        engine = CudaEngine(device)
    except NoGpu as reason:
        answers.send(("refused", reason))
        return
    answers.send(("ready",))
    serve(Connection(inbox, writable=False), answers, engine)
    # A faulted context may hang in the driver's own clean-up, and everything has been said.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
