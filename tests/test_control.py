"""The control family: its claims and kernels, and what its oracles let through."""

from __future__ import annotations

import pytest

from probes.control import BASE
from suite import targets, verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("control")


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


def names(case: Case, ptx: tuple[int, int] = (9, 3)) -> set[str]:
    return {t.name for t in targets.ALL if case.claim.supports_at(t, ptx)}


def test_setmaxnreg_is_claimed_for_suffixed_targets_alone() -> None:
    claimed = names(named("setmaxnreg:action=dec"))
    assert {"sm_90a", "sm_100a", "sm_100f", "sm_103a", "sm_110f", "sm_120a", "sm_121f"} <= claimed
    assert not any(name[-1].isdigit() for name in claimed)
    assert names(named("setmaxnreg:action=dec"), (8, 0)) == {"sm_90a"}
    assert names(named("setmaxnreg:action=dec"), (8, 6)) == {"sm_90a", "sm_100a"}


def test_only_multicast_restricts_launch_control() -> None:
    plain, cast = (named(f"try_cancel:space=shared::cta,multicast={word}") for word in ("none", "all"))
    assert {"sm_100", "sm_120", "sm_121a"} <= names(plain)
    assert "sm_90a" not in names(plain)
    assert names(plain) - names(cast) == {name for name in names(plain) if name[-1].isdigit()}


@pytest.mark.parametrize(
    "fragment, target, ptx",
    [
        ("griddepcontrol:", 90, (7, 8)),
        ("elect:", 90, (8, 0)),
        ("nanosleep:", 75, (6, 3)),
        ("is_canceled:", 100, (8, 6)),
        ("exit:", 75, (1, 0)),
    ],
)
def test_claims_follow_the_manual(fragment: str, target: int, ptx: tuple[int, int]) -> None:
    claim = named(fragment).claim
    assert (min(claim.targets).number, claim.ptx) == (target, ptx)


def test_what_would_end_a_launch_is_not_launched() -> None:
    assert {c.probe.form for c in CASES if c.probe.unlaunched} == {"trap", "brkpt", "pmevent"}


def test_threads_that_leave_and_threads_that_stay_are_told_apart() -> None:
    case = named("exit:")
    flags, out = verify.inputs(case)["flags"], kernels.expected(case)["out"]
    assert set(flags.tolist()) == {0, 1}
    for flag, value, last in zip(flags.tolist(), *out.T.tolist(), strict=True):
        assert last == (1 if flag else value ^ 0xFFFFFFFF)


def test_an_increase_is_needed_to_hold_the_words() -> None:
    """More words are alive at once than `BASE` registers can hold, since all loads stand before all stores."""
    for case in (c for c in CASES if c.probe.form == "setmaxnreg_beyond"):
        text = kernels.sources([case])[0].armed.text
        held = text.count("ld.volatile")
        assert BASE < held < int(case.params["count"])
        assert text.rindex("ld.volatile") < text.index("st.volatile")
        assert kernels.expected(case)["out"].tolist() == verify.inputs(case)["values"][::-1].tolist()


def test_every_kernel_assembles_where_claimed_and_controls_everywhere() -> None:
    for target in ("sm_75", "sm_90a", "sm_100a"):
        sources = kernels.sources(kernels.claimed(CASES, target))
        outcome = kernels.assemble([kernel for s in sources for kernel in (s.armed, s.scaffold)], target)
        assert outcome.accepted, outcome.log
        assert "ignored" not in outcome.log  # setmaxnreg is heeded
    kernels.assert_controls_assemble(CASES, "sm_75")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert source.armed.marked
    assert kernels.without_mark(source) == source.scaffold.text
    kernels.assert_round_trips(case)
