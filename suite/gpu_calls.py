"""What the GPU child says of a driver call: a refusal speaks of a case, any other failure of us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite.model import GpuResult


@dataclass(frozen=True)
class Reply:
    """How job `number` went; `alive` is false where the child ends with it, `whole` where its module is refused."""

    number: int
    result: GpuResult
    alive: bool = True
    whole: bool = False


class Refusal(Exception):
    """The driver's no to one case: its code by name, the stage (`load`, `encode`, `launch`) and what was being done.

    `whole` is true where the refusal speaks of a whole module, not of one kernel in it.
    """

    def __init__(self, code: str, stage: str, detail: str, *, whole: bool = False) -> None:
        super().__init__(f"{detail}: {code}")
        self.code = code
        self.stage = stage
        self.detail = detail
        self.whole = whole


def attempt(answer: tuple[Any, ...], stage: str, doing: str, *, whole: bool = False) -> Any:
    """Return the value of a driver call's answer, None where it has none; raises `Refusal` for an error."""
    code, *values = answer
    if code:
        raise Refusal(code.name, stage, doing, whole=whole)
    return values[0] if values else None


def must(answer: tuple[Any, ...]) -> Any:
    """Return the value of a call that no case can make fail; raises `RuntimeError`, which is nobody's cell."""
    code, *values = answer
    if code:
        raise RuntimeError(f"the driver failed outside any case: {code.name}")
    return values[0] if values else None
