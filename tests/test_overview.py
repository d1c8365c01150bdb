"""The summary in words: every sentence counts what it says, and is silent where there is nothing to say."""

from __future__ import annotations

from reports.cells import Cell
from reports.overview import Statement, overview, table
from suite.model import NotAsked
from tests.observations import cell

TOOL = "ptxas 13.0.88"


def one(case: str, target: str, word: str = "assembled", *on: str, **changes: object) -> Cell:
    family = case.partition(".")[0]
    made = {"realization": None if word == "rejected" else "native", **changes}
    return Cell(cell(case=f"{case}:x=1", family=family, target=target, word=word, **made), on)


CELLS = [
    one("mma.a", "sm_90a", "correct", "sm_90a"),
    one("mma.b", "sm_90a", "rejected"),
    one("wgmma.a", "sm_90a", "wrong", agreement="waived"),
    one("fence.a", "sm_90a", "correct", observed="launch"),
    one("mma.a", "sm_121a", "assembled", "sm_90a", realization="emulated"),
    one("mma.b", "sm_121a", "assembled", not_asked=NotAsked("load", "no sm_121 device")),
    one("wgmma.a", "sm_121a", "rejected", agreement="disagrees"),
    one("fence.a", "sm_121a", "assembled"),
]


def said(target: str, kind: str, cells: list[Cell] = CELLS) -> list[str]:
    return [statement.text for statement in statements(target, cells) if statement.kind == kind]


def statements(target: str, cells: list[Cell] = CELLS) -> list[Statement]:
    return overview(table(TOOL, cells), target)


def test_what_a_target_has() -> None:
    has = said("sm_90a", "has")
    assert has[0] == f"{TOOL} accepts 3 of 4 cases (75 %) for sm_90a, of 3 of 3 families."
    assert has[1].startswith("1 case ran here")
    assert has[2].endswith("hung, flaky or wrong: wgmma 1.")
    assert len(said("sm_121a", "has")) == 1


def test_what_a_target_lacks_wholly_and_in_part() -> None:
    assert said("sm_121a", "lacks") == ["It has nothing of wgmma (1 case, all on sm_90a)."]
    assert said("sm_90a", "lacks") == ["Of other families it lacks 1 case that another target has: mma 1."]
    alike = [one("mma.a", "sm_90a"), one("mma.a", "sm_121a")]
    assert said("sm_90a", "lacks", alike) == ["It lacks nothing that another of these targets has."]
    assert said("sm_90a", "lacks", alike[:1]) == []


def test_what_it_alone_has() -> None:
    assert said("sm_121a", "beyond") == ["No other of these 2 targets accepts 1 case that it has: mma 1."]
    assert said("sm_121a", "beyond", [one("mma.a", "sm_90a"), one("mma.a", "sm_121a")]) == []


def test_two_targets_are_held_against_each_other() -> None:
    (text,) = said("sm_121a", "against")
    assert text == "sm_90a: against it, sm_121a lacks 1 (wgmma 1) and has 1 that sm_90a lacks (mma 1)."
    assert said("sm_90a", "against", [one("mma.a", "sm_90a"), one("mma.a", "sm_121a")]) == [
        "sm_121a: accepts the same 1 case."
    ]


def test_a_case_that_the_other_was_not_asked_is_no_difference() -> None:
    cells = [one("mma.a", "sm_90a"), one("mma.a", "sm_121a"), one("mma.b", "sm_90a")]
    assert said("sm_90a", "against", cells) == ["sm_121a: accepts the same 1 case."]
    assert said("sm_121a", "lacks", cells) == ["It lacks nothing that another of these targets has."]


def test_emulated_disagreeing_unvalidated_and_not_asked() -> None:
    assert said("sm_121a", "realized")[0].startswith("1 case is emulated")
    assert said("sm_121a", "disagrees") == ["1 case disagrees with the manual: wgmma 1."]
    assert said("sm_90a", "disagrees") == ["1 case disagrees for a reason that a waiver gives: wgmma 1."]
    elsewhere, never = said("sm_121a", "unvalidated")
    assert elsewhere.startswith("1 case ran right on other hardware only")
    assert never.startswith("2 cases have run right nowhere: mma 1, fence 1.")
    assert said("sm_121a", "not asked") == ["1 case ended before load: no sm_121 device."]


def test_nothing_is_made_up_where_all_is_well() -> None:
    cells = [one("mma.a", "sm_90a", "correct", "sm_90a")]
    assert said("sm_90a", "disagrees", cells) == ["Nothing disagrees with the manual."]
    assert said("sm_90a", "unvalidated", cells) == ["Everything it accepts is validated here."]
    assert said("sm_90a", "not asked", cells) == []


def test_each_sentence_leads_to_its_cases() -> None:
    filters = {
        statement.text.split()[0]: statement.filters
        for statement in statements("sm_121a")
        if statement.kind == "realized"
    }
    assert filters["1"] == {"targets": "sm_121a", "realizations": "emulated"}


def test_cells_of_another_toolchain_say_nothing_here() -> None:
    other = [*CELLS, one("tma.a", "sm_90a", toolchain="ptxas 12.9.86")]
    assert said("sm_90a", "has", other) == said("sm_90a", "has")
