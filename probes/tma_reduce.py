"""cp.reduce.async.bulk.tensor: a box of shared memory, reduced into a tensor.

PTX ISA 9.3, 9.7.9.26.5.3; PTX ISA 9.4, 9.7.10.28.5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from suite import FORMATS, Claim, Probe, rounding, rows, since, tma_access, tma_claims, tma_kernels
from suite.probe import Arrays, Params
from suite.tma_access import BITS, Access
from suite.tma_oracle import GEOMETRY, Extent, corner_of, padded_strides

# Types that each operation takes. Source: PTX ISA 9.3, 9.7.9.26.5.3, Description; a tensor map spells b32 and b64 as
# unsigned integers.
TYPES = {
    "add": ("u32", "s32", "u64", "f32", "f16", "bf16"),
    "min": ("u32", "s32", "u64", "s64", "f16", "bf16"),
    "max": ("u32", "s32", "u64", "s64", "f16", "bf16"),
    "inc": ("u32",),
    "dec": ("u32",),
    "and": ("b32", "b64"),
    "or": ("b32", "b64"),
    "xor": ("b32", "b64"),
}
SPANS = {"32B": 32, "64B": 64, "128B": 128}
WIDE, CHANGED = "im2col_no_offs::w", ("address", "attributes")
MODES = ("im2col_no_offs", WIDE)

# Batches of images: C, W, H, D and N; the first pixel, in the bounding box; and its corners, which stay in the image.
IMAGES: dict[int, tuple[Extent, Extent, Extent, Extent]] = {
    3: ((48, 13, 5), (16, 3, 1), (1,), (-2,)),
    4: ((48, 9, 7, 4), (16, 4, 3, 1), (1, 0), (-2, -1)),
    5: ((48, 5, 4, 3, 3), (16, 1, 1, 1, 0), (1, 0, 0), (-2, -1, -1)),
}


def _tile(params: Params) -> Access:
    fmt, dim, swizzle = params["type"], params.get("dim", 2), params.get("swizzle", "none")
    dims, box, _ = GEOMETRY[dim]
    if swizzle != "none":
        box = (SPANS[swizzle] * 8 // BITS[fmt], 20)
    strides, corner = padded_strides(f"b{BITS[fmt]}", dims), corner_of(dim, box, params.get("at", "inside"))
    if tma_kernels.overrides_attributes(params):
        corner = (0,) * dim
    return Access(fmt=fmt, dims=dims, strides=strides, box=box, corner=corner, swizzle=swizzle)


def _im2col(params: Params) -> Access:
    dims, corner, lower, upper = IMAGES[params["dim"]]
    return Access(
        fmt=params["type"],
        dims=dims,
        strides=padded_strides(f"b{BITS[params['type']]}", dims),
        box=(16, 24),
        corner=corner,
        mode="im2col",
        lower=lower,
        upper=upper,
    )


def _along_w(params: Params) -> Access:
    """Return the access along W alone, in rows of 64 bytes."""
    channels = 512 // BITS[params["type"]]
    usual, swizzle = _im2col(params), "64B"
    dims = (3 * channels, *usual.dims[1:])
    strides = padded_strides(f"b{BITS[params['type']]}", dims)
    corner, lower, upper = (channels, *usual.corner[1:]), usual.lower[:1], usual.upper[:1]
    return replace(
        usual,
        dims=dims,
        strides=strides,
        box=(channels, 24),
        corner=corner,
        mode="im2col_w",
        lower=lower,
        upper=upper,
        swizzle=swizzle,
    )


def _access(params: Params) -> Access:
    if params["mode"] == WIDE:
        return _along_w(params)
    return _im2col(params) if "im2col" in params["mode"] else _tile(params)


def _float(params: Params) -> bool:
    return "f" in params["type"]


def _values(params: Params, rng: np.random.Generator, count: int) -> np.ndarray:
    """Return operands: integers of every size, few of them small; or floats whose sums are rounded, none subnormal."""
    bits = BITS[params["type"]]
    if not _float(params):
        wide = rng.integers(0, 1 << bits, count, np.uint64, endpoint=False) if bits < 64 else _wide(rng, count)
        return (wide >> rng.integers(0, bits, count).astype(np.uint64)).astype(f"<u{bits // 8}")
    mantissa = FORMATS[params["type"]].mantissa
    whole = rng.integers(1 << mantissa, 2 << mantissa, count) * rng.choice([-1, 1], count)
    values = np.ldexp(whole.astype(np.float64), rng.integers(-3, 4, count) - mantissa)
    return rounding.codes_of(params["type"], values).astype(f"<u{bits // 8}")


def _wide(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.frombuffer(rng.bytes(8 * count), dtype="<u8")


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    where = _access(params)
    values = partial(_values, params, rng)
    return {"out": values(where.storage), "src": values(where.count), **tma_kernels.map_inputs(where)}


def reduced(op: str, kind: str, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return what the operation leaves, as codes: `old` is in the tensor, `new` in shared memory."""
    if "f" in kind:
        return _reduced_floats(op, kind, old, new).astype(old.dtype)
    signed = (old.view(f"<i{old.itemsize}"), new.view(f"<i{old.itemsize}")) if kind.startswith("s") else (old, new)
    one, zero = old.dtype.type(1), old.dtype.type(0)
    results: dict[str, Callable[[], np.ndarray]] = {
        "add": lambda: old + new,
        "min": lambda: np.minimum(*signed),
        "max": lambda: np.maximum(*signed),
        "inc": lambda: np.where(old >= new, zero, old + one),
        "dec": lambda: np.where((old == 0) | (old > new), new, old - one),
        "and": lambda: old & new,
        "or": lambda: old | new,
        "xor": lambda: old ^ new,
    }
    return results[op]().view(old.dtype)


def _reduced_floats(op: str, kind: str, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    a, b = rounding.values_of(kind, old.astype(np.uint64)), rounding.values_of(kind, new.astype(np.uint64))
    if op == "add":
        return rounding.codes_of(kind, rounding.round_to(kind, rounding.add(a, b)))
    return rounding.codes_of(kind, {"min": np.minimum, "max": np.maximum}[op](a, b))


def _oracle(params: Params, arrays: Arrays) -> Arrays:
    where = _access(params)
    at, out = tma_access.places(where), arrays["out"].copy()
    source = tma_access.unswizzled(where, arrays["src"])[at >= 0]
    out[at[at >= 0]] = reduced(params["op"], params["type"], out[at[at >= 0]], source)
    return {"out": out}


def _claim(params: Params) -> Claim:
    if "override" in params or params["mode"] == WIDE:
        return tma_claims.rubin(tma_claims.NEW_REDUCE)
    return since("sm_90", ptx="8.0", section=tma_claims.REDUCE)


def _native(params: Params) -> tuple[str, ...]:
    im2col = {WIDE: ".W", "im2col_no_offs": ".IM2COL"}.get(params["mode"], "")
    return (f"UTMAREDG.{params.get('dim', 2)}D{im2col}.{params['op'].upper()}{tma_kernels.overriding(params)}",)


def _fields(params: Params) -> Params:
    return {
        **tma_kernels.store_fields(_access, params),
        "mode_": "" if params["mode"] == "none" else f".{params['mode']}",
    }


def _reduce(form: str, table: tuple[Params, ...], unlaunched: str = "") -> Probe:
    return Probe(
        form=form,
        opcode="cp.reduce.async.bulk.tensor.{dim}d.global.shared::cta.{op}{mode_}.bulk_group{hint_}{override_}",
        arguments="[%map{instead_}, {coordinates}], [%base]{policy_}",
        rows=table,
        claim=_claim,
        template="tma_store.ptx.j2",
        native=_native,
        operands=partial(tma_kernels.store_operands, _access),
        inputs=_inputs,
        oracle=_oracle,
        launch=tma_kernels.launch,
        fields=_fields,
        unlaunched=unlaunched,
    )


PAIRS = tuple((op, kind) for op, kinds in TYPES.items() for kind in kinds)
WIDTHS = (("add", "u32"), ("max", "f16"), ("xor", "b64"))
FIRSTS = tuple((op, kinds[0]) for op, kinds in TYPES.items())

PROBES = (
    _reduce("tile", rows("op type mode at", *((*pair, "tile", at) for pair in PAIRS for at in ("inside", "high")))),
    _reduce("ranks", rows("op type dim mode", *((*p, dim, "tile") for p in FIRSTS for dim in (1, 3, 4, 5)))),
    _reduce("unspelled", rows("op type dim mode", *((*pair, dim, "none") for pair in FIRSTS for dim in GEOMETRY))),
    _reduce("hint", rows("op type dim mode hint", *((*p, d, "tile", "evict_last") for p in FIRSTS for d in GEOMETRY))),
    _reduce("swizzle", rows("op type mode swizzle", *((*pair, "tile", s) for pair in WIDTHS for s in SPANS))),
    _reduce("im2col", rows("op type dim mode", *((*pair, dim, "im2col_no_offs") for pair in PAIRS for dim in IMAGES))),
    _reduce(
        "im2col_hint",
        rows("op type dim mode hint", *((*p, d, "im2col_no_offs", "evict_last") for p in FIRSTS for d in IMAGES)),
    ),
    _reduce("im2col_w", rows("op type dim mode", *((*pair, dim, WIDE) for pair in FIRSTS for dim in IMAGES))),
    _reduce(
        "override",
        rows("op type dim mode override", *((*FIRSTS[0], d, "tile", how) for d in GEOMETRY for how in CHANGED))
        + rows("op type dim mode override", *((*pair, 2, "tile", "address") for pair in FIRSTS[1:])),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _reduce(
        "override_hint",
        rows("op type dim mode override hint", *((*FIRSTS[0], 2, "tile", how, "evict_last") for how in CHANGED)),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _reduce(
        "im2col_override",
        rows("op type dim mode override", *((*FIRSTS[0], dim, mode, "address") for dim in IMAGES for mode in MODES)),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _reduce("im2col_w_hint", rows("op type dim mode hint", *((*p, 4, WIDE, "evict_last") for p in FIRSTS))),
    _reduce("read", rows("op type mode wait", ("add", "u32", "tile", "read"))),
)
