"""The fence family: its claims and kernels; what a fence does, no launch shows."""

from __future__ import annotations

import pytest

from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("fence")
REFUSED = "membar.proxy.async"  # in the manual's syntax, but with a state space, or in ptxas 13.0, refused: waivers


def by_opcode(opcode: str) -> Case:
    return next(case for case in CASES if case.opcode == opcode)


@pytest.mark.parametrize(
    "opcode, target, ptx",
    [
        ("membar.cta", 75, (1, 4)),
        ("membar.sys", 75, (2, 0)),
        ("fence.gpu", 75, (6, 0)),
        ("fence.sc.cta", 75, (6, 0)),
        ("fence.sc.cluster", 90, (7, 8)),
        ("fence.acquire.cta", 90, (8, 6)),
        ("fence.release.sync_restrict::shared::cta.cluster", 90, (8, 6)),
        ("fence.mbarrier_init.release.cluster", 90, (8, 0)),
        ("fence.proxy.alias", 75, (7, 5)),
        ("fence.proxy.async.shared::cta", 90, (8, 0)),
        ("membar.proxy.async", 90, (8, 0)),
        ("fence.proxy.tensormap::generic.release.cta", 90, (8, 3)),
        ("fence.proxy.tensormap::generic.acquire.sys", 90, (8, 3)),
        ("fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster", 90, (8, 6)),
        ("fence.proxy.fabric::generic.alias.acquire.sys", 100, (9, 3)),
    ],
)
def test_claims_follow_the_manual(opcode: str, target: int, ptx: tuple[int, int]) -> None:
    claim = by_opcode(opcode).claim
    assert (min(claim.targets).number, claim.ptx) == (target, ptx)


def test_opcodes_are_distinct() -> None:
    assert len({case.opcode for case in CASES}) == len(CASES)


def test_no_fence_pretends_to_be_seen_in_memory() -> None:
    assert {case.probe.observed for case in CASES} == {"sass"}


def test_every_kernel_assembles_where_claimed_and_controls_everywhere() -> None:
    known = [c for c in CASES if c.claim.ptx <= kernels.PTX and not c.opcode.startswith(REFUSED)]
    for target in ("sm_75", "sm_90"):
        kernels.assert_claimed_assemble(known, target)
    kernels.assert_controls_assemble(CASES, "sm_75")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_both_sides_fence_and_the_wait_is_bounded(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 2
    assert kernels.without_mark(source) == source.scaffold.text
    assert source.armed.text.count(", 65536;") == 1
    assert not any(word in source.control.text for word in ("fence", "membar"))
    kernels.assert_round_trips(case)
