"""Generations of the cache: what earlier checkouts and machinery kept, of which the last used stay."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

KEPT = 4  # generations of a kind: some checkouts side by side, and the one before
_KINDS = (".", "catalogue", "codes", "columns", "sources")  # "." has the verdicts
_GENERATION = re.compile(r"[0-9a-f]{12}(?=$|\.)")  # a folder, or a database with the files beside it


def prune(place: Path) -> None:
    """Remove from the cache folder `place` all but the generations of each kind that were used last."""
    for kind in _KINDS:
        for old in _by_use(place / kind)[KEPT:]:
            for path in old:
                _remove(path)


def _by_use(folder: Path) -> list[list[Path]]:
    """Return the paths of each generation, the last used first."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in _entries(folder):
        if match := _GENERATION.match(path.name):
            found[match[0]].append(path)
    return sorted(found.values(), key=lambda paths: max(map(_used, paths)), reverse=True)


def _entries(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from list(folder.iterdir())


def _used(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    """Remove a folder or file; another process may be doing the same."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
