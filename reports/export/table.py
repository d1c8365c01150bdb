"""The table of an export: for each toolchain and target what is known of every opcode, equal answers written once.

Schema: docs/export.schema.json.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from reports.cells import Validations, shows
from reports.columns import Columns, Key
from suite.model import Observation
from suite.record import Record

SCHEMA = "ptxproof.export/1"
NOT_ASKED = -1

_REFUSED = ("rejected", "unaskable")
_ACCEPTED = ("assembled", "correct")
_UNKNOWN = re.compile(r"(.+) does not know (\S+)")

Traced = tuple[Observation, Record]


@dataclass
class _Table:
    """What is known so far: sources and answers with their numbers, and the columns by opcode."""

    sources: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    columns: dict[Key, dict[str, int]] = field(default_factory=dict)


def build(records: Iterable[Record], validated: Validations, made: str) -> dict[str, Any]:
    """Return the table as plain data; `made` is its date. Holds one column's cells at a time."""
    columns, table = Columns(records), _Table()
    for key in columns.keys:
        by: dict[str, list[Traced]] = {}
        for cell, record in columns.traced(key).values():
            by.setdefault(cell.opcode, []).append((cell, record))
        table.columns[key] = {opcode: _number(table, found, validated) for opcode, found in by.items()}
    opcodes = sorted({opcode for column in table.columns.values() for opcode in column})
    return {
        "schema": SCHEMA,
        "made": made,
        "sources": [json.loads(source) for source in table.sources],
        "opcodes": opcodes,
        "answers": [json.loads(answer) for answer in table.answers],
        "columns": [_column(key, column, opcodes) for key, column in table.columns.items()],
        "unknown": _unknown(columns.records),
    }


def rows(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row an opcode, toolchain and target, of those that were asked."""
    for column in table["columns"]:
        yield from column_rows(table, column)


def column_rows(table: dict[str, Any], column: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row an opcode that was asked in a column."""
    runs = column["runs"]
    numbers = (answer for i in range(0, len(runs), 2) for answer in [runs[i]] * runs[i + 1])
    for opcode, number in zip(table["opcodes"], numbers, strict=True):
        if number != NOT_ASKED:
            yield {
                "opcode": opcode,
                "target": column["target"],
                "toolchain": column["toolchain"],
                **_flat(table, number),
            }


def _flat(table: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an answer with texts and numbers alone."""
    answer = table["answers"][number]
    sources = [table["sources"][i] for i in answer["sources"]]
    return {
        "supported": {True: "yes", False: "no", None: "unknown"}[answer["supported"]],
        "evidence": answer["evidence"],
        "words": _counted(answer["words"]),
        "realizations": _counted(answer["realizations"]),
        "validated_on": " ".join(answer["validated_on"]),
        "disagrees": answer["disagrees"],
        "date": max(source["date"] for source in sources),
        "catalogue": " ".join(sorted({source["catalogue"] for source in sources})),
    }


def _counted(counts: dict[str, int]) -> str:
    return " ".join(f"{count}x{name}" for name, count in counts.items())


def _number(table: _Table, found: Sequence[Traced], validated: Validations) -> int:
    answer = json.dumps(_answer(table, found, validated))
    return table.answers.setdefault(answer, len(table.answers))


def _answer(table: _Table, found: Sequence[Traced], validated: Validations) -> dict[str, Any]:
    """Return what the cells of one opcode in one column say together."""
    cells = [cell for cell, _ in found]
    live = [cell for cell in cells if cell.word not in _REFUSED]
    on = [set(validated.get((cell.case, cell.kernel), ())) for cell in live]
    return {
        "supported": _supported({cell.word for cell in cells}),
        "words": dict(Counter(cell.word for cell in cells)),
        "realizations": dict(Counter(cell.realization for cell in live if cell.realization)),
        "evidence": "hardware" if live and all(map(_on_hardware, live)) else "assembler",
        "validated_on": sorted(set.intersection(*on)) if on else [],
        "disagrees": sum(cell.agreement == "disagrees" for cell in cells),
        "sources": sorted({_source(table, record) for _, record in found}),
    }


def _supported(words: set[str]) -> bool | None:
    """Return True where all cases are accepted or right, False where none is, None where they differ."""
    if words <= set(_ACCEPTED):
        return True
    return None if words & set(_ACCEPTED) or words == {"unaskable"} else False


def _on_hardware(cell: Observation) -> bool:
    return shows(cell) if cell.word == "correct" else cell.word != "assembled"


def _source(table: _Table, record: Record) -> int:
    header, gpu = record.header, record.header.get("gpu") or None
    device = {name: str(gpu.get(name, "")) for name in ("name", "driver", "capability")} if gpu else None
    date, catalogue = str(header.get("started", ""))[:10], str(header.get("catalogue", ""))
    source = json.dumps({"date": date, "catalogue": catalogue, "gpu": device})
    return table.sources.setdefault(source, len(table.sources))


def _column(key: Key, column: dict[str, int], opcodes: Sequence[str]) -> dict[str, Any]:
    numbers = (column.get(opcode, NOT_ASKED) for opcode in opcodes)
    runs = [part for number, run in groupby(numbers) for part in (number, sum(1 for _ in run))]
    return {"toolchain": key.toolchain, "target": key.target, "runs": runs}


def _unknown(records: Iterable[Record]) -> list[dict[str, str]]:
    """Return the pairs of toolchain and target that the records could not ask, for the toolchain does not know it."""
    reasons = (reason for record in records for stage, reason in record.not_asked if stage == "assemble")
    found = {match.groups() for match in map(_UNKNOWN.fullmatch, reasons) if match}
    return [{"toolchain": toolchain, "target": target} for toolchain, target in sorted(found)]
