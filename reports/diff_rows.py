"""The changes between two sides folded: counts by family, and one row for cases of a form that changed alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reports.diff import CHANGES, Change, refusal
from reports.folding import describe, form_of
from suite.model import Observation

MOST_TEXTS = 3  # different messages of a form up to which each has a row
MOST_OPCODES = 3  # of a cell that a row names
_ASKED_ONCE = ("only before", "only after")

Texts = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """Cases of a form that changed alike: which, where, and what each side says."""

    kind: str
    family: str
    form: str
    cases: str
    count: int
    places: tuple[str, ...]
    before: str
    after: str
    example: str


@dataclass
class _Group:
    """Cells of a form that changed alike, by place."""

    cases: dict[str, list[str]] = field(default_factory=dict)
    example: str = ""
    opcodes: Texts = ("", "")
    registers: set[int] = field(default_factory=set)
    instructions: set[int] = field(default_factory=set)


@dataclass
class Folded:
    """All changes of two sides: by (family, kind) their number, in families also what realizations became; the rows."""

    families: dict[str, Counter[str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    total: Counter[str] = field(default_factory=Counter)


def fold(changes: Iterable[Change]) -> Folded:
    """Return the changes folded; what did not change is counted alone."""
    folded = Folded()
    groups: dict[tuple[str, str], dict[Texts, _Group]] = {}
    asked: dict[tuple[str, str], dict[str, None]] = {}
    for change in changes:
        form = form_of(change.seen.case)
        _count(folded, change)
        asked.setdefault((form, change.place), {})[change.seen.case] = None
        if change.kind in CHANGES or change.kind in _ASKED_ONCE:
            named = change.seen.family if change.kind == "code changed" else form
            _add(groups.setdefault((change.kind, named), {}), change)
    for (kind, form), found in groups.items():
        folded.rows += _rows(kind, form, _few(found), asked)
    order = {kind: number for number, kind in enumerate((*CHANGES, *_ASKED_ONCE))}
    folded.rows.sort(key=lambda row: order[row.kind])
    return folded


def _count(folded: Folded, change: Change) -> None:
    family = folded.families.setdefault(change.seen.family, Counter())
    folded.total[change.kind] += 1
    family[change.kind] += 1
    if change.kind == "realization changed" and change.after:
        family[f"now {change.after.realization}"] += 1


def _add(found: dict[Texts, _Group], change: Change) -> None:
    group = found.setdefault((_say(change.kind, change.before), _say(change.kind, change.after)), _Group())
    group.cases.setdefault(change.place, []).append(change.seen.case)
    if not group.example:
        group.example, group.opcodes = f"{change.seen.case}@{change.seen.target}", _opcodes(change)
    if change.kind == "code changed" and change.before and change.after:
        group.registers.add(change.after.registers - change.before.registers)
        group.instructions.add(change.after.instructions - change.before.instructions)


def _few(found: dict[Texts, _Group]) -> dict[Texts, _Group]:
    """Return the groups; where a form has more messages than a reader wants, those of one class of answer as one."""
    if len(found) <= MOST_TEXTS:
        return found
    fewer: dict[Texts, _Group] = {}
    for texts, group in found.items():
        short = (texts[0].partition(":")[0], texts[1].partition(":")[0])
        into = fewer.setdefault(short, _Group(example=group.example, opcodes=group.opcodes))
        for place, cases in group.cases.items():
            into.cases.setdefault(place, []).extend(cases)
    return fewer


def _rows(
    kind: str, form: str, found: dict[Texts, _Group], asked: dict[tuple[str, str], dict[str, None]]
) -> Iterable[Row]:
    for texts, group in found.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for place, ids in group.cases.items():
            alike.setdefault(tuple(ids), []).append(place)
        if kind == "code changed":
            yield _code_row(form, group)
            continue
        for cases, places in alike.items():
            which = describe(cases, asked[form, places[0]])
            before, after = (": ".join(filter(None, both)) for both in zip(texts, group.opcodes, strict=True))
            count = len(cases) * len(places)
            yield Row(kind, form.partition(".")[0], form, which, count, tuple(places), before, after, group.example)


def _code_row(family: str, group: _Group) -> Row:
    count = sum(map(len, group.cases.values()))
    forms = {form_of(case) for cases in group.cases.values() for case in cases}
    said = f"{len(forms)} forms" if len(forms) > 1 else min(forms)
    after = f"registers {_span(group.registers)}, instructions {_span(group.instructions)}"
    return Row("code changed", family, said, f"{count} cells", count, tuple(group.cases), "", after, group.example)


def _span(values: set[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:+d}" if low == high else f"{low:+d} to {high:+d}"


def _say(kind: str, cell: Observation | None) -> str:
    """Return what a row says of a side: the word, and how it is done or what was said of it."""
    if cell is None or kind == "code changed" or kind in _ASKED_ONCE:
        return ""
    if cell.word in ("rejected", "unaskable"):
        return f"{cell.word}: {refusal(cell)}".removesuffix(" on .target 'sm_…'").rstrip(": ")
    return f"{cell.word} {cell.realization or ''}".rstrip()


def _opcodes(change: Change) -> Texts:
    """Return what telling opcodes each side has that the other has not, where the realization changed."""
    if change.kind != "realization changed" or change.before is None or change.after is None:
        return ("", "")
    old, new = change.before.opcodes, change.after.opcodes
    return (_telling([name for name in old if name not in new]), _telling([name for name in new if name not in old]))


def _telling(names: Sequence[str]) -> str:
    said = sorted(names, key=lambda name: (bool(_CARRIERS.match(name)), not name.startswith("_")))
    return " ".join(said[:MOST_OPCODES]) + (" …" if len(said) > MOST_OPCODES else "")


# Opcodes that carry operands and control around an instruction, and tell nothing of it.
_CARRIERS = re.compile(
    "(BAR|BRA|BSSY|BSYNC|CALL|CS2R|ELECT|EXIT|IADD3|IMAD|ISETP|LDC|LDG|LEA|LOP3|MOV|NOP|PLOP3|PRMT|R2UR|RET|S2R|S2UR|SEL"
    "|SHF|UIADD3|ULEA|ULOP3|UMOV|UPRMT|USEL|VOTE|VOTEU|WARPSYNC)([.]|$)"
)
