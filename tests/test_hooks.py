"""The hooks against stand-ins for the schedulers that call them: what each does with the three exit codes."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = Path(__file__).parent.parent / "hooks"
LINES = {0: "sanity: FIT: a GPU", 1: "sanity: NOT FIT: gpu 0: wrong bits", 2: "sanity: COULD NOT JUDGE: no GPU"}
CODES = pytest.mark.parametrize("code", [0, 1, 2])


@pytest.fixture
def hook(tmp_path: Path) -> dict[int, str]:
    """Return stand-ins for the check itself, by their exit code."""
    made = {}
    for code, line in LINES.items():
        made[code] = str(script(tmp_path / f"check{code}", f"echo '{line}'; echo more >&2; exit {code}"))
    return made


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run(*line: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    made = {**os.environ, **environment}
    return subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=60, env=made, check=False)


@CODES
def test_the_slurm_prolog_fails_for_what_is_not_fit_alone(hook: dict[int, str], code: int) -> None:
    done = run(HOOKS / "slurm" / "prolog.sh", PTXPROOF_HOOK=hook[code], SLURM_JOB_GPUS="0")
    assert done.returncode == int(code == 1)
    assert done.stdout == (f"print {LINES[1]}\n" if code == 1 else "")  # Slurm shows the user what follows `print`


def test_the_slurm_prolog_leaves_jobs_without_gpu_alone(hook: dict[int, str]) -> None:
    quiet = {"SLURM_JOB_GPUS": "", "CUDA_VISIBLE_DEVICES": ""}
    assert run(HOOKS / "slurm" / "prolog.sh", PTXPROOF_HOOK=hook[1], **quiet).returncode == 0


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1, "", ["update NodeName=n1 State=DRAIN Reason=ptxproof: " + LINES[1]]),
        (0, "Reason=ptxproof: x", ["show node n1", "update NodeName=n1 State=RESUME"]),
        (0, "Reason=disk [root@x]", ["show node n1"]),
        (2, "Reason=ptxproof: x", []),
    ],
)
def test_the_slurm_health_check_drains_and_resumes_its_own_alone(
    hook: dict[int, str], tmp_path: Path, code: int, reason: str, told: list[str]
) -> None:
    log = tmp_path / "log"
    script(tmp_path / "scontrol", f'echo "$*" >> {log}; [ "$1" = show ] && echo "{reason}"; exit 0')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(HOOKS / "slurm" / "health_check.sh", PTXPROOF_HOOK=hook[code], SLURMD_NODENAME="n1", PATH=path)
    assert done.returncode == 0
    assert (log.read_text().splitlines() if log.exists() else []) == told


@pytest.mark.parametrize(
    ("code", "strict", "dies"), [(0, "", False), (1, "", True), (2, "", False), (2, "strict", True)]
)
def test_the_nhc_check_dies_as_nhc_wants(hook: dict[int, str], code: int, strict: str, dies: bool) -> None:
    stand_in = 'die() { echo "ERROR: $1 $2"; }; . "$1"; check_ptxproof $2; echo "returned $?"'
    done = run("bash", "-c", stand_in, "nhc", HOOKS / "nhc" / "ptxproof.nhc", strict, PTXPROOF_HOOK=hook[code])
    assert f"returned {int(dies)}" in done.stdout
    assert (f"ERROR: 1 check_ptxproof:  {LINES[code]}" in done.stdout) == dies


@CODES
def test_node_problem_detector_gets_its_three_codes_and_a_short_line(hook: dict[int, str], code: int) -> None:
    config = json.loads((HOOKS / "node-problem-detector" / "ptxproof-monitor.json").read_text())
    (rule,) = config["rules"]
    assert rule["path"].endswith("/hooks/node-problem-detector/check.sh")
    assert rule["condition"] in {condition["type"] for condition in config["conditions"]}
    done = run(HOOKS / "node-problem-detector" / "check.sh", PTXPROOF_HOOK=hook[code])
    assert (done.returncode, done.stdout) == (code, f"{LINES[code]}\n")
    assert len(done.stdout) <= config["pluginConfig"]["max_output_length"]


def test_the_systemd_unit_is_one_that_systemd_takes() -> None:
    path = HOOKS / "systemd" / "ptxproof-sanity.service"
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text())
    service = unit["Service"]
    assert (service["Type"], service["SuccessExitStatus"]) == ("oneshot", "2")
    assert int(service["TimeoutStartSec"]) > int(service["Environment"].partition("=")[2])
    analyze = shutil.which("systemd-analyze")
    if analyze:
        said = run(analyze, "verify", path).stderr
        assert not [line for line in said.splitlines() if path.name in line and "not executable" not in line], said


def test_the_kubernetes_job_ends_with_the_checks_code() -> None:
    job = json.loads((HOOKS / "kubernetes" / "job.json").read_text())
    assert (job["apiVersion"], job["kind"], job["spec"]["backoffLimit"]) == ("batch/v1", "Job", 0)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (first, _) = job["spec"]["podFailurePolicy"]["rules"]
    assert first["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [1, 2]}
    assert pod["restartPolicy"] == "Never"  # which a failure policy wants
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


#  the Python that the hook calls does              exit, and what the hook's line says
PYTHONS = (
    ("echo 'sanity: FIT: x'; echo detail",          0, "sanity: FIT: x"),
    ("echo 'sanity: NOT FIT: x'; exit 1",           1, "sanity: NOT FIT: x"),
    ("echo 'ptxproof: no such profile' >&2; exit 2", 2, "ptxproof: no such profile"),
    ("sleep 30",                                    1, "sanity: NOT FIT: no answer within 1 s"),
    ("echo Oops >&2; exit 3",                       2, "sanity: COULD NOT JUDGE: the check ended with status 3: Oops"),
    ("kill -TERM $$",                               2, "sanity: COULD NOT JUDGE: the check ended with status 143"),
)  # fmt: skip


@pytest.mark.parametrize(("does", "code", "line"), PYTHONS)
def test_the_common_hook_keeps_the_three_codes_apart(tmp_path: Path, does: str, code: int, line: str) -> None:
    python = script(tmp_path / "python", does)
    done = run(HOOKS / "ptxproof-sanity", PTXPROOF_PYTHON=str(python), PTXPROOF_SECONDS="1")
    assert done.returncode == code
    assert done.stdout.startswith(line)


def test_the_common_hook_without_python_cannot_judge(tmp_path: Path) -> None:
    done = run(HOOKS / "ptxproof-sanity", PTXPROOF_PYTHON=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "no Python" in done.stdout


def test_the_common_hook_runs_the_real_check() -> None:
    options = "--arch sm_121a --need tma-multicast"
    done = run(HOOKS / "ptxproof-sanity", PTXPROOF_PYTHON=sys.executable, PTXPROOF_OPTIONS=options)
    assert done.returncode == 1, done.stderr
    assert "tma-multicast: no-go" in done.stdout
