"""The assemblers of this machine: every ptxas that can be found, nvJitLink, and the driver's own JIT.

What a toolchain can do is measured by asking it, never taken from its version.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from suite import gpu_device
from suite.assembler_process import AssemblerError, assemble_text, command, run
from suite.claims import PtxVersion, ptx_version
from suite.errors import UsageError
from suite.places import cache_folder, candidates
from suite.render import header
from suite.targets import ALL, Target

SECONDS = 10.0  # a --version or --help that takes longer hangs
LIBRARY_SECONDS = 60.0  # a library's process imports CUDA; the driver makes a context too

_RELEASE = re.compile(r"\bV(\d+\.\d+\.\d+)\b")
_CEILING = re.compile(r"current version is '(\d+\.\d+)'")
_GPU_NAME = re.compile(r"'(sm_\d+[af]?)'")
_IMPOSSIBLE_PTX = (99, 9)
_ALWAYS_KNOWN = "sm_90"  # by every assembler from CUDA 11.8 on; serves to ask for other things
_INSTALL = "install the PyPI package nvidia-cuda-nvcc, or set CUDA_HOME"


@dataclass(frozen=True)
class Toolchain:
    """One identified assembler.

    `kind` is ptxas, nvjitlink or driver; `path` the executable or library; `ptx` the highest `.version` it takes;
    `targets` the names of those it assembles for; `origin` where it was found, `also` further places of the version.
    """

    name: str
    kind: str
    version: str
    path: str
    ptx: PtxVersion
    targets: frozenset[str]
    origin: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """What was found: the toolchains, newest ptxas first, and (path, reason) of each that does not work."""

    toolchains: tuple[Toolchain, ...]
    broken: tuple[tuple[str, str], ...] = ()


class Broken(Exception):
    """A file that ought to be an assembler and does not work as one; the text says why."""


class Absent(Exception):
    """A library that is not on this machine, which is no fault."""


def discover(*, libraries: bool = True) -> Inventory:
    """Return every assembler of this machine, or every ptxas alone. Asks each in a process of its own, all at once."""
    found = candidates("ptxas")
    jobs: list[Callable[[], Toolchain]] = [partial(identify, path, origin) for path, origin in found]
    jobs += [_nvjitlink, _driver] if libraries else []
    with ThreadPoolExecutor(max(1, len(jobs))) as pool:
        answers = list(pool.map(_attempt, jobs))
    names = [str(path) for path, _ in found] + (["nvjitlink", "driver"] if libraries else [])
    working = [answer for answer in answers if isinstance(answer, Toolchain)]
    broken = [(name, answer) for name, answer in zip(names, answers, strict=True) if isinstance(answer, str)]
    return Inventory(_distinct(working), tuple(broken))


def resolve(names: Sequence[str], inventory: Inventory | None = None) -> list[Toolchain]:
    """Return the toolchains of these names, the newest ptxas for none.

    A name is a kind (`ptxas`), a kind and version (`ptxas 13.0.88`, `ptxas-13.0.88`), a version or the beginning of one
    (`13.0`), or the path of an executable. Raises `UsageError` where there is no such toolchain.
    """
    asked = [name.strip() for name in names] or ["ptxas"]  # a library takes seconds to ask, a ptxas 20 ms
    found = inventory or discover(libraries=any(name.startswith(("nvjitlink", "driver")) for name in asked))
    chosen = [_resolve(name, found) for name in asked]
    return list({toolchain.name: toolchain for toolchain in chosen}.values())


def require_target(toolchain: Toolchain, target: Target, inventory: Inventory | None = None) -> None:
    """Raise `UsageError` if the toolchain does not know the target, naming the toolchains here that do."""
    if target.name in toolchain.targets:
        return
    others = [other.name for other in (inventory or discover()).toolchains if target.name in other.targets]
    remedy = f"use --toolchain '{others[0]}'" if others else "no toolchain found here does: a newer ptxas may"
    raise UsageError(f"{toolchain.name} does not know {target}; {remedy}")


def identify(path: Path, origin: str) -> Toolchain:
    """Return the ptxas at `path`, with what it answers. Raises `Broken` where it does not answer as a ptxas does."""
    release = _RELEASE.search(_ask(path, "--version"))
    if not release:
        raise Broken("its --version names no release")
    names = frozenset(_GPU_NAME.findall(_ask(path, "--help")))
    if not names:
        raise Broken("its --help names no gpu-name")
    some = _ALWAYS_KNOWN if _ALWAYS_KNOWN in names else min(names)
    ceiling = _ceiling("ptxas", str(path), some, SECONDS)
    return Toolchain(f"ptxas {release[1]}", "ptxas", release[1], str(path), ceiling, names, origin)


def _ask(path: Path, option: str) -> str:
    if not os.access(path, os.X_OK):
        raise Broken(f"not executable; `chmod +x {path}`")
    status, output = run([str(path), option], limit=SECONDS)
    if status is None:
        raise Broken(f"{option} did not end within {SECONDS:g} s")
    if status:
        raise Broken(f"{option} ended with {f'signal {-status}' if status < 0 else f'exit status {status}'}")
    return output


def _ceiling(kind: str, path: str, target: str, seconds: float) -> PtxVersion:
    """Return the highest `.version`, as the refusal of an impossible one names it (ptxas 12.0 crashes after that)."""
    outcome = assemble_text(command(kind, path), header(target, _IMPOSSIBLE_PTX), target, limit=seconds)
    match = _CEILING.search(outcome.log)
    if not match:
        raise Broken(f"it does not say which .version it takes: {' '.join(outcome.log.split()) or outcome.status}")
    return ptx_version(match[1])


def _nvjitlink() -> Toolchain:
    """Return nvJitLink, its version read from the note in a cubin of its own. Raises `Absent` or `Broken`."""
    _library_targets("nvjitlink", (_ALWAYS_KNOWN,))
    ptx = _ceiling("nvjitlink", "", _ALWAYS_KNOWN, LIBRARY_SECONDS)
    outcome = assemble_text(command("nvjitlink", ""), header(_ALWAYS_KNOWN, ptx), _ALWAYS_KNOWN, limit=LIBRARY_SECONDS)
    release = _RELEASE.search(outcome.cubin.decode("latin-1"))
    if not release:
        raise Broken("its cubin names no release")
    names = _library_targets("nvjitlink", tuple(target.name for target in ALL))
    return Toolchain(f"nvjitlink {release[1]}", "nvjitlink", release[1], "nvjitlink", ptx, names, "cuda-bindings")


def _driver() -> Toolchain:
    """Return the driver's JIT. Raises `Absent` without a driver or GPU, `Broken` where it does not answer."""
    try:
        device = gpu_device.devices()[0]
    except gpu_device.NoGpu as error:
        raise Absent(str(error)) from error
    native = f"sm_{device.capability[0]}{device.capability[1]}"
    ptx = _ceiling("driver", "", native, LIBRARY_SECONDS)
    names = _library_targets("driver", tuple(target.name for target in ALL), "--ptx", f"{ptx[0]}.{ptx[1]}")
    return Toolchain(f"driver {device.driver}", "driver", device.driver, gpu_device.LIBRARY, ptx, names, "driver")


def _library_targets(kind: str, names: tuple[str, ...], *options: str) -> frozenset[str]:
    status, output = run([*command(kind, ""), *options, "--targets", *names], limit=LIBRARY_SECONDS)
    if status == 2:
        raise Absent(output.strip())
    if status:
        raise Broken(f"asked for its targets, it ended with status {status}: {' '.join(output.split())[-200:]}")
    return frozenset(output.split()) & frozenset(names)


def _attempt(job: Callable[[], Toolchain]) -> Toolchain | str | None:
    """Return the toolchain, or why it is broken, or None where there is none."""
    try:
        return job()
    except (Broken, AssemblerError) as error:
        return str(error)
    except Absent:
        return None


def _distinct(found: Iterable[Toolchain]) -> tuple[Toolchain, ...]:
    """Return one toolchain a name, with all its places; ptxas first, each kind newest first."""
    by_name: dict[str, Toolchain] = {}
    for toolchain in found:
        first = by_name.setdefault(toolchain.name, toolchain)
        if first is not toolchain:
            by_name[toolchain.name] = replace(first, also=(*first.also, toolchain.path))
    kinds = ("ptxas", "nvjitlink", "driver")
    newest = sorted(by_name.values(), key=_age, reverse=True)
    return tuple(sorted(newest, key=lambda toolchain: kinds.index(toolchain.kind)))


def _age(toolchain: Toolchain) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", toolchain.version)))


def _resolve(name: str, inventory: Inventory) -> Toolchain:
    if "/" in name:
        return _by_path(Path(name).expanduser())
    kind, _, version = re.sub(r"^(ptxas|nvjitlink|driver)[ -]", r"\1 ", name).rpartition(" ")
    if version in ("ptxas", "nvjitlink", "driver"):
        kind, version = version, ""
    for toolchain in inventory.toolchains:  # newest first
        if toolchain.kind == (kind or "ptxas") and f"{toolchain.version}.".startswith(f"{version}." if version else ""):
            return toolchain
    raise UsageError(_unknown(name, inventory))


def _by_path(path: Path) -> Toolchain:
    if not path.is_file():
        raise UsageError(f"--toolchain {path}: no such file")
    try:
        return identify(path.resolve(), "given")
    except (Broken, AssemblerError) as error:
        raise UsageError(f"--toolchain {path}: {error}") from error


def _unknown(name: str, inventory: Inventory) -> str:
    """Return the one line for a name without a toolchain: what there is, or how to get a ptxas if there is none."""
    broken = "".join(f"; {path} is broken: {reason}" for path, reason in inventory.broken)
    if name.startswith("driver") and not any(toolchain.kind == "driver" for toolchain in inventory.toolchains):
        return f"toolchain 'driver' needs an NVIDIA driver and a GPU that it can use{broken}"
    if not any(toolchain.kind == "ptxas" for toolchain in inventory.toolchains):
        return f"no ptxas on PATH, in CUDA_HOME, site-packages or {cache_folder()}: {_INSTALL}{broken}"
    there = ", ".join(toolchain.name for toolchain in inventory.toolchains)
    return f"no toolchain is named {name!r}; there is {there}{broken}"
