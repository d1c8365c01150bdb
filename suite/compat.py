"""Compatibility: which targets' PTX an assembler takes for which targets, with a kernel that every one of them has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.assembler_process import assemble_text, command, threads
from suite.canary import CASE
from suite.cores import cores
from suite.diagnostics import classify, messages
from suite.render import header, render
from suite.targets import Target
from suite.toolchains import Toolchain

SECONDS = 20.0


@dataclass(frozen=True)
class Pair:
    """PTX written for `source`, assembled for `target`: accepted, or the class and text of the refusal."""

    source: Target
    target: Target
    accepted: bool
    kind: str = ""
    text: str = ""


def pairs(toolchain: Toolchain, targets: Sequence[Target]) -> list[Pair]:
    """Return every ordered pair of the targets that the toolchain knows, each asked in a process of its own."""
    known = [target for target in targets if target.name in toolchain.targets]
    with threads(cores()) as pool:
        return list(pool.map(lambda pair: _ask(toolchain, *pair), [(x, y) for x in known for y in known]))


def _ask(toolchain: Toolchain, source: Target, target: Target) -> Pair:
    text = header(source.name, toolchain.ptx) + render(CASE).armed.text
    outcome = assemble_text(command(toolchain.kind, toolchain.path), text, target.name, limit=SECONDS)
    if outcome.accepted:
        return Pair(source, target, True)
    refusal = next((message for message in messages(outcome.log) if message.refuses), None)
    return Pair(source, target, False, classify(refusal.text) if refusal else "crash", refusal.text if refusal else "")
