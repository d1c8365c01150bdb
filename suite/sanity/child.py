"""A step's own process: `python -m suite.sanity.child STEP ARGUMENT…`. Ends with the process that started it."""

from __future__ import annotations

import importlib
import os
import sys

from suite.gpu_calls import Refusal
from suite.gpu_child import prepare
from suite.gpu_device import NoGpu
from suite.sanity.steps import Emit

# The module of each step; its `run(emit, *arguments)` does the work. Imported only where it is run.
MODULES = {
    "devices": "suite.sanity.devices",
    "nvml": "suite.sanity.nvml",
    "packages": "suite.sanity.packages",
    "libraries": "suite.sanity.libraries",
    "toolchains": "suite.sanity.assemblers",
    "assemble": "suite.sanity.prepare",
    "limits": "suite.sanity.measure",
    "instructions": "suite.sanity.instructions",
    "performance": "suite.sanity.performance",
    "peers": "suite.sanity.peers",
}


def main(arguments: list[str]) -> None:
    """Run one step; what it has to say goes to standard output."""
    prepare()
    os.environ["CUDA_CACHE_DISABLE"] = "1"  # what the driver compiles it is to compile now
    emit = Emit(_write)
    name, *rest = arguments
    emit.begin(name)
    try:
        importlib.import_module(MODULES[name]).run(emit, *rest)
    except NoGpu as reason:
        emit.refused(type(reason).__name__, str(reason))
        return
    except Refusal as refusal:  # of what any healthy GPU does
        emit("broke", {"code": refusal.code, "detail": refusal.detail})
    emit.end()
    os._exit(0)  # a context in trouble may hang in the driver's own clean-up


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
