"""Step `nvml`: what the management library reports of each GPU. What a chip does not report is `not reported`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

from suite.gpu_device import NoDriver
from suite.sanity.model import NOT_REPORTED
from suite.sanity.steps import Emit

_DMESG_SECONDS = 3.0
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): (\d+)")

# Source: NVML API reference, nvmlComputeMode_t.
_COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}

# Facts by name, each the value of one call on the library and a device's handle. Source: NVML API reference.
FACTS: dict[str, Callable[[Any, Any], Any]] = {
    "name": lambda nvml, h: nvml.nvmlDeviceGetName(h),
    "pci": lambda nvml, h: nvml.nvmlDeviceGetPciInfo(h).busId,
    "capability": lambda nvml, h: ".".join(map(str, nvml.nvmlDeviceGetCudaComputeCapability(h))),
    "memory_bytes": lambda nvml, h: nvml.nvmlDeviceGetMemoryInfo(h).total,
    "memory_used_bytes": lambda nvml, h: nvml.nvmlDeviceGetMemoryInfo(h).used,
    "mig": lambda nvml, h: _on(nvml.nvmlDeviceGetMigMode(h)[0]),
    "compute_mode": lambda nvml, h: _COMPUTE_MODES[nvml.nvmlDeviceGetComputeMode(h)],
    "ecc": lambda nvml, h: _on(nvml.nvmlDeviceGetEccMode(h)[0]),
    "ecc_uncorrected": lambda nvml, h: nvml.nvmlDeviceGetTotalEccErrors(
        h, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
    ),
    "clock_sm_mhz": lambda nvml, h: nvml.nvmlDeviceGetClockInfo(h, nvml.NVML_CLOCK_SM),
    "clock_sm_max_mhz": lambda nvml, h: nvml.nvmlDeviceGetMaxClockInfo(h, nvml.NVML_CLOCK_SM),
    "clock_memory_mhz": lambda nvml, h: nvml.nvmlDeviceGetClockInfo(h, nvml.NVML_CLOCK_MEM),
    "throttle": lambda nvml, h: _throttle(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(h)),
    "temperature_c": lambda nvml, h: nvml.nvmlDeviceGetTemperature(h, nvml.NVML_TEMPERATURE_GPU),
    "power_w": lambda nvml, h: nvml.nvmlDeviceGetPowerUsage(h) / 1000,
    "power_limit_w": lambda nvml, h: nvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000,
    "processes": lambda nvml, h: len(nvml.nvmlDeviceGetComputeRunningProcesses(h)),
}

# Reasons by bit. Source: NVML API reference, nvmlClocksEventReasons.
THROTTLE = {
    0x1: "idle",
    0x2: "applications clocks",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clocks",
}
HARMFUL = ("hardware slowdown", "software thermal slowdown", "hardware thermal slowdown", "hardware power brake")


def run(emit: Emit) -> None:
    """Give the driver's versions, each GPU's facts, and the Xid errors in the kernel's log. Raises `NoDriver`."""
    try:
        import pynvml
    except ModuleNotFoundError:
        raise NoDriver("the Python package nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NoDriver(f"NVML does not start: {error}") from None
    emit("driver", fact(pynvml, lambda nvml, _: nvml.nvmlSystemGetDriverVersion(), None))
    emit("cuda", _dotted(fact(pynvml, lambda nvml, _: nvml.nvmlSystemGetCudaDriverVersion_v2(), None)))
    for index in range(pynvml.nvmlDeviceGetCount()):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        emit("gpu", {"nvml_index": index, **{name: fact(pynvml, ask, handle) for name, ask in FACTS.items()}})
    emit("xid", _kernel_log())


def fact(nvml: Any, ask: Callable[[Any, Any], Any], handle: Any) -> Any:
    """Return what a call says: its value, `not reported`, or the library's own words for any other error."""
    try:
        value = ask(nvml, handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return NOT_REPORTED
    except nvml.NVMLError as error:
        return f"{NOT_REPORTED} ({error})"
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def xids(log: str) -> list[str]:
    """Return the Xid errors in a kernel log: `PCI address: Xid number`, in order, each once."""
    return list(dict.fromkeys(f"{match[1]}: Xid {match[2]}" for match in _XID.finditer(log)))


def _kernel_log() -> list[str] | str:
    try:
        done = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=_DMESG_SECONDS, check=True)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):  # not for this user
        return "the kernel's log is not readable here"
    return xids(done.stdout)


def _throttle(bits: int) -> list[str]:
    return [name for bit, name in THROTTLE.items() if bits & bit]


def _on(mode: int) -> str:
    return "on" if mode else "off"


def _dotted(version: Any) -> Any:
    return f"{version // 1000}.{version % 1000 // 10}" if isinstance(version, int) else version
