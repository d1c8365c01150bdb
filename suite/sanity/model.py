"""The values of a sanity check: findings by severity, what each step did, and the verdict that they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1  # of the report as JSON; see docs/sanity.schema.json

# Worst first. `unfit` makes the verdict unfit, `unjudged` makes it unjudged where nothing is unfit, the others make
# nothing: a `warning` is worth a look, a `note` only says what is so.
SEVERITIES = ("unfit", "unjudged", "warning", "note")

VERDICTS = {"fit": 0, "unfit": 1, "unjudged": 2}  # with their exit codes
NOT_REPORTED = "not reported"


@dataclass(frozen=True)
class Finding:
    """One thing found: its severity, a name that stays the same, a sentence, its evidence and what to do about it.

    `where` is `gpu 0` and so on, empty for the machine as a whole.
    """

    severity: str
    name: str
    says: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    where: str = ""


@dataclass(frozen=True)
class Ran:
    """What a step did: `status` is `done`, `hung`, `died` (by a signal), `refused` (no GPU) or `failed` (our mistake).

    `events` are (key, value) pairs in the order in which the step gave them; `at` is what it was last at; `said` is the
    reason where it did not end well; `kind` names the kind of a refusal. Times are in seconds.
    """

    name: str
    gpu: int | None
    status: str
    seconds: float
    limit: float
    events: tuple[tuple[str, Any], ...] = ()
    at: str = ""
    said: str = ""
    kind: str = ""

    def value(self, key: str, default: Any = None) -> Any:
        """Return the last value of a key."""
        return next((value for name, value in reversed(self.events) if name == key), default)

    def values(self, key: str) -> list[Any]:
        """Return all values of a key, in order."""
        return [value for name, value in self.events if name == key]

    @property
    def where(self) -> str:
        """Return `gpu N`, empty for a step of the machine."""
        return "" if self.gpu is None else f"gpu {self.gpu}"


@dataclass
class Report:
    """All that one sanity check found; every part is plain data but findings and steps."""

    level: str
    target: str = ""
    findings: list[Finding] = field(default_factory=list)
    steps: list[Ran] = field(default_factory=list)
    inventory: dict[str, Any] = field(default_factory=dict)
    gpus: list[dict[str, Any]] = field(default_factory=list)
    peers: list[dict[str, Any]] = field(default_factory=list)
    profiles: list[dict[str, Any]] = field(default_factory=list)
    records: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return `fit`, `unfit` or `unjudged`."""
        return verdict(self.findings)


def verdict(findings: Iterable[Finding]) -> str:
    """Return what the findings come to: the three never blur, and the worst wins."""
    found = {finding.severity for finding in findings}
    return "unfit" if "unfit" in found else "unjudged" if "unjudged" in found else "fit"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by severity, those of one severity in the order given."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def facts(events: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those facts of the names given that are there."""
    return {name: events[name] for name in names if name in events}
