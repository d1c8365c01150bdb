"""Runs one step in a process of its own against the clock: a step that hangs is killed and named, and nothing else is.

A step's process prints one JSON object a line: `{"begin": what}` before it does something, `{"key": …, "value": …}` for
each answer, `{"refused": [kind, reason]}` where the GPU cannot be had, and `{"end": true}` last.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any

from suite.gpu_link import command, environment
from suite.sanity.model import Ran

# Limits in seconds by step: (quick, full). A cold driver takes seconds to start, and so does a first import of torch.
LIMITS: dict[str, tuple[float, float]] = {
    # step          quick   full
    "devices":      (20.0,  60.0),
    "nvml":         (10.0,  20.0),
    "packages":     (25.0,  60.0),
    "libraries":    (10.0,  20.0),
    "toolchains":   (25.0,  90.0),
    "assemble":     (60.0,  600.0),
    "limits":       (20.0,  120.0),
    "instructions": (40.0,  900.0),
    "performance":  (20.0,  180.0),
    "peers":        (20.0,  120.0),
}  # fmt: skip

_REAP_SECONDS = 10.0


def argv(name: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line of a step's process."""
    return command("suite.sanity.child", name, *arguments)


def limit(name: str, level: str) -> float:
    """Return the step's time limit in seconds at a level, `quick` or `full`."""
    return LIMITS[name][level == "full"]


def run(name: str, *arguments: str, seconds: float, gpu: int | None = None) -> Ran:
    """Run a step and return what it did, also where it hung, died or failed."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        status = _wait(argv(name, arguments), seconds, out, err)
        took = time.monotonic() - started
        lines, complaint = _lines(out), _tail(err)
    ran = Ran(name, gpu, "done", round(took, 3), seconds, _events(lines), _last_begun(lines))
    return _ended(ran, status, lines, complaint)


def _wait(line: list[str], seconds: float, out: IO[str], err: IO[str]) -> int | None:
    """Return the exit status, None where the clock ended the process, with all that it had started."""
    with subprocess.Popen(line, stdout=out, stderr=err, env=environment(), start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started; one that the kernel cannot end (a stuck driver) is left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_REAP_SECONDS)
    except (ProcessLookupError, PermissionError):  # all gone already
        return
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGKILL  # so that leaving the block does not wait for it for ever


def _ended(ran: Ran, status: int | None, lines: list[dict[str, Any]], complaint: str) -> Ran:
    refused = next((line["refused"] for line in lines if "refused" in line), None)
    if refused:
        return _with(ran, "refused", str(refused[1]), str(refused[0]))
    if any("end" in line for line in lines):
        return ran
    if status is None:
        return _with(ran, "hung", f"no end after {ran.limit:g} s")
    if status < 0:
        return _with(ran, "died", f"ended by signal {-status}")
    return _with(ran, "failed", complaint or f"exit status {status}")


def _with(ran: Ran, status: str, said: str, kind: str = "") -> Ran:
    return Ran(ran.name, ran.gpu, status, ran.seconds, ran.limit, ran.events, ran.at, said, kind)


def _lines(out: IO[str]) -> list[dict[str, Any]]:
    out.seek(0)
    found = []
    for line in out.read().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # a library's own chatter, or a line that the kill cut off
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _events(lines: list[dict[str, Any]]) -> tuple[tuple[str, Any], ...]:
    return tuple((str(line["key"]), line["value"]) for line in lines if "key" in line and "value" in line)


def _last_begun(lines: list[dict[str, Any]]) -> str:
    return next((str(line["begin"]) for line in reversed(lines) if "begin" in line), "")


def _tail(err: IO[str]) -> str:
    err.seek(0)
    return " | ".join(err.read().strip().splitlines()[-2:])[-400:]


class Emit:
    """What a step's process says, a line at a time, flushed so that nothing is lost where it is killed."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def begin(self, what: str) -> None:
        """Say what comes next."""
        self._line(begin=what)

    def __call__(self, key: str, value: Any) -> None:
        """Give one answer."""
        self._line(key=key, value=value)

    def refused(self, kind: str, reason: str) -> None:
        """Say that the GPU cannot be had."""
        self._line(refused=[kind, reason])

    def end(self) -> None:
        """Say that all was done."""
        self._line(end=True)

    def _line(self, **entry: Any) -> None:
        self._write(json.dumps(entry) + "\n")
