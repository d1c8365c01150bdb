"""Patterns of SASS opcodes: which machine code counts as the instruction itself."""

from __future__ import annotations

from collections import Counter
from functools import cache


def matches(pattern: str, opcode: str) -> bool:
    """Tell whether a dotted opcode has the pattern's base, and all its modifiers, each at least as often.

    `HMMA.F32.16816` matches `HMMA.16816.F32.BF16`: modifiers are whole tokens, and their order says nothing.
    """
    (base, wanted), (name, modifiers) = _parts(pattern), _parts(opcode)
    return base == name and wanted <= modifiers


@cache
def _parts(opcode: str) -> tuple[str, Counter[str]]:
    base, *modifiers = opcode.split(".")
    return base, Counter(modifiers)
