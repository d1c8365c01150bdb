"""The floor: the lowest `.version` at which an assembler takes a case, beside the one that the manual claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.assemble import assemble
from suite.canary import CASE
from suite.claims import PtxVersion
from suite.probe import Case
from suite.progress import Progress
from suite.render import render
from suite.targets import Target
from suite.toolchains import Toolchain

# Every PTX ISA version that a kept target may claim. Source: PTX ISA 9.3, chapter 13, release notes; 9.4 and 9.5 from
# what ptxas 13.4 and 13.5 name as their highest.
VERSIONS: tuple[PtxVersion, ...] = (
    *((6, minor) for minor in range(3, 6)),
    *((7, minor) for minor in range(9)),
    *((8, minor) for minor in range(9)),
    *((9, minor) for minor in range(6)),
)


_PLAIN = CASE.id


@dataclass(frozen=True)
class Floor:
    """The lowest `.version` claimed and the lowest accepted for a case on a target; None where there is none."""

    case: str
    claimed: PtxVersion | None
    accepted: PtxVersion | None

    @property
    def relation(self) -> str:
        """Return `same`, `lower` (accepted before the manual says), `higher`, or `never`."""
        if self.accepted is None or self.claimed is None:
            return "same" if self.accepted == self.claimed else "never" if self.accepted is None else "lower"
        return "same" if self.accepted == self.claimed else "lower" if self.accepted < self.claimed else "higher"


def floors(cases: Sequence[Case], toolchain: Toolchain, target: Target, progress: Progress) -> list[Floor]:
    """Return the floor of each case that is claimed on the target, by asking at every `.version` from the lowest up.

    A `.version` that is too old for the target itself refuses even a plain kernel, which is asked beside them.
    """
    armed = {case.id: render(case).armed for case in cases if case.claim.minimum(target)}
    left, found = {_PLAIN: render(CASE).armed, **armed}, dict[str, PtxVersion]()
    for version in (v for v in VERSIONS if v <= toolchain.ptx):
        with progress.stage(f"{target} at .version {version[0]}.{version[1]}", len(left)) as step:
            verdicts = assemble(list(left.values()), toolchain, target, version, progress=step)
        taken = [case for case, kernel in left.items() if verdicts[kernel.name].accepted]
        found.update(dict.fromkeys(taken, version))
        left = {case: kernel for case, kernel in left.items() if case not in found}
        if not left:
            break
    return [Floor(c.id, _claimed(c, target, found[_PLAIN]), found.get(c.id)) for c in cases if c.id in armed]


def _claimed(case: Case, target: Target, plain: PtxVersion) -> PtxVersion:
    """Return the lowest `.version` that the manual's notes and the target together allow."""
    return max(case.claim.minimum(target) or plain, plain)
