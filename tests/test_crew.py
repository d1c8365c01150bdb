"""Cases prepared in other processes are those prepared here, in order; and what a child matched stays behind."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from suite import arena, catalogue, targets
from suite.canary import CASE as CANARY_CASE
from suite.crew import Crew, Task
from suite.errors import UsageError
from suite.examine import Answered
from suite.launch import Gpu
from suite.model import GpuResult, Job
from suite.prepare import prepare
from suite.verify import inputs

IDLE = [sys.executable, str(Path(__file__).with_name("idle_gpu.py"))]
IDS = (
    "mma_sync.f16:shape=m16n8k16,a=f16,d=f32",
    "mma_sync.b1:shape=m8n8k128,op=and",
    "mma_sync.f16:shape=m16n8k8,a=f16,d=f16",
)
TASKS = tuple(Task(name, "module", f"k{number}", "sm_90a", {"HMMA.16816.F32": 1}) for number, name in enumerate(IDS))
OWN = {name: catalogue.find(name) for name in IDS}


def test_other_processes_prepare_what_this_one_does() -> None:
    with Crew(0, OWN) as alone, Crew(2, OWN) as two:
        here, there = list(alone.prepared(TASKS)), list(two.prepared(TASKS))
    assert here == there
    assert [prepared.jobs[0].case for prepared in there] == list(IDS)
    assert [len(prepared.jobs) for prepared in there] == [2, 1, 2]


def test_other_processes_judge_what_did_not_match() -> None:
    with Crew(2, OWN) as crew:
        (prepared, *_) = crew.prepared(TASKS)
        poisoned = tuple(
            arena.poisoned(prepared.jobs[0].image, prepared.jobs[0].outputs, number).tobytes() for number in (0, 1)
        )
        ok = GpuResult(IDS[0], "ok", "done", matched=True)
        spoilt = crew.examined(TASKS[0], Answered(prepared, (replace(ok, arenas=poisoned, matched=False), ok)))
        fine = crew.examined(TASKS[0], Answered(prepared, (ok, ok)))
        assert fine.done()
        assert fine.result().word == "correct"
        assert fine.result().evidence["numeric"]["verdict"] == "exact"
        assert spoilt.result(timeout=60).word == "wrong"


def test_a_mistake_of_ours_in_another_process_is_raised_here() -> None:
    with Crew(2, OWN) as crew, pytest.raises(UsageError, match="no case is named"):
        list(crew.prepared([replace(TASKS[0], case="mma_sync.nothing:here=1")]))


def idle(*jobs: Job) -> list[GpuResult]:
    with Gpu(child=IDLE) as gpu:
        return list(gpu.run(jobs, {"module": b".entry a()"}))


def test_a_child_keeps_arenas_that_are_as_expected_and_sends_all_others() -> None:
    made = arena.job(CANARY_CASE, inputs(CANARY_CASE), "module", "a")
    nothing = replace(made, outputs=())  # an idle GPU is right where there is nothing to write
    right = replace(nothing, expected=hashlib.sha256(nothing.image).digest())
    wrong = replace(nothing, expected=hashlib.sha256(b"another").digest())
    unwritten = replace(made, expected=hashlib.sha256(made.image).digest())
    first, second, third, fourth = idle(right, wrong, unwritten, nothing)
    assert (first.matched, first.arenas) == (True, ())
    assert [(r.matched, len(r.arenas)) for r in (second, third, fourth)] == [(False, 2)] * 3


def test_what_is_prepared_names_its_kernel() -> None:
    task = TASKS[0]
    prepared = prepare(OWN[task.case], "module", "kernel", targets.parse(task.target), task.opcodes)
    assert {(job.module, job.kernel) for job in prepared.jobs} == {("module", "kernel")}
