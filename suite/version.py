"""A hash of all in this checkout that decides what is asked and how answers are read: the key of derived data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from suite.store import code_seal

_ROOT = Path(__file__).resolve().parent.parent
_PARTS = (("probes", "*.py"), ("ptx", "*.j2"), ("suite", "*.py"))


@cache
def of_checkout() -> str:
    """Return a short hash of the probes, the templates and the machinery."""
    return code_seal(file for folder, glob in _PARTS for file in (_ROOT / folder).rglob(glob))
