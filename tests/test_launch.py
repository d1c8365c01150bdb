"""The parent of the GPU child, against a child that fakes the GPU and speaks the real protocol."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite.gpu_device import DeviceRefused
from suite.launch import WINDOW, Canary, Gpu, GpuChildError, GpuUnhealthy
from suite.model import GpuResult, Job
from suite.modules import kernels_in

FAKE = Path(__file__).with_name("fake_gpu.py")
CLOCK = 3.0  # seconds; every good job of the fake child takes far less
MANY = "\n.entry a()\n.entry b()\n.entry c()\n"
ONE = "\n.entry a()\n"
MODULES = {
    "good": MANY.encode(),
    "one": f"refuse CUDA_ERROR_INVALID_IMAGE{ONE}".encode(),
    "many": f"refuse CUDA_ERROR_INVALID_IMAGE{MANY}".encode(),
    "other_target": f"refuse CUDA_ERROR_NO_BINARY_FOR_GPU{MANY}".encode(),
    "other_version": f"refuse CUDA_ERROR_UNSUPPORTED_PTX_VERSION{MANY}".encode(),
    "bad_kernel": f"refuse_kernel b{MANY}".encode(),
    "deadly_one": f"die{ONE}".encode(),
    "deadly": f"die{MANY}".encode(),
    "endless": f"hang{ONE}".encode(),
}


def make(case: str, kernel: str = "a", module: str = "good", image: bytes = b"image") -> Job:
    one = (1, 1, 1)
    return Job(case, module, kernel, one, one, one, 0, (), image, ())


CANARY = Canary(make("canary", "canary", "canary"), ONE.encode(), lambda r: "" if b"sick" not in r.arenas else "sick")

Start = Callable[..., Gpu]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "starts"


@pytest.fixture
def start(state: Path) -> Start:
    def begin(healthy: object = 99, *, canary: Canary | None = CANARY, load_seconds: float = 20.0) -> Gpu:
        child = [sys.executable, str(FAKE), str(state), str(healthy)]
        return Gpu(canary=canary, seconds=CLOCK, load_seconds=load_seconds, child=child)

    return begin


def starts(state: Path) -> int:
    return state.stat().st_size


def own(job: Job) -> tuple[bytes, ...]:
    return tuple(job.case.encode() + bytes([run]) + job.image for run in (0, 1))


def assert_good(job: Job, result: GpuResult) -> None:
    assert (result.case, result.outcome, result.stage, result.code) == (job.case, "ok", "done", "")
    assert result.arenas == own(job)


def summary(results: Iterator[GpuResult]) -> list[tuple[str, str, str, str]]:
    return [(r.case, r.outcome, r.stage, r.code) for r in results]


def test_a_good_run_starts_one_child_and_returns_results_in_order(start: Start, state: Path) -> None:
    jobs = [make(f"case{i}") for i in range(5 * WINDOW)]
    with start() as gpu:
        results = list(gpu.run(jobs, MODULES))
    assert len(results) == len(jobs)
    for job, result in zip(jobs, results, strict=True):
        assert_good(job, result)
    assert starts(state) == 1


@pytest.mark.parametrize(
    ("kernel", "expected", "restarts"),
    [
        ("hang", ("hung", "launch", "TIMEOUT"), 1),
        ("die", ("faulted", "launch", "CHILD_DIED signal 9"), 1),
        ("fault", ("faulted", "launch", "CUDA_ERROR_ILLEGAL_ADDRESS"), 1),
        ("refuse", ("faulted", "launch", "CUDA_ERROR_INVALID_VALUE"), 0),
        ("encode", ("faulted", "encode", "CUDA_ERROR_INVALID_VALUE"), 0),
    ],
)
@pytest.mark.parametrize("place", [0, 70, 139])
def test_a_fault_is_its_own_cases_and_the_neighbours_keep_their_results(
    start: Start, state: Path, kernel: str, expected: tuple[str, str, str], restarts: int, *, place: int
) -> None:
    jobs = [make(f"case{i}", kernel if i == place else "a") for i in range(140)]
    with start() as gpu:
        results = list(gpu.run(jobs, MODULES))
    assert len(results) == len(jobs)
    for i, (job, result) in enumerate(zip(jobs, results, strict=True)):
        if i == place:
            assert (result.case, result.outcome, result.stage, result.code) == (job.case, *expected)
            assert result.arenas == ()
        else:
            assert_good(job, result)
    assert starts(state) == 1 + restarts


def test_faults_in_a_row_are_told_apart(start: Start, state: Path) -> None:
    kernels = ["die", "fault", "hang", "a", "die", "die", "refuse", "fault"]
    with start() as gpu:
        results = list(gpu.run([make(kernel, kernel) for kernel in kernels], MODULES))
    assert [r.case for r in results] == kernels
    expected = ["faulted", "faulted", "hung", "ok", "faulted", "faulted", "faulted", "faulted"]
    assert [r.outcome for r in results] == expected
    assert starts(state) == 7  # every one but `a` and `refuse` cost a child


def test_two_jobs_of_one_case_are_told_apart(start: Start) -> None:
    jobs = [make("same"), make("same", "fault"), make("same")]
    with start() as gpu:
        assert [r.outcome for r in gpu.run(jobs, MODULES)] == ["ok", "faulted", "ok"]


def test_a_child_killed_from_outside_costs_only_the_job_it_had_begun(start: Start) -> None:
    jobs = [make("before"), make("killed", "hang"), make("after")]
    with start() as gpu:
        process = gpu._running()._process
        timer = threading.Timer(0.4, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        results = list(gpu.run(jobs, MODULES))
    assert summary(iter(results))[1] == ("killed", "faulted", "launch", "CHILD_DIED signal 9")
    assert_good(jobs[0], results[0])
    assert_good(jobs[2], results[2])


def test_a_job_within_its_clock_is_not_hung(start: Start, state: Path) -> None:
    with start() as gpu:
        results = list(gpu.run([make(f"case{i}", "slow") for i in range(5)], MODULES))
    assert [r.outcome for r in results] == ["ok"] * 5
    assert all(r.seconds >= 0.3 for r in results)
    assert starts(state) == 1


def test_the_clock_stands_still_while_the_caller_looks_at_a_result(start: Start, state: Path) -> None:
    with start() as gpu:
        results = []
        for result in gpu.run([make(f"case{i}", "slow") for i in range(2)], MODULES):
            results.append(result.outcome)
            time.sleep(1.2 * CLOCK)
    assert results == ["ok"] * 2
    assert starts(state) == 1


def test_ctrl_c_is_the_parents_business(start: Start, state: Path) -> None:
    with start() as gpu:
        os.kill(gpu._running()._process.pid, signal.SIGINT)
        assert [r.outcome for r in gpu.run([make("case")], MODULES)] == ["ok"]
    assert starts(state) == 1


def test_frames_larger_than_a_pipe_pass_both_ways(start: Start) -> None:
    jobs = [make(f"case{i}", image=bytes([i]) * 1_000_000) for i in range(24)]
    with start() as gpu:
        for job, result in zip(jobs, gpu.run(jobs, MODULES), strict=True):
            assert_good(job, result)


def test_a_sick_gpu_yields_neither_the_culprit_nor_anything_after_it(start: Start) -> None:
    seen: list[str] = []
    with start(1) as gpu, pytest.raises(GpuUnhealthy, match="canary failed in a fresh process: sick"):
        seen.extend(result.case for result in gpu.run([make("good"), make("bad", "fault"), make("next")], MODULES))
    assert seen == ["good"]


def test_without_restart_a_canary_is_asked_once(start: Start, state: Path) -> None:
    with start(1) as gpu:
        assert [r.outcome for r in gpu.run([make("good"), make("next")], MODULES)] == ["ok", "ok"]
    assert starts(state) == 1


def test_a_canary_that_faults_is_unhealthy_whatever_its_check_says(start: Start) -> None:
    canary = Canary(make("canary", "fault", "canary"), ONE.encode(), lambda result: "")
    with pytest.raises(GpuUnhealthy, match="faulted CUDA_ERROR_ILLEGAL_ADDRESS"), start(canary=canary):
        pass


def test_a_canary_that_hangs_is_unhealthy(start: Start) -> None:
    canary = Canary(make("canary", "hang", "canary"), ONE.encode(), lambda result: "")
    with pytest.raises(GpuUnhealthy, match="said nothing"), start(canary=canary, load_seconds=0.1):
        pass


@pytest.mark.parametrize(
    ("word", "error", "text"),
    [
        ("refused", DeviceRefused, "exclusively"),
        ("dead", GpuUnhealthy, "signal 9"),
        ("broken", GpuChildError, "exit 1"),
    ],
)
def test_a_child_that_cannot_start_says_why(start: Start, word: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text), start(word):
        pass


def test_children_that_die_between_jobs_blame_nobody_and_end_the_run(start: Start, state: Path) -> None:
    with start("silent", canary=None) as gpu, pytest.raises(GpuUnhealthy, match="between jobs"):
        list(gpu.run([make("case")], MODULES))
    assert starts(state) == 3


def test_a_child_that_dies_between_jobs_blames_nobody(start: Start, state: Path) -> None:
    jobs = [make("before"), make("last", "doom"), make("next"), make("after")]
    with start() as gpu:
        for job, result in zip(jobs, gpu.run(jobs, MODULES), strict=True):
            assert_good(job, result)
    assert starts(state) == 2


def test_a_mistake_of_ours_is_no_cell(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    with start() as gpu, pytest.raises(GpuChildError, match="exit 1"):
        seen.extend(r.case for r in gpu.run([make("good"), make("bad", "broken"), make("next")], MODULES))
    assert seen == ["good"]
    assert "RuntimeError: a mistake of ours" in capfd.readouterr().err


def test_a_module_of_one_kernel_that_does_not_load_is_unloadable(start: Start) -> None:
    with start() as gpu:
        results = summary(gpu.run([make("x", module="one"), make("y")], MODULES))
    assert results == [("x", "unloadable", "load", "CUDA_ERROR_INVALID_IMAGE"), ("y", "ok", "done", "")]


@pytest.mark.parametrize("module", ["other_target", "other_version"])
def test_a_refusal_of_the_target_holds_for_every_kernel(start: Start, module: str) -> None:
    def split(key: str) -> dict[str, tuple[str, bytes]]:
        raise AssertionError(f"{key} needs no split")

    with start() as gpu:
        results = list(gpu.run([make(k, k, module) for k in "abc"], MODULES, split))
    assert {(r.outcome, r.detail) for r in results} == {("unloadable", "loading the module")}


def test_a_refused_module_of_many_kernels_asks_for_a_split(start: Start) -> None:
    with start() as gpu:
        results = list(gpu.run([make(k, k, "many") for k in "abc"], MODULES))
    assert {(r.outcome, r.detail) for r in results} == {("unloadable", "split")}


def test_a_split_module_blames_its_one_bad_kernel_and_keeps_the_order(start: Start) -> None:
    asked = []

    def split(key: str) -> dict[str, tuple[str, bytes]]:
        asked.append(key)
        parts = {"a": ONE, "b": f"refuse CUDA_ERROR_INVALID_IMAGE{ONE}", "c": ONE}
        return {kernel: (f"{key}.{kernel}", text.encode()) for kernel, text in parts.items()}

    jobs = [make(f"{module}{k}{i}", k, module) for i in range(30) for module in ("good", "many") for k in "abc"]
    with start() as gpu:
        results = list(gpu.run(jobs, MODULES, split))
    assert asked == ["many"]
    assert [r.case for r in results] == [job.case for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        bad = job.module == "many" and job.kernel == "b"
        assert (result.outcome, result.detail) == (("unloadable", "loading the module") if bad else ("ok", ""))


def test_a_kernel_that_the_split_has_not_stays_split(start: Start) -> None:
    with start() as gpu:
        results = list(
            gpu.run([make("x", "a", "many"), make("y", "b", "many")], MODULES, lambda key: {"a": ("k", b"\n")})
        )
    assert [(r.outcome, r.detail) for r in results] == [("ok", ""), ("unloadable", "split")]


def test_a_part_is_not_split_again(start: Start) -> None:
    part = b"refuse CUDA_ERROR_INVALID_IMAGE\n"  # does not tell how many kernels it holds
    with start() as gpu:
        (result,) = gpu.run([make("x", "a", "many")], MODULES, lambda key: {"a": ("part", part)})
    assert (result.outcome, result.detail) == ("unloadable", "loading the module")


def test_a_refusal_of_one_kernel_leaves_its_module_in_use(start: Start) -> None:
    with start() as gpu:
        results = summary(gpu.run([make(k, k, "bad_kernel") for k in "abc"], MODULES))
    refused = ("b", "unloadable", "load", "CUDA_ERROR_INVALID_IMAGE")
    assert results == [("a", "ok", "done", ""), refused, ("c", "ok", "done", "")]


def test_a_module_that_kills_the_child_is_loaded_once(start: Start, state: Path) -> None:
    jobs = [make(f"x{i}", module="deadly_one") for i in range(100)] + [make("y")]
    with start() as gpu:
        results = summary(gpu.run(jobs, MODULES))
    assert {entry[1:] for entry in results[:100]} == {("unloadable", "load", "CHILD_DIED signal 9")}
    assert results[100][1] == "ok"
    assert starts(state) == 2


def test_a_deadly_module_of_many_kernels_is_split(start: Start, state: Path) -> None:
    def split(key: str) -> dict[str, tuple[str, bytes]]:
        return {"a": ("part_a", ONE.encode()), "b": ("part_b", f"die{ONE}".encode())}

    with start() as gpu:
        results = summary(gpu.run([make("x", "a", "deadly"), make("y", "b", "deadly"), make("z")], MODULES, split))
    assert [entry[1] for entry in results] == ["ok", "unloadable", "ok"]
    assert starts(state) == 3


def test_a_load_that_never_ends_is_unloadable(start: Start) -> None:
    with start(load_seconds=2.0) as gpu:
        results = summary(gpu.run([make("x", module="endless"), make("y")], MODULES))
    assert results == [("x", "unloadable", "load", "TIMEOUT"), ("y", "ok", "done", "")]


def test_a_run_left_half_way_leaves_no_answers_to_the_next(start: Start) -> None:
    with start() as gpu:
        first = gpu.run([make(f"first{i}") for i in range(3 * WINDOW)], MODULES)
        assert [r.case for r in itertools.islice(first, 2)] == ["first0", "first1"]
        first.close()  # type: ignore[attr-defined]
        assert [r.case for r in gpu.run([make("second")], MODULES)] == ["second"]


def test_jobs_are_taken_a_window_ahead(start: Start) -> None:
    taken = []

    def jobs() -> Iterator[Job]:
        for i in range(3 * WINDOW):
            taken.append(i)
            yield make(f"case{i}")

    with start() as gpu:
        results = gpu.run(jobs(), MODULES)
        next(results)
        assert len(taken) <= WINDOW + 1
        assert len(list(results)) == 3 * WINDOW - 1


def test_one_key_cannot_name_two_modules(start: Start) -> None:
    with start() as gpu:
        list(gpu.run([make("x")], MODULES))
        with pytest.raises(ValueError, match="two different modules"):
            list(gpu.run([make("y")], {"good": b"another"}))


def test_the_child_ends_with_the_block(start: Start) -> None:
    with start() as gpu:
        process = gpu._running()._process
        assert process.poll() is None
    assert process.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), (".visible .entry k()", 1), (" .entry a(\n.weak .entry b(", 2), ("// the .entry\n.func f()", 0)],
)
def test_kernels_are_counted_in_ptx_text(text: str, count: int) -> None:
    assert kernels_in(text.encode()) == count


def elf(*sections: str) -> bytes:
    """Return the least ELF file that names these sections, its name table last."""
    names, strings = [], b"\0"
    for section in (*sections, ".shstrtab"):
        names.append(len(strings))
        strings += section.encode() + b"\0"
    place = (0).to_bytes(8, "little")
    entries = [name.to_bytes(4, "little") + bytes(20) + place * 5 for name in names]
    table = 64 + len(strings)
    entries[-1] = entries[-1][:24] + (64).to_bytes(8, "little") + len(strings).to_bytes(8, "little") + bytes(24)
    counts = b"".join(n.to_bytes(2, "little") for n in (64, len(names), len(names) - 1))
    header = b"\x7fELF" + bytes(36) + table.to_bytes(8, "little") + bytes(10) + counts
    return header + strings + b"".join(entries)


@pytest.mark.parametrize(
    ("sections", "count"),
    [
        ((".text.a",), 1),
        ((".text.a", ".nv.info.a", ".rela.text.a", ".text.b", ".textual"), 2),
        ((".nv.info",), 0),
    ],
)
def test_kernels_are_counted_in_a_cubin(sections: tuple[str, ...], count: int) -> None:
    assert kernels_in(elf(*sections)) == count
