"""The facts that bear on a text, as lines: rows of the matrix, assemblers, versions, loads, limits, checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby

from suite import limits, releases, targets
from suite.claims import PtxVersion
from suite.explain import facts
from suite.explain.reading import Reading
from suite.explain.rows import Row, seen
from suite.record import Record
from suite.releases import Release
from suite.targets import Target

MOST_ROWS = 3
_GUIDE = "CUDA programming guide; not measured here"


def lines(show: str, reading: Reading, records: Sequence[Record]) -> list[str]:
    """Return the lines of one kind of fact, none where the text gives nothing to look up."""
    return list(_KINDS[show](reading, records))


def short(names: Sequence[Target]) -> str:
    """Return targets in few characters: `sm_100a/f, 103a/f`; `sm_90 (all)` where every suffix is meant."""
    if not names:
        return "no target"
    if list(names) == [t for t in targets.ALL if t.number >= names[0].number]:
        return f"sm_{names[0].number} and later"
    return "sm_" + ", ".join(_chip(list(same)) for _, same in groupby(names, lambda target: target.number))


def _chip(same: Sequence[Target]) -> str:
    suffixes = [target.suffix for target in same]
    if len(same) > 1 and len(same) == len(facts.siblings(same[0])):
        return f"{same[0].number} (all)"
    return f"{same[0].number}{'/'.join(suffix or 'base' for suffix in suffixes) if suffixes != [''] else ''}"


def _rows(reading: Reading, records: Sequence[Record]) -> Iterator[str]:
    subject = facts.subject_of(reading)
    found = facts.refused(reading)
    for row in found[:MOST_ROWS]:
        yield f"{_name(row)}: {_claimed(row, subject)}; {seen(row, subject, records)}"
    if len(found) > MOST_ROWS:
        yield f"and of {', '.join(row.spelled for row in found[MOST_ROWS:])}"


def _name(row: Row) -> str:
    """Return what was spelled and which cases it means."""
    within = "of" if all(fnmatchcase(case, row.glob) for case in row.ids) else "as in"
    return f"{row.spelled} ({len(row.ids)} case{'s' * (len(row.ids) > 1)} {within} {row.glob})"


def _claimed(row: Row, subject: Target | None) -> str:
    """Return what the manual says of the row: for the target at hand, and elsewhere."""
    where = f"{row.cited}: {short(row.targets)}"
    if subject is None:
        return where
    count = row.claimed(subject)
    part = (
        "not claimed"
        if not count
        else "claimed"
        if count == len(row.claims)
        else f"{count} of {len(row.claims)} claimed"
    )
    return f"{part} for {subject} ({where})"


def _accepts(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    """Yield which targets of the chip, or else of which chips, take what was refused, and from which toolkit on."""
    subject = facts.subject_of(reading)
    for row in facts.refused(reading)[:1]:
        near = [t for t in row.targets if subject and t.capability == subject.capability and t != subject]
        taken = near or list(row.targets)
        known = [toolkit for target in taken if (toolkit := _first(row, target))]
        first = f", taken by ptxas from {min(known, key=_number)} on" if known else ""
        none = f"; no target of {subject.major}.{subject.minor}" if subject and not near else ""
        yield f"by the manual {short(taken)}{first}{none}"


def _first(row: Row, target: Target) -> str:
    """Return the first toolkit that knows the target and some case's `.version` there, empty where none is known."""
    versions = [least for claim in row.claims if (least := claim.minimum(target))]
    takes = releases.taking(min(versions)) if versions else None
    knows = releases.knowing(target.name)[:1]
    return max(takes.toolkit, knows[0].toolkit, key=_number) if takes and knows else ""


def _assemblers(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    named = [*reading.names, *(target.name for target in reading.subjects)]
    for name in list(dict.fromkeys(named))[:2]:
        known = releases.knowing(name)
        if not known:
            yield f"{name}: no ptxas from {releases.ALL[0].toolkit} to {releases.ALL[-1].toolkit} knows it"
        elif known[-1] is not releases.ALL[-1]:
            renamed = f"; it is {releases.RENAMED[name]} since" if name in releases.RENAMED else ""
            yield f"{name}: ptxas {_span(known)}, dropped after{renamed}"
        else:
            yield f"{name}: ptxas {_span(known)}"


def _span(known: Sequence[Release]) -> str:
    """Return `12.9 (.version 8.8) and later`, or up to which release."""
    first, last = known[0], known[-1]
    start = (
        f"{first.toolkit} (.version {_text(first.ptx)})" if first is not releases.ALL[0] else f"before {first.toolkit}"
    )
    return f"{start} and later" if last is releases.ALL[-1] else f"{start} to {last.toolkit}"


def _versions(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    if reading.ptx:
        newest = max(reading.ptx)
        release = releases.taking(newest)
        takes = f"CUDA {release.toolkit}{_branch(release)} or later" if release else "no release in the table"
        yield f".version {_text(newest)}: taken by {takes}"
    for target in reading.subjects[:1]:
        floor = releases.floor(target.name)
        if floor:
            yield f"{target}: needs .version {_text(floor)} or higher"
    for driver in reading.drivers[:1]:
        release = releases.ceiling(driver)
        if release:
            yield f"driver {driver}: compiles PTX up to .version {_text(release.ptx)} (CUDA {release.toolkit})"
    if not reading.ptx and not reading.drivers:
        yield ", ".join(
            f"driver {r.driver} to .version {_text(r.ptx)}" for r in releases.ALL if r.driver and r.driver >= 570
        )


def _since(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    """Yield from which `.version` on, and so which ptxas, the newest form of what is spelled is claimed."""
    for row in facts.bearing(reading)[:1]:
        newest = max(support.ptx for claim in row.claims for support in claim.supports)
        release = releases.taking(newest)
        takes = f"ptxas {release.toolkit} or later takes it" if release else "no ptxas in the table takes it"
        yield f"by the manual the newest form of {row.spelled} needs .version {_text(newest)}: {takes}"


def _branch(release: Release) -> str:
    return f" (driver {release.driver})" if release.driver else ""


def _loads(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    subject = facts.subject_of(reading)
    if subject is None:
        return
    native = [t for t in targets.ALL if t.runs_on(subject.capability)]
    chip = f"{subject.major}.{subject.minor}"
    yield f"a {chip} GPU may load cubins of {short(native)}, and PTX of base targets up to sm_{subject.number}"
    built = [target for target in reading.wanted if target.capability != subject.capability]
    if built:
        fits = [target for target in built if target.runs_on(subject.capability)]
        yield f"the text lists {short(built)}: " + (
            f"{short(fits)} may load" if fits else "no cubin of these loads here"
        )


def _suffix(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    for subject in reading.subjects[:1] or reading.wanted[:1]:
        base = Target(*subject.capability)
        rich = facts.richest(subject)
        if rich != base:
            lost = len(facts.lacking_between(rich, base))
            yield f"{base} has {lost} cases fewer than {rich} by the manual; __CUDA_ARCH__ is the same for both"


def _limits(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    subject, limit = facts.subject_of(reading), facts.shared_limit(reading)
    asked = max(reading.sizes, default=0)
    if subject and limit:
        over = f"; the text asks for {asked}" if asked > limit else ""
        yield f"{subject.major}.{subject.minor}: at most {limit} bytes of shared memory a block{over} ({_GUIDE})"
    elif not subject:
        by_size = sorted((size, chip) for chip, size in limits.SHARED_OPT_IN.items())
        groups = groupby(by_size, lambda item: item[0])
        said = "; ".join(f"{size} on {', '.join(f'{c[0]}.{c[1]}' for _, c in same)}" for size, same in groups)
        yield f"most bytes of shared memory a block: {said} ({_GUIDE})"


def _gate(reading: Reading, _: Sequence[Record]) -> Iterator[str]:
    both = facts.compared(reading)
    if both is None:
        if not facts.bearing(reading):
            yield "the text names not both the target at hand and those accepted, nor an instruction; --target adds one"
        return
    got, wanted = both
    if facts.is_range(reading):
        fits = [target for target in wanted if target.runs_on(got.capability)]
        yield f"cubins of {short(fits)} may load on a {got.major}.{got.minor} GPU; that is a rule, not a run"
        return
    best = min(wanted, key=lambda target: len(facts.lacking(got, target)))
    forms = Counter(case.partition(":")[0] for case in facts.lacking(got, best))
    missing = [form for form, _ in forms.most_common()]
    have, best = facts.richest(got), best if best.suffix else facts.family(best)
    if missing:
        count = len(facts.lacking(got, best))
        yield f"{have} lacks {count} of the cases claimed for {best}, such as {', '.join(missing[:3])}"
    else:
        yield f"every case claimed for {best} is claimed for {have} too; that is the manual's word, not a run"


def _text(version: PtxVersion) -> str:
    return f"{version[0]}.{version[1]}"


def _number(toolkit: str) -> tuple[int, ...]:
    return tuple(int(part) for part in toolkit.split("."))


_KINDS: Mapping[str, Callable[[Reading, Sequence[Record]], Iterator[str]]] = {
    "rows": _rows,
    "accepts": _accepts,
    "assemblers": _assemblers,
    "versions": _versions,
    "since": _since,
    "loads": _loads,
    "suffix": _suffix,
    "limits": _limits,
    "gate": _gate,
}
