"""cp.async.bulk.commit_group and wait_group: groups of bulk copies to global memory, and how they are awaited.

Sources: PTX ISA 9.3, 9.7.9.26.6.1 and 9.7.9.26.6.2.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Launch, Operand, Probe, product, rows, since
from suite.bulk_oracle import COMMIT, WAIT
from suite.probe import Arrays, Params
from suite.tma_oracle import even_bytes, prefilled

THREADS = 64


def _group_fields(params: Params) -> Params:
    """Return the places in the kernel; `commit` is the group whose commit is in question, -1 where a wait is."""
    pending = params.get("pending", 1)
    empty = params.get("of") == "nothing"
    return {
        "window": params["groups"] * params["bytes"],
        "commit": -1 if "pending" in params else 0,
        "empty": empty,
        "pending": pending,
        "ready": 1 if empty else params["groups"] - pending,
        "read": params.get("read") == "yes",
        "read_": ".read" if params.get("read") == "yes" else "",
    }


def _group_operands(params: Params) -> tuple[Operand, ...]:
    size = params["groups"] * params["bytes"]
    return (
        Buffer("out", "inout", "b8", (size,)),
        Buffer("seen", "out", "b8", (size,)),
        Buffer("src", "in", "b8", (size,)),
    )


def _group_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    size = params["groups"] * params["bytes"]
    return {"out": prefilled(1, size)[0], "src": even_bytes(size)}


groups = partial(
    Probe,
    template="bulk_groups.ptx.j2",
    operands=_group_operands,
    inputs=_group_inputs,
    oracle=lambda params, arrays: {"out": arrays["src"], "seen": arrays["src"]},
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_group_fields,
)

PROBES = (
    groups(
        form="commit_group",
        opcode="cp.async.bulk.commit_group",
        arguments="",
        rows=rows("groups of bytes", (2, "copy", 8192), (1, "nothing", 8192)),
        claim=lambda params: since("sm_90", ptx="8.0", section=COMMIT),
        native=lambda params: ("UTMACMDFLUSH",),
    ),
    groups(
        form="wait_group",
        opcode="cp.async.bulk.wait_group{read_}",
        arguments="{pending}",
        rows=product(groups=(4,), pending=(0, 1, 2, 3), read=("no", "yes"), bytes=(4096,)),
        claim=lambda params: since("sm_90", ptx="8.0", section=WAIT),
        native=lambda params: ("DEPBAR.LE",),
    ),
)
