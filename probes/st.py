"""st: every store of a register. PTX ISA 9.3, 9.7.9.11."""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Claim, Operand, Probe, memory, product
from suite.probe import Arrays, Params

ST = "9.7.9.11"

# Words and the target and PTX version that brought them. Source: PTX ISA 9.3, 9.7.9.11, Target ISA Notes and PTX ISA
# Notes. A word with a blank is a combination; "" is what any store needs: cache operations and generic addressing.
WORDS = {
    # word                 target   PTX
    "": ("sm_20", "2.0"),
    "weak": ("sm_70", "6.0"),
    "relaxed": ("sm_70", "6.0"),
    "release": ("sm_70", "6.0"),
    "cluster": ("sm_90", "7.8"),
    "volatile local": ("sm_20", "9.1"),
    "mmio": ("sm_70", "8.2"),
    "mmio release": ("sm_75", "9.3"),
    "shared::cta": ("sm_30", "7.8"),
    "shared::cluster": ("sm_90", "7.8"),
    "L1": ("sm_70", "7.4"),
    "L2 evict": ("sm_100", "8.8"),
    "cache_hint": ("sm_80", "7.4"),
    "b128": ("sm_70", "8.3"),
    "b128 sys": ("sm_70", "8.4"),
    "256 bits": ("sm_100", "8.8"),
}

# The unit that a store to each state space is. Source: nvdisasm 13.5.37 of kernels from ptxas 13.5.37.
UNITS = {
    "generic": ("ST", "STG"),
    "global": ("STG",),
    "shared": ("STS",),
    "shared::cta": ("STS",),
    "shared::cluster": ("ST", "STS"),
    "local": ("STL",),
}


def _claim(params: Params) -> Claim:
    return memory.claim(memory.words(params, "release"), WORDS, ST)


def _registers(params: Params) -> tuple[int, int]:
    """Return how many registers, of how many bits; narrow types come in 32 bits, of which the upper are no zeros."""
    count, element = memory.split(params["type"])
    return count, max(32, memory.bits(element))


def _operands(params: Params) -> tuple[Operand, ...]:
    """Return the windows before and after a store, its registers and its places."""
    count, width = _registers(params)
    return (
        memory.rows_buffer("out", "out", params),
        memory.rows_buffer("init", "in", params),
        memory.lanes_buffer("value", "in", params, count * width // 8),
        memory.offsets_buffer(),
    )


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return random windows, registers and places."""
    count, width = _registers(params)
    return {
        "init": memory.random_bytes(rng, memory.ctas(params), memory.LANES, memory.ROW),
        "value": memory.random_bytes(rng, memory.ctas(params), memory.LANES, count * width // 8),
        "at": memory.offsets(params, rng),
    }


def _oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the windows with the low bytes of each register at its place, but for the sink's."""
    count, width = _registers(params)
    step, flat = memory.size(params["type"]) // count, arrays["init"].reshape(-1).copy()
    for cta, lane, start in memory.places(params, arrays["at"]):
        for index in range(count):
            if index != params.get("sink"):
                register = arrays["value"][cta, lane, index * width // 8 :]
                flat[start + index * step : start + (index + 1) * step] = register[:step]
    return {"out": flat.reshape(arrays["init"].shape)}


def _fields(params: Params) -> Params:
    count, width = _registers(params)
    return {
        **memory.fields(params),
        "modifiers": memory.dotted(*(params.get(key, "none") for key in ("sem", "space", "cache"))),
        "count": count,
        "width": width,
        "vectors": ("b",),
        "B": memory.vector("b", count, params.get("sink", -1)),
    }


def _sass(params: Params) -> tuple[str, ...]:
    return memory.sass(UNITS[params["space"]], params)


store = partial(
    Probe,
    opcode="st{modifiers}.{type}",
    arguments="[%at], {B}{trailer}",
    claim=_claim,
    template="memory_update.ptx.j2",
    native=_sass,
    operands=_operands,
    inputs=_inputs,
    oracle=_oracle,
    launch=memory.launch,
    fields=_fields,
)

SCALARS = (*(f"{kind}{width}" for kind in "bus" for width in (8, 16, 32, 64)), "f32", "f64")
PAIRS = tuple(f"v2.{kind}" for kind in SCALARS)
QUADS = tuple(f"v4.{kind}" for kind in SCALARS if not kind.endswith("64"))
OCTETS = (*(f"v8.{kind}32" for kind in "busf"), *(f"v4.{kind}64" for kind in "busf"))
EVERY = (*SCALARS, "b128", *PAIRS, *QUADS)
FEW = ("u8", "b16", "b32", "u64", "f32", "f64", "b128", "v2.u16", "v4.s8", "v2.f32", "v4.b32", "v2.f64")
WIDTHS = ("u8", "b64", "b128")
MMIO = ("mmio.relaxed.sys", "mmio.release.sys")
ANYWHERE = ("generic", "global")
SHARED = ("shared", "shared::cta", "shared::cluster")
WEAK = ("weak", "volatile")
STRONG = tuple(f"{sem}.{scope}" for sem in ("relaxed", "release") for scope in ("cta", "cluster", "gpu", "sys"))
COPS = ("wb", "cg", "cs", "wt")
L1 = ("L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate")
L2 = ("L2::evict_normal", "L2::evict_first", "L2::evict_last")
PRIORITIES = (*L2, *(f"{first}.{second}" for first in L1 for second in L2))
POLICIES = ("L2::cache_hint", "L1::evict_last.L2::cache_hint", "L1::no_allocate.L2::cache_hint")
ALL_HINTS = "L1::no_allocate.L2::evict_first.L2::cache_hint"

PROBES = (
    store(form="type", rows=product(space=(*ANYWHERE, "shared"), type=EVERY)),
    store(form="type_window", rows=product(space=("shared::cta", "shared::cluster", "local"), type=FEW)),
    store(form="type_256", rows=product(space=ANYWHERE, type=OCTETS)),
    store(form="sink", rows=product(space=("global",), type=("v8.b32", "v4.f64"), sink=(1, 3))),
    store(form="order", rows=product(sem=(*WEAK, *STRONG), space=(*ANYWHERE, *SHARED), type=("b32", "v4.f32"))),
    store(
        form="order_type",
        rows=product(sem=("volatile", "relaxed.gpu", "release.sys"), space=("global", "shared"), type=WIDTHS),
    ),
    store(form="order_local", rows=product(sem=WEAK, space=("local",), type=("u8", "b32", "b128"))),
    store(form="order_256", rows=product(sem=(*WEAK, *STRONG), space=ANYWHERE, type=("v8.b32",))),
    store(form="mmio", rows=product(sem=MMIO, space=ANYWHERE, type=("u8", "b16", "b32", "f64"))),
    store(form="operator", rows=product(cache=COPS, space=ANYWHERE, type=("b32", "v4.f32"))),
    store(form="operator_window", rows=product(cache=COPS, space=("shared", "local"), type=("b32",))),
    store(
        form="priority",
        rows=product(sem=("none", "relaxed.gpu", "relaxed.sys"), space=ANYWHERE, cache=L1, type=("b32",)),
    ),
    store(
        form="priority_order",
        rows=product(sem=("relaxed.cta", "release.gpu"), space=("global",), cache=L1, type=("v4.f32",)),
    ),
    store(form="priority_256", rows=product(space=ANYWHERE, cache=PRIORITIES, type=("v8.b32",))),
    store(
        form="priority_256_order",
        rows=product(sem=("relaxed.gpu",), space=("global",), cache=PRIORITIES, type=("v4.f64",)),
    ),
    store(
        form="policy",
        rows=product(sem=("none", "relaxed.gpu", "release.sys"), space=ANYWHERE, cache=POLICIES, type=("v4.f32",)),
    ),
    store(form="policy_256", rows=product(space=ANYWHERE, cache=(ALL_HINTS,), type=("v8.b32", "v4.f64"))),
)
