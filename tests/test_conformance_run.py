"""The conformance suite as pytest runs it: selection, records, --strict, workers, and what was not asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.gpu_device import NoGpu, devices
from suite.record import read

ROOT = Path(__file__).resolve().parent.parent
FEW = ("--case", "cp_async.wait_all*", "--case", "cp_async.wait_group*")
USAGE = 4  # pytest's own exit code for bad usage


def conformance(*options: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the exit code and output of the suite run with these options."""
    argv = [sys.executable, "-m", "pytest", "suite", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False, env=env)
    return done.returncode, done.stdout + done.stderr


def has_gpu() -> bool:
    try:
        return bool(devices())
    except NoGpu:
        return False


def test_two_workers_give_one_record_and_count_what_was_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    code, output = conformance("--arch", "sm_121a,sm_100a", *FEW, "-n", "2", "--record", str(path))
    assert code == 0, output
    record = read(path)
    assert record.complete
    assert {cell.target for cell in record.cells} == {"sm_121a", "sm_100a"}
    assert f"load: {len(record.cells) // 2} cases not run: no sm_121 device" in output
    assert sum(record.not_asked.values()) == len(record.cells)


def test_strict_fails_what_no_device_could_judge() -> None:
    code, output = conformance("--arch", "sm_121a", *FEW, "--strict")
    assert code == 1
    assert "--strict: load not run: no sm_121 device" in output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arch", "sm_12la"), "did you mean sm_121a"),
        (("--case", "nothing.*"), "matches none of"),
        (("--toolchain", "ptxas 1.2.3"), "ptxas 1.2.3"),
    ],
    ids=["target", "case", "toolchain"],
)
def test_a_mistake_is_a_usage_error_and_not_a_green_run(options: tuple[str, ...], said: str) -> None:
    code, output = conformance(*options)
    assert code == USAGE
    assert said in output


@pytest.mark.skipif(has_gpu(), reason="native works where there is a GPU")
def test_native_without_a_gpu_is_a_usage_error() -> None:
    code, output = conformance("--arch", "native")
    assert code == USAGE
    assert "--arch native needs a GPU" in output


def test_a_disagreement_is_red_and_says_all(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("import suite.pipeline\nsuite.pipeline.agreement = lambda *_: 'disagrees'\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code, output = conformance("-p", "planted", "--arch", "sm_120a", "--case", "cp_async.wait_all*", env=env)
    assert code == 1, output
    for part in (
        "and the manual disagrees",
        "instruction: cp.async",
        "claim: supported",
        "kept: ",
        "repeat: python -m",
    ):
        assert part in output
