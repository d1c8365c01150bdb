"""A file of sealed texts by key, for caches: what is spoilt is left out or built anew."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path

VARIABLE = "PTXPROOF_CACHE"  # a folder, or `off`
_BUSY_SECONDS = 30.0


class Store:
    """The texts of one file, all read at once, and blobs fetched one by one; without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.rows = _load(path) if path else {}

    def keep(self, rows: Mapping[str, str], blobs: Iterable[bytes] = ()) -> None:
        """Add texts, and blobs under their hash."""
        self.rows.update(rows)
        if not self._path or not rows:
            return
        try:
            with closing(_open(self._path)) as database, database:
                sealed = ((key, text, seal(f"{key}{text}".encode())) for key, text in rows.items())
                database.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", sealed)
                database.executemany("INSERT OR REPLACE INTO blob VALUES (?, ?)", ((seal(b), b) for b in blobs))
        except sqlite3.Error as error:
            print(f"ptxproof: the cache {self._path} cannot be written ({error}); going on without", file=sys.stderr)
            self._path = None

    def blob(self, key: str) -> bytes:
        """Return the blob of that hash, empty if it is not here or not what it was."""
        if not self._path:
            return b""
        with suppress(sqlite3.Error), closing(_open(self._path)) as database:
            row = database.execute("SELECT content FROM blob WHERE key = ?", (key,)).fetchone()
            if row and seal(row[0]) == key:
                return bytes(row[0])
        return b""


def store(*names: str) -> Store:
    """Return the store of that path in the cache folder; one that keeps nothing where the cache is off."""
    place = folder()
    if not place:
        return Store(None)
    path = place.joinpath(*names[:-1], f"{names[-1]}.sqlite")
    found = Store(path)
    for used in (place / names[0], place.joinpath(*names[:2]), path):
        with suppress(OSError):
            os.utime(used)  # `prune` keeps what was used last
    return found


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one process at a time into the block of that name; where the cache is off or cannot be had, any number."""
    place = folder()
    with ExitStack() as held:
        with suppress(OSError):
            if place:
                place.mkdir(parents=True, exist_ok=True)
                flock(held.enter_context((place / f"{name}.lock").open("w")), LOCK_EX)
        yield


def seal(data: bytes) -> str:
    """Return the hash under which blobs lie, and which shows that a text is what it was."""
    return hashlib.sha256(data).hexdigest()


@cache
def file_seal(path: str) -> str:
    """Return a short hash of a file; of its path where there is none, as for a library's name."""
    with suppress(OSError):
        return seal(Path(path).read_bytes())[:12]
    return seal(path.encode())[:12]


def code_seal(files: Iterable[Path]) -> str:
    """Return a short hash of our own files, whose change may change what was kept."""
    return seal(b"".join(f"{file.name}\0".encode() + file.read_bytes() for file in sorted(files)))[:12]


def folder() -> Path | None:
    """Return the cache folder, None where caching is off, or nobody says where the system keeps caches."""
    named = os.environ.get(VARIABLE)
    if named == "off":
        return None
    if named:
        return Path(named)
    try:
        import platformdirs
    except ModuleNotFoundError:  # where bundles run, which need numpy and cuda-bindings alone
        return None
    return Path(platformdirs.user_cache_dir("ptxproof")) / "cells"


def _load(path: Path) -> dict[str, str]:
    """Return the sound texts of a file; one that is no database is removed, to be built anew."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_open(path)) as database:
            rows = database.execute("SELECT key, content, seal FROM entry").fetchall()
    except sqlite3.OperationalError:  # busy, full or not allowed: other processes may still use it
        return {}
    except (sqlite3.DatabaseError, OSError):
        with suppress(OSError):
            path.unlink()
        return {}
    return {key: text for key, text, sealed in rows if sealed == seal(f"{key}{text}".encode())}


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=OFF")  # what a power cut spoils, the seals show
    database.execute("CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, content TEXT, seal TEXT)")
    database.execute("CREATE TABLE IF NOT EXISTS blob (key TEXT PRIMARY KEY, content BLOB)")
    return database
