"""Stage 4, disassemble: Cubin -> Sass. Reads kernels' machine code with nvdisasm, and a cubin's header."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from suite.errors import UsageError
from suite.model import Sass
from suite.places import candidates

SECONDS = 120.0  # nvdisasm takes 0.3 s, and 1 ms a kernel

_INSTALL = "install the PyPI package nvidia-cuda-nvdisasm, or set CUDA_HOME"
_RELEASE = re.compile(r"\bV(\d+)\.(\d+)\.(\d+)")

# Predicates that are never true: ptxas pads with instructions under them, which do as much as a NOP.
_NEVER = ("@!PT", "@!UPT")

# ptxas marks its own routines with a number or the kernel, `$__internal_0_$NAME` or, until 12, `$KERNEL$NAME`.
_MARK = re.compile(r"^\$\w*\$")

_CALL_OF_NOTHING = 0xFFFFFFFC  # from here on up .nv.callgraph's symbol indices are marks, not symbols
_SIZED, _REGISTER_COUNT = 0x04, 0x2F  # .nv.info: a record with a size; EIATTR_REGCOUNT


_Code = list[dict[str, Any]]  # instructions as nvdisasm -json prints them


class DisassemblerError(Exception):
    """An nvdisasm that does not read a cubin; never a result."""


def disassemble(cubin: bytes) -> dict[str, Sass]:
    """Return the machine code of every function in a cubin, by name; kernels among them.

    A function's code has that of the routines in the cubin that it calls. NOPs are left out, and what stands under a
    predicate that is never true. Calls are those that the code names and those that the cubin's call graph holds, whose
    target the code takes from a table. Raises `UsageError` where there is no nvdisasm, `DisassemblerError` where it
    fails or the bytes are no cubin.
    """
    calls = _call_graph(cubin)
    functions = {function["function-name"]: function["sass-instructions"] for function in _json(cubin)}
    callees = {name: _named(code) | calls.get(name, frozenset()) for name, code in functions.items()}
    return {name: _sass(_reached(name, callees), functions, callees) for name in functions}


def cubin_header(cubin: bytes) -> dict[str, Any]:
    """Return what the cubin's ELF header and attributes say.

    `machine`, `flags` (hexadecimal), `abi` and `sm` (the number of the architecture); `kernels` has the registers of
    a thread and the static shared memory in bytes, by function; from sm_90 on the latter has 1024 bytes that the system
    reserves.
    """
    with _opened(cubin) as elf:
        flags, abi = elf["e_flags"], elf["e_ident"]["EI_ABIVERSION"]
        facts = {"machine": elf["e_machine"], "flags": f"{flags:#x}", "abi": abi, "sm": _sm(flags, abi)}
        return {**facts, "kernels": {name: _resources(elf, name, count) for name, count in _registers(elf)}}


@cache
def nvdisasm() -> str:
    """Return the path of the newest nvdisasm, which reads all older cubins. Raises `UsageError` where there is none."""
    found = [(release, str(path)) for path, _ in candidates("nvdisasm") if (release := _release(path))]
    if not found:
        raise UsageError(f"no nvdisasm that runs on PATH, in CUDA_HOME or site-packages: {_INSTALL}")
    return max(found)[1]


def _release(path: Path) -> tuple[int, ...] | None:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):  # broken: another may do
        return None
    match = _RELEASE.search(done.stdout)
    return tuple(map(int, match.groups())) if match else None


def _json(cubin: bytes) -> list[dict[str, Any]]:
    program = nvdisasm()
    with tempfile.TemporaryDirectory(prefix="ptxproof-") as folder:
        file = Path(folder, "module.cubin")
        file.write_bytes(cubin)
        try:
            done = subprocess.run([program, "-json", file], capture_output=True, timeout=SECONDS, check=True)
            _, functions = json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            said = " ".join(error.stderr.decode(errors="replace").split())
            raise DisassemblerError(f"{program} failed on a cubin: {said or error.returncode}") from error
        except subprocess.TimeoutExpired as error:
            raise DisassemblerError(f"{program} did not end within {SECONDS:g} s") from error
        except ValueError as error:
            raise DisassemblerError(f"{program} -json printed no JSON that ptxproof knows; {_INSTALL}") from error
    return list(functions)


def _reached(name: str, callees: dict[str, frozenset[str]]) -> list[str]:
    """Return the function and the routines that it comes to call, of those that nvdisasm lists.

    Until 13.2, nvdisasm lists a routine within a kernel's section by itself, later as part of the kernel; nvJitLink
    gives it a section of its own.
    """
    found = [name]
    for function in found:  # which grows
        found += sorted(callee for callee in callees[function] if callee in callees and callee not in found)
    return found


def _sass(names: list[str], functions: dict[str, _Code], callees: dict[str, frozenset[str]]) -> Sass:
    code = [one for name in names for one in functions[name]]
    real = [one for one in code if one["opcode"] != "NOP" and one.get("predicate") not in _NEVER]
    calls = sorted({_MARK.sub("", callee) for name in names for callee in callees[name]})
    return Sass(tuple((one["opcode"], _line(one)) for one in real), tuple(calls))


def _named(code: _Code) -> frozenset[str]:
    """Return the symbols that the code's calls name."""
    operands = (one["operands"] for one in code if one["opcode"].startswith("CALL"))
    return frozenset(operand for operand in operands if _is_symbol(operand))


def _line(one: dict[str, Any]) -> str:
    return " ".join(filter(None, (one.get("predicate"), one["opcode"], one.get("operands"))))


def _is_symbol(operand: str) -> bool:
    return not re.match(r"U?R(?:\d+|Z)\b|0x|c\[", operand)


def _call_graph(cubin: bytes) -> dict[str, frozenset[str]]:
    """Return the functions that each function calls, as the section .nv.callgraph of symbol pairs has it."""
    calls: dict[str, set[str]] = {}
    with _opened(cubin) as elf:
        pairs, symbols = _section(elf, ".nv.callgraph"), _Symbols(elf)
        for caller, callee in struct.iter_unpack("<II", pairs):
            if caller and callee < _CALL_OF_NOTHING:
                calls.setdefault(symbols[caller], set()).add(symbols[callee])
    return {caller: frozenset(callees) for caller, callees in calls.items()}


def _sm(flags: int, abi: int) -> int:
    """Return the architecture's number. Source: cubins of ptxas 12.0.76 to 13.5.37, whose ABI went from 7 to 8."""
    return flags >> 8 & 0xFF if abi >= 8 else flags & 0xFF


def _registers(elf: Any) -> Iterator[tuple[str, int]]:
    data, symbols, at = _section(elf, ".nv.info"), _Symbols(elf), 0
    while at < len(data):
        form, attribute, size = struct.unpack_from("<BBH", data, at)
        at += 4
        if form != _SIZED:  # the value stands where the size would
            continue
        if attribute == _REGISTER_COUNT:
            symbol, count = struct.unpack_from("<II", data, at)
            yield symbols[symbol], count
        at += size


@contextmanager
def _opened(cubin: bytes) -> Iterator[Any]:
    from elftools.common.exceptions import ELFError  # not where bundles run, which are disassembled already
    from elftools.elf.elffile import ELFFile

    with io.BytesIO(cubin) as stream:
        try:
            elf = ELFFile(stream)
        except ELFError as error:
            raise DisassemblerError(f"{len(cubin)} bytes that are no cubin: {error}") from error
        yield elf


def _section(elf: Any, name: str) -> bytes:
    section = elf.get_section_by_name(name)
    return bytes(section.data()) if section else b""


class _Symbols:
    """The names of a cubin's symbols by index."""

    def __init__(self, elf: Any) -> None:
        self._table = elf.get_section_by_name(".symtab")

    def __getitem__(self, index: int) -> str:
        return str(self._table.get_symbol(index).name)


def _resources(elf: Any, name: str, registers: int) -> dict[str, int]:
    section = elf.get_section_by_name(f".nv.shared.{name}")
    return {"registers": registers, "shared": section["sh_size"] if section else 0}
