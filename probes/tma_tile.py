"""cp.async.bulk.tensor in tile mode: types, swizzles, traversal strides, fill, cache hints and pairs of CTAs.

Ranks, edges and plain multicast are in `probes/tma.py`. Interleaved tensors are not asked: neither the manual nor the
driver API says what their strides mean. Sources: PTX ISA 9.3, 9.7.9.26.5.2 and 5.5.3 to 5.5.7; PTX ISA 9.4,
9.7.10.28.5.2 and 9.7.10.28.5.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from suite import Claim, Probe, product, rows, tma_claims, tma_kernels
from suite.probe import Params
from suite.tma_access import BITS, Access
from suite.tma_oracle import GEOMETRY, Extent, corner_of, padded_strides

# Widths of a swizzled box in bytes, and its rows: more than two times each pattern. The tensor is that of rank 2.
SPANS = {"32B": 32, "64B": 64, "128B": 128, "128B_atom_32B": 128, "128B_atom_32B_flip_8B": 128, "128B_atom_64B": 128}
SWIZZLED_ROWS = 20

# Traversal strides by rank and name: all of them beyond the fastest dimension, and boxes that are no multiple of them.
STEPS: dict[tuple[int, str], Extent] = {
    (2, "even"): (1, 2),
    (2, "odd"): (1, 3),
    (2, "most"): (1, 8),
    (3, "even"): (1, 2, 2),
    (4, "odd"): (1, 3, 1, 3),
    (5, "mixed"): (1, 2, 1, 3, 4),
}


def _access(params: Params) -> Access:
    dim, fmt, swizzle = params.get("dim", 2), params.get("fmt", "f16"), params.get("swizzle", "none")
    dims, box, _ = GEOMETRY[dim]
    if swizzle != "none":
        box = (SPANS[swizzle] * 8 // BITS[fmt], SWIZZLED_ROWS)
    return Access(
        fmt=fmt,
        dims=dims,
        strides=padded_strides(f"b{BITS[fmt]}", dims),
        box=box,
        corner=_corner(params, box),
        steps=STEPS[dim, params["steps"]] if "steps" in params else (),
        swizzle=swizzle,
        fill=params.get("fill", "zero"),
        line=params.get("line", 0),
    )


def _corner(params: Params, box: Extent) -> Extent:
    """Return where the box begins: with overriding attributes at the tensor's origin."""
    if tma_kernels.overrides_attributes(params):
        return (0,) * len(box)
    return corner_of(len(box), box, params.get("at", "inside"))


def _load(form: str, table: tuple[Params, ...], mode: str = ".tile") -> Probe:
    return tma_kernels.load(form, mode, _access, table, tma_claims.grouped)


def _store(form: str, table: tuple[Params, ...], mode: str = ".tile") -> Probe:
    return tma_kernels.store(form, mode, _access, table, _stored)


def _new_load(form: str, table: tuple[Params, ...], **rest: Any) -> Probe:
    """Return a probe of loads that PTX ISA 9.4 brought; `rest` is as of `Probe`."""
    return replace(tma_kernels.load(form, ".tile", _access, table, _rubin), **rest)


def _override(probe: Probe) -> Probe:
    """Return the probe with overrides, which PTX ISA 9.4 brought, and which are not launched."""
    return replace(probe, claim=_rubin, unlaunched=tma_kernels.UNLAUNCHED)


def _rubin(params: Params) -> Claim:
    return tma_claims.rubin(tma_claims.NEW_LOAD)


def _stored(params: Params) -> Claim:
    return tma_claims.hopper({})


HINTS = ("evict_first", "evict_last", "evict_normal", "evict_unchanged")
FMTS = tuple(fmt for fmt in BITS if fmt not in ("b32", "b64"))  # which are u32 and u64 of a tensor map
SPACES, WIDTHS, CHANGED = ("cluster", "cta"), ("16b", "32b"), ("address", "attributes")
# What a multicast with overrides may be told: attributes want masks of 32 bits. Source: PTX ISA 9.4, 9.7.10.28.5.2.2.
OVERRIDDEN_WIDTHS = (("16b", "address"), ("32b", "address"), ("32b", "attributes"))
TOLD_NANS = ("f16", "f32")
STRIDED = rows("dim steps at", *((*key, at) for key in STEPS for at in ("inside", "high")))
ATOMS = ("128B_atom_32B", "128B_atom_64B")

PROBES = (
    _load("load_types", product(dim=(2,), fmt=FMTS, at=("inside", "high"))),
    _load("load_unspelled", product(dim=tuple(GEOMETRY), space=("cluster", "cta")), mode=""),
    _load("load_strided", (*STRIDED, *rows("dim steps at", (2, "odd", "low"), (3, "even", "low")))),
    _load("load_nan", product(dim=(2, 5), fmt=TOLD_NANS, at=("low", "high", "beyond"), fill=("nan",))),
    _load("load_swizzle", product(fmt=("u8", "f16", "f32", "f64"), swizzle=("32B", "64B", "128B"))),
    _load("load_swizzle_base", product(swizzle=("32B", "64B", "128B"), line=(1, 3, 5))),
    _load("load_atom", product(fmt=("u8", "f16", "f32", "f64"), swizzle=(*ATOMS, "128B_atom_32B_flip_8B"))),
    _load("load_hint", product(dim=tuple(GEOMETRY), space=("cluster", "cta"), hint=("evict_last",))),
    _load("load_hints", product(dim=(2,), hint=HINTS)),
    _load(
        "multicast_hint",
        rows(
            "dim cluster mask hint", (2, 4, "0xa", "evict_last"), *((dim, 2, "0x3", "evict_first") for dim in GEOMETRY)
        ),
    ),
    _load("group", product(dim=(1, 2, 3, 4, 5), space=("cluster", "cta"), cluster=(2,), group=(1, 2))),
    _load("group_hint", product(dim=(2,), space=("cluster", "cta"), cluster=(2,), group=(1, 2), hint=("evict_last",))),
    _load("group_multicast", product(dim=(2, 5), cluster=(2,), group=(1, 2), mask=("0x3",), hint=("none", HINTS[1]))),
    _new_load(
        "multicast_width",
        rows("dim cluster mask width", *((dim, 2, "0x3", width) for dim in GEOMETRY for width in WIDTHS))
        + product(dim=(2,), cluster=(4,), mask=("0xa",), width=WIDTHS, hint=("none", "evict_last")),
        claim=tma_claims.told_width,
    ),
    _new_load(
        "group_width",
        product(dim=(2, 5), cluster=(2,), group=(1, 2), mask=("0x3",), width=WIDTHS),
        claim=tma_claims.told_width,
    ),
    _new_load("load_report", product(dim=(2,), space=SPACES, report=tuple(tma_kernels.REPORTS)), observed="sass"),
    _new_load(
        "multicast_report",
        product(dim=(2,), cluster=(2,), mask=("0x3",), width=("32b",), report=tuple(tma_kernels.REPORTS)),
        observed="sass",
    ),
    _new_load(
        "group_report",
        product(dim=(2,), space=SPACES, cluster=(2,), group=(1, 2), report=tuple(tma_kernels.REPORTS)),
        observed="sass",
    ),
    _override(_load("load_override", product(dim=tuple(GEOMETRY), space=SPACES, override=CHANGED))),
    _override(_load("load_override_hint", product(dim=(2,), space=SPACES, override=CHANGED, hint=("evict_last",)))),
    _override(
        _load("group_override", product(dim=(2,), space=SPACES, cluster=(2,), group=(1, 2), override=CHANGED)),
    ),
    _override(
        _load(
            "multicast_override",
            rows("dim cluster mask width override", *((2, 2, "0x3", *told) for told in OVERRIDDEN_WIDTHS)),
        )
    ),
    _override(_store("store_override", product(dim=tuple(GEOMETRY), override=CHANGED))),
    _override(_store("store_override_hint", product(dim=(2,), override=CHANGED, hint=("evict_last",)))),
    _store("store_types", product(dim=(2,), fmt=FMTS, at=("inside",))),
    _store("store_unspelled", product(dim=tuple(GEOMETRY)), mode=""),
    _store("store_strided", STRIDED),
    _store("store_swizzle", product(fmt=("u8", "f16", "f32", "f64"), swizzle=("32B", "64B", "128B"))),
    _store("store_atom", product(fmt=("u8", "f16", "f32", "f64"), swizzle=ATOMS)),
    _store("store_hint", product(dim=tuple(GEOMETRY), hint=("evict_last",))),
    _store("store_hints", product(dim=(2,), hint=HINTS)),
    _store("store_read", product(dim=(2, 5), swizzle=("none",), wait=("read",))),
)
