"""One run of one assembler on one PTX file, in a process of its own with a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import local

ROOT = Path(__file__).resolve().parent.parent

# The module that runs an assembler which is a library, with ptxas's own contract: log on stderr, cubin to `-o`.
LIBRARY_MODULES = {"nvjitlink": "suite.nvjitlink_cli", "driver": "suite.driver_jit_cli"}

_thread = local()  # its `block`, in threads of a block of `threads`


class AssemblerError(Exception):
    """An assembler that cannot do its work at all, so that no kernel is to blame; never a result."""


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    `status` is the exit status, negative for the signal that ended it, None after a time-out.
    """

    status: int | None
    log: str
    cubin: bytes = field(default=b"", repr=False)

    @property
    def timed_out(self) -> bool:
        """Tell whether the time limit ended the process."""
        return self.status is None

    @property
    def crashed(self) -> bool:
        """Tell whether a signal ended the process; a shell wrapper says so with 128 and the signal's number."""
        return self.status is not None and (self.status < 0 or 128 < self.status < 160)

    @property
    def accepted(self) -> bool:
        """Tell whether the module was assembled: exit status 0, and a cubin."""
        return self.status == 0 and bool(self.cubin)


@dataclass
class _Block:
    """The processes that the threads of one block wait for, and whether the block was left before they ended."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    left: bool = False

    def leave(self) -> None:
        self.left = True
        for process in list(self.running):
            _kill_group(process)

    def require_wanted(self) -> None:
        """Raise `AssemblerError` where nobody waits any more: how a killed process ended is no result."""
        if self.left:
            raise AssemblerError("interrupted")


def command(kind: str, path: str) -> list[str]:
    """Return the beginning of an assembler's command line."""
    return [sys.executable, "-m", LIBRARY_MODULES[kind]] if kind in LIBRARY_MODULES else [path]


def assemble_text(program: Sequence[str], text: str, target: str, *, limit: float) -> Outcome:
    """Assemble one PTX module for the target named `sm_…`.

    `limit` is in seconds; after it the whole process group is killed. Raises `AssemblerError` where the program cannot
    be started.
    """
    with tempfile.TemporaryDirectory(prefix="ptxproof-") as folder:
        source, cubin = Path(folder, "module.ptx"), Path(folder, "module.cubin")
        source.write_text(text)
        status, log = run([*program, str(source), "-o", str(cubin), "--gpu-name", target], limit=limit, folder=folder)
        return Outcome(status, log, cubin.read_bytes() if cubin.is_file() else b"")


def run(arguments: Sequence[str], *, limit: float, folder: str | None = None) -> tuple[int | None, str]:
    """Run a program and return its exit status (None if `limit` seconds were not enough) and all that it printed.

    Raises `AssemblerError` where it cannot be started, or nobody waits for it any more.
    """
    block: _Block = getattr(_thread, "block", None) or _Block()
    block.require_wanted()
    with _started(arguments, folder) as process:
        block.running.add(process)
        if block.left:  # since it was started
            _kill_group(process)
        try:
            output, _ = process.communicate(timeout=limit)
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            _kill_group(process)
            output, _ = process.communicate()
            status = None
        finally:
            block.running.discard(process)
        block.require_wanted()
        return status, output.decode(errors="replace")


@contextlib.contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that wait for assemblers; a block left early, as by Ctrl-C, ends what they wait for."""
    block = _Block()
    pool = ThreadPoolExecutor(count, initializer=setattr, initargs=(_thread, "block", block))
    try:
        yield pool
    except BaseException:
        block.leave()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _started(arguments: Sequence[str], folder: str | None) -> Iterator[subprocess.Popen[bytes]]:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
    except OSError as error:  # not there, not executable, or no program at all
        raise AssemblerError(f"{arguments[0]} cannot be run: {error.strerror}") from error
    try:
        yield process
    finally:
        _kill_group(process)
        process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself, and left no child behind
        os.killpg(process.pid, signal.SIGKILL)
