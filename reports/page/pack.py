"""Records packed for the page: a column is a vector of outcome numbers, and every distinct outcome stands once.

A sweep of 13,000 cases, 26 targets and 8 toolchains is 2.7 million cells of some ten thousand distinct outcomes.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from reports.cells import shows
from suite.model import AGREEMENTS, WORDS, Diagnostic, Observation

Item = TypeVar("Item", bound=Hashable)

# What stands once for the machine and not in each of its cells.
_OF_THE_MACHINE = ("device", "capability", "driver", "seconds")


class Recorded(Protocol):
    """What the page needs of a record; `suite.record.Record` is one. `cells` is gone through once."""

    @property
    def path(self) -> Path:
        """Return the record's file."""

    @property
    def header(self) -> Mapping[str, Any]:
        """Return the record's first line."""

    @property
    def cells(self) -> Iterable[Observation]:
        """Return the observations."""

    @property
    def not_asked(self) -> Mapping[tuple[str, str], int]:
        """Return how many cases ended before a stage, by stage and reason."""

    @property
    def complete(self) -> bool:
        """Tell whether the run came to its end."""


class Outcome(NamedTuple):
    """Everything that one cell may share with others; `stale` says that its kernel is an older one of the case."""

    word: str
    realization: str | None
    agreement: str
    ptx: str
    observed: str
    waiver: str
    not_asked: tuple[str, str] | None
    opcodes: tuple[tuple[str, int], ...]
    diagnostics: tuple[Diagnostic, ...]
    stale: bool = False

    @property
    def rank(self) -> int:
        """Return what stands before what where several records speak of one cell: the order of `reports.cells.merge`.

        A disagreement stands before an agreement, more progress before less, and an older kernel behind all.
        """
        order = ("agrees", "waived", "disagrees").index(self.agreement) * len(WORDS) + WORDS.index(self.word)
        return order + (0 if self.stale else len(AGREEMENTS) * len(WORDS))


class Numbered(Generic[Item]):
    """Distinct values in order of appearance, each with its number."""

    def __init__(self) -> None:
        self._numbers: dict[Item, int] = {}

    def __getitem__(self, item: Item) -> int:
        return self._numbers.setdefault(item, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def items(self) -> list[Item]:
        """Return the values; each one's place is its number."""
        return list(self._numbers)


class Key(NamedTuple):
    """What tells columns apart. A machine is a GPU and driver, or the host where there is no GPU."""

    target: str
    toolchain: str
    machine: str


@dataclass
class Column:
    """Cells by case number: the outcome's number + 1 (0: never asked), its kernel and its record.

    `gpu` has the seconds of the launch and the number of what else the GPU said.
    """

    key: Key
    outcomes: array[int] = field(default_factory=lambda: array("I"))
    kernels: array[int] = field(default_factory=lambda: array("I"))
    records: array[int] = field(default_factory=lambda: array("H"))
    gpu: dict[int, tuple[float, int]] = field(default_factory=dict)

    def grow(self, length: int) -> None:
        """Make room for `length` cases."""
        for vector in (self.outcomes, self.kernels, self.records):
            vector.extend([0] * (length - len(vector)))


@dataclass(frozen=True)
class Pack:
    """Records, packed. `cases` are (id, family, opcode); `validated` has the targets that proved each case's kernel."""

    cases: Sequence[tuple[str, str, str]]
    kernels: Sequence[str]
    validated: Sequence[tuple[str, ...]]
    columns: Sequence[Column]
    outcomes: Sequence[Outcome]
    gpu: Sequence[str]
    machines: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]


def pack(records: Iterable[Recorded], known: Iterable[Recorded] = ()) -> Pack:
    """Return records packed; those `known` validate cases and add no cells.

    Of different kernels of a case the one asked last stands, as in `reports.cells.merge`.
    """
    packer = _Packer()
    for record in known:
        packer.validate(record)
    for record in sorted(records, key=lambda record: str(record.header.get("started", ""))):
        packer.add(record)
    return packer.pack()


def machine_name(header: Mapping[str, Any]) -> str:
    """Return what a record's machine is called: `NVIDIA H200, driver 580.159.04` or `no GPU, Linux x86_64`."""
    gpu, host = header.get("gpu") or {}, header.get("machine") or {}
    if gpu:
        return f"{gpu.get('name', 'GPU')}, driver {gpu.get('driver', '?')}"
    return f"no GPU, {host.get('system', '?')} {host.get('arch', '?')}"


class _Packer:
    """The tables while they grow."""

    def __init__(self) -> None:
        self._cases: Numbered[str] = Numbered()
        self._facts: list[tuple[str, str, str]] = []
        self._kernels: Numbered[str] = Numbered()
        self._newest: list[int] = []
        self._outcomes: Numbered[Outcome] = Numbered()
        self._ranks: list[int] = []
        self._gpu: Numbered[str] = Numbered()
        self._columns: dict[Key, Column] = {}
        self._machines: dict[str, Mapping[str, Any]] = {}
        self._records: list[Mapping[str, Any]] = []
        self._validated: dict[tuple[str, str], set[str]] = {}

    def validate(self, record: Recorded) -> None:
        """Note what a record proves."""
        for cell in record.cells:
            self._note(cell)

    def add(self, record: Recorded) -> None:
        """Take a record's cells; one that was made later than the last."""
        machine = machine_name(record.header)
        self._machines[machine] = {**(record.header.get("machine") or {}), "gpu": record.header.get("gpu")}
        number, count = len(self._records), 0
        for cell in record.cells:
            self._note(cell)
            self._cell(cell, machine, number)
            count += 1
        self._records.append(_about(record, machine, count))

    def pack(self) -> Pack:
        """Return the tables, every column as long as the list of cases, cells of older kernels marked as such."""
        for column in self._columns.values():
            column.grow(len(self._facts))
            self._mark_stale(column)
        names = self._kernels.items
        kernels = [names[number] for number in self._newest]
        validated = [
            tuple(sorted(self._validated.get((case, kernel), ())))
            for (case, _, _), kernel in zip(self._facts, kernels, strict=True)
        ]
        columns, outcomes = list(self._columns.values()), self._outcomes.items
        machines = [{"name": name, **about} for name, about in self._machines.items()]
        return Pack(self._facts, kernels, validated, columns, outcomes, self._gpu.items, machines, self._records)

    def _note(self, cell: Observation) -> None:
        if shows(cell):
            self._validated.setdefault((cell.case, cell.kernel), set()).add(cell.target)

    def _cell(self, cell: Observation, machine: str, record: int) -> None:
        row, kernel = self._row(cell), self._kernels[cell.kernel]
        self._newest[row] = kernel
        key = Key(cell.target, cell.toolchain, machine)
        column = self._columns.get(key) or self._columns.setdefault(key, Column(key))
        column.grow(row + 1)
        outcome = self._outcome(cell)
        held = column.outcomes[row]
        if held and column.kernels[row] == kernel and self._ranks[held - 1] >= self._ranks[outcome]:
            return
        column.outcomes[row], column.kernels[row], column.records[row] = outcome + 1, kernel, record
        column.gpu.pop(row, None)
        if cell.gpu:
            column.gpu[row] = (float(cell.gpu.get("seconds", 0.0)), self._gpu[_said(cell.gpu)])

    def _row(self, cell: Observation) -> int:
        row = self._cases[cell.case]
        if row == len(self._facts):
            self._facts.append((cell.case, cell.family, cell.opcode))
            self._newest.append(0)
        return row

    def _outcome(self, cell: Observation) -> int:
        asked = (cell.not_asked.stage, cell.not_asked.reason) if cell.not_asked else None
        return self._number(
            Outcome(
                cell.word,
                cell.realization,
                cell.agreement,
                cell.ptx,
                cell.observed,
                cell.waiver,
                asked,
                tuple(cell.opcodes.items()),
                cell.diagnostics,
            )
        )

    def _number(self, outcome: Outcome) -> int:
        number = self._outcomes[outcome]
        if number == len(self._ranks):
            self._ranks.append(outcome.rank)
        return number

    def _mark_stale(self, column: Column) -> None:
        known = self._outcomes.items
        for row, (outcome, kernel) in enumerate(zip(column.outcomes, column.kernels, strict=True)):
            if outcome and kernel != self._newest[row]:
                column.outcomes[row] = self._number(known[outcome - 1]._replace(stale=True)) + 1


def _said(gpu: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in gpu.items() if name not in _OF_THE_MACHINE}, ensure_ascii=False)


def _about(record: Recorded, machine: str, count: int) -> Mapping[str, Any]:
    """Return what the page says of a record."""
    missing = [[stage, reason, cases] for (stage, reason), cases in record.not_asked.items()]
    wanted = ("started", "catalogue", "toolchains", "machine", "gpu")
    header = {name: record.header[name] for name in wanted if record.header.get(name)}
    about = {"file": record.path.name, "cells": count, "complete": record.complete, "not_asked": missing}
    return {**header, **about, "on": machine}
