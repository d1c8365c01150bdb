"""cp.async.bulk.prefetch.tensor and applypriority.async.bulk.tensor: hints, which no memory shows.

The kernel around them copies the tensor. PTX ISA 9.3, 9.7.9.26.5.4; PTX ISA 9.4, 9.7.10.28.5.5 and 9.7.10.19.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, since, tma_access, tma_claims, tma_kernels
from suite.probe import Arrays, Params
from suite.tma_access import Access
from suite.tma_oracle import GEOMETRY, padded_strides

# The bounding box of the images is the image, and the first pixel that of rank; C, W, H, D and N.
IMAGES = {3: (48, 13, 5), 4: (48, 9, 7, 4), 5: (48, 5, 4, 3, 3)}
WAYS = {"im2col::w": "im2col_w", "im2col::w::128": "im2col_w128"}


def _access(params: Params) -> Access:
    mode, dim = params["mode"], params.get("dim", 2)
    tiled = "im2col" not in mode
    dims = GEOMETRY[dim][0] if tiled else IMAGES[dim]
    strides = padded_strides("b16", dims)
    if tiled:
        box, corner = GEOMETRY[dim][1:]
        four = mode == "tile::gather4"
        rows = (corner[0], 5, 17, 2, 11) if four else corner
        if tma_kernels.overrides_attributes(params):
            rows = (0,) * dim
        return Access("f16", dims, strides, (box[0], 1) if four else box, rows, mode="four" if four else "tile")
    wide = mode in WAYS
    pixels = dim - 2
    corners = (0,) * (1 if wide else pixels)
    return Access(
        fmt="f16",
        dims=dims,
        strides=strides,
        box=(32, 24),
        corner=(0,) * dim,
        mode=WAYS.get(mode, "im2col"),
        lower=corners,
        upper=corners,
        offsets=(0, 0) if wide else (0,) * pixels,
        swizzle="64B" if wide else "none",
    )


def _operands(params: Params) -> tuple[Operand, ...]:
    where = _access(params)
    return (
        Buffer("out", "out", "b16", (where.storage,)),
        tma_kernels.source(where, "src", "in"),
        *tma_kernels.map_operands(where, "src", attributes=tma_kernels.overrides_attributes(params)),
    )


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    where = _access(params)
    return {"src": tma_access.codes("f16", where.storage), **tma_kernels.map_inputs(where)}


def _claim(params: Params) -> Claim:
    if params["mode"] in ("tile::gather4", *WAYS):
        return tma_claims.datacenter(tma_claims.PREFETCH)
    return since("sm_90", ptx="8.0", section=tma_claims.PREFETCH)


def _native(params: Params) -> tuple[str, ...]:
    return (tma_kernels.sass("UTMAPF.L2", _access(params)),)


def _fields(params: Params) -> Params:
    where = _access(params)
    mode, kept = params["mode"], params.get("keep", "none")
    return {
        **tma_kernels.fields(where, params),
        "grouped": "to" in params,
        "keep_": "" if kept == "none" else f".L2::{kept}",
        "space_": "" if params.get("space") == "generic" else ".global",
        "mode_": "" if mode == "none" else f".{mode}",
        "words": where.storage // 2,
    }


def _prefetch(
    form: str,
    table: tuple[Params, ...],
    *,
    opcode: str = "cp.async.bulk.prefetch.tensor.{dim}d.L2.global{mode_}{hint_}{keep_}{override_}",
    claim: Callable[[Params], Claim] = _claim,
    native: Callable[[Params], tuple[str, ...]] = _native,
    unlaunched: str = "",
) -> Probe:
    return Probe(
        form=form,
        opcode=opcode,
        arguments="[%map{instead_}, {coordinates}]{info_}{policy_}",
        rows=table,
        claim=claim,
        template="tma_prefetch.ptx.j2",
        native=native,
        operands=_operands,
        inputs=_inputs,
        oracle=lambda params, arrays: {"out": arrays["src"]},
        launch=lambda params: Launch(block=(tma_kernels.THREADS, 1, 1)),
        fields=_fields,
        observed="sass",
        unlaunched=unlaunched,
    )


def _new(params: Params) -> Claim:
    return tma_claims.rubin(tma_claims.NEW_PREFETCH)


def _new_native(params: Params) -> tuple[str, ...]:
    what = "DM" if "to" in params else "PM" if "keep" in params else "PF"
    return (tma_kernels.sass(f"UTMAL2CCTL.{what}", _access(params)) + tma_kernels.overriding(params),)


def _priority(form: str, table: tuple[Params, ...], unlaunched: str = "") -> Probe:
    """Return a probe of applypriority, whose completion is that of a bulk group."""
    return _prefetch(
        form,
        table,
        opcode="applypriority.async.bulk.tensor.{dim}d{space_}.bulk_group{mode_}.L2::{to}{override_}",
        claim=lambda params: tma_claims.rubin(tma_claims.NEW_PRIORITY),
        native=_new_native,
        unlaunched=unlaunched,
    )


HINTS = ("none", "evict_last")
EVERYWHERE = (
    *product(mode=("none", "tile"), dim=tuple(GEOMETRY)),
    *product(mode=("tile::gather4",), dim=(2,)),
    *product(mode=("im2col", *WAYS), dim=tuple(IMAGES)),
)
CHANGED = ("address", "attributes")
CHANGES = product(mode=("tile",), dim=tuple(GEOMETRY), override=CHANGED)
BY_ADDRESS = tuple({**row, "override": "address"} for row in EVERYWHERE if row["mode"] not in ("none", "tile"))
HINTED = product(mode=("tile",), dim=(2,), override=CHANGED)
NORMAL = {"to": "evict_normal"}
PROBES = (
    _prefetch("tile", product(mode=("none", "tile"), dim=tuple(GEOMETRY), hint=HINTS)),
    _prefetch("gather", product(mode=("tile::gather4",), hint=HINTS)),
    _prefetch("im2col", product(mode=("im2col",), dim=tuple(IMAGES), hint=HINTS)),
    _prefetch("wide", product(mode=tuple(WAYS), dim=tuple(IMAGES), hint=HINTS)),
    _prefetch("kept", tuple({**row, "keep": "evict_last"} for row in EVERYWHERE), claim=_new, native=_new_native),
    _prefetch("override", CHANGES, claim=_new, native=_new_native, unlaunched=tma_kernels.UNLAUNCHED),
    _prefetch("override_mode", BY_ADDRESS, claim=_new, native=_new_native, unlaunched=tma_kernels.UNLAUNCHED),
    _prefetch(
        "override_hint",
        tuple({**row, **how} for row in HINTED for how in ({"hint": "evict_last"}, {"keep": "evict_last"})),
        claim=_new,
        native=_new_native,
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _priority(
        "applypriority",
        tuple({**row, "space": space, **NORMAL} for space in ("generic", "global") for row in EVERYWHERE),
    ),
    _priority(
        "applypriority_override",
        tuple({**row, "space": "global", **NORMAL} for row in CHANGES),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _priority(
        "applypriority_override_mode",
        tuple({**row, "space": "global", **NORMAL} for row in BY_ADDRESS),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
)
