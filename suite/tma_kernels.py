"""Probes of loads, stores and reductions through a tensor map: operands, inputs and oracles from an `Access`.

Parameters that these functions know, beside those from which a family makes its access: `space` (of a load's
destination, else `cluster`), `cluster` (CTAs), `mask` (of a multicast), `group` (of `.cta_group`), `hint` (a cache
eviction priority, `none`) and `wait` (`all` or `read`). CTA 0 issues.
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
    opcode = "cp.async.bulk.tensor.{dim}d.shared::{space}.global" + mode + ".mbarrier::complete_tx::bytes"
    return Probe(
        form=form,
        opcode=opcode + "{multicast_}{group_}{hint_}",
        arguments="[%dst], [%map, {coordinates}], [%mbar]{info_}{mask_}{policy_}",
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
        opcode="cp.async.bulk.tensor.{dim}d.global.shared::cta" + mode + ".bulk_group{hint_}",
        arguments="[%map, {coordinates}], [%base]{policy_}",
        rows=table,
        claim=claim,
        template="tma_store.ptx.j2",
        native=lambda params: (sass("UTMASTG", access(params)),),
        operands=partial(store_operands, access),
        inputs=partial(_store_inputs, access),
        oracle=partial(_store_oracle, access),
        launch=launch,
        fields=partial(store_fields, access),
    )


def fields(access: Access, params: Params) -> Params:
    """Return what every copy through a tensor map has in its template and its instruction."""
    hint = params.get("hint", "none")
    return {
        "dim": len(access.dims),
        "coordinates": "{" + ", ".join(f"%c{i}" for i in range(len(access.corner))) + "}",
        "info_": ", {" + ", ".join(f"%i{i}" for i in range(len(access.offsets))) + "}" if access.offsets else "",
        "hint_": "" if hint == "none" else ".L2::cache_hint",
        "policy_": "" if hint == "none" else ", %policy",
        **({} if hint == "none" else {"priority": f"L2::{hint}"}),
    }


def map_operands(access: Access, over: str) -> tuple[Operand, ...]:
    """Return the tensor map, the coordinates and, where there are, the offsets of im2col."""
    info = (Buffer("info", "in", "b16", (len(access.offsets),)),) if access.offsets else ()
    return (tma_access.operand(access, "map", over), Buffer("coords", "in", "s32", (len(access.corner),)), *info)


def map_inputs(access: Access) -> Arrays:
    """Return the contents of the buffers of `map_operands`."""
    arrays = {"coords": np.array(access.corner)}
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
    return (source(where, "out", "inout"), box, *map_operands(where, "out"))


def store_fields(access: Accessed, params: Params) -> Params:
    """Return the parts of template and instruction of a copy to global memory."""
    where = access(params)
    read = {"read": True} if params.get("wait") == "read" else {}
    return {**fields(where, params), **read, "bytes": where.nbytes}


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


def _native_load(access: Accessed, params: Params) -> tuple[str, ...]:
    pair = ".2CTA" if params.get("group") == 2 else ""
    return (sass("UTMALDG", access(params)) + (".MULTICAST" if "mask" in params else "") + pair,)


def _load_fields(access: Accessed, params: Params) -> Params:
    where = access(params)
    multicast = "mask" in params
    return {
        **fields(where, params),
        "space": params.get("space", "cluster"),
        "multicast_": ".multicast::cluster" if multicast else "",
        "mask_": ", %mask" if multicast else "",
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
        *map_operands(where, "src"),
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
