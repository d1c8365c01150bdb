"""The record's columns: all cells of one toolchain and target in one line, each distinct outcome written once.

A sweep has hundreds of thousands of cells and a few hundred outcomes. Before a column stand, where they are new, the
cases that it is about (`cases`) and the machine codes that it refers to (`codes`). Schema: docs/records.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from suite.model import AGREEMENTS, DIAGNOSTIC_CLASSES, REALIZATIONS, WORDS, Diagnostic, NotAsked, Observation

# Fields of a cell by where they stand: in the column itself, in the table of cases, in the outcome.
_OF_COLUMN = ("target", "toolchain", "ptx")
_OF_CASE = ("case", "opcode", "kernel", "observed")
_OF_CODE = ("code", "registers", "instructions")

# What a cell of a column has where its outcome or code does not say.
_DEFAULTS: dict[str, Any] = {
    "realization": None,
    "opcodes": {},
    "code": "",
    "registers": 0,
    "instructions": 0,
    "observed": "",
    "diagnostics": (),
    "not_asked": None,
    "gpu": {},
    "waiver": "",
}

_SEVERITIES = ("error", "fatal", "warning", "info", "")  # empty for text of no known form
_OF_LINE = {*_OF_COLUMN, "outcomes", "cells", "codes"}
_OF_OUTCOME = {"word", "agreement", "realization", "opcodes", "diagnostics", "not_asked", "waiver"}

Line = Mapping[str, Any]


@dataclass
class Encoder:
    """Turns cells into lines; knows which cases and codes were written before."""

    _cases: Sequence[tuple[str, ...]] = field(default_factory=list)
    _codes: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def lines(self, cells: Sequence[Observation]) -> Iterator[Line]:
        """Yield the lines of the cells of one toolchain and target, none of which a GPU was asked."""
        cases = [(cell.case, cell.opcode, cell.kernel, cell.observed) for cell in cells]
        if cases != self._cases:
            self._cases = cases
            yield {"cases": cases}
        known, codes = len(self._codes), [self._code(cell) for cell in cells]
        if len(self._codes) > known:
            yield {"codes": list(self._codes)[known:]}
        outcomes: dict[tuple[Any, ...], int] = {}
        numbers = [outcomes.setdefault(_parts(cell), len(outcomes)) for cell in cells]
        first = dict(zip(reversed(numbers), reversed(cells), strict=True))
        column = {name: getattr(cells[0], name) for name in _OF_COLUMN}
        told = [_outcome(first[number]) for number in range(len(outcomes))]
        yield {"column": column | {"outcomes": told, "cells": numbers, "codes": codes}}

    def _code(self, cell: Observation) -> int:
        if not cell.code:
            return -1
        return self._codes.setdefault((cell.code, cell.registers, cell.instructions), len(self._codes))


def _parts(cell: Observation) -> tuple[Any, ...]:
    """Return what makes two cells' outcomes the same, as something that can be hashed."""
    said = tuple(tuple(vars(entry).values()) for entry in cell.diagnostics)
    gap = cell.not_asked and (cell.not_asked.stage, cell.not_asked.reason)
    return cell.word, cell.agreement, cell.realization, cell.waiver, tuple(cell.opcodes.items()), said, gap


def _outcome(cell: Observation) -> dict[str, Any]:
    said = [{k: v for k, v in vars(entry).items() if v is not None} for entry in cell.diagnostics]
    gap = vars(cell.not_asked) if cell.not_asked else None
    data = {"word": cell.word, "agreement": cell.agreement, "realization": cell.realization}
    rest = {"opcodes": dict(cell.opcodes), "diagnostics": said, "not_asked": gap, "waiver": cell.waiver}
    return data | {key: value for key, value in rest.items() if value}


@dataclass(frozen=True)
class Column(Collection[Observation]):
    """The cells of one toolchain and target as read: made one by one as they are asked for."""

    place: Mapping[str, Any]
    cases: Sequence[Sequence[str]]
    outcomes: Sequence[Mapping[str, Any]]
    numbers: Sequence[int]
    codes: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.numbers)

    def __contains__(self, cell: object) -> bool:
        """Tell whether a cell is among these."""
        return any(cell == own for own in self)

    def __iter__(self) -> Iterator[Observation]:
        """Yield the cells in the cases' order."""
        return self.some(lambda case: True)

    def some(self, keep: Callable[[str], bool]) -> Iterator[Observation]:
        """Yield the cells whose case `keep` takes; the others are not even made."""
        shared = [{**_DEFAULTS, **self.place, **outcome} for outcome in self.outcomes]
        families = {case[0]: case[0].partition(".")[0] for case in self.cases}
        for case, number, code in zip(self.cases, self.numbers, self.codes, strict=True):
            if keep(case[0]):
                cell = object.__new__(Observation)  # through __init__ it would take ten times as long
                vars(cell).update(shared[number], **code, **dict(zip(_OF_CASE, case, strict=True)))
                vars(cell)["family"] = families[case[0]]
                yield cell


@dataclass
class Decoder:
    """Turns lines back into columns; knows the cases and codes read before."""

    _cases: Sequence[Sequence[str]] = ()
    _codes: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, line: Line) -> Column | None:
        """Return the column of a line, None for a line of cases or codes.

        Raises `ValueError`, `KeyError`, `TypeError` or `IndexError` for a line that is none of the three.
        """
        if "cases" in line:
            self._cases = [_texts(case, _OF_CASE) for case in line["cases"]]
            return None
        if "codes" in line:
            self._codes += map(_read_code, line["codes"])
            return None
        column = line["column"]
        if set(column) != _OF_LINE:
            raise ValueError(f"a column has {', '.join(_OF_LINE)}, not {', '.join(column)}")
        place = dict(zip(_OF_COLUMN, _texts([column[name] for name in _OF_COLUMN], _OF_COLUMN), strict=True))
        numbers, at = column["cells"], column["codes"]
        if not len(numbers) == len(at) == len(self._cases):
            raise ValueError(f"{len(numbers)} cells and {len(at)} codes for {len(self._cases)} cases")
        outcomes = [_read_outcome(outcome) for outcome in column["outcomes"]]
        if not all(type(number) is int and 0 <= number < len(outcomes) for number in numbers):
            raise ValueError("a cell names an outcome that is not there")
        if not all(type(number) is int for number in at):
            raise ValueError("a cell names a code that is not there")
        return Column(place, self._cases, outcomes, numbers, [self._codes[i] if i >= 0 else {} for i in at])


def check_words(data: Mapping[str, Any]) -> None:
    """Raise `ValueError` where a cell's word, agreement or realization is none of the closed lists."""
    for name, words in (("word", WORDS), ("agreement", AGREEMENTS), ("realization", (*REALIZATIONS, None))):
        if data.get(name) not in words:
            raise ValueError(f"{name} is {data.get(name)!r}, not one of {', '.join(str(w) for w in words)}")


def _texts(values: Sequence[Any], names: Sequence[str]) -> tuple[str, ...]:
    if len(values) != len(names) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} are not the texts {', '.join(names)}")
    return tuple(values)


def outcome_parts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a cell or outcome that are no plain texts, as their types.

    Raises `ValueError` or `TypeError` for what is none.
    """
    opcodes, said = data.get("opcodes", {}), data.get("diagnostics", [])
    if not isinstance(opcodes, dict) or not all(type(count) is int for count in opcodes.values()):
        raise ValueError(f"opcodes are {opcodes!r}, not counts by name")
    if not isinstance(said, list) or not isinstance(data.get("waiver", ""), str):
        raise ValueError("diagnostics are no list, or the waiver is no text")
    gap = NotAsked(**data["not_asked"]) if data.get("not_asked") else None
    if gap and not all(isinstance(text, str) for text in vars(gap).values()):
        raise ValueError(f"not_asked is {data['not_asked']!r}")
    return {"opcodes": _shared(tuple(opcodes.items())), "diagnostics": tuple(map(_diagnostic, said)), "not_asked": gap}


@lru_cache(maxsize=1 << 18)
def _shared(opcodes: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """Return the counts; equal ones are one object, for sweeps of neighbouring targets and toolchains repeat them."""
    return dict(opcodes)


@lru_cache(maxsize=1 << 16)
def _message(kind: str, severity: str, text: str, line: int | None = None) -> Diagnostic:
    return Diagnostic(kind, severity, text, line)


def _diagnostic(data: Mapping[str, Any]) -> Diagnostic:
    line, text = data.get("line"), data.get("text")
    if data.get("kind") not in DIAGNOSTIC_CLASSES or data.get("severity") not in _SEVERITIES:
        raise ValueError(f"{data!r} is of no class or severity that is known")
    if not isinstance(text, str) or not (line is None or type(line) is int):
        raise ValueError(f"{data!r} is no diagnostic")
    return _message(**data)


def _read_outcome(data: Mapping[str, Any]) -> dict[str, Any]:
    check_words(data)
    if set(data) - _OF_OUTCOME:
        raise ValueError(f"unknown field {sorted(set(data) - _OF_OUTCOME)[0]!r}")
    return {**data, **outcome_parts(data)}


def _read_code(values: Sequence[Any]) -> dict[str, Any]:
    digest, registers, instructions = values
    if not isinstance(digest, str) or type(registers) is not int or type(instructions) is not int:
        raise ValueError(f"{values!r} is no code")
    return dict(zip(_OF_CODE, values, strict=True))
