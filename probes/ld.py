"""ld, ld.global.nc and ldu: every load. PTX ISA 9.3, 9.7.9.8 to 9.7.9.10; 9.4, 9.7.10.8."""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, memory, product, since
from suite.probe import Arrays, Params

LD, NC, LDU = "9.7.9.8", "9.7.9.9", "9.7.9.10"

# Words and the target and PTX version that brought them. Source: PTX ISA 9.3, 9.7.9.8, Target ISA Notes and PTX ISA
# Notes. A word with a blank is a combination; "" is what any load needs: cache operations and generic addressing.
WORDS = {
    # word                 target   PTX
    "": ("sm_20", "2.0"),
    "weak": ("sm_70", "6.0"),
    "relaxed": ("sm_70", "6.0"),
    "acquire": ("sm_70", "6.0"),
    "cluster": ("sm_90", "7.8"),
    "volatile local": ("sm_20", "9.1"),
    "mmio": ("sm_70", "8.2"),
    "mmio acquire": ("sm_75", "9.3"),
    "shared::cta": ("sm_30", "7.8"),
    "shared::cluster": ("sm_90", "7.8"),
    "param::entry": ("sm_20", "8.3"),
    "L1": ("sm_70", "7.4"),
    "L2 evict": ("sm_100", "8.8"),
    "64B": ("sm_75", "7.4"),
    "128B": ("sm_75", "7.4"),
    "256B": ("sm_80", "7.4"),
    "cache_hint": ("sm_80", "7.4"),
    "b128": ("sm_70", "8.3"),
    "b128 sys": ("sm_70", "8.4"),
    "256 bits": ("sm_100", "8.8"),
    "nc": ("sm_32", "3.1"),
    "unified": ("sm_90", "8.0"),
}


def _claim(section: str, params: Params) -> Claim:
    words = memory.words(params, "acquire") + (["nc"] if section == NC else [])
    return memory.claim(words, WORDS, section)


def _registers(params: Params) -> tuple[int, int]:
    """Return how many registers, of how many bits; narrow types come in 32 bits, so that their extension shows."""
    count, element = memory.split(params["type"])
    return count, max(32, memory.bits(element))


def _fields(params: Params) -> Params:
    count, width = _registers(params)
    return {
        **memory.fields(params),
        "modifiers": memory.dotted(*(params.get(key, "none") for key in ("sem", "space", "nc", "cache"))),
        "count": count,
        "width": width,
        "table": ", ".join(map(str, memory.TABLE)),
        "D": memory.vector("d", count),
    }


def _operands(params: Params) -> tuple[Operand, ...]:
    count, width = _registers(params)
    out = memory.lanes_buffer("out", "out", params, count * width // 8)
    window = (memory.rows_buffer("window", "out", params),) if _fields(params)["state"] in ("shared", "local") else ()
    return (out, *window, memory.rows_buffer("src", "in", params), memory.offsets_buffer())


def _inputs(params: Params, rng: np.random.Generator, *, together: bool = False) -> Arrays:
    source = memory.random_bytes(rng, memory.ctas(params), memory.LANES, memory.ROW)
    if params["space"] == "const":
        source[:] = memory.TABLE
    return {"src": source, "at": memory.offsets(params, rng, together=together)}


def _extended(element: str, raw: np.ndarray, width: int) -> list[int]:
    """Return the bytes of a register after a load: sign-extended if the type is signed, zero-extended otherwise."""
    sign = element.startswith("s") and raw[-1] >= 0x80
    return [*raw, *([0xFF if sign else 0] * (width // 8 - len(raw)))]


def _oracle(params: Params, arrays: Arrays) -> Arrays:
    count, width = _registers(params)
    element = memory.split(params["type"])[1]
    step, flat = memory.bits(element) // 8, arrays["src"].reshape(-1)
    out = np.zeros((memory.ctas(params), memory.LANES, count * width // 8), dtype=np.uint8)
    for cta, lane, start in memory.places(params, arrays["at"]):
        parts = (flat[start + i * step : start + (i + 1) * step] for i in range(count))
        out[cta, lane] = [byte for raw in parts for byte in _extended(element, raw, width)]
    return {"out": out, "window": arrays["src"]}


# The unit that a load of each state space is. Source: nvdisasm 13.5.37 of kernels from ptxas 13.5.37; 256 bits are
# LDG at a generic address too.
UNITS = {
    "generic": ("LD", "LDG"),
    "global": ("LDG",),
    "shared": ("LDS",),
    "shared::cta": ("LDS",),
    "shared::cluster": ("LD",),
    "local": ("LDL",),
    "const": ("LDC",),
}


def _sass(params: Params) -> tuple[str, ...]:
    if params["space"] == "const":  # a register at a time
        element = memory.split(params["type"])[1].replace("128", "64")
        return memory.sass(("LDC",), {**params, "type": element})
    return memory.sass(UNITS[params["space"]], params, *(("CONSTANT",) if "nc" in params else ()))


load = partial(
    Probe,
    opcode="ld{modifiers}.{type}",
    arguments="{D}, [%at]{trailer}",
    claim=partial(_claim, LD),
    template="memory_load.ptx.j2",
    native=_sass,
    operands=_operands,
    inputs=_inputs,
    oracle=_oracle,
    launch=memory.launch,
    fields=_fields,
)

parameter = partial(
    load,
    arguments="{D}, [param_src]",
    template="memory_param.ptx.j2",
    native=lambda params: ("LDC", "LDCU", "ULDC"),
    operands=lambda params: tuple(Buffer(name, role, "b64", (32,)) for name, role in (("out", "out"), ("src", "in"))),
    inputs=lambda params, rng: {"src": rng.integers(0, 1 << 63, 32, dtype=np.uint64)},
    oracle=lambda params, arrays: {"out": arrays["src"]},
    launch=lambda params: Launch(),
    fields=lambda params: {
        "modifiers": memory.dotted(params["space"]),
        "halves": params["type"].startswith("v2"),
        "D": "{%half0, %half1}" if params["type"].startswith("v2") else "%from",
    },
)
nc = partial(load, claim=partial(_claim, NC))

SCALARS = (*(f"{kind}{width}" for kind in "bus" for width in (8, 16, 32, 64)), "f32", "f64")
PAIRS = tuple(f"v2.{kind}" for kind in SCALARS)
QUADS = tuple(f"v4.{kind}" for kind in SCALARS if not kind.endswith("64"))
OCTETS = (*(f"v8.{kind}32" for kind in "busf"), *(f"v4.{kind}64" for kind in "busf"))
EVERY = (*SCALARS, "b128", *PAIRS, *QUADS)
FEW = ("u8", "s8", "b16", "b32", "u64", "f32", "f64", "b128", "v2.u16", "v4.s8", "v2.f32", "v4.b32", "v2.f64")
WIDTHS = ("u8", "b64", "b128")
MMIO = ("mmio.relaxed.sys", "mmio.acquire.sys")
ANYWHERE = ("generic", "global")
SHARED = ("shared", "shared::cta", "shared::cluster")
WEAK = ("weak", "volatile")
STRONG = tuple(f"{sem}.{scope}" for sem in ("relaxed", "acquire") for scope in ("cta", "cluster", "gpu", "sys"))
COPS = ("ca", "cg", "cs", "lu", "cv")
L1 = ("L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate")
L2 = ("L2::evict_normal", "L2::evict_first", "L2::evict_last")
PRIORITIES = (*L2, *(f"{first}.{second}" for first in L1 for second in L2))
PREFETCH = ("L2::64B", "L2::128B", "L2::256B")
POLICIES = ("L2::cache_hint", "L2::cache_hint.L2::128B", "L1::evict_last.L2::cache_hint")
ALL_HINTS = "L1::no_allocate.L2::evict_first.L2::cache_hint.L2::256B"

PROBES = (
    load(form="type", rows=product(space=(*ANYWHERE, "shared"), type=EVERY)),
    load(form="type_window", rows=product(space=("shared::cta", "shared::cluster", "local"), type=FEW)),
    load(form="type_256", rows=product(space=ANYWHERE, type=OCTETS)),
    load(form="const", rows=product(space=("const",), type=(*SCALARS, "b128", "v2.b32", "v4.f32", "v2.f64"))),
    parameter(form="parameter", rows=product(space=("param", "param::entry"), type=("b64", "u64", "f64", "v2.b32"))),
    load(form="order", rows=product(sem=(*WEAK, *STRONG), space=(*ANYWHERE, *SHARED), type=("b32", "v4.f32"))),
    load(
        form="order_type",
        rows=product(sem=("volatile", "relaxed.gpu", "acquire.sys"), space=("global", "shared"), type=WIDTHS),
    ),
    load(form="order_local", rows=product(sem=WEAK, space=("local",), type=("u8", "b32", "b128"))),
    load(form="order_256", rows=product(sem=(*WEAK, *STRONG), space=ANYWHERE, type=("v8.b32",))),
    load(form="mmio", rows=product(sem=MMIO, space=ANYWHERE, type=("u8", "b16", "b32", "f64"))),
    load(form="operator", rows=product(cache=COPS, space=ANYWHERE, type=("b32", "v4.f32"))),
    load(form="operator_window", rows=product(cache=COPS, space=("shared", "local"), type=("b32",))),
    load(
        form="priority",
        rows=product(sem=("none", "relaxed.gpu", "relaxed.sys"), space=ANYWHERE, cache=L1, type=("b32",)),
    ),
    load(
        form="priority_order",
        rows=product(sem=("relaxed.cta", "acquire.gpu"), space=("global",), cache=L1, type=("v4.f32",)),
    ),
    load(form="priority_256", rows=product(space=ANYWHERE, cache=PRIORITIES, type=("v8.b32",))),
    load(
        form="priority_256_order",
        rows=product(sem=("relaxed.gpu",), space=("global",), cache=PRIORITIES, type=("v4.f64",)),
    ),
    load(
        form="prefetch",
        rows=product(
            sem=("none", "volatile", "relaxed.gpu", "acquire.sys"), space=ANYWHERE, cache=PREFETCH, type=("b32",)
        ),
    ),
    load(
        form="policy",
        rows=product(sem=("none", "relaxed.gpu", "acquire.sys"), space=ANYWHERE, cache=POLICIES, type=("v4.f32",)),
    ),
    load(form="policy_256", rows=product(space=ANYWHERE, cache=(ALL_HINTS,), type=("v8.b32", "v4.f64"))),
    load(
        form="unified",
        arguments="{D}, [%at].unified{trailer}",
        rows=product(space=ANYWHERE, type=("u8", "b32", "b64", "v4.f32"))
        + product(space=("global",), cache=("cg", "L1::evict_last", "L2::128B", "L2::cache_hint"), type=("b32",)),
        claim=lambda params: memory.claim([*memory.words(params, "acquire"), "unified"], WORDS, LD),
        unlaunched="it is for a .unified variable, which the host must place",
    ),
    load(
        form="readonly",
        opcode="ld{modifiers}.{type}.proxy::readonly",
        rows=product(space=ANYWHERE, type=SCALARS),
        claim=lambda params: since("sm_90", ptx="9.4", section="PTX ISA 9.4, 9.7.10.8"),
    ),
    nc(form="nc_type", rows=product(nc=("nc",), space=("global",), type=(*EVERY, *OCTETS))),
    nc(form="nc_operator", rows=product(nc=("ca.nc", "cg.nc", "cs.nc"), space=("global",), type=("b32", "v4.b32"))),
    nc(
        form="nc_hint",
        rows=product(nc=("nc",), space=("global",), cache=(*L1, *PREFETCH, *POLICIES), type=("b32", "v4.f32")),
    ),
    nc(
        form="nc_priority_256",
        rows=product(nc=("nc",), space=("global",), cache=(*PRIORITIES, ALL_HINTS), type=("v8.b32",)),
    ),
    load(
        form="ldu",
        opcode="ldu{modifiers}.{type}",
        rows=product(space=ANYWHERE, type=FEW),
        claim=partial(_claim, LDU),
        inputs=partial(_inputs, together=True),
    ),
)
