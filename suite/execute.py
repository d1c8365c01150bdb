"""Stages 5 to 7 for one group: assembled cases -> what the GPU said. Has the jobs made, and their results judged."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from suite.assemble import assemble_one
from suite.canary import canary
from suite.crew import Crew, Task
from suite.examine import Answered
from suite.gpu_device import Device
from suite.launch import Gpu, Split
from suite.model import GpuResult, Job, NotAsked
from suite.observe import Assembled
from suite.prepare import Prepared
from suite.targets import Target
from suite.toolchains import Toolchain
from suite.verify import Finding

Answer = tuple[Assembled, str, dict[str, Any], NotAsked | None]


@dataclass
class _Open:
    """A case whose launches are on their way: its results as they come back, and then its finding."""

    item: Assembled
    task: Task
    prepared: Prepared
    results: list[GpuResult] = field(default_factory=list)
    finding: Future[Finding] | None = None

    @property
    def complete(self) -> bool:
        """Tell whether every launch is answered."""
        return len(self.results) == len(self.prepared.jobs)


@dataclass(frozen=True)
class Executor:
    """Runs assembled cases on one device; `processes` prepare and judge them beside it (0: this one)."""

    device: Device
    processes: int = 0

    def execute(
        self, items: Sequence[Assembled], known_good: tuple[str, bytes], split: Split | None, target: Target
    ) -> Iterator[Answer]:
        """Yield each case with its word and evidence, in order.

        `known_good` is the canary's entry name and cubin. Raises `GpuUnhealthy` where it fails: no later answer counts.
        """
        modules = {module_key(item.cubin): item.cubin for item in items}
        own = {item.case.id: item.case for item in items}
        with Crew(self.processes, own) as crew, Gpu(self.device.index, canary=canary(*known_good)) as gpu:
            launched: deque[_Open] = deque()
            judged: deque[_Open] = deque()
            for result in gpu.run(_jobs(items, target, crew, launched), modules, split):
                launched[0].results.append(result)
                if launched[0].complete:
                    judged.append(_examined(crew, launched.popleft()))
                while judged and _done(judged[0]):
                    yield self._answer(judged.popleft())
            yield from map(self._answer, judged)

    def _answer(self, case: _Open) -> Answer:
        if case.finding is None:
            code = case.results[0].code
            return (
                case.item,
                case.item.word,
                {},
                NotAsked("load", f"its module was refused ({code}) and cannot be split"),
            )
        finding = case.finding.result()
        seconds = round(sum(result.seconds for result in case.results), 6)
        return case.item, finding.word, {**self._where(), "seconds": seconds, **finding.evidence}, None

    def _where(self) -> dict[str, str]:
        major, minor = self.device.capability
        return {"device": self.device.name, "capability": f"{major}.{minor}", "driver": self.device.driver}


def _jobs(items: Sequence[Assembled], target: Target, crew: Crew, launched: deque[_Open]) -> Iterator[Job]:
    """Yield every case's jobs, and note it as launched before its first."""
    tasks = [_task(item, target) for item in items]
    for item, task, prepared in zip(items, tasks, crew.prepared(tasks), strict=True):
        launched.append(_Open(item, task, prepared))
        yield from prepared.jobs


def _task(item: Assembled, target: Target) -> Task:
    opcodes = item.realization.opcodes if item.realization else {}
    return Task(item.case.id, module_key(item.cubin), item.source.armed.name, target.name, opcodes)


def _examined(crew: Crew, case: _Open) -> _Open:
    """Return the case with its finding on the way, without one where its module was refused and cannot be split."""
    if not _indistinct(case.results[0]):
        case.finding = crew.examined(case.task, Answered(case.prepared, tuple(case.results)))
    return case


def _done(case: _Open) -> bool:
    return case.finding is None or case.finding.done()


def splitter(items: Sequence[Assembled], toolchain: Toolchain, target: Target) -> Split:
    """Return the function that assembles each kernel of a refused module alone, so that one cannot spoil the others."""

    def split(key: str) -> dict[str, tuple[str, bytes]]:
        kernels = [item.source.armed for item in items if item.word == "assembled" and module_key(item.cubin) == key]
        alone = {kernel.name: assemble_one(kernel, toolchain, target, toolchain.ptx).cubin for kernel in kernels}
        return {name: (f"{key}.{name}", cubin) for name, cubin in alone.items()}

    return split


def _indistinct(result: GpuResult) -> bool:
    """Tell whether a module was refused that holds other kernels too, any of which may be the cause."""
    return result.outcome == "unloadable" and result.detail == "split"


@lru_cache(maxsize=64)
def module_key(cubin: bytes) -> str:
    """Return the key under which a module's code is known: a hash of it."""
    return hashlib.sha256(cubin).hexdigest()[:16]
