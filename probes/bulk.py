"""cp.async.bulk with its modifiers, and hints about the cache. Copies by immediate sizes stand in `tma`.

Sources: PTX ISA 9.3, 9.7.9.26.4.1 (copies) and 9.7.9.26.4.3 (prefetch); PTX ISA 9.4, 9.7.10.18, 9.7.10.28.1.3,
9.7.10.28.4.1 and 9.7.10.28.4.3, for what that version added.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, bulk_oracle, product, rows, since
from suite.bulk_oracle import BLANK, FROM, GUARD, MBARRIER, NEWER, RELAXED, TO
from suite.probe import Arrays, Params
from suite.tma_oracle import DONE, even_bytes, prefilled

THREADS = 64
LATE_COPY, LATE_PREFETCH = NEWER + "9.7.10.28.4.1", NEWER + "9.7.10.28.4.3"
LATE_PRIORITY = NEWER + "9.7.10.18"

# --- global to shared memory -----------------------------------------------------------------------------------------


def _mask(params: Params) -> int:
    return int(params.get("mask", "0x1"), 16)


def _ctas(params: Params) -> int:
    return int(params.get("cluster", 1))


def _launch(params: Params) -> Launch:
    shape = (_ctas(params), 1, 1)
    return Launch(grid=shape, block=(THREADS, 1, 1), cluster=shape)


def _load_operands(params: Params) -> tuple[Operand, ...]:
    window = TO + params["bytes"] + GUARD
    return (
        Buffer("out", "out", "b8", (_ctas(params), window)),
        Buffer("status", "out", "b32", (_ctas(params),)),
        Buffer("src", "in", "b8", (FROM + params["bytes"] + GUARD,)),
        Buffer("facts", "in", "u32", (4,)),
    )


def _load_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    count = FROM + params["bytes"] + GUARD
    source = bulk_oracle.quiet_bytes(count) if "report" in params else even_bytes(count)
    facts = [params["bytes"], _mask(params), params.get("left", 0), params.get("right", 0)]
    return {"src": source, "facts": np.array(facts, dtype=np.uint32)}


def _load_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the windows: the source in those of the CTAs of the mask, blanks where it may be left open."""
    size, left, right = params["bytes"], params.get("left", 0), params.get("right", 0)
    copied = arrays["src"][FROM : FROM + size].copy()
    copied[:left] = BLANK
    copied[size - right :] = BLANK
    out = prefilled(_ctas(params), TO + size + GUARD)
    for cta in range(_ctas(params)):
        if _mask(params) >> cta & 1:
            out[cta, TO : TO + size] = copied
        elif left or right:
            raise ValueError("a CTA that does not receive has no ends to blank")
    return {"out": out, "status": np.full(_ctas(params), DONE, dtype=np.uint32)}


def _load_fields(params: Params) -> Params:
    validity = params.get("report", "disabled") != "disabled"
    return {**bulk_oracle.fields(params), "layout": ".layout::v1" if validity else ""}


def _load_sass(params: Params) -> tuple[str, ...]:
    return ("UBLKCP.S.G" + bulk_oracle.strength(params),)


load = partial(
    Probe,
    claim=bulk_oracle.copy_claim,
    template="bulk_load.ptx.j2",
    native=_load_sass,
    operands=_load_operands,
    inputs=_load_inputs,
    oracle=_load_oracle,
    launch=_launch,
    fields=_load_fields,
)


def _multicast_claim(params: Params) -> Claim:
    width = params.get("width", "none")
    if width == "32b":
        return bulk_oracle.rubin(LATE_COPY)
    if width == "16b":  # the modifier alone has no targets of its own; with semantics it has theirs
        late = since("sm_90", ptx="9.4", section=LATE_COPY)
        return bulk_oracle.semantics(LATE_COPY, "9.4") if bulk_oracle.is_sem(params) else late
    return bulk_oracle.copy_claim({key: value for key, value in params.items() if key != "mask"})


def _multicast_fields(params: Params) -> Params:
    width = params.get("width", "none")
    members = "%members" if width == "32b" else "%mask"
    return {**_load_fields(params), "width_": "" if width == "none" else f"::{width}", "members": members}


def _multicast_sass(params: Params) -> tuple[str, ...]:
    tail = "MULTICAST32" if params.get("width") == "32b" else "MULTICAST"
    return (f"UBLKCP.S.G.{tail}{bulk_oracle.strength(params)}",)


# How machine code spells the validity checks. Source: nvdisasm 13.5.37 of kernels from ptxas 13.5.37 for sm_107a.
REPORTS = {
    # mechanism                          SASS
    "validity::per_16bytes::80000000": "VALIDCHK_80000000",
    "validity::per_16bytes::8000": "VALIDCHK_XXXX8000",
    "validity::per_16bytes::80": "VALIDCHK_XXXXXX80",
    "validity::per_16bytes::8": "VALIDCHK_XXXXXXX8",
    "validity::per_element::ff": "VALIDCHK_EVERY_FF",
}
report = partial(
    load,
    opcode="cp.async.bulk{sem_}.shared::{space}.global." + MBARRIER + ".mbarrier::report::{report}{hint_}{kind}",
    arguments="[%dst], [%from], %size, [%mbar]{policy}",
    claim=lambda params: bulk_oracle.rubin(LATE_COPY),
)

# --- shared memory to global -----------------------------------------------------------------------------------------


def _store_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "inout", "b8", (TO + params["bytes"] + GUARD,)),
        Buffer("src", "in", "b8", (1, params["bytes"])),
        Buffer("facts", "in", "u32", (2,)),
    )


def _store_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    facts = np.array([params["bytes"], int(params.get("mask", "0x0"), 16)], dtype=np.uint32)
    before = prefilled(1, TO + params["bytes"] + GUARD)[0]
    return {"out": before, "src": even_bytes(params["bytes"]).reshape(1, -1), "facts": facts}


def _store_oracle(params: Params, arrays: Arrays) -> Arrays:
    out = arrays["out"].copy()
    place = slice(TO, TO + params["bytes"])
    out[place] = bulk_oracle.masked(out[place], arrays["src"][0], int(params.get("mask", "0xffff"), 16))
    return {"out": out}


def _store_sass(params: Params) -> tuple[str, ...]:
    masked = ".DST_G_BYTE_MASK" if "mask" in params else ""
    return (f"UBLKCP.G.S{masked}{bulk_oracle.strength(params)}",)


store = partial(
    Probe,
    claim=bulk_oracle.copy_claim,
    template="bulk_store.ptx.j2",
    native=_store_sass,
    operands=_store_operands,
    inputs=_store_inputs,
    oracle=_store_oracle,
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=lambda params: {**bulk_oracle.fields(params)},
)

# --- shared memory to that of another CTA ----------------------------------------------------------------------------


def _exchange_operands(params: Params) -> tuple[Operand, ...]:
    ctas, window = _ctas(params), bulk_oracle.exchange_window(params)
    return bulk_oracle.exchange_operands(ctas, window)


def _exchange_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    ctas, size = _ctas(params), params["bytes"]
    init = prefilled(ctas, bulk_oracle.exchange_window(params)).copy()
    init[:, FROM : FROM + size] = even_bytes(ctas * size).reshape(ctas, size)
    return {"init": init, **bulk_oracle.ring(ctas, size)}


def _exchange_oracle(params: Params, arrays: Arrays) -> Arrays:
    return bulk_oracle.exchanged(arrays, params["bytes"], lambda old, value: value)


EXCHANGE = Probe(
    form="exchange",
    opcode="cp.async.bulk{sem_}.shared::cluster.shared::cta." + MBARRIER + "{kind}",
    arguments="[%dst], [%src], %size, [%remote]",
    rows=rows(
        "sem bytes cluster",
        *(("none", *shape) for shape in ((16, 3), (272, 8), (8192, 2))),
        *((sem, 272, 3) for sem in ("weak", "relaxed.cta", "relaxed.cluster")),
    ),
    claim=bulk_oracle.copy_claim,
    template="bulk_exchange.ptx.j2",
    native=lambda params: ("UBLKCP.S.S" + bulk_oracle.strength(params),),
    operands=_exchange_operands,
    inputs=_exchange_inputs,
    oracle=_exchange_oracle,
    launch=_launch,
    fields=bulk_oracle.exchange_fields,
)

# --- hints about the cache, which no memory shows --------------------------------------------------------------------


def _cache_fields(params: Params) -> Params:
    size = 128 + params["bytes"] + GUARD
    return {
        **bulk_oracle.fields(params),
        "source": 128,  # applypriority wants its address aligned to 128
        "window": size,
        "generic": params.get("space") == "generic",
        "space_": ".global" if params.get("space") == "global" else "",
        "hint_": {"none": "", "cache_hint": ".L2::cache_hint", "evict_last": ".L2::evict_last"}[params["hint"]],
        "grouped": "space" in params,
    }


def _cache_operands(params: Params) -> tuple[Operand, ...]:
    size = 128 + params["bytes"] + GUARD
    return (
        Buffer("out", "out", "b8", (size,)),
        Buffer("src", "in", "b8", (size,)),
        Buffer("facts", "in", "u32", (1,)),
    )


def _cache_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {"src": even_bytes(128 + params["bytes"] + GUARD), "facts": np.array([params["bytes"]], dtype=np.uint32)}


def _prefetch_claim(params: Params) -> Claim:
    if params["hint"] == "evict_last":
        return bulk_oracle.rubin(LATE_PREFETCH)
    return since("sm_90", ptx="8.0", section=bulk_oracle.PREFETCH)


def _prefetch_sass(params: Params) -> tuple[str, ...]:
    return ("UBLKL2CCTL.PM",) if params["hint"] == "evict_last" else ("UBLKPF.L2", "UBLKL2CCTL.PF")  # sm_107: the last


cache = partial(
    Probe,
    template="bulk_cache.ptx.j2",
    operands=_cache_operands,
    inputs=_cache_inputs,
    oracle=lambda params, arrays: {"out": arrays["src"]},
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_cache_fields,
    observed="sass",
)

SEMS, HINTS = ("none", "weak", *RELAXED), ("none", "cache_hint")
LARGE = 31984  # of the 32,258 different even bytes that there are, with room around
ENDS = ((32, 0, 0), (32, 15, 0), (32, 0, 15), (16, 7, 8), (4096, 15, 15))

PROBES = (
    load(
        form="load",
        opcode="cp.async.bulk{sem_}.shared::{space}.global." + MBARRIER + "{hint_}{kind}",
        arguments="[%dst], [%from], %size, [%mbar]{policy}",
        rows=(
            *product(sem=("none",), space=("cta", "cluster"), hint=HINTS, bytes=(16, 272, LARGE)),
            *product(sem=SEMS[1:], space=("cta", "cluster"), hint=HINTS, bytes=(272,)),
        ),
    ),
    load(
        form="ignore_oob",
        opcode="cp.async.bulk{sem_}.shared::cta.global." + MBARRIER + "{hint_}.ignore_oob{kind}",
        arguments="[%dst], [%from], %size, %left, %right, [%mbar]{policy}",
        rows=(
            *product(sem=SEMS, hint=HINTS, bytes=(272,), left=(5,), right=(9,)),
            *rows("sem hint bytes left right", *(("none", "none", *ends) for ends in ENDS)),
        ),
    ),
    load(
        form="multicast",
        opcode="cp.async.bulk{sem_}.shared::cluster.global." + MBARRIER + ".multicast::cluster{width_}{hint_}{kind}",
        arguments="[%dst], [%from], %size, [%mbar], {members}{policy}",
        rows=(
            *product(sem=SEMS, hint=HINTS, bytes=(272,), cluster=(4,), mask=("0xb",)),
            *product(
                width=("16b", "32b"), sem=("none", "relaxed.gpu"), hint=HINTS, bytes=(272,), cluster=(4,), mask=("0xb",)
            ),
            *rows("sem hint bytes cluster mask", ("none", "cache_hint", 8192, 8, "0xa6")),
        ),
        claim=_multicast_claim,
        native=_multicast_sass,
        fields=_multicast_fields,
    ),
    report(
        form="report_disabled",
        rows=product(report=("disabled",), sem=("none",), space=("cta", "cluster"), hint=HINTS, bytes=(272,)),
    ),
    report(
        form="report",
        rows=product(
            report=tuple(REPORTS), sem=("none", "relaxed.gpu"), space=("cta", "cluster"), hint=HINTS, bytes=(272,)
        ),
        native=lambda params: (f"UBLKCP.S.G.{REPORTS[params['report']]}{bulk_oracle.strength(params)}",),
        observed="sass",
    ),
    store(
        form="store",
        opcode="cp.async.bulk{sem_}.global.shared::cta.bulk_group{hint_}{kind}",
        arguments="[%to], [%base], %size{policy}",
        rows=(
            *product(sem=("none",), hint=HINTS, bytes=(16, 272, LARGE)),
            *product(sem=SEMS[1:], hint=HINTS, bytes=(272,)),
        ),
    ),
    store(
        form="cp_mask",
        opcode="cp.async.bulk{sem_}.global.shared::cta.bulk_group{hint_}.cp_mask{kind}",
        arguments="[%to], [%base], %size{policy}, %mask",
        rows=(
            *product(sem=SEMS, hint=HINTS, bytes=(272,), mask=("0xa5c3",)),
            *product(sem=("none",), hint=("none",), bytes=(8192,), mask=("0x0", "0x1", "0x8000", "0xffff")),
        ),
    ),
    EXCHANGE,
    cache(
        form="prefetch",
        opcode="cp.async.bulk.prefetch.L2.global{hint_}",
        arguments="[%from], %size{policy}",
        rows=product(hint=("none", "cache_hint", "evict_last"), bytes=(16, 8192)),
        claim=_prefetch_claim,
        native=_prefetch_sass,
    ),
    cache(
        form="applypriority",
        opcode="applypriority.async.bulk{space_}.bulk_group.L2::evict_normal",
        arguments="[%from], %size",
        rows=product(space=("generic", "global"), hint=("none",), bytes=(128, 8192)),
        claim=lambda params: bulk_oracle.rubin(LATE_PRIORITY),
        native=lambda params: ("UBLKL2CCTL.DM",),
    ),
)
