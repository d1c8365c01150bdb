"""Rows of the matrix that bear on a text: instructions with what the manual claims and what records show."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from reports import cells
from suite import catalogue
from suite.claims import Claim
from suite.model import Observation
from suite.probe import Case
from suite.record import Record
from suite.targets import Target


@dataclass(frozen=True)
class Row:
    """What one spelling stands for: a glob over case ids, the cases and their claims."""

    spelled: str
    glob: str
    ids: frozenset[str]
    claims: tuple[Claim, ...]

    def claimed(self, target: Target) -> int:
        """Return for how many of the claims the manual names the target."""
        return sum(claim.minimum(target) is not None for claim in self.claims)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return every target that the manual names for any of the cases, in order."""
        return tuple(sorted(frozenset().union(*(claim.targets for claim in self.claims))))

    @property
    def cited(self) -> str:
        """Return the manual's section of the first case, after its edition."""
        return self.claims[0].cited


@cache
def claims() -> dict[str, Claim]:
    """Return the claim of every case by its id."""
    return {case.id: case.claim for case in catalogue.expand()}


@cache
def having(target: Target) -> frozenset[str]:
    """Return the ids of all cases that the manual claims for the target at some `.version`."""
    return frozenset(case for case, claim in claims().items() if claim.minimum(target))


def bearing(spelled: Iterable[str]) -> tuple[Row, ...]:
    """Return one row for each spelling that means something: `cvt with .e2m1x2`, `tcgen05.fence`, `.block32`.

    A row whose cases an earlier one holds is left out.
    """
    found: list[Row] = []
    for row in (_asked(text, _spelled_cases(text)) for text in spelled):
        if row and not any(row.ids <= other.ids for other in found):
            found.append(row)
    return tuple(found)


def _asked(text: str, cases: Sequence[Case]) -> Row | None:
    if not cases:
        return None
    forms = Counter(case.id.partition(":")[0] for case in cases)
    (most, _), families = forms.most_common(1)[0], {case.family for case in cases}
    glob = f"{most}:*" if len(forms) == 1 or len(families) > 1 else f"{most.partition('.')[0]}.*"
    return Row(text, glob, frozenset(case.id for case in cases), tuple(claims()[case.id] for case in cases))


def seen(row: Row, target: Target | None, records: Sequence[Record]) -> str:
    """Return what records show of a row on a target, or that none does, and on which targets it is validated."""
    found = [cell for record in records for cell in record.cells if cell.case in row.ids]
    here = [cell for cell in found if target and cell.target == target.name]
    what = _summary(here) if here else f"no record of {target}" if target else "no target named"
    return f"{what}; {_validated(row, [cell for cell in found if cells.shows(cell)])}"


def _validated(row: Row, shown: Sequence[Observation]) -> str:
    """Return on which targets some record shows how many of the cases `correct`."""
    if not shown:
        return "unvalidated on silicon"
    count = len({cell.case for cell in shown})
    part = "" if count == len(row.ids) else f"{count} of {len(row.ids)} "
    return f"{part}validated on {', '.join(sorted({cell.target for cell in shown}))} alone"


def _summary(found: Sequence[Observation]) -> str:
    """Return `17 correct native, 1 rejected (ptxas 13.5.37)` of the newest ptxas, or of what else there is."""
    newest = max({cell.toolchain for cell in found}, key=_age)
    words = Counter(f"{c.word} {c.realization or ''}".strip() for c in found if c.toolchain == newest)
    return f"{', '.join(f'{count} {word}' for word, count in words.most_common(3))} ({newest})"


def _age(toolchain: str) -> tuple[bool, list[int]]:
    return toolchain.startswith("ptxas"), [int(part) for part in re.findall(r"\d+", toolchain)]


@cache
def _tokens(case: Case) -> frozenset[str]:
    """Return an opcode's parts, `fence::before_thread_sync` also as `fence`, in lower case."""
    parts = [part for part in case.opcode.lower().split(".") if part]
    return frozenset(parts) | {part.partition("::")[0] for part in parts}


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(token for case in catalogue.expand() for token in _tokens(case))


@cache
def _spelled_cases(text: str) -> tuple[Case, ...]:
    """Return the cases of a spelling; an opcode with more parts than any case (an intrinsic's name) loses its last."""
    opcode, *words = text.lower().split()
    parts = [part for part in re.split(r"[./]", opcode) if part]
    while parts:
        wanted = frozenset(parts) | _meant(words)
        found = tuple(case for case in catalogue.expand() if wanted <= _tokens(case))
        if found or len(parts) <= 2:
            return tuple(case for case in found if _begins(case, parts)) or found
        parts.pop()
    return ()


def _begins(case: Case, parts: Sequence[str]) -> bool:
    """Tell whether an opcode begins with the parts in their order, `tcgen05.fence` also where `::` goes on."""
    return f"{case.opcode.lower()}.".replace("::", ".").startswith(".".join(parts) + ".")


def _meant(words: Sequence[str]) -> frozenset[str]:
    """Return the parts of opcodes that further words mean: `with block scale` is `block_scale`."""
    joined = {f"{one}_{two}" for one, two in itertools.pairwise(words)} & _vocabulary()
    used = {word for pair in joined for word in pair.split("_")}
    parts = {part for word in words for part in re.split(r"[./,]", word)}
    return frozenset(joined | ((parts & _vocabulary()) - used - _PLAIN))


# English words that are opcodes too.
_PLAIN = frozenset(
    ("add", "all", "and", "any", "bar", "exit", "fence", "match", "max", "min", "not", "or", "set", "vote")
)
