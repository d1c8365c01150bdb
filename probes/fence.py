"""fence, fence.proxy and membar: read from the machine code, in a kernel that hands words from one warp to another.

No single launch can show that an ordering holds: what a fence became is read from the code, its output shows no harm.
Source: PTX ISA 9.3, 9.7.14.4; PTX ISA 9.4, 9.7.15.4, for what came with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, rows, since
from suite.claims import ptx_version
from suite.probe import Arrays, Params

FENCE, NEWER = "9.7.14.4", "PTX ISA 9.4, 9.7.15.4"

# What each word of an opcode needs. Source: PTX ISA 9.3, 9.7.14.4, PTX ISA Notes and Target ISA Notes.
NEEDS = {
    # word                  target    PTX
    "membar":              ("sm_50", "1.4"),
    "sys":                 ("sm_50", "2.0"),
    "fence":               ("sm_70", "6.0"),
    "proxy":               ("sm_70", "7.5"),
    "cluster":             ("sm_90", "7.8"),
    "mbarrier_init":       ("sm_90", "8.0"),
    "async":               ("sm_90", "8.0"),
    "tensormap::generic":  ("sm_90", "8.3"),
    "acquire":             ("sm_90", "8.6"),
    "release":             ("sm_90", "8.6"),
    "async::generic":      ("sm_90", "8.6"),
    "fabric":              ("sm_100", "9.3"),
}  # fmt: skip

# `.acquire` and `.release` of these fences came with them. Source: the same, Syntax.
OWN_ORDER = ("mbarrier_init", "tensormap::generic")

# Opcodes as ptxas 13.5.37 writes them on sm_75 to sm_121f. Scopes: a cluster is ordered as the GPU is. An acquire alone
# only invalidates the first-level cache, and not even that for a CTA.
LEVELS = {"cta": "CTA", "cluster": "GPU", "gpu": "GPU", "gl": "GPU", "sys": "SYS"}


def _claim(*words: str) -> Claim:
    own = any(word in OWN_ORDER for word in words)
    used = [NEEDS[w] for w in words if w in NEEDS and not (own and w in ("acquire", "release"))]
    first = max((target for target, _ in used), key=lambda name: int(name.removeprefix("sm_")))
    return since(first, ptx=max((ptx for _, ptx in used), key=ptx_version), section=FENCE)


def _operands(params: Params) -> tuple[Operand, ...]:
    return (Buffer("out", "out", "u32", (32,)), Buffer("values", "in", "u32", (32,)))


def _mapped(params: Params) -> tuple[Operand, ...]:
    return (*_operands(params), Buffer("map", "in", "b8", (128,)))


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    values = rng.integers(1, 2**32, 32, dtype=np.uint32)
    return {"values": values, "map": np.zeros(128, dtype=np.uint8)}


def _thread_native(params: Params) -> tuple[str, ...]:
    if params["sem"] == "acquire":
        return () if params["scope"] == "cta" else ("CCTL.IVALL",)
    return (f"MEMBAR.{'SC' if params['sem'] == 'sc' else 'ALL'}.{LEVELS[params['scope']]}",)


def _words(params: Params) -> tuple[str, ...]:
    return tuple(str(value) for value in params.values())


def _fence(form: str, opcode: str, table: tuple[Params, ...], native: dict[str, str] | None, *words: str) -> Probe:
    """Return a probe of fences without operands; `native` has an opcode by the first parameter, if any."""

    def opcodes(params: Params) -> tuple[str, ...]:
        if native is None:
            return _thread_native(params)
        found = native.get(next(iter(_words(params)), ""), "")
        return (found,) if found else ()

    return Probe(
        form=form,
        opcode=opcode,
        arguments="",
        rows=table,
        claim=lambda params: _claim(*words, *(word for value in _words(params) for word in value.split("."))),
        template="fence.ptx.j2",
        native=opcodes,
        operands=_operands,
        inputs=_inputs,
        oracle=lambda params, arrays: {"out": arrays["values"]},
        launch=lambda params: Launch(block=(64, 1, 1)),
        fields=lambda params: {"dotted": "" if params.get("sem", "none") == "none" else f".{params['sem']}"},
        observed="sass",
    )


SCOPES = ("cta", "cluster", "gpu", "sys")
SEMS = ("none", "sc", "acq_rel", "acquire", "release")
PROXIES = {"async": "FENCE.VIEW.ASYNC", "async.global": "FENCE.VIEW.ASYNC.G"} | {
    f"async.shared::{space}": "FENCE.VIEW.ASYNC.S" for space in ("cta", "cluster")
}

TENSORMAP_ACQUIRE = Probe(
    form="tensormap_acquire",
    opcode="fence.proxy.tensormap::generic.acquire.{scope}",
    arguments="[%map], 128",
    rows=product(scope=SCOPES),
    claim=lambda params: _claim("tensormap::generic", params["scope"]),
    template="fence.ptx.j2",
    native=lambda params: ("UTMACCTL.IV",),
    operands=_mapped,
    inputs=_inputs,
    oracle=lambda params, arrays: {"out": arrays["values"]},
    launch=lambda params: Launch(block=(64, 1, 1)),
    observed="sass",
)

READS = "async::generic.release.sync_restrict::shared::cluster::read"
FABRIC = {
    "generic::fabric": "CCTL.IVALL",
    "fabric::generic": "FENCE.VIEW.ASYNC.G",
    "fabric::fabric": "FENCE.VIEW.ASYNC.G",
}

# What PTX ISA 9.4 adds, in its edition for CUDA 13.4: half an alias fence, and one that orders reads alone.
ONE_WAY = replace(
    _fence(
        "one_way",
        "fence.proxy.{order}",
        rows("order", ("alias.acquire.sys",), ("alias.release.sys",), (f"{READS}.cluster",)),
        {"alias.acquire.sys": "CCTL.IVALL", "alias.release.sys": "MEMBAR.ALL.SYS"},
    ),
    claim=lambda params: since("sm_90", ptx="9.4", section=NEWER),
)

PROBES = (
    ONE_WAY,
    _fence("thread", "fence{dotted}.{scope}", product(sem=SEMS, scope=SCOPES), None, "fence"),
    _fence(
        "sync_restrict",
        "fence.{order}.cluster",
        rows("order", ("acquire.sync_restrict::shared::cluster",), ("release.sync_restrict::shared::cta",)),
        {"release.sync_restrict::shared::cta": "MEMBAR.ALL.CTA"},
        "fence",
        "cluster",
    ),
    _fence(
        "mbarrier_init",
        "fence.{operation}.release.cluster",
        rows("operation", ("mbarrier_init",)),
        {},
        "fence",
        "cluster",
    ),
    _fence("proxy", "fence.proxy.{proxy}", product(proxy=("alias", *PROXIES)), PROXIES, "proxy"),
    _fence(
        "tensormap_release",
        "fence.proxy.tensormap::generic.release.{scope}",
        product(scope=SCOPES),
        {scope: "MEMBAR.ALL." + ("SYS" if scope == "sys" else "GPU") for scope in SCOPES},
        "tensormap::generic",
    ),
    TENSORMAP_ACQUIRE,
    _fence(
        "async_generic",
        "fence.proxy.async::generic.{order}.cluster",
        rows("order", ("acquire.sync_restrict::shared::cluster",), ("release.sync_restrict::shared::cta",)),
        {"release.sync_restrict::shared::cta": "FENCE.VIEW.ASYNC.S"},
        "async::generic",
        "cluster",
    ),
    _fence(
        "fabric_acquire",
        "fence.proxy.{direction}.alias.acquire.sys",
        product(direction=tuple(FABRIC)),
        FABRIC,
        "fabric",
    ),
    _fence(
        "fabric_release",
        "fence.proxy.{direction}.alias.release.sys",
        product(direction=tuple(FABRIC)),
        dict.fromkeys(FABRIC, "MEMBAR.ALL.SYS"),
        "fabric",
    ),
    _fence(
        "membar",
        "membar.{level}",
        rows("level", ("cta",), ("gl",), ("sys",)),
        {level: f"MEMBAR.SC.{LEVELS[level]}" for level in ("cta", "gl", "sys")},
        "membar",
    ),
    _fence("membar_proxy", "membar.proxy.{proxy}", product(proxy=("alias", "async")), PROXIES, "proxy"),
    _fence("membar_proxy_space", "membar.proxy.{proxy}", product(proxy=tuple(PROXIES)[1:]), PROXIES, "proxy"),
)
