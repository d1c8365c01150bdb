"""cp.reduce.async.bulk: element-wise reductions into global memory or the shared memory of another CTA.

Source: PTX ISA 9.3, 9.7.9.26.4.2; PTX ISA 9.4, 9.7.10.28.4.2, for `.noftz` with f32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, bulk_oracle, memory, product, since
from suite.bulk_oracle import FROM, GUARD, MBARRIER, NEWER, REDUCE, RELAXED, TO, TO_GLOBAL, TO_SHARED, Bytes
from suite.probe import Arrays, Params

THREADS = 64
MEETING = 4  # CTAs that reduce into one place


def _claim(params: Params) -> Claim:
    if params.get("ftz") == "noftz":
        return since("sm_90", ptx="9.4", section=NEWER + "9.7.10.28.4.2")
    return since("sm_90", ptx="9.3" if bulk_oracle.is_sem(params) else "8.0", section=REDUCE)


def _rows(table: Sequence[tuple[str, str]], **columns: Sequence[object]) -> tuple[Params, ...]:
    """Return every combination of columns for each operation and type."""
    return tuple({"op": op, "type": kind, **row} for op, kind in table for row in product(**columns))


# --- into global memory ----------------------------------------------------------------------------------------------


def _fmt(params: Params) -> str:
    return memory.element_format(params["type"])


def _elements(raw: Bytes, params: Params) -> np.ndarray:
    return raw.view(f"<u{memory.bits(params['type']) // 8}")


def _count(params: Params, nbytes: int) -> int:
    return nbytes * 8 // memory.bits(params["type"])


def _operands(ctas: int, params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "inout", _fmt(params), (_count(params, TO + params["bytes"] + GUARD),)),
        Buffer("src", "in", _fmt(params), (ctas, _count(params, params["bytes"]))),
        Buffer("facts", "in", "u32", (2,)),
    )


def _facts(params: Params) -> np.ndarray:
    return np.array([params["bytes"], 0], dtype=np.uint32)


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    size = params["bytes"]
    old, value = bulk_oracle.pairs(params, rng, size)
    out = bulk_oracle.window(TO + size + GUARD, TO, old)
    return {"out": _elements(out, params), "src": _elements(value, params).reshape(1, -1), "facts": _facts(params)}


def _meeting_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    size = params["bytes"]
    out = bulk_oracle.window(TO + size + GUARD, TO, bulk_oracle.addends(params, rng, (size,)))
    values = bulk_oracle.addends(params, rng, (MEETING, size))
    return {"out": _elements(out, params), "src": _elements(values, params), "facts": _facts(params)}


def _oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the window after the rows of `src` were reduced into it, one after the other."""
    out = np.ascontiguousarray(arrays["out"]).view(np.uint8).copy()
    place = slice(TO, TO + params["bytes"])
    rows = np.ascontiguousarray(arrays["src"]).view(np.uint8)
    out[place] = reduce(partial(bulk_oracle.reduce_bytes, params), rows, out[place])
    return {"out": _elements(out, params)}


def _fields(params: Params) -> Params:
    return {**bulk_oracle.fields(params), "operation": bulk_oracle.operation(params)}


to_global = partial(
    Probe,
    opcode="cp.reduce.async.bulk{sem_}.global.shared::cta.bulk_group{hint_}.{operation}",
    arguments="[%to], [%base], %size{policy}",
    claim=_claim,
    template="bulk_store.ptx.j2",
    native=partial(bulk_oracle.machine_reduction, "G.S"),
    operands=partial(_operands, 1),
    inputs=_inputs,
    oracle=_oracle,
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_fields,
)

# --- into the shared memory of another CTA ---------------------------------------------------------------------------


def _ctas(params: Params) -> int:
    return int(params["cluster"])


def _exchange_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return windows with operands at both places of every CTA, and who sends to whom."""
    ctas, size = _ctas(params), params["bytes"]
    init = np.stack([bulk_oracle.window(bulk_oracle.exchange_window(params), 0, np.empty(0, np.uint8))] * ctas)
    if params["route"] == "fan_in":
        init[:, FROM : FROM + size] = bulk_oracle.addends(params, rng, (ctas, size))
        init[:, TO + size : TO + 2 * size] = bulk_oracle.addends(params, rng, (ctas, size))
        return {"init": init, **bulk_oracle.fan_in(ctas, size)}
    for cta in range(ctas):
        old, init[cta, FROM : FROM + size] = bulk_oracle.pairs(params, rng, size)
        init[(cta + 1) % ctas, TO + size : TO + 2 * size] = old
    return {"init": init, **bulk_oracle.ring(ctas, size)}


def _exchange_launch(params: Params) -> Launch:
    shape = (_ctas(params), 1, 1)
    return Launch(grid=shape, block=(THREADS, 1, 1), cluster=shape)


to_shared = partial(
    Probe,
    opcode="cp.reduce.async.bulk{sem_}.shared::cluster.shared::cta." + MBARRIER + ".{operation}",
    arguments="[%dst], [%src], %size, [%remote]",
    claim=_claim,
    template="bulk_exchange.ptx.j2",
    native=partial(bulk_oracle.machine_reduction, "S.S"),
    operands=lambda params: bulk_oracle.exchange_operands(_ctas(params), bulk_oracle.exchange_window(params)),
    inputs=_exchange_inputs,
    oracle=lambda params, arrays: bulk_oracle.exchanged(
        arrays, params["bytes"], partial(bulk_oracle.reduce_bytes, params)
    ),
    launch=_exchange_launch,
    fields=lambda params: {**bulk_oracle.exchange_fields(params), "operation": bulk_oracle.operation(params)},
)


def _in_any_order(table: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the operations whose result does not depend on the order; wrapping counters' does."""
    return tuple(entry for entry in table if entry[0] not in ("inc", "dec"))


HINTS = ("none", "cache_hint")

PROBES = (
    to_global(
        form="global",
        rows=(
            *_rows(TO_GLOBAL, sem=("none",), hint=("none",), bytes=(16, 8192)),
            *_rows(TO_GLOBAL, sem=("none", *RELAXED), hint=HINTS, bytes=(272,)),
        ),
    ),
    to_global(
        form="global_noftz",
        rows=_rows((("add", "f32"),), ftz=("noftz",), sem=("none", *RELAXED), hint=HINTS, bytes=(272,)),
    ),
    to_global(
        form="global_meeting",
        rows=_rows(_in_any_order(TO_GLOBAL), sem=("none",), hint=("none",), bytes=(4096,)),
        operands=partial(_operands, MEETING),
        inputs=_meeting_inputs,
        launch=lambda params: Launch(grid=(MEETING, 1, 1), block=(THREADS, 1, 1)),
    ),
    to_shared(
        form="shared",
        rows=(
            *_rows(TO_SHARED, sem=("none",), bytes=(16, 4096), cluster=(2,), route=("ring",)),
            *_rows(
                TO_SHARED, sem=("none", "relaxed.cta", "relaxed.cluster"), bytes=(272,), cluster=(3,), route=("ring",)
            ),
        ),
    ),
    to_shared(
        form="shared_meeting",
        rows=_rows(_in_any_order(TO_SHARED), sem=("none",), bytes=(4096,), cluster=(4,), route=("fan_in",)),
    ),
)
