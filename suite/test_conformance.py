"""The conformance suite: one item a case, target and toolchain; green when observation and claim agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from suite.conformance import Conformance, Question
from suite.failure import explain
from suite.record import to_json


def test_cell(
    question: Question,
    conformance: Conformance,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> None:
    """The case does on the target what the PTX ISA manual says of it."""
    cell = conformance.ask(question)
    record_property("cell", to_json(cell))
    if cell.agreement == "disagrees":
        pytest.fail(explain(cell, question.toolchain), pytrace=False)
    if cell.not_asked and getattr(request.config.option, "ptxproof_strict", False):
        pytest.fail(f"--strict: {cell.not_asked.stage} not run: {cell.not_asked.reason}", pytrace=False)
