"""The claims of the field as data: questions to cells, read from claims.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from suite import targets

LEVELS = ("assembler", "SASS", "hardware")
CHECKS = ("every", "some", "none", "same", "unknown", "measured", "lacks")


@dataclass(frozen=True, eq=False)
class Part:
    """One question of a claim: at which level, of which cells, and what they must show; see claims.toml."""

    level: str
    says: str
    cases: tuple[str, ...] = ()
    opcodes: tuple[str, ...] = ()
    but_opcodes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    but_targets: tuple[str, ...] = ()
    toolchains: tuple[str, ...] = ("*",)
    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    same: str = ""
    fields: tuple[str, ...] = ()
    unknown: bool = False
    measured: Mapping[str, Any] = field(default_factory=dict)
    lacks: str = ""

    @property
    def check(self) -> str:
        """Return the name of the part's one check."""
        return next(name for name in CHECKS if getattr(self, name))

    @property
    def wanted(self) -> tuple[str, ...]:
        """Return the names of all targets that the part is about, oldest first."""
        return tuple(t.name for t in targets.ALL if _any(self.targets, t.name) and not _any(self.but_targets, t.name))

    def of_target(self, target: str) -> bool:
        """Tell whether the part is about a target, or compares with it."""
        return target == self.same or (_any(self.targets, target) and not _any(self.but_targets, target))

    def of_toolchain(self, toolchain: str) -> bool:
        """Tell whether the part is about a toolchain; at the assembler's levels those are ptxas alone."""
        return _any(self.toolchains, toolchain) and (self.level == "hardware" or toolchain.startswith("ptxas"))

    def of_case(self, case: str, opcode: str) -> bool:
        """Tell whether the part is about a case."""
        spelled = not self.opcodes or _any(self.opcodes, opcode)
        return _any(self.cases, case) and spelled and not _any(self.but_opcodes, opcode)


@dataclass(frozen=True)
class Claim:
    """What the field says, with its number, and the parts that settle it."""

    number: int
    text: str
    parts: tuple[Part, ...]


def load() -> tuple[Claim, ...]:
    """Return the claims of claims.toml.

    Raises `ValueError` for a part without exactly one check or of no known level, `TypeError` for an unknown field.
    """
    data = tomllib.loads((Path(__file__).parent / "claims.toml").read_text(encoding="utf-8"))
    return tuple(Claim(c["number"], c["text"], tuple(map(part, c["parts"]))) for c in data["claim"])


def part(data: Mapping[str, Any]) -> Part:
    """Return the part that plain data describes. Raises as `load`."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    found = Part(**fields)
    checks = [name for name in CHECKS if getattr(found, name)]
    if len(checks) != 1 or found.level not in LEVELS:
        raise ValueError(f"{found.says!r} has the checks {checks} at level {found.level!r}")
    if not found.lacks and not found.wanted:
        raise ValueError(f"{found.says!r} is about no target")
    return found


@cache
def _any(globs: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)
