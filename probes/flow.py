"""Branches, calls and returns. PTX ISA 9.3, 9.7.13.3 to 9.7.13.6."""

from __future__ import annotations

import numpy as np

from suite import Buffer, Claim, Launch, Probe, rows, since
from suite.probe import Arrays, Params

THREADS = 64


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return 3 * value, plus 5 where the flag is set: what every path of the kernel leads to."""
    return {"out": arrays["values"] * 3 + np.where(arrays["flags"] != 0, 5, 0).astype(np.uint32)}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return small words, and flags of both truths, alike in a warp where all threads must go one way."""
    flags = rng.integers(0, 2, THREADS, dtype=np.uint32)
    if params["form"].endswith(".uni"):
        flags[:32], flags[32:] = 0, 1
    return {"values": rng.permutation(2**20)[:THREADS].astype(np.uint32), "flags": flags}


def probe(
    form: str,
    arguments: str,
    claim: Claim,
    native: tuple[str, ...],
    *forms: str,
) -> Probe:
    """Return a probe whose kernel goes where its `kind` says; `forms` are the opcodes."""
    return Probe(
        form=form,
        opcode="{form}",
        arguments=arguments,
        rows=rows("form", *((one,) for one in forms)),
        claim=lambda params: claim,
        template="flow.ptx.j2",
        native=lambda params: native,
        operands=lambda params: (
            Buffer("out", "out", "u32", (THREADS,)),
            Buffer("values", "in", "u32", (THREADS,)),
            Buffer("flags", "in", "u32", (THREADS,)),
        ),
        inputs=inputs,
        oracle=oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=lambda params: {"kind": form},
    )


# A short branch becomes a predicate. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 90a and 121a.
PROBES = (
    probe("bra", "TAKEN", since("sm_10", ptx="1.0", section="9.7.13.3"), ("BRA",), "bra", "bra.uni"),
    probe("brx", "%way, WAYS", since("sm_30", ptx="6.0", section="9.7.13.4"), ("BRX",), "brx.idx", "brx.idx.uni"),
    probe(
        "call",
        "(%got), KERNEL_triple, (%value)",
        since("sm_20", ptx="1.0", section="9.7.13.5"),
        ("CALL",),
        "call",
        "call.uni",
    ),
    probe("ret", "", since("sm_10", ptx="1.0", section="9.7.13.6"), ("RET", "EXIT"), "ret", "ret.uni"),
)
