"""From assembled cases to answers, over a child that launches nothing: order, words, and who judges."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from suite import catalogue, execute, targets
from suite.execute import Executor
from suite.gpu_device import Device
from suite.launch import Gpu
from suite.model import Kernel, Realization, Source
from suite.observe import Assembled

IDLE = [sys.executable, str(Path(__file__).with_name("idle_gpu.py"))]
DEVICE = Device(0, "idle", (9, 0), "1.0", "13.0", 1 << 30, 1)
IDS = (
    "mma_sync.f16:shape=m16n8k16,a=f16,d=f32",
    "mma_sync.int8:shape=m8n8k16,a=s8,b=s8,d=s32,satfinite=no",
    "wgmma.commit_group:pending=0",
    "mma_sync.b1:shape=m8n8k128,op=and",
)


def assembled(case_id: str, cubin: bytes = b".entry a()") -> Assembled:
    kernel = Kernel(f"k{IDS.index(case_id)}", "")
    means = Realization("native", {"HMMA.16816.F32": 1})
    source = Source(case_id, kernel, kernel, kernel)
    return Assembled(catalogue.find(case_id), source, "assembled", (), means, None, cubin)


@pytest.mark.parametrize("processes", [0, 2])
def test_cases_are_answered_in_order_by_whoever_judges(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "Gpu", lambda index, canary: Gpu(index, child=IDLE))
    monkeypatch.setattr(execute, "canary", lambda *known_good: None)
    executor = Executor(DEVICE, processes)
    answers = list(executor.execute([assembled(name) for name in IDS], ("", b""), None, targets.parse("sm_90a")))
    assert [item.case.id for item, *_ in answers] == list(IDS)
    assert [word for _, word, _, _ in answers] == ["wrong"] * len(IDS)
    assert all("unwritten" in gpu for _, _, gpu, _ in answers)
    assert all(gpu["device"] == "idle" for _, _, gpu, _ in answers)


def test_a_module_that_cannot_be_split_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = [sys.executable, str(Path(__file__).with_name("fake_gpu.py")), str(tmp_path / "starts"), "99"]
    monkeypatch.setattr(execute, "Gpu", lambda index, canary: Gpu(index, child=fake))
    monkeypatch.setattr(execute, "canary", lambda *known_good: None)
    several = b"refuse CUDA_ERROR_INVALID_IMAGE\n.entry a()\n.entry b()\n"
    items = [assembled(name, several) for name in IDS[:2]]
    answers = list(Executor(DEVICE).execute(items, ("", b""), None, targets.parse("sm_90a")))
    assert [(word, bool(not_asked)) for _, word, _, not_asked in answers] == [("assembled", True)] * 2
