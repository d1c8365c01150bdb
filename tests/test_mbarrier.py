"""The mbarrier family: its claims, its kernels, and its oracles against a barrier that counts step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from suite import verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("mbarrier")
COUNTED = [case for case in CASES if case.probe.template == "mbarrier_count.ptx.j2"]
WAITS = [case for case in CASES if case.probe.template == "mbarrier_wait.ptx.j2"]
PENDING = [case for case in CASES if case.probe.template == "mbarrier_pending.ptx.j2"]
KNOWN = [case for case in CASES if case.claim.ptx <= kernels.PTX]


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


@dataclass
class Machine:
    """A barrier as PTX ISA 9.3, 9.7.14.16.3 to .9 describes it."""

    expected: int
    pending: int
    tx: int = 0
    phase: int = 0

    def settle(self) -> None:
        if self.pending == 0 and self.tx == 0:
            self.phase, self.pending = self.phase + 1, self.expected

    def arrive(self, count: int = 1, *, tx: int = 0, drop: bool = False) -> None:
        self.tx += tx
        self.expected -= count * drop
        self.pending -= count
        self.settle()

    def complete(self, tx: int) -> None:
        self.tx -= tx
        self.settle()

    def arrivals_until(self, phase: int, limit: int) -> int:
        made = 0
        while self.phase < phase and made < limit:
            self.arrive()
            made += 1
        return made

    def transactions_until(self, phase: int) -> int:
        made = 0
        while self.phase < phase and made < 4096:
            self.complete(16)
            made += 1
        return made


def perform(case: Case, machine: Machine, amount: int) -> None:
    op, extra = case.params["op"], case.params.get("extra")
    if op == "expect_tx":
        machine.tx += amount
    elif op == "complete_tx":
        machine.complete(amount)
    else:
        count, tx = (amount, 0) if extra == "count" else (1, amount if extra == "expect_tx" else 0)
        machine.arrive(count, tx=tx, drop=op == "arrive_drop")


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: case.id)
def test_counts_agree_with_a_barrier_that_counts(case: Case) -> None:
    arrays = verify.inputs(case)
    ctas = len(arrays["plan"])
    machines = [Machine(int(row[0]), int(row[0]), int(row[2])) for row in arrays["plan"]]
    for cta in range(ctas):
        mask = int(arrays["masks"][cta]) if "masks" in arrays else 1 << (ctas - 1 - cta)
        for thread in range(int(arrays["plan"][cta, 3])):
            for other in range(ctas):
                if mask >> other & 1:
                    perform(case, machines[other], int(arrays["amounts"][cta, thread]))
    assert all(machine.phase == 0 for machine in machines)
    rows = []
    for machine, row in zip(machines, arrays["plan"], strict=True):
        first = machine.arrivals_until(1, int(row[1]))
        steps = machine.transactions_until(1)
        assert machine.phase == 1
        rows.append([first, steps, machine.arrivals_until(2, 4096)])
    out = kernels.expected(case)
    assert out["counts"].tolist() == rows
    assert set(out["waits"].reshape(-1).tolist()) == {2}


@pytest.mark.parametrize("case", PENDING, ids=lambda case: case.id)
def test_pending_counts_agree_with_a_barrier_that_counts(case: Case) -> None:
    arrays = verify.inputs(case)
    machine, found = Machine(1000, 1000), []
    for amount in arrays["amounts"].tolist():
        found.append(machine.pending)
        machine.arrive(amount, drop=case.params.get("op") == "arrive_drop")
    found += [machine.arrivals_until(1, 4096), machine.arrivals_until(2, 4096)]
    assert kernels.expected(case)["counts"].tolist() == found


def test_what_is_dropped_counted_or_sent_elsewhere_shows() -> None:
    """Forms that differ in one thing expect different counts from the same inputs."""
    for extra in ("plain", "count", "expect_tx"):
        stays = named(f"arrive:op=arrive,extra={extra},sem=none,space=shared")
        drops = named(f"arrive:op=arrive_drop,extra={extra},sem=none,space=shared")
        arrays = verify.inputs(stays)
        assert kernels.expected(stays, arrays)["counts"][0, 2] != kernels.expected(drops, arrays)["counts"][0, 2]
    remote = named("arrive:op=arrive,extra=plain,sem=none,space=shared::cluster")
    arrays = verify.inputs(remote)
    swapped = {**arrays, "plan": arrays["plan"].copy()}
    swapped["plan"][:, 3] = swapped["plan"][::-1, 3]  # as if each CTA arrived at its own barrier
    assert not np.array_equal(kernels.expected(remote, arrays)["counts"], kernels.expected(remote, swapped)["counts"])


@pytest.mark.parametrize("fragment", ["tx_multicast:op=expect_tx,sem=none", "arrive_multicast:op=arrive,extra=plain"])
@pytest.mark.parametrize("masks", [(0b01, 0b10), (0b10, 0b01), (0b11, 0b11)], ids=["own", "other", "both"])
def test_a_mask_that_is_not_heeded_shows(fragment: str, masks: tuple[int, int]) -> None:
    case = named(fragment)
    arrays = verify.inputs(case)
    other = {**arrays, "masks": np.array(masks, dtype=np.uint32)}
    assert not np.array_equal(kernels.expected(case, arrays)["counts"], kernels.expected(case, other)["counts"])


def test_multicast_is_for_the_family_of_sm_107f() -> None:
    claim = named("arrive_multicast").claim
    assert {target.name for target in claim.targets} == {"sm_107a", "sm_107f"}
    assert (claim.ptx, claim.section) == ((9, 4), "PTX ISA 9.4, 9.7.15.16.16")


def test_only_the_late_answer_of_a_wait_is_true() -> None:
    for case in WAITS:
        out = kernels.expected(case)
        assert set(out["log"].tolist()) == {2}
        assert len(set(out["data"].tolist())) == 32


@pytest.mark.parametrize(
    "fragment, target, ptx",
    [
        ("init:layout=none,space=shared", 80, (7, 0)),
        ("init:layout=v1,space=shared", 90, (9, 3)),
        ("arrive:op=arrive,extra=plain,sem=none,space=shared::cta", 80, (7, 8)),
        ("arrive:op=arrive,extra=plain,sem=release.cta,space=shared", 80, (8, 0)),
        ("arrive:op=arrive,extra=count,sem=none,space=shared", 90, (7, 8)),
        ("arrive:op=arrive_drop,extra=plain,sem=relaxed.cta,space=shared", 90, (8, 6)),
        ("arrive:op=arrive,extra=plain,sem=release.cluster,space=shared::cluster", 90, (8, 0)),
        ("tx:op=expect_tx,sem=relaxed.cluster,space=shared", 90, (8, 0)),
        ("wait:op=test_wait,phase=parity,type=none,sem=none,space=shared", 80, (7, 1)),
        ("wait:op=try_wait,phase=state,type=none,sem=none,space=shared", 90, (7, 8)),
        ("wait:op=try_wait,phase=parity,type=conditional,sem=none,space=shared", 90, (9, 3)),
        ("pending_count:layout=none", 80, (7, 0)),
    ],
)
def test_claims_follow_the_manual(fragment: str, target: int, ptx: tuple[int, int]) -> None:
    claim = named(fragment).claim
    assert (min(claim.targets).number, claim.ptx) == (target, ptx)


def test_every_kernel_assembles_where_claimed_and_controls_everywhere() -> None:
    for target in ("sm_90a", "sm_107f"):
        sources = kernels.sources(kernels.claimed(KNOWN, target))
        outcome = kernels.assemble([kernel for s in sources for kernel in (s.armed, s.scaffold)], target)
        assert outcome.accepted, outcome.log
    kernels.assert_controls_assemble(CASES, "sm_75")


@pytest.mark.parametrize("case", CASES[::7], ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == (3 if case in WAITS else 1)
    assert kernels.without_mark(source) == source.scaffold.text
    assert "mbarrier" not in source.control.text
    kernels.assert_round_trips(case)
