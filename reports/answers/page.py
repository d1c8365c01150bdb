"""Answers as a page: each claim, what records say to its parts, the rows behind it, and how to repeat or close it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reports.answers.claims import LEVELS, Claim, Part
from reports.answers.settle import Answer, judge
from reports.columns import newest
from reports.tables import cell
from suite.record import Record

SCHEMA = "ptxproof.answers/1"
MOST_PLACES = 6

Settled = Sequence[tuple[Claim, list[Answer]]]

_INTRODUCTION = """\
# Answers

What the field claims, held against records. `confirmed` and `refuted` are said at a level of evidence, and no further:
**assembler** (accepted or refused by ptxas), **SASS** (what the machine code does), **hardware** (it ran, and its bits
were compared). `open` says what is missing. One cell that speaks against "every" refutes it. Of several toolchains the
newest decides; an older one that says otherwise is named. `correct` counts where memory shows the
effect. This page is generated, its verdicts are computed: `python -m suite answers RECORD… -o docs/answers.md`; the
claims are data, in `reports/answers/claims.toml`.
"""

_CLOSING = """\
## Closing what is open

Who has the chip closes a part with one record, from a checkout, without any assembler if need be:

```
make sanity                                                         # is this machine fit to be asked?
python -m suite run --arch native --record mine.jsonl               # every case; or the part's own command above
python -m suite answers mine.jsonl reports/records                  # what it settles
```

Send the record as a pull request that adds it to `reports/records/` as `GPU_driver-VERSION_ptxas-VERSION.jsonl`. It
names GPU, driver and toolchain, and neither machine nor owner.
"""


def to_markdown(settled: Settled, records: Iterable[Record]) -> str:
    """Return the page."""
    lines = [_INTRODUCTION, *_overview(settled), "", *_sources(records), ""]
    for claim, answers in settled:
        lines += _claim(claim, answers)
    return "\n".join([*lines, _CLOSING])


def to_data(settled: Settled) -> dict[str, Any]:
    """Return the answers as plain data."""
    return {"schema": SCHEMA, "claims": [_claim_data(claim, answers) for claim, answers in settled]}


def verdict(answers: Sequence[Answer], level: str) -> str:
    """Return a claim's verdict at a level: refuted where a part is, else open where one is, empty where none is.

    `in part` stands behind it where another part is confirmed.
    """
    found = {answer.verdict for answer in answers if answer.part.level == level}
    word = next((word for word in ("refuted", "open", "confirmed") if word in found), "")
    return f"{word} in part" if "confirmed" in found and word != "confirmed" else word


def _overview(settled: Settled) -> list[str]:
    lines = ["| # | claim | " + " | ".join(LEVELS) + " |", "|" + " --- |" * (2 + len(LEVELS))]
    for claim, answers in settled:
        said = [verdict(answers, level) for level in LEVELS]
        words = [f"**{word}**" if word.startswith(("confirmed", "refuted")) else word for word in said]
        lines.append(f"| [{claim.number}](#{claim.number}) | {cell(claim.text)} | " + " | ".join(words) + " |")
    return lines


def _sources(records: Iterable[Record]) -> list[str]:
    lines = ["| record | began | cells | GPU | catalogue |", "| --- | --- | --- | --- | --- |"]
    for record in records:
        head, gpu = record.header, record.header.get("gpu") or {}
        device = f"{gpu['name']}, driver {gpu['driver']}" if gpu else "none"
        cut = "" if record.complete else " (cut short)"
        began, catalogue = str(head.get("started", ""))[:10], head.get("catalogue", "")
        lines.append(f"| {record.path.name}{cut} | {began} | {len(record.cells)} | {device} | {catalogue} |")
    return lines


def _claim(claim: Claim, answers: Sequence[Answer]) -> Iterator[str]:
    yield f'<a id="{claim.number}"></a>'
    yield ""
    yield f"## {claim.number}. {claim.text}"
    yield ""
    for answer in answers:
        yield f"- {answer.part.level}, **{answer.verdict}**: {answer.part.says}."
        for line in filter(None, (_why(answer), _behind(answer), *_others(answer), _repeat(answer))):
            yield f"  - {line}"
    yield ""


def _why(answer: Answer) -> str:
    if not answer.tallies:
        return answer.why
    speaks = answer.part.check == "none"  # then a cell that holds is what speaks against it
    against = {target: tally.examples[speaks] for (_, target), tally in _deciding(answer).items()}
    targets = [target for target, examples in against.items() if examples]
    if answer.verdict != "refuted" or not targets:
        return answer.why
    where = ", ".join(targets) if len(targets) <= MOST_PLACES else f"{len(targets)} targets"
    return f"{answer.why}; against it, on {where}: `{against[targets[0]][0]}`"


def _behind(answer: Answer) -> str:
    """Return the rows, targets and words behind an answer."""
    if not answer.tallies:
        return ""
    words: Counter[str] = Counter()
    for tally in _deciding(answer).values():
        words.update(tally.words)
    targets = list(dict.fromkeys(target for _, target in _deciding(answer)))
    where = ", ".join(targets) if len(targets) <= MOST_PLACES else f"{len(targets)} targets"
    said = ", ".join(f"{count} {word}" for word, count in words.most_common(4))
    return f"{_rows(answer.part)} on {where}, {answer.toolchain}: {said}"


def _rows(part: Part) -> str:
    rows = " ".join(f"`{glob}`" for glob in part.cases) or "the targets known"
    spelled = f" spelled {' '.join(f'`{glob}`' for glob in part.opcodes)}" if part.opcodes else ""
    return rows + spelled + (f" but {' '.join(f'`{glob}`' for glob in part.but_opcodes)}" if part.but_opcodes else "")


def _others(answer: Answer) -> Iterator[str]:
    """Yield what other toolchains say: that they say the same, and each that does not."""
    by: dict[str, list[int]] = {}
    for (toolchain, _), tally in answer.tallies.items():
        counts = by.setdefault(toolchain, [0, 0])
        counts[0], counts[1] = counts[0] + tally.holds, counts[1] + tally.fails
    if answer.part.level == "hardware" or len(by) < 2:
        return
    own = judge(answer.part.check, *by[answer.toolchain])
    said = {toolchain: judge(answer.part.check, *counts) for toolchain, counts in by.items()}
    same = [name for name, word in said.items() if word == own and name != answer.toolchain]
    if same:
        yield f"the same by {', '.join(same)}"
    for toolchain, word in said.items():
        if word != own:
            holds, fails = by[toolchain]
            yield f"{toolchain} differs: {holds} of {holds + fails} cells"


def _repeat(answer: Answer) -> str:
    """Return the command that asks again, or that would close the part."""
    part = answer.part
    if part.lacks or not part.cases:
        return ""
    cases = " ".join(f"--case '{glob}'" for glob in part.cases)
    if part.level == "hardware":
        chips = ", ".join(dict.fromkeys(name.rstrip("af") for name in part.wanted))
        todo = "" if answer.verdict != "open" else f"to close it, on {chips}: "
        return f"{todo}`python -m suite run --arch native {cases} --record mine.jsonl`"
    targets = (
        "all" if len(part.wanted) > MOST_PLACES else ",".join(dict.fromkeys((*part.wanted, *filter(None, [part.same]))))
    )
    named = f" --toolchain {answer.toolchain.removeprefix('ptxas ')}" if answer.toolchain else ""
    return f"`python -m suite run --arch {targets}{named} {cases}`"


def _deciding(answer: Answer) -> dict[tuple[str, str], Any]:
    everywhere = answer.part.level == "hardware"
    return {at: tally for at, tally in answer.tallies.items() if everywhere or at[0] == answer.toolchain}


def _claim_data(claim: Claim, answers: Sequence[Answer]) -> dict[str, Any]:
    levels = {level: verdict(answers, level) or None for level in LEVELS}
    return {"number": claim.number, "claim": claim.text, "verdicts": levels, "parts": list(map(_part_data, answers))}


def _part_data(answer: Answer) -> dict[str, Any]:
    toolchains = sorted({toolchain for toolchain, _ in answer.tallies})
    return {
        "level": answer.part.level,
        "says": answer.part.says,
        "verdict": answer.verdict,
        "why": answer.why,
        "cases": list(answer.part.cases),
        "decided_by": newest(toolchains) if toolchains else None,
        "toolchains": toolchains,
        "columns": [
            {"toolchain": toolchain, "target": target, "holds": tally.holds, "fails": tally.fails}
            for (toolchain, target), tally in answer.tallies.items()
        ],
        "repeat": _repeat(answer) or None,
    }
