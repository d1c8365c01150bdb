"""red: every atomic operation that returns nothing. PTX ISA 9.3, 9.7.14.6; 9.4, 9.7.15.6."""

from __future__ import annotations

from functools import partial

from suite import Claim, Probe, atomics, memory
from suite.probe import Params

RED = "9.7.14.6"


def _claim(params: Params) -> Claim:
    section = atomics.NEWER["red"] if atomics.preserves(params) else RED
    return memory.claim(atomics.words(params), atomics.WORDS, section)


def _fields(params: Params) -> Params:
    return {**atomics.fields(params), "vectors": ("b",)}


# The unit of each state space: where the space is known at run time only, that of atom without a result. Source:
# nvdisasm 13.5.37 of kernels from ptxas 13.5.37, which writes RED for global memory until sm_80 and REDG later.
UNITS = {
    "generic": ("RED", "ATOM"),
    "global": ("RED", "REDG"),
    "shared": ("ATOMS",),
    "shared::cta": ("ATOMS",),
    "shared::cluster": ("RED", "ATOM"),
}


def _sass(params: Params) -> tuple[str, ...]:
    return atomics.sass(UNITS[params["space"]], params)


red = partial(
    Probe,
    opcode="red{sem}{space_word}.{operation}{caching}.{type}",
    arguments="[%at], {B}{trailer}",
    claim=_claim,
    template="memory_update.ptx.j2",
    native=_sass,
    operands=atomics.operands,
    inputs=memory.update_inputs,
    oracle=memory.update,
    launch=memory.launch,
    fields=_fields,
)
meeting = partial(red, inputs=memory.meeting_inputs, oracle=memory.meet)

ANYWHERE = ("generic", "global")
SHARED = ("shared", "shared::cta", "shared::cluster")
SCOPES = ("cta", "cluster", "gpu", "sys")
ORDERS = ("relaxed", "release")
HINT = ("L2::cache_hint",)
SPELLINGS = (*SCOPES, *ORDERS, *(f"{sem}.{scope}" for sem in ORDERS for scope in SCOPES))
STRONG = ("relaxed.cta", "relaxed.sys", "release.cluster", "release.gpu")


PROBES = (
    red(form="scalar", rows=atomics.rows(atomics.REDUCTIONS, space=(*ANYWHERE, *SHARED))),
    red(form="order", rows=atomics.rows((("u32", "add"), ("b64", "or")), sem=SPELLINGS, space=(*ANYWHERE, *SHARED))),
    red(form="scalar_order", rows=atomics.rows(atomics.REDUCTIONS, sem=STRONG, space=("global",))),
    red(form="policy", rows=atomics.rows(atomics.REDUCTIONS, space=("global",), cache=HINT)),
    red(form="policy_generic", rows=atomics.rows((("u32", "add"), ("f32", "add")), space=("generic",), cache=HINT)),
    red(form="vector", rows=atomics.rows(atomics.VECTORS, space=ANYWHERE)),
    red(form="vector_order", rows=atomics.rows(atomics.VECTORS, sem=("relaxed.cta", "release.sys"), space=("global",))),
    red(form="vector_policy", rows=atomics.rows(atomics.VECTORS, space=("global",), cache=HINT)),
    *(red(form=form, rows=table) for form, table in atomics.preserving(STRONG, ("relaxed.cta", "release.sys"))),
    meeting(form="meeting", rows=atomics.rows(atomics.COUNTERS, space=(*ANYWHERE, *SHARED))),
)
