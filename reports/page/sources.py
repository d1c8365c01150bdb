"""What the catalogue says of a case, for the page: the kernel's text, the claim, the instruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from suite import catalogue, render
from suite.probe import Case


@dataclass(frozen=True)
class Described:
    """A case as this checkout asks it.

    `kernel` is the armed kernel's name, `text` its PTX without header, `marked` the lines (0-based) of the instruction;
    `minimum` has the lowest `.version` that the manual claims, by target.
    """

    instruction: str
    section: str
    minimum: tuple[tuple[str, str], ...]
    kernel: str
    text: str = field(repr=False)
    marked: tuple[int, ...]


Describe = Callable[[str], Described | None]


def describe(case_id: str) -> Described | None:
    """Return what this checkout knows of a case, None where it has no such case."""
    case = _cases().get(case_id)
    if case is None:
        return None
    armed = render.render(case).armed
    return Described(case.instruction, case.claim.cited, _minimum(case), armed.name, armed.text, armed.marked)


@cache
def _cases() -> dict[str, Case]:
    return {case.id: case for case in catalogue.expand()}


def _minimum(case: Case) -> tuple[tuple[str, str], ...]:
    lowest = ((target, case.claim.minimum(target)) for target in sorted(case.claim.targets))
    return tuple((target.name, f"{ptx[0]}.{ptx[1]}") for target, ptx in lowest if ptx)
