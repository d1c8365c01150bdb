"""The written schema of records: what is committed and what is written is of it, and the loader refuses what is not."""

from __future__ import annotations

import json
import lzma
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reports.cells import merge, stream, validations
from suite.errors import UsageError
from suite.model import Observation
from suite.record import COMMITTED, Writer, read, to_json
from tests.observations import BASE, cell, observations

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "record.schema.json").read_text())
Draft202012Validator.check_schema(SCHEMA)
# By the one word that tells lines apart, which says more, sooner, than "is none of seven".
BY_KEY = {
    next(iter(line["required"])): Draft202012Validator({**line, "$defs": SCHEMA["$defs"]})
    for line in SCHEMA["oneOf"][1:]
}
WHOLE = Draft202012Validator(SCHEMA)
HEADER = Draft202012Validator({"$ref": "#/$defs/header", "$defs": SCHEMA["$defs"]})
EVERY = 40  # of the committed cells are held against the schema, beside all other lines


def check(lines: Iterable[dict[str, Any]]) -> int:
    """Hold lines against the schema; return how many they were."""
    count = 0
    for count, line in enumerate(lines, start=1):
        (HEADER if count == 1 else BY_KEY[next(iter(line))]).validate(line)
    return count


def lines_of(path: Path) -> list[dict[str, Any]]:
    raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    return [json.loads(line) for line in raw.split(b"\n") if line]


def sampled(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (line for number, line in enumerate(lines) if "cell" not in line or number % EVERY == 0)


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("*.jsonl*")), ids=lambda path: path.stem)
def test_committed_records_are_of_the_schema(path: Path) -> None:
    assert check(sampled(lines_of(path))) > 5


@settings(max_examples=40, deadline=None)
@given(st.lists(observations, max_size=3), st.lists(observations.filter(lambda c: not c.gpu), min_size=1, max_size=3))
def test_what_is_written_is_of_the_schema(loose: list[Observation], column: list[Observation]) -> None:
    one = [replace(c, family=c.case.partition(".")[0], target="sm_75", toolchain="t", ptx="8.0") for c in column]
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "r.jsonl", {"catalogue": "abc", "toolchains": [], "gpu": None})
        for entry in loose:
            writer.add(entry)
        writer.add_column(one)
        writer.close({("load", "no device"): 3})
        assert check(lines_of(writer.path)) >= 4 + len(loose)
        assert len(read(writer.path).cells) == len(loose) + len(one)


def column(**changes: Any) -> dict[str, Any]:
    outcome = {"word": "rejected", "agreement": "agrees", "realization": None}
    whole = {"target": "sm_75", "toolchain": "t", "ptx": "8.0", "outcomes": [outcome], "cells": [0], "codes": [-1]}
    return {"column": whole | changes}


def outcome(**changes: Any) -> dict[str, Any]:
    return column(outcomes=[{"word": "rejected", "agreement": "agrees", "realization": None} | changes])


def seen(**changes: Any) -> dict[str, Any]:
    return {"cell": to_json(BASE) | changes}


DIAGNOSTIC = {"kind": "other", "severity": "error", "text": "no"}
RIGHT: tuple[dict[str, Any], ...] = (
    seen(),
    seen(diagnostics=[DIAGNOSTIC], code="00", registers=3, instructions=4, not_asked={"stage": "load", "reason": "x"}),
    column(),
    outcome(diagnostics=[DIAGNOSTIC | {"line": 3}], opcodes={"MOV": 2}, waiver="w"),
    {"not_asked": {"stage": "load", "reason": "x", "cases": 4}},
    {"codes": [["00ff", 8, 12]]},
    {"cases": [["f.g:", "add", "k1", ""]]},
)
WRONG: tuple[dict[str, Any], ...] = (
    {},
    {"other": 1},
    seen() | {"more": 1},
    seen(word="fine"),
    seen(extra=1),
    seen(case=5),
    seen(gpu=[]),
    seen(opcodes={"MOV": "2"}),
    seen(opcodes=["MOV"]),
    seen(registers="3"),
    seen(code=7),
    seen(waiver=7),
    seen(diagnostics=[DIAGNOSTIC | {"kind": "strange"}]),
    seen(diagnostics=[DIAGNOSTIC | {"severity": "mild"}]),
    seen(diagnostics=[DIAGNOSTIC | {"line": "3"}]),
    seen(diagnostics=[DIAGNOSTIC | {"more": 3}]),
    seen(diagnostics=DIAGNOSTIC),
    seen(not_asked={"stage": "load"}),
    seen(not_asked={"stage": "load", "reason": 5}),
    column(extra=1),
    column(target=5),
    column(cells=[-1]),
    column(cells=["0"]),
    column(codes=["x"]),
    outcome(word="fine"),
    outcome(gpu={}),
    outcome(opcodes=[1]),
    outcome(diagnostics=[{}]),
    {"not_asked": {"stage": "load", "reason": "x", "cases": -1}},
    {"not_asked": {"stage": "load", "reason": "x", "cases": "4"}},
    {"codes": [["00ff", 8]]},
    {"codes": [[1, 8, 9]]},
    {"cases": [["f.g:", "add", "k1"]]},
    {"cases": [["f.g:", "add", "k1", 3]]},
)


def loads(folder: Path, line: dict[str, Any]) -> bool:
    writer = Writer(folder / "r.jsonl", {})
    writer._write({"cases": [["f.g:", "add", "k1", ""]]})
    writer._write(line)
    writer._file.close()
    try:
        list(read(writer.path).cells)
    except UsageError as error:
        assert str(error).startswith(f"{writer.path}:3: ")  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_of_the_schema_loads(tmp_path: Path, line: dict[str, Any]) -> None:
    assert WHOLE.is_valid(line)
    assert loads(tmp_path, line)


@pytest.mark.parametrize("line", WRONG)
def test_what_is_not_of_the_schema_is_refused(tmp_path: Path, line: dict[str, Any]) -> None:
    assert not WHOLE.is_valid(line)
    assert not loads(tmp_path, line)


@pytest.mark.parametrize("schema", [3, "2", None])
def test_another_schema_is_refused(tmp_path: Path, schema: Any) -> None:
    header = {"record": "ptxproof", "schema": schema, "started": "2026-11-21T00:00:00Z", "machine": {}}
    (tmp_path / "r.jsonl").write_text(json.dumps(header) + "\n")
    assert not HEADER.is_valid(header)
    with pytest.raises(UsageError):
        read(tmp_path / "r.jsonl")
    assert HEADER.is_valid({**header, "schema": 2})


def test_thousands_of_small_records_merge(tmp_path: Path) -> None:
    count = 2000
    for number in range(count):
        writer = Writer(tmp_path / f"{number:04}.jsonl", {"catalogue": "abc"})
        odd = {"word": "wrong", "agreement": "disagrees"} if number == 1500 else {}
        writer.add(cell(case=f"f.g:a={number % 700}", **odd))
        writer.close({})
    records = [read(path) for path in sorted(tmp_path.glob("*.jsonl"))]
    known = validations(records)
    merged = merge(records, known)
    assert len(merged) == 700
    assert [one.seen.case for one in merged if one.seen.word == "wrong"] == ["f.g:a=100"]
    assert {repr(one) for one in stream(records, known, lambda key: True)} == set(map(repr, merged))
