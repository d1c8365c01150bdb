"""The barrier family: its claims, its kernels, and its oracles against loops over threads."""

from __future__ import annotations

import pytest

from suite import verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("barrier")
EXCHANGES = [case for case in CASES if case.probe.template == "barrier.ptx.j2"]
REDUCTIONS = [case for case in CASES if case.probe.form == "red"]


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


@pytest.mark.parametrize("case", EXCHANGES, ids=lambda case: case.id)
def test_each_thread_reads_one_that_stores_late(case: Case) -> None:
    """Every thread that waits reads another warp's word, and some of each warp's readers read a late one."""
    arrays = verify.inputs(case)
    values, out = arrays["values"].tolist(), kernels.expected(case)["out"].tolist()
    origin = [values.index(word) for word in out]
    arriving = case.probe.form == "arrive"
    for thread, source in enumerate(origin):
        if arriving and thread >= 64:
            assert source == thread
        else:
            assert source // 32 != thread // 32
            assert source // 64 == thread // 64 or case.params["given"] != "groups"
    late = {thread for thread in range(128) if thread & (64 if arriving else 32)}
    assert late & {source for thread, source in enumerate(origin) if source != thread}


@pytest.mark.parametrize("case", REDUCTIONS, ids=lambda case: case.id)
def test_reductions_agree_with_loops_over_threads(case: Case) -> None:
    flags = verify.inputs(case)["flags"].tolist()
    out = kernels.expected(case)["out"].tolist()
    size = 64 if case.params["given"] == "groups" else 128
    for row, found in zip(flags, out, strict=True):
        for thread in range(128):
            base = thread // size * size
            members = [bool(flag) != (case.params["negated"] == "yes") for flag in row[base : base + size]]
            want = {"popc": sum(members), "and": all(members), "or": any(members)}[case.params["op"]]
            assert found[thread] == want


def test_reductions_are_told_apart_by_their_inputs() -> None:
    outs = [
        tuple(kernels.expected(named(f"red:spelling=bar,op={op},given=number"))["out"].reshape(-1))
        for op in ("and", "or")
    ]
    assert outs[0] != outs[1]
    assert {0, 1} == set(outs[0]) == set(outs[1])


@pytest.mark.parametrize("case", [c for c in CASES if c.probe.form == "warp"], ids=lambda case: case.id)
def test_partners_of_lanes_lie_in_the_mask_and_on_the_other_path(case: Case) -> None:
    arrays = verify.inputs(case)
    for lane in range(32):
        mask, partner = int(arrays["masks"][lane]), int(arrays["partners"][lane])
        assert mask >> lane & 1
        assert mask >> partner & 1
        assert (lane ^ partner) & 1


@pytest.mark.parametrize(
    "fragment, target, ptx",
    [
        ("sync:spelling=bar,", 75, (2, 0)),
        ("sync:spelling=bar.cta,", 75, (7, 8)),
        ("arrive:spelling=barrier.aligned,", 75, (6, 0)),
        ("red:spelling=barrier.cta.aligned,", 75, (7, 8)),
        ("warp:mask=full", 75, (6, 0)),
        ("cluster_arrive:sem=none,", 90, (7, 8)),
        ("cluster_arrive:sem=relaxed,", 90, (8, 0)),
        ("cluster_wait:sem=acquire,", 90, (8, 0)),
    ],
)
def test_claims_follow_the_manual(fragment: str, target: int, ptx: tuple[int, int]) -> None:
    claim = named(fragment).claim
    assert (min(claim.targets).number, claim.ptx) == (target, ptx)


def test_every_kernel_assembles_where_claimed_and_controls_everywhere() -> None:
    for target in ("sm_75", "sm_90"):
        kernels.assert_claimed_assemble(CASES, target)
    kernels.assert_controls_assemble(CASES, "sm_75")


@pytest.mark.parametrize("case", CASES[::5], ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == (2 if "diverged" in case.id else 1)
    assert kernels.without_mark(source) == source.scaffold.text
    kernels.assert_round_trips(case)
