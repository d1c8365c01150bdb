"""Where programs of the CUDA toolkit lie: PATH, CUDA_HOME, /usr/local, site-packages, Triton's wheels, the cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

CACHE_VARIABLE = "PTXPROOF_TOOLCHAINS"

_SYSTEM = Path("/usr/local")

# Layouts in which a wheel unpacks a program. Source: the wheels nvidia-cuda-nvcc 13.x, nvidia-cuda-nvcc-cu12, triton.
_WHEEL_LAYOUTS = (
    ("nvidia/*/bin/{program}", "site-packages"),
    ("triton/backends/nvidia/bin/{program}*", "Triton"),
)
_CACHE_LAYOUTS = ("{program}", "bin/{program}", "nvidia/*/bin/{program}", "triton/backends/nvidia/bin/{program}*")


def candidates(program: str) -> list[tuple[Path, str]]:
    """Return every file that may be `program`, with its origin, in order of preference and without repetition.

    Files of one real path (links) count once. None was run: it may be broken.
    """
    found: dict[Path, tuple[Path, str]] = {}
    for path, origin in _all(program):
        if path.is_file():
            found.setdefault(path.resolve(), (path, origin))
    return list(found.values())


def cache_folder() -> Path:
    """Return the folder of further toolchains, one a subfolder: $PTXPROOF_TOOLCHAINS or the user's cache."""
    import platformdirs  # not where bundles run, which need no toolchain

    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("ptxproof")) / "toolchains"


def _all(program: str) -> Iterator[tuple[Path, str]]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield Path(folder or ".") / program, "PATH"
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "bin" / program, variable
    for path in sorted(_SYSTEM.glob(f"cuda*/bin/{program}")):
        yield path, "/usr/local"
    for folder in sys.path:
        yield from _below(Path(folder or "."), program)
    for layout in _CACHE_LAYOUTS:
        for path in sorted(cache_folder().glob(f"*/{layout.format(program=program)}")):
            yield path, "cache"


def _below(folder: Path, program: str) -> Iterator[tuple[Path, str]]:
    for layout, origin in _WHEEL_LAYOUTS:
        for path in sorted(folder.glob(layout.format(program=program))):
            yield path, origin
