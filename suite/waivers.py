"""Waivers: known, explained disagreements between manual and observation, in probes/waivers.toml.

A waiver that matches no case fails the run, and so does one whose scope holds a cell that does not need it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from suite.catalogue import expand
from suite.errors import UsageError
from suite.model import WORDS, Observation
from suite.targets import ALL

FILE = Path(__file__).resolve().parent.parent / "probes" / "waivers.toml"
_KEYS = {"case", "targets", "toolchains", "words", "reason", "evidence"}
_GLOB = re.compile(r"[*?\[]")
_MALFORMED = "malformed"  # what an assembler also says of a template that is wrong


@dataclass(frozen=True)
class Waiver:
    """One disagreement: which cells (globs over case, target and toolchain), the words they show, why, and evidence.

    `diagnostic` is `malformed` where the assembler calls the instruction that, and somebody made sure that it is not:
    without it no waiver excuses such a cell, as the template may be wrong.
    """

    case: str
    targets: tuple[str, ...]
    toolchains: str
    words: tuple[str, ...]
    reason: str
    evidence: str
    diagnostic: str = ""

    def excuses(self, cell: Observation) -> bool:
        """Tell whether the cell shows what the waiver says."""
        malformed = cell.word == "rejected" and any(said.kind == _MALFORMED for said in cell.diagnostics)
        return cell.word in self.words and (not malformed or self.diagnostic == _MALFORMED)

    @cached_property
    def _begin(self) -> str:
        """What every case begins with that the glob matches."""
        return _GLOB.split(self.case, maxsplit=1)[0]

    def speaks_of(self, case: str) -> bool:
        """Tell whether the waiver's glob matches a case id."""
        return case.startswith(self._begin) and fnmatchcase(case, self.case)

    def covers(self, cell: Observation) -> bool:
        """Tell whether the cell lies in the waiver's scope, whatever it shows."""
        return (
            self.speaks_of(cell.case)
            and any(fnmatchcase(cell.target, target) for target in self.targets)
            and fnmatchcase(cell.toolchain, self.toolchains)
        )

    def judges(self, cell: Observation) -> bool:
        """Tell whether the cell came as far as the waiver speaks of: not one that waits for a device to be `wrong`."""
        return cell.not_asked is None or "assembled" in self.words


@dataclass
class Waivers:
    """The waivers of a run, and the cells in their scope that turned out not to need them."""

    entries: tuple[Waiver, ...]
    unneeded: list[str] = field(default_factory=list)
    _of_case: dict[str, list[Waiver]] = field(default_factory=dict)

    def apply(self, cell: Observation) -> Observation:
        """Return the cell, `waived` where it disagrees as some waiver says it does."""
        known = self._of_case.get(cell.case)
        if known is None:
            known = self._of_case[cell.case] = [w for w in self.entries if w.speaks_of(cell.case)]
        if not known:
            return cell
        covering = [waiver for waiver in known if waiver.covers(cell)]
        fitting = [waiver for waiver in covering if waiver.excuses(cell)]
        if fitting and cell.agreement != "agrees":
            return replace(cell, agreement="waived", waiver=fitting[0].reason)
        for waiver in covering:
            if cell.agreement == "agrees" and waiver.judges(cell):
                self.unneeded.append(f"waiver {waiver.case!r} is not needed: {cell.case}@{cell.target} is {cell.word}")
        return cell


def load(path: Path = FILE) -> Waivers:
    """Return the waivers of a file, all unmet.

    Raises `UsageError` for a malformed entry, an unknown word or a glob that matches no case of the catalogue.
    """
    return Waivers(_read(path))


@cache  # pytest loads them for every group, and holding the globs against the catalogue takes a while
def _read(path: Path) -> tuple[Waiver, ...]:
    if not path.exists():
        return ()
    try:
        table = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    if set(table) - {"waiver"}:
        raise UsageError(f"{path}: unknown table {sorted(set(table) - {'waiver'})[0]!r}; entries are [[waiver]]")
    entries = tuple(_entry(path, raw) for raw in table.get("waiver", ()))
    _require_matches(path, entries)
    return entries


def _entry(path: Path, raw: Any) -> Waiver:
    if not _sound(raw):
        needs = ", ".join(sorted(_KEYS))
        raise UsageError(
            f"{path}: a waiver needs {needs}, none empty (targets and words are lists), and may have "
            f"diagnostic = '{_MALFORMED}'; got {raw!r}"
        )
    return Waiver(**{**raw, "targets": tuple(raw["targets"]), "words": tuple(raw["words"])})


def _sound(raw: Any) -> bool:
    if not isinstance(raw, dict) or set(raw) - {"diagnostic"} != _KEYS or not set(raw["words"]) <= set(WORDS):
        return False
    lists = ("targets", "words")
    typed = all(value and isinstance(value, list if key in lists else str) for key, value in raw.items())
    return typed and raw.get("diagnostic", _MALFORMED) == _MALFORMED


def _require_matches(path: Path, entries: Iterable[Waiver]) -> None:
    for waiver in entries:
        if not any(fnmatchcase(case.id, waiver.case) for case in expand()):
            raise UsageError(f"{path}: waiver {waiver.case!r} matches no case of the catalogue")
        for glob in waiver.targets:
            if not any(fnmatchcase(target.name, glob) for target in ALL):
                raise UsageError(f"{path}: waiver {waiver.case!r} names no target with {glob!r}")
