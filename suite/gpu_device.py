"""The GPUs of this machine, and in one line each the reasons why there are none to use.

The driver is asked in a short-lived process: one that hangs cannot hang the run, and the parent of the GPU children
never holds anything of CUDA's itself. Only `initialise` and `take`, which the children call, touch the driver here.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suite.gpu_link import command, environment

LIBRARY = "libcuda.so.1"
OLDEST_DRIVER = 12000  # as cuDriverGetVersion counts: cuda-bindings 13 finds its functions by what came with CUDA 12.0
_ASK_SECONDS = 120.0


class NoGpu(Exception):
    """No GPU can be used; the text is one line that says why."""


class NoDriver(NoGpu):
    """There is no NVIDIA driver, or no Python package that speaks to it."""


class NoDevice(NoGpu):
    """The driver shows no device."""


class DriverTooOld(NoGpu):
    """The driver is older than what ptxproof calls of it."""


class DeviceRefused(NoGpu):
    """There is a device, and this process may not use it: compute mode, permission, or a driver in trouble."""


# What the driver answers where no GPU can be had. Source: CUDA driver API, CUresult.
_REASONS: dict[str, tuple[type[NoGpu], str]] = {
    "CUDA_ERROR_STUB_LIBRARY": (NoDriver, f"{LIBRARY} here is the toolkit's stub, not a driver"),
    "CUDA_ERROR_NO_DEVICE": (NoDevice, "the driver shows no CUDA device"),
    "CUDA_ERROR_INVALID_DEVICE": (NoDevice, "there is no device of that index"),
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": (DriverTooOld, f"the kernel driver and {LIBRARY} are of different versions"),
    "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE": (DriverTooOld, "the driver is too old for this compatibility library"),
    "CUDA_ERROR_DEVICE_UNAVAILABLE": (DeviceRefused, "the device is prohibited, or another process has it exclusively"),
    "CUDA_ERROR_NOT_PERMITTED": (DeviceRefused, "this user may not use the device"),
    "CUDA_ERROR_OPERATING_SYSTEM": (DeviceRefused, "the operating system denies access to the device"),
    "CUDA_ERROR_SYSTEM_NOT_READY": (DeviceRefused, "the system is not ready: is the fabric manager running?"),
    "CUDA_ERROR_DEVICE_NOT_LICENSED": (DeviceRefused, "the virtual GPU has no licence"),
    "CUDA_ERROR_OUT_OF_MEMORY": (DeviceRefused, "the device has no memory left for a context"),
    "CUDA_ERROR_ECC_UNCORRECTABLE": (DeviceRefused, "the device reports an uncorrectable memory error"),
    "CUDA_ERROR_UNKNOWN": (DeviceRefused, "the driver fails with CUDA_ERROR_UNKNOWN"),
}
_CLASSES = {kind.__name__: kind for kind in (NoDriver, NoDevice, DriverTooOld, DeviceRefused)}


@dataclass(frozen=True)
class Device:
    """One GPU: `driver` is the driver's version and `cuda` the CUDA version it brings; `memory` is in bytes."""

    index: int
    name: str
    capability: tuple[int, int]
    driver: str
    cuda: str
    memory: int
    sms: int


def devices() -> tuple[Device, ...]:
    """Return the GPUs that this process may use, as the driver numbers them; asked once.

    Raises a `NoGpu` of the kind that fits where there is none.
    """
    answer = _answer()
    if "refused" in answer:
        kind, reason = answer["refused"]
        raise _CLASSES[kind](reason)
    return tuple(Device(**{**facts, "capability": tuple(facts["capability"])}) for facts in answer["devices"])


def initialise() -> None:
    """Start the driver in this process. Raises `NoGpu` where it cannot be."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        raise NoDriver(f"no NVIDIA driver on this machine ({LIBRARY} not found)") from None
    _demand(_driver().cuInit(0))
    version = _demand(_driver().cuDriverGetVersion())
    if version < OLDEST_DRIVER:
        raise DriverTooOld(f"the driver brings CUDA {_dotted(version)}, ptxproof needs {_dotted(OLDEST_DRIVER)}")


def take(index: int) -> None:
    """Make the device's primary context the current one. Raises `NoGpu` where it cannot be had."""
    driver = _driver()
    device = _demand(driver.cuDeviceGet(index))
    _demand(driver.cuCtxSetCurrent(_demand(driver.cuDevicePrimaryCtxRetain(device))))


@cache
def _answer() -> dict[str, Any]:
    try:
        argv = command("suite.gpu_device")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_ASK_SECONDS, env=environment(), check=True)
    except subprocess.TimeoutExpired:
        return {"refused": (DeviceRefused.__name__, f"the driver did not answer within {_ASK_SECONDS:g} s")}
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"asking the driver for its devices failed:\n{error.stderr}") from error
    return dict(json.loads(done.stdout))


def _driver() -> Any:
    try:
        from cuda.bindings import driver
    except ModuleNotFoundError:
        raise NoDriver("the Python package cuda-bindings is not installed") from None
    return driver


def _demand(answer: tuple[Any, ...]) -> Any:
    """Return the value of a driver call without which there is no GPU; raises the `NoGpu` that its error means."""
    code, *values = answer
    if code:
        kind, reason = _REASONS.get(code.name, (DeviceRefused, "the driver refuses"))
        raise kind(f"{reason} ({code.name}{_hint(kind)})")
    return values[0] if values else None


def _hint(kind: type[NoGpu]) -> str:
    """Return what in this process's surroundings may hide the devices."""
    control = Path("/dev/nvidiactl")
    if control.exists() and not os.access(control, os.R_OK | os.W_OK):
        return f"; permission denied on {control}"
    if kind is NoDevice and "CUDA_VISIBLE_DEVICES" in os.environ:
        return f"; CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}"
    return ""


def _ask() -> list[Device]:
    initialise()
    driver = _driver()
    version = _driver_version()
    cuda = _dotted(_demand(driver.cuDriverGetVersion()))
    handles = [_demand(driver.cuDeviceGet(i)) for i in range(_demand(driver.cuDeviceGetCount()))]
    found = [_describe(i, handle, version or f"CUDA {cuda}", cuda) for i, handle in enumerate(handles) if _open(handle)]
    if handles and not found:
        raise DeviceRefused("every device here is in prohibited compute mode")
    if not found:
        raise NoDevice("the driver shows no CUDA device")
    return found


def _describe(index: int, handle: Any, version: str, cuda: str) -> Device:
    driver = _driver()
    return Device(
        index=index,
        name=_demand(driver.cuDeviceGetName(256, handle)).split(b"\0", 1)[0].decode(),
        capability=(_fact(handle, "COMPUTE_CAPABILITY_MAJOR"), _fact(handle, "COMPUTE_CAPABILITY_MINOR")),
        driver=version,
        cuda=cuda,
        memory=_demand(driver.cuDeviceTotalMem(handle)),
        sms=_fact(handle, "MULTIPROCESSOR_COUNT"),
    )


def _open(handle: Any) -> bool:
    """Tell whether the compute mode lets anyone make a context."""
    return bool(_fact(handle, "COMPUTE_MODE") != int(_driver().CUcomputemode.CU_COMPUTEMODE_PROHIBITED))


def _fact(handle: Any, name: str) -> int:
    attribute = getattr(_driver().CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
    return int(_demand(_driver().cuDeviceGetAttribute(attribute, handle)))


def _driver_version() -> str:
    """Return the driver's own version, such as 580.159.04, from NVML or the kernel module; empty if neither tells."""
    try:
        import pynvml  # optional
    except ModuleNotFoundError:
        return _kernel_module_version()
    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return _kernel_module_version()


def _kernel_module_version() -> str:
    path = Path("/proc/driver/nvidia/version")
    match = re.search(r"\b\d{3,}\.\d+(?:\.\d+)?\b", path.read_text()) if path.exists() else None
    return match[0] if match else ""


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def main() -> None:
    """Print the devices, or the reason why there are none, as one JSON object."""
    try:
        answer: dict[str, Any] = {"devices": [asdict(device) for device in _ask()]}
    except NoGpu as reason:
        answer = {"refused": (type(reason).__name__, str(reason))}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
