"""Control of launches, warps and registers: griddepcontrol, clusterlaunchcontrol, elect.sync, setmaxnreg and the like.

Sources: PTX ISA 9.3, 9.7.13.7 (exit), 9.7.14.14 (griddepcontrol), 9.7.14.15 (elect.sync), 9.7.14.18 and .19
(clusterlaunchcontrol), 9.7.20.1 to 9.7.20.5 (brkpt, nanosleep, pmevent, trap, setmaxnreg).
"""

from __future__ import annotations

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, family, only, product, rows, since
from suite.probe import Arrays, Params

EXIT, GRIDDEP, ELECT, TRY_CANCEL, QUERY_CANCEL = "9.7.13.7", "9.7.14.14", "9.7.14.15", "9.7.14.18", "9.7.14.19"
BRKPT, NANOSLEEP, PMEVENT, TRAP, SETMAXNREG = (f"9.7.20.{n}" for n in range(1, 6))
FABRIC = "9.7.10.5"
THREADS = 64
NO_OPCODE = ("-",)  # no target has an opcode for it


def _family_claim(section: str) -> Claim:
    """Claim the family-specific architectures beside which 9.7.14.18 and 9.7.20.5 name the same `a` ones."""
    return (
        only("sm_100a", ptx="8.6", section=section)
        | only("sm_120a", ptx="8.7", section=section)
        | only("sm_110a", ptx="9.0", section=section)
        | family("sm_100f", "sm_120f", ptx="8.8", section=section)
        | family("sm_110f", ptx="9.0", section=section)
    )


# --- one instruction on a path that some threads take -----------------------------------------------------------------


def _plain_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "u32", (THREADS, 2)),
        Buffer("values", "in", "u32", (THREADS,)),
        Buffer("flags", "in", "u32", (THREADS,)),
    )


def _plain_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    flags = rng.integers(0, 2, THREADS, dtype=np.uint32)
    return {"values": rng.permutation(2**20)[:THREADS].astype(np.uint32), "flags": flags}


def _plain_oracle(params: Params, arrays: Arrays) -> Arrays:
    return {"out": np.stack([arrays["values"], ~arrays["values"]], axis=1)}


def _exit_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the second word of the threads that stayed; those that left wrote 1 before."""
    last = np.where(arrays["flags"] != 0, 1, ~arrays["values"])
    return {"out": np.stack([arrays["values"], last], axis=1).astype(np.uint32)}


def _plain(
    form: str, arguments: str, claim: Claim, native: tuple[str, ...], table: tuple[Params, ...], **extra: object
) -> Probe:
    """Return a probe of an instruction without results, named by its case's `opcode`."""
    return Probe(
        form=form,
        opcode="{opcode}",
        arguments=arguments,
        rows=table,
        claim=lambda params: claim,
        template="control_plain.ptx.j2",
        native=lambda params: native,
        operands=_plain_operands,
        inputs=_plain_inputs,
        oracle=_exit_oracle if form == "exit" else _plain_oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        **extra,  # type: ignore[arg-type]
    )


# --- elections --------------------------------------------------------------------------------------------------------

MASKS = {"constant": (0xFFFFFFFF, 0xFFFFFFFF), "full": (0xFFFFFFFF, 0xFFFFFFFF), "halves": (0x0000FFFF, 0xFFFF0000)}

ELECTION = Probe(
    form="elect",
    opcode="elect.sync",
    arguments="{leader}|%elected, {mask}",
    rows=product(members=tuple(MASKS), result=("told", "sink")),
    claim=lambda params: since("sm_90", ptx="8.0", section=ELECT),
    template="control_elect.ptx.j2",
    native=lambda params: ("ELECT",),
    operands=lambda params: (Buffer("out", "out", "u32", (32, 2)), Buffer("masks", "in", "u32", (32,))),
    inputs=lambda params, rng: {"masks": np.repeat(np.array(MASKS[params["members"]], dtype=np.uint32), 16)},
    oracle=lambda params, arrays: {
        "out": np.tile(np.array([1, 7 if params["result"] == "told" else 3], dtype=np.uint32), (32, 1))
    },
    fields=lambda params: {
        "leader": "%leader" if params["result"] == "told" else "_",
        "told": params["result"] == "told",
        "mask": "0xffffffff" if params["members"] == "constant" else "%mask",
        "halves": params["members"] == "halves",
    },
)

# --- registers of a warpgroup -----------------------------------------------------------------------------------------

BASE = 168  # registers a thread of each of three warpgroups: 64,512 of the 65,536 of a multiprocessor
RESERVED = 24  # registers that the first warpgroup needs beside the words that it holds
MOST = 248  # registers that the held words and the reserved ones may take: a thread names 255 at most


def _held(params: Params) -> int:
    """Return the words held at once, which take `count` registers together with the reserved ones."""
    return max(min(int(params["count"]), MOST) - RESERVED, 4)


def _held_operands(params: Params) -> tuple[Operand, ...]:
    return tuple(Buffer(name, role, "u32", (_held(params), 128)) for name, role in (("out", "out"), ("values", "in")))


def _held_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {"values": rng.permutation(2**20)[: 128 * _held(params)].reshape(-1, 128).astype(np.uint32)}


def _registers(form: str, observed: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of a warpgroup's registers: seen in memory where the held words need those that it asks for."""
    return Probe(
        form=form,
        opcode="setmaxnreg.{action}.sync.aligned.u32",
        arguments="{count}",
        rows=table,
        claim=lambda params: only("sm_90a", ptx="8.0", section=SETMAXNREG) | _family_claim(SETMAXNREG),
        template="control_registers.ptx.j2",
        native=lambda params: ("USETMAXREG.TRY_ALLOC" if params["action"] == "inc" else "USETMAXREG.DEALLOC",),
        operands=_held_operands,
        inputs=_held_inputs,
        oracle=lambda params, arrays: {"out": arrays["values"][::-1]},
        launch=lambda params: Launch(block=(384, 1, 1)),
        fields=lambda params: {"base": BASE, "held": _held(params), "given": 40},
        observed=observed,
    )


# --- clusters that are not launched yet -------------------------------------------------------------------------------

GRID = (64, 16, 16)


def _cancel_operands(params: Params) -> tuple[Operand, ...]:
    ctas = int(np.prod(GRID))
    return (Buffer("out", "inout", "u32", (ctas,)), Buffer("values", "in", "u32", (ctas,)))


def _cancel_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    ctas = int(np.prod(GRID))
    return {"values": rng.integers(1, 2**20, ctas, dtype=np.uint32), "out": np.zeros(ctas, dtype=np.uint32)}


def _cancel(form: str, opcode: str, arguments: str, native: tuple[str, ...], table: tuple[Params, ...]) -> Probe:
    """Return a probe of asking for a cluster, or of reading the answer."""
    asks = form == "try_cancel"
    section = TRY_CANCEL if asks else QUERY_CANCEL

    def claim(params: Params) -> Claim:
        restricted = params.get("multicast") == "all"
        return _family_claim(section) if restricted else since("sm_100", ptx="8.6", section=section)

    def fields(params: Params) -> Params:
        generic = params.get("space") == "generic"
        return {
            "kind": form,
            "cluster": 2 if params.get("multicast") == "all" else 1,
            "axis": params.get("axis", "none"),
            "spelled": ("" if generic else ".shared::cta") + ".mbarrier::complete_tx::bytes",
            "cast": ".multicast::cluster::all" if params.get("multicast") == "all" else "",
            "target": "%gto" if generic else "%to",
            "signal": "%gmbar" if generic else "%mbar",
            "selected": ".v4.b32" if params.get("axis") == "all" else f"::{params.get('axis')}.b32",
            "taken": "{%x, %y, %z, _}" if params.get("axis") == "all" else f"%{params.get('axis')}",
        }

    def launch(params: Params) -> Launch:
        return Launch(grid=GRID, cluster=(2 if params.get("multicast") == "all" else 1, 1, 1))

    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        claim=claim,
        template="control_cancel.ptx.j2",
        native=lambda params: native,
        operands=_cancel_operands,
        inputs=_cancel_inputs,
        oracle=lambda params, arrays: {"out": arrays["values"]},
        launch=launch,
        fields=fields,
    )


ANYWHERE = since("sm_20", ptx="3.0", section=PMEVENT)
FAULTS = "it ends the launch in a fault, or waits for a debugger, by design"
UNSEEN = "its effect is a count that only a profiler of the host reads"

PROBES = (
    _plain(
        "griddepcontrol",
        "",
        since("sm_90", ptx="7.8", section=GRIDDEP),
        ("PREEXIT",),
        rows("opcode", ("griddepcontrol.launch_dependents",)),
        observed="launch",
    ),
    _plain(
        "griddepcontrol_wait",
        "",
        since("sm_90", ptx="7.8", section=GRIDDEP),
        ("ACQBULK",),
        rows("opcode", ("griddepcontrol.wait",)),
        observed="launch",
    ),
    _plain(
        "nanosleep",
        "{time}",
        since("sm_70", ptx="6.3", section=NANOSLEEP),
        ("NANOSLEEP", "NANOSLEEP.WARP"),
        rows("opcode time", ("nanosleep.u32", "100"), ("nanosleep.u32", "%time")),
        observed="launch",
    ),
    _plain("exit", "", since("sm_20", ptx="1.0", section=EXIT), ("EXIT",), rows("opcode", ("exit",))),
    _plain(
        "trap",
        "",
        since("sm_20", ptx="1.0", section=TRAP),
        ("BPT.TRAP",),
        rows("opcode", ("trap",)),
        observed="sass",
        unlaunched=FAULTS,
    ),
    _plain(
        "brkpt",
        "",
        since("sm_20", ptx="1.0", section=BRKPT),
        ("BPT",),
        rows("opcode", ("brkpt",)),
        observed="sass",
        unlaunched=FAULTS,
    ),
    _plain(
        "pmevent",
        "{event}",
        ANYWHERE,
        ("PMTRIG",),
        rows("opcode event", ("pmevent", "0"), ("pmevent", "7"), ("pmevent", "15"), ("pmevent.mask", "0x8001")),
        observed="sass",
        unlaunched=UNSEEN,
    ),
    _plain(
        "fabric_submit",
        "",
        since("sm_100", ptx="9.3", section=FABRIC),
        ("UTMACMDFLUSH",),
        rows("opcode", ("fabric.submit",), ("fabric.submit.op_restrict::fetching",)),
        observed="launch",
    ),
    _plain(
        "fabric_wait",
        "",
        since("sm_100", ptx="9.3", section=FABRIC),
        NO_OPCODE,
        rows("opcode", ("fabric.wait.sync_restrict::reads",)),
        observed="launch",
    ),
    ELECTION,
    _registers("setmaxnreg_beyond", "memory", product(action=("inc",), count=(208, 216, 232, 240, 256))),
    _registers(
        "setmaxnreg",
        "sass",
        rows(
            "action count",
            *(("inc", count) for count in (BASE, 176)),
            *(("dec", count) for count in (24, 32, 40, 64, 128, 160, BASE)),
        ),
    ),
    _cancel(
        "try_cancel",
        "clusterlaunchcontrol.try_cancel.async{spelled}{cast}.b128",
        "[{target}], [{signal}]",
        ("UGETNEXTWORKID",),
        product(space=("shared::cta", "generic"), multicast=("none", "all")),
    ),
    _cancel(
        "is_canceled",
        "clusterlaunchcontrol.query_cancel.is_canceled.pred.b128",
        "%canceled, %handle",
        NO_OPCODE,
        rows("answer", ("predicate",)),
    ),
    _cancel(
        "first",
        "clusterlaunchcontrol.query_cancel.get_first_ctaid{selected}.b128",
        "{taken}, %handle",
        NO_OPCODE,
        product(axis=("x", "y", "z", "all")),
    ),
)
