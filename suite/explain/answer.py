"""An answer: the cause that a text names, the facts that bear on it, what it means and what to do, in ten lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from suite.explain import facts, rules
from suite.explain.evidence import lines as evidence_lines
from suite.explain.reading import Reading, read
from suite.record import Record
from suite.targets import Target

MOST_LINES = 10
_LABELS = {
    "rows": "row",
    "accepts": "accepts",
    "gate": "check",
    "suffix": "suffix",
    "limits": "limit",
    "loads": "loads",
}


@dataclass(frozen=True)
class Answer:
    """What can be said of a text: `cause` is None where no rule knows it. `facts` are (label, line) pairs."""

    cause: rules.Cause | None
    targets: tuple[str, ...] = ()
    opcodes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    more: str = ""
    echoes: tuple[str, ...] = field(default=())

    def lines(self) -> list[str]:
        """Return the answer as text, at most ten lines."""
        if self.cause is None:
            return _unknown(self)
        head = [("cause", f"{self.cause.id}: {self.cause.says}")]
        read_line = "; ".join(
            filter(None, (", ".join(self.targets[:4]), ", ".join(self.opcodes[:3]), ", ".join(self.codes)))
        )
        head += [("read", read_line)] if read_line else []
        tail = [("means", self.cause.means), ("do", self.cause.do), ("more", self.more)]
        echo = [("note", f"{', '.join(self.echoes)} came after it: likely its echo")] if self.echoes else []
        room = MOST_LINES - len(head) - len(tail) - len(echo)
        return [f"{label:8}{text}" for label, text in (*head, *self.facts[:room], *echo, *tail)]


def explain(text: str, given: Iterable[Target] = (), records: Sequence[Record] = ()) -> Answer:
    """Return the answer to an error text; `given` are targets the user names, `records` what was observed."""
    reading = read(text, given)
    cause = rules.name(reading, facts.FACTS)
    chosen = tuple(dict.fromkeys([*(target.name for target in reading.subjects), *reading.names]))
    codes = tuple(code.names[0] for code in reading.codes)
    if cause is None:
        return Answer(None, chosen, reading.spelled, codes)
    shown = tuple(
        (_LABELS.get(show, "knows" if show == "assemblers" else "takes"), line)
        for show in cause.shows
        for line in evidence_lines(show, reading, records)
    )
    return Answer(cause, chosen, reading.spelled, codes[:1], shown, _more(cause.more, reading), codes[1:3])


def _more(command: str, reading: Reading) -> str:
    """Return the command with the case and target of the text, or its family's list where the text names none."""
    found = facts.refused(reading)
    subject = facts.subject_of(reading)
    if "{" in command and not found:
        return "python -m suite list"
    if not found:
        return command
    target = subject or found[0].targets[0]
    return command.format(case=found[0].glob, target=target, cell=f"{min(found[0].ids)}@{target}")


def _unknown(answer: Answer) -> list[str]:
    said = ", ".join((*answer.targets[:3], *answer.opcodes[:3], *answer.codes[:2]))
    return [
        "cause   not known: no rule names a cause for this text",
        f"read    {said or 'no target, opcode, version or error code in it'}",
        "do      paste the first error of the log, with the lines of the assembler or driver, not the last traceback",
    ]
