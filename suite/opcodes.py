"""Facts of machine code: which opcodes count as an instruction itself, and which routines count for nothing."""

from __future__ import annotations

from collections import Counter
from functools import cache

NONE = ("-",)  # of an instruction that no target has an opcode for: it matches nothing

# What stands for an instruction that the disassembler leaves blank: nvdisasm 13.5.37 prints no name for an LDSM of PTX
# 9.4's ldmatrix .s8.s4. Such an opcode shows that there is an instruction, not which.
UNDECODED = "UNDECODED"

# Routines that check an instruction's operands and trap, beside the instruction itself: calling one realizes nothing.
# Source: SASS of tcgen05.dealloc for sm_100a from ptxas 13.5.37; the routines hold BPT.TRAP alone.
GUARDS = ("__cuda_sm10x_tcgen05_guardrail_trap_",)


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
