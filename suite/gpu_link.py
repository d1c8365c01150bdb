"""The parent's end of a GPU child: start it, send without blocking, receive against the clock, kill it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_REAP_SECONDS = 30.0


class LinkDied(Exception):
    """The child is gone; `signal` is the name of the signal that ended it, empty where it ended by itself."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.signal = f"signal {-code}" if code < 0 else ""
        super().__init__(f"the GPU child ended ({self.signal or f'exit {code}'})")


class Link:
    """One running child. Sending is left to a thread, so that two full pipes never wait for each other."""

    def __init__(self, command: Sequence[str]) -> None:
        theirs_in, ours_out = Pipe(duplex=False)
        ours_in, theirs_out = Pipe(duplex=False)
        ends = (theirs_in.fileno(), theirs_out.fileno())
        self._process = subprocess.Popen([*command, *map(str, ends)], pass_fds=ends, env=environment())
        theirs_in.close()
        theirs_out.close()
        self._inbox = ours_in
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writer = threading.Thread(target=_write, args=(self._queue, ours_out), daemon=True)
        self._writer.start()

    def send(self, message: Any) -> None:
        """Queue a message; one for a child that is gone is dropped, since `receive` tells of that."""
        self._queue.put(message)

    def receive(self, seconds: float) -> Any:
        """Return the child's next message, None when none came in time. Raises `LinkDied` when none will come."""
        try:
            return self._inbox.recv() if self._inbox.poll(seconds) else None
        except (EOFError, ConnectionResetError):
            raise LinkDied(self._process.wait(_REAP_SECONDS)) from None

    def stop(self) -> None:
        """Kill the child and wait for its end."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(_REAP_SECONDS)
        self._queue.put(None)
        self._writer.join()
        self._inbox.close()


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs one of our modules in a process of its own."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return this process's environment with the project on the path, wherever the run was started."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def _write(messages: queue.SimpleQueue[Any], outbox: Connection) -> None:
    with outbox:
        while (message := messages.get()) is not None:
            try:
                outbox.send(message)
            except BrokenPipeError:
                return
