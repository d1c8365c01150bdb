"""The sanity check on machines made up to be bad, each in one way: the right exit code, and the right thing named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite import gpu_device
from suite.cli import main
from suite.record import read
from suite.sanity import quick, steps
from suite.sanity.model import Ran
from suite.sanity.prepare import BUNDLE, CASES, LOADS
from tests.test_sanity_schema import SCHEMA, broken

FAKE = Path(__file__).with_name("fake_step.py")
SOURCE = Path(__file__).with_name("fake_driver") / "libcuda.c"

REAL = steps.run
Answer = tuple[int, dict[str, Any]]
Check = Callable[..., Answer]

TRITON = {"name": "ptxas 12.0.76", "kind": "ptxas", "role": "Triton", "path": "/t/ptxas", "also": [], "ptx": "8.0",
          "targets": ["sm_80", "sm_86"]}  # fmt: skip
GOOD = {**TRITON, "name": "ptxas 13.5.37", "role": "PATH", "ptx": "9.5", "targets": ["sm_90", "sm_90a"]}


def key(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": value}


END: dict[str, Any] = {"end": True}


def python(**facts: Any) -> list[dict[str, Any]]:
    return [key("python", {"python": "/usr/bin/python3", "paths": {}, **facts}), END]


def torch(archs: list[str], cuda: str = "12.8") -> list[dict[str, Any]]:
    return python(torch={"version": "2.9.0", "cuda": cuda, "archs": archs})


QUIET: dict[str, Any] = {"packages": python(), "libraries": [END], "toolchains": [key("toolchain", GOOD), END]}


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a driver that needs no GPU."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to build the fake driver with")
    folder = tmp_path_factory.mktemp("driver")
    line = [compiler, "-shared", "-fPIC", "-w", "-o", str(folder / "libcuda.so.1"), str(SOURCE)]
    subprocess.run(line, check=True, timeout=120)
    return folder


@pytest.fixture(scope="session")
def healthy(driver: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Ran], Path]:
    """Return what each GPU step says on a healthy machine, and the folder that `assemble` filled: run once, for all."""
    folder = tmp_path_factory.mktemp("healthy")
    packed = str(folder / BUNDLE)
    (folder / CASES).write_text(json.dumps(sorted(quick.ids())))
    lines = {
        "devices": (), "nvml": (), "assemble": (str(folder), '["sm_90a"]', "13.0"),
        "instructions": ("0", packed), "limits": ("0", str(folder / LOADS)), "performance": ("0", "quick"),
        "peers": ("0", "1"),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        machine(patch, driver, "healthy", 2, {})
        ran = {name: REAL(name, *arguments, seconds=120.0) for name, arguments in lines.items()}
    assert {name for name, one in ran.items() if one.status != "done"} == set(), ran
    return ran, folder


def machine(patch: pytest.MonkeyPatch, driver: Path, fault: str, gpus: int, made: dict[str, Any]) -> None:
    """Let every step's process run on a made-up machine."""
    patch.setenv("LD_LIBRARY_PATH", str(driver))
    patch.setenv("PTXPROOF_FAKE", fault)
    patch.setenv("PTXPROOF_FAKE_GPUS", str(gpus))
    patch.setattr(steps, "argv", lambda name, given: [sys.executable, str(FAKE), json.dumps(made), name, *given])


@pytest.fixture
def check(
    driver: Path,
    healthy: tuple[dict[str, Ran], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    """Return what runs the check on a made-up machine.

    `real` names the steps that are run; the others say what they said on the healthy machine. `planted` is, by step,
    the lines that it says, or how it ends; `fault` is the driver's and `gpu` the GPU child's.
    """
    said, folder = healthy

    def answer(name: str, *arguments: str, seconds: float, gpu: int | None = None) -> Ran:
        if name in current["real"] or isinstance(current["planted"].get(name), str):
            return REAL(name, *arguments, seconds=seconds, gpu=gpu)
        if name in current["planted"]:
            return spoken(name, current["planted"][name])
        if name == "assemble":
            shutil.copytree(folder, arguments[0], dirs_exist_ok=True)
        devices = said["devices"].events[: 1 + current["gpus"]]  # what is on the bus, then a line a device
        return replace(said[name], gpu=gpu, events=devices if name == "devices" else said[name].events)

    current: dict[str, Any] = {}

    def run(
        *arguments: str, real: str = "", fault: str = "healthy", gpus: int = 1, gpu: str = "healthy",
        planted: dict[str, Any] | None = None, nvml: dict[str, Any] | None = None,
    ) -> Answer:  # fmt: skip
        plants = {**QUIET, **(planted or {})}
        current.update(real=real.split(), planted=plants, gpus=gpus)
        machine(monkeypatch, driver, fault, gpus, {"gpu": gpu, "nvml": nvml or {}, "steps": plants})
        monkeypatch.setattr(steps, "run", answer)
        options = ["--json", *arguments]
        options += [] if "--record" in options else ["--record", str(tmp_path / "sanity.jsonl")]
        code = main(["sanity", *options])
        report = json.loads(capsys.readouterr().out)
        assert code == report["exit"]
        assert not broken(report, SCHEMA)
        return code, report

    return run


def spoken(name: str, lines: list[dict[str, Any]]) -> Ran:
    """Return the step as it would be read from these lines."""
    refused = next((line["refused"] for line in lines if "refused" in line), ("", ""))
    events = tuple((line["key"], line["value"]) for line in lines if "key" in line)
    return Ran(name, None, "refused" if refused[0] else "done", 0.1, 1.0, events, said=refused[1], kind=refused[0])


def named(report: dict[str, Any], severity: str) -> list[str]:
    return [finding["name"] for finding in report["findings"] if finding["severity"] == severity]


def test_a_healthy_machine_is_fit_and_its_record_is_an_ordinary_one(check: Check, tmp_path: Path) -> None:
    code, report = check("--need", "wgmma-hopper", real="assemble instructions")
    assert (code, named(report, "unfit"), named(report, "unjudged")) == (0, [], [])
    assert "FIT" in report["summary"]
    (gpu,) = report["gpus"]
    words = {cell["case"].split(".")[0]: cell["word"] for cell in gpu["instructions"]}
    assert (words["wgmma"], words["tcgen05"], words["integer"]) == ("correct", "rejected", "correct")
    assert [profile["answer"] for profile in report["profiles"]] == ["go"]
    record = read(tmp_path / "sanity.jsonl")
    assert record.complete
    assert {cell.target for cell in record.cells} == {"sm_90a"}
    assert all(rate["source"] for rate in gpu["rates"] if rate["what"] in ("read", "wgmma f16"))


def test_a_profile_of_another_chip_is_a_no_go(check: Check) -> None:
    code, report = check("--need", "flash-attention-4", real="assemble instructions")
    assert code == 1
    assert named(report, "unfit") == ["profile-no-go"]
    assert "tcgen05.alloc" in report["findings"][0]["evidence"][0]


def tools(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"planted": {"toolchains": [*(key("toolchain", entry) for entry in entries), END]}}


def wheel(*archs: str, cuda: str = "12.8") -> dict[str, Any]:
    return {"planted": {"packages": torch(list(archs), cuda)}}


LINKED = [
    key("library", {"name": "libcudart.so.13", "path": "/l", "version": "13.0"}),
    key("wants", {"module": "/m.so", "library": "libcudart.so.12"}),
    END,
]
UNIMPORTABLE = python(torch_error="OSError: libcudart.so.12")
SEVERITIES = {0: "warning", 1: "unfit", 2: "unjudged"}

BAD = (
    # what is bad                  scenario                                                   exit  name
    ("no GPU visible",             {"fault": "gone", "real": "devices"}, 2, "no-gpu-visible"),
    ("held exclusively",           {"fault": "held", "real": "limits"},  1, "gpu-held"),
    ("no permission",              {"fault": "denied", "real": "devices"}, 1, "no-permission"),
    ("an old driver",              {"fault": "old", "real": "limits"}, 1, "driver-too-old"),
    ("a driver of CUDA 11",        {"fault": "ancient", "real": "devices"}, 1, "driver-too-old"),
    ("less memory than declared",  {"fault": "small", "real": "limits"}, 1, "limit"),
    ("a slow GPU",                 {"fault": "slow", "real": "performance"}, 1, "slow"),
    ("a copy that is wrong",       {"fault": "wrong_copy", "real": "performance"}, 1, "wrong-bits"),
    ("wrong bits",                 {"gpu": "wrong", "real": "instructions"}, 1, "wrong-bits"),
    ("a fault",                    {"gpu": "fault", "real": "instructions"}, 1, "instruction-faulted"),
    ("an instruction that hangs",  {"gpu": "hang", "real": "instructions"}, 1, "instruction-hung"),
    ("a sick GPU",                 {"gpu": "sick", "real": "instructions"}, 1, "gpu-unhealthy"),
    ("a step that dies",           {"planted": {"performance": "die"}}, 1, "step-died"),
    ("Triton's ptxas is old",      tools(GOOD, TRITON), 1, "bundled-ptxas-too-old"),
    ("every ptxas is old",         tools({**TRITON, "role": "PATH"}), 1, "no-ptxas-knows-gpu"),
    ("one ptxas of two is old",    tools(GOOD, {**TRITON, "role": "PATH"}), 0, "ptxas-too-old"),
    ("no ptxas",                   tools(), 0, "no-ptxas"),
    ("a wheel without the arch",   wheel("sm_80", "sm_100"), 1, "wheel-without-arch"),
    ("a wheel with PTX only",      wheel("sm_80", "compute_80"), 0, "wheel-by-jit"),
    ("a framework too new",        wheel("sm_90", cuda="14.0"), 1, "framework-newer-than-driver"),
    ("one of the same CUDA major", wheel("sm_90", cuda="13.5"), 0, "framework-newer-than-driver"),
    ("torch does not import",      {"planted": {"packages": UNIMPORTABLE}}, 1, "torch-does-not-import"),
    ("libcudart.so.12 wanted",     {"planted": {"libraries": LINKED}}, 1, "libcudart-missing"),
    ("memory errors",              {"nvml": {"nvmlDeviceGetTotalEccErrors": 3}, "real": "nvml"}, 1, "ecc-errors"),
)  # fmt: skip


@pytest.mark.parametrize(("scenario", "code", "name"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_machine_is_named_for_what_is_bad(check: Check, scenario: dict[str, Any], code: int, name: str) -> None:
    found, report = check(**scenario)
    assert name in named(report, SEVERITIES[code]), report["findings"]
    assert found == code, report["findings"]
    told = next(finding for finding in report["findings"] if finding["name"] == name)
    assert told["remedy"] or told["evidence"]


def test_no_driver_is_a_half_that_cannot_be_judged(check: Check) -> None:
    refused = {"refused": ["NoDriver", "no NVIDIA driver on this machine (libcuda.so.1 not found)"]}
    code, report = check(planted={"devices": [refused]})
    assert code == 2
    assert named(report, "unjudged") == ["no-driver"]
    assert "GPU half could not be judged" in report["summary"]
    assert report["inventory"]["assemblers"]
    code, report = check(planted={"devices": [key("pci", ["0000:01:00.0"]), refused]})
    assert (code, named(report, "unfit")) == (1, ["no-driver"])


def test_a_profile_without_a_gpu_cannot_be_judged(check: Check) -> None:
    code, report = check("--need", "tma-multicast", fault="gone", real="devices")
    assert code == 2
    assert "profile-unjudged" in named(report, "unjudged")


@pytest.mark.parametrize("step", ["packages", "limits", "devices"])
def test_a_step_that_hangs_is_named_and_the_others_are_kept(
    check: Check, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LIMITS", {**steps.LIMITS, step: (2.0, 2.0)})
    code, report = check(planted={step: "hang"})
    assert code == 1
    hung = next(finding for finding in report["findings"] if finding["name"] == "step-hung")
    assert f"step {step} hung at: the hanging of {step}" in hung["says"]
    ran = {entry["name"]: entry["status"] for entry in report["steps"]}
    assert ran["toolchains"] == "done"
    if step == "limits":
        assert (ran["instructions"], ran["performance"]) == ("done", "skipped")


def test_a_hung_driver_leaves_no_process_behind(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver))
    monkeypatch.setenv("PTXPROOF_FAKE", "hang")
    ran = REAL("limits", "0", seconds=8.0, gpu=0)
    assert (ran.status, ran.gpu) == ("hung", 0)
    assert ran.at == "dynamic shared memory a block, bytes"
    assert ran.value("ptx_ceiling")["measured"] == "9.0"


@pytest.mark.parametrize(
    ("fault", "name"), [("second_slow", "slower-than-siblings"), ("second_differs", "differs-from-siblings")]
)
def test_the_gpu_that_differs_from_its_siblings_is_named(check: Check, fault: str, name: str) -> None:
    code, report = check(fault=fault, gpus=2, real="performance")
    assert code == 1
    told = [finding for finding in report["findings"] if finding["name"] == name]
    assert told
    assert {finding["where"] for finding in told} == {"gpu 1"}
    assert len(report["peers"]) == 2


def test_two_good_gpus_are_fit_and_each_has_its_record(check: Check, tmp_path: Path) -> None:
    code, report = check(gpus=2)
    assert (code, report["records"]) == (0, [str(tmp_path / "sanity.jsonl"), str(tmp_path / "sanity.gpu1.jsonl")])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the record's file, closed in the end
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_named(check: Check) -> None:
    code, report = check("--record", "/dev/full")
    assert code == 1
    assert named(report, "unfit") == ["record-not-written"]


def test_a_machine_without_ptxas_takes_what_was_packed(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "quick.bundle"
    assert main(["sanity", "--pack", str(packed), "--arch", "sm_90a"]) == 0
    assert "23 cells" in capsys.readouterr().out
    code, report = check("--bundle", str(packed), planted={"toolchains": [END], "assemble": "die"}, real="instructions")
    assert code == 0
    assert {cell["word"] for cell in report["gpus"][0]["instructions"]} == {"correct", "rejected"}


def test_a_machine_on_which_nothing_could_be_assembled_cannot_be_judged(check: Check) -> None:
    code, report = check(planted={"toolchains": [END], "assemble": [END]})
    assert (code, named(report, "unjudged")) == (2, ["instructions-not-asked"])
    assert "--bundle" in report["findings"][0]["remedy"]


def test_what_a_chip_does_not_report_is_no_failure(check: Check) -> None:
    code, report = check()
    assert code == 0
    assert report["inventory"]["nvml"][0]["memory_bytes"] == "not reported"


def test_a_usage_error_is_2(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sanity", "--need", "nonsense"]) == 2
    assert "no profile is named 'nonsense'" in capsys.readouterr().err
    assert main(["sanity", "--arch", "sm_121a"]) == 2


@pytest.fixture(autouse=True)
def forget() -> None:
    gpu_device._answer.cache_clear()
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
