"""Step `packages`: what the GPU packages of each Python are built for, asked of it in its own process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from suite.sanity.steps import Emit

_SCRIPT = Path(__file__).with_name("torch_facts.py")


def run(emit: Emit, *pythons: str) -> None:
    """Give the facts of each Python named, of this one and the one on PATH where none is."""
    for python in pythons or defaults():
        emit.begin(python)
        emit("python", ask(python))


def defaults() -> list[str]:
    """Return this Python and, where it is another, the one on PATH."""
    found = [sys.executable, shutil.which("python3") or sys.executable]
    return list(dict.fromkeys(found))


def ask(python: str, *arguments: str) -> dict[str, object]:
    """Return what one Python says (with `paths`, without its torch), or `error` with the reason why it says nothing.

    The step's clock ends one that hangs.
    """
    try:
        line = [python, "-c", _SCRIPT.read_text(), *arguments]  # as text, so that this folder is not on its path
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except OSError as error:
        return {"python": python, "error": f"cannot be run: {error.strerror}"}
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        return {"python": python, "error": said[-1][:300] if said else f"exit status {error.returncode}"}
    except (ValueError, IndexError):
        return {"python": python, "error": "it answers in no JSON"}
