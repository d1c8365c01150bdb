"""An observation to vary in tests, and hypothesis strategies for any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from suite.model import AGREEMENTS, DIAGNOSTIC_CLASSES, REALIZATIONS, WORDS, Diagnostic, NotAsked, Observation

BASE = Observation(
    case="mma_sync.f16:shape=m16n8k8,a=f16,d=f16",
    family="mma_sync",
    opcode="mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16",
    target="sm_90a",
    toolchain="ptxas 13.0.88",
    ptx="9.0",
    word="correct",
    agreement="agrees",
    kernel="k0123456789abcdef",
    realization="native",
    opcodes={"HMMA.1688.F16": 1},
)


def cell(**changes: Any) -> Observation:
    """Return the observation with these fields changed."""
    return replace(BASE, **changes)


text = st.text(max_size=40)  # quotes, newlines and lone controls included
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
observations = st.builds(
    Observation,
    case=text.filter(bool),
    family=text.filter(bool),
    opcode=text.filter(bool),
    target=text.filter(bool),
    toolchain=text.filter(bool),
    ptx=text.filter(bool),
    word=st.sampled_from(WORDS),
    agreement=st.sampled_from(AGREEMENTS),
    kernel=text.filter(bool),
    realization=st.none() | st.sampled_from(REALIZATIONS),
    code=st.sampled_from(("", "00ff")),
    opcodes=st.dictionaries(text, st.integers(1, 99), max_size=3),
    diagnostics=st.lists(
        st.builds(
            Diagnostic,
            kind=st.sampled_from(DIAGNOSTIC_CLASSES),
            severity=st.sampled_from(("error", "fatal", "warning", "info", "")),
            text=text,
            line=st.none() | st.integers(0, 500),
        ),
        max_size=3,
    ).map(tuple),
    not_asked=st.none() | st.builds(NotAsked, stage=text, reason=text),
    gpu=st.dictionaries(text, plain, max_size=3),
    waiver=text,
)
