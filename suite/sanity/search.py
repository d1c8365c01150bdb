"""Finds a limit by trying: no declared number is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def largest(takes: Callable[[int], bool], low: int, high: int, step: int = 1) -> int | None:
    """Return the largest multiple of `step` in [low, high] that is taken, None where `low` is not.

    What is taken must be taken below it too; where `high` is taken, the limit is at least that.
    """
    first, last = low // step, high // step
    if not takes(first * step):
        return None
    while first < last:
        middle = (first + last + 1) // 2
        if takes(middle * step):
            first = middle
        else:
            last = middle - 1
    return first * step


def smallest(takes: Callable[[int], bool], candidates: Iterable[int]) -> int | None:
    """Return the first of the candidates that is taken, None where none is."""
    return next((value for value in candidates if takes(value)), None)
