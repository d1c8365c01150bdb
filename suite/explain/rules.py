"""Causes and rules as data: `causes.toml` and `rules.toml`, read, checked, and held against what was read in a text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suite.explain.reading import Reading, all_codes
from suite.model import DIAGNOSTIC_CLASSES

_FIRST_CODE = "first_code"
_RULE_KEYS = {"cause", "any", "all", "unless", "messages", "codes", "when"}
Fact = Callable[[Reading], bool]


@dataclass(frozen=True)
class Cause:
    """One cause: what it is, what it means, what to do, the facts shown beside it, and the command that shows more."""

    id: str
    says: str
    means: str
    do: str
    shows: tuple[str, ...]
    more: str


@dataclass(frozen=True)
class Rule:
    """What must stand in a text, and be so, for a cause to be named."""

    cause: str
    any: tuple[re.Pattern[str], ...]
    all: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    messages: frozenset[str]
    codes: bool
    when: str

    def holds(self, reading: Reading, facts: Mapping[str, Fact]) -> bool:
        """Tell whether the rule names its cause for the text."""
        said = bool(self.messages & reading.kinds) or (self.codes and bool(reading.codes))
        return (
            (said or _some(self.any, reading.text))
            and all(pattern.search(reading.text) for pattern in self.all)
            and not _some(self.unless, reading.text)
            and (not self.when or facts[self.when](reading))
        )


@dataclass(frozen=True)
class Rules:
    """Both files: causes by id, rules in order, and features as (pattern, opcodes)."""

    causes: Mapping[str, Cause]
    rules: tuple[Rule, ...]
    features: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]


def name(reading: Reading, facts: Mapping[str, Fact]) -> Cause | None:
    """Return the cause that the first rule which holds names, None if none does."""
    table = load()
    for rule in table.rules:
        if rule.holds(reading, facts):
            return table.causes[reading.codes[0].cause if rule.cause == _FIRST_CODE else rule.cause]
    return None


def features(reading: Reading) -> tuple[str, ...]:
    """Return the opcodes that words of the text stand for."""
    return tuple(opcode for words, opcodes in load().features if words.search(reading.text) for opcode in opcodes)


@cache
def load() -> Rules:
    """Return the rules of the file. Raises `ValueError` for a rule or feature that names what there is not."""
    table, raw_causes = _toml("rules.toml"), _toml("causes.toml")["cause"]
    causes = {key: Cause(key, **{**raw, "shows": tuple(raw["shows"])}) for key, raw in raw_causes.items()}
    rules = tuple(_rule(raw, table["patterns"]) for raw in table["rule"])
    features_ = tuple((_pattern(raw["words"]), tuple(raw["opcodes"])) for raw in table["feature"])
    named = {rule.cause for rule in rules} - {_FIRST_CODE} | {code.cause for code in all_codes()}
    if named != set(causes):
        raise ValueError(f"causes without rule or rules without cause: {sorted(named ^ set(causes))}")
    return Rules(causes, rules, features_)


def _toml(file: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))


def _rule(raw: Mapping[str, Any], shared: Mapping[str, list[str]]) -> Rule:
    if set(raw) - _RULE_KEYS or set(raw.get("messages", ())) - set(DIAGNOSTIC_CLASSES):
        raise ValueError(f"a rule has {', '.join(sorted(_RULE_KEYS))}, and messages are classes; got {raw!r}")
    patterns = {
        key: tuple(_pattern(p) for text in raw.get(key, ()) for p in (shared[text[1:]] if text[:1] == "$" else [text]))
        for key in ("any", "all", "unless")
    }
    return Rule(
        raw["cause"],
        patterns["any"],
        patterns["all"],
        patterns["unless"],
        frozenset(raw.get("messages", ())),
        bool(raw.get("codes")),
        raw.get("when", ""),
    )


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.MULTILINE)


def _some(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)
