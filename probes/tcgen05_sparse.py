"""tcgen05.mma.sp: A is stored as Mx(K/2), and metadata in tensor memory says where it goes. PTX ISA 9.3, 9.7.17.10.8.

16- and 32-bit kinds choose one of two columns of metadata by the selector; the others take both. What is not chosen
holds legal decoys.
"""

from __future__ import annotations

from functools import partial
from itertools import product as pairs
from typing import Any

from suite import Claim, product, rows
from suite import tcgen05_claims as claims
from suite.probe import Params
from suite.tcgen05_kernel import even_inputs, probe

VARIANT = "mma.sp"
KINDS, GROUPS, IN = ("f16", "tf32", "f8f6f4", "i8"), (1, 2), ("smem", "tmem")
SELECTING, WHOLE = ("f16", "tf32"), ("f8f6f4", "i8")
NARROW = ("e4m3", "e5m2", "e2m3", "e3m2", "e2m1")
COLLECT = tuple(f"a::{op}" for op in ("fill", "use", "lastuse", "discard"))
SPELLINGS = (
    ("mxf8f6f4", "default"), ("mxf8f6f4", "1X"), ("mxf8f6f4", "block32"),
    ("mxf4", "default"), ("mxf4", "2X"), ("mxf4", "block32"),
    ("mxf4nvf4", "2X"), ("mxf4nvf4", "block32"), ("mxf4nvf4", "4X"), ("mxf4nvf4", "block16"),
)  # fmt: skip


def claim(params: Params) -> Claim:
    """Return what the notes say of the kind, and of scale-input-d where the case has it."""
    if params.get("scale_d", "none") != "none":
        return claims.scaled_input(VARIANT)
    return claims.plain(VARIANT, params["kind"])


def scaled_claim(params: Params) -> Claim:
    """Return what the notes say of the kind and its spelling of the scale vector size."""
    return claims.block_scaled(VARIANT, params["kind"], params["vec"])


def _product(group: tuple[int, ...] = GROUPS, **columns: Any) -> tuple[Params, ...]:
    return product(cta_group=group, **columns)


PROBES = (
    probe(
        "sp",
        VARIANT,
        _product((1,), kind=SELECTING, m=(64, 128), a_in=IN, selector=(0, 1), swizzled=("no",))
        + _product((2,), kind=SELECTING, m=(128, 256), a_in=IN, selector=(0, 1), swizzled=("no",))
        + _product((1,), kind=WHOLE, m=(64, 128), a_in=IN, selector=(0,), swizzled=("no",))
        + _product((2,), kind=WHOLE, m=(128, 256), a_in=IN, selector=(0,), swizzled=("no",))
        + _product(kind=KINDS, m=(128,), a_in=("smem",), selector=(0,), swizzled=("yes",)),
        claim,
    ),
    probe(
        "types",
        VARIANT,
        rows(
            "cta_group kind atype btype dtype a_in",
            *((1, "f16", a, a, d, where) for a, d in (("f16", "f16"), ("bf16", "f32")) for where in IN),
            *((1, "i8", a, b, "s32", where) for a in ("s8", "u8") for b in ("s8", "u8") for where in IN),
            *((1, "f8f6f4", a, b, "f32", where) for a, b in pairs(NARROW, NARROW) for where in ("smem",)),
            *((1, "f8f6f4", a, a, "f16", where) for a in NARROW for where in ("tmem",)),
        ),
        claim,
    ),
    probe("sizes", VARIANT, _product((1,), kind=KINDS, n=(16, 256), a_in=IN), claim),
    probe("lanes", VARIANT, _product(kind=KINDS, a_in=IN, lanes=("some",)), claim),
    probe(
        "scale_d",
        VARIANT,
        _product(kind=SELECTING, a_in=IN, scale_d=("0", "15"), lanes=("none", "some")),
        claim,
    ),
    probe("collector", VARIANT, _product(kind=KINDS, a_in=IN, collector=COLLECT), claim),
    probe("collector_lanes", VARIANT, _product(kind=KINDS, a_in=("smem",), collector=COLLECT, lanes=("some",)), claim),
    probe(
        "ashift",
        VARIANT,
        _product(kind=KINDS, a_in=("tmem",), ashift=("yes",), collector=("none", "a::lastuse", "a::discard")),
        claim,
        inputs=partial(even_inputs, VARIANT),
        observed="sass",  # the manual does not say which row takes which: here all are the same
    ),
    probe(
        "scaled",
        VARIANT,
        rows(
            "cta_group kind vec a_in collector",
            *(
                (group, *spelled, where, op)
                for spelled in SPELLINGS
                for group in GROUPS
                for where, op in (("tmem", "none"), ("smem", "none"), *(("smem", op) for op in COLLECT))
            ),
        ),
        scaled_claim,
    ),
    probe(
        "scaled_types",
        VARIANT,
        _product((1,), kind=("mxf8f6f4",), vec=("block32",), atype=NARROW, btype=NARROW, a_in=("smem",)),
        scaled_claim,
    ),
)
