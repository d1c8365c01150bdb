"""The CUDA side of the GPU child: one context, one arena on the device, and the launch of a job under both poisons."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

from cuda.bindings import driver

from suite import gpu_device, tensormap
from suite.arena import ALIGNMENT, POISONS, poisoned
from suite.gpu_calls import attempt, must
from suite.load import Modules
from suite.model import Job

# The largest cluster that needs no leave. Source: CUDA C++ Programming Guide, thread block clusters.
_PORTABLE_CLUSTER = 8


class CudaEngine:
    """One GPU's primary context. Raises `NoGpu` where the device cannot be had."""

    def __init__(self, device: int) -> None:
        gpu_device.initialise()
        gpu_device.take(device)
        self._modules = Modules()
        self._arena: Any = None
        self._size = 0

    def known(self, job: Job) -> bool:
        """Tell whether the job's kernel is loaded."""
        return self._modules.known(job.module, job.kernel)

    def load(self, job: Job, image: bytes) -> None:
        """Load the job's kernel from its module's image. Raises `Refusal` of stage `load`."""
        self._modules.kernel(job.module, image, job.kernel)

    def run(self, job: Job) -> tuple[bytes, ...]:
        """Return the arena after each poisoned run. Raises `Refusal` of stage `encode` or `launch`.

        Where the two differ, a third with the first poison tells what changes by itself from what was not written.
        """
        function = self._modules.kernel(job.module, b"", job.kernel)
        base = self._room(len(job.image))
        parameters = _Parameters(job, base)
        _allow(function, job)
        config = _config(job)

        def launch() -> tuple[Any, ...]:
            return tuple(driver.cuLaunchKernelEx(config, function, parameters.address, 0))

        arenas = tuple(_once(job, launch, base, run) for run in range(len(POISONS)))
        return arenas if arenas[0] == arenas[1] else (*arenas, _once(job, launch, base, 0))

    def alive(self) -> bool:
        """Tell whether the context still answers: an error that stays is one that only a new process gets rid of."""
        return not driver.cuCtxSynchronize()[0]

    def _room(self, size: int) -> int:
        """Return the aligned address of at least `size` bytes on the device."""
        if size > self._size:
            if self._arena is not None:
                must(driver.cuMemFree(self._arena))
            self._size = max(size, 2 * self._size)
            self._arena = must(driver.cuMemAlloc(self._size + ALIGNMENT))
        return -(-int(self._arena) // ALIGNMENT) * ALIGNMENT


class _Parameters:
    """The kernel's parameters as the driver takes them: an array of addresses, one a parameter."""

    def __init__(self, job: Job, base: int) -> None:
        values = [_parameter(kind, value, base) for kind, value in job.arguments]
        self._data = ctypes.create_string_buffer(b"".join(values))
        starts = itertools.accumulate(map(len, values[:-1]), initial=ctypes.addressof(self._data))
        self._array = (ctypes.c_void_p * max(1, len(values)))(*starts)
        self.address = ctypes.addressof(self._array)


def _parameter(kind: str, value: Any, base: int) -> bytes:
    if kind == "tensormap":
        return tensormap.encode(value, base + value.buffer)
    if kind == "pointer":
        return int(base + value).to_bytes(8, "little")
    raise ValueError(f"a kernel parameter of unknown kind {kind!r}")


def _allow(function: Any, job: Job) -> None:
    """Lift the two limits that a launch may not exceed unasked: shared memory and cluster size."""
    attribute = driver.CUfunction_attribute
    if job.shared:
        kind = attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        doing = f"asking for {job.shared} bytes of dynamic shared memory"
        attempt(driver.cuFuncSetAttribute(function, kind, job.shared), "launch", doing)
    if job.cluster[0] * job.cluster[1] * job.cluster[2] > _PORTABLE_CLUSTER:
        kind = attribute.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
        attempt(driver.cuFuncSetAttribute(function, kind, 1), "launch", f"asking for a cluster of {job.cluster}")


def _config(job: Job) -> Any:
    config = driver.CUlaunchConfig()
    config.gridDimX, config.gridDimY, config.gridDimZ = job.grid
    config.blockDimX, config.blockDimY, config.blockDimZ = job.block
    config.sharedMemBytes = job.shared
    if job.cluster != (1, 1, 1):
        attribute = driver.CUlaunchAttribute()
        attribute.id = driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
        size = attribute.value.clusterDim
        size.x, size.y, size.z = job.cluster
        config.attrs = [attribute]
        config.numAttrs = 1
    return config


def _once(job: Job, launch: Callable[[], tuple[Any, ...]], base: int, run: int) -> bytes:
    host = poisoned(job.image, job.outputs, run)
    must(driver.cuMemcpyHtoD(base, host.ctypes.data, host.size))
    attempt(launch(), "launch", f"refused at launch, run {run}")
    attempt(driver.cuCtxSynchronize(), "launch", f"while running, run {run}")
    must(driver.cuMemcpyDtoH(host.ctypes.data, base, host.size))
    return host.tobytes()
