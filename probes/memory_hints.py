"""createpolicy, applypriority, discard, prefetch and prefetchu. PTX ISA 9.3, 9.7.9.16 to 9.7.9.19; 9.4, 9.7.10.16."""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Operand, Probe, TensorMap, memory, product, rows, since
from suite.probe import Arrays, Params

PREFETCH, APPLY, DISCARD, POLICY = "9.7.9.16", "9.7.9.17", "9.7.9.18", "9.7.9.19"
VALID = "PTX ISA 9.4, 9.7.10.16"
LINE = 128  # bytes of a thread's row


def _fields(params: Params) -> Params:
    space = params.get("space", "generic")
    return {
        "state": "local" if space == "local" else "global",
        "generic": space == "generic",
        "where": "%frame" if space == "local" else "%at",
        "modifiers": memory.dotted(*(params.get(key, "none") for key in ("space", "level"))),
        "over": "src",
    }


def _operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "b8", (memory.LANES, LINE)),
        Buffer("src", "in", "b8", (memory.LANES, LINE)),
        Buffer("at", "in", "u32", (memory.LANES,)),
    )


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    at = rng.permutation(memory.LANES).astype(np.uint32) * 4
    return {"src": memory.random_bytes(rng, memory.LANES, LINE), "at": at}


def _prefetch_claim(params: Params) -> Claim:
    if "evict" in params["level"]:
        return since("sm_80", ptx="7.4", section=PREFETCH)
    return since("sm_20", ptx="2.0", section=PREFETCH)


hint = partial(
    Probe,
    template="memory_hints.ptx.j2",
    operands=_operands,
    inputs=_inputs,
    oracle=lambda params, arrays: {"out": arrays["src"]},
    fields=_fields,
    observed="sass",
)


def _policy_fields(params: Params) -> Params:
    secondary = params.get("secondary", "none")
    return {
        "generic": params.get("space", "generic") == "generic",
        "priorities": memory.dotted(params["primary"], secondary) if "primary" in params else "",
        "space_word": memory.dotted(params.get("space", "none")),
        "amount": ", %fraction" if params.get("fraction") == "register" else "",
    }


def _policy_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "out", "b64", (memory.LANES,)),
        Buffer("src", "in", "b64", (memory.LANES,)),
        Buffer("numbers", "in", "b32", (6,)),
    )


# The access property is opaque; this one is what ptxas 13.5.37 makes of createpolicy.fractional.L2::evict_last.
def _policy_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    half = int(np.float32(0.5).view(np.uint32))
    numbers = np.array([half, 128, 256, 0, 0, 0x14F00000], dtype=np.uint64)
    return {"src": rng.integers(0, 1 << 63, memory.LANES, dtype=np.uint64), "numbers": numbers}


policy = partial(
    Probe,
    claim=lambda params: since("sm_80", ptx="7.4", section=POLICY),
    template="memory_policy.ptx.j2",
    operands=_policy_operands,
    inputs=_policy_inputs,
    oracle=lambda params, arrays: {"out": arrays["src"]},
    fields=_policy_fields,
    observed="sass",
)


def _map_operands(params: Params) -> tuple[Operand, ...]:
    dims, box = (16, 8), (16, 4)
    encoded = TensorMap(
        "map", "in", "f16", (8, 16), over="src", dims=dims, strides=(32,), box=box, element_strides=(1, 1)
    )
    passed = (encoded,) if params["space"] != "const" else ()
    return (*_policy_operands(params)[:2], *passed)


tensormap = partial(
    Probe,
    opcode="prefetch{modifiers}.tensormap",
    arguments="[{where}]",
    claim=lambda params: since("sm_90", ptx="8.0", section=PREFETCH),
    template="memory_tensormap.ptx.j2",
    native=lambda params: ("UTMACCTL.PF",),
    operands=_map_operands,
    inputs=lambda params, rng: {"src": rng.integers(0, 1 << 63, memory.LANES, dtype=np.uint64)},
    oracle=lambda params, arrays: {"out": arrays["src"]},
    fields=lambda params: {
        "modifiers": memory.dotted(params["space"]),
        "where": "param_map" if params["space"] == "param" else "%at",
        "state": params["space"],
        "generic": params["space"] == "generic",
    },
    observed="sass",
)

PRIMARY = ("L2::evict_last", "L2::evict_normal", "L2::evict_first", "L2::evict_unchanged")
SECONDARY = ("none", "L2::evict_first", "L2::evict_unchanged")

PROBES = (
    hint(
        form="prefetch",
        opcode="prefetch{modifiers}",
        arguments="[{where}]",
        rows=(
            *product(space=("generic", "global", "local"), level=("L1", "L2")),
            *product(space=("global",), level=("L2::evict_last", "L2::evict_normal")),
        ),
        claim=_prefetch_claim,
        native=lambda params: ("CCTL", "CCTLL"),
    ),
    hint(
        form="prefetch_valid",
        opcode="prefetch{modifiers}",
        arguments="[{where}]",
        rows=product(space=("generic", "global"), level=("L1::32B.valid_addr",)),
        claim=lambda params: since("sm_90", ptx="9.4", section=VALID),
        native=lambda params: ("CCTL",),
    ),
    hint(
        form="prefetchu",
        opcode="prefetchu{modifiers}",
        arguments="[{where}]",
        rows=rows("level", ("L1",)),
        claim=lambda params: since("sm_20", ptx="2.0", section=PREFETCH),
        native=lambda params: ("CCTL",),
    ),
    hint(
        form="applypriority",
        opcode="applypriority{modifiers}",
        arguments="[%at], 128",
        rows=product(space=("generic", "global"), level=("L2::evict_normal",)),
        claim=lambda params: since("sm_80", ptx="7.4", section=APPLY),
        native=lambda params: ("CCTL",),
    ),
    hint(
        form="discard",
        opcode="discard{modifiers}",
        arguments="[%at], 128",
        rows=product(space=("generic", "global"), level=("L2",)),
        claim=lambda params: since("sm_80", ptx="7.4", section=DISCARD),
        native=lambda params: ("CCTL",),
        fields=lambda params: {**_fields(params), "over": "out"},
    ),
    tensormap(form="tensormap", rows=rows("space", ("generic",), ("param",))),
    tensormap(
        form="tensormap_const",
        rows=rows("space", ("const",)),
        unlaunched="no tensor map is put into the const state space",
    ),
    policy(
        form="createpolicy_fractional",
        opcode="createpolicy.fractional{priorities}.b64",
        arguments="%policy{amount}",
        rows=product(primary=PRIMARY, secondary=SECONDARY, fraction=("none", "register")),
        native=lambda params: ("CREATEPOLICY",),
    ),
    policy(
        form="createpolicy_range",
        opcode="createpolicy.range{space_word}{priorities}.b64",
        arguments="%policy, [%at], %primary, %total",
        rows=product(space=("generic", "global"), primary=PRIMARY, secondary=SECONDARY),
        native=lambda params: ("CREATEPOLICY",),
    ),
    policy(
        form="createpolicy_cvt",
        opcode="createpolicy.cvt.{level}.b64",
        arguments="%policy, %property",
        rows=rows("level", ("L2",)),
        native=lambda params: ("CREATEPOLICY",),
    ),
)
