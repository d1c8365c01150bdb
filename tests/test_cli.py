"""The command line as a user meets it: exit codes, one clear line for each mistake, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.cli import main
from suite.record import read
from suite.store import VARIABLE

ONE = "cp_async.copy:cache=cg,size=16,space=shared,hint=none"
FEW = "cp_async.wait_all*"


def run(*argv: str) -> int:
    """Return the exit code of a command line, argparse's own exits included."""
    try:
        return main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


#   command line                                              what the one line must say
MISTAKES = (
    (("run", "--arch", "sm_12la"), "sm_121a"),
    (("run", "--arch", "sm_122"), "did you mean"),
    (("run", "--arch", "native"), "--arch native needs a GPU"),
    (("run", "--case", "mma_snyc.*"), "matches none of"),
    (("run", "--toolchain", "ptxas 99.9"), "ptxas 99.9"),
    (("run", "--toolchain", "/nowhere/ptxas"), "/nowhere/ptxas"),
    (("run", "--case", FEW, "--record", "/proc/no/record.jsonl"), "cannot write the record"),
    (("run", "--bundle", "README.md"), "is not a ptxproof bundle"),
    (("show", "nothing"), "CASE@TARGET"),
    (("show", f"{ONE}@sm_999"), "no target is named"),
    (("show", "cp_async.copi:cache=cg,size=16,space=shared,hint=none@sm_90"), "did you mean"),
    (("matrix", "/nowhere.jsonl"), "cannot read the record"),
    (("matrix", "README.md"), "README.md:1: this is not a ptxproof record"),
    (("list", "--case", "x*"), "matches none of"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "said"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_gets_one_clear_line_and_exit_2(
    argv: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.commands.run.local_device", lambda: (None, "none here"))
    assert run(*argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len([line for line in error.splitlines() if line.startswith("ptxproof: ")]) == 1
    assert "Traceback" not in error


def test_a_newer_schema_is_refused_by_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"record":"ptxproof","schema":99}\n')
    assert run("matrix", str(path)) == 2
    assert f"{path}:1: schema 99 is newer" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [("nonsense",), (), ("run", "--nonsense")])
def test_bad_usage_is_2(argv: tuple[str, ...]) -> None:
    assert run(*argv) == 2


def test_a_run_that_agrees_is_0_and_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--arch", "sm_120a", "--case", FEW, "--matrix", str(tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"record.jsonl", "matrix.md", "matrix.csv", "matrix.json"}
    printed = capsys.readouterr().out
    assert "native" in printed
    assert read(tmp_path / "record.jsonl").complete
    assert all(
        cell["word"] in ("assembled", "correct") for cell in json.loads((tmp_path / "matrix.json").read_text())["cells"]
    )


def test_a_disagreement_is_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.pipeline.agreement", lambda *_: "disagrees")
    assert run("run", "--arch", "sm_120a", "--case", FEW, "--record", str(tmp_path / "r.jsonl")) == 1


def test_list_json_has_what_others_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json", "--case", ONE) == 0
    entry = json.loads(capsys.readouterr().out)
    assert {"case", "family", "opcode", "instruction", "parameters", "claim"} <= set(entry)
    assert entry["opcode"] == "cp.async.cg.shared.global"
    assert {"targets", "ptx", "section"} <= set(entry["claim"])
    assert "sm_121a" in entry["claim"]["targets"]


def test_show_prints_all_the_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", f"{ONE}@sm_90a") == 0
    printed = capsys.readouterr().out
    for part in (
        "// <- the instruction",
        "--- assembler on the armed kernel: accepted",
        "* LDGSTS",
        "--- cubin",
        "--- GPU",
    ):
        assert part in printed


def test_toolchains_lists_version_ptx_and_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("toolchains") == 0
    assert ".version 9." in capsys.readouterr().out


def test_a_bundle_is_packed_and_run_without_an_assembler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.bundle"
    assert run("bundle", "--arch", "sm_90a", "--case", FEW, "-o", str(path)) == 0
    monkeypatch.setattr("suite.toolchains.discover", lambda **_: pytest.fail("a bundle asks for no toolchain"))
    assert run("run", "--bundle", str(path), "--record", str(tmp_path / "r.jsonl")) == 0
    assert {cell.word for cell in read(tmp_path / "r.jsonl").cells} <= {"assembled", "correct"}


def test_a_bundle_needs_numpy_alone_where_there_is_no_gpu(tmp_path: Path) -> None:
    path = tmp_path / "b.bundle"
    assert run("bundle", "--arch", "sm_90a", "--case", FEW, "-o", str(path)) == 0
    lacking = ("platformdirs", "rich", "jinja2", "elftools", "jsonschema", "pandas", "tabulate", "matplotlib")
    code = f"import sys; sys.modules.update(dict.fromkeys({lacking}))"
    code += "; import suite.cli; sys.exit(suite.cli.main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "run", "--bundle", str(path), "--record", str(tmp_path / "r.jsonl")]
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "r.jsonl").complete


def test_ctrl_c_leaves_a_valid_record_of_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    heeding = ["env", "--default-signal=INT"]  # what is started in the background ignores it
    argv = [*heeding, sys.executable, "-m", "suite", "run", "--arch", "all", "--case", "mma_sync.*"]
    cold = {**os.environ, VARIABLE: "off"}  # or it is done before it can be interrupted
    child = subprocess.Popen(
        [*argv, "--record", str(path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=cold,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (path.exists() and b'"column"' in path.read_bytes()):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "interrupted" in error
    assert "Traceback" not in error
    record = read(path)
    assert not record.complete
    assert record.cells
