"""Waivers: they excuse what they describe and nothing else, and go stale loudly."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from suite import waivers
from suite.errors import UsageError
from suite.model import Diagnostic, NotAsked, Observation
from suite.waivers import Waivers
from tests.observations import cell

GOOD = {
    "case": "mma_sync.f16:*",
    "targets": ["sm_90a", "sm_12*"],
    "toolchains": "ptxas *",
    "words": ["rejected", "wrong"],
    "reason": "the manual says otherwise",
    "evidence": "a log",
}
REFUSED = cell(word="rejected", agreement="disagrees")


def load(folder: Path, *entries: dict[str, Any], table: str = "waiver") -> Waivers:
    waivers._read.cache_clear()
    path = folder / "waivers.toml"
    path.write_text("\n".join(f"[[{table}]]\n" + "\n".join(f"{k} = {_toml(v)}" for k, v in e.items()) for e in entries))
    return waivers.load(path)


def _toml(value: Any) -> str:
    return "[" + ", ".join(_toml(v) for v in value) + "]" if isinstance(value, list) else f'"{value}"'


def test_a_waived_cell_keeps_its_word_and_takes_the_reason(tmp_path: Path) -> None:
    held = load(tmp_path, GOOD)
    waived = held.apply(REFUSED)
    assert (waived.word, waived.agreement, waived.waiver) == ("rejected", "waived", GOOD["reason"])
    assert held.unneeded == []
    assert held.apply(waived) == waived


CALLED_MALFORMED = cell(
    word="rejected", agreement="disagrees", diagnostics=(Diagnostic("malformed", "error", "Arguments"),)
)


def test_what_the_assembler_calls_malformed_is_waived_only_where_the_waiver_says_so(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).apply(CALLED_MALFORMED) == CALLED_MALFORMED
    assert load(tmp_path, GOOD | {"diagnostic": "malformed"}).apply(CALLED_MALFORMED).agreement == "waived"
    with pytest.raises(UsageError, match="malformed"):
        load(tmp_path, GOOD | {"diagnostic": "advisory"})


#   cell outside the waiver's scope
OUTSIDE = (
    cell(word="rejected", agreement="disagrees", target="sm_90"),
    cell(word="rejected", agreement="disagrees", target="sm_100a"),
    cell(word="rejected", agreement="disagrees", toolchain="nvjitlink 13.5.37"),
    cell(word="rejected", agreement="disagrees", case="mma_sync.f16_quad:shape=m8n8k4"),
)


@pytest.mark.parametrize("entry", OUTSIDE)
def test_a_cell_outside_the_scope_stays_as_it_is(tmp_path: Path, entry: Observation) -> None:
    held = load(tmp_path, GOOD)
    assert held.apply(entry) == entry
    assert held.unneeded == []


def test_another_word_is_not_excused(tmp_path: Path) -> None:
    held = load(tmp_path, GOOD)
    faulted = cell(word="faulted", agreement="disagrees")
    assert held.apply(faulted) == faulted


def test_a_waiver_that_a_cell_does_not_need_is_named(tmp_path: Path) -> None:
    held = load(tmp_path, GOOD)
    agreeing = cell(word="correct", agreement="agrees")
    assert held.apply(agreeing) == agreeing
    assert [("not needed" in line, agreeing.case in line) for line in held.unneeded] == [(True, True)]


def test_a_waiver_of_a_gpu_word_is_not_stale_where_no_gpu_was_asked(tmp_path: Path) -> None:
    held = load(tmp_path, {**GOOD, "words": ["wrong"]})
    unasked = cell(word="assembled", agreement="agrees", not_asked=NotAsked("load", "no sm_90 device"))
    assert held.apply(unasked) == unasked
    assert held.unneeded == []


def test_two_waivers_share_a_scope(tmp_path: Path) -> None:
    held = load(tmp_path, {**GOOD, "words": ["wrong"]}, {**GOOD, "words": ["rejected"], "reason": "second"})
    assert held.apply(REFUSED).waiver == "second"
    assert held.unneeded == []


#   entry                                               what is wrong
MALFORMED = (
    {key: value for key, value in GOOD.items() if key != "evidence"},
    {**GOOD, "extra": "x"},
    {**GOOD, "words": ["fine"]},
    {**GOOD, "words": []},
    {**GOOD, "words": "rejected"},
    {**GOOD, "targets": "sm_90a"},
    {**GOOD, "targets": []},
    {**GOOD, "targets": ["sm_9O*"]},
    {**GOOD, "reason": ""},
    {**GOOD, "evidence": ""},
    {**GOOD, "case": "mma_sync.f61:*"},
)


@pytest.mark.parametrize("entry", MALFORMED)
def test_a_malformed_or_unmatched_waiver_is_refused(tmp_path: Path, entry: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"waivers\.toml") as caught:
        load(tmp_path, GOOD, entry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[[waiver]]\ncase =", "[[waivers]]\ncase = 'x'\n", "[waiver]\ncase = 'x'\n", "x = 1\n"]
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"waivers\.toml"):
        waivers.load(path)


def test_no_file_is_no_waivers(tmp_path: Path) -> None:
    assert waivers.load(tmp_path / "none.toml").entries == ()


def test_the_committed_waivers_load_and_cite_the_manual() -> None:
    entries = waivers.load().entries
    assert len(entries) == len(tomllib.loads(waivers.FILE.read_text()).get("waiver", ()))
    assert all("PTX ISA" in entry.evidence for entry in entries)
