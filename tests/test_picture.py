"""The picture: what stands in its fields, as text too."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.cells import Cell
from reports.picture import Field, draw, fields
from suite.record import Record
from tests.observations import BASE, cell

CELLS = (
    BASE,
    cell(case="mma_sync.f16:shape=2", word="wrong"),
    cell(case="mma_sync.f16:shape=3", word="rejected"),
    cell(target="sm_121a", word="assembled"),
    cell(case="tma.load:dim=1", family="tma", word="rejected"),
)


def record(*cells: object) -> Record:
    return Record(Path("r.jsonl"), {}, cells)  # type: ignore[arg-type]


def test_fields_count_cases() -> None:
    found = fields([Cell(seen, ()) for seen in CELLS])
    assert found["mma_sync", "sm_90a"] == Field(3, 2, 1, 1)
    assert found["tma", "sm_90a"] == Field(1, 0, 0, 0)
    assert ("tma", "sm_121a") not in found


@pytest.mark.parametrize(
    "field, label, word",
    [
        (Field(4, 4, 4, 0), "100 ●", "correct"),
        (Field(4, 3, 2, 1), "75 ●≠", "correct"),
        (Field(4, 4, 0, 0), "100", "assembled"),
        (Field(4, 4, 1, 3), "100 ≠", "failed"),
        (Field(1000, 999, 0, 0), "99", "assembled"),
        (Field(1000, 1, 0, 0), "1", "assembled"),
        (Field(4, 0, 0, 0), "–", "assembled"),
    ],
)
def test_a_field_never_says_more_than_was_seen(field: Field, label: str, word: str) -> None:
    assert (field.label, field.word) == (label, word)


def test_the_picture_has_its_text_and_is_the_same_each_time() -> None:
    svg = draw([record(*CELLS)], ".svg")
    for part in (b"mma_sync", b"sm_121a", b">66 ", "●≠".encode(), b"ptxas 13.0.88"):
        assert part in svg
    assert svg == draw([record(*CELLS)], ".svg")
    assert draw([record(*CELLS)], ".png").startswith(b"\x89PNG")


def test_the_toolchain_with_most_cells_is_drawn_unless_one_is_named() -> None:
    other = cell(case="tma.load:dim=1", family="tma", toolchain="ptxas 12.9.86")
    assert b"ptxas 13.0.88 accepts" in draw([record(*CELLS, other)], ".svg")
    named = draw([record(*CELLS, other)], ".svg", "ptxas 12.9.86")
    assert b"ptxas 12.9.86 accepts" in named
    assert b"mma_sync" not in named
