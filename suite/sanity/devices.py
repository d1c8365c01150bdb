"""Step `devices`: the GPUs that CUDA lets this process use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from suite.gpu_device import devices
from suite.sanity.steps import Emit

_PCI = Path("/sys/bus/pci/devices")
_NVIDIA, _DISPLAY = "0x10de", ("0x0300", "0x0302")  # vendor; VGA and 3D controllers. Source: PCI ID database


def run(emit: Emit) -> None:
    """Give what is on the bus, then each device. Raises `NoGpu` where there is none to use."""
    emit("pci", on_the_bus(_PCI))
    for device in devices():
        emit("device", asdict(device))


def on_the_bus(folder: Path) -> list[str]:
    """Return the PCI addresses of NVIDIA GPUs, with a driver or without; none where the bus cannot be read."""
    found = []
    for device in sorted(folder.glob("*")):
        try:
            vendor, kind = (device / "vendor").read_text().strip(), (device / "class").read_text().strip()
        except OSError:  # a device that is going away
            continue
        if vendor == _NVIDIA and kind[:6] in _DISPLAY:
            found.append(device.name)
    return found
