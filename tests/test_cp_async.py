"""The cp_async family: its kernels assemble where the manual says, and its oracles see what they must."""

from __future__ import annotations

import numpy as np
import pytest

from suite import verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("cp_async")
TARGETS = ("sm_80", "sm_90", "sm_90a", "sm_100a", "sm_120a", "sm_121a", "sm_120f")
COPIES = [case for case in CASES if case.probe.template == "cp_async.ptx.j2"]
GROUPS = [case for case in CASES if case not in COPIES]


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


@pytest.mark.parametrize("target", TARGETS)
def test_every_kernel_assembles_where_claimed(target: str) -> None:
    assert kernels.claimed(CASES, target) == list(CASES)
    sources = kernels.sources(CASES)
    outcome = kernels.assemble([kernel for s in sources for kernel in (s.armed, s.scaffold)], target)
    assert outcome.accepted, outcome.log


def test_before_ampere_only_the_controls_assemble() -> None:
    sources = kernels.sources(CASES)
    outcome = kernels.assemble([s.control for s in sources], "sm_75")
    assert outcome.accepted, outcome.log
    assert not kernels.claimed(CASES, "sm_75")
    assert kernels.refused([s.armed for s in sources], "sm_75") == {s.armed.name for s in sources}


@pytest.mark.parametrize("floor", [(7, 0), (7, 4), (7, 5), (7, 8)])
def test_kernels_assemble_at_the_claimed_ptx_version_and_not_below(floor: tuple[int, int]) -> None:
    armed = [s.armed for s in kernels.sources(case for case in CASES if case.claim.ptx == floor)]
    assert armed
    outcome = kernels.assemble(armed, "sm_80", floor)
    assert outcome.accepted, outcome.log
    if floor > (7, 0):  # .target sm_80 itself came with 7.0
        below = (floor[0], floor[1] - 1)
        spelled = [s.armed for s in kernels.sources(c for c in CASES if "space=shared::cta" in c.id and c in COPIES)]
        lenient = {kernel.name for kernel in spelled}  # ptxas takes shared::cta in cp.async, not elsewhere, before 7.8
        assert kernels.refused(armed, "sm_80", below) == {kernel.name for kernel in armed} - lenient


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text
    assert not any(word in source.control.text for word in ("cp.async", "mbarrier", "createpolicy"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_wait_on_a_barrier_is_unbounded(case: Case) -> None:
    text = kernels.sources([case])[0].armed.text
    assert text.count("test_wait") == text.count("0xBAD0BAD0") == text.count(", 65536;") <= 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_buffers_round_trip(case: Case) -> None:
    kernels.assert_round_trips(case)


def test_amounts_reach_below_on_and_above_the_boundary() -> None:
    assert set(verify.inputs(named("src_size:cache=ca,size=8,src_size=partial"))["amounts"]) == set(range(8))
    assert set(verify.inputs(named("src_size:cache=ca,size=8,src_size=full"))["amounts"]) == {8}
    assert set(verify.inputs(named("cache=cg,size=16,ignore=some,hint=none"))["amounts"]) == {0, 1}
    assert set(verify.inputs(named("cache=cg,size=16,ignore=all"))["amounts"]) == {1}
    assert set(verify.inputs(named("cache=cg,size=16,ignore=none"))["amounts"]) == {0}


# --- oracles against a slow and independent reference -----------------------------------------------------------------


def mark(offset: int) -> int:
    """Return the byte that the window holds before the copy."""
    word = offset // 4
    return (2 * (word % 128) + 1, 2 * (word // 128) + 1, 1, 0xA5)[offset % 4]


def arrives(case: Case, amount: int) -> int:
    """Return how many bytes a thread brings from its source."""
    size: int = case.params["size"]
    if case.probe.form == "ignore_src":
        return size * (1 - amount)
    return amount if case.probe.form == "src_size" else size


@pytest.mark.parametrize("case", COPIES, ids=lambda case: case.id)
def test_copy_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    arrays, size = verify.inputs(case), case.params["size"]
    want = [mark(offset) for offset in range(2048)]
    for thread in range(64):
        for byte in range(size):
            held = int(arrays["src"][arrays["rows"][thread]][16 + byte])
            want[32 * thread + size + byte] = held if byte < arrives(case, int(arrays["amounts"][thread])) else 0
    out = kernels.expected(case)
    assert out["out"].reshape(-1).tolist() == want
    assert out["status"].tolist() == [0x600D0001]


@pytest.mark.parametrize("case", GROUPS, ids=lambda case: case.id)
def test_group_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    arrays = verify.inputs(case)
    out = kernels.expected(case)["out"].reshape(case.params.get("groups", 1), 64, 16)
    for group in range(out.shape[0]):
        for thread in range(64):
            for byte in range(16):
                assert out[group, thread, byte] == arrays["src"][group][arrays["rows"][thread]][byte]


# --- what a fault would look like -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", COPIES, ids=lambda case: case.id)
def test_bytes_that_are_not_written_are_seen(case: Case) -> None:
    """Every byte of a copy differs from what lay there, and its neighbours do not."""
    out = kernels.expected(case)["out"].reshape(64, 32)
    before = np.array([mark(offset) for offset in range(2048)]).reshape(64, 32)
    size = case.params["size"]
    assert np.array_equal(out != before, np.broadcast_to((np.arange(32) // size) == 1, (64, 32)))


@pytest.mark.parametrize("case", [c for c in CASES if c.params.get("ignore") != "all"], ids=lambda case: case.id)
def test_a_copy_from_another_row_is_seen(case: Case) -> None:
    arrays = verify.inputs(case)
    wrong = case.probe.oracle(case.params, {**arrays, "rows": np.arange(64, dtype=np.uint32)})["out"]
    assert not np.array_equal(wrong, kernels.expected(case)["out"])


def test_a_size_or_predicate_that_is_ignored_is_seen() -> None:
    for case in COPIES:
        arrays, right = verify.inputs(case), kernels.expected(case)["out"]
        full = case.params["size"] if case.probe.form == "src_size" else 0
        unheeded = {**arrays, "amounts": np.full(64, full, dtype=np.uint32)}
        same = np.array_equal(case.probe.oracle(case.params, unheeded)["out"], right)
        trivial = case.probe.form == "copy" or "full" in case.id or "ignore=none" in case.id
        assert same == trivial


def test_waits_leave_as_many_groups_pending_as_they_say() -> None:
    """The groups read before the last wait are those that the first wait covers."""
    for pending in range(4):
        text = kernels.sources([named(f"wait_group:groups=4,pending={pending}")])[0].armed.text
        early, _, late = text.partition(f"cp.async.wait_group {pending};")[2].partition("cp.async.wait_group 0;")
        assert early.count("ld.shared.v4") == 4 - pending
        assert late.count("ld.shared.v4") == pending


def test_arrivals_are_counted_beforehand_only_with_noinc() -> None:
    for case in (c for c in CASES if c.probe.form == "mbarrier_arrive"):
        source = kernels.sources([case])[0].armed.text
        assert f"mbarrier.init.shared.b64 [%mbar], {128 if case.params['noinc'] == 'yes' else 64};" in source
        assert (".noinc" in case.opcode) == (case.params["noinc"] == "yes")
