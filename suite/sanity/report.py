"""What a sanity check prints: one summary line, then the findings worst first; or all of it as one JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from suite.sanity.model import SCHEMA, SEVERITIES, VERDICTS, Finding, Ran, Report, worst_first

_SAYS = {"fit": "FIT", "unfit": "NOT FIT", "unjudged": "COULD NOT JUDGE"}


def summary(report: Report) -> str:
    """Return the one line: verdict, what was looked at, and how many findings of each severity."""
    counts = Counter(finding.severity for finding in report.findings)
    found = ", ".join(f"{counts[name]} {name}" for name in SEVERITIES if counts[name]) or "nothing found"
    names = Counter(str(gpu["device"]["name"]) for gpu in report.gpus)
    gpus = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in names.items())
    return f"sanity: {_SAYS[report.verdict]}: {report.target or gpus or 'no GPU judged'}; {found}; {_worst(report)}"


def _worst(report: Report) -> str:
    first = next(iter(worst_first(report.findings)), None)
    if first is None or first.severity not in ("unfit", "unjudged"):
        return f"level {report.level}"
    return f"{first.where + ': ' if first.where else ''}{first.says}"


def lines(report: Report) -> Iterator[str]:
    """Yield what is printed."""
    yield summary(report)
    for finding in worst_first(report.findings):
        yield from _finding(finding)
    for gpu in report.gpus:
        yield from _gpu(gpu)
    for peer in report.peers:
        access = "direct" if peer["access"] else "through the host"
        yield f"gpu {peer['from']} to gpu {peer['to']}: {peer['median']:g} GB/s, {access}"
    slow = sum(ran.seconds for ran in report.steps)
    yield f"{len(report.steps)} steps, {slow:.1f} s of processes" if report.steps else "no steps were run"
    for path in report.records:
        yield f"record: {path}"


def _finding(finding: Finding) -> Iterator[str]:
    where = f" [{finding.where}]" if finding.where else ""
    yield f"{finding.severity}{where} {finding.name}: {finding.says}"
    for line in finding.evidence:
        yield f"    evidence: {line}"
    if finding.remedy:
        yield f"    remedy: {finding.remedy}"


def _gpu(gpu: dict[str, Any]) -> Iterator[str]:
    words = Counter(cell["word"] for cell in gpu["instructions"])
    told = ", ".join(f"{count} {word}" for word, count in words.items()) or "none asked"
    yield f"gpu {gpu['index']}: {gpu['device']['name']} ({gpu['target']}); instructions: {told}"
    for entry in gpu["limits"]:
        yield f"    {entry['name']}: {entry['measured']} by trial, {entry['declared']} declared"
    for rate in gpu["rates"]:
        share = (
            f"{rate['share']:.0%} of {rate['peak']:g} ({rate['source']})"
            if rate["share"]
            else "no published peak for it"
        )
        yield (
            f"    {rate['what']}: {rate['median']:g} {rate['unit']} ({rate['least']:g} to {rate['most']:g}, "
            f"{rate['runs']} runs), {share}"
        )


def as_data(report: Report) -> dict[str, Any]:
    """Return the report as plain data, as docs/sanity.schema.json describes it."""
    return {
        "sanity": "ptxproof",
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit": VERDICTS[report.verdict],
        "summary": summary(report),
        "level": report.level,
        "target": report.target or None,
        "findings": [
            {
                "severity": f.severity,
                "name": f.name,
                "where": f.where,
                "says": f.says,
                "evidence": list(f.evidence),
                "remedy": f.remedy,
            }
            for f in worst_first(report.findings)
        ],
        "steps": [_step(ran) for ran in report.steps],
        "inventory": report.inventory,
        "gpus": report.gpus,
        "peers": report.peers,
        "profiles": report.profiles,
        "records": report.records,
    }


def _step(ran: Ran) -> dict[str, Any]:
    return {
        "name": ran.name,
        "gpu": ran.gpu,
        "status": ran.status,
        "seconds": ran.seconds,
        "limit": ran.limit,
        "at": ran.at,
        "said": ran.said,
    }
