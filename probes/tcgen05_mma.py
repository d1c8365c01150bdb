"""tcgen05.mma without block scaling: lane masks, scaled D, collector buffers, shifted A. PTX ISA 9.3, 9.7.17.10.9.1.

Plain products of every size stand in probes/tcgen05.py; here stand the other operands and modifiers, the type pairs
and CTA pairs that it leaves out, and the descriptor's bits for negation and saturation.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from itertools import product as pairs
from typing import Any

from suite import Claim, product, rows
from suite import tcgen05_claims as claims
from suite.probe import Params
from suite.tcgen05_kernel import even_inputs, probe

KINDS, GROUPS, IN = ("f16", "tf32", "f8f6f4", "i8"), (1, 2), ("smem", "tmem")
NARROW = ("e4m3", "e5m2", "e2m3", "e3m2", "e2m1")
ELSEWHERE = {*((fmt, fmt) for fmt in NARROW), *pairwise((*NARROW, "e4m3"))}  # with an f32 D, in probes/tcgen05.py
COLLECT = tuple(f"a::{op}" for op in ("fill", "use", "lastuse", "discard"))


def claim(params: Params) -> Claim:
    """Return what the notes say of the kind, and of scale-input-d where the case has it."""
    if params.get("scale_d", "none") != "none":
        return claims.scaled_input("mma")
    return claims.plain("mma", params["kind"])


def _product(group: tuple[int, ...] = GROUPS, **columns: Any) -> tuple[Params, ...]:
    return product(cta_group=group, **columns)


PROBES = (
    probe(
        "types",
        "mma",
        rows(
            "cta_group kind atype btype dtype a_in",
            *((1, "f8f6f4", a, b, "f32", "tmem") for a, b in pairs(NARROW, NARROW) if (a, b) not in ELSEWHERE),
            *((1, "f8f6f4", a, b, "f32", "smem") for a, b in pairs(NARROW, NARROW) if (a, b) not in ELSEWHERE),
            *((1, "f8f6f4", a, b, "f16", "smem") for a, b in pairs(NARROW, NARROW)),
        ),
        claim,
    ),
    probe("pair", "mma", _product((2,), kind=KINDS, m=(128,), n=(64, 256), a_in=IN), claim),
    probe(
        "negate",
        "mma",
        _product(kind=("f16", "tf32", "f8f6f4"), negate=("a", "b", "ab"), a_in=("smem",)),
        claim,
    ),
    probe(
        "saturate",
        "mma",
        rows(
            "cta_group kind atype btype a_in saturate",
            *((1, "i8", a, b, where, "yes") for a in ("s8", "u8") for b in ("s8", "u8") for where in ("smem",)),
        ),
        claim,
    ),
    probe(
        "lanes",
        "mma",
        _product((1,), kind=KINDS, m=(64, 128), a_in=IN, lanes=("some",))
        + _product((2,), kind=KINDS, m=(128, 256), a_in=IN, lanes=("some",)),
        claim,
    ),
    probe(
        "scale_d",
        "mma",
        _product(kind=("f16", "tf32"), a_in=IN, scale_d=("0", "15"), lanes=("none", "some")),
        claim,
    ),
    probe(
        "scale_d_f16",
        "mma",
        _product(kind=("f16",), dtype=("f16",), a_in=IN, scale_d=("1", "3", "11")),
        claim,
    ),
    probe("collector", "mma", _product(kind=KINDS, a_in=IN, collector=COLLECT), claim),
    probe("collector_lanes", "mma", _product(kind=KINDS, a_in=("smem",), collector=COLLECT, lanes=("some",)), claim),
    probe(
        "collector_scale_d",
        "mma",
        _product(kind=("f16", "tf32"), a_in=IN, collector=COLLECT, scale_d=("4",)),
        claim,
    ),
    probe(
        "ashift",
        "mma",
        _product(kind=KINDS, a_in=("tmem",), ashift=("yes",), collector=("none", "a::lastuse", "a::discard")),
        claim,
        inputs=partial(even_inputs, "mma"),
        observed="sass",  # the manual does not say which row takes which: here all are the same
    ),
)
