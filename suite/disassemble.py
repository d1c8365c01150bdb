"""Stage 4, disassemble: Cubin -> Sass. Reads kernels' machine code with nvdisasm, and a cubin's header.

A whole function is read for people; where only its opcodes count, each distinct instruction word is read once.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from suite.cubin import Cubin, bare
from suite.errors import DisassemblerError, IllegalInstructionError, UsageError
from suite.model import Sass
from suite.opcodes import UNDECODED
from suite.places import candidates

SECONDS = 120.0  # nvdisasm takes 0.4 s, and 2 ms a kernel; for raw words 0.2 s, and 15 us a word

WORD = 16  # bytes of an instruction. Source: CUDA Binary Utilities, instruction sets of Volta and newer

_INSTALL = "install the PyPI package nvidia-cuda-nvdisasm, or set CUDA_HOME"
_RELEASE = re.compile(r"\bV(\d+)\.(\d+)\.(\d+)")

# Predicates that are never true: ptxas pads with instructions under them, which do as much as a NOP.
_NEVER = ("@!PT", "@!UPT")

# What nvdisasm says of words that are no instruction of the architecture.
_ILLEGAL = re.compile(r"Illegal instruction|Unrecognized operation")

_Code = list[dict[str, Any]]  # instructions as nvdisasm -json prints them


def disassemble(cubin: bytes, names: Iterable[str] = ()) -> dict[str, Sass]:
    """Return the machine code of every function in a cubin, by name, or of those named and what they come to call.

    A function's code has that of the routines in the cubin that it calls. NOPs are left out, and what stands under a
    predicate that is never true. Calls are those that the code names and those that the cubin's call graph holds, whose
    target the code takes from a table. Raises `UsageError` where there is no nvdisasm, `DisassemblerError` where it
    fails or the bytes are no cubin.
    """
    image = Cubin(cubin)
    known = image.functions()
    wanted = [known[name].index for name in image.reached(names) if name in known]
    listed = _listed(cubin, *(["-fun", ",".join(map(str, wanted))] if wanted else []))
    functions = {function["function-name"]: function["sass-instructions"] for function in listed}
    callees = {name: _named(code) | image.calls.get(name, frozenset()) for name, code in functions.items()}
    return {name: _sass(_reached(name, callees), functions, callees) for name in functions}


def opcodes(words: Sequence[bytes], sm: int) -> list[str | None]:
    """Return the opcode of each instruction word of an architecture, empty for padding, None for what it has not.

    `words` are `WORD` bytes each. Raises `UsageError` where there is no nvdisasm, `DisassemblerError` where it fails.
    """
    if not words:
        return []
    try:
        return [_opcode(one) for one in _raw(words, sm)]
    except IllegalInstructionError:
        if len(words) == 1:
            return [None]
        middle = len(words) // 2
        return opcodes(words[:middle], sm) + opcodes(words[middle:], sm)


def cubin_header(cubin: bytes) -> dict[str, Any]:
    """Return what the cubin's ELF header and attributes say.

    `machine`, `flags` (hexadecimal), `abi` and `sm` (the number of the architecture); `kernels` has the registers of
    a thread and the static shared memory in bytes, by function; from sm_90 on the latter has 1024 bytes that the system
    reserves.
    """
    image = Cubin(cubin)
    facts = {"machine": image.machine, "flags": f"{image.flags:#x}", "abi": image.abi, "sm": image.sm}
    resources = {name: {"registers": count, "shared": image.shared(name)} for name, count in image.registers()}
    return {**facts, "kernels": resources}


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


def _raw(words: Sequence[bytes], sm: int) -> _Code:
    """Return the instructions of bare words, in order."""
    found = [one for function in _listed(b"".join(words), "-b", f"SM{sm}") for one in function["sass-instructions"]]
    if len(found) != len(words):
        raise DisassemblerError(f"{nvdisasm()} -json printed {len(found)} instructions for {len(words)}; {_INSTALL}")
    return found


def _listed(image: bytes, *options: str) -> list[dict[str, Any]]:
    """Return the functions that nvdisasm prints of a file. Raises `IllegalInstructionError` for words that are none."""
    program = nvdisasm()
    with tempfile.TemporaryDirectory(prefix="ptxproof-") as folder:
        file = Path(folder, "module.cubin")
        file.write_bytes(image)
        try:
            done = subprocess.run([program, "-json", *options, file], capture_output=True, timeout=SECONDS, check=True)
            _, functions = json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            said = " ".join(error.stderr.decode(errors="replace").split())
            kind = IllegalInstructionError if _ILLEGAL.search(said) else DisassemblerError
            raise kind(f"{program} failed on a cubin: {said or error.returncode}") from error
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
    told = [(opcode, _line(one)) for one in code if (opcode := _opcode(one))]
    calls = sorted({bare(callee) for name in names for callee in callees[name]})
    return Sass(tuple(told), tuple(calls))


def _opcode(one: dict[str, Any]) -> str:
    """Return an instruction's opcode, empty for padding."""
    if one["opcode"] == "NOP" or one.get("predicate") in _NEVER:
        return ""
    return one["opcode"] or UNDECODED


def _named(code: _Code) -> frozenset[str]:
    """Return the symbols that the code's calls name."""
    operands = (one["operands"] for one in code if one["opcode"].startswith("CALL"))
    return frozenset(operand for operand in operands if _is_symbol(operand))


def _line(one: dict[str, Any]) -> str:
    return " ".join(filter(None, (one.get("predicate"), one["opcode"] or UNDECODED, one.get("operands"))))


def _is_symbol(operand: str) -> bool:
    return not re.match(r"U?R(?:\d+|Z)\b|0x|c\[", operand)
