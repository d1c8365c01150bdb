"""Probes of loads, stores and reductions through a tensor map: operands, inputs and oracles from an `Access`.

Parameters that these functions know, beside those from which a family makes its access: `space` (of a load's
destination, else `cluster`), `cluster` (CTAs), `mask` (of a multicast), `group` (of `.cta_group`), `hint` (a cache
eviction priority, `none`) and `wait` (`all` or `read`); of PTX ISA 9.4 `width` (of a multicast's mask), `report` (of a
load), and `override` (`address`, or `attributes` too, of the tensor map). CTA 0 issues.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from suite import tma_access
from suite.claims import Claim
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Launch, Params, Probe
from suite.tma_access import Access
from suite.tma_oracle import DONE, prefilled

THREADS = 64
TO = 1024  # where a box lies in shared memory: a boundary of every swizzle pattern
GUARD = 112  # bytes of a window after the copy

Accessed = Callable[[Params], Access]


def load(form: str, mode: str, access: Accessed, table: tuple[Params, ...], claim: Callable[[Params], Claim]) -> Probe:
    """Return a probe of loads; `mode` is the opcode's load mode, a format string such as `.tile`."""
    opcode = "cp.async.bulk.tensor.{dim}d.shared::{space}.global" + mode + ".mbarrier::complete_tx::bytes{report_}"
    return Probe(
        form=form,
        opcode=opcode + "{multicast_}{group_}{hint_}{override_}",
        arguments="[%dst], [%map{instead_}, {coordinates}], [%mbar]{info_}{mask_}{policy_}",
        rows=table,
        claim=claim,
        template="tma_load.ptx.j2",
        native=partial(_native_load, access),
        operands=partial(_load_operands, access),
        inputs=partial(_load_inputs, access),
        oracle=partial(_load_oracle, access),
        launch=launch,
        fields=partial(_load_fields, access),
    )


def store(form: str, mode: str, access: Accessed, table: tuple[Params, ...], claim: Callable[[Params], Claim]) -> Probe:
    """Return a probe of stores; `mode` is the opcode's load mode, a format string."""
    return Probe(
        form=form,
        opcode="cp.async.bulk.tensor.{dim}d.global.shared::cta" + mode + ".bulk_group{hint_}{override_}",
        arguments="[%map{instead_}, {coordinates}], [%base]{policy_}",
        rows=table,
        claim=claim,
        template="tma_store.ptx.j2",
        native=lambda params: (sass("UTMASTG", access(params)) + overriding(params),),
        operands=partial(store_operands, access),
        inputs=partial(_store_inputs, access),
        oracle=partial(_store_oracle, access),
        launch=launch,
        fields=partial(store_fields, access),
    )


# What stands in the opcode for properties that take the place of those in the tensor map, and in SASS. Source: PTX ISA
# 9.4, 9.7.10.28.5.2; nvdisasm 13.5.37 of kernels from ptxas 13.5.37 for sm_107f.
OVERRIDES = {
    "none": "",
    "address": ".TENSOR_GADDR",
    "attributes": ".TENSOR_GADDR.TENSOR_STRIDE_SIZE_MAX256",
}
UNLAUNCHED = "an override wants 128 KiB from its address on to be accessible, and our tensors are smaller"


def overriding(params: Params) -> str:
    """Return the tokens of machine code for a case's overrides."""
    return OVERRIDES[params.get("override", "none")]


def _vector(name: str, count: int) -> str:
    return "{" + ", ".join(f"%{name}{i}" for i in range(count)) + "}"


def _overrides(access: Access, params: Params, tensor: str) -> Params:
    """Return the qualifiers of a case's overrides, and the operands that stand beside the tensor map."""
    kind, dim = params.get("override", "none"), len(access.dims)
    if kind == "none":
        return {"override_": "", "instead_": ""}
    sizes, lower = _vector("s", dim), _vector("l", dim - 1)
    strides = "" if dim == 1 else f", {lower}, %upper"
    attribute = ".override::global_dim" + ("_stride" if dim > 1 else "")
    return {
        "override_": ".override::global_address" + (attribute if kind == "attributes" else ""),
        "instead_": f", %rd_{tensor}" + (f", {sizes}{strides}" if kind == "attributes" else ""),
    }


def fields(access: Access, params: Params, tensor: str = "src") -> Params:
    """Return what every copy through a tensor map has in its template and its instruction."""
    hint = params.get("hint", "none")
    return {
        **_overrides(access, params, tensor),
        "dim": len(access.dims),
        "coordinates": _vector("c", len(access.corner)),
        "info_": f", {_vector('i', len(access.offsets))}" if access.offsets else "",
        "hint_": "" if hint == "none" else ".L2::cache_hint",
        "policy_": "" if hint == "none" else ", %policy",
        **({} if hint == "none" else {"priority": f"L2::{hint}"}),
    }


def map_operands(access: Access, over: str, *, attributes: bool = False) -> tuple[Operand, ...]:
    """Return the tensor map, the coordinates and, where there are, the offsets of im2col, and overriding attributes."""
    info = (Buffer("info", "in", "b16", (len(access.offsets),)),) if access.offsets else ()
    instead = (Buffer("attributes", "in", "u32", (2 * len(access.dims),)),) if attributes else ()
    coords = Buffer("coords", "in", "s32", (len(access.corner),))
    return (tma_access.operand(access, "map", over), coords, *info, *instead)


def overrides_attributes(params: Params) -> bool:
    """Tell whether the case gives sizes and strides beside the tensor map."""
    return bool(params.get("override") == "attributes")


def map_inputs(access: Access) -> Arrays:
    """Return the contents of the buffers of `map_operands`."""
    words = [*access.dims, *(stride >> 4 for stride in access.strides), 0]  # no upper bits of any stride
    arrays = {"coords": np.array(access.corner), "attributes": np.array(words, dtype=np.uint32)}
    return {**arrays, "info": np.array(access.offsets, dtype=np.uint16)} if access.offsets else arrays


def source(access: Access, name: str, role: str) -> Buffer:
    """Return the buffer of the access's tensor."""
    return Buffer(name, role, f"b{access.itemsize * 8}", (access.storage,))


def before(access: Access) -> np.ndarray:
    """Return what a tensor holds before it is written: codes of which every byte is odd."""
    held = prefilled(1, -(-access.storage * access.itemsize // 4) * 4).view(access.dtype)
    return np.asarray(held[0, : access.storage])


def target(access: Access) -> int:
    """Return the byte of the window where a box lies."""
    return TO + 128 * access.line


def window(access: Access) -> int:
    """Return the bytes of the window of shared memory that shows what a load wrote, and what it did not."""
    return -(-access.nbytes // 128) * 128 + target(access) + GUARD


def store_operands(access: Accessed, params: Params) -> tuple[Operand, ...]:
    """Return the operands of a copy to global memory: the tensor, the box, and how one goes to the other."""
    where = access(params)
    box = Buffer("src", "in", f"b{where.itemsize * 8}", (where.count,))
    return (source(where, "out", "inout"), box, *map_operands(where, "out", attributes=overrides_attributes(params)))


def store_fields(access: Accessed, params: Params) -> Params:
    """Return the parts of template and instruction of a copy to global memory."""
    where = access(params)
    read = {"read": True} if params.get("wait") == "read" else {}
    return {**fields(where, params, "out"), **read, "bytes": where.nbytes}


def _ctas(params: Params) -> int:
    return int(params.get("cluster", 1))


def launch(params: Params) -> Launch:
    """Return one cluster of the case's CTAs."""
    shape = (_ctas(params), 1, 1)
    return Launch(grid=shape, block=(THREADS, 1, 1), cluster=shape)


def _mask(params: Params) -> int:
    """Return the CTAs that receive: those of the mask of a multicast, else CTA 0."""
    return int(params["mask"], 16) if "mask" in params else 1


def _paired(params: Params) -> bool:
    """Tell whether the barrier of CTA 0 gets the bytes of both CTAs of its pair. Source: PTX ISA 9.3, 9.7.9.26.5.2."""
    return params.get("group") == 2 and _mask(params) == 3


def sass(base: str, access: Access) -> str:
    """Return the opcode of an access as ptxas 13.5.37 writes it for sm_90a and sm_100a."""
    suffix = {"tile": "", "im2col": ".IM2COL", "im2col_w": ".W", "im2col_w128": ".W128"}
    four = ".SCATTER4" if base == "UTMASTG" else ".GATHER4"
    return f"{base}.{len(access.dims)}D{suffix.get(access.mode, four)}"


# Checks of what is loaded, and how machine code names them. Source: PTX ISA 9.4, 9.7.10.28.1.3; nvdisasm 13.5.37.
REPORTS = {
    # mechanism                          SASS
    "disabled": "",
    "validity::per_16bytes::80000000": ".VALIDCHK_80000000",
    "validity::per_16bytes::8000": ".VALIDCHK_XXXX8000",
    "validity::per_16bytes::80": ".VALIDCHK_XXXXXX80",
    "validity::per_16bytes::8": ".VALIDCHK_XXXXXXX8",
    "validity::per_element::ff": ".VALIDCHK_EVERY_FF",
}


def _native_load(access: Accessed, params: Params) -> tuple[str, ...]:
    pair = ".2CTA" if params.get("group") == 2 else ""
    wide = "32" if params.get("width") == "32b" else ""
    found = REPORTS[params.get("report", "disabled")] + overriding(params)
    return (sass("UTMALDG", access(params)) + (f".MULTICAST{wide}" if "mask" in params else "") + pair + found,)


def _load_fields(access: Accessed, params: Params) -> Params:
    where = access(params)
    multicast = "mask" in params
    width = f"::{params['width']}" if "width" in params else ""
    return {
        **fields(where, params),
        "space": params.get("space", "cluster"),
        "multicast_": f".multicast::cluster{width}" if multicast else "",
        "mask_": (", %members" if params.get("width") == "32b" else ", %mask") if multicast else "",
        "report_": f".mbarrier::report::{params['report']}" if "report" in params else "",
        "layout": ".layout::v1" if params.get("report", "disabled") != "disabled" else "",
        "group_": f".cta_group::{params['group']}" if params.get("group") else "",
        "bytes": where.nbytes,
        "expected": where.nbytes * (2 if _paired(params) else 1),
        "target": target(where),
        "window": window(where),
        "nan": "" if where.fill == "zero" else where.fmt,
    }


def _load_operands(access: Accessed, params: Params) -> tuple[Operand, ...]:
    where = access(params)
    waiting = (Buffer("waiting", "in", "u32", (1,)),) if _paired(params) else ()
    return (
        Buffer("out", "out", f"b{where.itemsize * 8}", (_ctas(params), window(where) // where.itemsize)),
        Buffer("status", "out", "b32", (_ctas(params),)),
        source(where, "src", "in"),
        *map_operands(where, "src", attributes=overrides_attributes(params)),
        Buffer("members", "in", "u32", (1,)),
        *waiting,
    )


def _load_inputs(access: Accessed, params: Params, rng: np.random.Generator) -> Arrays:
    where = access(params)
    masks = {"members": np.array([_mask(params)], dtype=np.uint32)}
    paired = {"waiting": np.array([1], dtype=np.uint32)} if _paired(params) else {}
    return {"src": tma_access.codes(where.fmt, where.storage), **map_inputs(where), **masks, **paired}


def _load_oracle(access: Accessed, params: Params, arrays: Arrays) -> Arrays:
    where = access(params)
    image = tma_access.loaded(where, arrays["src"])
    out = prefilled(_ctas(params), window(where))
    receivers = [cta for cta in range(_ctas(params)) if _mask(params) >> cta & 1]
    out[receivers, target(where) : target(where) + image.size] = image
    return {"out": out.view(where.dtype), "status": np.full(_ctas(params), DONE, dtype=np.uint32)}


def _store_inputs(access: Accessed, params: Params, rng: np.random.Generator) -> Arrays:
    where = access(params)
    return {"out": before(where), "src": tma_access.codes(where.fmt, where.count), **map_inputs(where)}


def _store_oracle(access: Accessed, params: Params, arrays: Arrays) -> Arrays:
    where = access(params)
    at, out = tma_access.places(where), arrays["out"].copy()
    out[at[at >= 0]] = tma_access.unswizzled(where, arrays["src"])[at >= 0]
    return {"out": out}
