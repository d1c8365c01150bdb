"""What PTX ISA 9.4 adds to tcgen05.mma for sm_107f: kind::ti16, a collector buffer for B, B from a table, more scales.

PTX ISA 9.4, 9.7.18.10.10. kind::ti16 multiplies s1z4m11, a sign and 11 bits of magnitude in 16 bits; the inputs are not
negative, so that only the magnitude's place matters. A scale type is a field of the instruction descriptor, which no
assembler sees: the new ones stand in the forms that no other target has.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from suite import Claim, product, rows
from suite import tcgen05_claims as claims
from suite.probe import Params, Probe
from suite.tcgen05_kernel import even_inputs, fields, probe

GROUPS, IN = (1, 2), ("smem", "tmem")
OPS = ("fill", "use", "lastuse", "discard")
A, B = tuple(f"a::{op}" for op in OPS), tuple(f"b::{op}" for op in OPS)
BOTH = tuple(f"a::{op}+b::{op}" for op in OPS)
WEIGHTS = tuple(f"b{buffer}::{op}" for buffer in range(4) for op in OPS)
PLAIN, EIGHT, FOUR = (
    ("f16", "tf32", "f8f6f4"),
    (("mxf8f6f4", "block32"),),
    (("mxf4", "block32"), ("mxf4nvf4", "block16"), ("mxf4nvf4", "block32")),
)
LUT = "the layout of the lookup table stands in a figure only"
# Source: 9.7.18.10.7.1, Table 69 and its Target ISA Note.
NEW_SCALES = (("mxf4nvf4", "block16", "ue5m3"), ("mxf4nvf4", "block32", "ue5m3"), ("mxf4nvf4", "block32", "ue4m3"))
# With .ashift A is not filled, nor used and kept. What fills B for a use is not shifted, and then must name A's buffer.
SHIFTED = ("b::fill", "b::discard", "a::lastuse+b::use", "a::lastuse+b::lastuse", "a::discard+b::discard")
VERSION = "sm_107a wants sparsity version 1 of 4-bit kinds, whose metadata the manual does not describe"


def _claim(variant: str, params: Params) -> Claim:
    return claims.newest(variant)


def new(form: str, variant: str, table: tuple[Params, ...], **rest: Any) -> Probe:
    """Return a probe of one form that came with PTX ISA 9.4."""
    return probe(form, variant, table, partial(_claim, variant), **rest)


def _looking_up(params: Params) -> Params:
    """Return the fields of a form whose B is an index into a table at [%e]."""
    found = fields("mma", params)
    scaling, block, _ = found["scaling"].partition(".block32")
    addresses = [*found["addresses"], ("e", 0)]
    return {**found, "scaling": f"{scaling}.decompress::lut::b{block}", "metadata": "[%e], ", "addresses": addresses}


def lookup(form: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of `.decompress::lut::b`, which no kernel is launched of."""
    return new(form, "mma", table, fields=_looking_up, unlaunched=LUT)


def _product(group: tuple[int, ...] = GROUPS, **columns: Any) -> tuple[Params, ...]:
    return product(cta_group=group, **columns)


def _scaled(spellings: tuple[tuple[str, str], ...]) -> tuple[Params, ...]:
    table = ((group, *spelled, "smem", op) for group in GROUPS for spelled in spellings for op in BOTH)
    return rows("cta_group kind vec a_in collector", *table)


TI16 = ("ti16",)
PROBES = (
    *(
        new(
            f"{form}_ti16",
            variant,
            _product(kind=TI16, a_in=IN, collector=("none", *A, *B, *BOTH))
            + _product(kind=TI16, a_in=("smem",), collector=("none",), lanes=("some",)),
        )
        for form, variant in (("mma", "mma"), ("sp", "mma.sp"))
    ),
    *(
        new(
            f"{form}_ti16",
            variant,
            _product((1,), kind=TI16, m=(64,), a_in=IN, collector=("none", *WEIGHTS), mask=("none",))
            + _product((1,), kind=TI16, m=(32, 128), a_in=IN, collector=("none",), mask=("some",)),
        )
        for form, variant in (("ws", "mma.ws"), ("ws_sp", "mma.ws.sp"))
    ),
    *(
        new(f"{form}_collector", variant, _product(kind=PLAIN, a_in=("smem",), collector=(*BOTH, "a::fill+b::use")))
        for form, variant in (("mma", "mma"), ("sp", "mma.sp"))
    ),
    *(
        new(
            f"{form}_ashift",
            variant,
            _product(kind=PLAIN, a_in=("tmem",), ashift=("yes",), collector=SHIFTED)
            + _product(
                kind=TI16, a_in=("tmem",), ashift=("yes",), collector=("none", *SHIFTED, "b::use", "b::lastuse")
            ),
            inputs=partial(even_inputs, variant),
            observed="sass",  # the manual does not say which row takes which: here all are the same
        )
        for form, variant in (("mma", "mma"), ("sp", "mma.sp"))
    ),
    new("mma_scaled_collector", "mma", _scaled((*EIGHT, *FOUR))),
    probe(
        "mma_scale_types",
        "mma",
        rows(
            "cta_group kind vec scale a_in collector",
            *(
                (group, *spelled, where, op)
                for group in GROUPS
                for spelled in NEW_SCALES
                for where in IN
                for op in ("a::fill+b::fill",)
            ),
        ),
        lambda params: claims.newest_scale("mma"),
        numeric=None,  # nobody has shown how a unit rounds with them
    ),
    new("sp_scaled_collector", "mma.sp", _scaled(EIGHT)),
    probe(
        "sp_packed_collector",
        "mma.sp",
        _scaled(FOUR),
        lambda params: claims.newest_packed("mma.sp"),
        unlaunched=VERSION,
    ),
    lookup(
        "lut",
        _product(kind=("f8f6f4",), atype=("e4m3",), btype=("e4m3",), a_in=IN, collector=("none", *A, *B, *BOTH)),
    ),
    lookup(
        "lut_scaled",
        rows(
            "cta_group kind vec atype btype a_in collector",
            *(
                (g, "mxf8f6f4", vec, "e4m3", "e4m3", where, op)
                for g in GROUPS
                for vec in ("default", "block32")
                for where in IN
                for op in ("none", *BOTH)
            ),
        ),
    ),
)
