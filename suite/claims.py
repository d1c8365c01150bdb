"""Claims: what the PTX ISA manual says of a case, as data.

Written from the manual's Target ISA Notes and PTX ISA Notes, never from what an assembler was seen to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from suite import targets
from suite.targets import Target

PtxVersion = tuple[int, int]

EDITION = "9.3"  # of the manual, where a section names none


def ptx_version(text: str) -> PtxVersion:
    """Return `"8.7"` as `(8, 7)`, which compares as versions do."""
    major, minor = text.split(".")
    return (int(major), int(minor))


@dataclass(frozen=True)
class Support:
    """One sentence of the manual's notes: these targets from this PTX ISA version on."""

    targets: frozenset[Target]
    ptx: PtxVersion


@dataclass(frozen=True)
class Claim:
    """What the manual says of one case: where it is supported, from which `.version`, in which section."""

    supports: tuple[Support, ...]
    section: str

    @property
    def targets(self) -> frozenset[Target]:
        """Return every target on which some PTX version supports the case."""
        return frozenset().union(*(support.targets for support in self.supports))

    @property
    def ptx(self) -> PtxVersion:
        """Return the lowest PTX version that supports the case anywhere."""
        return min(support.ptx for support in self.supports)

    @property
    def cited(self) -> str:
        """Return the section as it is cited, after the manual's edition."""
        return self.section if self.section.startswith("PTX ISA") else f"PTX ISA {EDITION}, {self.section}"

    def minimum(self, target: Target) -> PtxVersion | None:
        """Return the lowest PTX version that supports the case on `target`, None where none does."""
        return self._minima.get(target)

    @cached_property
    def _minima(self) -> Mapping[Target, PtxVersion]:
        """The lowest PTX version on every target that has one."""
        found: dict[Target, PtxVersion] = {}
        for support in sorted(self.supports, key=lambda support: support.ptx, reverse=True):
            found |= dict.fromkeys(support.targets, support.ptx)
        return found

    def supports_at(self, target: Target, ptx: PtxVersion) -> bool:
        """Tell whether the manual says that `target` has the case at `.version ptx`."""
        minimum = self.minimum(target)
        return minimum is not None and ptx >= minimum

    def __or__(self, other: Claim) -> Claim:
        """Return the claim that holds where either holds (a feature whose support widened with the PTX version)."""
        sections = dict.fromkeys((self.section, other.section))
        return Claim(self.supports + other.supports, "; ".join(sections))


def since(first: str, *, ptx: str, section: str) -> Claim:
    """Claim every target from `first` on, suffixed or not: "requires sm_80 or higher"."""
    floor = int(first.removeprefix("sm_"))  # the floor itself may be older than the oldest target kept
    return _claim((t for t in targets.ALL if t.number >= floor), ptx, section)


def only(*names: str, ptx: str, section: str) -> Claim:
    """Claim exactly the targets named: "requires sm_120a"."""
    return _claim((targets.parse(name) for name in names), ptx, section)


def family(*names: str, ptx: str, section: str) -> Claim:
    """Claim the `f` targets named with all members of their families: "sm_100f or higher in the same family"."""
    roots = [targets.parse(name) for name in names]
    members = {capability for root in roots for capability in targets.FAMILIES[root.capability]}
    return _claim((t for t in targets.ALL if t.suffix and t.capability in members), ptx, section)


def _claim(members: object, ptx: str, section: str) -> Claim:
    return Claim((Support(frozenset(members), ptx_version(ptx)),), section)  # type: ignore[call-overload]
