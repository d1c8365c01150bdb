"""What changed between two sides: two records, machines, drivers, toolchains, targets or catalogue versions.

Each side is a set of columns. Columns are paired by what both sides share; what they do not share is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from reports.columns import Columns, Keep, Key
from suite.errors import UsageError
from suite.model import Observation

# What can become of a cell, most important first, with what it says of the side after.
KINDS = {
    "lost": "accepted before, refused now",
    "wrong now": "correct on hardware before; now refused by the driver, faulting, hanging or wrong",
    "new": "refused before, accepted now",
    "right now": "failing on hardware before, correct now",
    "result changed": "another result on hardware than before, or the first one, and not correct",
    "realization changed": "accepted in both; the machine code does it another way",
    "diagnostic changed": "refused in both, with another message",
    "code changed": "done the same way, by other machine code",
    "other kernel": "done the same way; the kernel that asks is another, so its code is not compared",
    "same code": "the same machine code",
    "same opcodes": "the same opcodes; a record without the code's hash cannot say more",
    "refused": "refused in both with the same message",
    "only before": "asked only before",
    "only after": "asked only now",
}
CHANGES = tuple(KINDS)[:8]
NO_LONGER_WORKS = ("lost", "wrong now")

ACCEPTED = ("assembled", "unloadable", "faulted", "hung", "flaky", "wrong", "correct")

# How far a word says that the case came. Source: docs/terms.md, observation words.
_STANDING = {
    **dict.fromkeys(("unaskable", "rejected"), "refused"),
    "assembled": "accepted",
    **dict.fromkeys(("unloadable", "faulted", "hung", "flaky", "wrong"), "failing"),
    "correct": "correct",
}


@dataclass(frozen=True)
class Side:
    """One side: the columns that stand for it, and its name."""

    name: str
    columns: Columns
    keys: Sequence[Key]


@dataclass(frozen=True)
class Pair:
    """Two columns to hold against each other, and where both stand: the target or toolchain that they share."""

    place: str
    before: Key
    after: Key


@dataclass(frozen=True)
class Change:
    """What became of one cell; a side that did not ask the case is None."""

    kind: str
    place: str
    before: Observation | None
    after: Observation | None

    @property
    def seen(self) -> Observation:
        """Return the cell of the later side that has one."""
        found = self.after or self.before
        assert found is not None  # a change is of at least one cell
        return found


def pairs(before: Side, after: Side) -> list[Pair]:
    """Return the columns to compare.

    Raises `UsageError` where the sides share neither targets nor toolchains and one of them has several.
    """
    compared = [name for name in ("target", "toolchain") if not _names(before, name) & _names(after, name)]
    for name in compared:
        for side in (before, after):
            if len(_names(side, name)) > 1:
                known = ", ".join(sorted(_names(side, name)))
                raise UsageError(f"{side.name} has several of {name} ({known}); name one of each with --{name} twice")
    shared = [name for name in ("target", "toolchain") if name not in compared]
    there = {tuple(getattr(key, name) for name in shared): key for key in after.keys}
    found = [(tuple(getattr(key, name) for name in shared), key) for key in before.keys]
    return [Pair(" ".join(at), key, there[at]) for at, key in found if at in there]


def address(before: Side, after: Side) -> str:
    """Return the state in which a page of both sides' records shows them side by side, with what differs.

    Raises `UsageError` where a page cannot: its columns are targets or toolchains.
    """
    for axis, fixed in (("target", "toolchain"), ("toolchain", "target")):
        one, other = ({getattr(key, axis) for key in side.keys} for side in (before, after))
        if len(one) == len(other) == 1 and one != other:
            place = getattr(pairs(before, after)[0].after, fixed)
            sides = ",".join((*one, *other))
            return urlencode({"tab": "matrix", "axis": axis, fixed: place, f"{axis}s": sides, "differs": 1}, safe=",")
    raise UsageError("a page shows two targets or two toolchains side by side; these are neither")


def changes(before: Side, after: Side, keep: Keep | None = None) -> Iterator[Change]:
    """Yield what became of every cell of the paired columns, one pair after the other."""
    for pair in pairs(before, after):
        old, new = before.columns.cells(pair.before, keep), after.columns.cells(pair.after, keep)
        for case, cell in old.items():
            yield Change(compare(cell, new.get(case)), pair.place, cell, new.get(case))
        for case, cell in new.items():
            if case not in old:
                yield Change("only after", pair.place, None, cell)


def compare(old: Observation, new: Observation | None) -> str:
    """Return what became of a cell, as one of `KINDS`."""
    if new is None:
        return "only before"
    was, now = _STANDING[old.word], _STANDING[new.word]
    if "refused" in (was, now):
        return _of_refusals(old, new, was, now)
    if was != now and "failing" in (was, now) and was != "failing":
        return "wrong now" if was == "correct" else "result changed"
    if was == "failing" and now != "accepted" and old.word != new.word:
        return "right now" if now == "correct" else "result changed"
    if old.realization != new.realization:
        return "realization changed"
    return _of_code(old, new)


def refusal(cell: Observation) -> str:
    """Return the first message of a refused cell without the names of target and toolchain, empty where none is."""
    said = next((entry.text for entry in cell.diagnostics if entry.severity in ("error", "fatal")), "")
    return re.sub(r"\b(sm|compute)_\d+[af]?\b", "sm_…", said)


def _of_refusals(old: Observation, new: Observation, was: str, now: str) -> str:
    if was != now:
        return "lost" if now == "refused" else "new"
    return "refused" if refusal(old) == refusal(new) else "diagnostic changed"


def _of_code(old: Observation, new: Observation) -> str:
    if old.kernel != new.kernel:
        return "other kernel"
    if old.code and new.code:
        return "same code" if (old.code, old.registers) == (new.code, new.registers) else "code changed"
    return "same opcodes" if _opcodes(old) == _opcodes(new) else "code changed"  # records of schema 1 have no hash


def _opcodes(cell: Observation) -> dict[str, int]:
    return {opcode: count for opcode, count in cell.opcodes.items() if opcode != "NOP"}


def _names(side: Side, name: str) -> set[str]:
    return {getattr(key, name) for key in side.keys}
