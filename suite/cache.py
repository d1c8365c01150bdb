"""What assemblers and disassembler said before, by content: kernel text, assembler build, target, `.version`, our code.

A cache is never believed: each row carries a checksum over key and content, a file that is no database is put aside and
built anew, and one that cannot be written is done without. So it can make a run faster and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suite.claims import PtxVersion
from suite.model import Diagnostic, Kernel, Sass, Verdict
from suite.targets import Target
from suite.toolchains import Toolchain

VARIABLE = "PTXPROOF_CACHE"  # a folder, or `off`
_BUSY_SECONDS = 30.0

# The modules that turn what the tools print into rows: with other code the rows may be others.
_READERS = ("assemble", "attribute", "diagnostics", "disassemble", "model", "cache")


@dataclass(frozen=True)
class Entry:
    """One kernel's verdict and, if it was accepted, its code: opcodes with counts, and calls."""

    verdict: Verdict
    sass: Sass | None


class Shelf:
    """The rows of one assembler build, target and `.version`; without a path it holds nothing and keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows = _load(path) if path else {}

    def find(self, kernels: Iterable[Kernel], *, code: bool) -> dict[str, Entry]:
        """Return the entries that are known, by kernel name; with `code` only those whose cubin is at hand."""
        found: dict[str, Entry] = {}
        modules: dict[str, bytes] = {}
        for kernel in kernels:
            raw = self._rows.get(_key(kernel))
            if raw is None:
                continue
            entry = _entry(json.loads(raw))
            module = json.loads(raw).get("module")
            if code and entry.sass:
                modules.setdefault(module, self._module(module))
                if not modules[module]:
                    continue
                entry = Entry(Verdict(True, entry.verdict.diagnostics, modules[module]), entry.sass)
            found[kernel.name] = entry
        return found

    def keep(self, kernels: Sequence[Kernel], entries: Mapping[str, Entry], *, code: bool) -> None:
        """Add entries, with their cubins where `code` asks for them."""
        rows = [(_key(k), _row(entries[k.name])) for k in kernels if k.name in entries]
        cubins = {entries[k.name].verdict.cubin for k in kernels if k.name in entries} - {b""} if code else set()
        if not self._path or not rows:
            return
        try:
            with closing(_open(self._path)) as database, database:
                database.executemany("INSERT OR REPLACE INTO kernel VALUES (?, ?, ?)", (_sealed(*row) for row in rows))
                database.executemany("INSERT OR REPLACE INTO module VALUES (?, ?)", ((_hash(c), c) for c in cubins))
        except sqlite3.Error as error:
            print(f"ptxproof: the cache {self._path} cannot be written ({error}); going on without", file=sys.stderr)
            self._path = None

    def _module(self, key: str) -> bytes:
        """Return the cubin of that hash, empty if it is not here or not what it was."""
        if not self._path:
            return b""
        with suppress(sqlite3.Error), closing(_open(self._path)) as database:
            row = database.execute("SELECT cubin FROM module WHERE key = ?", (key,)).fetchone()
            if row and _hash(row[0]) == key:
                return bytes(row[0])
        return b""


def shelf(toolchain: Toolchain, target: Target, ptx: PtxVersion) -> Shelf:
    """Return the rows of this assembler, target and `.version`; none where the cache is off or cannot be had."""
    folder = _folder()
    if folder is None:
        return Shelf(None)
    build = f"{toolchain.name} {_fingerprint(toolchain.path)}".replace(" ", "_")
    return Shelf(folder / _code_version() / build / f"{target}_{ptx[0]}.{ptx[1]}.sqlite")


def _folder() -> Path | None:
    named = os.environ.get(VARIABLE)
    if named == "off":
        return None
    if named:
        return Path(named)
    import platformdirs  # not where bundles run, which assemble nothing

    return Path(platformdirs.user_cache_dir("ptxproof")) / "cells"


def _load(path: Path) -> dict[str, str]:
    """Return the sound rows of a file; one that is no database is removed, to be built anew."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_open(path)) as database:
            rows = database.execute("SELECT key, content, seal FROM kernel").fetchall()
    except sqlite3.OperationalError:  # busy, full or not allowed: other processes may still use it
        return {}
    except (sqlite3.DatabaseError, OSError):
        with suppress(OSError):
            path.unlink()
        return {}
    return {key: content for key, content, seal in rows if seal == _hash(f"{key}{content}".encode())}


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=OFF")  # what a power cut spoils, the seals show
    database.execute("CREATE TABLE IF NOT EXISTS kernel (key TEXT PRIMARY KEY, content TEXT, seal TEXT)")
    database.execute("CREATE TABLE IF NOT EXISTS module (key TEXT PRIMARY KEY, cubin BLOB)")
    return database


def _row(entry: Entry) -> str:
    said = [asdict(diagnostic) for diagnostic in entry.verdict.diagnostics]
    data: dict[str, Any] = {"accepted": entry.verdict.accepted, "said": said}
    if entry.sass:
        counts = Counter(opcode for opcode, _ in entry.sass.instructions)
        data |= {"opcodes": counts, "calls": entry.sass.calls, "module": _hash(entry.verdict.cubin)}
    return json.dumps(data, separators=(",", ":"))


def _entry(data: Mapping[str, Any]) -> Entry:
    """Return the entry of a row; its code has each opcode as often as it stands there, and no operands."""
    verdict = Verdict(data["accepted"], tuple(Diagnostic(**said) for said in data["said"]))
    if "opcodes" not in data:
        return Entry(verdict, None)
    code = tuple((opcode, "") for opcode, count in data["opcodes"].items() for _ in range(count))
    return Entry(verdict, Sass(code, tuple(data["calls"])))


def _sealed(key: str, content: str) -> tuple[str, str, str]:
    return key, content, _hash(f"{key}{content}".encode())


def _key(kernel: Kernel) -> str:
    return _hash(kernel.text.encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _code_version() -> str:
    here = Path(__file__).resolve().parent
    return _hash(b"".join((here / f"{name}.py").read_bytes() for name in _READERS))[:12]


@cache
def _fingerprint(path: str) -> str:
    """Return a short hash of the assembler's file; of its path where it is none, as for a library's name."""
    with suppress(OSError):
        return _hash(Path(path).read_bytes())[:12]
    return _hash(path.encode())[:12]
