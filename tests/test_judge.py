"""Judging: the whole truth table of words, claims and versions."""

from __future__ import annotations

import pytest

from suite import targets
from suite.claims import family, only, since
from suite.judge import agreement
from suite.model import WORDS

CLAIM = only("sm_120a", ptx="8.7", section="9.7") | family("sm_120f", ptx="8.8", section="9.7")

# Words that agree with the manual where it supports the case, and where it does not.
AGREES = {True: {"assembled", "correct"}, False: {"rejected"}}
#   target      version   supported
PLACES = (
    ("sm_120a", (8, 6), False),
    ("sm_120a", (8, 7), True),
    ("sm_121a", (8, 7), False),
    ("sm_121a", (8, 8), True),
    ("sm_120", (9, 3), False),
    ("sm_90a", (9, 3), False),
)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("target, ptx, supported", PLACES)
def test_truth_table(word: str, target: str, ptx: tuple[int, int], supported: bool) -> None:
    expected = "agrees" if word in AGREES[supported] else "disagrees"
    assert agreement(CLAIM, targets.parse(target), ptx, word) == expected


def test_no_word_agrees_both_ways() -> None:
    assert not AGREES[True] & AGREES[False]
    everywhere = since("sm_75", ptx="1.0", section="9.7")
    for word in WORDS:
        ends = [agreement(claim, targets.parse("sm_90a"), (9, 0), word) for claim in (everywhere, CLAIM)]
        assert ends.count("agrees") <= 1
