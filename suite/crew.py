"""Processes that prepare cases ahead of the GPU, and judge what did not end as expected, while it works on others."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from suite import catalogue, targets
from suite.cores import cores
from suite.examine import Answered, examine
from suite.gpu_child import prepare as obey_parent
from suite.prepare import Prepared, prepare
from suite.probe import Case
from suite.verify import Finding

MOST = 16  # processes: more prepare faster than one GPU and the pipes to it take


@dataclass(frozen=True)
class Task:
    """What preparing and judging a case takes: its id, its kernel, the target, and the opcodes that realize it."""

    case: str
    module: str
    kernel: str
    target: str
    opcodes: dict[str, int]


class Crew:
    """So many processes, or none: then everything is done here. A context manager.

    Only cases of the catalogue, which every process has, can go to others; `own` are done here.
    """

    def __init__(self, processes: int, own: dict[str, Case]) -> None:
        self._own = own
        self._size = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._size > 1:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes are the threads
            self._pool = ProcessPoolExecutor(self._size, get_context("spawn"), obey_parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def prepared(self, tasks: Iterable[Task]) -> Iterator[Prepared]:
        """Yield what is prepared of each task, in order, a few ahead of who asks."""
        if self._pool is None:
            yield from (
                prepare(self._own[t.case], t.module, t.kernel, targets.parse(t.target), t.opcodes) for t in tasks
            )
            return
        waiting: deque[Future[Prepared]] = deque()
        for task in tasks:
            waiting.append(self._pool.submit(_prepare, task))
            if len(waiting) > 4 * self._size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def examined(self, task: Task, answered: Answered) -> Future[Finding]:
        """Return what the results of a case will be found to show."""
        if self._pool is not None and not answered.matched:
            return self._pool.submit(_examine, task, answered)
        done: Future[Finding] = Future()
        done.set_result(examine(self._own[task.case], targets.parse(task.target), task.opcodes, answered))
        return done


def _prepare(task: Task) -> Prepared:
    case = catalogue.find(task.case)
    return prepare(case, task.module, task.kernel, targets.parse(task.target), task.opcodes)


def _examine(task: Task, answered: Answered) -> Finding:
    return examine(catalogue.find(task.case), targets.parse(task.target), task.opcodes, answered)


def processes() -> int:
    """Return how many processes this machine has use for."""
    return min(MOST, cores())
