"""What was read off the hardware is shown as it stands in the records."""

from __future__ import annotations

from reports.cells import Cell
from reports.measured import NONE, to_measured
from tests.observations import cell

READ = {"F": 13, "L": 32, "c bits": 13, "nan": "0x7fffffff"}


def test_a_row_has_what_was_read_and_what_was_expected_where_that_differs() -> None:
    numeric = {"verdict": "wrong", "model": "T-FDPA L=32", "dots": 9, "measured": READ, "expected": READ | {"F": 25}}
    text = to_measured([Cell(cell(gpu={"numeric": numeric}), ())] * 3)
    (row,) = text.splitlines()[2:]
    parts = [part.strip() for part in row.strip("|").split("|")]
    assert parts[3:8] == ["wrong", "T-FDPA L=32", "13", "32", "13"]
    assert parts[-2:] == ["F 25", "3"]


def test_cells_without_a_numeric_round_have_no_row() -> None:
    assert to_measured([Cell(cell(), ())]) == NONE
