"""From verdicts to a word: a refusal counts only where the instruction's own line is refused, and nothing else is."""

from __future__ import annotations

import pytest

from suite.model import Diagnostic, Kernel, Source, Verdict
from suite.observe import _telling, _word

ARMED, SCAFFOLD, CONTROL = Kernel("armed", "", (5, 9)), Kernel("scaffold", ""), Kernel("control", "")
SOURCE = Source("case", ARMED, SCAFFOLD, CONTROL)
PLAIN = Source("case", ARMED, CONTROL, CONTROL)  # where a kernel needs no support, scaffold and control are one

YES = Verdict(True)
ADVICE = Diagnostic("advisory", "warning", "advice", 5)


def no(*lines: int | None, severity: str = "error", kind: str = "unsupported_instruction") -> Verdict:
    return Verdict(False, tuple(Diagnostic(kind, severity, f"line {line}", line) for line in lines))


#    what is refused                            armed                   scaffold   control   word
TRUTH = (
    ("nothing", YES, YES, YES, "assembled"),
    ("nothing, with advice", Verdict(True, (ADVICE,)), YES, YES, "assembled"),
    ("the instruction", no(5), YES, YES, "rejected"),
    ("its second line", no(9), YES, YES, "rejected"),
    ("instruction and support", no(3, 5), no(3), YES, "rejected"),
    ("support only", no(3), no(3), YES, "unaskable"),
    ("another line only", no(4), YES, YES, "unaskable"),
    ("the control too", no(5), no(1), no(1), "unaskable"),
    ("scaffold alone", YES, no(3), YES, "unaskable"),
    (
        "a warning on the line, an error elsewhere",
        Verdict(False, (ADVICE, *no(3).diagnostics)),
        no(3),
        YES,
        "unaskable",
    ),
    ("nothing was said", Verdict(False), YES, YES, "unaskable"),
    ("a crash without line", no(None, severity="fatal", kind="crash"), YES, YES, "unaskable"),
    ("a time-out without line", no(None, severity="fatal", kind="timeout"), YES, YES, "unaskable"),
    ("registers", no(None, severity="fatal", kind="resource"), YES, YES, "unaskable"),
)


@pytest.mark.parametrize("armed, scaffold, control, word", [row[1:] for row in TRUTH], ids=[row[0] for row in TRUTH])
def test_words(armed: Verdict, scaffold: Verdict, control: Verdict, word: str) -> None:
    assert _word(SOURCE, armed, scaffold if armed.accepted else control) == word


SHARED = ((YES, YES, "assembled"), (no(5), YES, "rejected"), (no(5), no(1), "unaskable"))


@pytest.mark.parametrize("armed, control, word", SHARED)
def test_words_without_a_scaffold_of_its_own(armed: Verdict, control: Verdict, word: str) -> None:
    assert _word(PLAIN, armed, control) == word


def test_a_refusal_tells_of_the_instructions_lines_alone() -> None:
    assert [said.line for said in _telling(SOURCE, "rejected", no(3, 5, 9), YES)] == [5, 9]


@pytest.mark.parametrize(
    "armed, other, lines",
    [(no(4), no(1), [1]), (no(4), YES, [4]), (YES, no(3), [3]), (Verdict(True, (ADVICE,)), no(3), [3])],
)
def test_what_cannot_be_asked_tells_of_the_part_to_blame(armed: Verdict, other: Verdict, lines: list[int]) -> None:
    assert [said.line for said in _telling(SOURCE, "unaskable", armed, other)] == lines
