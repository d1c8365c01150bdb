"""Planted faults on a real GPU: each is its own case's, and every neighbour keeps its result."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from suite import arena, targets, toolchains
from suite.assemble import assemble_one
from suite.cubin import Cubin
from suite.errors import UsageError
from suite.gpu_device import Device, NoGpu, devices
from suite.launch import Canary, Gpu, GpuUnhealthy
from suite.model import GpuResult, Job
from suite.probe import Case
from suite.targets import Target
from suite.toolchains import Toolchain
from suite.verify import Finding, inputs, verify
from tests.gpu.planted import ALLOWED, BAD, GOOD, Planted

pytestmark = [pytest.mark.gpu, pytest.mark.xdist_group("gpu")]

CLOCK = 3.0  # seconds


@pytest.fixture(scope="module")
def device() -> Device:
    try:
        found = devices()[0]
    except NoGpu as reason:
        pytest.skip(f"planted faults not run: {reason}")
    if found.capability < (9, 0):
        pytest.skip(f"planted faults not run: {found.name} has no clusters and no tensor maps")
    return found


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return next(iter(toolchains.resolve(())))
    except UsageError as reason:
        pytest.skip(f"planted faults not run: {reason}")


@pytest.fixture(scope="module")
def modules(device: Device, toolchain: Toolchain) -> dict[str, bytes]:
    target = targets.native(device.capability)
    return {planted.name: cubin(planted, toolchain, target) for planted in (GOOD, *BAD, *ALLOWED)}


def cubin(planted: Planted, toolchain: Toolchain, target: Target) -> bytes:
    verdict = assemble_one(planted.kernel, toolchain, target, toolchain.ptx)
    assert verdict.accepted, verdict.diagnostics
    return patched(verdict.cubin, planted.name) if planted.patched else verdict.cubin


def patched(image: bytes, kernel: str) -> bytes:
    """Return a cubin whose kernel begins with an opcode of twelve ones, its predicate as it was."""
    code = bytearray(image)
    at = Cubin(image).place(kernel)
    code[at] = 0xFF
    code[at + 1] |= 0x0F
    return bytes(code)


def job(planted: Planted, case: Case, module: str = "") -> Job:
    return arena.job(case, inputs(case), module or planted.name, planted.name)


def finding(case: Case, launched: Job, result: GpuResult) -> Finding:
    return verify(case, launched, result, inputs(case))


@pytest.fixture(scope="module")
def canary(modules: dict[str, bytes]) -> Canary:
    case = GOOD.case(0)
    launched = job(GOOD, case, "canary")

    def fault(result: GpuResult) -> str:
        found = finding(case, launched, result)
        return "" if found.word == "correct" else f"{found.word}: {found.evidence}"

    return Canary(launched, modules["good"], fault)


@pytest.fixture(scope="module")
def gpu(device: Device, canary: Canary) -> Iterator[Gpu]:
    with Gpu(device.index, canary=canary, seconds=CLOCK) as opened:
        yield opened


@pytest.fixture(scope="module")
def findings(gpu: Gpu, modules: dict[str, bytes]) -> dict[str, list[tuple[GpuResult, Finding]]]:
    """Run every planted kernel twice in one run, each between good neighbours; return what was found of each."""
    row = [planted for once in range(2) for bad in (*BAD, *ALLOWED) for planted in (GOOD, bad)] + [GOOD]
    cases = [planted.case(number) for number, planted in enumerate(row)]
    jobs = [job(planted, case) for planted, case in zip(row, cases, strict=True)]
    found: dict[str, list[tuple[GpuResult, Finding]]] = {}
    for planted, case, launched, result in zip(row, cases, jobs, gpu.run(jobs, modules), strict=True):
        assert result.case == case.id
        found.setdefault(planted.name, []).append((result, finding(case, launched, result)))
    return found


@pytest.mark.parametrize("planted", [*BAD, *ALLOWED], ids=lambda planted: planted.name)
def test_a_planted_kernel_is_found_out(planted: Planted, findings: dict[str, list[tuple[GpuResult, Finding]]]) -> None:
    assert len(findings[planted.name]) == 2
    for result, found in findings[planted.name]:
        assert found.word == planted.word, found.evidence
        assert result.code in (planted.codes or ("",))
        assert planted.evidence in str(found.evidence)


def test_every_neighbour_keeps_its_result(findings: dict[str, list[tuple[GpuResult, Finding]]]) -> None:
    assert len(findings["good"]) == 2 * len((*BAD, *ALLOWED)) + 1
    for result, found in findings["good"]:
        assert (result.case, found.word) == (result.case, "correct"), found.evidence


def test_a_sick_gpu_is_told_from_a_bad_case(device: Device, canary: Canary, modules: dict[str, bytes]) -> None:
    complaints = iter(["", "made sick for this test"])
    sick = dataclasses.replace(canary, check=lambda result: canary.check(result) or next(complaints))
    trap = next(planted for planted in BAD if planted.name == "trap")
    jobs = [job(planted, planted.case(number)) for number, planted in enumerate((GOOD, trap, GOOD))]
    seen: list[str] = []
    with Gpu(device.index, canary=sick, seconds=CLOCK) as gpu, pytest.raises(GpuUnhealthy, match="made sick"):
        seen.extend(result.case for result in gpu.run(jobs, modules))
    assert seen == [jobs[0].case]


def test_a_child_killed_from_outside_costs_its_case_alone(
    device: Device, canary: Canary, modules: dict[str, bytes]
) -> None:
    row = [GOOD, next(planted for planted in BAD if planted.name == "endless"), GOOD]
    cases = [planted.case(number) for number, planted in enumerate(row)]
    jobs = [job(planted, case) for planted, case in zip(row, cases, strict=True)]
    with Gpu(device.index, canary=canary, seconds=4 * CLOCK) as opened:
        results = opened.run(jobs, modules)
        found = [next(results)]  # now the child runs, and has begun what does not end, or will at once
        threading.Timer(CLOCK / 2, os.kill, (opened._running()._process.pid, signal.SIGKILL)).start()
        found += results
    ends = [(result.outcome, result.code) for result in found]
    assert ends == [("ok", ""), ("faulted", "CHILD_DIED signal 9"), ("ok", "")]
    words = [finding(case, launched, result).word for case, launched, result in zip(cases, jobs, found, strict=True)]
    assert words == ["correct", "faulted", "correct"]


def test_code_for_another_chip_does_not_load(gpu: Gpu, device: Device, toolchain: Toolchain) -> None:
    other = next(t for t in targets.ALL if t.major not in (device.capability[0], 7) and t.name in toolchain.targets)
    plain = dataclasses.replace(GOOD, name="other_chip")
    verdict = assemble_one(plain.kernel, toolchain, other, toolchain.ptx)
    assert verdict.accepted, verdict.diagnostics
    (result,) = gpu.run([job(plain, plain.case(0))], {"other_chip": verdict.cubin})
    assert (result.outcome, result.stage, result.code) == ("unloadable", "load", "CUDA_ERROR_NO_BINARY_FOR_GPU")


def ptx(version: str, *kernels: Planted, spoilt: str = "") -> bytes:
    header = f".version {version}\n.target sm_90\n.address_size 64\n"
    return (header + "".join(planted.kernel.text for planted in kernels) + spoilt).encode()


def test_the_driver_compiles_ptx_text(gpu: Gpu) -> None:
    case = GOOD.case(7)
    launched = job(GOOD, case, "text")
    (result,) = gpu.run([launched], {"text": ptx("8.0", GOOD)})
    assert finding(case, launched, result).word == "correct"


def test_ptx_of_the_future_is_refused_for_every_kernel(gpu: Gpu) -> None:
    jobs = [job(planted, planted.case(8), "future") for planted in (GOOD, BAD[0])]
    for result in gpu.run(jobs, {"future": ptx("99.0", GOOD, BAD[0])}):
        assert result.outcome == "unloadable"
        assert result.code in ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_INVALID_PTX")


def test_ptx_that_the_driver_refuses_brings_its_log(gpu: Gpu) -> None:
    bad = dataclasses.replace(GOOD, name="misspelt", body="add.u31 %value, %value, 1;")
    (result,) = gpu.run([job(bad, bad.case(9))], {"misspelt": ptx("8.0", bad)})
    assert (result.outcome, result.code) == ("unloadable", "CUDA_ERROR_INVALID_PTX")
    assert ".u31" in result.detail


def test_a_refused_module_is_split(gpu: Gpu) -> None:
    bad = dataclasses.replace(GOOD, name="misspelt2", body="add.u31 %value, %value, 1;")
    parts = {planted.name: (f"part.{planted.name}", ptx("8.0", planted)) for planted in (GOOD, bad)}
    case = GOOD.case(10)
    jobs = [job(bad, bad.case(11), "both"), job(GOOD, case, "both")]
    refused, ran = gpu.run(jobs, {"both": ptx("8.0", GOOD, bad)}, lambda key: parts)
    assert (refused.outcome, refused.code) == ("unloadable", "CUDA_ERROR_INVALID_PTX")
    assert finding(case, jobs[1], ran).word == "correct"
