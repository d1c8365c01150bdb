"""Reports: what a matrix must never hide, and the shapes that others read."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

import pytest

from reports import cells, matrix, summary, terminal
from reports.cells import Cell, merge, validations
from suite.model import AGREEMENTS, REALIZATIONS, WORDS, Diagnostic, Observation
from suite.record import Record
from tests.observations import BASE, cell

WRONG = cell(word="wrong", agreement="disagrees")
ASSEMBLED = cell(word="assembled")
WAIVED = cell(word="rejected", agreement="waived", waiver="known")


def record(*seen: Observation) -> Record:
    return Record(Path("r.jsonl"), {}, seen)


def merged(*records: Record) -> list[Cell]:
    return merge(records, validations(records))


@pytest.mark.parametrize("order", list(itertools.permutations((BASE, WRONG, ASSEMBLED, WAIVED))))
def test_a_disagreeing_cell_is_never_hidden(order: tuple[Observation, ...]) -> None:
    (one,) = merged(*(record(seen) for seen in order))
    assert one.seen == WRONG
    (one,) = merged(record(*order))
    assert one.seen == WRONG


@pytest.mark.parametrize(
    "less, more",
    [(ASSEMBLED, BASE), (BASE, WAIVED), (WAIVED, WRONG), (cell(word="hung", agreement="disagrees"), WRONG)],
)
def test_precedence_does_not_depend_on_order(less: Observation, more: Observation) -> None:
    assert [merged(record(less), record(more))[0].seen, merged(record(more), record(less))[0].seen] == [more, more]


def test_cells_of_other_targets_and_toolchains_stay_apart() -> None:
    others = (BASE, cell(target="sm_90"), cell(toolchain="nvjitlink 13.5.37"), cell(case="mma_sync.f16:shape=x"))
    assert [one.seen for one in merged(record(*others))] == list(others)


def test_a_case_is_validated_by_the_same_kernel_only() -> None:
    there = cell(target="sm_120a", word="assembled")
    assert merged(record(BASE, there))[1].validation == "validated on sm_90a"
    changed = cell(target="sm_120a", word="assembled", kernel="kchanged")
    assert merged(record(BASE, changed))[1].validation == "unvalidated"
    another = cell(target="sm_120a", word="assembled", case="mma_sync.f16:shape=x")
    assert merged(record(BASE, another))[1].validation == "unvalidated"


@pytest.mark.parametrize("word", [word for word in WORDS if word != "correct"])
def test_only_correct_validates(word: str) -> None:
    assert validations([record(cell(word=word))]) == {}


def test_a_kernel_changed_since_is_not_validated_by_the_old_one() -> None:
    older, newer = record(cell(kernel="kold")), record(cell(kernel="knew", word="assembled"))
    (one,) = merged(older, newer)
    assert one.validation != "validated here"


def test_a_wrong_cell_is_not_validated_on_its_own_target() -> None:
    (one,) = merged(record(BASE), record(WRONG))
    assert "sm_90a" not in one.validation


def test_words_of_validation() -> None:
    assert Cell(BASE, ("sm_90a",)).validation == "validated here"
    assert Cell(ASSEMBLED, ("sm_100a", "sm_90a")).validation == "validated on sm_100a, sm_90a"
    assert Cell(ASSEMBLED, ()).validation == "unvalidated"


def test_what_a_row_says_of_validation() -> None:
    rejected = Cell(cell(word="rejected", target="sm_120a"), ("sm_90a",))
    assert matrix.validation_text([rejected, None]) == "-"
    assert matrix.validation_text([Cell(BASE, ("sm_90a",)), rejected]) == "sm_90a"
    assert matrix.validation_text([Cell(ASSEMBLED, ())]) == "unvalidated"


def test_every_word_has_a_sign_of_its_own() -> None:
    assert set(matrix.SIGNS) == set(WORDS)
    assert len(set(matrix.SIGNS.values())) == len(WORDS)
    assert all(word in matrix.LEGEND and sign in matrix.LEGEND for word, sign in matrix.SIGNS.items())


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("realization", [None, *REALIZATIONS])
@pytest.mark.parametrize("agreement, mark", list(zip(AGREEMENTS, ("", "!", "~"), strict=True)))
def test_text_of_a_cell(word: str, realization: str | None, agreement: str, mark: str) -> None:
    text = matrix.cell_text(Cell(cell(word=word, realization=realization, agreement=agreement), ()))
    assert text == f"{matrix.SIGNS[word]}{mark} {word}" + (f" {realization}" if realization else "")


SHOWN = (
    BASE,
    cell(target="sm_120a", word="rejected", agreement="disagrees", realization=None, opcodes={}),
    cell(
        target="sm_121a",
        word="assembled",
        agreement="waived",
        realization="emulated",
        diagnostics=(Diagnostic("advisory", "warning", 'a "quoted", text\nof two lines | piped', 3),),
    ),
    cell(case="tma.load:dim=1", family="tma", target="sm_90a", realization="call"),
)


def test_json_has_its_schema_and_every_required_key() -> None:
    data = json.loads(matrix.to_json_text(merged(record(*SHOWN))))
    assert data["schema"] == matrix.SCHEMA
    assert len(data["cells"]) == len(SHOWN)
    for entry, seen in zip(data["cells"], SHOWN, strict=True):
        for key in ("case", "opcode", "target", "toolchain", "word", "realization", "agreement"):
            assert entry[key] == getattr(seen, key)
        assert [said["text"] for said in entry["diagnostics"]] == [said.text for said in seen.diagnostics]
        assert set(entry) >= {"family", "ptx", "kernel", "opcodes", "gpu", "not_asked", "validation", "validated_on"}


def test_csv_has_a_line_a_cell_and_survives_what_assemblers_say() -> None:
    rows = list(csv.DictReader(io.StringIO(matrix.to_csv(merged(record(*SHOWN))))))
    assert [(row["case"], row["target"], row["word"]) for row in rows] == [(s.case, s.target, s.word) for s in SHOWN]
    assert rows[2]["diagnostics"] == SHOWN[2].diagnostics[0].text
    assert (rows[0]["opcodes"], rows[1]["realization"]) == ("1xHMMA.1688.F16", "")
    assert None not in rows[0]


def test_markdown_has_a_table_a_family_of_equal_width() -> None:
    text = matrix.to_markdown(merged(record(*SHOWN)))
    assert [line for line in text.splitlines() if line.startswith("###")] == ["### mma_sync", "### tma"]
    for part in text.split("###")[1:]:
        widths = {line.count("|") for line in part.splitlines() if line.startswith("|")}
        assert len(widths) == 1
    assert "✗! rejected" in text
    assert "◐~ assembled emulated" in text


def test_columns_name_the_toolchain_where_there_are_several() -> None:
    one, two = merged(record(BASE)), merged(record(BASE, cell(toolchain="nvjitlink 13.5.37")))
    assert matrix.grids(one)[0].columns == ("sm_90a",)
    assert matrix.grids(two)[0].columns == ("sm_90a ptxas 13.0.88", "sm_90a nvjitlink 13.5.37")


@pytest.mark.parametrize("width", [80, 200])
def test_a_narrow_terminal_never_hides_a_disagreement(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    targets = ("sm_90a", "sm_100a", "sm_120a", "sm_121a", "sm_120f")
    seen = [cell(target=t, word="wrong", agreement="disagrees", realization="emulated") for t in targets]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "PIPE_WIDTH", width)
        terminal.show(merged(record(*seen)))
    table = capsys.readouterr().out.split("by family and target")[0]
    assert table.count("!") == len(targets)


def test_the_summary_counts_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(merged(record(*SHOWN)))
    summary = capsys.readouterr().out.split("by family and target")[1]
    for word in ("correct", "rejected", "assembled", "call", "emulated", "disagrees", "waived"):
        assert word in summary
    assert len([line for line in summary.splitlines() if " sm_" in line]) == len(SHOWN)


def test_a_sweeps_summary_is_by_target(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "GROUPS_SHOWN", 3)
    seen = [cell(case=f"{f}.x", family=f, target=t) for f in ("mma_sync", "tma") for t in ("sm_90a", "sm_100a")]
    terminal.show_summary(terminal.counts(merged(record(*seen))))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if " sm_" in line]
    assert [row[:3] for row in rows] == [["all", "sm_90a", "2"], ["all", "sm_100a", "2"]]


def test_counts_are_families_by_targets_and_tell_native_from_accepted() -> None:
    seen = [
        cell(target="sm_90a", word="assembled", realization="native"),
        cell(target="sm_90a", word="correct", realization="emulated", case="mma_sync.x:a=f16", opcode="mma.x"),
        cell(target="sm_100a", word="rejected", realization=None),
        cell(target="sm_75", family="tma", word="assembled", realization="native", toolchain="ptxas 12.9.86"),
    ]
    text = summary.to_counts(merged(record(*seen)))
    assert "| ptxas 13.0.88 | 2 | 2 | - | 2/1 |  |" in text
    assert "| ptxas 12.9.86 | 1 | 1 | 1 | - | - |" in text
    assert "### ptxas 13.0.88\n\n| family | cases | opcodes | sm_90a | sm_100a |" in text
    assert "| mma_sync | 2 | 2 | 2/1 |  |" in text
    assert "| tma | 1 | 1 | 1 |" in text


def test_the_plain_summary_tells_of_disagreements() -> None:
    text = terminal.plain_summary(terminal.counts(merged(record(*SHOWN))))
    assert "mma_sync sm_90a ptxas 13.0.88: 1 cases, 1 correct" in text
    assert "disagrees" in text
    assert "waived" in text


def test_what_was_not_asked_is_said_with_its_count() -> None:
    lines = terminal.not_asked_lines({("load", "no sm_121 device"): 412, ("assemble", "x"): 3})
    assert lines == ["assemble: 3 cases not run: x", "load: 412 cases not run: no sm_121 device"]


def test_committed_records_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = {found.path.name.split("_")[-1] for found in cells.committed() if not found.complete}
    assert cut == {"nvjitlink-13.0.88.jsonl.xz"}, "one run was cut short, and is told as such; any other is a mistake"
    monkeypatch.setattr(cells, "COMMITTED", tmp_path)
    assert cells.committed() == []
