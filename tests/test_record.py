"""Records: what was written is read back, and a spoilt one says where; nothing that was recorded is lost."""

from __future__ import annotations

import errno
import json
import lzma
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suite import record
from suite.errors import UsageError
from suite.model import Observation
from suite.record import SCHEMA, Writer, from_json, read, to_json
from tests.observations import BASE, cell, observations


def written(path: Path, *cells: Observation, end: bool = True, **close: Any) -> Path:
    writer = Writer(path, {"run": 1})
    for entry in cells:
        writer.add(entry)
    if end:
        writer.close({}, **close)
    writer._file.close()
    return path


@settings(max_examples=60, deadline=None)
@example([cell(gpu={"text": "two\nlines\u2028and\x85more"}, case="a\rb")])
@given(st.lists(observations, max_size=4))
def test_cells_come_back(cells: list[Observation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = read(written(Path(folder) / "r.jsonl", *cells))
    assert list(found.cells) == cells
    assert found.complete


@given(observations)
def test_a_cell_as_plain_data_is_json_and_comes_back(entry: Observation) -> None:
    assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


@settings(max_examples=60, deadline=None)
@given(st.lists(observations.filter(lambda cell: not cell.gpu), min_size=1, max_size=5), st.booleans())
def test_columns_come_back(cells: list[Observation], packed: bool) -> None:
    one = [replace(c, family=c.case.partition(".")[0], target="sm_75", toolchain="t", ptx="8.0") for c in cells]
    other = [replace(c, target="sm_80", code=c.code or "5eed") for c in one]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        writer = Writer(path, {})
        for column in (one, other, one[:1]):
            writer.add_column(column)
        writer.close({})
        if packed:
            path = path.with_suffix(".jsonl.xz")
            path.write_bytes(lzma.compress(path.with_suffix("").read_bytes()))
        found = read(path)
    assert list(found.cells) == one + other + one[:1]
    assert (found.complete, len(found.cells)) == (True, 2 * len(one) + 1)


def test_a_column_without_cells_is_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r.jsonl", {})
    writer.add_column([])
    writer.close({})
    assert list(read(writer.path).cells) == []


def column(cases: Any = None, **changes: Any) -> str:
    """Return the lines of a column of one cell, changed."""
    table = {"cases": cases or [["f.g:", "add", "k1", ""]]}
    place = {"target": "sm_75", "toolchain": "t", "ptx": "8.0"}
    whole = place | {"outcomes": [{"word": "rejected", "agreement": "agrees", "realization": None}]}
    return "\n".join(map(json.dumps, (table, {"column": whole | {"cells": [0], "codes": [-1]} | changes})))


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (column(), True),
        (column(cells=[1]), False),
        (column(cells=[-1]), False),
        (column(cells=[0, 0]), False),
        (column(codes=[3]), False),
        (column(codes=[]), False),
        (column(target=7), False),
        (column(outcomes=[{"word": "fine", "agreement": "agrees", "realization": None}]), False),
        (column(outcomes=[{"word": "rejected", "agreement": "agrees", "realization": None, "gpu": 1, "x": 2}]), False),
        (column(cases=[["f.g:", "add", "k1"]]), False),
    ],
)
def test_a_broken_column_is_refused_with_its_line(tmp_path: Path, lines: str, right: bool) -> None:
    path = written(tmp_path / "r.jsonl", end=False)
    path.write_text(path.read_text() + lines + "\n")
    if right:
        assert [entry.word for entry in read(path).cells] == ["rejected"]
        return
    with pytest.raises(UsageError, match=rf"{path.name}:[23]: broken record line"):
        list(read(path).cells)


def test_the_header_and_what_was_not_asked_come_back(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r.jsonl", {"catalogue": "abc"})
    writer.close({("load", "no sm_121 device"): 412, ("load", "b"): 1, ("assemble", "c"): 2})
    found = read(writer.path)
    assert (found.header["schema"], found.header["catalogue"]) == (SCHEMA, "abc")
    assert found.not_asked == {("load", "no sm_121 device"): 412, ("load", "b"): 1, ("assemble", "c"): 2}


def test_the_machine_is_described_without_names_or_addresses() -> None:
    assert set(record.machine()) == {"system", "arch", "python"}


def test_every_cell_is_on_disk_at_once(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r.jsonl", {})
    for count in (1, 2):
        writer.add(BASE)
        assert len(read(writer.path).cells) == count
    writer.close({})


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_interrupted_run_is_incomplete(tmp_path: Path, interrupted: bool) -> None:
    found = read(written(tmp_path / "r.jsonl", BASE, interrupted=interrupted))
    assert (found.complete, tuple(found.cells)) == (not interrupted, (BASE,))


def test_a_record_without_end_is_incomplete(tmp_path: Path) -> None:
    found = read(written(tmp_path / "r.jsonl", BASE, end=False))
    assert (found.complete, tuple(found.cells)) == (False, (BASE,))


@pytest.mark.parametrize("kept", [1, 20, -2, -1])
def test_a_last_line_cut_off_costs_that_line_alone(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path / "r.jsonl", BASE, cell(word="wrong", agreement="disagrees"), end=False)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1].rstrip(b"\n")[:kept])
    found = read(path)
    assert (found.complete, tuple(found.cells)) == (False, (BASE,))


def test_a_last_line_cut_within_a_character_costs_that_line_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", BASE, cell(waiver="…"), end=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex("…".encode()) + 1])
    assert tuple(read(path).cells) == (BASE,)


def broken(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_text("\n".join(change(path.read_text().split("\n"))))

    return spoil


def recorded(**changes: Any) -> str:
    return json.dumps({"cell": {**to_json(BASE), **changes}})


#   what is done to header, two cells, end                                    line   said
SPOILT = (
    (broken(lambda lines: [lines[0], lines[1][:30], *lines[2:]]), 2, "broken"),
    (broken(lambda lines: [lines[0], "[1, 2]", *lines[2:]]), 2, "not an object"),
    (broken(lambda lines: [*lines[:2], '{"other": 1}', *lines[3:]]), 3, "neither cell"),
    (broken(lambda lines: [*lines[:2], recorded(word="fine"), *lines[3:]]), 3, "'fine'"),
    (broken(lambda lines: [*lines[:2], recorded(agreement=True), *lines[3:]]), 3, "agreement"),
    (broken(lambda lines: [*lines[:2], recorded(realization="soft"), *lines[3:]]), 3, "realization"),
    (broken(lambda lines: [*lines[:2], recorded(extra=1), *lines[3:]]), 3, "extra"),
    (broken(lambda lines: [*lines[:2], '{"cell": {"case": "x"}}', *lines[3:]]), 3, "word"),
    (broken(lambda lines: [*lines[:2], '{"cell": 5}', *lines[3:]]), 3, "broken"),
    (broken(lambda lines: [*lines[:2], '{"not_asked": {"stage": "load"}}', *lines[3:]]), 3, "reason"),
    (broken(lambda lines: [*lines[:2], recorded(diagnostics=[{"text": "x"}]), *lines[3:]]), 3, "broken"),
    (broken(lambda lines: [lines[0].replace(f'"schema":{SCHEMA}', '"schema":99'), *lines[1:]]), 1, "newer"),
    (broken(lambda lines: ['{"schema": 1}', *lines[1:]]), 1, "not a ptxproof record"),
    (broken(lambda lines: ["plain text", *lines[1:]]), 1, "not a ptxproof record"),
    (broken(lambda lines: []), 1, "not a ptxproof record"),
)


@pytest.mark.parametrize("spoil, line, said", SPOILT)
def test_a_spoilt_record_names_file_and_line(
    tmp_path: Path, spoil: Callable[[Path], None], line: int, said: str
) -> None:
    path = written(tmp_path / "r.jsonl", BASE, BASE)
    spoil(path)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_field_of_a_wrong_type_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", BASE)
    for changes in ({"target": 5}, {"opcodes": [1]}, {"kernel": None}, {"ptx": 9.0}):
        path.write_text(path.read_text().split("\n")[0] + "\n" + recorded(**changes) + "\n")
        with pytest.raises(UsageError, match=next(iter(changes))):
            read(path)


def test_an_end_that_counts_other_cells_is_not_complete(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", BASE, BASE, BASE)
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:2], *lines[3:]]))
    try:
        assert not read(path).complete
    except UsageError as error:
        assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.jsonl"):
        read(path)


@pytest.mark.parametrize("name", ["file/r.jsonl", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="--record"):
        Writer(tmp_path / name, {})


class FullDisk:
    """A file on a disk that is full after so many writes."""

    def __init__(self, file: Any, writes: int) -> None:
        self._file, self._left = file, writes

    def write(self, text: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_full_disk_is_one_line_and_keeps_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = record._open
    monkeypatch.setattr(record, "_open", lambda path: FullDisk(opened(path), 2))
    writer = Writer(tmp_path / "r.jsonl", {})
    writer.add(BASE)
    with pytest.raises(UsageError, match="No space left") as caught:
        writer.add(BASE)
    assert "\n" not in str(caught.value)
    found = read(writer.path)
    assert (tuple(found.cells), found.complete) == ((BASE,), False)
    writer._file.close()
