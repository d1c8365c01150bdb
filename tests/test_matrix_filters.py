"""The matrix's filters and its short form: what is folded says the same, and what is asked for is all there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from reports.cells import merge, stream, validations
from reports.matrix_folded import to_folded
from reports.summary import to_summary
from suite.cli import main
from suite.model import Observation
from suite.record import Record, Writer
from tests.observations import cell


def cells(**odd: str) -> list[Observation]:
    """Return eight cases of a form on two targets, with one case of other fields."""
    seen = [
        cell(case=f"f.g:a={i}", family="f", target=t, word="assembled") for i in range(8) for t in ("sm_80", "sm_90a")
    ]
    return [*seen[:-1], cell(**{**vars(seen[-1]), **odd})]


def folded(seen: list[Observation]) -> list[str]:
    record = Record(Path("r.jsonl"), {}, seen)
    text = to_folded(merge([record], validations([record])))
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_cases_that_agree_in_every_column_are_one_row() -> None:
    assert folded(cells()) == ["| `g` | all 8 | ◐ assembled native | ◐ assembled native | unvalidated |"]


@pytest.mark.parametrize("odd", [{"realization": "call"}, {"agreement": "disagrees"}, {"word": "wrong"}])
def test_a_case_that_says_something_else_has_its_own_row(odd: dict[str, str]) -> None:
    rows = folded(cells(**odd))
    assert [row.split("|")[2].strip() for row in rows] == [r"7 of 8: 7 values of a", "1 of 8: a=7"]


def written(path: Path) -> str:
    writer = Writer(path, {})
    writer.add_column([c for c in cells() if c.target == "sm_80"])
    for entry in cells(agreement="disagrees"):
        if entry.target == "sm_90a":
            writer.add(entry)
    writer.add(cell(toolchain="ptxas 13.5.37"))
    writer.close({})
    return str(path)


# what is asked for          exit, what is there, what is not
FILTERED: tuple[tuple[list[str], tuple[int, str, str]], ...] = (
    ([], (1, "sm_90a", "nothing")),
    (["--targets", "sm_80"], (0, "sm_80", "sm_90a")),
    (["--family", "mma_sync"], (0, "mma_sync", "sm_80")),
    (["--toolchain", "13.5"], (0, "mma_sync", "sm_80")),
    (["--case", "f.g:a=7"], (1, "sm_90a", "mma_sync")),
)


@pytest.mark.parametrize("style", ["markdown", "cases", "csv", "json", "table"])
@pytest.mark.parametrize("more, answer", FILTERED)
def test_filters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], style: str, more: list[str], answer: tuple[int, str, str]
) -> None:
    code, has, lacks = answer
    assert main(["matrix", written(tmp_path / "r.jsonl"), "--format", style, *more]) == code
    out = capsys.readouterr().out
    assert has in out
    assert lacks not in out


@pytest.mark.parametrize("more", [["--targets", "sm_121a"], ["--family", "tma"], ["--toolchain", "12.0"]])
def test_a_filter_that_leaves_nothing_is_bad_usage(tmp_path: Path, more: list[str]) -> None:
    assert main(["matrix", written(tmp_path / "r.jsonl"), *more]) == 2


def test_the_stream_holds_what_the_list_holds(tmp_path: Path) -> None:
    records = [Record(Path("a"), {"started": "2"}, cells(word="wrong")), Record(Path("b"), {"started": "1"}, cells())]
    known = validations(records)
    streamed = list(stream(records, known, lambda key: True))
    assert Counter(map(repr, streamed)) == Counter(map(repr, merge(records, known)))


def test_the_summary_goes_through_the_cells_once() -> None:
    record = Record(Path("r.jsonl"), {}, cells(word="wrong", agreement="disagrees"))
    text = to_summary(one for one in merge([record], {}))
    assert "| f | sm_90a | 1 | 8 | 7 | 1 | 8 | 1 |" in text
    assert "| f | sm_80 | 1 | 8 | 8 |  | 8 |  |" in text
