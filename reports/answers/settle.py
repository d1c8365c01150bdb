"""Claims -> verdicts: what the cells of records say to each part, read a column at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, partial

from reports.answers.claims import Claim, Part
from reports.cells import shows as in_memory
from reports.columns import Columns, newest
from suite.model import REALIZATIONS, WORDS, Observation
from suite.record import Record
from suite.targets import parse

VERDICTS = ("confirmed", "refuted", "open")
MOST_EXAMPLES = 3
_REFUSED = ("rejected", "unaskable")
_NOT_RUN = (*_REFUSED, "assembled")

Seen = Mapping[str, tuple[object, ...]]


@dataclass
class Tally:
    """What one column says to a part: how many of its cells hold, and how many do not, with the first few."""

    holds: int = 0
    fails: int = 0
    words: Counter[str] = field(default_factory=Counter)
    examples: dict[bool, list[str]] = field(default_factory=lambda: {True: [], False: []})

    def add(self, cell: str, words: str, holds: bool) -> None:
        """Count one cell."""
        self.holds, self.fails = self.holds + holds, self.fails + (not holds)
        self.words[words] += 1
        if len(self.examples[holds]) < MOST_EXAMPLES:
            self.examples[holds].append(cell)


@dataclass(frozen=True)
class Answer:
    """A part with its verdict, why, and the tallies by toolchain and target that it rests on."""

    part: Part
    verdict: str
    why: str
    toolchain: str
    tallies: Mapping[tuple[str, str], Tally]


@dataclass
class _Evidence:
    """All that has been read for one part."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    sides: dict[tuple[str, str], Seen] = field(default_factory=dict)


def settle(claims: Sequence[Claim], records: Iterable[Record]) -> list[tuple[Claim, list[Answer]]]:
    """Return every claim with what the records say to its parts."""
    columns = Columns(records)
    parts = [part for claim in claims for part in claim.parts]
    found = {part: _Evidence() for part in parts}
    for key in columns.keys:
        asked = [
            part for part in parts if part.cases and part.of_target(key.target) and part.of_toolchain(key.toolchain)
        ]
        if not asked:
            continue
        for cell in columns.cells(key, partial(_wanted, tuple(asked))).values():
            for part in asked:
                if part.of_case(cell.case, cell.opcode):
                    _take(found[part], part, cell)
    for part in parts:
        _compare_sides(found[part], part)
        if part.unknown:
            _ask_toolchains(found[part], part, columns)
    return [(claim, [_answer(part, found[part]) for part in claim.parts]) for claim in claims]


def shows(cell: Observation, value: str) -> bool:
    """Tell whether a cell shows a value of a check: a word, a realization, `accepted`, `opcode:GLOB`, `said:TEXT`.

    Raises `ValueError` for another value.
    """
    kind, _, text = value.partition(":")
    if kind == "opcode":
        return any(fnmatchcase(name, text) for name in cell.opcodes)
    if kind == "said":
        return any(text in entry.text.lower() for entry in cell.diagnostics)
    if value == "accepted":
        return cell.word not in _REFUSED
    if value not in (*WORDS, *REALIZATIONS):
        raise ValueError(f"{value!r} is nothing that a cell shows")
    return value in (cell.word, cell.realization)


@cache
def _wanted(parts: tuple[Part, ...], case: str) -> bool:
    return any(fnmatchcase(case, glob) for part in parts for glob in part.cases)


def _take(found: _Evidence, part: Part, cell: Observation) -> None:
    """Take a cell that is of the part's level: judged, with code, or asked of a GPU."""
    at = (cell.toolchain, cell.target)
    if part.same:
        seen = found.sides.setdefault(at, {})
        seen |= {cell.case: tuple(_field(cell, name) for name in part.fields)}  # type: ignore[operator]
        return
    if not _of_level(part.level, cell):
        return
    holds = _holds(part, cell)
    if holds is not None:
        words = " ".join(filter(None, (cell.word, cell.realization)))
        found.tallies.setdefault(at, Tally()).add(f"{cell.case}@{cell.target}", words, holds)


def _of_level(level: str, cell: Observation) -> bool:
    if level == "hardware":
        return cell.word not in _NOT_RUN and (cell.word != "correct" or in_memory(cell))
    return cell.word != "unaskable" and (level == "assembler" or cell.realization is not None)


def _holds(part: Part, cell: Observation) -> bool | None:
    """Return whether a cell shows what the part asks for, None where it does not say."""
    if part.measured:
        seen = (cell.gpu.get("numeric") or {}).get("measured") or {}
        named = {name: seen[name] for name in part.measured if name in seen}
        return named == dict(part.measured) if len(named) == len(part.measured) else None
    return any(shows(cell, value) for value in (*part.every, *part.some, *part.none))


def _field(cell: Observation, name: str) -> object:
    """Return a field to compare; of a machine code also its registers."""
    if name == "code":
        return (cell.code, cell.registers) if cell.code else None
    return dict(cell.opcodes) if name == "opcodes" else getattr(cell, name)


def _compare_sides(found: _Evidence, part: Part) -> None:
    """Count the cells that are the same on both sides; what a record does not hold on either is left out."""
    for (toolchain, target), seen in found.sides.items():
        other = found.sides.get((toolchain, part.same))
        if target == part.same or other is None:
            continue
        tally = found.tallies.setdefault((toolchain, target), Tally())
        for case in filter(other.__contains__, seen):
            if None not in (*seen[case], *other[case]):
                alike = seen[case] == other[case]
                tally.add(f"{case}@{part.same}", "the same" if alike else "differs", alike)


def _ask_toolchains(found: _Evidence, part: Part, columns: Columns) -> None:
    """Count a toolchain that does not know the target as holding, one that assembled for it as not."""
    for record in columns.records:
        for stage, reason in record.not_asked:
            toolchain, _, target = reason.partition(" does not know ")
            if stage == "assemble" and part.of_target(target) and part.of_toolchain(toolchain):
                found.tallies.setdefault((toolchain, target), Tally()).add(reason, "unknown target", True)
    for key in columns.keys:
        if part.of_target(key.target) and part.of_toolchain(key.toolchain):
            said = f"{key.toolchain} knows {key.target}"
            found.tallies.setdefault((key.toolchain, key.target), Tally()).add(said, "known target", False)


def _answer(part: Part, found: _Evidence) -> Answer:
    """Return the verdict: of the newest toolchain, on hardware of all; open where a chip or target was not asked."""
    if part.lacks:
        return Answer(part, "open", part.lacks, "", {})
    tallies = {at: tally for at, tally in found.tallies.items() if tally.holds + tally.fails}
    if not tallies:
        return Answer(part, "open", "no record shows it", "", {})
    newer = newest(toolchain for toolchain, _ in tallies)
    deciding = {at: t for at, t in tallies.items() if part.level == "hardware" or at[0] == newer}
    holds, fails = sum(t.holds for t in deciding.values()), sum(t.fails for t in deciding.values())
    counted = f"{holds} of {holds + fails} cells"
    verdict = judge(part.check, holds, fails)
    missing = _missing(part, {target for _, target in deciding})
    if missing and verdict == ("refuted" if part.some else "confirmed"):
        return Answer(part, "open", f"{counted} so far; no record of {', '.join(missing)}", newer, tallies)
    return Answer(part, verdict, counted, newer, tallies)


def judge(check: str, holds: int, fails: int) -> str:
    """Return the verdict of a check over cells of which some hold; one cell against `every` refutes it."""
    right = {"some": holds > 0, "none": holds == 0}.get(check, fails == 0)
    return "confirmed" if right else "refuted"


def _missing(part: Part, seen: set[str]) -> list[str]:
    """Return the targets that no cell is of; on hardware the chips."""
    if part.level != "hardware":
        return [name for name in part.wanted if name not in seen]
    chips = {parse(name).number for name in seen}
    return list(dict.fromkeys(f"sm_{n}" for n in (parse(name).number for name in part.wanted) if n not in chips))
