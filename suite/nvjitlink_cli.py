"""nvJitLink as a program with ptxas's contract: `python -m suite.nvjitlink_cli IN -o OUT --gpu-name sm_90a`.

The log goes to stderr, the cubin to OUT; the exit status is 255 where the library refuses the module, 2 where it cannot
be asked. A process of its own contains the library's crashes. `--targets NAME…` prints those names that
it takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

REFUSED = 255  # as ptxas
UNASKABLE = 2


def main(arguments: list[str] | None = None) -> int:
    """Assemble one PTX file, or list the targets that the library takes; return the exit status."""
    options = parse_arguments("nvjitlink", arguments)
    try:
        from cuda.bindings import nvjitlink

        nvjitlink.version()
    except (ImportError, RuntimeError) as error:  # pathfinder's "not found" is a RuntimeError
        print(f"nvjitlink fatal   : cannot be loaded: {' '.join(str(error).split())}", file=sys.stderr)
        return UNASKABLE
    if options.targets is not None:
        print(*(name for name in options.targets if _knows(nvjitlink, name)))
        return 0
    return _assemble(nvjitlink, Path(options.source).read_bytes(), Path(options.output), options.gpu_name)


def parse_arguments(program: str, arguments: list[str] | None) -> argparse.Namespace:
    """Return the options that the programs of both libraries share."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("source", nargs="?")
    parser.add_argument("-o", dest="output")
    parser.add_argument("--gpu-name")
    parser.add_argument("--targets", nargs="*")
    parser.add_argument("--ptx", default="8.0")
    options = parser.parse_args(arguments)
    if options.targets is None and None in (options.source, options.output, options.gpu_name):
        parser.error("a PTX file, -o and --gpu-name are needed")
    return options


def _knows(nvjitlink: Any, target: str) -> bool:
    try:
        handle = nvjitlink.create(1, [f"-arch={target}"])
    except nvjitlink.nvJitLinkError:  # unrecognized or unsupported arch
        return False
    nvjitlink.destroy(handle)
    return True


def _assemble(nvjitlink: Any, source: bytes, output: Path, target: str) -> int:
    try:
        handle = nvjitlink.create(1, [f"-arch={target}"])
    except nvjitlink.nvJitLinkError as error:
        print(f"nvjitlink fatal   : target '{target}': {error}", file=sys.stderr)
        return REFUSED
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, source, len(source), "module.ptx")
        nvjitlink.complete(handle)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
        output.write_bytes(cubin)
        status = 0
    except nvjitlink.nvJitLinkError:
        status = REFUSED
    sys.stderr.write(_log(nvjitlink, handle))
    nvjitlink.destroy(handle)
    return status


def _log(nvjitlink: Any, handle: int) -> str:
    text = ""
    for size, read in (
        (nvjitlink.get_error_log_size, nvjitlink.get_error_log),
        (nvjitlink.get_info_log_size, nvjitlink.get_info_log),
    ):
        log = bytearray(size(handle))
        if log:
            read(handle, log)
        text += bytes(log).rstrip(b"\0").decode(errors="replace")
    return text


if __name__ == "__main__":
    sys.exit(main())
