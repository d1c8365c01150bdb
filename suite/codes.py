"""Machine code already read: each distinct code is disassembled once, whatever kernel, target or toolchain it is from.

Targets of one chip (sm_100, sm_100a, sm_100f) mostly get the same bytes for the same kernel, and so do neighbouring
releases of ptxas. What nvdisasm prints depends on those bytes, the calls, and the architecture's number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from suite.cubin import Cubin
from suite.disassemble import disassemble, nvdisasm
from suite.model import Code, Sass
from suite.store import Store, code_seal, file_seal, folder, store

_open: dict[tuple[str, tuple[str, ...]], Codes] = {}
_opening = Lock()

_READERS = ("cubin.py", "disassemble.py", "codes.py")


@dataclass
class Codes:
    """The codes of one architecture as one nvdisasm reads them; `fresh` are those not yet kept."""

    kept: Store
    fresh: dict[str, str] = field(default_factory=dict)

    def find(self, digest: str) -> Mapping[str, Any] | None:
        """Return the opcodes and calls of a code, None if it is new."""
        text = self.fresh.get(digest) or self.kept.rows.get(digest)
        return json.loads(text) if text else None

    def add(self, digest: str, sass: Sass) -> Mapping[str, Any]:
        """Add what was disassembled."""
        data = {"opcodes": dict(Counter(opcode for opcode, _ in sass.instructions)), "calls": sass.calls}
        self.fresh[digest] = json.dumps(data, separators=(",", ":"))
        return data

    def flush(self) -> None:
        """Keep what is fresh."""
        fresh = dict(self.fresh)
        self.kept.keep(fresh)
        for digest in fresh:
            del self.fresh[digest]


def read(cubin: bytes, names: Collection[str]) -> dict[str, Code]:
    """Return the code of the functions named; only what is new is disassembled.

    Raises `DisassemblerError` where nvdisasm fails or the bytes are no cubin, `UsageError` where there is no nvdisasm.
    """
    image = Cubin(cubin)
    functions = {name: function for name, function in image.functions().items() if name in names}
    codes = of(image.sm)
    found = {name: codes.find(function.digest) for name, function in functions.items()}
    new = [name for name, data in found.items() if data is None]
    if new:
        sass = disassemble(cubin, new)
        found |= {name: codes.add(functions[name].digest, sass[name]) for name in new}
    return {name: code(functions[name].digest, functions[name].registers, found[name] or {}) for name in functions}


def of(sm: int) -> Codes:
    """Return the codes of an architecture number, read once from each cache folder."""
    names = ("codes", _version(), file_seal(nvdisasm()), f"sm_{sm}")
    where = (str(folder()), names)
    with _opening:
        if where not in _open:
            _open[where] = Codes(store(*names))
    return _open[where]


def code(digest: str, registers: int, data: Mapping[str, Any]) -> Code:
    """Return a code from what `find` and `add` return."""
    return Code(digest, registers, sum(data["opcodes"].values()), data["opcodes"], tuple(data["calls"]))


def flush() -> None:
    """Keep every code that is fresh."""
    for codes in list(_open.values()):
        codes.flush()


@cache
def _version() -> str:
    here = Path(__file__).resolve().parent
    return code_seal(here / name for name in _READERS)
