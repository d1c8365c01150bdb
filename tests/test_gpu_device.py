"""Why there is no GPU, in one line of its own kind."""

from __future__ import annotations

import ctypes
import json
import subprocess
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest

from suite import gpu_device
from suite.gpu_device import Device, DeviceRefused, DriverTooOld, NoDevice, NoDriver, NoGpu


class Code(IntEnum):
    """The names of errors that a driver may answer with."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_STUB_LIBRARY = 34
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_DEVICE = 101
    CUDA_ERROR_OPERATING_SYSTEM = 304
    CUDA_ERROR_NOT_PERMITTED = 800
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803
    CUDA_ERROR_ILLEGAL_STATE = 401


class FakeDriver:
    """A driver of a given version whose cuInit answers with a given code."""

    def __init__(self, code: Code, version: int) -> None:
        self._code, self._version = code, version

    def cuInit(self, flags: int) -> tuple[Any, ...]:
        return (self._code,)

    def cuDriverGetVersion(self) -> tuple[Any, ...]:
        return (Code.CUDA_SUCCESS, self._version)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    gpu_device._answer.cache_clear()
    yield
    gpu_device._answer.cache_clear()


def start(monkeypatch: pytest.MonkeyPatch, code: Code, version: int = 13000) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr(gpu_device, "_driver", lambda: FakeDriver(code, version))
    gpu_device.initialise()


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (Code.CUDA_ERROR_STUB_LIBRARY, NoDriver, "stub"),
        (Code.CUDA_ERROR_NO_DEVICE, NoDevice, "shows no CUDA device"),
        (Code.CUDA_ERROR_INVALID_DEVICE, NoDevice, "of that index"),
        (Code.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, DriverTooOld, "different versions"),
        (Code.CUDA_ERROR_DEVICE_UNAVAILABLE, DeviceRefused, "exclusively"),
        (Code.CUDA_ERROR_NOT_PERMITTED, DeviceRefused, "may not use"),
        (Code.CUDA_ERROR_OPERATING_SYSTEM, DeviceRefused, "denies access"),
        (Code.CUDA_ERROR_ILLEGAL_STATE, DeviceRefused, "the driver refuses"),
    ],
)
def test_an_error_of_the_driver_is_one_line_with_its_name(
    monkeypatch: pytest.MonkeyPatch, code: Code, kind: type[NoGpu], text: str
) -> None:
    with pytest.raises(kind) as caught:
        start(monkeypatch, code)
    assert text in str(caught.value)
    assert code.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hidden_device_is_traced_to_the_variable_that_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(NoDevice, match="CUDA_VISIBLE_DEVICES='7'"):
        start(monkeypatch, Code.CUDA_ERROR_NO_DEVICE)


def test_a_driver_just_below_the_oldest_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DriverTooOld, match=r"brings CUDA 11.99, ptxproof needs 12.0"):
        start(monkeypatch, Code.CUDA_SUCCESS, 11990)
    start(monkeypatch, Code.CUDA_SUCCESS, 12000)


def test_no_library_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    with pytest.raises(NoDriver, match=r"no NVIDIA driver on this machine \(libcuda.so.1 not found\)"):
        gpu_device.initialise()


def answering(monkeypatch: pytest.MonkeyPatch, answer: object) -> list[int]:
    """Let the asking process answer so; return a list that grows with every time it is started."""
    asked: list[int] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(1)
        return subprocess.CompletedProcess(argv, 0, json.dumps(answer), "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_devices_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"index": 0, "name": "X", "capability": [9, 0], "driver": "1.2.3", "cuda": "13.0", "memory": 7, "sms": 3}
    asked = answering(monkeypatch, {"devices": [facts]})
    expected = (Device(0, "X", (9, 0), "1.2.3", "13.0", 7, 3),)
    assert gpu_device.devices() == expected
    assert gpu_device.devices() == expected
    assert len(asked) == 1


@pytest.mark.parametrize("kind", [NoDriver, NoDevice, DriverTooOld, DeviceRefused])
def test_a_reason_crosses_the_process_border(monkeypatch: pytest.MonkeyPatch, kind: type[NoGpu]) -> None:
    answering(monkeypatch, {"refused": [kind.__name__, "the reason"]})
    for _ in range(2):
        with pytest.raises(kind, match=r"^the reason$"):
            gpu_device.devices()


def test_a_driver_that_does_not_answer_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(argv, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DeviceRefused, match="did not answer within"):
        gpu_device.devices()


def test_a_mistake_in_asking_is_no_reason() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_device, "command", lambda module: ["python3", "-c", "raise SystemExit('broken')"])
        with pytest.raises(RuntimeError, match="broken"):
            gpu_device.devices()


def test_this_machine_has_devices_or_a_reason() -> None:
    reason = ""
    found: tuple[Device, ...] = ()
    try:
        found = gpu_device.devices()
    except NoGpu as none:
        reason = str(none)
    assert bool(reason) != bool(found)
    assert "\n" not in reason
    assert all(device.capability >= (5, 0) and device.memory > 0 and device.sms > 0 for device in found)
