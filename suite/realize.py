"""Stage 4, realize: (Sass, Sass) -> Realization. An instruction became what its kernel's code has and no other's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from suite.model import Code, Realization, Sass
from suite.opcodes import GUARDS, matches


def realize(armed: Sass | Code, scaffold: Sass | Code, native: Sequence[str]) -> Realization:
    """Return what the instruction became, from the code of its kernel and of the same kernel without it.

    `native` are patterns of `suite.opcodes`, any of which means that the machine has the instruction. The evidence is
    each opcode that `armed` has more often than `scaffold`, with the surplus, and each routine that only `armed` calls.
    """
    surplus = Counter(armed.opcodes)
    surplus.subtract(scaffold.opcodes)
    opcodes = {opcode: count for opcode, count in sorted(surplus.items()) if count > 0}
    routines = dict.fromkeys(sorted(set(armed.calls) - set(scaffold.calls)), 1)
    return Realization(_word(opcodes, routines, native), opcodes | routines)


def _word(opcodes: dict[str, int], routines: dict[str, int], native: Sequence[str]) -> str:
    if any(not name.startswith(GUARDS) for name in routines):
        return "call"
    if any(matches(pattern, opcode) for pattern in native for opcode in opcodes):
        return "native"
    return "emulated" if opcodes else "elided"
