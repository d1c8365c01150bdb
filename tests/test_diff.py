"""Diffs: what was lost is never hidden, folded rows name what tells cases apart, and sides are what was named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import diff_text, tables
from reports.columns import Columns, key
from reports.diff import CHANGES, KINDS, Change, Side, changes, compare, pairs
from reports.diff_rows import fold
from reports.folding import describe
from suite.cli import main
from suite.errors import UsageError
from suite.model import WORDS, Diagnostic, Observation
from suite.record import Record, Writer
from tests.observations import BASE, cell, observations

REFUSED: dict[str, Any] = dict(
    word="rejected", realization=None, opcodes={}, diagnostics=(Diagnostic("other", "error", "no"),)
)


@pytest.mark.parametrize(
    "before, after, kind",
    [
        (dict(word="assembled"), REFUSED, "lost"),
        (dict(), REFUSED, "lost"),
        (REFUSED, dict(word="assembled"), "new"),
        (REFUSED, dict(word="wrong"), "new"),
        (dict(), dict(word="wrong"), "wrong now"),
        (dict(), dict(word="unloadable"), "wrong now"),
        (dict(word="hung"), dict(), "right now"),
        (dict(word="wrong"), dict(word="faulted"), "result changed"),
        (dict(word="assembled"), dict(word="wrong"), "result changed"),
        (dict(word="wrong", code="a"), dict(word="assembled", code="a"), "same code"),
        (dict(word="assembled", code="a"), dict(code="a"), "same code"),
        (dict(), dict(realization="call"), "realization changed"),
        (REFUSED, {**REFUSED, "diagnostics": (Diagnostic("other", "error", "never"),)}, "diagnostic changed"),
        (REFUSED, {**REFUSED, "target": "sm_121a"}, "refused"),
        (dict(code="a"), dict(code="b"), "code changed"),
        (dict(code="a", registers=8), dict(code="a", registers=9), "code changed"),
        (dict(code="a"), dict(code="b", kernel="kother"), "other kernel"),
        (dict(), dict(), "same opcodes"),
        (dict(), dict(opcodes={"HMMA.1688.F16": 2}), "code changed"),
        (dict(), dict(opcodes={**BASE.opcodes, "NOP": 3}), "same opcodes"),
    ],
)
def test_what_became_of_a_cell(before: dict[str, Any], after: dict[str, Any], kind: str) -> None:
    assert compare(cell(**before), cell(**after)) == kind


def test_the_name_of_the_target_in_a_message_is_no_change() -> None:
    one, two = (
        cell(**{**REFUSED, "diagnostics": (Diagnostic("x", "error", f"no on .target '{name}'"),)})
        for name in ("sm_100a", "sm_121f")
    )
    assert compare(one, two) == "refused"


@given(observations, observations)
def test_a_loss_is_always_seen(old: Observation, new: Observation) -> None:
    found = compare(old, new)
    assert found in KINDS
    refused = ("unaskable", "rejected")
    assert (found == "lost") == (old.word not in refused and new.word in refused)
    failing = WORDS[WORDS.index("unloadable") : WORDS.index("correct")]
    assert (found == "wrong now") == (old.word == "correct" and new.word in failing)


def test_the_same_is_no_change() -> None:
    for word in WORDS:
        assert compare(cell(word=word), cell(word=word)) not in CHANGES


def side(*cells: Observation, name: str = "side") -> Side:
    columns = Columns([Record(Path("r.jsonl"), {}, cells)])
    return Side(name, columns, columns.keys)


def kinds(before: Side, after: Side) -> list[tuple[str, str]]:
    return [(change.kind, change.place) for change in changes(before, after)]


def test_what_both_sides_share_is_paired() -> None:
    one, two = cell(target="sm_100a"), cell(target="sm_121a")
    assert kinds(side(one, two), side(one, two)) == [
        ("same opcodes", "sm_100a ptxas 13.0.88"),
        ("same opcodes", "sm_121a ptxas 13.0.88"),
    ]
    assert kinds(side(one), side(two)) == [("same opcodes", "ptxas 13.0.88")]
    newer = [cell(target=c.target, toolchain="ptxas 13.5.37") for c in (one, two)]
    assert kinds(side(one, two), side(*newer)) == [("same opcodes", "sm_100a"), ("same opcodes", "sm_121a")]


def test_several_on_a_compared_side_are_refused() -> None:
    with pytest.raises(UsageError, match="--target twice"):
        pairs(side(cell(target="sm_80"), cell(target="sm_90")), side(cell(target="sm_121a")))


def test_cases_of_one_side_are_set_apart() -> None:
    other = cell(case="mma_sync.f16:shape=other")
    assert sorted(kind for kind, _ in kinds(side(BASE), side(other))) == ["only after", "only before"]


def many(count: int, **fields: Any) -> list[Observation]:
    return [cell(case=f"f.g:a={i % 5},b={i // 5}", family="f", **fields) for i in range(count)]


def test_rows_are_folded_by_form_and_count_every_cell() -> None:
    old = many(25)
    new = [cell(case=c.case, family="f", **(REFUSED if "a=2" in c.case else {})) for c in old]
    folded = fold(changes(side(*old), side(*new)))
    (row,) = folded.rows
    assert (row.kind, row.form, row.cases, row.count) == ("lost", "f.g", "5 of 25: a=2", 5)
    assert (folded.total["lost"], folded.families["f"]["same opcodes"]) == (5, 20)


def test_a_thousand_messages_are_one_row_a_class_of_answer() -> None:
    new = [
        cell(case=f"f.g:a={i}", **{**REFUSED, "diagnostics": (Diagnostic("x", "error", f"no {i}"),)})
        for i in range(100)
    ]
    old = [cell(case=c.case) for c in new]
    assert [(row.kind, row.count) for row in fold(changes(side(*old), side(*new))).rows] == [("lost", 100)]


def test_the_same_change_in_several_places_is_one_row() -> None:
    old = [cell(target=t) for t in ("sm_80", "sm_90")]
    new = [cell(target=t, toolchain="ptxas 13.5.37", realization="call") for t in ("sm_80", "sm_90")]
    (row,) = fold(changes(side(*old), side(*new))).rows
    assert (row.places, row.count, row.before, row.after) == (("sm_80", "sm_90"), 2, "correct native", "correct call")


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1), st.data())
def test_a_description_that_is_not_vague_selects_exactly_its_cases(all_: set[tuple[int, int]], data: Any) -> None:
    names = [f"f.g:a={a},b={b}" for a, b in sorted(all_)]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    said = describe(chosen, names)
    if said.startswith("all"):
        assert set(chosen) == set(names)
        return
    if "some of" in said or ":" not in said:
        return
    wanted = dict(part.split("=") for part in said.partition(": ")[2].split(", "))
    found = {
        name for name in names if all(f"{key}={v}" in name for key, vs in wanted.items() for v in [_one(vs, key, name)])
    }
    assert found == set(chosen)


def _one(values: str, key: str, name: str) -> str:
    own = dict(part.split("=") for part in name.partition(":")[2].split(","))[key]
    return own if own in values.split("|") else "absent"


def test_json_lines_hold_every_change_and_the_counts() -> None:
    before, after = side(*many(3)), side(*many(3, **REFUSED))
    lines = [json.loads(line) for line in diff_text.lines(before, after, changes(before, after))]
    assert lines[0]["schema"] == diff_text.SCHEMA
    assert [line["kind"] for line in lines[1:-1]] == ["lost"] * 3
    assert lines[-1]["counts"] == {kind: 3 if kind == "lost" else 0 for kind in KINDS}


def test_markdown_tables_are_of_equal_width_and_say_what_is_gone() -> None:
    before, after = side(*many(5), name="old"), side(*many(5, **REFUSED), name="a|b")
    text = tables.to_markdown(diff_text.tables(before, after, fold(changes(before, after))))
    assert "From old to a|b" in text
    assert "**gone altogether**: f" in text
    rows = [line for line in text.splitlines() if line.startswith("| f.g")]
    assert rows == ["| f.g | all 5 | correct native | rejected: no | f.g:a=0,b=0@sm_90a |"]


def written(path: Path, *cells: Observation) -> str:
    writer = Writer(path, {"catalogue": "abc"})
    for entry in cells:
        writer.add(entry)
    writer.close({})
    return str(path)


@pytest.mark.parametrize(
    "after, code", [(dict(), 0), (REFUSED, 1), (dict(word="wrong"), 1), (dict(realization="call"), 0)]
)
def test_the_exit_code_tells_of_a_loss(tmp_path: Path, after: dict[str, Any], code: int) -> None:
    one, two = written(tmp_path / "a.jsonl", BASE), written(tmp_path / "b.jsonl", cell(**after))
    for style in ("table", "markdown", "json"):
        assert main(["diff", one, two, "--format", style]) == code


def test_a_closed_pipe_is_no_loss(tmp_path: Path) -> None:
    one = written(tmp_path / "a.jsonl", *many(4000))
    two = written(tmp_path / "b.jsonl", *(cell(case=f"f.g{c.case}", family="f") for c in many(4000)))
    argv = [sys.executable, "-m", "suite", "diff", one, two]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(timeout=60) == 2


def test_two_targets_and_two_toolchains_of_one_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell(target=t, toolchain=n) for t in ("sm_100a", "sm_121a") for n in ("ptxas 12.9.86", "ptxas 13.5.37")]
    path = written(tmp_path / "a.jsonl", *cells)
    assert main(["diff", path, "--target", "sm_100a", "--target", "sm_121a"]) == 0
    assert "From sm_100a (ptxas 13.5.37) to sm_121a (ptxas 13.5.37)" in capsys.readouterr().out
    assert main(["diff", str(tmp_path), "--toolchain", "12.9", "--toolchain", "ptxas 13.5.37"]) == 0
    assert "2 cells asked in both" in capsys.readouterr().out
    assert main(["drift", path, "--before", "ptxas 12.9.86", "--after", "ptxas 13.5.37"]) == 0
    assert "From ptxas 12.9.86 to ptxas 13.5.37" in capsys.readouterr().out


def test_the_page_opens_on_the_two_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("ptxas 12.9.86", "ptxas 13.5.37")
    cells = [cell(target=t, toolchain=n) for t in ("sm_100a", "sm_121a") for n in names]
    path, page = written(tmp_path / "a.jsonl", *cells), tmp_path / "pages" / "d.html"
    options = ["--format", "page", "-o", str(page)]
    assert main(["diff", path, "--target", "sm_100a", "--target", "sm_121a", *options]) == 0
    wanted = "#tab=matrix&axis=target&toolchain=ptxas+13.5.37&targets=sm_100a,sm_121a&differs=1"
    assert capsys.readouterr().out.strip() == f"{page}{wanted}"
    assert "<title>sm_100a (ptxas 13.5.37) to sm_121a (ptxas 13.5.37)" in page.read_text()
    assert main(["diff", path, "--toolchain", "12.9", "--toolchain", "13.5", *options]) == 0
    assert "&axis=toolchain&target=sm_100a&toolchains=ptxas+12.9.86,ptxas+13.5.37&" in capsys.readouterr().out
    assert main(["diff", path, path, *options]) == 2


def test_the_page_of_a_loss_ends_with_1(tmp_path: Path) -> None:
    one, other = (cell(toolchain=n, word=w) for n, w in (("ptxas 12.9.86", "assembled"), ("ptxas 13.5.37", "rejected")))
    path = written(tmp_path / "a.jsonl", one, other)
    options = ["--format", "page", "-o", str(tmp_path / "d.html")]
    assert main(["diff", path, "--toolchain", "12.9", "--toolchain", "13.5", *options]) == 1


@pytest.mark.parametrize(
    "more", [[], ["--target", "sm_75", "--target", "sm_90a"], ["--toolchain", "11.0", "--toolchain", "13.0"]]
)
def test_sides_that_are_not_there_are_bad_usage(tmp_path: Path, more: list[str]) -> None:
    assert main(["diff", written(tmp_path / "a.jsonl", BASE), *more]) == 2


def test_keys_sort_by_the_age_of_toolchains_then_targets() -> None:
    keys = [key(t, n) for n in ("ptxas 13.10.1", "ptxas 13.9.2") for t in ("sm_121a", "sm_75", "sm_100a")]
    assert [(k.toolchain, k.target) for k in sorted(keys)][:3] == [
        ("ptxas 13.9.2", "sm_75"),
        ("ptxas 13.9.2", "sm_100a"),
        ("ptxas 13.9.2", "sm_121a"),
    ]


def test_a_change_names_a_cell() -> None:
    assert Change("only before", "", BASE, None).seen is BASE


def test_different_catalogues_are_named() -> None:
    def of(version: str) -> Side:
        columns = Columns([Record(Path("r.jsonl"), {"catalogue": version}, [BASE])])
        return Side(version, columns, columns.keys)

    def said(before: Side, after: Side) -> str:
        return tables.to_markdown(diff_text.tables(before, after, fold(changes(before, after))))

    assert "Catalogue one before, two now. 1 cells asked in both" in said(of("one"), of("two"))
    assert "Catalogue" not in said(of("one"), of("one"))
