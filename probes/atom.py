"""atom: every atomic operation that returns what it found. PTX ISA 9.3, 9.7.14.5; 9.4, 9.7.15.5."""

from __future__ import annotations

from functools import partial

from suite import Claim, Operand, Probe, atomics, memory
from suite.probe import Params

ATOM = "9.7.14.5"


def _claim(params: Params) -> Claim:
    section = atomics.NEWER["atom"] if atomics.preserves(params) else ATOM
    return memory.claim(atomics.words(params), atomics.WORDS, section)


def _vectors(params: Params) -> tuple[str, ...]:
    return ("b", "c", "d") if params["op"] == "cas" else ("b", "d")


def _fields(params: Params) -> Params:
    count = memory.split(params["type"])[0]
    swap = f", {memory.vector('c', count)}" if params["op"] == "cas" else ""
    return {
        **atomics.fields(params),
        "vectors": _vectors(params),
        "D": memory.vector("d", count),
        "C": swap,
        "slot": "",
    }


def _operands(params: Params) -> tuple[Operand, ...]:
    nbytes = memory.size(params["type"])
    swap = (memory.lanes_buffer("swap", "in", params, nbytes),) if params["op"] == "cas" else ()
    return (*atomics.operands(params), memory.lanes_buffer("old", "out", params, nbytes), *swap)


# The unit of each state space. Source: nvdisasm 13.5.37 of kernels from ptxas 13.5.37.
UNITS = {
    "generic": ("ATOM",),
    "global": ("ATOMG",),
    "shared": ("ATOMS",),
    "shared::cta": ("ATOMS",),
    "shared::cluster": ("ATOM",),
}


def _sass(params: Params) -> tuple[str, ...]:
    return atomics.sass(UNITS[params["space"]], params)


atom = partial(
    Probe,
    opcode="atom{sem}{space_word}.{operation}{caching}.{type}",
    arguments="{D}, [%at], {B}{C}{trailer}",
    claim=_claim,
    template="memory_update.ptx.j2",
    native=_sass,
    operands=_operands,
    inputs=memory.update_inputs,
    oracle=memory.update,
    launch=memory.launch,
    fields=_fields,
)
meeting = partial(
    atom,
    inputs=memory.meeting_inputs,
    oracle=memory.meet,
    fields=lambda params: {**_fields(params), "slot": memory.SLOTS[params["type"]]},
)
ANYWHERE = ("generic", "global")
SHARED = ("shared", "shared::cta", "shared::cluster")
SCOPES = ("cta", "cluster", "gpu", "sys")
ORDERS = ("relaxed", "acquire", "release", "acq_rel")
HINT = ("L2::cache_hint",)
SPELLINGS = (*SCOPES, *ORDERS, *(f"{sem}.{scope}" for sem in ORDERS for scope in SCOPES))
STRONG = ("relaxed.cta", "acquire.cluster", "release.gpu", "acq_rel.sys")
SCALAR = (
    *atomics.REDUCTIONS,
    *((kind, "cas") for kind in ("b16", "b32", "b64", "b128")),
    *((kind, "exch") for kind in ("b32", "b64", "b128")),
)


PROBES = (
    atom(form="scalar", rows=atomics.rows(SCALAR, space=(*ANYWHERE, *SHARED))),
    atom(form="order", rows=atomics.rows((("u32", "add"),), sem=SPELLINGS, space=(*ANYWHERE, *SHARED))),
    atom(
        form="order_cas",
        rows=atomics.rows((("b32", "cas"), ("b128", "cas")), sem=SPELLINGS, space=("global", "shared")),
    ),
    atom(form="scalar_order", rows=atomics.rows(SCALAR, sem=STRONG, space=("global",))),
    atom(form="policy", rows=atomics.rows([row for row in SCALAR if row[1] != "cas"], space=("global",), cache=HINT)),
    atom(form="policy_generic", rows=atomics.rows((("u32", "add"), ("f32", "add")), space=("generic",), cache=HINT)),
    atom(form="vector", rows=atomics.rows(atomics.VECTORS, space=ANYWHERE)),
    atom(
        form="vector_order", rows=atomics.rows(atomics.VECTORS, sem=("acquire.cta", "acq_rel.sys"), space=("global",))
    ),
    atom(form="vector_policy", rows=atomics.rows(atomics.VECTORS, space=("global",), cache=HINT)),
    *(atom(form=form, rows=table) for form, table in atomics.preserving(STRONG, ("acquire.cta", "acq_rel.sys"))),
    meeting(form="meeting", rows=atomics.rows(atomics.COUNTERS, space=(*ANYWHERE, *SHARED))),
)
