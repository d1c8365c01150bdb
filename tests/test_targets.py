"""Targets: the base, `a` and `f` rules, and names that are nearly right."""

from __future__ import annotations

import re

import pytest

from suite import targets
from suite.errors import UsageError

#  target      runs on                       does not run on
RUNS = (
    ("sm_80", [(8, 0), (8, 6), (8, 9)], [(7, 5), (9, 0)]),
    ("sm_86", [(8, 6), (8, 9)], [(8, 0), (9, 0)]),
    ("sm_90", [(9, 0)], [(8, 9), (10, 0)]),
    ("sm_90a", [(9, 0)], [(10, 0), (12, 0)]),
    ("sm_100", [(10, 0), (10, 3), (10, 7)], [(9, 0), (11, 0), (12, 0)]),
    ("sm_100a", [(10, 0)], [(10, 3), (10, 7)]),
    ("sm_100f", [(10, 0), (10, 3)], [(11, 0), (12, 0)]),
    ("sm_103f", [(10, 3)], [(10, 0), (12, 1)]),
    ("sm_110f", [(11, 0)], [(10, 0), (12, 0)]),
    ("sm_120", [(12, 0), (12, 1)], [(11, 0), (10, 0)]),
    ("sm_120a", [(12, 0)], [(12, 1)]),
    ("sm_120f", [(12, 0), (12, 1)], [(10, 0), (11, 0)]),
    ("sm_121a", [(12, 1)], [(12, 0)]),
    ("sm_121f", [(12, 1)], [(12, 0)]),
)


@pytest.mark.parametrize("name, yes, no", RUNS)
def test_what_runs_where(name: str, yes: list[tuple[int, int]], no: list[tuple[int, int]]) -> None:
    target = targets.parse(name)
    assert [capability for capability in yes if not target.runs_on(capability)] == []
    assert [capability for capability in no if target.runs_on(capability)] == []


def test_every_target_runs_on_its_own_chip() -> None:
    assert all(target.runs_on(target.capability) for target in targets.ALL)


def test_names_come_back_and_are_unique() -> None:
    assert all(targets.parse(target.name) == target for target in targets.ALL)
    assert len({target.name for target in targets.ALL}) == len(targets.ALL)


def test_order_is_by_number_then_suffix() -> None:
    some = ["sm_121a", "sm_90a", "sm_100", "sm_120f", "sm_90", "sm_103f", "sm_100a"]
    ordered = ["sm_90", "sm_90a", "sm_100", "sm_100a", "sm_103f", "sm_120f", "sm_121a"]
    assert [target.name for target in sorted(map(targets.parse, some))] == ordered


@pytest.mark.parametrize(
    "typed, near",
    [
        ("sm121a", "sm_121a"),
        ("SM_90A", "sm_90a"),
        ("sm_80a", "sm_80"),
        ("compute_100f", "sm_100f"),
        ("sm_122a", "sm_12"),
        ("gfx942", "sm_"),
    ],
)
def test_a_misspelt_target_gives_near_names(typed: str, near: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(typed))) as caught:
        targets.parse(typed)
    assert near in str(caught.value).split("did you mean")[1]


@pytest.mark.parametrize("typed", ["", " ", "sm_", "\n", "sm_90a;rm"])
def test_nonsense_is_one_line(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        targets.parse(typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("capability, name", [((9, 0), "sm_90a"), ((8, 9), "sm_89"), ((12, 1), "sm_121a")])
def test_native_is_the_richest_of_a_chip(capability: tuple[int, int], name: str) -> None:
    assert targets.native(capability).name == name


def test_an_unknown_chip_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"13\.0"):
        targets.native((13, 0))


def test_families_hold_only_later_chips_of_their_major() -> None:
    chips = {target.capability for target in targets.ALL if target.suffix == "f"}
    assert set(targets.FAMILIES) == chips
    for root, members in targets.FAMILIES.items():
        assert members[0] == root
        assert all(member[0] == root[0] and member >= root for member in members)
