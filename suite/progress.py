"""Progress on standard error: a bar where there is a terminal and `rich`, else one line a finished group."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """Called as things are finished."""

    def __call__(self, count: int = 1) -> None:
        """Count so many of them."""


class Progress(Protocol):
    """Anything that can show how a group of cases comes on."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Step]:
        """Open a group of `total` cases or kernels; the value is called as they are finished."""


class Lines:
    """One line a group, for logs, pipes and machines without `rich`."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Step]:
        """Print the group's name, count and seconds when it ends."""
        start, done = time.monotonic(), 0

        def step(count: int = 1) -> None:
            nonlocal done
            done += count

        try:
            yield step
        finally:
            print(f"{name}: {done} of {total}, {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


class Bar:
    """A bar a group, drawn by `rich`; finished bars stay."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=Console(stderr=True))

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Step]:
        """Show a bar of the group until it ends."""
        with self._bars:
            task = self._bars.add_task(name, total=total)
            yield lambda count=1: self._bars.advance(task, count)


class Silent:
    """No progress at all, for tests and for pytest, which shows its own."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Step]:
        """Show nothing."""
        yield lambda count=1: None


def for_terminal() -> Progress:
    """Return a bar where standard error is a terminal and `rich` is installed, else lines."""
    if not sys.stderr.isatty():
        return Lines()
    try:
        return Bar()
    except ImportError:  # a bundle runs where only numpy and cuda-python are installed
        return Lines()
