"""Facts that rules ask for by name: what claims, targets, releases and limits say of the things read in a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from suite import limits, releases, targets
from suite.explain import rows
from suite.explain.reading import Reading
from suite.explain.rules import Fact, features
from suite.targets import Target


def bearing(reading: Reading) -> tuple[rows.Row, ...]:
    """Return the rows of the opcodes that the text spells, then, unless an assembler speaks, of what its words mean."""
    words = () if reading.messages else features(reading)
    return rows.bearing((*reading.spelled, *words))


def refused(reading: Reading) -> tuple[rows.Row, ...]:
    """Return the rows of the text, those that no target of the chip at hand has first."""
    subject = subject_of(reading)
    return tuple(sorted(bearing(reading), key=lambda row: subject is not None and _somewhere(row, subject)))


def _somewhere(row: rows.Row, target: Target) -> bool:
    return any(row.claimed(other) for other in siblings(target))


def subject_of(reading: Reading) -> Target | None:
    """Return the target that the text is about, None if it names none."""
    return reading.subjects[0] if reading.subjects else None


def siblings(target: Target) -> tuple[Target, ...]:
    """Return the targets of the same chip."""
    return tuple(other for other in targets.ALL if other.capability == target.capability)


def richest(target: Target) -> Target:
    """Return the target of the chip with most: its `a` form where there is one."""
    return max((t for t in siblings(target) if t.suffix != "f"), default=target)


def family(target: Target) -> Target:
    """Return the chip's `f` form where there is one, else the target itself."""
    return next((other for other in siblings(target) if other.suffix == "f"), target)


@cache
def lacking(got: Target, wanted: Target) -> frozenset[str]:
    """Return the cases that the manual claims for `wanted` (a base one stands for its family) and not for `got`."""
    have = rows.having(richest(got)) | rows.having(got)
    return rows.having(wanted if wanted.suffix else family(wanted)) - have


def lacking_between(rich: Target, base: Target) -> frozenset[str]:
    """Return the cases that the manual claims for one target and not for the other, exactly as named."""
    return rows.having(rich) - rows.having(base)


def _names_no_current_target(reading: Reading) -> bool:
    current = releases.ALL[-1].targets
    return bool(reading.names) and not any(name in current for name in reading.names)


def _names_new_target(reading: Reading) -> bool:
    """Hold where some release of the table does not know a target yet: an older one does not, most likely."""
    named = [*reading.names, *(target.name for target in reading.subjects)]
    return any(releases.floor(name) for name in named)


def _suffix_helps(reading: Reading) -> bool:
    """Hold where the target is a base one, and another of its chip has more of what is refused."""
    subject = subject_of(reading)
    if subject is None or subject.suffix:
        return False
    return any(row.claimed(t) > row.claimed(subject) for row in bearing(reading) for t in siblings(subject))


def _chip_lacks(reading: Reading) -> bool:
    """Hold where no target of the chip has one of what is refused; without a chip, where only some targets have it."""
    subject = subject_of(reading)
    if subject is None:
        return any(len(row.targets) < len(targets.ALL) for row in bearing(reading))
    return any(not _somewhere(row, subject) for row in bearing(reading))


def _target_too_old(reading: Reading) -> bool:
    """Hold where the refusal itself asks for a later target than the one that is compiled for."""
    return "requires .target" in reading.text


def _spells_known_opcode(reading: Reading) -> bool:
    return bool(rows.bearing(reading.spelled))


def _version_below_floor(reading: Reading) -> bool:
    floors = [floor for target in reading.subjects if (floor := releases.floor(target.name))]
    return bool(floors and reading.ptx) and max(reading.ptx) < max(floors)


def _more_than_the_limit(reading: Reading) -> bool:
    limit = shared_limit(reading)
    return limit is not None and any(size > limit for size in reading.sizes)


def shared_limit(reading: Reading) -> int | None:
    """Return the shared memory, bytes, that a block of the chip at hand may have; None without a chip that is known."""
    subject = subject_of(reading)
    return limits.SHARED_OPT_IN.get(subject.capability) if subject else None


def compared(reading: Reading) -> tuple[Target, tuple[Target, ...]] | None:
    """Return the target at hand and those that a check accepts, None where the text names not both."""
    got = subject_of(reading)
    wanted = tuple(target for target in reading.wanted if target != got)
    return (got, wanted) if got and wanted else None


def is_range(reading: Reading) -> bool:
    """Tell whether the accepted targets are the ends of a range."""
    return "Minimum and Maximum" in reading.text


def _gate_justified(reading: Reading) -> bool:
    """Hold where every accepted target has something that the target at hand lacks."""
    both = compared(reading)
    if both and is_range(reading):
        return False
    return both is not None and all(lacking(both[0], wanted) for wanted in both[1])


def _gate_narrow(reading: Reading) -> bool:
    """Hold where the target has all of one that is accepted, or, without a list, all that words of the text mean."""
    both = compared(reading)
    if both and is_range(reading):
        return runs_here(both[0], both[1])
    if both:
        return any(not lacking(both[0], wanted) for wanted in both[1])
    subject = subject_of(reading)
    found = bearing(reading)
    return subject is not None and bool(found) and all(row.claimed(richest(subject)) for row in found)


def _no_listed_code_runs(reading: Reading) -> bool:
    both = compared(reading)
    return both is not None and not runs_here(*both)


def runs_here(got: Target, built: Iterable[Target]) -> bool:
    """Tell whether code of one of the targets may load on the chip."""
    return any(target.runs_on(got.capability) for target in built)


FACTS: Mapping[str, Fact] = {
    "names_no_current_target": _names_no_current_target,
    "names_new_target": _names_new_target,
    "suffix_helps": _suffix_helps,
    "chip_lacks": _chip_lacks,
    "target_too_old": _target_too_old,
    "spells_known_opcode": _spells_known_opcode,
    "version_below_floor": _version_below_floor,
    "more_than_the_limit": _more_than_the_limit,
    "gate_justified": _gate_justified,
    "gate_narrow": _gate_narrow,
    "no_listed_code_runs": _no_listed_code_runs,
}
