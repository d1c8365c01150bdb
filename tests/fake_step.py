"""A step's process on a machine made up for a test: `python tests/fake_step.py SCENARIO STEP ARGUMENT…`.

SCENARIO is a JSON object: `gpu` (a fault of `tests.oracle_gpu`), `driver` (a word of tests/fake_driver/libcuda.c, read
from the environment there), `steps` (by step: events to give in place of the step's own, or `hang` or `die`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import types
from functools import partial
from pathlib import Path
from typing import Any

ORACLE = Path(__file__).with_name("oracle_gpu.py")


class FakeNvml(types.ModuleType):
    """A management library of one GPU that reports little: everything else is not supported, as on GB10."""

    class NVMLError(Exception):
        pass

    class NVMLError_NotSupported(NVMLError):
        pass

    class NVMLError_FunctionNotFound(NVMLError):
        pass

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__("pynvml")
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("NVML_"):
            return 0
        if not name.startswith("nvml"):
            raise AttributeError(name)
        return lambda *arguments: self._answer(name)

    def _answer(self, name: str) -> Any:
        if name not in self._facts:
            raise self.NVMLError_NotSupported(name)
        return self._facts[name]


def main(scenario: str, step: str, *arguments: str) -> None:
    """Run the step, or what stands for it."""
    made = json.loads(scenario)
    sys.modules["pynvml"] = FakeNvml({"nvmlInit": None, "nvmlDeviceGetCount": 1, "nvmlDeviceGetHandleByIndex": 0,
                                      "nvmlSystemGetDriverVersion": "580.0", **made.get("nvml", {})})  # fmt: skip
    planted = made.get("steps", {}).get(step)
    if planted == "hang":
        print(json.dumps({"begin": f"the hanging of {step}"}), flush=True)
        time.sleep(600)
    if planted == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if planted is not None:
        for line in planted:
            print(json.dumps(line))
        return
    if step == "instructions":
        from suite import examine, execute, prepare
        from suite.launch import Gpu

        for module in (prepare, examine):  # the GPU here computes oracles, not the numeric rounds' products
            vars(module)["build"] = lambda *arguments: None
        line = [sys.executable, str(ORACLE), made.get("gpu", "healthy")]
        vars(execute)["Gpu"] = partial(Gpu, child=line, seconds=3.0)
    from suite.sanity import child

    child.main([step, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
