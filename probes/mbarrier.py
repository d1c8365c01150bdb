"""mbarrier: barriers in shared memory, of which every count and phase is measured by arriving until one completes.

Sources: PTX ISA 9.3, 9.7.14.16.12 to 9.7.14.16.21; `cp.async.mbarrier.arrive` belongs to cp_async. Arrivals and
transactions on `.shared::cluster` are performed on the barrier of the other CTA of a cluster of two, those with
`.multicast::cluster::32b` (PTX ISA 9.4, 9.7.15.16.14 to 9.7.15.16.17) on the barriers of the CTAs in a mask.
"""

from __future__ import annotations

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, rows
from suite import mbarrier_counts as counts
from suite.mbarrier import OLD_ARRIVE, claim, dotted, multicast_claim, syncs
from suite.mbarrier_counts import THREADS
from suite.probe import Arrays, Params

INIT, INVAL, EXPECT_TX, COMPLETE_TX = (f"9.7.14.16.{n}" for n in (12, 13, 14, 15))
ARRIVE, ARRIVE_DROP, WAIT, PENDING, CHECK = (f"9.7.14.16.{n}" for n in (16, 17, 19, 20, 21))

NO_OPCODE = ("-",)  # no target has an opcode for it: it is shifts and masks
SPACES = ("generic", "shared", "shared::cta")


def _at(params: Params) -> str:
    return "%generic" if params["space"].startswith("generic") else "%target"


# --- arrivals and transactions ----------------------------------------------------------------------------------------


def _count_fields(params: Params) -> Params:
    extra, remote = counts.extra_of(params), counts.remote(params)
    sink = remote or params.get("state") == "sink" or not counts.arrives(params)
    return {
        "remote": remote,
        "multicast": "multicast" in params,
        "sink": sink,
        "tx": extra in ("expect_tx", "complete_tx"),
        "pledged": extra == "complete_tx",
        "qualifiers": dotted(*(("expect_tx",) if counts.arrives(params) and extra == "expect_tx" else ()))
        + dotted(params["sem"], params["space"], params.get("multicast", "none")),
        "result": ("_, " if sink else "%state, ") if counts.arrives(params) else "",
        "at": _at(params),
        "trailer": ("" if extra == "plain" else ", %amount") + (", %mask" if "multicast" in params else ""),
    }


def _count_claim(params: Params) -> Claim:
    section = {"arrive": ARRIVE, "arrive_drop": ARRIVE_DROP, "expect_tx": EXPECT_TX, "complete_tx": COMPLETE_TX}
    if "multicast" in params:
        return multicast_claim(section[params["op"]])
    if not counts.arrives(params):  # .relaxed came with these two instructions
        return claim(section[params["op"]], params["op"], params["space"])
    sink = "sink" if params.get("state") == "sink" and params["op"] == "arrive" else ""
    return claim(section[params["op"]], params["extra"], params["sem"], params["space"], sink)


def _count_native(params: Params) -> tuple[str, ...]:
    several = ".MULTICAST" if "multicast" in params else ""
    if not counts.arrives(params):
        return syncs("ARRIVE.TRANS64.RED." + ("A0TR" if params["op"] == "expect_tx" else "A0TX") + several)
    drop = ".OPTOUT" if params["op"] == "arrive_drop" else ""
    unit = {"plain": ".A1T0", "count": ".ART0", "expect_tx": ""}[params["extra"]]
    if several:
        return syncs(f"ARRIVE.TRANS64.RED{drop}{unit or '.A1T0'}{several}")
    return (*syncs(f"ARRIVE.TRANS64{'.RED' if counts.remote(params) else ''}{drop}{unit}"), *OLD_ARRIVE)


def _count_operands(params: Params) -> tuple[Operand, ...]:
    ctas = counts.ctas_of(params)
    masks = (Buffer("masks", "in", "u32", (ctas,)),) if "multicast" in params else ()
    return (
        Buffer("counts", "out", "u32", (ctas, 3)),
        Buffer("waits", "out", "u32", (ctas, THREADS)),
        Buffer("plan", "in", "u32", (ctas, 4)),
        Buffer("amounts", "in", "u32", (ctas, THREADS)),
        *masks,
    )


def _count_launch(params: Params) -> Launch:
    ctas = (counts.ctas_of(params), 1, 1)
    return Launch(grid=ctas, block=(THREADS, 1, 1), cluster=ctas)


def _counted(form: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of an operation whose effect on the counts is measured."""
    return Probe(
        form=form,
        opcode="mbarrier.{op}{qualifiers}.b64",
        arguments="{result}[{at}]{trailer}",
        rows=table,
        claim=_count_claim,
        template="mbarrier_count.ptx.j2",
        native=_count_native,
        operands=_count_operands,
        inputs=counts.inputs,
        oracle=counts.oracle,
        launch=_count_launch,
        fields=_count_fields,
    )


# --- waits ------------------------------------------------------------------------------------------------------------


def _wait_fields(params: Params) -> Params:
    parity, report = params["phase"] == "parity", params.get("report", "none")
    kind = params["type"]
    predicate = {"none": "%complete", "predicate": "%complete|%report", "value": "%complete|%report, %cause"}
    return {
        "qualifiers": (".parity" if parity else "")
        + (f".phase_type::{kind}" if kind != "none" else "")
        + dotted(params["sem"], params["space"]),
        "result": predicate[report],
        "at": "%generic" if params["space"] == "generic" else "%mbar",
        "which": "%parity" if parity else "%state",
        "trailer": ", %hint" if params.get("limit") == "hint" else "",
        "report": "" if report == "none" else report,
        "relaxed": params["sem"].startswith("relaxed"),
        "init": f".layout::{params['layout']}" if "layout" in params else "",
    }


def _wait_claim(params: Params) -> Claim:
    report = "report" if params.get("report", "none") != "none" else ""
    return claim(WAIT, params["op"], params["phase"], params["type"], params["sem"], params["space"], report)


def _wait_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("log", "out", "u32", (32,)),
        Buffer("data", "out", "u32", (32,)),
        Buffer("values", "in", "u32", (32,)),
        Buffer("plan", "in", "u32", (4,)),
    )


def _wait_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    plan = np.array([THREADS, 0, 1, 2000], dtype=np.uint32)
    return {"plan": plan, "values": rng.integers(1, 2**32, 32, dtype=np.uint32)}


def _wait_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return that only the second of the three answers is true, without a report, and what the first warp stored."""
    return {"log": np.full(32, 0b0010, dtype=np.uint32), "data": arrays["values"][np.arange(32) ^ 21]}


def _waits(form: str, table: tuple[Params, ...]) -> Probe:
    return Probe(
        form=form,
        opcode="mbarrier.{op}{qualifiers}.b64",
        arguments="{result}, [{at}], {which}{trailer}",
        rows=table,
        claim=_wait_claim,
        template="mbarrier_wait.ptx.j2",
        native=lambda params: syncs("PHASECHK.TRANS64" + (".TRYWAIT" if params["op"] == "try_wait" else "")),
        operands=_wait_operands,
        inputs=_wait_inputs,
        oracle=_wait_oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=_wait_fields,
    )


WAIT_SEMS = ("none", "acquire.cta", "acquire.cluster", "relaxed.cta", "relaxed.cluster")
OPS = ("test_wait", "try_wait")

# --- the object itself ------------------------------------------------------------------------------------------------


def _object_operands(params: Params) -> tuple[Operand, ...]:
    return (Buffer("counts", "out", "u32", (3,)), Buffer("plan", "in", "u32", (4,)))


def _object_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    first, other = rng.choice(np.arange(2, 500), 2, replace=False)
    junk = rng.integers(2**16, 2**32, 2)
    return {"plan": np.array([first, other, *junk], dtype=np.uint32)}


def _object(form: str, opcode: str, arguments: str, native: tuple[str, ...], table: tuple[Params, ...]) -> Probe:
    """Return a probe of what makes, unmakes or inspects a barrier."""
    section = {"init": INIT, "inval": INVAL, "check_layout": CHECK}[form]
    order = {"init": (0, 0, 2), "inval": (0, 2, 1)}

    def expected(params: Params, arrays: Arrays) -> Arrays:
        layouts = (2, 3, 2) if params.get("layout") == "v0" else (3, 2, 2)
        return {"counts": arrays["plan"][list(order.get(form, layouts))]}

    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        claim=lambda params: claim(section, form, params.get("layout", "none"), params["space"]),
        template="mbarrier_object.ptx.j2",
        native=lambda params: native,
        operands=_object_operands,
        inputs=_object_inputs,
        oracle=expected,
        launch=lambda params: Launch(),
        fields=lambda params: {
            "form": form,
            "qualifiers": (f".layout::{params['layout']}" if params.get("layout", "none") != "none" else "")
            + dotted(params["space"]),
            "at": _at(params),
        },
        observed="sass" if form == "inval" else "memory",  # a barrier that is initialised anew works all the same
    )


# --- pending counts ---------------------------------------------------------------------------------------------------


def _pending_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {"plan": np.array([1000], dtype=np.uint32), "amounts": rng.permutation(np.arange(1, 9, dtype=np.uint32))}


def _pending_oracle(params: Params, arrays: Arrays) -> Arrays:
    count, amounts = int(arrays["plan"][0]), arrays["amounts"].astype(np.int64)
    before = count - np.concatenate([[0], np.cumsum(amounts)])
    next_phase = before[-1] if params.get("op") == "arrive_drop" else count
    return {"counts": np.array([*before, next_phase], dtype=np.uint32)}


def _pending(
    form: str, opcode: str, arguments: str, native: tuple[str, ...], table: tuple[Params, ...], *features: str
) -> Probe:
    """Return a probe of a pending count, or of the arrivals that leave one behind."""
    section = {"arrive": ARRIVE, "arrive_drop": ARRIVE_DROP, "none": PENDING}
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        claim=lambda params: claim(
            section[params.get("op", "none")], *(str(params[name]) for name in features if name in params)
        ),
        template="mbarrier_pending.ptx.j2",
        native=lambda params: native,
        operands=lambda params: (
            Buffer("counts", "out", "u32", (10,)),
            Buffer("plan", "in", "u32", (1,)),
            Buffer("amounts", "in", "u32", (8,)),
        ),
        inputs=_pending_inputs,
        oracle=_pending_oracle,
        launch=lambda params: Launch(),
        fields=lambda params: {
            "form": form,
            "qualifiers": dotted(params["sem"], params["space"])
            if "space" in params
            else (f".layout::{params['layout']}" if params["layout"] != "none" else ""),
            "at": _at(params) if "space" in params else "",
        },
    )


SEMS = ("none", "release.cta", "release.cluster", "relaxed.cta", "relaxed.cluster")
DROPS = ("arrive", "arrive_drop")
EXTRAS = ("plain", "count", "expect_tx")
TX_SEMS = ("none", "relaxed.cta", "relaxed.cluster")
MULTICAST = {"space": ("generic", "shared::cluster"), "multicast": ("multicast::cluster::32b",)}

PROBES = (
    _object(
        "init",
        "mbarrier.init{qualifiers}.b64",
        "[{at}], %count",
        syncs("EXCH.64"),
        product(layout=("none", "v0", "v1"), space=SPACES),
    ),
    _object("inval", "mbarrier.inval{qualifiers}.b64", "[{at}]", syncs("CCTL.IV"), product(space=SPACES)),
    _object(
        "check_layout",
        "mbarrier.check_layout{qualifiers}.b64",
        "%complete, [{at}]",
        syncs("LD.64"),
        product(layout=("v0", "v1"), space=("generic", "shared::cta")),
    ),
    _counted(
        "tx", product(op=("expect_tx", "complete_tx"), sem=TX_SEMS, space=(*SPACES, "shared::cluster", "generic_peer"))
    ),
    _counted(
        "arrive",
        product(op=DROPS, extra=EXTRAS, sem=SEMS, space=(*SPACES, "shared::cluster"))
        + product(op=DROPS, extra=EXTRAS, sem=("release.cluster", "relaxed.cluster"), space=("generic_peer",)),
    ),
    _counted("tx_multicast", product(op=("expect_tx", "complete_tx"), sem=TX_SEMS, **MULTICAST)),
    _counted("arrive_multicast", product(op=DROPS, extra=EXTRAS, sem=SEMS, **MULTICAST)),
    _counted("arrive_sink", product(op=DROPS, extra=EXTRAS, sem=("none",), space=("shared::cta",), state=("sink",))),
    _pending(
        "no_complete",
        "mbarrier.{op}.noComplete{qualifiers}.b64",
        "%state, [{at}], %amount",
        syncs("ARRIVE.TRANS64.TMASK.ART0"),
        product(op=DROPS, sem=("none", "release.cta"), space=SPACES),
        "sem",
        "space",
    ),
    _pending(
        "pending_count",
        "mbarrier.pending_count{qualifiers}.b64",
        "%pending, %state",
        NO_OPCODE,
        rows("layout", ("none",), ("v0",)),
        "layout",
    ),
    _waits(
        "wait",
        product(op=OPS, phase=("state",), type=("none", "primary"), sem=WAIT_SEMS, space=SPACES)
        + product(op=OPS, phase=("parity",), type=("none", "primary", "conditional"), sem=WAIT_SEMS, space=SPACES),
    ),
    _waits(
        "wait_limit",
        product(
            op=("try_wait",),
            phase=("state", "parity"),
            type=("none",),
            sem=("none", "acquire.cluster"),
            space=SPACES,
            limit=("hint",),
        ),
    ),
    _waits(
        "wait_report",
        product(
            op=OPS,
            phase=("state", "parity"),
            type=("primary",),
            sem=("none",),
            space=("shared::cta",),
            report=("predicate", "value"),
            layout=("v0", "v1"),
        ),
    ),
    _waits(
        "wait_layout",
        product(
            op=OPS,
            phase=("parity",),
            type=("primary", "conditional"),
            sem=("none",),
            space=("shared::cta",),
            layout=("v1",),
        ),
    ),
)
