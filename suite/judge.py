"""Stage 8, judge: word + claim -> agreement. Observation and expectation meet here and nowhere else."""

from __future__ import annotations

from suite.claims import Claim, PtxVersion
from suite.targets import Target

# Words that a case shows where the manual supports it, and where it does not.
_AS_SUPPORTED = ("assembled", "correct")
_AS_UNSUPPORTED = ("rejected",)


def agreement(claim: Claim, target: Target, ptx: PtxVersion, word: str) -> str:
    """Return `agrees` or `disagrees`: the observation held against the manual at `.version ptx`."""
    expected = _AS_SUPPORTED if claim.supports_at(target, ptx) else _AS_UNSUPPORTED
    return "agrees" if word in expected else "disagrees"
