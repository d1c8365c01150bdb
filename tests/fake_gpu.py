"""A GPU child without a GPU: the real protocol over an engine whose kernels are named for what they do.

Arguments: a file to which each start adds a byte, the number of starts whose canary is right (or a word for a start
that fails), and the two file descriptors.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from suite.gpu_calls import Refusal
from suite.gpu_child import prepare, serve
from suite.gpu_device import DeviceRefused
from suite.model import Job


class FakeEngine:
    """Loads a module unless its first line says otherwise, and does what the kernel is named for."""

    def __init__(self, *, healthy: bool) -> None:
        self._healthy = healthy
        self._loaded: set[tuple[str, str]] = set()
        self._alive = True
        self._doomed = False

    def known(self, job: Job) -> bool:
        if self._doomed:
            _die()
        return (job.module, job.kernel) in self._loaded

    def load(self, job: Job, image: bytes) -> None:
        match image.decode().splitlines()[0].split():
            case ["refuse", code]:
                raise Refusal(code, "load", "loading the module", whole=True)
            case ["refuse_kernel", kernel] if kernel == job.kernel:
                raise Refusal("CUDA_ERROR_INVALID_IMAGE", "load", f"fetching kernel {kernel}")
            case ["die"]:
                _die()
            case ["hang"]:
                _hang()
        self._loaded.add((job.module, job.kernel))

    def run(self, job: Job) -> tuple[bytes, ...]:
        match job.kernel:
            case "hang":
                _hang()
            case "die":
                _die()
            case "slow":
                time.sleep(0.3)
            case "doom":  # the child dies before it begins the next job
                self._doomed = True
            case "fault":
                self._alive = False
                raise Refusal("CUDA_ERROR_ILLEGAL_ADDRESS", "launch", "while running, run 0")
            case "refuse":
                raise Refusal("CUDA_ERROR_INVALID_VALUE", "launch", "refused at launch, run 0")
            case "encode":
                raise Refusal("CUDA_ERROR_INVALID_VALUE", "encode", "encoding a tensor map")
            case "broken":
                raise RuntimeError("a mistake of ours")
            case "canary" if not self._healthy:
                return (b"sick", b"sick")
        return tuple(job.case.encode() + bytes([run]) + job.image for run in (0, 1))

    def alive(self) -> bool:
        return self._alive


def _hang() -> None:
    time.sleep(600)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(state: str, healthy: str, inbox: str, outbox: str) -> None:
    """Serve as `suite.gpu_child` does."""
    prepare()
    with Path(state).open("ab") as starts:
        starts.write(b"x")
    answers = Connection(int(outbox), readable=False)
    match healthy:
        case "refused":
            answers.send(("refused", DeviceRefused("another process has the device exclusively")))
            return
        case "dead":
            _die()
        case "broken":
            raise RuntimeError("a mistake of ours")
        case "silent":
            answers.send(("ready",))
            _die()
    answers.send(("ready",))
    serve(
        Connection(int(inbox), writable=False), answers, FakeEngine(healthy=Path(state).stat().st_size <= int(healthy))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
