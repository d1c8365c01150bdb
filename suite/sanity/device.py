"""What the measuring steps ask of the driver: a context, kernels compiled from PTX, launches and times by events."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

from cuda.bindings import driver

from suite import gpu_device
from suite.gpu_calls import Refusal, attempt, must
from suite.load import Modules
from suite.render import header


class Measured:
    """One GPU as the measuring steps see it: its context, its attributes, and the highest `.version` it compiles.

    Raises `NoGpu` where the device cannot be had.
    """

    def __init__(self, index: int) -> None:
        gpu_device.initialise()
        gpu_device.take(index)
        self._handle = must(driver.cuDeviceGet(index))
        self._modules = Modules()
        self.capability = (self.attribute("COMPUTE_CAPABILITY_MAJOR"), self.attribute("COMPUTE_CAPABILITY_MINOR"))

    @property
    def target(self) -> str:
        """Return the base target of the chip."""
        return f"sm_{self.capability[0]}{self.capability[1]}"

    def attribute(self, name: str) -> int:
        """Return a device attribute, by its name after CU_DEVICE_ATTRIBUTE_."""
        return int(
            must(
                driver.cuDeviceGetAttribute(
                    getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}"), self._handle
                )
            )
        )

    def compile(self, text: str, kernel: str, target: str, ptx: tuple[int, int]) -> Any:
        """Return the function that the driver makes of a kernel's PTX. Raises `Refusal` where it does not."""
        module = header(target, ptx) + text
        return self._modules.kernel(module, module.encode(), kernel)

    def load(self, image: bytes, key: str, kernel: str) -> Any:
        """Return a function of a module. Raises `Refusal` where the driver refuses it."""
        return self._modules.kernel(key, image, kernel)

    def room(self, size: int) -> int:
        """Return the address of so many bytes on the device. Raises `Refusal` where there is no room."""
        return int(attempt(driver.cuMemAlloc(size), "allocate", f"allocating {size} bytes"))


def config(grid: int, block: int, shared: int = 0, cluster: int = 1) -> Any:
    """Return a launch's geometry: blocks, threads a block, bytes of dynamic shared memory, blocks a cluster."""
    made = driver.CUlaunchConfig()
    made.gridDimX, made.gridDimY, made.gridDimZ = grid, 1, 1
    made.blockDimX, made.blockDimY, made.blockDimZ = block, 1, 1
    made.sharedMemBytes = shared
    if cluster > 1:
        attribute = driver.CUlaunchAttribute()
        attribute.id = driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
        size = attribute.value.clusterDim
        size.x, size.y, size.z = cluster, 1, 1
        made.attrs = [attribute]
        made.numAttrs = 1
    return made


def launch(function: Any, geometry: Any, *values: int) -> None:
    """Launch a kernel whose parameters are all 64 bits wide. Raises `Refusal`; what happens later, `finish` tells."""
    data = (ctypes.c_uint64 * max(1, len(values)))(*values)
    starts = itertools.islice(itertools.count(ctypes.addressof(data), 8), len(values))
    array = (ctypes.c_void_p * max(1, len(values)))(*starts)
    attempt(driver.cuLaunchKernelEx(geometry, function, ctypes.addressof(array), 0), "launch", "refused at launch")


def finish() -> None:
    """Wait until the GPU has done all. Raises `Refusal` for what went wrong meanwhile."""
    attempt(driver.cuCtxSynchronize(), "launch", "while running")


def allow(function: Any, name: str, value: int) -> None:
    """Set a function attribute, by its name after CU_FUNC_ATTRIBUTE_. Raises `Refusal`."""
    attribute = getattr(driver.CUfunction_attribute, f"CU_FUNC_ATTRIBUTE_{name}")
    attempt(driver.cuFuncSetAttribute(function, attribute, value), "launch", f"asking for {name} {value}")


def property_of(function: Any, name: str) -> int:
    """Return a function attribute, by its name after CU_FUNC_ATTRIBUTE_."""
    attribute = getattr(driver.CUfunction_attribute, f"CU_FUNC_ATTRIBUTE_{name}")
    return int(must(driver.cuFuncGetAttribute(attribute, function)))


def word(address: int) -> int:
    """Return the 32-bit word at an address of the device."""
    found = ctypes.c_uint32(0)
    must(driver.cuMemcpyDtoH(ctypes.addressof(found), address, 4))
    return found.value


def clear(address: int, words: int = 1) -> None:
    """Set 32-bit words on the device to zero."""
    must(driver.cuMemsetD32(address, 0, words))


def milliseconds(work: Callable[[], None]) -> float:
    """Return how long the work took on the device, by events. Raises `Refusal` where it went wrong."""
    first, last = must(driver.cuEventCreate(0)), must(driver.cuEventCreate(0))
    must(driver.cuEventRecord(first, 0))
    work()
    must(driver.cuEventRecord(last, 0))
    attempt(driver.cuEventSynchronize(last), "launch", "while running")
    took = float(must(driver.cuEventElapsedTime(first, last)))
    must(driver.cuEventDestroy(first))
    must(driver.cuEventDestroy(last))
    return took


def accepted(action: Callable[[], object]) -> bool:
    """Tell whether the driver takes it. A refusal that breaks the context is not one to search on, and goes on."""
    try:
        action()
    except Refusal as refusal:
        if refusal.code in _STICKY:
            raise
        return False
    return True


# Errors after which a context is of no more use. Source: CUDA driver API, CUresult.
_STICKY = (
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
)
