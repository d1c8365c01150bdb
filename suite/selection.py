"""What a user selects, the same on the command line and in pytest: targets, toolchains and cases."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from suite import targets, toolchains
from suite.catalogue import select
from suite.errors import UsageError
from suite.gpu_device import Device
from suite.probe import Case
from suite.targets import Target
from suite.toolchains import Toolchain

DEFAULT_ARCH = "sm_100a,sm_120a,sm_121a,sm_120f"


@dataclass(frozen=True)
class Selection:
    """The cases, targets and toolchains that a run is to ask."""

    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
    toolchains: tuple[Toolchain, ...]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --arch, --toolchain and --case, each repeatable."""
    parser.add_argument(
        "--arch",
        action="append",
        metavar="T[,T...]",
        help=f"targets; also native (this GPU's), local (the same, if there is a GPU), all; default {DEFAULT_ARCH}",
    )
    parser.add_argument(
        "--toolchain", action="append", metavar="NAME[,NAME...]", help="default: the newest ptxas found"
    )
    parser.add_argument("--case", action="append", metavar="GLOB", help="only cases whose id matches, as 'mma_sync.*'")


def resolve(
    arch: Sequence[str] | None, toolchain: Sequence[str] | None, case: Sequence[str] | None, device: Device | None
) -> Selection:
    """Return the selection that the options name.

    Raises `UsageError` for an unknown target, toolchain or case, and for one target that no chosen toolchain knows.
    """
    chosen = tuple(toolchains.resolve(_split(toolchain)))
    wanted = _targets(_split(arch or [DEFAULT_ARCH]), device)
    if len(chosen) == 1 and not _is_sweep(arch):
        for target in wanted:
            toolchains.require_target(chosen[0], target)
    return Selection(select(tuple(case or ())), wanted, chosen)


def targets_of(arch: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that --arch values name, without a GPU. Raises `UsageError` for an unknown one."""
    return _targets(_split(arch), None)


def _is_sweep(arch: Sequence[str] | None) -> bool:
    return "all" in _split(arch)


def _targets(names: Iterable[str], device: Device | None) -> tuple[Target, ...]:
    found: list[Target] = []
    for name in names:
        found += _expand(name, device)
    return tuple(dict.fromkeys(found))


def _expand(name: str, device: Device | None) -> list[Target]:
    if name == "all":
        return list(targets.ALL)
    if name == "local":
        return [targets.native(device.capability)] if device else []
    if name == "native":
        if device is None:
            raise UsageError("--arch native needs a GPU, and none can be used here; name a target such as sm_121a")
        return [targets.native(device.capability)]
    return [targets.parse(name)]


def _split(values: Sequence[str] | None) -> list[str]:
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]
