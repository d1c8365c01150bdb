"""Step `libraries`: the CUDA runtime libraries of this machine with their versions, and those that packages want."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from suite.sanity.packages import ask, defaults
from suite.sanity.steps import Emit

# Library, and the function that tells its version. Source: CUDA runtime API; NVRTC; nvJitLink.
_LIBRARIES = {
    "libcudart": "cudaRuntimeGetVersion",
    "libnvrtc": "nvrtcVersion",
    "libnvJitLink": "nvJitLinkVersion",
}
_SONAME = re.compile(r"(libcudart|libnvrtc|libnvJitLink)\.so\.(\d+)")
_WANTED = re.compile(r"libcudart\.so\.\d+")
_SECONDS = 5.0
_MOST_MODULES = 200  # extension modules looked into, those nearest to the packages' roots first


def run(emit: Emit, *pythons: str) -> None:
    """Give each library with its version, and each runtime library that an extension module wants."""
    facts = [ask(python, "paths") for python in pythons or defaults()]
    folders = [Path(str(folder)) for entry in facts for folder in _list(entry.get("folders"))]
    for path in installed(folders):
        emit.begin(str(path))
        emit("library", {"name": path.name, "path": str(path), "version": version(path)})
    for module, soname in wanted(folders):
        emit("wants", {"module": str(module), "library": soname})


def installed(folders: Iterable[Path]) -> list[Path]:
    """Return the libraries that the loader, CUDA's own folders or wheels offer, each real file once."""
    found: dict[Path, Path] = {}
    for path in [*_loader(), *_in_folders(folders)]:
        if _SONAME.match(path.name) and path.exists():
            found.setdefault(path.resolve(), path)
    return list(found.values())


def version(path: Path) -> str:
    """Return the version a library tells of itself, such as 13.0, or why it tells none."""
    name = next(name for name in _LIBRARIES if path.name.startswith(name))
    try:
        function = getattr(ctypes.CDLL(str(path)), _LIBRARIES[name])
    except (OSError, AttributeError) as error:
        return f"not loadable: {error}"
    first, second = ctypes.c_int(0), ctypes.c_int(0)
    if name == "libcudart":
        status = function(ctypes.byref(first))
        first, second = ctypes.c_int(first.value // 1000), ctypes.c_int(first.value % 1000 // 10)
    else:
        status = function(ctypes.byref(first), ctypes.byref(second))
    return f"{first.value}.{second.value}" if not status else f"its version call fails with {status}"


def wanted(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Return each runtime library that extension modules below these folders need, with one module that needs it."""
    modules = [path for folder in folders for glob in ("*.so", "*/*.so", "*/lib/*.so") for path in folder.glob(glob)]
    found: dict[str, Path] = {}
    for module in modules[:_MOST_MODULES]:
        for soname in needed(module):
            if _WANTED.fullmatch(soname):
                found.setdefault(soname, module)
    return [(module, soname) for soname, module in found.items()]


def needed(path: Path) -> list[str]:
    """Return the libraries that an ELF file needs; none for a file that is no ELF file or cannot be read."""
    try:
        with path.open("rb") as file:
            section = ELFFile(file).get_section_by_name(".dynamic")
            return (
                [vars(tag)["needed"] for tag in section.iter_tags("DT_NEEDED")]
                if isinstance(section, DynamicSection)
                else []
            )
    except (OSError, ELFError):
        return []


def _loader() -> Iterator[Path]:
    """Yield what the dynamic loader knows, and what LD_LIBRARY_PATH adds."""
    try:
        done = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, timeout=_SECONDS, check=True)
        for line in done.stdout.splitlines():
            yield Path(line.rpartition("=> ")[2].strip())
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):  # no ldconfig: wheels are still there
        pass
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)):
        yield from sorted(Path(folder).glob("lib*.so.*"))


def _in_folders(folders: Iterable[Path]) -> Iterator[Path]:
    for root in sorted(Path("/usr/local").glob("cuda*/lib64")):
        yield from sorted(root.glob("lib*.so.*"))
    for folder in folders:
        for name in _LIBRARIES:
            yield from sorted(folder.glob(f"nvidia/*/lib/{name}.so.*"))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
