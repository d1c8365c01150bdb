"""Memory on a thread's stack: alloca, stacksave and stackrestore. PTX ISA 9.3, 9.7.18."""

from __future__ import annotations

import numpy as np

from suite import Buffer, Launch, Probe, product, since
from suite.opcodes import NONE
from suite.probe import Arrays, Params

THREADS = 64
SIZE = 48
SECTIONS = {"stacksave": "9.7.18.1", "stackrestore": "9.7.18.2", "alloca": "9.7.18.3"}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return a word a thread, and the size to allocate, which the code must not know."""
    return {
        "values": rng.integers(0, 2**32, THREADS, dtype=np.uint32),
        "size": np.array([SIZE], dtype=np.uint64),
    }


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the word that came through the memory, and that a restored stack gives the same memory again."""
    return {"out": arrays["values"], "again": np.ones(THREADS, dtype=np.uint32)}


def probe(form: str, arguments: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of one of the three, the others beside it; all are moves and sums of a register."""
    return Probe(
        form=form,
        opcode=f"{form}.{{type}}",
        arguments=arguments,
        rows=table,
        claim=lambda params: since("sm_52", ptx="7.3", section=SECTIONS[form]),
        template="stack.ptx.j2",
        native=lambda params: NONE,
        operands=lambda params: (
            Buffer("out", "out", "u32", (THREADS,)),
            Buffer("again", "out", "u32", (THREADS,)),
            Buffer("values", "in", "u32", (THREADS,)),
            Buffer("size", "in", "b64", (1,)),
        ),
        inputs=inputs,
        oracle=oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=lambda params: {
            "kind": form,
            "align_": ", " + params["align"] if params.get("align", "default") != "default" else "",
        },
    )


PROBES = (
    probe("alloca", "%place, %size{align_}", product(type=("u64",), align=("default", "8", "64"))),
    probe("stacksave", "%top", product(type=("u64",))),
    probe("stackrestore", "%top", product(type=("u64",))),
)
