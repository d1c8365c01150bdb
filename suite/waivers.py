"""Waivers: known, explained disagreements between manual and observation, in probes/waivers.toml.

A waiver that matches no case fails the run, and so does one whose scope holds a cell that does not need it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from suite.catalogue import expand
from suite.errors import UsageError
from suite.model import WORDS, Observation

FILE = Path(__file__).resolve().parent.parent / "probes" / "waivers.toml"
_KEYS = {"case", "targets", "toolchains", "word", "reason", "evidence"}


@dataclass(frozen=True)
class Waiver:
    """One disagreement: which cells (globs over case, target and toolchain), the word they show, why, and evidence."""

    case: str
    targets: tuple[str, ...]
    toolchains: str
    word: str
    reason: str
    evidence: str

    def covers(self, cell: Observation) -> bool:
        """Tell whether the cell lies in the waiver's scope, whatever it shows."""
        return (
            fnmatchcase(cell.case, self.case)
            and any(fnmatchcase(cell.target, target) for target in self.targets)
            and fnmatchcase(cell.toolchain, self.toolchains)
        )


@dataclass
class Waivers:
    """The waivers of a run, and the cells in their scope that turned out not to need them."""

    entries: tuple[Waiver, ...]
    unneeded: list[str] = field(default_factory=list)

    def apply(self, cell: Observation) -> Observation:
        """Return the cell, `waived` where it disagrees as some waiver says it does."""
        for waiver in self.entries:
            if not waiver.covers(cell):
                continue
            if cell.agreement != "agrees" and waiver.word == cell.word:
                return replace(cell, agreement="waived", waiver=waiver.reason)
            self.unneeded.append(f"waiver {waiver.case!r} is not needed: {cell.case}@{cell.target} is {cell.word}")
        return cell


def load(path: Path = FILE) -> Waivers:
    """Return the waivers of a file, all unmet.

    Raises `UsageError` for a malformed entry, an unknown word or a glob that matches no case of the catalogue.
    """
    if not path.exists():
        return Waivers(())
    try:
        table = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    entries = tuple(_entry(path, raw) for raw in table.get("waiver", ()))
    _require_matches(path, entries)
    return Waivers(entries)


def _entry(path: Path, raw: dict[str, object]) -> Waiver:
    if set(raw) != _KEYS or raw["word"] not in WORDS:
        raise UsageError(f"{path}: a waiver needs exactly {', '.join(sorted(_KEYS))}, and a known word; got {raw!r}")
    fields = {**raw, "targets": tuple(raw["targets"])}  # type: ignore[arg-type]
    return Waiver(**fields)  # type: ignore[arg-type]


def _require_matches(path: Path, entries: Iterable[Waiver]) -> None:
    for waiver in entries:
        if not any(fnmatchcase(case.id, waiver.case) for case in expand()):
            raise UsageError(f"{path}: waiver {waiver.case!r} matches no case of the catalogue")
