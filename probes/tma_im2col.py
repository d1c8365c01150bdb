"""cp.async.bulk.tensor in the im2col modes. PTX ISA 9.3, 9.7.9.26.5.2, 5.5.4 and 5.5.5; 9.4, 9.7.10.28.5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from suite import Claim, Probe, family, product, rows, tma_claims, tma_kernels
from suite.probe import Params
from suite.tma_access import BITS, Access
from suite.tma_oracle import Extent, padded_strides

# Batches of images by rank: W, H, D and N, no two of them equal but for rank 5, where the buffer bounds them.
IMAGES: dict[int, Extent] = {3: (13, 5), 4: (9, 7, 4), 5: (5, 4, 3, 3)}

# How pixels are taken, by rank: the first one's coordinates, which lie in the bounding box; the box's corners; the
# offsets; and the traversal stride, which divides the way from the lower corner to the first pixel. `plain` boxes are
# the image; `padded` ones leave it at both ends, offsets in part making up for it; `shrunk` ones stay inside it; `last`
# ones run past the last image; `strided` ones leave out pixels.
Way = tuple[Extent, Extent, Extent, Extent, int]
WAYS: dict[tuple[int, str], Way] = {
    # rank  way        first          lower         upper         offsets    stride
    (3, "plain"):   ((3, 1),       (0,),         (0,),         (0,),      1),
    (4, "plain"):   ((5, 3, 1),    (0, 0),       (0, 0),       (0, 0),    1),
    (5, "plain"):   ((2, 1, 1, 0), (0, 0, 0),    (0, 0, 0),    (0, 0, 0), 1),
    (3, "padded"):  ((3, 1),       (-2,),        (-1,),        (3,),      1),
    (4, "padded"):  ((5, 3, 1),    (-1, -2),     (-1, 0),      (2, 1),    1),
    (5, "padded"):  ((2, 1, 1, 0), (-1, -1, -2), (-1, 0, -1),  (1, 2, 1), 1),
    (3, "shrunk"):  ((3, 1),       (1,),         (-2,),        (1,),      1),
    (4, "shrunk"):  ((4, 3, 1),    (1, 0),       (-2, -1),     (2, 1),    1),
    (5, "shrunk"):  ((1, 1, 1, 0), (1, 0, 0),    (-2, -1, -1), (2, 1, 0), 1),
    (3, "last"):    ((3, 4),       (-2,),        (-1,),        (3,),      1),
    (4, "last"):    ((5, 4, 3),    (-1, -2),     (-1, 0),      (2, 1),    1),
    (5, "last"):    ((2, 1, 1, 2), (-1, -1, -2), (-1, 0, -1),  (1, 2, 1), 1),
    (3, "strided"): ((3, 1),       (-1,),        (-1,),        (1,),      2),
    (4, "strided"): ((2, 4, 1),    (-1, -2),     (0, -1),      (2, 0),    3),
    (5, "strided"): ((1, 3, 0, 0), (-1, -1, -2), (-1, 0, -1),  (1, 2, 1), 2),
}  # fmt: skip


def _access(params: Params) -> Access:
    dim, fmt, channels = params["dim"], params.get("fmt", "f16"), params.get("channels", 16)
    first, lower, upper, offsets, stride = WAYS[dim, params.get("way", "padded")]
    dims = (3 * channels, *IMAGES[dim])
    return Access(
        fmt=fmt,
        dims=dims,
        strides=padded_strides(f"b{BITS[fmt]}", dims),
        box=(channels, params.get("pixels", 40)),
        corner=(channels if params.get("at", "inside") == "inside" else channels * 5 // 2, *first),
        steps=(1, *(stride for _ in lower), 1),
        mode="im2col",
        lower=lower,
        upper=upper,
        offsets=offsets,
        swizzle=params.get("swizzle", "none"),
        fill=params.get("fill", "zero"),
    )


def _unmoved(params: Params) -> Access:
    """Return the access of a store: boxes inside the image, no offsets. Source: PTX ISA 9.3, 9.7.9.26.5.1."""
    return replace(_access(params), offsets=())


# Along W alone: corners, first W and W offset. The first pixel may lie left of the box; H, D and N are as in `plain`.
WIDE: dict[str, tuple[int, int, int, int]] = {
    # way      lower upper first offset
    "plain":   (0,   0,    3,    0),
    "padded":  (-2,  -1,   1,    3),
    "left":    (1,   -1,   0,    1),
}  # fmt: skip


def _wide(params: Params) -> Access:
    dim, channels = params["dim"], params.get("channels", 16)
    lower, upper, first, offset = WIDE[params.get("way", "padded")]
    rest = WAYS[dim, "plain"][0][1:]
    dims = (3 * channels, *IMAGES[dim])
    return Access(
        fmt="f32",
        dims=dims,
        strides=padded_strides("b32", dims),
        box=(channels, 24),
        corner=(channels, first, *rest),
        mode="im2col_w128" if params["mode"] == "w::128" else "im2col_w",
        lower=(lower,),
        upper=(upper,),
        offsets=(params["halo"], offset),
        swizzle={16: "64B", 32: "128B"}[channels],
    )


def _wide_unmoved(params: Params) -> Access:
    """Return the access of a store along W alone, whose halo and W offset are 0."""
    return replace(_wide({"mode": "w", "halo": 0, "way": "plain", **params}), offsets=())


def _along_claim(params: Params) -> Claim:
    return tma_claims.datacenter() if params["mode"] == "w::128" else tma_claims.gathered(params)


def _along(form: str, table: tuple[Params, ...]) -> Probe:
    return tma_kernels.load(form, ".im2col::{mode}", _wide, table, _along_claim)


def _load(form: str, table: tuple[Params, ...]) -> Probe:
    return tma_kernels.load(form, ".im2col", _access, table, tma_claims.grouped)


def _store(form: str, table: tuple[Params, ...]) -> Probe:
    return tma_kernels.store(form, ".im2col_no_offs", _unmoved, table, lambda params: tma_claims.hopper({}))


def _rubin(params: Params) -> Claim:
    return tma_claims.rubin(tma_claims.NEW_LOAD)


def _along_told_width(params: Params) -> Claim:
    """Claim masks of 32 bits, which are new, or the name that PTX ISA 9.4 gives to those of 16."""
    also = ("sm_110f",) if params["mode"] == "w::128" else ()
    return (
        _rubin(params) if params["width"] == "32b" else family("sm_100f", *also, ptx="9.4", section=tma_claims.NEW_LOAD)
    )


def _new(probe: Probe, **rest: Any) -> Probe:
    """Return the probe with what PTX ISA 9.4 brought for sm_107f; `rest` is as of `Probe`."""
    return replace(probe, claim=_rubin, **rest)


def _by_address(probe: Probe) -> Probe:
    return _new(probe, unlaunched=tma_kernels.UNLAUNCHED)


SPACES = ("cluster", "cta")
WIDTHS, REPORTS = ("16b", "32b"), tuple(tma_kernels.REPORTS)
CLUSTER: dict[str, Any] = {"space": ("cluster",)}
SASS: dict[str, Any] = {"observed": "sass"}
MULTICAST: dict[str, Any] = {"cluster": (2,), "mask": ("0x3",)}
BY_ADDRESS: dict[str, Any] = {"override": ("address",), "hint": ("none", "evict_last")}
MODES = ("w", "w::128")
HINTS = ("none", "evict_last")
SPANS = (("32B", 16), ("64B", 32), ("128B", 64))  # swizzle, and the f16 channels that its span holds
INSIDE = ("plain", "shrunk")  # ways that never leave an image

PROBES = (
    tma_kernels.store(
        "store_along_w",
        ".im2col_no_offs::w",
        _wide_unmoved,
        product(dim=(3, 4, 5), hint=HINTS),
        _rubin,
    ),
    _by_address(
        tma_kernels.store(
            "store_along_w_override", ".im2col_no_offs::w", _wide_unmoved, product(dim=(3, 4, 5), **BY_ADDRESS), _rubin
        )
    ),
    _load("load", rows("dim way space", *((*key, space) for key in WAYS for space in SPACES))),
    _load("load_channels", product(dim=(3, 4, 5), way=("padded",), at=("deep",))),
    _load("load_types", product(dim=(4,), fmt=("u8", "u16", "s32", "u64", "bf16", "f32", "tf32"), way=("padded",))),
    _load(
        "load_sizes",
        rows(
            "dim way fmt channels pixels",
            (4, "padded", "f16", 8, 1),
            (4, "padded", "f16", 8, 1024),
            (3, "padded", "u8", 256, 40),
        ),
    ),
    _load("load_swizzle", rows("dim swizzle channels", *((3, *entry) for entry in SPANS))),
    _load("load_nan", product(dim=(3, 4, 5), fmt=("f16", "f32"), way=("last",), channels=(8,), fill=("nan",))),
    _load("load_hint", product(dim=(3, 4, 5), space=SPACES, hint=("evict_last",))),
    _load("multicast", product(dim=(3, 4, 5), cluster=(2,), mask=("0x3", "0x2"), hint=("none", "evict_first"))),
    _load("group", product(dim=(3, 4, 5), space=SPACES, cluster=(2,), group=(1, 2))),
    _load("group_multicast", product(dim=(4,), cluster=(2,), group=(1, 2), mask=("0x3",), hint=HINTS)),
    _along("wide", product(mode=MODES, dim=(3, 4, 5), way=tuple(WIDE), space=SPACES, halo=(0,))),
    _along("wide_swizzle", product(mode=MODES, dim=(4,), space=SPACES, channels=(32,), halo=(0,))),
    _along(
        "wide_multicast",
        product(mode=MODES, dim=(3,), space=("cluster",), cluster=(2,), mask=("0x3",), hint=HINTS, halo=(0,)),
    ),
    _along("wide_group", product(mode=MODES, dim=(3,), space=SPACES, cluster=(2,), group=(1, 2), halo=(0,))),
    replace(
        _along("wide_halo", product(mode=MODES, dim=(3, 4, 5), space=SPACES, halo=(2,))),
        unlaunched="which pixels a halo holds is drawn in the manual's figures, not said",
    ),
    replace(_load("multicast_width", product(dim=(3, 4, 5), **MULTICAST, width=WIDTHS)), claim=tma_claims.told_width),
    replace(
        _load("group_width", product(dim=(4,), **MULTICAST, group=(1, 2), width=WIDTHS)), claim=tma_claims.told_width
    ),
    _new(_load("load_report", product(dim=(3, 4, 5), space=SPACES, report=REPORTS)), **SASS),
    _by_address(_load("load_override", product(dim=(3, 4, 5), space=SPACES, **BY_ADDRESS))),
    _by_address(_load("multicast_override", product(dim=(4,), **MULTICAST, width=WIDTHS, override=("address",)))),
    replace(
        _along("along_w_width", product(mode=MODES, dim=(3, 4, 5), **CLUSTER, **MULTICAST, halo=(0,), width=WIDTHS)),
        claim=_along_told_width,
    ),
    _new(_along("along_w_report", product(mode=MODES, dim=(4,), space=SPACES, halo=(0,), report=REPORTS)), **SASS),
    _by_address(_along("along_w_override", product(mode=MODES, dim=(3, 4, 5), space=SPACES, halo=(0,), **BY_ADDRESS))),
    _by_address(_store("store_override", product(dim=(3, 4, 5), way=("plain",), pixels=(24,), **BY_ADDRESS))),
    _store("store", product(dim=(3, 4, 5), way=INSIDE, pixels=(24,), hint=HINTS)),
    _store("store_swizzle", rows("dim way pixels swizzle channels", *((3, "plain", 24, *entry) for entry in SPANS))),
    _store("store_read", product(dim=(4,), way=("plain",), pixels=(24,), wait=("read",))),
)
