"""What records show, in words: what a target has and lacks, what is emulated, disagrees, is unvalidated, was not asked.

A table holds, for one toolchain, a set of cases for each target and fact; sets are integers, a bit a case, so that any
two targets compare in no time. A statement carries the page's filter that shows its cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.cells import Cell, shows
from reports.diff import ACCEPTED

LONGEST = 6  # names in one sentence; the rest is counted

FACTS = (
    "asked",
    "accepted",
    "correct",
    "failed",
    *("native", "emulated", "call", "elided"),
    "disagrees",
    "waived",
    "stale",
)
FAILED = tuple(word for word in ACCEPTED if word not in ("assembled", "correct"))

Sets = Mapping[str, int]


@dataclass(frozen=True)
class Table:
    """Facts of one toolchain: `sets[target][fact]` and `families[name]` are sets of cases, a bit a case.

    Facts are those of `FACTS`; `stale` is a cell whose kernel is an older one of its case. `validated` holds the cases
    that are `correct` on some hardware; `reasons[target]` counts cells by the stage and reason that ended them.
    """

    toolchain: str
    families: Mapping[str, int]
    sets: Mapping[str, Sets]
    validated: int
    reasons: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One sentence about a target: `kind` sorts them, `filters` is the page's state that shows the cases behind it."""

    kind: str
    text: str
    filters: Mapping[str, str] = field(default_factory=dict)


def table(toolchain: str, cells: Iterable[Cell]) -> Table:
    """Return the facts of one toolchain's cells, as `reports.cells.merge` returns them."""
    numbers: dict[str, int] = {}
    families: Counter[str] = Counter()
    sets: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[tuple[str, str]]] = {}
    validated = 0
    for cell in (cell for cell in cells if cell.seen.toolchain == toolchain):
        seen = cell.seen
        bit = 1 << numbers.setdefault(seen.case, len(numbers))
        families[seen.family] |= bit
        found = sets.setdefault(seen.target, Counter())
        for name in facts_of(seen.word, seen.realization, seen.agreement, shown=shows(seen)):
            found[name] |= bit
        validated |= bit if cell.validated_on else 0
        if seen.not_asked:
            reasons.setdefault(seen.target, Counter())[seen.not_asked.stage, seen.not_asked.reason] += 1
    return Table(toolchain, families, sets, validated, reasons)


def facts_of(word: str, realization: str | None, agreement: str, *, shown: bool) -> tuple[str, ...]:
    """Return the names, of `FACTS`, that hold of a cell; `shown` says that it is `correct` and shows it in memory."""
    accepted = ("accepted",) if word in ACCEPTED else ()
    failed = ("failed",) if word in FAILED else ()
    correct = ("correct",) if shown else ()
    return ("asked", *accepted, *failed, *correct, *((realization,) if realization else ()), agreement)


def overview(found: Table, target: str) -> list[Statement]:
    """Return what the table says of a target, one sentence a statement, in the order in which people ask."""
    here = found.sets[target]
    others = {name: sets for name, sets in found.sets.items() if name != target}
    parts = (_has, _lacks, _beyond, _against, _realized, _disagrees, _unvalidated)
    said = [statement for part in parts for statement in part(found, target, here, others)]
    return said + list(_not_asked(found, target))


def by_family(found: Table, cases: int) -> Counter[str]:
    """Return how many of these cases each family has, families without any left out."""
    counts = Counter({name: (members & cases).bit_count() for name, members in found.families.items()})
    return +counts


def _get(sets: Sets, name: str) -> int:
    return sets.get(name, 0)


def _has(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    asked, accepted, correct = (_get(here, name) for name in ("asked", "accepted", "correct"))
    families = f"{len(by_family(found, accepted))} of {len(by_family(found, asked))} families"
    share = f"{accepted.bit_count():,} of {_cases(asked)} ({_percent(accepted, asked)})"
    yield Statement("has", f"{found.toolchain} accepts {share} for {target}, of {families}.", {"targets": target})
    if correct:
        text = f"{_cases(correct)} ran here and gave the manual's result in every bit."
        yield Statement("has", text, {"targets": target, "proof": "validated here"})
    failed = _get(here, "failed")
    if failed:
        text = (
            f"{_cases(failed)} did not come through on hardware: refused by the driver, faulted, hung, flaky or wrong: "
        )
        text += _list(by_family(found, failed)) + "."
        yield Statement("has", text, {"targets": target, "words": ",".join(FAILED)})


def _lacks(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    """Say which families are wholly and which partly missing here though another target has them."""
    accepted = _get(here, "accepted")
    anywhere = _union(_get(sets, "accepted") for sets in others.values())
    missing = anywhere & ~accepted & _get(here, "asked")
    counts, kept = by_family(found, missing), by_family(found, accepted)
    whole = Counter({name: count for name, count in counts.items() if name not in kept})
    partly = counts - whole
    if whole:
        where = {name: _who(found, name, missing, others) for name in whole}
        names = [f"{name} ({_plural(count)}, {where[name]})" for name, count in whole.most_common()]
        text = f"It has nothing of {_join(names)}."
        yield Statement("lacks", text, {"targets": target, "families": ",".join(whole), "words": "rejected"})
    if partly:
        lacking = _cases(_of(found, partly, missing))
        text = f"Of other families it lacks {lacking} that another target has: {_list(partly)}."
        yield Statement("lacks", text, {"families": ",".join(partly), "words": "rejected", "targets": target})
    if others and not counts:
        yield Statement("lacks", "It lacks nothing that another of these targets has.")


def _beyond(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    alone = _get(here, "accepted") & ~_union(_get(sets, "accepted") for sets in others.values())
    if others and alone:
        counts = by_family(found, alone)
        text = f"No other of these {len(found.sets)} targets accepts {_cases(alone)} that it has: {_list(counts)}."
        yield Statement("beyond", text, {"families": ",".join(counts), "words": "assembled,correct"})


def _against(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    mine = _get(here, "accepted")
    for name, sets in others.items():
        both = _get(here, "asked") & _get(sets, "asked")
        theirs = _get(sets, "accepted")
        fewer, more = theirs & ~mine & both, mine & ~theirs & both
        pair = {"targets": f"{target},{name}", "differs": "1"}
        if not fewer and not more:
            yield Statement("against", f"{name}: accepts the same {_cases(mine & both)}.", pair)
            continue
        lost = f"lacks {fewer.bit_count():,} ({_list(by_family(found, fewer))})" if fewer else "lacks nothing"
        won = (
            f"has {more.bit_count():,} that {name} lacks ({_list(by_family(found, more))})" if more else "adds nothing"
        )
        yield Statement("against", f"{name}: against it, {target} {lost} and {won}.", pair)


# A fact, and what is said of one case and of several that have it.
_REALIZED = (
    ("emulated", "is emulated", "are emulated", "by other opcodes than the instruction's own"),
    ("call", "calls a routine", "call a routine", "of the toolchain or the driver"),
    ("elided", "leaves no code", "leave no code", "at all"),
)
_DISAGREES = (
    ("disagrees", "disagrees", "disagree", "with the manual"),
    ("waived", "disagrees", "disagree", "for a reason that a waiver gives"),
)


def _realized(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    for name, one, several, how in _REALIZED:
        cases = _get(here, name)
        if cases:
            said = f"{_cases(cases)} {_verb(cases, one, several)} {how}: {_list(by_family(found, cases))}."
            yield Statement("realized", said, {"targets": target, "realizations": name})
    if not any(_get(here, name) for name, *_ in _REALIZED) and _get(here, "accepted"):
        yield Statement("realized", "Everything it accepts has an opcode of its own.")


def _disagrees(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    for name, one, several, how in _DISAGREES:
        cases = _get(here, name)
        if cases:
            said = f"{_cases(cases)} {_verb(cases, one, several)} {how}: {_list(by_family(found, cases))}."
            yield Statement("disagrees", said, {"targets": target, "agreements": name})
    if not _get(here, "disagrees") and not _get(here, "waived"):
        yield Statement("disagrees", "Nothing disagrees with the manual.")


def _unvalidated(found: Table, target: str, here: Sets, others: Mapping[str, Sets]) -> Iterator[Statement]:
    accepted, correct = _get(here, "accepted"), _get(here, "correct")
    proven = found.validated & ~_get(here, "stale")
    elsewhere, never = accepted & proven & ~correct, accepted & ~proven & ~correct
    if elsewhere:
        text = f"{_cases(elsewhere)} ran right on other hardware only, with this very kernel; that proves the harness, "
        text += f"not {target}."
        yield Statement("unvalidated", text, {"targets": target, "proof": "validated elsewhere"})
    if never:
        text = f"{_cases(never)} {_verb(never, 'has', 'have')} run right nowhere: {_list(by_family(found, never))}. "
        text += "Of these the page knows what the assembler does, and nothing about silicon."
        yield Statement("unvalidated", text, {"targets": target, "proof": "unvalidated"})
    if accepted and not never and not elsewhere:
        yield Statement("unvalidated", "Everything it accepts is validated here.")


def _not_asked(found: Table, target: str) -> Iterator[Statement]:
    for (stage, reason), count in sorted(found.reasons.get(target, {}).items(), key=lambda item: -item[1]):
        shown = {"targets": target, "q": f'"{reason}"'}
        yield Statement("not asked", f"{_plural(count)} ended before {stage}: {reason}.", shown)


def _who(found: Table, family: str, missing: int, others: Mapping[str, Sets]) -> str:
    """Return which targets have most of a family's missing cases, and how many."""
    wanted = found.families[family] & missing
    have = {name: (_get(sets, "accepted") & wanted).bit_count() for name, sets in others.items()}
    most = max(have.values())
    share = "all" if most == wanted.bit_count() else f"{most:,}"
    return f"{share} on {_join([name for name, count in have.items() if count == most], 'more', 3)}"


def _of(found: Table, families: Iterable[str], cases: int) -> int:
    return _union(found.families[name] for name in families) & cases


def _union(sets: Iterable[int]) -> int:
    every = 0
    for one in sets:
        every |= one
    return every


def _cases(cases: int) -> str:
    return _plural(cases.bit_count())


def _plural(count: int) -> str:
    return f"{count:,} {'case' if count == 1 else 'cases'}"


def _verb(cases: int, one: str, several: str) -> str:
    return one if cases.bit_count() == 1 else several


def _percent(part: int, whole: int) -> str:
    return f"{100 * part.bit_count() / max(1, whole.bit_count()):.0f} %"


def _list(counts: Counter[str]) -> str:
    return _join([f"{name} {count:,}" for name, count in counts.most_common()])


def _join(names: Sequence[str], rest: str = "others", longest: int = LONGEST) -> str:
    shown = list(names[:longest])
    return ", ".join(shown) + (f" and {len(names) - len(shown)} {rest}" if len(names) > len(shown) else "")
