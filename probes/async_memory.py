"""st.async, red.async and st.bulk. PTX ISA 9.3, 9.7.9.12, 9.7.9.14 and 9.7.14.7."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, atomics, memory, product, since
from suite.probe import Arrays, Params
from suite.tma_oracle import DONE

ST, BULK, RED = "9.7.9.12", "9.7.9.14", "9.7.14.7"
TX = "mbarrier::complete_tx::bytes"


def _claimed(section: str, target: str, ptx: str, b128: str = "") -> Callable[[Params], Claim]:
    """Return a claim; `b128` is the PTX version that brought that type."""
    return lambda params: since(target, ptx=b128 if b128 and params["type"] == "b128" else ptx, section=section)


def _cluster(params: Params) -> Params:
    """Return the parameters with the one state space that a window of another CTA has."""
    return {**params, "space": "shared::cluster"}


# --- to another CTA's shared memory, with completion on its mbarrier --------------------------------------------------


def _tx_fields(params: Params) -> Params:
    count, element = memory.split(params["type"])
    generic = params["space"] == "generic"
    return {
        **memory.fields(_cluster(params)),
        "modifiers": memory.dotted(*(params.get(key, "none") for key in ("sem", "space", "completion", "op"))),
        "count": count,
        "width": memory.bits(element),
        "vectors": ("b",),
        "expected": memory.LANES * memory.size(params["type"]),
        "to": "%to" if generic else "%at",
        "ring": "%ring" if generic else "%bell",
        "B": memory.vector("b", count),
    }


def _tx_operands(params: Params) -> tuple[Operand, ...]:
    return (*atomics.operands(_cluster(params)), Buffer("status", "out", "b32", (2,)))


def _tx_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return memory.update_inputs({"op": "exch", **_cluster(params)}, rng)


def _tx_oracle(params: Params, arrays: Arrays) -> Arrays:
    out = memory.update({"op": "exch", **_cluster(params)}, arrays)["out"]
    return {"out": out, "status": np.full(2, DONE, dtype=np.uint32)}


def _st_sass(params: Params) -> tuple[str, ...]:
    return ("STAS",)


def _red_sass(params: Params) -> tuple[str, ...]:
    return ("REDAS",)


to_peer = partial(
    Probe,
    arguments="[{to}], {B}, [{ring}]",
    template="memory_async.ptx.j2",
    operands=_tx_operands,
    inputs=_tx_inputs,
    oracle=_tx_oracle,
    launch=lambda params: memory.launch(_cluster(params)),
    fields=_tx_fields,
)

# --- to global memory -------------------------------------------------------------------------------------------------


def _global_fields(params: Params) -> Params:
    return {
        **memory.fields(params),
        "modifiers": memory.dotted(*(params.get(key, "none") for key in ("sem", "space", "op"))),
        "count": 1,
        "width": memory.bits(params["type"]),
        "vectors": ("b",),
        "B": memory.vector("b", 1),
    }


def _stored_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return memory.update_inputs({"op": "exch", **params}, rng)


# --- clearing ---------------------------------------------------------------------------------------------------------


def _bulk_operands(params: Params) -> tuple[Operand, ...]:
    shared = {"space": "shared"}
    init, out = memory.rows_buffer("init", "in", shared), memory.rows_buffer("out", "out", shared)
    return (out, init, memory.offsets_buffer(), Buffer("size", "in", "b64", (1,)))


def _bulk_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return a window without a zero byte, and where clearing begins: at 8 bytes into it, or at its start."""
    init = rng.integers(1, 256, (1, memory.LANES, memory.ROW), dtype=np.uint8)
    start = 0 if params["bytes"] == memory.LANES * memory.ROW else 8
    at = np.full(memory.LANES, start, dtype=np.uint32)
    return {"init": init, "at": at, "size": np.array([params["bytes"]], dtype=np.uint64)}


def _bulk_oracle(params: Params, arrays: Arrays) -> Arrays:
    out = arrays["init"].copy()
    start = int(arrays["at"][0])
    out.reshape(-1)[start : start + params["bytes"]] = 0
    return {"out": out}


def _bulk_fields(params: Params) -> Params:
    generic = params["space"] == "generic"
    return {
        **memory.fields({"space": "shared"}),
        "modifiers": memory.dotted(params["sem"], params["space"]),
        "where": "%to" if generic else "%at",
        "amount": {"constant": params["bytes"], "b32": "%short", "b64": "%long"}[params["size"]],
        "count": 0,
        "width": 32,
    }


def _bulk_claim(params: Params) -> Claim:
    return since("sm_100", ptx="9.0" if params["size"] == "b32" else "8.6", section=BULK)


def _reductions(table: Sequence[tuple[str, str]], **columns: Sequence[str]) -> tuple[Params, ...]:
    return tuple({**row, "op": op, "type": kind} for kind, op in table for row in product(**columns))


# Source: PTX ISA 9.3, 9.7.14.7, Syntax.
REDUCTIONS = (
    *(("u32", op) for op in ("inc", "dec", "min", "max", "add")),
    *(("s32", op) for op in ("min", "max", "add")),
    *(("b32", op) for op in ("and", "or", "xor")),
    ("u64", "add"),
)
WORDS = tuple(f"{kind}{width}" for width in (32, 64) for kind in "busf")
STORED = (*WORDS, "b128", *(f"v2.{kind}" for kind in WORDS), *(f"v4.{kind}32" for kind in "busf"))
SCALARS = (*(f"{kind}{width}" for kind in "bus" for width in (8, 16, 32, 64)), "f32", "f64")
EITHER = ("release.gpu", "release.sys", "mmio.release.sys")

PROBES = (
    to_peer(
        form="st",
        opcode="st.async{modifiers}.{type}",
        rows=product(sem=("none", "weak"), space=("generic", "shared::cluster"), completion=(TX,), type=STORED),
        claim=_claimed(ST, "sm_90", "8.1", b128="9.2"),
        native=_st_sass,
    ),
    to_peer(
        form="red",
        opcode="red.async{modifiers}.{type}",
        rows=_reductions(REDUCTIONS, sem=("relaxed.cluster",), space=("generic", "shared::cluster"), completion=(TX,)),
        claim=_claimed(RED, "sm_90", "8.1"),
        native=_red_sass,
    ),
    Probe(
        form="st_global",
        opcode="st.async{modifiers}.{type}",
        arguments="[%at], {B}",
        rows=product(sem=EITHER, space=("generic", "global"), type=SCALARS),
        claim=_claimed(ST, "sm_100", "8.7"),
        template="memory_update.ptx.j2",
        native=lambda params: ("USTGR",),
        operands=atomics.operands,
        inputs=_stored_inputs,
        oracle=lambda params, arrays: memory.update({"op": "exch", **params}, arrays),
        fields=_global_fields,
    ),
    Probe(
        form="red_global",
        opcode="red.async{modifiers}.{type}",
        arguments="[%at], {B}",
        rows=_reductions(
            tuple((kind, "add") for kind in ("u32", "s32", "u64", "s64")), sem=EITHER, space=("generic", "global")
        ),
        claim=_claimed(RED, "sm_100", "8.7"),
        template="memory_update.ptx.j2",
        native=lambda params: ("UREDGR",),
        operands=atomics.operands,
        inputs=memory.update_inputs,
        oracle=memory.update,
        fields=_global_fields,
    ),
    Probe(
        form="bulk",
        opcode="st.bulk{modifiers}",
        arguments="[{where}], {amount}, 0",
        rows=product(
            sem=("none", "weak"),
            space=("generic", "shared::cta"),
            size=("constant", "b32", "b64"),
            bytes=(8, 1000, 2048),
        ),
        claim=_bulk_claim,
        template="memory_bulk.ptx.j2",
        native=lambda params: ("UMEMSETS.64",),
        operands=_bulk_operands,
        inputs=_bulk_inputs,
        oracle=_bulk_oracle,
        launch=lambda params: Launch(),
        fields=_bulk_fields,
    ),
)
