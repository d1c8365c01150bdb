"""cp.async: non-bulk copies from global to shared memory, and how they are awaited.

Sources: PTX ISA 9.3, 9.7.9.26.3.1 to 9.7.9.26.3.3, and 9.7.14.16.18 for the arrival on an mbarrier.
"""

from __future__ import annotations

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, rows, since
from suite.probe import Arrays, Params
from suite.tma_oracle import DONE, even_bytes, prefilled

COPY, COMMIT, WAIT, ARRIVE = "9.7.9.26.3.1", "9.7.9.26.3.2", "9.7.9.26.3.3", "9.7.14.16.18"
THREADS = 64
ROW = 32  # bytes of a thread's row, in `src` and in shared memory: room on both sides of a copy
FROM = 16  # where a copy begins in its row of `src`
GROUP_BYTES = 16 * THREADS

# Qualifiers and the PTX version that brought them; all need sm_80. Source: PTX ISA 9.3, 9.7.9.26.3.1, PTX ISA Notes.
QUALIFIERS = {
    # qualifier          PTX
    "L2::cache_hint": "7.4",
    "L2::64B": "7.4",
    "L2::128B": "7.4",
    "L2::256B": "7.4",
    "ignore-src": "7.5",
    "::cta": "7.8",
}

# Opcodes as ptxas 13.0.88 and 13.5.37 write them, the same on sm_80, 90, 90a, 100a, 120a and 121a; only an arrival says
# from sm_90 on which count it moves. Source: nvdisasm 13.5.37 of the armed kernels.
GROUP, WAITED = ("LDGDEPBAR",), ("DEPBAR.LE",)
ARRIVALS = {
    # noinc  sm_80                   sm_90 and later
    "no": ("ARRIVES.LDGSTSBAR.64", "ARRIVES.LDGSTSBAR.64.TRANSCNT"),
    "yes": ("ARRIVES.LDGSTSBAR.64", "ARRIVES.LDGSTSBAR.64.ARVCNT"),
}
WIDTHS = {4: "", 8: ".64", 16: ".128"}


def _copy_opcode(params: Params) -> tuple[str, ...]:
    sector = next((f".LTC{word}" for word in ("64B", "128B", "256B") if f"::{word}" in params.get("hint", "")), "")
    bypass, fill = ".BYPASS" if params["cache"] == "cg" else "", ".ZFILL" if "src_size" in params else ""
    return (f"LDGSTS.E{bypass}{sector}{WIDTHS[params['size']]}{fill}",)


def _newest(*qualifiers: str) -> str:
    return max((QUALIFIERS[q] for q in qualifiers if q in QUALIFIERS), default="7.0")


def _copy_claim(params: Params) -> Claim:
    space = "::cta" if params.get("space") == "shared::cta" else ""
    hints = str(params.get("hint", "")).strip(".").split(".")
    extra = "ignore-src" if "ignore" in params else ""
    return since("sm_80", ptx=_newest(space, extra, *hints), section=COPY)


def _fields(params: Params) -> Params:
    hint = str(params.get("hint", ""))
    policy = "cache_hint" in hint
    return {
        "space": params.get("space", "shared"),
        "suffix": "" if hint in ("", "none") else f".{hint}",
        "policy": policy,
        "trailer": ", %policy" if policy else "",
        "window": ROW * THREADS,
    }


def _operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "b8", (1, ROW * THREADS)),
        Buffer("status", "out", "b32", (1,)),
        Buffer("src", "in", "b8", (THREADS, ROW)),
        Buffer("rows", "in", "u32", (THREADS,)),
        Buffer("amounts", "in", "u32", (THREADS,)),
    )


def _amounts(params: Params) -> np.ndarray:
    """Return each thread's src-size in bytes, or whether it ignores its source."""
    thread = np.arange(THREADS)
    if params.get("src_size") == "full":
        return np.full(THREADS, params["size"], dtype=np.uint32)
    if params.get("ignore") in ("all", "none"):
        return np.full(THREADS, params["ignore"] == "all", dtype=np.uint32)
    return np.asarray(thread * 7 // 5 % 2 if "ignore" in params else thread % params["size"], dtype=np.uint32)


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    source = even_bytes(THREADS * ROW).reshape(THREADS, ROW)
    return {"src": source, "rows": rng.permutation(THREADS).astype(np.uint32), "amounts": _amounts(params)}


def _copied(params: Params, amount: int) -> int:
    """Return how many bytes come from the source; the rest of the copy is zero."""
    if "ignore" in params:
        return 0 if amount else int(params["size"])
    return amount if "src_size" in params else int(params["size"])


def _oracle(params: Params, arrays: Arrays) -> Arrays:
    size = params["size"]
    window = prefilled(1, ROW * THREADS).reshape(THREADS, ROW)
    for thread in range(THREADS):
        count = _copied(params, int(arrays["amounts"][thread]))
        source = arrays["src"][arrays["rows"][thread], FROM : FROM + count]
        window[thread, size : 2 * size] = [*source, *(0 for _ in range(size - count))]
    return {"out": window.reshape(1, -1), "status": np.array([DONE], dtype=np.uint32)}


def _copy(form: str, arguments: str, table: tuple[Params, ...]) -> Probe:
    return Probe(
        form=form,
        opcode="cp.async.{cache}.{space}.global{suffix}",
        arguments="[%dst], [%from], {size}" + arguments + "{trailer}",
        rows=table,
        claim=_copy_claim,
        template="cp_async.ptx.j2",
        native=_copy_opcode,
        operands=_operands,
        inputs=_inputs,
        oracle=_oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=_fields,
    )


def _group_operands(params: Params) -> tuple[Operand, ...]:
    shape = (params["groups"], THREADS, 16)
    return (
        Buffer("out", "out", "b8", shape),
        Buffer("status", "out", "b32", (1,)),
        Buffer("src", "in", "b8", shape),
        Buffer("rows", "in", "u32", (THREADS,)),
    )


def _group_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    source = even_bytes(params["groups"] * GROUP_BYTES).reshape(params["groups"], THREADS, 16)
    return {"src": source, "rows": rng.permutation(THREADS).astype(np.uint32)}


def _group_oracle(params: Params, arrays: Arrays) -> Arrays:
    return {"out": arrays["src"][:, arrays["rows"]], "status": np.array([DONE], dtype=np.uint32)}


def _groups(form: str, arguments: str, section: str, native: tuple[str, ...], table: tuple[Params, ...]) -> Probe:
    """Return a probe of the group mechanism; `commit` is the group whose commit is in question, -1 where a wait is.

    `committed` groups get a commit of their own, and `ready` of them must have arrived after the first wait.
    """
    return Probe(
        form=form,
        opcode=f"cp.async.{form}",
        arguments=arguments,
        rows=table,
        claim=lambda params: since("sm_80", ptx="7.0", section=section),
        template="cp_async_groups.ptx.j2",
        native=lambda params: native,
        operands=_group_operands,
        inputs=_group_inputs,
        oracle=_group_oracle,
        launch=lambda params: Launch(block=(THREADS, 1, 1)),
        fields=lambda params: {
            "window": params["groups"] * GROUP_BYTES,
            "pitch": GROUP_BYTES,
            "commit": 0 if form == "commit_group" else -1,
            "committed": params["groups"] - (form == "wait_all"),
            "ready": params["groups"] - params.get("pending", form == "commit_group"),
        },
    )


def _arrive_claim(params: Params) -> Claim:
    return since("sm_80", ptx="7.8" if params["space"] == "shared::cta" else "7.0", section=ARRIVE)


def _arrive_fields(params: Params) -> Params:
    """Return the spelling, and the arrivals of a phase: `.noinc` must have counted the copies' own beforehand."""
    generic, noinc = params["space"] == "generic", params["noinc"] == "yes"
    return {
        "modifiers": (".noinc" if noinc else "") + ("" if generic else f".{params['space']}"),
        "where": "%generic" if generic else "%mbar",
        "arrivals": THREADS * 2 if noinc else THREADS,
        "window": GROUP_BYTES,
    }


def _arrive_operands(params: Params) -> tuple[Operand, ...]:
    return _group_operands({"groups": 1})


def _arrive_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return _group_inputs({"groups": 1}, rng)


ARRIVAL = Probe(
    form="mbarrier_arrive",
    opcode="cp.async.mbarrier.arrive{modifiers}.b64",
    arguments="[{where}]",
    rows=product(noinc=("no", "yes"), space=("shared", "shared::cta", "generic")),
    claim=_arrive_claim,
    template="cp_async_mbarrier.ptx.j2",
    native=lambda params: ARRIVALS[params["noinc"]],
    operands=_arrive_operands,
    inputs=_arrive_inputs,
    oracle=_group_oracle,
    launch=lambda params: Launch(block=(THREADS, 1, 1)),
    fields=_arrive_fields,
)

SIZES = (("ca", 4), ("ca", 8), ("ca", 16), ("cg", 16))
SPACES = ("shared", "shared::cta")
PREFETCHES = ("L2::64B", "L2::128B", "L2::256B")
HINTS = (*PREFETCHES, "L2::cache_hint", *(f"L2::cache_hint.{prefetch}" for prefetch in PREFETCHES))

PROBES = (
    _copy(
        "copy",
        "",
        rows(
            "cache size space           hint",
            *((*row, "shared", "none") for row in SIZES),
            *((*row, "shared::cta", "none") for row in SIZES),
            *(("ca", 4, space, hint) for space in SPACES for hint in HINTS),
            *(("cg", 16, space, hint) for space in SPACES for hint in HINTS),
        ),
    ),
    _copy(
        "src_size",
        ", %amount",
        (
            *rows("cache size src_size", *((*row, amount) for amount in ("partial", "full") for row in SIZES)),
            *rows(
                "cache size src_size hint",
                ("ca", 8, "partial", "L2::cache_hint"),
                ("cg", 16, "partial", "L2::cache_hint.L2::128B"),
            ),
        ),
    ),
    _copy(
        "ignore_src",
        ", %ignore",
        rows(
            "cache size ignore    hint",
            *((*row, "some", "none") for row in SIZES),
            ("cg", 16, "all", "none"),
            ("cg", 16, "none", "none"),
            ("cg", 16, "some", "L2::cache_hint"),
        ),
    ),
    _groups("commit_group", "", COMMIT, GROUP, rows("groups", (2,))),
    _groups("wait_group", "{pending}", WAIT, WAITED, rows("groups pending", (4, 0), (4, 1), (4, 2), (4, 3))),
    _groups("wait_all", "", WAIT, WAITED, rows("groups", (2,))),
    ARRIVAL,
)
