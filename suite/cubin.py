"""What a cubin's ELF structure says: its architecture, and each function's code, registers and calls.

Read with numpy tables instead of an ELF library, which takes longer over a module of a thousand kernels than the
disassembler does; tests hold the two against each other.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from suite.errors import DisassemblerError

# Source: ELF-64 object file format, 1.5.1, tables of the section header, symbol and relocation entries.
_SECTION = np.dtype("<u4, <u4, <u8, <u8, <u8, <u8, <u4, <u4, <u8, <u8")
_SECTION.names = ("name", "type", "flags", "addr", "offset", "size", "link", "info", "align", "entry")
_SYMBOL = np.dtype("<u4, u1, u1, <u2, <u8, <u8")
_SYMBOL.names = ("name", "info", "other", "section", "value", "size")
_SYMTAB, _RELA, _REL, _FUNCTION = 2, 4, 9, 2

_MACHINE = {190: "EM_CUDA"}
_CALL_OF_NOTHING = 0xFFFFFFFC  # from here on up .nv.callgraph's symbol indices are marks, not symbols
_SIZED, _REGISTER_COUNT = 0x04, 0x2F  # .nv.info: a record with a size; EIATTR_REGCOUNT

# ptxas marks its own routines with a number or the kernel, `$__internal_0_$NAME` or, until 12, `$KERNEL$NAME`.
_MARK = re.compile(r"^\$\w*\$")


@dataclass(frozen=True)
class Function:
    """A function of a cubin: its symbol's index, a hash of all the code that it runs, and the registers of a thread."""

    name: str
    index: int
    digest: str
    registers: int


class Cubin:
    """A cubin's tables. Raises `DisassemblerError` for bytes that are none."""

    def __init__(self, image: bytes) -> None:
        self._image = image
        try:
            self._read()
        except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
            raise DisassemblerError(f"{len(image)} bytes that are no cubin: {error}") from error

    @property
    def sm(self) -> int:
        """Return the architecture's number."""
        return architecture(self.flags, self.abi)

    @property
    def machine(self) -> str:
        """Return the ELF machine, EM_CUDA for a cubin."""
        return _MACHINE.get(self._machine, str(self._machine))

    def functions(self) -> dict[str, Function]:
        """Return the functions that have code of their own, by name."""
        registers = dict(self.registers())
        found = (n for n in self._text if n in self._indices)
        return {n: Function(n, self._indices[n], self._digest(n), registers.get(n, 0)) for n in found}

    def reached(self, names: Iterable[str]) -> list[str]:
        """Return the names with those of all functions in the cubin that they come to call."""
        found = list(dict.fromkeys(names))
        for name in found:  # which grows
            found += sorted(self.calls.get(name, frozenset()) - set(found))
        return [name for name in found if name in self._text]

    def code(self, name: str) -> bytes:
        """Return the code of a function and of all in the cubin that it comes to call."""
        return b"".join(self._data(self._text[reached]) for reached in self.reached([name]))

    def routines(self, name: str) -> frozenset[str]:
        """Return all routines that a function comes to call, wherever they are, in its own section too."""
        reached = self.reached([name])
        called = (self.calls.get(function, frozenset()) | self._within[self._text[function]] for function in reached)
        return frozenset().union(*called) - {*reached[:1]}

    @cached_property
    def _within(self) -> Mapping[int, frozenset[str]]:
        """The functions whose code lies in each section."""
        found: dict[int, set[str]] = defaultdict(set)
        for name, index in self._indices.items():
            found[int(self._symbols[index]["section"])].add(name)
        return {section: frozenset(names) for section, names in found.items()}

    @cached_property
    def calls(self) -> Mapping[str, frozenset[str]]:
        """The functions that each function calls, as the section .nv.callgraph of symbol pairs has it."""
        found: dict[str, set[str]] = {}
        for caller, callee in struct.iter_unpack("<II", self._section(".nv.callgraph")):
            if caller and callee < _CALL_OF_NOTHING:
                found.setdefault(self._symbol(caller), set()).add(self._symbol(callee))
        return {caller: frozenset(callees) for caller, callees in found.items()}

    def registers(self) -> Iterator[tuple[str, int]]:
        """Yield each function's name and its registers a thread."""
        data, at = self._section(".nv.info"), 0
        while at < len(data):
            form, attribute, size = struct.unpack_from("<BBH", data, at)
            at += 4
            if form != _SIZED:  # the value stands where the size would
                continue
            if attribute == _REGISTER_COUNT:
                symbol, count = struct.unpack_from("<II", data, at)
                yield self._symbol(symbol), count
            at += size

    def place(self, name: str) -> int:
        """Return where a function's code begins in the file."""
        return int(self._sections[self._text[name]]["offset"])

    def shared(self, name: str) -> int:
        """Return a kernel's static shared memory in bytes, 0 where it has none."""
        at = self._places.get(f".nv.shared.{name}")
        return int(self._sections[at]["size"]) if at is not None else 0

    def _read(self) -> None:
        image = self._image
        if image[:4] != b"\x7fELF":
            raise ValueError("Magic number does not match")
        (self._machine,) = struct.unpack_from("<H", image, 0x12)
        self.abi = image[8]
        (start,) = struct.unpack_from("<Q", image, 0x28)
        (self.flags,) = struct.unpack_from("<I", image, 0x30)
        count, names = struct.unpack_from("<HH", image, 0x3C)
        first = np.frombuffer(image, _SECTION, 1, start)[0]  # holds both where they need more than 16 bits
        count, names = count or int(first["size"]), int(first["link"]) if names == 0xFFFF else names
        self._sections = np.frombuffer(image, _SECTION, count, start)
        strings = self._data(names)
        self._places = {_string(strings, int(s["name"])): at for at, s in enumerate(self._sections)}
        self._text = {name[6:]: at for name, at in self._places.items() if name.startswith(".text.")}
        self._read_symbols()

    def _read_symbols(self) -> None:
        tables = [at for at, section in enumerate(self._sections) if section["type"] == _SYMTAB]
        if not tables:
            raise ValueError("no symbol table")
        self._symbols = np.frombuffer(self._data(tables[0]), _SYMBOL)
        self._strings = self._data(int(self._sections[tables[0]]["link"]))
        functions = np.flatnonzero((self._symbols["info"] & 0xF) == _FUNCTION)
        self._indices = {self._symbol(int(index)): int(index) for index in functions}

    @cached_property
    def _relocations(self) -> Mapping[int, tuple[Any, ...]]:
        """The relocations of each section: place, type, symbol and addend."""
        found: dict[int, tuple[Any, ...]] = {}
        for at, section in enumerate(self._sections):
            if section["type"] in (_RELA, _REL):
                layout = "<QQq" if section["type"] == _RELA else "<QQ"
                entries = struct.iter_unpack(layout, self._data(at))
                found[int(section["info"])] = tuple(
                    (place, info & 0xFFFFFFFF, self._symbol(info >> 32), *rest) for place, info, *rest in entries
                )
        return found

    def _digest(self, name: str) -> str:
        """Return a hash of a function's code and of all that it comes to call, the functions' names left out."""
        digest = hashlib.blake2b(digest_size=8)
        for function in self.reached([name]):
            section = self._text[function]
            digest.update(self._data(section))
            called = sorted(bare(callee) for callee in self.calls.get(function, ()))
            digest.update(repr((called, self._relocations.get(section, ()))).replace(name, "").encode())
        return digest.hexdigest()

    def _section(self, name: str) -> bytes:
        at = self._places.get(name)
        return self._data(at) if at is not None else b""

    def _data(self, at: int) -> bytes:
        section = self._sections[at]
        start, size = int(section["offset"]), int(section["size"])
        if start + size > len(self._image):
            raise ValueError(f"section {at} ends behind the file")
        return self._image[start : start + size]

    def _symbol(self, index: int) -> str:
        return _string(self._strings, int(self._symbols[index]["name"]))


def architecture(flags: int, abi: int) -> int:
    """Return the architecture's number. Source: cubins of ptxas 12.0.76 to 13.5.37, whose ABI went from 7 to 8."""
    return flags >> 8 & 0xFF if abi >= 8 else flags & 0xFF


def bare(routine: str) -> str:
    """Return a routine's name without the mark of the kernel that holds it."""
    return _MARK.sub("", routine)


def _string(strings: bytes, at: int) -> str:
    return strings[at : strings.index(b"\0", at)].decode()
