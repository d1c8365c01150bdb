"""Stages 5 to 7 for one group: assembled cases -> what the GPU said. Builds the jobs and holds the oracle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite import arena
from suite.assemble import assemble_one
from suite.canary import canary
from suite.gpu_device import Device
from suite.launch import Gpu, Split
from suite.model import GpuResult, Job, NotAsked
from suite.observe import Assembled
from suite.probe import Arrays
from suite.targets import Target
from suite.toolchains import Toolchain
from suite.verify import inputs, verify

Answer = tuple[Assembled, str, dict[str, Any], NotAsked | None]


@dataclass
class Executor:
    """Runs assembled cases on one device."""

    device: Device
    _arrays: dict[str, Arrays] = field(default_factory=dict)

    def execute(
        self, items: Sequence[Assembled], known_good: tuple[str, bytes], split: Split | None
    ) -> Iterator[Answer]:
        """Yield each case with its word and evidence, in order.

        `known_good` is the canary's entry name and cubin. Raises `GpuUnhealthy` where it fails: no later answer counts.
        """
        modules = {module_key(item.cubin): item.cubin for item in items}
        by_case = {item.case.id: item for item in items}
        with Gpu(self.device.index, canary=canary(*known_good)) as gpu:
            jobs: dict[str, Job] = {}
            for result in gpu.run(self._jobs(items, jobs), modules, split):
                item, job = by_case[result.case], jobs.pop(result.case)
                arrays = self._arrays.pop(result.case)
                if _indistinct(result):
                    yield (
                        item,
                        item.word,
                        {},
                        NotAsked("load", f"its module was refused ({result.code}) and cannot be split"),
                    )
                    continue
                finding = verify(item.case, job, result, arrays)
                yield (
                    item,
                    finding.word,
                    {**self._where(), "seconds": round(result.seconds, 6), **finding.evidence},
                    None,
                )

    def _jobs(self, items: Sequence[Assembled], jobs: dict[str, Job]) -> Iterator[Job]:
        for item in items:
            arrays = self._arrays[item.case.id] = inputs(item.case)
            job = jobs[item.case.id] = arena.job(item.case, arrays, module_key(item.cubin), item.source.armed.name)
            yield job

    def _where(self) -> dict[str, str]:
        major, minor = self.device.capability
        return {"device": self.device.name, "capability": f"{major}.{minor}", "driver": self.device.driver}


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


def module_key(cubin: bytes) -> str:
    """Return the key under which a module's code is known: a hash of it."""
    return hashlib.sha256(cubin).hexdigest()[:16]
