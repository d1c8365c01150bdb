"""Pragmas: hints that stand among instructions, and must leave their kernel right. PTX ISA 9.3, 12.1 to 12.5.

A pragma has no machine code of its own: what it changes is how the code around it is made.
"""

from __future__ import annotations

import numpy as np

from suite import Buffer, Launch, Probe, rows, since
from suite.opcodes import NONE
from suite.probe import Arrays, Params

THREADS = 64

# Section, first target and PTX version of each pragma. Source: its notes.
NOTES = {
    "nounroll": ("12.1", "sm_20", "2.0"),
    "used_bytes_mask": ("12.2", "sm_50", "8.3"),
    "enable_smem_spilling": ("12.3", "sm_75", "9.0"),
    "frequency": ("12.4", "sm_10", "9.0"),
    "mma_throughput": ("12.5", "sm_10", "9.3"),
}


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return eight times the low three bytes of each word."""
    return {"out": (arrays["values"] & np.uint32(0xFFFFFF)) * np.uint32(8)}


PROBES = tuple(
    Probe(
        form=form,
        opcode=".pragma",
        arguments='"{text}"',
        rows=rows("hint", (form,)),
        claim=lambda params, form=form: since(NOTES[form][1], ptx=NOTES[form][2], section=NOTES[form][0]),  # type: ignore[misc]
        template="pragma.ptx.j2",
        native=lambda params: NONE,
        operands=lambda params: (
            Buffer("out", "out", "u32", (THREADS,)),
            Buffer("values", "in", "u32", (THREADS,)),
        ),
        inputs=lambda params, rng: {"values": rng.integers(0, 2**32, THREADS, dtype=np.uint32)},
        oracle=oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=lambda params, form=form, text=text: {"kind": form, "text": text},  # type: ignore[misc]
        observed="launch",
    )
    for form, text in (
        ("nounroll", "nounroll"),
        ("used_bytes_mask", "used_bytes_mask 0x7"),
        ("enable_smem_spilling", "enable_smem_spilling"),
        ("frequency", "frequency 32"),
        ("mma_throughput", "mma_throughput"),
    )
)
