"""What a kernel needs: the instructions of a PTX file or a cubin, and which targets have them by claim.

PTX opcodes are compared as sets of modifiers, since their order may differ. A cubin holds machine code alone: its
opcodes are mapped back by the catalogue's `native` patterns, which says what may stand behind them, not what does.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from suite import catalogue, targets
from suite.cubin import Cubin
from suite.disassemble import disassemble
from suite.opcodes import matches
from suite.probe import Case

Key = tuple[str, frozenset[str]]

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_GUARD = re.compile(r"^@!?[%\w$]+\s+")
_LABEL = re.compile(r"^[%\w$]+:\s*")
_OPCODE = re.compile(r"^([a-z][\w]*(?:\.[\w:]+)*)(?=\s|$)")
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Need:
    """One instruction with its count, the cases that ask it, the targets that any of them claims, the lowest version.

    Without cases the catalogue says nothing of it.
    """

    opcode: str
    count: int
    cases: tuple[Case, ...]

    @property
    def targets(self) -> frozenset[str]:
        """Return the names of the targets that have it."""
        return frozenset(target.name for case in self.cases for target in case.claim.targets)

    @property
    def ptx(self) -> str:
        """Return the lowest PTX version that has it anywhere, empty where nothing is known."""
        found = min((case.claim.ptx for case in self.cases), default=None)
        return f"{found[0]}.{found[1]}" if found else ""


def of_ptx(text: str) -> list[Need]:
    """Return what a PTX module uses, in order of first use."""
    counts = Counter(opcodes(text))
    return [Need(opcode, count, _asking().get(_key(opcode), ())) for opcode, count in counts.items()]


def of_cubin(image: bytes) -> tuple[str, list[Need]]:
    """Return a cubin's base target and what its opcodes may stand for, with those that the catalogue knows alone.

    Raises `DisassemblerError` for bytes that are no cubin, `UsageError` where there is no nvdisasm.
    """
    sass: Counter[str] = Counter()
    for code in disassemble(image).values():
        sass.update(code.opcodes)
    name = f"sm_{Cubin(image).sm}"
    return name, [Need(opcode, count, _behind(opcode, name)) for opcode, count in sass.items()]


def opcodes(text: str) -> list[str]:
    """Return the dotted opcode of each instruction of a PTX module; directives, labels and braces are none."""
    found = []
    for statement in re.split(r"[;{}]", _COMMENT.sub(" ", text)):
        for line in _instruction(statement):
            match = _OPCODE.match(line)
            if match:
                found.append(match[1])
    return found


def _instruction(statement: str) -> Iterable[str]:
    """Yield the statement without labels and guard, if it can be an instruction: what begins with a dot cannot."""
    bare = " ".join(line for line in statement.splitlines() if not line.strip().startswith((".", "#"))).strip()
    while match := _LABEL.match(bare):
        bare = bare[match.end() :]
    bare = _GUARD.sub("", bare)
    if bare:
        yield bare


def missing(needs: Sequence[Need], target: str) -> list[Need]:
    """Return what the catalogue knows and a target has not."""
    return [need for need in needs if need.cases and target not in need.targets]


def having(needs: Sequence[Need]) -> list[str]:
    """Return the targets that have everything that the catalogue knows of."""
    return [target.name for target in targets.ALL if not missing(needs, target.name)]


# Of these the operand says more than the opcode: the catalogue asks what special registers `mov` can read.
_PLAIN = ("mov",)


@cache
def _asking() -> Mapping[Key, tuple[Case, ...]]:
    found: defaultdict[Key, list[Case]] = defaultdict(list)
    for case in catalogue.expand():
        if case.opcode.partition(".")[0] not in _PLAIN:
            found[_key(case.opcode)].append(case)
    return {key: tuple(cases) for key, cases in found.items()}


def _key(opcode: str) -> Key:
    base, *modifiers = opcode.split(".")
    return base, frozenset(_counted(modifiers))


def _counted(modifiers: Sequence[str]) -> Iterable[str]:
    """Yield each modifier with its number among its equals: `.f16.f16` is not `.f16`."""
    seen: Counter[str] = Counter()
    for modifier in modifiers:
        seen[modifier] += 1
        yield f"{modifier}#{seen[modifier]}"


@cache
def _patterns() -> Mapping[str, tuple[Case, ...]]:
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for case in catalogue.expand():
        for pattern in case.native:
            found[pattern].append(case)
    return {pattern: tuple(cases) for pattern, cases in found.items()}


def _behind(opcode: str, name: str) -> tuple[Case, ...]:
    """Return the cases that an opcode may realize on a chip: those of the patterns with most modifiers."""
    fitting = [pattern for pattern in _patterns() if matches(pattern, opcode)]
    most = max((pattern.count(".") for pattern in fitting), default=0)
    if not most:  # a bare IADD or MOV stands behind anything
        fitting = [pattern for pattern in fitting if pattern in _TELLING]
    cases = [case for pattern in fitting if pattern.count(".") == most for case in _patterns()[pattern]]
    number = name.removeprefix("sm_")
    return tuple(case for case in cases if any(str(target.number) == number for target in case.claim.targets))


# Bare opcodes of units that serve one instruction each. Source: SASS of the catalogue's cases from ptxas 13.5.37.
_TELLING = (
    "LDGSTS", "UTMALDG", "UTMASTG", "UTMAREDG", "UBLKCP", "LDSM", "STSM", "HGMMA", "QGMMA", "IGMMA", "UTCHMMA",
    "UTCQMMA", "UTCIMMA", "OMMA", "QMMA", "HMMA", "IMMA", "DMMA", "MOVM", "REDUX", "SYNCS",
)  # fmt: skip


def lines(needs: Sequence[Need], kind: str, own: str = "") -> Iterable[str]:
    """Yield what is printed: each known instruction with its targets, the unknown in one line, and who has all."""
    known = [need for need in needs if need.cases]
    for need in known:
        yield f"{need.count:6} {need.opcode}  (PTX {need.ptx}) {_short(need.targets)}"
        if kind == "cubin":
            names = list(dict.fromkeys(case.opcode for case in need.cases))
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            yield f"       may be {', '.join(names[:_NAMES_SHOWN])}{more}"
    unknown = [f"{need.opcode}" for need in needs if not need.cases]
    if unknown:
        yield f"not in the catalogue, so nothing is said of them: {', '.join(unknown)}"
    if not known:
        yield "nothing that the catalogue knows: no target is ruled out and none is vouched for"
    elif kind == "cubin":
        yield f"machine code for {own}, its opcodes mapped back by patterns: the PTX behind them is a guess"
    else:
        yield f"targets that have all {len(known)} that the catalogue knows: {', '.join(having(needs)) or 'none'}"


def _short(names: frozenset[str]) -> str:
    """Return targets in order, or `every target`."""
    if len(names) == len(targets.ALL):
        return "every target"
    return ", ".join(target.name for target in targets.ALL if target.name in names)
