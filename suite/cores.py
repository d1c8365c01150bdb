"""How many processors this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many there are, where schedulers and containers leave this process fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
