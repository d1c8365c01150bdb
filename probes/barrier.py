"""bar, barrier, bar.warp.sync, barrier.cluster: threads exchange words across the barrier, some of them storing late.

Sources: PTX ISA 9.3, 9.7.14.1 (bar, barrier), 9.7.14.2 (bar.warp.sync), 9.7.14.3 (barrier.cluster).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, rows, since
from suite.probe import Arrays, Params

CTA, WARP, CLUSTER = "9.7.14.1", "9.7.14.2", "9.7.14.3"
THREADS = 128
ROUNDS = 5

# The spellings of one instruction: before and after the operation, and the PTX version that brought them. `bar` is
# `barrier` with `.aligned`. Source: PTX ISA 9.3, 9.7.14.1, Syntax and PTX ISA Notes.
SPELLINGS = {
    # case              opcode         suffix      PTX
    "bar":             ("bar",         "",         "2.0"),
    "bar.cta":         ("bar.cta",     "",         "7.8"),
    "barrier":         ("barrier",     "",         "6.0"),
    "barrier.cta":     ("barrier.cta", "",         "7.8"),
    "barrier.aligned": ("barrier",     ".aligned", "6.0"),
    "barrier.cta.aligned": ("barrier.cta", ".aligned", "7.8"),
}  # fmt: skip

# How the barrier and its threads are given: operands, and what `plan` holds (barrier, threads, step of the number from
# one group of 64 threads to the next). The number must be a multiple of the warp size.
GIVEN = {
    # case         operands       barrier threads step
    "number":     ("1",           (1, 128, 0)),
    "register":   ("%id",         (2, 128, 0)),
    "counted":    ("1, 128",      (1, 128, 0)),
    "registers":  ("%id, %n",     (3, 128, 0)),
    "groups":     ("%id, %n",     (4, 64, 5)),
}  # fmt: skip


def _given(params: Params) -> tuple[int, int, int]:
    return GIVEN[params["given"]][1]


def _cta_claim(params: Params) -> Claim:
    ptx = SPELLINGS[params["spelling"]][2]
    return since("sm_20" if ptx == "2.0" else "sm_30", ptx=ptx, section=CTA)


def _cta_fields(kind: str, params: Params) -> Params:
    name, suffix, _ = SPELLINGS[params["spelling"]]
    return {
        "name": name,
        "suffix": suffix,
        "kind": kind,
        "barrier": GIVEN[params["given"]][0],
        "diverged": params.get("path") == "diverged",
        "rounds": ROUNDS,
    }


def _plan(params: Params, partner: int) -> np.ndarray:
    return np.array([*_given(params), partner], dtype=np.uint32)


def _exchange_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "u32", (THREADS,)),
        Buffer("values", "in", "u32", (THREADS,)),
        Buffer("plan", "in", "u32", (4,)),
    )


def _exchange_inputs(kind: str, params: Params, rng: np.random.Generator) -> Arrays:
    partner = 64 if kind == "arrive" else 32 if params["given"] == "groups" else 96
    values = rng.permutation(2**20)[:THREADS].astype(np.uint32)
    return {"values": values, "plan": _plan(params, partner)}


def _exchange_oracle(kind: str, params: Params, arrays: Arrays) -> Arrays:
    """Return every thread's partner's word; threads that only arrive keep their own."""
    thread = np.arange(THREADS)
    partner = thread ^ int(arrays["plan"][3])
    return {"out": arrays["values"][np.where((kind == "arrive") & (thread >= 64), thread, partner)]}


def _exchange(form: str, kind: str, native: str, table: tuple[Params, ...]) -> Probe:
    return Probe(
        form=form,
        opcode="{name}." + kind + "{suffix}",
        arguments="{barrier}",
        rows=table,
        claim=_cta_claim,
        template="barrier.ptx.j2",
        native=lambda params: (native,),
        operands=_exchange_operands,
        inputs=partial(_exchange_inputs, kind),
        oracle=partial(_exchange_oracle, kind),
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=partial(_cta_fields, kind),
    )


def _red_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "u32", (ROUNDS, THREADS)),
        Buffer("flags", "in", "u32", (ROUNDS, THREADS)),
        Buffer("plan", "in", "u32", (4,)),
    )


def _red_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return predicates: random ones, none, all, all but one and one alone."""
    flags = rng.integers(0, 2, (ROUNDS, THREADS), dtype=np.uint32)
    flags[1], flags[2], flags[3], flags[4] = 0, 1, 1, 0
    flags[3, 77], flags[4, 41] = 0, 1
    return {"flags": flags, "plan": _plan(params, 0)}


def _red_oracle(params: Params, arrays: Arrays) -> Arrays:
    holds = (arrays["flags"] != 0) ^ (params["negated"] == "yes")
    groups = holds.reshape(ROUNDS, -1, _given(params)[1])
    reduced = {"popc": groups.sum(axis=2), "and": groups.all(axis=2), "or": groups.any(axis=2)}[params["op"]]
    return {"out": np.repeat(reduced, groups.shape[2], axis=1).astype(np.uint32)}


def _red_fields(params: Params) -> Params:
    popc = params["op"] == "popc"
    return {
        **_cta_fields(params["op"], params),
        "type": ".u32" if popc else ".pred",
        "result": "%result" if popc else "%p",
        "holds": "!%holds" if params["negated"] == "yes" else "%holds",
    }


RED = Probe(
    form="red",
    opcode="{name}.red.{op}{suffix}{type}",
    arguments="{result}, {barrier}, {holds}",
    rows=tuple(
        {"spelling": spelling, "op": op, "given": given, "negated": negated}
        for spelling in SPELLINGS
        for op in ("popc", "and", "or")
        for given, negated in (("number", "no"), ("counted", "yes"), ("groups", "no"))
    ),
    claim=_cta_claim,
    template="barrier_red.ptx.j2",
    native=lambda params: (f"BAR.RED.{params['op'].upper()}",),
    operands=_red_operands,
    inputs=_red_inputs,
    oracle=_red_oracle,
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_red_fields,
)

# How many neighbouring lanes meet, the lane whose word a lane reads as a mask, and the operand.
WARPS = {
    # case    lanes partner operand
    "all":    (32,  17,     "0xffffffff"),
    "full":   (32,  21,     "%mask"),
    "halves": (16,  9,      "%mask"),
    "pairs":  (2,   1,      "%mask"),
}  # fmt: skip


def _warp_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    lanes, partner, _ = WARPS[params["mask"]]
    masks = [((1 << lanes) - 1) << lane // lanes * lanes for lane in range(32)]
    return {
        "values": rng.permutation(2**20)[:32].astype(np.uint32),
        "masks": np.array(masks, dtype=np.uint32),
        "partners": (np.arange(32) ^ partner).astype(np.uint32),
    }


BAR_WARP = Probe(
    form="warp",
    opcode="bar.warp.sync",
    arguments="{operand}",
    rows=rows("mask", *((mask,) for mask in WARPS)),
    claim=lambda params: since("sm_30", ptx="6.0", section=WARP),
    template="barrier_warp.ptx.j2",
    native=lambda params: ("WARPSYNC",),
    operands=lambda params: (
        Buffer("out", "out", "u32", (32,)),
        *(Buffer(name, "in", "u32", (32,)) for name in ("values", "masks", "partners")),
    ),
    inputs=_warp_inputs,
    oracle=lambda params, arrays: {"out": arrays["values"][arrays["partners"]]},
    fields=lambda params: {"operand": WARPS[params["mask"]][2]},
)


def _cluster(form: str, kind: str, native: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of arriving or waiting, the other half of the barrier being the plainest spelling."""

    def suffix(params: Params) -> str:
        return "".join(f".{word}" for word in (params["sem"], params["aligned"]) if word != "none")

    return Probe(
        form=form,
        opcode=f"barrier.cluster.{kind}{{suffix}}",
        arguments="",
        rows=table,
        claim=lambda params: since("sm_90", ptx="7.8" if params["sem"] == "none" else "8.0", section=CLUSTER),
        template="barrier_cluster.ptx.j2",
        native=lambda params: (native,),
        operands=lambda params: (Buffer("out", "out", "u32", (2, 64)), Buffer("values", "in", "u32", (2, 64))),
        inputs=lambda params, rng: {"values": rng.permutation(2**20)[:128].astype(np.uint32).reshape(2, 64)},
        oracle=lambda params, arrays: {"out": arrays["values"][::-1, np.arange(64) ^ 37]},
        launch=lambda params: Launch(grid=(2, 1, 1), block=(64, 1, 1), cluster=(2, 1, 1)),
        fields=lambda params: {"suffix": suffix(params), "kind": kind, "relaxed": params["sem"] == "relaxed"},
    )


ALIGNED = ("none", "aligned")

PROBES = (
    _exchange("sync", "sync", "BAR.SYNC", product(spelling=tuple(SPELLINGS), given=tuple(GIVEN))),
    _exchange(
        "sync_diverged",
        "sync",
        "BAR.SYNC",
        product(spelling=("barrier", "barrier.cta"), given=("number", "counted"), path=("diverged",)),
    ),
    _exchange("arrive", "arrive", "BAR.ARV", product(spelling=tuple(SPELLINGS), given=("counted", "registers"))),
    RED,
    BAR_WARP,
    _cluster("cluster_arrive", "arrive", "UCGABAR_ARV", product(sem=("none", "release", "relaxed"), aligned=ALIGNED)),
    _cluster("cluster_wait", "wait", "UCGABAR_WAIT", product(sem=("none", "acquire"), aligned=ALIGNED)),
)
