"""Stage 6, launch: Job -> GpuResult. The parent of the GPU child: holds the clock, names the culprit, loses no more.

The child answers jobs in the order in which it got them and says which one it begins, so whatever ends it in between is
that job's doing. A fresh child proves itself on the canary before any other job, and before a culprit is named.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from suite.gpu_calls import Reply
from suite.gpu_device import NoGpu
from suite.gpu_link import Link, LinkDied, command
from suite.model import GpuResult, Job
from suite.modules import kernels_in

# Maps a module's key to a module of its own for each of its kernels: kernel -> (key, image).
Split = Callable[[str], Mapping[str, tuple[str, bytes]]]

# Refusals of a module that speak of its target or its header, and so of every kernel in it.
# Source: CUDA driver API, CUresult.
MODULE_WIDE = ("CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION")

WINDOW = 64  # jobs sent ahead of their results
START_SECONDS = 120.0
LOAD_SECONDS = 120.0  # a driver that compiles a large PTX module takes its time
_FALSE_STARTS = 3  # children in a row that end before they begin a job


class GpuUnhealthy(Exception):
    """The GPU fails what it should do well; nothing seen on it after its last good result may become a cell."""


class GpuChildError(Exception):
    """The GPU child broke through a mistake of ours; its traceback is on stderr."""


@dataclass(frozen=True)
class Canary:
    """A known-good launch: its job, its module's image, and a check of a result that came back: what is wrong."""

    job: Job
    image: bytes
    check: Callable[[GpuResult], str]


@dataclass
class _Batch:
    """The state of one `run`: jobs are numbered in order, and results leave in that order."""

    source: Iterator[Job]
    modules: dict[str, bytes]
    split: Split | None
    taken: int = 0
    left: int = 0
    pending: dict[int, Job] = field(default_factory=dict)
    finished: dict[int, GpuResult] = field(default_factory=dict)
    refused: dict[str, GpuResult] = field(default_factory=dict)
    single: set[str] = field(default_factory=set)
    split_up: dict[str, Mapping[str, tuple[str, bytes]]] = field(default_factory=dict)

    def speaks_of_kernel(self, module: str, code: str) -> bool:
        """Tell whether the refusal of a module holds for the kernel that was asked of it."""
        return code in MODULE_WIDE or module in self.single or kernels_in(self.modules[module]) == 1

    def ready(self) -> Iterator[GpuResult]:
        """Yield the results whose predecessors have all been yielded."""
        while self.left in self.finished:
            yield self.finished.pop(self.left)
            self.left += 1

    def parts(self, module: str) -> Mapping[str, tuple[str, bytes]]:
        """Return the modules that a module splits into, by kernel; none where nobody can split it."""
        if module not in self.split_up:
            parts = self.split(module) if self.split is not None else {}
            self.split_up[module] = {kernel: part for kernel, part in parts.items() if part[1]}
            self.single |= {key for key, _ in self.split_up[module].values()}
        return self.split_up[module]


class Gpu:
    """One device, driven through a child process; a context manager.

    `seconds` is the clock of one job (both its runs), `load_seconds` that of loading one module. Entering starts the
    child; raises `NoGpu` where the device cannot be had and `GpuUnhealthy` where the canary fails. The child ends with
    the thread that entered.
    """

    def __init__(
        self,
        device: int = 0,
        *,
        canary: Canary | None = None,
        seconds: float = 10.0,
        load_seconds: float = LOAD_SECONDS,
        child: Sequence[str] | None = None,
    ) -> None:
        self._command = child or command("suite.gpu_child", str(device))
        self._canary = canary
        self._seconds = seconds
        self._load_seconds = load_seconds
        self._link: Link | None = None
        self._sent: dict[str, bytes] = {}
        self._current: tuple[str, int] | None = None
        self._false_starts = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def run(self, jobs: Iterable[Job], modules: Mapping[str, bytes], split: Split | None = None) -> Iterator[GpuResult]:
        """Yield one result a job, in the order of the jobs, which are taken a window ahead.

        `modules` maps keys to cubins or PTX text. A refused module that may owe it to another of its kernels goes
        through `split`, once; without it its jobs come back `unloadable` with the detail `split`. Raises `GpuUnhealthy`
        where the canary fails after a restart, `GpuChildError` where the child breaks through our own fault.
        """
        batch = _Batch(iter(jobs), dict(modules), split)
        try:
            while self._feed(batch):
                self._step(batch)
                yield from batch.ready()
            yield from batch.ready()
        finally:
            if batch.pending:  # left half-way: a child with answers to nobody's questions is of no more use
                self._stop()

    def _feed(self, batch: _Batch) -> bool:
        """Top up the window; tell whether any job waits for its answer."""
        if self._link is None:
            self._start()
        while len(batch.pending) < WINDOW and (job := next(batch.source, None)) is not None:
            self._submit(batch, batch.taken, job)
            batch.taken += 1
        return bool(batch.pending)

    def _submit(self, batch: _Batch, number: int, job: Job) -> None:
        """Send a job, unless its module was refused already: a driver that crashed on it would crash again."""
        refusal = batch.refused.get(job.module)
        if refusal is not None:
            self._refused(batch, number, job, replace(refusal, case=job.case))
            return
        batch.pending[number] = job
        self._send(number, job, batch.modules[job.module])

    def _send(self, number: int, job: Job, image: bytes) -> None:
        link = self._running()
        if job.module not in self._sent:
            link.send(("module", job.module, image))
        if self._sent.setdefault(job.module, image) != image:
            raise ValueError(f"the key {job.module} names two different modules")
        link.send(("job", number, job))

    def _step(self, batch: _Batch) -> None:
        """Take one message of the child, or bury it."""
        try:
            message = self._running().receive(self._limit())
        except LinkDied as death:
            if not death.signal:
                raise GpuChildError(f"{death}, which is our mistake; its traceback stands above") from death
            self._bury(batch, "faulted", f"CHILD_DIED {death.signal}", "the process that drove the GPU was ended")
            return
        match message:
            case None:
                self._bury(batch, "hung", "TIMEOUT", f"no end after {self._limit():g} s")
            case Reply():
                self._settle(batch, message)
            case (stage, number):
                self._current = (stage, number)

    def _limit(self) -> float:
        """Return the clock of what the child is at: strict while a kernel runs, else only against a stuck driver."""
        return self._seconds if self._current is not None and self._current[0] == "begin" else self._load_seconds

    def _settle(self, batch: _Batch, reply: Reply) -> None:
        self._current, self._false_starts = None, 0
        if reply.alive:
            self._conclude(batch, batch.pending.pop(reply.number), reply)
        else:
            self._replace(batch, reply)

    def _bury(self, batch: _Batch, outcome: str, code: str, detail: str) -> None:
        """Restart after a child that ended or hung, and blame the job that it had begun, if any."""
        if self._current is not None:
            stage, number = self._current
            self._settle(batch, _blame(batch.pending[number], stage, number, (outcome, code, detail)))
            return
        self._false_starts += 1
        if self._false_starts >= _FALSE_STARTS:
            raise GpuUnhealthy(f"{_FALSE_STARTS} GPU children in a row ended between jobs: {code}")
        self._replace(batch, None)

    def _replace(self, batch: _Batch, last: Reply | None) -> None:
        """Take a proven child in place of one that ended, then its last word, then send again what it left."""
        self._stop()
        try:
            self._start()
        except NoGpu as reason:
            raise GpuUnhealthy(f"the GPU is gone: {reason}") from reason
        waiting, batch.pending = batch.pending, {}
        if last is not None:
            self._conclude(batch, waiting.pop(last.number), last)
        for number, job in waiting.items():
            self._submit(batch, number, job)

    def _conclude(self, batch: _Batch, job: Job, reply: Reply) -> None:
        if reply.whole:
            self._refused(batch, reply.number, job, reply.result)
        else:
            batch.finished[reply.number] = reply.result

    def _refused(self, batch: _Batch, number: int, job: Job, result: GpuResult) -> None:
        """Finish a job whose module was refused, or give it a module of its own."""
        batch.refused[job.module] = result
        if batch.speaks_of_kernel(job.module, result.code):
            batch.finished[number] = result
        elif job.kernel not in batch.parts(job.module):
            batch.finished[number] = replace(result, detail="split")
        else:
            key, batch.modules[key] = batch.parts(job.module)[job.kernel]
            self._submit(batch, number, replace(job, module=key))

    def _start(self) -> None:
        self._link = Link(self._command)
        match self._await(START_SECONDS, "starting"):
            case ("refused", reason):
                self._stop()
                raise reason
        if self._canary is not None:
            self._prove(self._canary)

    def _prove(self, canary: Canary) -> None:
        self._send(-1, canary.job, canary.image)
        limit = self._load_seconds + self._seconds
        while not isinstance(message := self._await(limit, "running the canary"), Reply):
            pass
        result = message.result
        complaint = canary.check(result) if result.outcome == "ok" else f"{result.outcome} {result.code}"
        if complaint:
            self._stop()
            raise GpuUnhealthy(f"the canary {canary.job.case} failed in a fresh process: {complaint}")

    def _await(self, seconds: float, doing: str) -> Any:
        """Return the next message of a child that has not yet proved itself."""
        try:
            message = self._running().receive(seconds)
        except LinkDied as death:
            self._stop()
            if not death.signal:
                raise GpuChildError(f"{death} while {doing}; its traceback stands above") from death
            raise GpuUnhealthy(f"{death} while {doing}") from death
        if message is None:
            self._stop()
            raise GpuUnhealthy(f"the GPU child said nothing for {seconds:g} s while {doing}")
        return message

    def _running(self) -> Link:
        if self._link is None:
            raise GpuChildError("the GPU is used outside its `with` block")
        return self._link

    def _stop(self) -> None:
        link, self._link, self._current = self._link, None, None
        self._sent.clear()
        if link is not None:
            try:
                link.stop()
            except subprocess.TimeoutExpired as stuck:
                raise GpuUnhealthy(f"the GPU child outlived SIGKILL by {stuck.timeout:g} s") from stuck


def _blame(job: Job, stage: str, number: int, cause: tuple[str, str, str]) -> Reply:
    """Return the reply that the child owes for the job that ended it."""
    outcome, code, detail = cause
    if stage == "load":
        return Reply(number, GpuResult(job.case, "unloadable", "load", code, detail), alive=False, whole=True)
    return Reply(number, GpuResult(job.case, outcome, "launch", code, detail), alive=False)
