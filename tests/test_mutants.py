"""The numeric inputs can fail: every wrong machine is found on every unit that it could be, by some family."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.commands import mutants as command
from suite.numerics import mutation
from suite.numerics.models import Fused, run
from suite.numerics.mutants import MUTANTS, SAME_PERMUTATION, Mutant

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "mutants.md"


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_no_mutant_survives(mutant: Mutant) -> None:
    units = mutation.affected(mutant)
    assert units, f"{mutant.name} affects no unit"
    survivors = [name for name in units if not mutation.killers(mutant, name)]
    assert not survivors, f"{mutant.name} survives on {survivors}"


@pytest.mark.parametrize("name", mutation.UNITS)
def test_a_right_machine_is_killed_by_nothing(name: str) -> None:
    right = Mutant("none", "control", lambda op, arrays, model: run(model, op, arrays), lambda op, model: True)
    assert mutation.killers(right, name) == []


def test_small_integers_are_blind_to_arithmetic() -> None:
    found = {"F one less", "F one more", "L halved", "result to nearest", "exact sum rounded once", "c added late"}
    for mutant in MUTANTS:
        if mutant.name in found:
            assert all(mutation.SMALL not in mutation.killers(mutant, name) for name in mutation.affected(mutant))


def test_the_same_permutation_shows_only_where_steps_are_chained() -> None:
    for name, families in mutation.invariance().items():
        model = mutation.UNITS[name].model
        assert isinstance(model, Fused)
        chained = model.length < mutation.UNITS[name].operation.k
        assert bool(families) == chained, name
    assert mutation.affected(SAME_PERMUTATION)


def test_the_published_table_is_this_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == command.document()
