"""Profiles: named sets of requirements as TOML, and what observations say of them: go, no-go, or cannot judge.

A profile has `name`, `says` and any number of `[[instruction]]` (`case`, a glob; `need`, all or any; `realization`, the
words that will do), `[[limit]]` (`limit`, `least`) and `[[toolchain]]` (`least`, a `.version`), each with a `reason`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite import catalogue
from suite.claims import ptx_version
from suite.errors import UsageError
from suite.model import REALIZATIONS, Observation
from suite.probe import Case

FOLDER = Path(__file__).resolve().parent.parent.parent / "profiles"
ANSWERS = ("no-go", "cannot judge", "go")  # the first that any requirement has is the profile's
LIMITS = {
    "shared": "dynamic shared memory a block, bytes",
    "cluster": "blocks a cluster without leave",
    "ptx": "highest PTX version that the driver compiles",
    "memory": "memory of the GPU, bytes",
}
_KEYS = {
    "instruction": {"case", "reason", "need", "realization"},
    "limit": {"limit", "least", "reason"},
    "toolchain": {"least", "reason"},
}


@dataclass(frozen=True)
class Instruction:
    """Cases that must work; `need` is `all` or `any`, `realization` the words that will do."""

    pattern: str
    cases: tuple[Case, ...]
    reason: str
    need: str
    realization: tuple[str, ...]


@dataclass(frozen=True)
class Limit:
    """A number that must be reached: of `LIMITS`, or `toolchain`, the `.version` that an assembler must take."""

    limit: str
    least: Any
    reason: str


@dataclass(frozen=True)
class Profile:
    """One profile as read."""

    name: str
    says: str
    instructions: tuple[Instruction, ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return every case that the profile asks about, each once."""
        return tuple(dict.fromkeys(case for need in self.instructions for case in need.cases))


@dataclass(frozen=True)
class Facts:
    """What is known of a GPU or a target: cells by case id, limits by name, and the level of this evidence."""

    cells: Mapping[str, Observation]
    limits: Mapping[str, Any]
    level: str
    on_hardware: bool
    more: Mapping[str, str] = field(default_factory=dict)  # by case id: what a record adds


def names() -> list[str]:
    """Return the names of the profiles that come with ptxproof."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Profile:
    """Return the profile of that name or file. Raises `UsageError` in one line for what is none."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no profile is named {name!r}; there is {', '.join(names())}, or give a .toml file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    try:
        return _profile(data)
    except (KeyError, TypeError, ValueError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path}: broken profile: {said}") from None


def _profile(data: Mapping[str, Any]) -> Profile:
    unknown = set(data) - {"name", "says", *_KEYS}
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
    entries = {kind: _entries(data, kind) for kind in _KEYS}
    made = Profile(
        str(data["name"]),
        str(data["says"]),
        tuple(_instruction(entry) for entry in entries["instruction"]),
        (*(_limit(entry) for entry in entries["limit"]), *(_toolchain(entry) for entry in entries["toolchain"])),
    )
    if not made.instructions and not made.limits:
        raise ValueError("it requires nothing")
    return made


def _entries(data: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    found = data.get(kind, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ValueError(f"{kind} is no list of tables: write [[{kind}]]")
    for entry in found:
        if set(entry) - _KEYS[kind]:
            raise ValueError(f"unknown key {sorted(set(entry) - _KEYS[kind])[0]!r} in [[{kind}]]")
    return found


def _instruction(entry: Mapping[str, Any]) -> Instruction:
    need, words = str(entry.get("need", "all")), tuple(entry.get("realization", ("native",)))
    if need not in ("all", "any"):
        raise ValueError(f"need is {need!r}, not 'all' or 'any'")
    if not words or set(words) - set(REALIZATIONS):
        raise ValueError(f"realization is {list(words)}; the words are {', '.join(REALIZATIONS)}")
    pattern = str(entry["case"])
    return Instruction(pattern, catalogue.select((pattern,)), str(entry["reason"]), need, words)


def _limit(entry: Mapping[str, Any]) -> Limit:
    name, least = entry["limit"], entry["least"]
    if name not in LIMITS:
        raise ValueError(f"no limit is named {name!r}; there is {', '.join(LIMITS)}")
    if name == "ptx":
        ptx_version(least)
    elif not isinstance(least, int):
        raise ValueError(f"the least {name} is {least!r}, not a whole number")
    return Limit(name, least, str(entry["reason"]))


def _toolchain(entry: Mapping[str, Any]) -> Limit:
    ptx_version(entry["least"])
    return Limit("toolchain", entry["least"], str(entry["reason"]))


def answer(profile: Profile, facts: Facts) -> dict[str, Any]:
    """Return the profile's answer as plain data: every requirement with its answer and evidence, worst first."""
    found = [_asked(need, facts) for need in profile.instructions] + [
        _reached(limit, facts) for limit in profile.limits
    ]
    found = sorted(found, key=lambda entry: ANSWERS.index(entry["answer"]) if entry["counts"] else len(ANSWERS))
    counted = [entry["answer"] for entry in found if entry["counts"]]
    verdict = next((word for word in ANSWERS if word in counted), "cannot judge")
    return {
        "profile": profile.name,
        "says": profile.says,
        "answer": verdict,
        "evidence_level": facts.level,
        "requirements": found,
    }


def _asked(need: Instruction, facts: Facts) -> dict[str, Any]:
    judged = [(case, *_case(case, need, facts)) for case in need.cases]
    words = [word for _, word, _ in judged]
    order = ANSWERS if need.need == "all" else ANSWERS[::-1] if "go" in words else ANSWERS[1::-1]
    verdict = next(word for word in order if word in words)
    telling = [f"{case.id}: {said}" for case, word, said in judged if word == verdict]
    more = f" (and {len(telling) - 3} more)" if len(telling) > 3 else ""
    return {
        "requirement": f"{need.need} of {need.pattern} ({len(judged)} cases), {' or '.join(need.realization)}",
        "reason": need.reason,
        "answer": verdict,
        "counts": True,
        "evidence": [*telling[:2], *(line + more for line in telling[2:3])],
    }


def _case(case: Case, need: Instruction, facts: Facts) -> tuple[str, str]:
    """Return a case's answer and why."""
    cell = facts.cells.get(case.id)
    more = facts.more.get(case.id, "")
    if cell is None:
        return "cannot judge", "not asked"
    said = " ".join(filter(None, (cell.word, cell.realization or "", f"({cell.toolchain})", more)))
    good = "correct" if facts.on_hardware else "assembled"
    if more.startswith("refuted"):
        return "no-go", said
    if cell.word == "unaskable":
        return "cannot judge", said
    if cell.word not in ("assembled", "correct"):
        return "no-go", " ".join([said, *(entry.text for entry in cell.diagnostics[:1])])
    if cell.realization not in need.realization:
        telling = sorted(cell.opcodes.items(), key=lambda pair: not pair[0].startswith("_"))  # routines first
        opcodes = ", ".join(f"{count} {name}" for name, count in telling[:3])
        return ("no-go" if cell.realization else "cannot judge"), f"{said}: {opcodes or 'its code was not read'}"
    if facts.on_hardware and cell.word != good:
        reason = cell.not_asked.reason if cell.not_asked else "not launched"
        return "cannot judge", f"{said}: {reason}"
    return "go", said


def _reached(limit: Limit, facts: Facts) -> dict[str, Any]:
    """Return a limit's answer; offline, what only a GPU or driver can tell is not judged and does not count."""
    known = facts.limits.get(limit.limit)
    what = LIMITS.get(limit.limit, "PTX version that an assembler here takes for this target")
    named = {"requirement": f"{what}: at least {limit.least}", "reason": limit.reason}
    if known is None:
        said = "not measured" if facts.on_hardware else "only a GPU can tell"
        return {**named, "answer": "cannot judge", "counts": facts.on_hardware, "evidence": [said]}
    versions = limit.limit in ("ptx", "toolchain")
    reached = ptx_version(known) >= ptx_version(limit.least) if versions else known >= limit.least
    return {**named, "answer": "go" if reached else "no-go", "counts": True, "evidence": [f"it is {known}"]}


def cases(profiles: Sequence[Profile]) -> tuple[Case, ...]:
    """Return every case that any of the profiles asks about."""
    return tuple(dict.fromkeys(case for profile in profiles for case in profile.cases))
