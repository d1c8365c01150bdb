"""Assemblers that nobody waits for any more are ended, and what they did is no result."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from suite.assembler_process import AssemblerError, run, threads
from tests.assemblers import script

LONG, HANGING = 120.0, 60.0  # seconds: a time limit, and a wait that only a hang reaches


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANGING
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Return a program that says that it has started, and then waits."""
    return script(tmp_path / "slow", f"touch {tmp_path}/started; sleep {LONG:g}; touch {tmp_path}/ended")


def left(work: Callable[[], object], place: Path) -> Future[object]:
    """Return what becomes of work in a block that is left as soon as the slow program runs."""
    with threads(1) as pool:
        waiting = pool.submit(work)
        until((place / "started").exists)
        raise Interruption(waiting)


class Interruption(KeyboardInterrupt):
    """Ctrl-C, with the work that it came into."""


def test_a_block_left_early_ends_what_its_threads_wait_for(slow: Path) -> None:
    with pytest.raises(Interruption) as seen:
        left(partial(run, [str(slow)], limit=LONG), slow.parent)
    with pytest.raises(AssemblerError, match="interrupted"):
        seen.value.args[0].result(timeout=0)
    assert not (slow.parent / "ended").exists()


def test_nothing_more_is_started_by_a_block_that_was_left(slow: Path) -> None:
    second = script(slow.parent / "second", f"touch {slow.parent}/again")

    def both() -> None:
        with suppress(AssemblerError):
            run([str(slow)], limit=LONG)
        run([str(second)], limit=LONG)

    with pytest.raises(Interruption) as seen:
        left(both, slow.parent)
    with pytest.raises(AssemblerError, match="interrupted"):
        seen.value.args[0].result(timeout=0)
    assert not (slow.parent / "again").exists()


def test_other_blocks_and_the_next_one_are_left_alone(tmp_path: Path) -> None:
    quick = script(tmp_path / "quick", "sleep 0.2; echo done")
    with threads(1) as other:
        waiting = other.submit(run, [str(quick)], limit=LONG)
        with suppress(KeyboardInterrupt), threads(1):
            raise KeyboardInterrupt
        assert waiting.result(timeout=HANGING) == (0, "done\n")
    with threads(1) as pool:
        assert pool.submit(run, [str(quick)], limit=LONG).result(timeout=HANGING) == (0, "done\n")
