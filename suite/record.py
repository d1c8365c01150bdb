"""Stage 9, record: Observation -> line. Append-only JSON lines, flushed one by one, that a crash cannot spoil.

The first line is the header; then one line a cell, or one for all cells of a toolchain and target that no GPU was
asked, and one for each stage that was not asked; the last line is the end. A record whose end is missing was cut short
and says so when it is read. Schema: docs/records.md.
"""

from __future__ import annotations

import json
import lzma
import os
import platform
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any

from suite.errors import UsageError
from suite.model import Observation
from suite.record_columns import Decoder, Encoder, check_words, outcome_parts

SCHEMA = 2  # 2 has columns and the code's hash; 1 is read as well

COMMITTED = Path(__file__).resolve().parent.parent / "reports" / "records"
_TEXTS = ("case", "family", "opcode", "target", "toolchain", "ptx", "kernel")


class Cells(Collection[Observation]):
    """The cells of a record; those of columns are made as they are asked for."""

    def __init__(self, *parts: Collection[Observation]) -> None:
        self.parts = list(parts)

    def __len__(self) -> int:
        """Return the number of cells."""
        return sum(map(len, self.parts))

    def __contains__(self, cell: object) -> bool:
        """Tell whether a cell is among these."""
        return any(cell in part for part in self.parts)

    def __iter__(self) -> Iterator[Observation]:
        """Yield the cells in the record's order."""
        return chain.from_iterable(self.parts)

    def add(self, part: Collection[Observation]) -> None:
        """Append cells."""
        self.parts.append(part)


@dataclass(frozen=True)
class Record:
    """A record as read back: its header, its cells, what was not asked (by stage and reason), and whether it ended."""

    path: Path
    header: Mapping[str, Any]
    cells: Collection[Observation]
    not_asked: Mapping[tuple[str, str], int] = field(default_factory=dict)
    complete: bool = True


class Writer:
    """An open record. Every line is flushed as it is written; `close` adds the end, also after an interruption."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self._cells = 0
        self._encoder = Encoder()
        self._file = _open(path)
        self._write({"record": "ptxproof", "schema": SCHEMA, "started": _now(), "machine": machine(), **header})

    def add(self, cell: Observation) -> None:
        """Append one cell."""
        self._write({"cell": to_json(cell)})
        self._cells += 1  # an interruption just before this leaves a count too low, and says so itself

    def add_column(self, cells: Sequence[Observation]) -> None:
        """Append all cells of one toolchain and target, none of which a GPU was asked."""
        for line in self._encoder.lines(cells) if cells else ():
            self._write(line)
        self._cells += len(cells)

    def close(self, not_asked: Mapping[tuple[str, str], int], *, interrupted: bool = False) -> None:
        """Append what was not asked and the end, and close the file."""
        for (stage, reason), count in sorted(not_asked.items()):
            self._write({"not_asked": {"stage": stage, "reason": reason, "cases": count}})
        self._write({"end": {"finished": _now(), "cells": self._cells, "interrupted": interrupted}})
        self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise UsageError(f"cannot write {self.path}: {error.strerror}; what was recorded so far is kept") from error


def machine() -> dict[str, str]:
    """Return what the record says of the machine: no names or addresses."""
    return {"system": platform.system(), "arch": platform.machine(), "python": platform.python_version()}


def to_json(cell: Observation) -> dict[str, Any]:
    """Return a cell as plain data, empty fields left out."""
    data = dict(vars(cell))
    data["diagnostics"] = [{k: v for k, v in vars(entry).items() if v is not None} for entry in cell.diagnostics]
    data["not_asked"] = vars(cell.not_asked) if cell.not_asked else None
    return {key: value for key, value in data.items() if value or key in ("realization",)}


def from_json(data: Mapping[str, Any]) -> Observation:
    """Return the cell that plain data describes. Raises `ValueError` naming the field that is wrong."""
    known = {entry.name for entry in fields(Observation)}
    if set(data) - known:
        raise ValueError(f"unknown field {sorted(set(data) - known)[0]!r}")
    check_words(data)
    for name in _TEXTS:
        if not isinstance(data.get(name), str):
            raise ValueError(f"{name} is {data.get(name)!r}, not text")
    if not isinstance(data.get("gpu", {}), dict):
        raise ValueError("gpu is no object")
    for name, kind in (("code", str), ("observed", str), ("registers", int), ("instructions", int)):
        if not isinstance(data.get(name, kind()), kind):
            raise ValueError(f"{name} is {data[name]!r}")
    return Observation(**{**data, **outcome_parts(data)})


def read(path: Path) -> Record:
    """Return a record.

    Raises `UsageError` with file and line for a file that cannot be read, is no record, is of a newer schema, or holds
    a line that is broken. A last line cut off in the middle of a write is left out, and the record is incomplete.
    """
    try:
        lines = _bytes(path).split(b"\n")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UsageError(f"cannot read the record {path}: {error}") from None
    header = _header(path, lines[0])
    found = _Contents()
    for number, entry in _entries(path, lines):
        try:
            found.take(entry)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise UsageError(f"{path}:{number}: broken record line: {error}") from None
    return Record(path, header, found.cells, dict(found.not_asked), found.complete)


@dataclass
class _Contents:
    """What the lines after the header have said so far."""

    cells: Cells = field(default_factory=Cells)
    not_asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    complete: bool = False
    _decoder: Decoder = field(default_factory=Decoder)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take a line. Raises what a broken one makes it raise, `ValueError` for one that is not known."""
        if len(entry) != 1:
            raise ValueError(f"a line is one thing, not {', '.join(map(str, entry)) or 'nothing'}")
        if "cell" in entry:
            self.cells.add([from_json(entry["cell"])])
        elif {"cases", "codes", "column"} & set(entry):
            column = self._decoder.take(entry)
            if column:
                self.cells.add(column)
        elif "not_asked" in entry:
            missing = entry["not_asked"]
            self.not_asked[missing["stage"], missing["reason"]] += _natural(missing["cases"])
        elif "end" in entry:
            self._end(entry["end"])
        else:
            raise ValueError("neither cell, column, not_asked nor end")

    def _end(self, end: Mapping[str, Any]) -> None:
        self.complete = not end["interrupted"]
        if self.complete and end["cells"] != len(self.cells):
            raise ValueError(f"the record ends with {end['cells']} cells and holds {len(self.cells)}")


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _bytes(path: Path) -> bytes:
    """Return a record's lines; those of a large one may be packed with xz."""
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def _header(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        raise UsageError(f"{path}:1: this is not a ptxproof record (its first line is no JSON object)") from None
    if not isinstance(header, dict) or header.get("record") != "ptxproof" or not isinstance(header.get("schema"), int):
        raise UsageError(f"{path}:1: this is not a ptxproof record (no header)")
    if header["schema"] > SCHEMA:
        raise UsageError(
            f"{path}:1: schema {header['schema']} is newer than this ptxproof reads ({SCHEMA}); update ptxproof"
        )
    return header


def _entries(path: Path, lines: list[bytes]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # no newline followed: the write was cut off, which loses this cell alone
                return
            raise UsageError(f"{path}:{number}: broken record line: {error}") from None
        if not isinstance(entry, dict):
            raise UsageError(f"{path}:{number}: broken record line: not an object")
        yield number, entry


def _open(path: Path) -> IO[str]:
    if path.exists() and path.resolve().is_relative_to(COMMITTED):
        raise UsageError(f"{path} is a committed record, which is never overwritten; choose another with --record")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        where = error.filename or os.fspath(path)
        raise UsageError(
            f"cannot write the record {path}: {where}: {error.strerror}; choose another with --record"
        ) from None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
