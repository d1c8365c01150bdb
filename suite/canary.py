"""The canary: a known-good kernel that a GPU must run rightly before its other answers count."""

from __future__ import annotations

import numpy as np

from suite import arena
from suite.assemble import assemble_one
from suite.claims import since
from suite.errors import UsageError
from suite.launch import Canary
from suite.model import GpuResult
from suite.operands import Buffer
from suite.probe import Case, Probe, rows
from suite.render import render
from suite.targets import Target
from suite.toolchains import Toolchain
from suite.verify import verify

_THREADS = 32
_PROBE = Probe(
    form="multiply",
    opcode="mad.lo.u32",
    arguments="%value, %lane, 2654435761, 12345",
    rows=rows("threads", (_THREADS,)),
    claim=lambda params: since("sm_70", ptx="1.0", section="9.7.1.4"),
    template="canary.ptx.j2",
    native=lambda params: ("IMAD",),
    operands=lambda params: (Buffer("out", "out", "u32", (_THREADS,)),),
    inputs=lambda params, rng: {},
    oracle=lambda params, arrays: {
        "out": (np.arange(_THREADS, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(12345)).astype(np.uint32)
    },
)
CASE = Case("canary.multiply:threads=32", "canary", _PROBE, _PROBE.rows[0])


def image(toolchain: Toolchain, target: Target) -> tuple[str, bytes]:
    """Return the canary's entry name and cubin. Raises `UsageError` where the assembler refuses even that."""
    kernel = render(CASE).armed
    verdict = assemble_one(kernel, toolchain, target, toolchain.ptx)
    if not verdict.accepted:
        raise UsageError(f"{toolchain.name} refuses a plain multiplication for {target}: {verdict.diagnostics}")
    return kernel.name, verdict.cubin


def canary(kernel: str, cubin: bytes) -> Canary:
    """Return the launch that proves a GPU child, from the canary's entry name and cubin."""
    job = arena.job(CASE, {}, "canary", kernel)

    def fault(result: GpuResult) -> str:
        finding = verify(CASE, job, result, {})
        return "" if finding.word == "correct" else f"{finding.word}: {finding.evidence}"

    return Canary(job, cubin, fault)
