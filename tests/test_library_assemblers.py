"""The libraries as programs with ptxas's contract; the driver's against a fake of its API."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from suite import driver_jit_cli, gpu_device, nvjitlink_cli
from suite.render import header
from tests.assemblers import kernels

LOG = b"ptxas application ptx input, line 6; error   : Unknown modifier '.bar'\n"


class _Names(IntEnum):
    CU_JIT_TARGET = 1
    CU_JIT_ERROR_LOG_BUFFER = 2
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 3
    CU_JIT_INFO_LOG_BUFFER = 4
    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 5
    CU_JIT_INPUT_PTX = 6
    CU_TARGET_COMPUTE_90A = 7


class _Code(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_PTX = 218
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222


class FakeDriver(ModuleType):
    """The four calls of the driver's linker: takes any text but one with `foo` in it, or a `.version` of 99.9."""

    CUjit_option = CUjit_target = CUjitInputType = _Names

    def __init__(self) -> None:
        super().__init__("driver")
        self.options: dict[_Names, Any] = {}
        self.image = ctypes.create_string_buffer(b"\x7fELF made by the driver", 23)
        self.destroyed = 0

    def cuLinkCreate(self, count: int, options: list[_Names], values: list[Any]) -> tuple[_Code, str]:
        assert count == len(options) == len(values)
        self.options = dict(zip(options, values, strict=True))
        return _Code.CUDA_SUCCESS, "state"

    def cuLinkAddData(self, state: str, kind: _Names, data: bytes, size: int, *rest: Any) -> tuple[_Code]:
        assert (state, kind, size) == ("state", _Names.CU_JIT_INPUT_PTX, len(data))
        assert data.endswith(b"\0")
        assert rest == (b"module.ptx", 0, [], [])
        if b"foo" in data:
            self.options[_Names.CU_JIT_ERROR_LOG_BUFFER][: len(LOG)] = LOG
            return (_Code.CUDA_ERROR_INVALID_PTX,)
        return (_Code.CUDA_ERROR_UNSUPPORTED_PTX_VERSION if b"99.9" in data else _Code.CUDA_SUCCESS,)

    def cuLinkComplete(self, state: str) -> tuple[_Code, int, int]:
        return _Code.CUDA_SUCCESS, ctypes.addressof(self.image), len(self.image)

    def cuLinkDestroy(self, state: str) -> tuple[_Code]:
        self.destroyed += 1
        return (_Code.CUDA_SUCCESS,)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    bindings = ModuleType("cuda.bindings")
    monkeypatch.setattr(bindings, "driver", fake, raising=False)
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    monkeypatch.setattr(gpu_device, "initialise", lambda: None)
    monkeypatch.setattr(gpu_device, "take", lambda index: None)
    return fake


def arguments(folder: Path, text: str, target: str = "sm_90a") -> list[str]:
    (folder / "module.ptx").write_text(text)
    return [str(folder / "module.ptx"), "-o", str(folder / "module.cubin"), "--gpu-name", target]


def test_driver_writes_its_cubin(driver: FakeDriver, tmp_path: Path) -> None:
    assert driver_jit_cli.main(arguments(tmp_path, header("sm_90a", (9, 0)))) == 0
    assert (tmp_path / "module.cubin").read_bytes() == driver.image.raw
    assert driver.options[_Names.CU_JIT_TARGET] is _Names.CU_TARGET_COMPUTE_90A
    assert driver.destroyed == 1


def test_driver_prints_its_log(driver: FakeDriver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert driver_jit_cli.main(arguments(tmp_path, "foo")) == 255
    assert capsys.readouterr().err == LOG.decode()
    assert not (tmp_path / "module.cubin").exists()
    assert driver.destroyed == 1


def test_driver_without_a_log_prints_its_code(
    driver: FakeDriver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver_jit_cli.main(arguments(tmp_path, header("sm_90a", (99, 9)))) == 255
    assert capsys.readouterr().err == "driver fatal   : refused: CUDA_ERROR_UNSUPPORTED_PTX_VERSION\n"


@pytest.mark.usefixtures("driver")
def test_driver_names_the_targets_that_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert driver_jit_cli.main(["--targets", "sm_90a", "sm_121a", "--ptx", "9.0"]) == 0
    assert capsys.readouterr().out.split() == ["sm_90a"]


def test_no_driver_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> None:
        raise gpu_device.NoDriver("no NVIDIA driver on this machine (libcuda.so.1 not found)")

    monkeypatch.setattr(gpu_device, "initialise", none)
    assert driver_jit_cli.main(arguments(tmp_path, "")) == 2
    assert capsys.readouterr().err == "driver fatal   : no NVIDIA driver on this machine (libcuda.so.1 not found)\n"


def nvjitlink(*given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite.nvjitlink_cli", *given]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_nvjitlink_writes_its_cubin(tmp_path: Path) -> None:
    text = header("sm_90a", (9, 0)) + kernels("good")[0].text
    done = nvjitlink(*arguments(tmp_path, text))
    assert (done.returncode, done.stderr) == (0, "")
    assert b".text.good_0\0" in (tmp_path / "module.cubin").read_bytes()


def test_nvjitlink_prints_its_log(tmp_path: Path) -> None:
    done = nvjitlink(*arguments(tmp_path, header("sm_90a", (9, 0)) + kernels("unknown")[0].text))
    assert done.returncode == 255
    assert "Not a name of any known instruction: 'foo'" in done.stderr
    assert not (tmp_path / "module.cubin").exists()


def test_nvjitlink_names_a_target_that_it_does_not_know(tmp_path: Path) -> None:
    done = nvjitlink(*arguments(tmp_path, "", "sm_20"))
    assert done.returncode == 255
    assert done.stderr.startswith("nvjitlink fatal   : target 'sm_20'")
    assert nvjitlink("--targets", "sm_20", "sm_90a").stdout.split() == ["sm_90a"]


def test_nvjitlink_that_is_not_installed_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", ModuleType("cuda.bindings"))
    assert nvjitlink_cli.main(arguments(tmp_path, "")) == 2
    said = capsys.readouterr().err
    assert said.startswith("nvjitlink fatal   : cannot be loaded: ")
    assert said.count("\n") == 1
