"""Batches of kernels: the verdict of each is the one it would get alone, whatever stands beside it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from suite import assemble as stage
from suite.assemble import assemble, assemble_one
from suite.assembler_process import AssemblerError
from suite.errors import UsageError
from suite.model import Kernel, Verdict
from suite.targets import parse
from tests.assemblers import BODIES, kernel, kernels, on_comment, real, script

TARGET = parse("sm_121a")
MIXED = kernels(*BODIES, "good", "syntax", "unknown", "good", "advised", "late", "good")


def said(verdict: Verdict) -> tuple[object, ...]:
    return verdict.accepted, verdict.diagnostics


def numbered(count: int, comment: str = "", at: int = -1) -> list[Kernel]:
    return [kernel(f"n{i}", f"{f'// {comment}' if i == at else ''}\nmov.b32 r0, {i};") for i in range(count)]


@pytest.mark.parametrize("name", ["ptxas", "nvjitlink"])
def test_batch_is_one_by_one(name: str) -> None:
    chosen = MIXED if name == "ptxas" else kernels(*BODIES)
    together = assemble(chosen, real(name), TARGET)
    assert list(together) == [one.name for one in chosen]
    alone = {one.name: assemble_one(one, real(name), TARGET) for one in chosen}
    assert {n: said(v) for n, v in together.items()} == {n: said(v) for n, v in alone.items()}
    for one in chosen:
        kind = BODIES[one.name.rpartition("_")[0]][1]
        assert together[one.name].accepted == (kind is None)
        assert kind is None or kind in {d.kind for d in together[one.name].diagnostics}


def test_line_is_relative_to_the_kernel() -> None:
    verdict = assemble(MIXED, real(), TARGET)["unknown_4"]
    lines = MIXED[4].text.splitlines()
    spoken = [lines[d.line].split()[0] for d in verdict.diagnostics if d.line is not None]
    assert list(dict.fromkeys(spoken)) == ["foo.bar", "add.zzz"]


def test_accepted_kernels_share_a_cubin_that_holds_them_and_no_other() -> None:
    chosen = kernels("good", "unknown", "good")
    verdicts = assemble(chosen, real(), TARGET)
    cubin = verdicts["good_0"].cubin
    assert cubin.startswith(b"\x7fELF")
    assert verdicts["good_2"].cubin is cubin
    assert verdicts["unknown_1"].cubin == b""
    assert b".text.good_2\0" in cubin
    assert b"unknown_1" not in cubin


def test_result_does_not_depend_on_workers_or_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    one = assemble(MIXED, real(), TARGET, workers=1)
    assert assemble(MIXED, real(), TARGET, workers=4) == one
    monkeypatch.setattr(stage, "BATCH", 3)
    assert {n: said(v) for n, v in assemble(MIXED, real(), TARGET).items()} == {n: said(v) for n, v in one.items()}


def test_every_kernel_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "BATCH", 4)
    steps: list[int] = []
    verdicts = assemble([*numbered(10), *numbered(3)], real(), TARGET, progress=steps.append)
    assert len(verdicts) == 10
    assert steps == [3, 3, 4], "modules of about one size, none larger than a batch"


def test_nothing_asked_is_nothing_answered() -> None:
    assert assemble([], real(), TARGET) == {}


def test_many_syntax_errors_in_one_batch() -> None:
    chosen = kernels(*(["syntax", "good"] * 40))
    verdicts = assemble(chosen, real(), TARGET)
    assert [verdicts[one.name].accepted for one in chosen] == [False, True] * 40
    assert len({id(v.cubin) for v in verdicts.values() if v.accepted}) == 1


def test_version_too_low_for_the_target_is_everyones_verdict() -> None:
    verdicts = assemble(kernels("good", "unknown"), real(), TARGET, (8, 6))
    assert {v.diagnostics[0].kind for v in verdicts.values()} == {"needs_newer_ptx"}
    assert not any(v.accepted for v in verdicts.values())
    assert "unknown_to_assembler" in {d.kind for d in verdicts["unknown_1"].diagnostics}
    assert all(v.accepted for v in assemble(kernels("good"), real(), TARGET, (8, 8)).values())


def test_target_that_the_toolchain_does_not_know() -> None:
    old = replace(real(), targets=frozenset({"sm_90"}))
    with pytest.raises(UsageError, match="does not know sm_121a"):
        assemble(kernels("good"), old, TARGET)


@pytest.mark.parametrize(
    ("action", "kind"), [("kill -SEGV $$", "crash"), ("exit 139", "crash"), ("sleep 30", "timeout")]
)
def test_culprit_is_found_and_its_neighbours_keep_their_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, kind: str
) -> None:
    monkeypatch.setattr(stage, "SECONDS_A_KERNEL", 0.0)
    fake = on_comment(tmp_path / "ptxas", "CULPRIT", action)
    chosen = [*numbered(6, "CULPRIT", at=4), *kernels("unknown", "syntax")]
    verdicts = assemble(chosen, fake, TARGET, seconds=1.0)
    assert [d.kind for d in verdicts["n4"].diagnostics] == [kind]
    del verdicts["n4"]
    honest = assemble([one for one in chosen if one.name != "n4"], real(), TARGET)
    assert {n: said(v) for n, v in verdicts.items()} == {n: said(v) for n, v in honest.items()}


def test_log_that_a_crash_cut_short_is_not_believed(tmp_path: Path) -> None:
    fake = on_comment(tmp_path / "ptxas", "CULPRIT", f'{real().path} "$@" 2>&1 | head -1; kill -SEGV $$')
    chosen = [*kernels("unknown", "mismatch"), *numbered(3, "CULPRIT", at=1)]
    verdicts = assemble(chosen, fake, TARGET)
    assert said(verdicts["unknown_0"]) == said(assemble_one(chosen[0], real(), TARGET))
    assert [name for name, verdict in verdicts.items() if verdict.accepted] == ["n0", "n2"]


def test_refusal_without_a_word_is_found_too(tmp_path: Path) -> None:
    fake = on_comment(tmp_path / "ptxas", "CULPRIT", "exit 255")
    verdicts = assemble(numbered(5, "CULPRIT", at=2), fake, TARGET)
    assert [name for name, verdict in verdicts.items() if not verdict.accepted] == ["n2"]
    assert [d.text for d in verdicts["n2"].diagnostics] == ["no cubin and no message: exit status 255"]


def test_success_without_a_cubin_is_no_success(tmp_path: Path) -> None:
    fake = on_comment(tmp_path / "ptxas", "CULPRIT", "exit 0")
    verdicts = assemble(numbered(3, "CULPRIT", at=0), fake, TARGET)
    assert [verdict.accepted for verdict in verdicts.values()] == [False, True, True]


def test_noise_for_any_module_is_no_kernels(tmp_path: Path) -> None:
    path = script(tmp_path / "ptxas", f'echo "ptxas info    : licence expires soon" >&2\nexec {real().path} "$@"')
    verdicts = assemble(MIXED, replace(real(), path=str(path)), TARGET)
    assert {n: said(v) for n, v in verdicts.items()} == {n: said(v) for n, v in assemble(MIXED, real(), TARGET).items()}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kill -SEGV $$", "signal 11"),
        ('echo "ptxas fatal   : no licence" >&2; exit 1', "no licence"),
        ("exit 0", "exit status 0"),
        ('echo "ptxas m.ptx, line 3; error   : the moon" >&2; exit 255', "refuses the header .*the moon"),
    ],
)
def test_assembler_that_assembles_nothing_is_to_blame_itself(tmp_path: Path, text: str, reason: str) -> None:
    broken = replace(real(), path=str(script(tmp_path / "ptxas", text)))
    with pytest.raises(AssemblerError, match=reason):
        assemble(numbered(3), broken, TARGET)


def test_assembler_that_is_gone_or_not_executable(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", script(tmp_path / "ptxas", "exit 0", mode=0o644)):
        with pytest.raises(AssemblerError, match="cannot be run"):
            assemble(numbered(1), replace(real(), path=str(path)), TARGET)


def test_time_out_leaves_no_process_behind(tmp_path: Path) -> None:
    child = tmp_path / "child"
    fake = on_comment(tmp_path / "ptxas", "CULPRIT", f"sleep 60 >/dev/null 2>&1 & echo $! > {child}; wait")
    verdict = assemble(numbered(1, "CULPRIT", at=0), fake, TARGET, seconds=1.0)["n0"]
    assert [d.kind for d in verdict.diagnostics] == ["timeout"]
    assert _gone(int(child.read_text()))


def _gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":  # dead, and not yet reaped by whoever inherited it
            return True
        time.sleep(0.02)
    return False


def test_verdict_speaks_of_the_target() -> None:
    toolchain = real()
    verdict = assemble_one(kernels("unsupported")[0], toolchain, TARGET)
    assert {d.kind for d in verdict.diagnostics} == {"unsupported_instruction", "unsupported_feature"}
    assert assemble_one(kernels("unsupported")[0], toolchain, parse("sm_100a")).accepted
