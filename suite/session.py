"""What a run knows of its machine: the GPU it may use, or the one-line reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.gpu_device import Device, NoGpu, devices


def local_device(index: int = 0) -> tuple[Device | None, str]:
    """Return the GPU of that place among those this process may use (modulo their number), else None and the reason."""
    try:
        found = devices()
    except NoGpu as error:
        return None, str(error)
    return found[index % len(found)], ""


def header(device: Device | None) -> Mapping[str, Any]:
    """Return what a record's header says of the GPU: no serial numbers."""
    if device is None:
        return {"gpu": None}
    major, minor = device.capability
    return {
        "gpu": {
            "name": device.name,
            "capability": f"{major}.{minor}",
            "driver": device.driver,
            "cuda": device.cuda,
            "memory": device.memory,
            "sms": device.sms,
        }
    }
