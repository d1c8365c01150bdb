"""Step `toolchains`: every ptxas by role, nvJitLink and the driver's JIT, with the targets each knows."""

from __future__ import annotations

from pathlib import Path

from suite.assembler_process import AssemblerError
from suite.sanity.packages import ask, defaults
from suite.sanity.steps import Emit
from suite.toolchains import Broken, Toolchain, discover, identify

_BUNDLED = "backends/nvidia/bin/ptxas*"  # below Triton's folder. Source: the triton wheels


def run(emit: Emit, *pythons: str) -> None:
    """Give each assembler that works, with its role, and each that does not, with the reason."""
    found = discover()
    for toolchain in found.toolchains:
        emit("toolchain", described(toolchain))
    for place, reason in found.broken:
        emit("broken", {"path": place, "reason": reason})
    known = {path for toolchain in found.toolchains for path in (toolchain.path, *toolchain.also)}
    for path in bundled(pythons or tuple(defaults())):
        if str(path) not in known:
            _bundled(emit, path)


def described(toolchain: Toolchain) -> dict[str, object]:
    """Return a toolchain as plain data."""
    return {
        "name": toolchain.name,
        "kind": toolchain.kind,
        "role": toolchain.origin,
        "path": toolchain.path,
        "also": list(toolchain.also),
        "ptx": f"{toolchain.ptx[0]}.{toolchain.ptx[1]}",
        "targets": sorted(toolchain.targets),
    }


def bundled(pythons: tuple[str, ...]) -> list[Path]:
    """Return the ptxas of each Python's Triton, which Triton uses and no other."""
    paths = [ask(python, "paths").get("paths") for python in pythons]
    roots = [Path(str(entry["triton"])) for entry in paths if isinstance(entry, dict) and "triton" in entry]
    return sorted({path for root in roots for path in root.glob(_BUNDLED) if path.is_file()})


def _bundled(emit: Emit, path: Path) -> None:
    try:
        emit("toolchain", described(identify(path, "Triton")))
    except (Broken, AssemblerError) as error:
        emit("broken", {"path": str(path), "reason": str(error)})
