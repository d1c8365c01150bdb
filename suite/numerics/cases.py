"""How the cases of each family are fed with any codes: their operation, and the way from its arrays to the kernel's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suite import mma, mma_sp, wgmma_mma, wmma
from suite import tcgen05_mma as tcgen05_products
from suite.formats import FORMATS
from suite.numerics.operation import Arrays, Numeric, Operation
from suite.probe import Params
from suite.tcgen05_forms import Form
from suite.wgmma import granularity

QUAD = 4  # products of one mma.m8n8k4.f16, and K of each


def _operation(
    params: Params, types: tuple[str, str, str, str], mnk: tuple[int, int, int], width: int = 0
) -> Operation:
    """Return the operation of D, A, B and C's `types`, with what the parameters say of scales and rounding."""
    d, a, b, c = types
    rounding = params.get("round", params.get("rnd", "default"))
    return Operation(
        a,
        b,
        c,
        d,
        *mnk,
        width=width,
        scale=params.get("s", ""),
        blocks=int(mma.scale_vec(params)[0]) if "s" in params else 0,
        satfinite=params.get("satfinite") == "yes",
        bits=params["op"] if a == "b1" else "",
        rounding="rn" if rounding == "default" else rounding,
    )


def warp(params: Params) -> Numeric:
    """Return that of a dense mma.sync."""
    types = mma.formats(params) if "a" in params else ("s32", "b1", "b1", "s32")
    return Numeric(_operation(params, types, mma.mnk(params)))


def quad(params: Params) -> Numeric:
    """Return that of mma.m8n8k4.f16: four products, stacked by rows."""
    op = _operation(params, (params["d"], "f16", "f16", params["c"]), (8, 8, QUAD))

    def arrange(arrays: Arrays) -> Arrays:
        return {name: x.reshape(-1, QUAD * x.shape[1], x.shape[2]) for name, x in arrays.items()}

    return Numeric(op, arrange, stack=QUAD)


def sparse_warp(params: Params) -> Numeric:
    """Return that of mma.sp: A by its kept elements, random legal metadata in all lanes."""
    m, n, k = mma.mnk(params)
    op = _operation(params, mma.formats(params), (m, n, k // 2), width=k)

    def positions(rng: np.random.Generator, trials: int) -> Arrays:
        e = rng.choice(np.array(mma_sp.codes(params)), (trials, 16, 16))
        return {"e": e, "at": mma_sp.columns(mma_sp.chosen(params, e), mma_sp.chunk(params))}

    return Numeric(op, positions=positions)


def whole_warp(params: Params) -> Numeric:
    """Return that of wmma.mma between its loads and store."""
    whole = wmma.plan(params)
    op = _operation(params, (whole["d"], whole["a"], whole["b"], whole["c"]), mma.mnk(params))
    return Numeric(op, lambda arrays: {**arrays, "knobs": np.zeros(2, dtype=np.uint32)})


def warpgroup(case: wgmma_mma.Product) -> Numeric:
    """Return that of wgmma.mma_async, dense or sparse; what it negates is negated for the model, too."""
    clamp = case.satfinite == "yes"
    width = case.k if case.sparse else 0
    bits = "and" if case.a == "b1" else ""
    op = Operation(case.a, case.b, case.d, case.d, wgmma_mma.M, case.n, case.kept, width, satfinite=clamp, bits=bits)

    def arrange(arrays: Arrays) -> Arrays:
        flags = np.ones(arrays["c"].shape[0], dtype=np.uint64)
        return {**arrays, "b": arrays["b"].swapaxes(1, 2), "flags": flags, "plan": wgmma_mma.plan(case)}

    def positions(rng: np.random.Generator, trials: int) -> Arrays:
        kept, of = granularity(case.bits)
        e = wgmma_mma.random_positions(case, rng, trials)
        return {"e": e, "at": np.arange(case.kept) // kept * of + e}

    return Numeric(
        op, arrange, positions if case.sparse else None, _seen(case.a, case.b, case.negate.replace("none", ""))
    )


def _seen(a: str, b: str, negated: str) -> Callable[[Arrays], Arrays]:
    """Return the function that turns the signs of A and B as imm-scale-a and -b do, and sets the bits that are ignored.

    `a` and `b` are their formats. The kernel's operands set those (the low 13 of tf32) themselves.
    """
    ignored = {side: np.uint64((1 << FORMATS[fmt].padding) - 1) for side, fmt in (("a", a), ("b", b))}
    signs = {side: np.uint64(1 << (FORMATS[fmt].bits - 1)) for side, fmt in (("a", a), ("b", b))}

    def seen(arrays: Arrays) -> Arrays:
        whole = {side: arrays[side] | ignored[side] for side in "ab"}
        return {**arrays, **whole, **{side: whole[side] ^ signs[side] for side in negated}}

    return seen


def tcgen05(case: tcgen05_products.Product) -> Numeric:
    """Return that of tcgen05.mma on one CTA or a pair."""
    d, a, b = case.types
    op = Operation(a, b, d, d, *case.mnk)

    def arrange(arrays: Arrays) -> Arrays:
        flags = np.ones(arrays["c"].shape[0], dtype=np.uint64)
        return {**arrays, "b": arrays["b"].swapaxes(1, 2), "flags": flags}

    return Numeric(op, arrange)


def tcgen05_form(form: Form) -> Numeric:
    """Return that of any dense tcgen05.mma without masks, with scales or without."""
    d, a, b = form.types
    blocks = form.blocks if form.scale else 0
    op = Operation(a, b, d, d, form.m, form.n, form.k, scale=form.scale, blocks=blocks, satfinite=form.saturate)

    def arrange(arrays: Arrays) -> Arrays:
        flags = np.ones(arrays["c"].shape[0], dtype=np.uint64)
        return {**arrays, "b": arrays["b"].swapaxes(1, 2), "flags": flags}

    return Numeric(op, arrange, seen=_seen(a, b, form.negate))
