"""tensormap.replace and tensormap.cp_fenceproxy: a map whose changed field a load shows.

The host encodes a map that differs from what is wanted in one field; the kernel replaces that field and loads through
the map. Sources: PTX ISA 9.3, 9.7.9.27 and 9.7.14.17.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, family, only, product, rows, since, tma_access, tma_kernels
from suite.opcodes import NONE
from suite.probe import Arrays, Params
from suite.tma_access import BITS, Access
from suite.tma_oracle import DONE, GEOMETRY, corner_of, padded_strides, prefilled

REPLACE, PUBLISH = "9.7.9.27", "9.7.14.17"

# No opcode: ptxas 13.5.37 changes maps by plain loads and stores, and publishes them by exchanges.
UNIT = NONE

# Values of the fields that take an immediate. Source: PTX ISA 9.3, 9.7.9.27, Table 33.
ELEMTYPES = ("u8", "u16", "u32", "s32", "u64", "s64", "f16", "f32", "f32_ftz", "f64", "bf16", "tf32", "tf32_ftz")
INTERLEAVES = ("none", "16B", "32B")
SWIZZLES = ("none", "32B", "64B", "128B")
ATOMS = ("128B", "128B_atom_32B", "128B_atom_32B_flip_8B", "128B_atom_64B")
FILLS = ("zero", "nan")

SPANS = {"none": 128, "32B": 32, "64B": 64} | dict.fromkeys(ATOMS, 128)  # bytes of a box's rows, by the swizzle wanted


def _box(dim: int, fmt: str = "f16", at: str = "inside") -> Access:
    dims, box, _ = GEOMETRY[dim]
    return Access(fmt, dims, padded_strides(f"b{BITS[fmt]}", dims), box, corner_of(dim, box, at))


def _put(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])


# Each returns the access wanted, the one that the host encodes, and the new value where that is a register's.
Change = tuple[Access, Access, int]


def _address(params: Params) -> Change:
    return _box(2), _box(2), 0


def _rank(params: Params) -> Change:
    """Return a matrix, encoded as one slice of a tensor of the next rank; the field counts from 0."""
    dim = int(params["dim"])
    wanted = _box(dim)
    further = wanted.strides[-1] * wanted.dims[-1] if wanted.strides else wanted.dims[0] * wanted.itemsize
    old = replace(wanted, dims=(*wanted.dims, 1), strides=(*wanted.strides, further), box=(*wanted.box, 1))
    return wanted, old, dim - 1


def _box_dim(params: Params) -> Change:
    wanted, at = _box(5), params["ord"]
    less = wanted.box[at] - (8 if at == 0 else 1)
    return wanted, replace(wanted, box=_put(wanted.box, at, less)), wanted.box[at]


def _global_dim(params: Params) -> Change:
    """Return a box over all high edges, whose map puts one edge further out."""
    wanted, at = _box(5, at="high"), params["ord"]
    return wanted, replace(wanted, dims=_put(wanted.dims, at, wanted.dims[at] + 8)), wanted.dims[at]


def _global_stride(params: Params) -> Change:
    wanted, at = _box(5), params["ord"]
    return wanted, replace(wanted, strides=_put(wanted.strides, at, wanted.strides[at] + 16)), wanted.strides[at]


def _element_stride(params: Params) -> Change:
    old, at = _box(5), params["ord"]
    wanted = replace(old, steps=_put((1,) * 5, at, 2))
    return wanted, replace(old, steps=(1,) * 5), 2


def _elemtype(params: Params) -> Change:
    """Return a type, encoded as one of another size with the strides of the widest."""
    fmt = ELEMTYPES[params["value"]]
    dims, box, corner = (48, 9), (16, 4), (16, 3)
    wanted = Access(fmt, dims, (48 * 8 + 16,), box, corner)
    return wanted, replace(wanted, fmt="u16" if BITS[fmt] == 8 else "u8"), 0


def _interleave(params: Params) -> Change:
    wanted = replace(_box(3), box=(8, 4, 3))
    return wanted, replace(wanted, interleave="16B"), 0


def _swizzled(mode: str, encoded: str) -> Change:
    dims, box = GEOMETRY[2][0], (SPANS[mode] // 2, 20)
    wanted = Access("f16", dims, padded_strides("b16", dims), box, corner_of(2, box, "inside"), swizzle=mode)
    return wanted, replace(wanted, swizzle=encoded), 0


def _swizzle(params: Params) -> Change:
    mode = SWIZZLES[params["value"]]
    return _swizzled(mode, "none" if mode != "none" else "128B")


def _atom(params: Params) -> Change:
    mode = ATOMS[params["value"]]
    return _swizzled(mode, "128B" if mode != "128B" else "128B_atom_32B")


def _fill(params: Params) -> Change:
    wanted = replace(_box(2, params["fmt"], "high"), fill=FILLS[params["value"]])
    return wanted, replace(wanted, fill=FILLS[1 - params["value"]]), 0


def _nothing(params: Params) -> Change:
    return _box(params["dim"]), _box(params["dim"]), 0


def _operands(change: Callable[[Params], Change], params: Params) -> tuple[Operand, ...]:
    wanted, encoded, _ = change(params)
    elements = tma_kernels.window(wanted) // wanted.itemsize
    decoy = (Buffer("decoy", "in", "b8", (wanted.storage * wanted.itemsize,)),) if change is _address else ()
    return (
        Buffer("out", "out", f"b{wanted.itemsize * 8}", (1, elements)),
        Buffer("status", "out", "b32", (1,)),
        tma_kernels.source(wanted, "src", "in"),
        *decoy,
        tma_access.operand(encoded, "map", "decoy" if decoy else "src"),
        Buffer("coords", "in", "s32", (len(wanted.corner),)),
        Buffer("value", "in", "b64", (1,)),
    )


def _inputs(change: Callable[[Params], Change], params: Params, rng: np.random.Generator) -> Arrays:
    wanted, _, value = change(params)
    count = wanted.storage * wanted.itemsize
    decoy = {"decoy": np.full(count, 0xEE, dtype=np.uint8)} if change is _address else {}
    return {
        "src": tma_access.codes(wanted.fmt, wanted.storage),
        **decoy,
        "coords": np.array(wanted.corner),
        "value": np.array([value], dtype=np.uint64),
    }


def _oracle(change: Callable[[Params], Change], params: Params, arrays: Arrays) -> Arrays:
    wanted = change(params)[0]
    image = tma_access.loaded(wanted, arrays["src"])
    out = prefilled(1, tma_kernels.window(wanted))
    out[0, tma_kernels.TO : tma_kernels.TO + image.size] = image
    return {"out": out.view(wanted.dtype), "status": np.array([DONE], dtype=np.uint32)}


def _fields(change: Callable[[Params], Change], params: Params) -> Params:
    wanted = change(params)[0]
    place = params.get("place", "shared::cta")
    generic = params.get("generic", "no") == "yes"
    return {
        **tma_kernels.fields(wanted, {}),
        "bytes": wanted.nbytes,
        "target": tma_kernels.TO,
        "window": tma_kernels.window(wanted),
        "nan": wanted.fmt if wanted.fill == "nan" else "",
        "place": place,
        "replaces": "place" in params,
        "address": change is _address,
        "scope": params.get("scope", "gpu"),
        "space_": "" if generic else f".{place}",
        "where": "%generic" if generic else "%map" if place == "global" else "%draft",
    }


def _probe(
    form: str, opcode: str, arguments: str, change: Callable[[Params], Change], table: tuple[Params, ...]
) -> Probe:
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        claim=_claim,
        template="tensormap.ptx.j2",
        native=lambda params: UNIT,
        operands=lambda params: _operands(change, params),
        inputs=lambda params, rng: _inputs(change, params, rng),
        oracle=lambda params, arrays: _oracle(change, params, arrays),
        launch=lambda params: Launch(block=(32, 1, 1)),
        fields=lambda params: _fields(change, params),
    )


# What the manual's notes give besides tensormap.replace itself, by the value from which on they do.
LATER = {"elemtype": 13, "swizzle_mode": 4, "swizzle_atomicity": 0}


def _claim(params: Params) -> Claim:
    """Return what the notes say of the field and value; sm_100a and sm_120a exist from PTX ISA 8.6 and 8.7 on."""
    if "field" not in params:
        return since("sm_90", ptx="8.3", section=PUBLISH)
    special = params.get("value", -1) >= LATER.get(params["field"], 16)
    if special and params["field"] == "swizzle_mode":
        return only("sm_103a", ptx="8.8", section=REPLACE)
    oldest = "8.7" if special and params["field"] == "elemtype" else "8.6"
    later = (
        only("sm_100a", ptx=oldest, section=REPLACE)
        | only("sm_120a", ptx="8.7", section=REPLACE)
        | family("sm_100f", "sm_120f", ptx="8.8", section=REPLACE)
        | family("sm_110f", ptx="9.0", section=REPLACE)
    )
    return later if special else later | only("sm_90a", ptx="8.3", section=REPLACE)


def _replaced(
    form: str, bits: int, change: Callable[[Params], Change], table: tuple[Params, ...], middle: str = ""
) -> Probe:
    """Return a probe of one field; `middle` is the ordinal or the immediate, with what goes before or after."""
    value = "" if "{value}" in middle else ", %wide" if bits == 64 else ", %narrow"
    opcode = f"tensormap.replace.tile.{{field}}{{space_}}.b1024.b{bits}"
    return _probe(form, opcode, "[{where}]" + middle + value, change, table)


PLACES = {"place": ("shared::cta", "global"), "generic": ("no", "yes")}


def _field(name: str, **columns: tuple[object, ...]) -> tuple[Params, ...]:
    return product(field=(name,), **PLACES, **columns)


ORD, VALUE = ", {ord}", ", {value}"
UNKNOWN = "the manual does not say what the strides of an interleaved tensor mean"

PROBES = (
    _replaced("global_address", 64, _address, _field("global_address")),
    _replaced("rank", 32, _rank, _field("rank", dim=(1, 2, 3, 4))),
    _replaced("box_dim", 32, _box_dim, _field("box_dim", ord=(0, 1, 2, 3, 4)), ORD),
    _replaced("global_dim", 32, _global_dim, _field("global_dim", ord=(0, 1, 2, 3, 4)), ORD),
    _replaced("global_stride", 64, _global_stride, _field("global_stride", ord=(0, 1, 2, 3)), ORD),
    _replaced("element_stride", 32, _element_stride, _field("element_stride", ord=(1, 2, 3, 4)), ORD),
    _replaced("elemtype", 32, _elemtype, _field("elemtype", value=tuple(range(len(ELEMTYPES)))), VALUE),
    replace(
        _replaced("elemtype_packed", 32, _nothing, _field("elemtype", dim=(2,), value=(13, 14, 15)), VALUE),
        unlaunched="the boxes of packed 4-bit and 6-bit types are not those of this kernel",
    ),
    _replaced("interleave_none", 32, _interleave, _field("interleave_layout", value=(0,)), VALUE),
    replace(
        _replaced("interleave", 32, _nothing, _field("interleave_layout", dim=(3,), value=(1, 2)), VALUE),
        unlaunched=UNKNOWN,
    ),
    _replaced("swizzle", 32, _swizzle, _field("swizzle_mode", value=(0, 1, 2, 3)), VALUE),
    replace(
        _replaced("swizzle_96B", 32, _nothing, _field("swizzle_mode", dim=(2,), value=(4,)), VALUE),
        unlaunched="no host API encodes a map with rows of 96 bytes to hold the replaced one against",
    ),
    _replaced("atomicity", 32, _atom, _field("swizzle_atomicity", value=(0, 1, 2, 3)), VALUE),
    _replaced("fill", 32, _fill, _field("fill_mode", value=(0, 1), fmt=("f16", "f32")), VALUE),
    _probe(
        "cp_fenceproxy",
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.{scope}.sync.aligned",
        "[%map], [%draft], 128",
        _nothing,
        rows("dim scope", *((dim, scope) for dim in (1, 2, 5) for scope in ("cta", "cluster", "gpu", "sys"))),
    ),
)
