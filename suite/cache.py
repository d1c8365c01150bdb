"""What assemblers said before, by content: kernel text, assembler build, target, `.version`, our own code.

A cache is never believed: each row carries a checksum over key and content, a file that is no database is put aside and
built anew, and one that cannot be written is done without. So it can make a run faster and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suite import codes
from suite.claims import PtxVersion
from suite.model import Code, Diagnostic, Kernel, Verdict
from suite.store import Store, code_seal, file_seal, seal, store
from suite.targets import Target
from suite.toolchains import Toolchain

# The modules that turn what the tools print into rows: with other code the rows may be others.
_READERS = ("assemble", "attribute", "diagnostics", "disassemble", "cubin", "codes", "cache")


@dataclass(frozen=True)
class Entry:
    """One kernel's verdict and, if it was accepted, its code."""

    verdict: Verdict
    code: Code | None


@dataclass(frozen=True)
class Shelf:
    """The rows of one assembler build, target and `.version`."""

    store: Store
    sm: int

    def find(self, kernels: Iterable[Kernel], *, code: bool) -> dict[str, Entry]:
        """Return the entries that are known, by kernel name; with `code` only those whose cubin is at hand."""
        found: dict[str, Entry] = {}
        modules: dict[str, bytes] = {}
        for kernel in kernels:
            raw = self.store.rows.get(_key(kernel))
            entry = _entry(json.loads(raw), self.sm) if raw else None
            if entry and code and entry.code:
                entry = self._with_cubin(entry, json.loads(raw or "")["module"], modules)
            if entry:
                found[kernel.name] = entry
        return found

    def keep(self, kernels: Sequence[Kernel], entries: Mapping[str, Entry], *, code: bool) -> None:
        """Add entries, with their cubins where `code` asks for them."""
        modules = {id(entry.verdict.cubin): entry.verdict.cubin for entry in entries.values()} if code else {}
        seals = {key: seal(cubin) for key, cubin in modules.items()}
        rows = {_key(k): _row(entries[k.name], seals) for k in kernels if k.name in entries}
        self.store.keep(rows, filter(None, modules.values()))

    def _with_cubin(self, entry: Entry, module: str, modules: dict[str, bytes]) -> Entry | None:
        if module not in modules:
            modules[module] = self.store.blob(module)
        if not modules[module]:
            return None
        return Entry(Verdict(True, entry.verdict.diagnostics, modules[module]), entry.code)


def shelf(toolchain: Toolchain, target: Target, ptx: PtxVersion) -> Shelf:
    """Return the rows of this assembler, target and `.version`; none where the cache is off or cannot be had."""
    return Shelf(store(_code_version(), build(toolchain), f"{target}_{ptx[0]}.{ptx[1]}"), target.number)


@cache
def build(toolchain: Toolchain) -> str:
    """Return the name of an assembler's build, in which its file's content counts."""
    return f"{toolchain.name} {file_seal(toolchain.path)}".replace(" ", "_")


def _row(entry: Entry, seals: Mapping[int, str]) -> str:
    said = [asdict(diagnostic) for diagnostic in entry.verdict.diagnostics]
    data: dict[str, Any] = {"accepted": entry.verdict.accepted, "said": said}
    if entry.code:
        module = seals.get(id(entry.verdict.cubin), "")
        data |= {"code": entry.code.digest, "registers": entry.code.registers, "module": module}
    return json.dumps(data, separators=(",", ":"))


def _entry(data: Mapping[str, Any], sm: int) -> Entry | None:
    """Return the entry of a row; None where its code is no longer known."""
    verdict = Verdict(data["accepted"], tuple(Diagnostic(**said) for said in data["said"]))
    if "code" not in data:
        return Entry(verdict, None)
    known = codes.of(sm).find(data["code"])
    return Entry(verdict, codes.code(data["code"], data["registers"], known)) if known else None


def _key(kernel: Kernel) -> str:
    return seal(kernel.text.encode())


@cache
def _code_version() -> str:
    here = Path(__file__).resolve().parent
    return code_seal(here / f"{name}.py" for name in _READERS)
