"""The driver's JIT as a program with ptxas's contract: `python -m suite.driver_jit_cli IN -o OUT --gpu-name sm_90a`.

The log goes to stderr, the cubin to OUT; the exit status is 255 where the driver refuses the module, 2 where it cannot
be asked (no libcuda, no GPU). `--targets NAME… --ptx X.Y` prints those names that it takes. Source: CUDA driver API,
module management, cuLinkCreate.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import gpu_device
from suite.nvjitlink_cli import REFUSED, UNASKABLE, parse_arguments
from suite.render import header

LOG_BYTES = 4 << 20


@dataclass(frozen=True)
class Linked:
    """What the driver made of one module: cubin (empty where refused), its log, and its name for the result."""

    cubin: bytes
    log: str
    result: str


def main(arguments: list[str] | None = None) -> int:
    """Assemble one PTX file, or list the driver's targets; return the exit status."""
    options = parse_arguments("driver", arguments)
    try:
        gpu_device.initialise()
        gpu_device.take(0)  # cuLinkCreate needs a context
    except gpu_device.NoGpu as error:
        print(f"driver fatal   : {error}", file=sys.stderr)
        return UNASKABLE
    from cuda.bindings import driver

    if options.targets is not None:
        print(*(name for name in options.targets if _knows(driver, name, options.ptx)))
        return 0
    linked = _link(driver, Path(options.source).read_text(), options.gpu_name)
    sys.stderr.write(linked.log)
    if not linked.cubin:
        sys.stderr.write("" if linked.log else f"driver fatal   : refused: {linked.result}\n")
        return REFUSED
    Path(options.output).write_bytes(linked.cubin)
    return 0


def _knows(driver: Any, target: str, ptx: str) -> bool:
    major, minor = ptx.split(".")
    return bool(_link(driver, header(target, (int(major), int(minor))), target).cubin)


def _link(driver: Any, text: str, target: str) -> Linked:
    wanted = getattr(driver.CUjit_target, f"CU_TARGET_COMPUTE_{target.removeprefix('sm_').upper()}", None)
    if wanted is None:
        return Linked(b"", "", f"target '{target}' is not defined")
    errors, infos = bytearray(LOG_BYTES), bytearray(LOG_BYTES)
    option = driver.CUjit_option
    options = {
        option.CU_JIT_TARGET: wanted,
        option.CU_JIT_ERROR_LOG_BUFFER: errors,
        option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: LOG_BYTES,
        option.CU_JIT_INFO_LOG_BUFFER: infos,
        option.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES: LOG_BYTES,
    }
    code, state = driver.cuLinkCreate(len(options), list(options), list(options.values()))
    if code:
        return Linked(b"", "", code.name)
    cubin, result = _complete(driver, state, text)
    driver.cuLinkDestroy(state)
    return Linked(cubin, _text(errors) + _text(infos), result)


def _complete(driver: Any, state: Any, text: str) -> tuple[bytes, str]:
    source = text.encode() + b"\0"
    (code,) = driver.cuLinkAddData(
        state, driver.CUjitInputType.CU_JIT_INPUT_PTX, source, len(source), b"module.ptx", 0, [], []
    )
    if code:
        return b"", code.name
    code, address, size = driver.cuLinkComplete(state)
    return (b"", code.name) if code else (ctypes.string_at(int(address), int(size)), "")


def _text(log: bytearray) -> str:
    text = bytes(log).split(b"\0", 1)[0].decode(errors="replace")
    return f"{text.rstrip()}\n" if text.strip() else ""


if __name__ == "__main__":
    sys.exit(main())
