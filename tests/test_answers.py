"""Answers: a verdict is computed from cells, never said without one, and one cell against "every" refutes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reports.answers import claims, page
from reports.answers.claims import LEVELS, Claim, part
from reports.answers.settle import Answer, judge, settle, shows
from suite.catalogue import expand
from suite.cli import main
from suite.model import Diagnostic, Observation
from suite.record import Record, Writer
from tests.observations import BASE, cell

FP4 = "mma_sync.mxf4:"
NEW = "ptxas 13.5.37"


def answer(data: dict[str, Any], *seen: Observation, **more: Any) -> Answer:
    asked = {"says": "it is so", "cases": ["mma_sync.*"], "targets": ["sm_90a"], **data}
    record = Record(Path("r.jsonl"), {"started": "2026"}, seen, **more)
    ((_, (found,)),) = settle([Claim(1, "x", (part(asked),))], [record])
    return found


ASSEMBLER = {"level": "assembler", "every": ["accepted"]}


@pytest.mark.parametrize(
    "data, seen, verdict",
    [
        (ASSEMBLER, [], "open"),
        (ASSEMBLER, [cell(word="assembled")], "confirmed"),
        (ASSEMBLER, [cell(word="rejected")], "refuted"),
        (ASSEMBLER, [cell(), cell(case="mma_sync.x:", word="rejected")], "refuted"),
        (ASSEMBLER, [cell(word="unaskable")], "open"),
        (ASSEMBLER, [cell(target="sm_80")], "open"),
        (ASSEMBLER, [cell(case="tma.x:")], "open"),
        (ASSEMBLER, [cell(toolchain="driver 580")], "open"),
        ({**ASSEMBLER, "targets": ["sm_90a", "sm_121a"]}, [cell()], "open"),
        ({**ASSEMBLER, "targets": ["sm_90a", "sm_121a"]}, [cell(word="rejected")], "refuted"),
        ({"level": "assembler", "some": ["said:deprecat"]}, [cell()], "refuted"),
        (
            {"level": "assembler", "some": ["said:deprecat"]},
            [cell(diagnostics=(Diagnostic("advisory", "warning", "Deprecated"),))],
            "confirmed",
        ),
        ({"level": "SASS", "every": ["native"]}, [cell(word="assembled")], "confirmed"),
        ({"level": "SASS", "every": ["native"]}, [cell(realization="call")], "refuted"),
        ({"level": "SASS", "every": ["native"]}, [cell(word="rejected", realization=None)], "open"),
        ({"level": "SASS", "every": ["opcode:HMMA*"]}, [cell()], "confirmed"),
        ({"level": "SASS", "every": ["opcode:OMMA*"]}, [cell()], "refuted"),
        ({"level": "SASS", "none": ["native"]}, [cell(realization="call")], "confirmed"),
        ({"level": "SASS", "none": ["native"]}, [cell(), cell(case="mma_sync.x:", realization="call")], "refuted"),
        ({"level": "hardware", "every": ["correct"]}, [cell(word="assembled")], "open"),
        ({"level": "hardware", "every": ["correct"]}, [cell(word="rejected")], "open"),
        ({"level": "hardware", "every": ["correct"]}, [cell()], "confirmed"),
        ({"level": "hardware", "every": ["correct"]}, [cell(toolchain="driver 580")], "confirmed"),
        ({"level": "hardware", "every": ["correct"]}, [cell(observed="launch")], "open"),
        ({"level": "hardware", "every": ["correct"]}, [cell(word="wrong")], "refuted"),
        ({"level": "hardware", "none": ["correct"]}, [cell(word="hung")], "confirmed"),
        ({"level": "hardware", "none": ["correct"]}, [], "open"),
        ({"level": "hardware", "lacks": "nobody asks"}, [cell()], "open"),
        ({"level": "hardware", "measured": {"F": 13}}, [cell()], "open"),
        ({"level": "hardware", "measured": {"F": 13}}, [cell(gpu={"numeric": {"measured": {"F": 13}}})], "confirmed"),
        ({"level": "hardware", "measured": {"F": 13}}, [cell(gpu={"numeric": {"measured": {"F": 25}}})], "refuted"),
    ],
)
def test_verdicts(data: dict[str, Any], seen: list[Observation], verdict: str) -> None:
    assert answer(data, *seen).verdict == verdict


def test_the_newest_toolchain_decides_and_an_older_one_that_differs_is_named() -> None:
    found = answer(ASSEMBLER, cell(toolchain="ptxas 12.9.86", word="rejected"), cell(toolchain=NEW))
    assert (found.verdict, found.toolchain) == ("confirmed", NEW)
    text = page.to_markdown([(Claim(1, "x", (found.part,)), [found])], [])
    assert "ptxas 12.9.86 differs: 0 of 1 cells" in text


SAME = {"level": "SASS", "targets": ["sm_120a"], "same": "sm_121a", "fields": ["code"], "cases": ["*"]}


@pytest.mark.parametrize("code, verdict", [("aa", "confirmed"), ("bb", "refuted"), ("", "open")])
def test_sides_are_compared_cell_by_cell(code: str, verdict: str) -> None:
    other = cell(target="sm_121a", code=code)
    assert answer(SAME, cell(target="sm_120a", code="aa"), other).verdict == verdict
    assert answer(SAME, cell(target="sm_120a", code="aa")).verdict == "open"


@pytest.mark.parametrize(
    "reason, seen, verdict",
    [
        ("ptxas 12.8.93 does not know sm_121a", (), "confirmed"),
        ("ptxas 12.9.86 does not know sm_121a", (), "open"),
        ("", (cell(target="sm_121a", toolchain="ptxas 12.8.93"),), "refuted"),
    ],
)
def test_toolchains_that_do_not_know_a_target(reason: str, seen: tuple[Observation, ...], verdict: str) -> None:
    data = {"level": "assembler", "targets": ["sm_121a"], "toolchains": ["ptxas 12.8.*"], "unknown": True, "cases": []}
    assert answer(data, *seen, not_asked={("assemble", reason): 4} if reason else {}).verdict == verdict


@pytest.mark.parametrize(
    "spoilt",
    [
        {"level": "opinion"},
        {"some": ["native"]},
        {"every": []},
        {"targets": ["sm_999"]},
    ],
)
def test_a_part_that_asks_nothing_or_two_things_is_refused(spoilt: dict[str, Any]) -> None:
    whole = {"level": "SASS", "says": "x", "cases": ["*"], "targets": ["sm_90a"], "every": ["native"]}
    part(whole)
    with pytest.raises(ValueError, match="x"):
        part({**whole, **spoilt})
    with pytest.raises(TypeError):
        part({**whole, "because": "x"})


def test_a_value_that_no_cell_shows_is_refused() -> None:
    with pytest.raises(ValueError, match="fine"):
        shows(BASE, "fine")


def test_judging() -> None:
    found = [
        judge(check, holds, fails) for check in ("every", "some", "none") for holds, fails in ((2, 0), (1, 1), (0, 2))
    ]
    assert found == [
        "confirmed",
        "refuted",
        "refuted",
        "confirmed",
        "confirmed",
        "refuted",
        "refuted",
        "refuted",
        "confirmed",
    ]


def test_all_claims_are_there_and_ask_of_cases_that_exist() -> None:
    loaded = claims.load()
    assert [claim.number for claim in loaded] == list(range(1, 28))
    cases = [(case.id, case.opcode) for case in expand()]
    for claim in loaded:
        for asked in claim.parts:
            for value in (*asked.every, *asked.some, *asked.none):
                shows(BASE, value)
            for glob in asked.cases:
                alone = part({**vars(asked), "cases": [glob]})
                assert any(alone.of_case(*case) for case in cases), (claim.number, glob)


def test_without_records_everything_is_open() -> None:
    settled = settle(claims.load(), [])
    assert {found.verdict for _, answers in settled for found in answers} == {"open"}
    overview = [line for line in page.to_markdown(settled, []).splitlines() if line.startswith("| [")]
    assert len(overview) == 27
    assert not any("confirmed" in line or "refuted" in line for line in overview)


def test_an_open_part_on_hardware_says_how_to_close_it() -> None:
    text = page.to_markdown(settle(claims.load(), []), [])
    assert (
        "to close it, on sm_121: `python -m suite run --arch native --case 'mma_sync.mxf4:*' --record mine.jsonl`"
        in text
    )
    assert "reports/records/" in text


def test_a_level_says_refuted_in_part() -> None:
    right, wrong = answer(ASSEMBLER, cell()), answer(ASSEMBLER, cell(word="rejected"))
    assert page.verdict([right, wrong], "assembler") == "refuted in part"
    assert page.verdict([right], "assembler") == "confirmed"
    assert page.verdict([right], "hardware") == ""


def test_a_refutation_names_the_cell_that_speaks_against_it() -> None:
    found = answer(ASSEMBLER, cell(), cell(case="mma_sync.x:a=1", word="rejected"))
    text = page.to_markdown([(Claim(1, "x", (found.part,)), [found])], [])
    assert "1 of 2 cells; against it, on sm_90a: `mma_sync.x:a=1@sm_90a`" in text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = Writer(tmp_path / "r.jsonl", {"catalogue": "abc"})
    writer.add_column([cell(case=f"{FP4}a", target="sm_121a", word="assembled", toolchain=NEW, opcodes={"OMMA.X": 1})])
    writer.close({})
    assert main(["answers", str(writer.path), "--claim", "3", "--format", "json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert [found["verdict"] for found in claim["parts"]] == ["confirmed", "confirmed", "open", "open", "open"]
    assert claim["verdicts"] == dict(zip(LEVELS, ("open in part", "confirmed", "open"), strict=True))
    assert main(["answers", str(tmp_path), "-o", str(tmp_path / "answers.md")]) == 0
    assert "## 27. " in (tmp_path / "answers.md").read_text()
