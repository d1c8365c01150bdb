"""Targets: what code is assembled for, and which chips run it.

One table of facts; the `base` / `a` / `f` rules stand here and nowhere else.
Source: PTX ISA 9.3, 11.1.2 (`.target`); CUDA C++ Programming Guide, compute capabilities.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cached_property, total_ordering

from suite.errors import UsageError


@total_ordering
@dataclass(frozen=True)
class Target:
    """One assembler target: a compute capability and its suffix (`""`, `"a"` or `"f"`)."""

    major: int
    minor: int
    suffix: str = ""

    @property
    def number(self) -> int:
        """Return the two- or three-digit number of the name, as in the 121 of `sm_121a`."""
        return self.major * 10 + self.minor

    @cached_property
    def name(self) -> str:
        """The name as assemblers spell it: `sm_121a`."""
        return f"sm_{self.number}{self.suffix}"

    @property
    def capability(self) -> tuple[int, int]:
        """Return the compute capability (major, minor)."""
        return (self.major, self.minor)

    def __str__(self) -> str:
        return self.name

    def __lt__(self, other: Target) -> bool:
        return (self.number, self.suffix) < (other.number, other.suffix)

    def runs_on(self, capability: tuple[int, int]) -> bool:
        """Tell whether a cubin of this target may load on a device of `capability`.

        Base code runs on its own major from its minor up, `f` code on its family's members from its
        minor up, `a` code on its own chip alone. Source: PTX ISA 9.3, 11.1.2.
        """
        if self.suffix == "a" or TEGRA & {capability, self.capability}:
            return capability == self.capability
        if self.suffix == "f":
            return capability in FAMILIES[self.capability]
        return capability[0] == self.major and capability[1] >= self.minor


# Chips, oldest first. Columns: capability, has `a`, has `f`, example. Source: ptxas --help of 13.5.37 for the
# suffixes; NVIDIA's "CUDA GPU compute capability" page for the examples.
_CHIPS = (
    # (major, minor)  a      f      example
    ((7, 5), False, False, "T4, RTX 20"),
    ((8, 0), False, False, "A100"),
    ((8, 6), False, False, "A10, RTX 30"),
    ((8, 7), False, False, "Jetson AGX Orin"),
    ((8, 8), False, False, "-"),
    ((8, 9), False, False, "L40S, RTX 40"),
    ((9, 0), True, False, "H100, H200, GH200"),
    ((10, 0), True, True, "B200, GB200"),
    ((10, 3), True, True, "B300, GB300"),
    ((10, 7), True, True, "-"),
    ((11, 0), True, True, "Jetson Thor"),
    ((12, 0), True, True, "RTX 50, RTX PRO 6000"),
    ((12, 1), True, True, "DGX Spark (GB10)"),
)

# Systems on a chip, which share no base code with discrete GPUs or each other.
# Source: CUDA C++ Programming Guide, 3.1.2, binary compatibility.
TEGRA: frozenset[tuple[int, int]] = frozenset({(8, 7), (11, 0)})

# Members of the family that an `f` target serves. Source: PTX ISA 9.3, 11.1.2, family-specific features.
FAMILIES: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {
    (10, 0): ((10, 0), (10, 3), (10, 7)),  # 10.7: by ptxas 13.5.37, "future targets" of the manual's Table 61
    (10, 3): ((10, 3), (10, 7)),
    (10, 7): ((10, 7),),
    (11, 0): ((11, 0),),
    (12, 0): ((12, 0), (12, 1)),
    (12, 1): ((12, 1),),
}

ALL: tuple[Target, ...] = tuple(
    Target(*chip, suffix)
    for chip, has_a, has_f, _ in _CHIPS
    for suffix, present in (("", True), ("a", has_a), ("f", has_f))
    if present
)

_BY_NAME = {target.name: target for target in ALL}
_PATTERN = re.compile(r"(?:sm|compute)_?(\d+)([af]?)")


def parse(name: str) -> Target:
    """Return the target of that name.

    Raises `UsageError` naming the nearest targets where there is none.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UsageError(f"no target is named {name!r}; did you mean {_near(name)}?") from None


def _near(name: str) -> str:
    match = _PATTERN.fullmatch(name.strip().lower())
    guesses = [f"sm_{match[1]}{s}" for s in (match[2], "a", "") if f"sm_{match[1]}{s}" in _BY_NAME] if match else []
    guesses += difflib.get_close_matches(name.lower(), _BY_NAME, n=3, cutoff=0.4)
    return ", ".join(list(dict.fromkeys(guesses))[:3] or ["sm_100a", "sm_120a", "sm_121a"])


def native(capability: tuple[int, int]) -> Target:
    """Return the richest target of a device: its `a` form where there is one.

    Raises `UsageError` for a chip that the table does not hold.
    """
    members = [target for target in ALL if target.capability == capability and target.suffix != "f"]
    if not members:
        raise UsageError(
            f"this GPU has compute capability {capability[0]}.{capability[1]}, which ptxproof does not know"
        )
    return max(members)
