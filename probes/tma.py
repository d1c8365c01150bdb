"""cp.async.bulk and cp.async.bulk.tensor: copies of the tensor memory accelerator, between global and shared memory.

Sources: PTX ISA 9.3, 9.7.9.26.4.1 (bulk) and 9.7.9.26.5.2 (tensor). `.multicast::cluster` is only advised for some
targets, not restricted to them; how a target realizes it is the realization's to say.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, TensorMap, family, only, rows, since
from suite.probe import Arrays, Params
from suite.tma_oracle import (
    DONE,
    GEOMETRY,
    SPAN,
    Extent,
    bounding_box,
    box_of,
    corner_of,
    distinct,
    element,
    even_bytes,
    itemsize,
    padded_strides,
    prefilled,
    storage,
    store_box,
    swizzled,
    tensor,
    volume,
)

BULK, TENSOR = "9.7.9.26.4.1", "9.7.9.26.5.2"
THREADS = 64
MBARRIER = "mbarrier::complete_tx::bytes"
BULK_FROM, BULK_TO = 48, 144  # offsets in bytes of a bulk copy: multiples of 16, and no two alike
TENSOR_TO = 1024  # where a box lies in shared memory: a boundary of every swizzle pattern
GUARD = 112  # bytes of a window after the copy

# The `native` opcodes below are those that ptxas 13.0.88 (sm_90a) and 13.5.37 (sm_90, 90a, 100a) write, by nvdisasm.
# On sm_120a and 121a a copy to `.shared::cluster` is a plain one beside a call, between which the kernel chooses.


def _since_hopper(section: str, params: Params) -> Claim:
    """Claim sm_90 and later; `.shared::cta` as destination came with PTX ISA 8.6."""
    return since("sm_90", ptx="8.6" if params.get("space") == "cta" else "8.0", section=section)


def _cta_group_claim(params: Params) -> Claim:
    """Claim the architectures of `.cta_group`; those of 11.0 bear that name from PTX ISA 9.0 on, sm_101 before."""
    return (
        only("sm_100a", ptx="8.6", section=TENSOR)
        | family("sm_100f", ptx="8.8", section=TENSOR)
        | family("sm_110f", ptx="9.0", section=TENSOR)
    )


def _ctas(params: Params) -> int:
    return int(params.get("cluster", 1))


def _launch(params: Params) -> Launch:
    shape = (_ctas(params), 1, 1)
    return Launch(grid=shape, block=(THREADS, 1, 1), cluster=shape)


def _mask(params: Params) -> int:
    """Return the CTAs that receive: those of the mask of a multicast, else CTA 0."""
    return int(params["mask"], 16) if "mask" in params else 1


def _receivers(params: Params) -> list[int]:
    return [cta for cta in range(_ctas(params)) if _mask(params) >> cta & 1]


def _window_outputs(params: Params, fmt: str, window: int) -> tuple[Operand, ...]:
    shape = (_ctas(params), window // itemsize(fmt))
    return (Buffer("out", "out", fmt, shape), Buffer("status", "out", "b32", (_ctas(params),)))


def _done(params: Params) -> np.ndarray:
    return np.full(_ctas(params), DONE, dtype=np.uint32)


def _bulk_window(params: Params) -> int:
    return BULK_TO + int(params["bytes"]) + GUARD


def _bulk_load_operands(params: Params) -> tuple[Operand, ...]:
    return (
        *_window_outputs(params, "b8", _bulk_window(params)),
        Buffer("src", "in", "b8", (BULK_FROM + params["bytes"] + GUARD,)),
        Buffer("members", "in", "u32", (1,)),
    )


def _bulk_load_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    source = even_bytes(BULK_FROM + params["bytes"] + GUARD)
    return {"src": source, "members": np.array([_mask(params)], dtype=np.uint32)}


def _bulk_load_oracle(params: Params, arrays: Arrays) -> Arrays:
    size = params["bytes"]
    out = prefilled(_ctas(params), _bulk_window(params))
    out[_receivers(params), BULK_TO : BULK_TO + size] = arrays["src"][BULK_FROM : BULK_FROM + size]
    return {"out": out, "status": _done(params)}


def _bulk_fields(params: Params) -> Params:
    return {"source": BULK_FROM, "target": BULK_TO, "window": _bulk_window(params)}


def _bulk_load(form: str, opcode: str, arguments: str, native: str, table: tuple[Params, ...]) -> Probe:
    return Probe(
        form=form,
        opcode=opcode,
        arguments=arguments,
        rows=table,
        claim=partial(_since_hopper, BULK),
        template="tma_load.ptx.j2",
        native=lambda params: (native,),
        operands=_bulk_load_operands,
        inputs=_bulk_load_inputs,
        oracle=_bulk_load_oracle,
        launch=_launch,
        fields=_bulk_fields,
    )


def _bulk_store_operands(params: Params) -> tuple[Operand, ...]:
    return (Buffer("out", "inout", "b8", (_bulk_window(params),)), Buffer("src", "in", "b8", (params["bytes"],)))


def _bulk_store_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {"out": prefilled(1, _bulk_window(params))[0], "src": even_bytes(params["bytes"])}


def _bulk_store_oracle(params: Params, arrays: Arrays) -> Arrays:
    out = arrays["out"].copy()
    out[BULK_TO : BULK_TO + params["bytes"]] = arrays["src"]
    return {"out": out}


BULK_STORE = Probe(
    form="bulk_store",
    opcode="cp.async.bulk.global.shared::cta.bulk_group",
    arguments="[%to], [%base], {bytes}",
    rows=rows("bytes", (16,), (272,), (8192,)),
    claim=partial(_since_hopper, BULK),
    template="tma_store.ptx.j2",
    native=lambda params: ("UBLKCP.G.S",),
    operands=_bulk_store_operands,
    inputs=_bulk_store_inputs,
    oracle=_bulk_store_oracle,
    launch=_launch,
    fields=_bulk_fields,
)


def _exchange_fields(params: Params) -> Params:
    size = params["bytes"]
    return {"cluster": 2, "source": BULK_FROM, "target": BULK_TO + size, "window": BULK_TO + 2 * size + GUARD}


def _exchange_oracle(params: Params, arrays: Arrays) -> Arrays:
    size, fields = params["bytes"], _exchange_fields(params)
    before = prefilled(2, fields["window"])
    out = before.copy()
    out[:, fields["target"] : fields["target"] + size] = before[::-1, BULK_FROM : BULK_FROM + size]
    return {"out": out, "status": _done(fields)}


EXCHANGE = Probe(
    form="bulk_exchange",
    opcode="cp.async.bulk.shared::cluster.shared::cta." + MBARRIER,
    arguments="[%dst], [%src], {bytes}, [%remote]",
    rows=rows("bytes", (16,), (272,), (4096,)),
    claim=partial(_since_hopper, BULK),
    template="tma_exchange.ptx.j2",
    native=lambda params: ("UBLKCP.S.S",),
    operands=lambda params: _window_outputs({"cluster": 2}, "b8", _exchange_fields(params)["window"]),
    inputs=lambda params, rng: {},
    oracle=_exchange_oracle,
    launch=lambda params: _launch({"cluster": 2}),
    fields=_exchange_fields,
)


def _fmt(params: Params) -> str:
    return str(params.get("fmt", "f16"))


def _box(params: Params) -> Extent:
    return box_of(params["dim"], _fmt(params), params.get("swizzle", "none"))


def _corner(params: Params) -> Extent:
    return corner_of(params["dim"], _box(params), params.get("at", "inside"))


def _box_bytes(params: Params) -> int:
    return volume(_box(params)) * itemsize(_fmt(params))


def _tensor_window(params: Params) -> int:
    return -(-_box_bytes(params) // 128) * 128 + TENSOR_TO + GUARD


def _layout(params: Params) -> tuple[Extent, Extent, int]:
    """Return the tensor's extents, its strides in bytes, and the elements of its buffer."""
    dims = GEOMETRY[params["dim"]][0]
    strides = padded_strides(_fmt(params), dims)
    return dims, strides, storage(_fmt(params), dims, strides)


def _map(params: Params, over: str) -> TensorMap:
    dims, strides, _ = _layout(params)
    return TensorMap(
        name="map",
        role="in",
        fmt=_fmt(params),
        shape=dims[::-1],
        over=over,
        dims=dims,
        strides=strides,
        box=_box(params),
        element_strides=(1,) * len(dims),
        swizzle=params.get("swizzle", "none"),
    )


def _tensor_fields(params: Params) -> Params:
    return {
        "dim": params["dim"],
        "coordinates": "{" + ", ".join(f"%c{i}" for i in range(params["dim"])) + "}",
        "bytes": _box_bytes(params),
        "target": TENSOR_TO,
        "window": _tensor_window(params),
    }


def _corner_operand(params: Params) -> Buffer:
    return Buffer("coords", "in", "s32", (params["dim"],))


def _tensor_load_operands(params: Params) -> tuple[Operand, ...]:
    return (
        *_window_outputs(params, _fmt(params), _tensor_window(params)),
        Buffer("src", "in", _fmt(params), (_layout(params)[2],)),
        _map(params, "src"),
        _corner_operand(params),
        Buffer("members", "in", "u32", (1,)),
    )


def _tensor_load_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    return {
        "src": distinct(_fmt(params), _layout(params)[2]),
        "coords": np.array(_corner(params)),
        "members": np.array([_mask(params)], dtype=np.uint32),
    }


def _tensor_load_oracle(params: Params, arrays: Arrays) -> Arrays:
    dims, strides, _ = _layout(params)
    box = bounding_box(tensor(arrays["src"], dims, strides), _corner(params), _box(params))
    image = swizzled(np.ascontiguousarray(box).reshape(-1).view(np.uint8), params.get("swizzle", "none"))
    out = prefilled(_ctas(params), _tensor_window(params))
    out[_receivers(params), TENSOR_TO : TENSOR_TO + image.size] = image
    return {"out": out.view(element(_fmt(params))), "status": _done(params)}


def _tensor_store_operands(params: Params) -> tuple[Operand, ...]:
    return (
        Buffer("out", "inout", _fmt(params), (_layout(params)[2],)),
        Buffer("src", "in", _fmt(params), (volume(_box(params)),)),
        _map(params, "out"),
        _corner_operand(params),
    )


def _tensor_store_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    before = prefilled(1, _layout(params)[2] * itemsize(_fmt(params)))[0]
    return {
        "out": before.view(element(_fmt(params))),
        "src": distinct(_fmt(params), volume(_box(params))),
        "coords": np.array(_corner(params)),
    }


def _tensor_store_oracle(params: Params, arrays: Arrays) -> Arrays:
    dims, strides, _ = _layout(params)
    linear = swizzled(arrays["src"].view(np.uint8), params.get("swizzle", "none"))
    out = arrays["out"].copy()
    store_box(tensor(out, dims, strides), _corner(params), linear.view(out.dtype).reshape(_box(params)[::-1]))
    return {"out": out}


def _tensor_load(form: str, extra: str, arguments: str, native: str, table: tuple[Params, ...]) -> Probe:
    """Return a probe of tensor loads; `extra` follows the completion mechanism, `arguments` the barrier.

    `native` is what the SASS opcode has after its rank.
    """
    space = "{space}" if "space" in table[0] else "cluster"
    return Probe(
        form=form,
        opcode=f"cp.async.bulk.tensor.{{dim}}d.shared::{space}.global.tile.{MBARRIER}{extra}",
        arguments="[%dst], [%map, {coordinates}], [%mbar]" + arguments,
        rows=table,
        claim=_cta_group_claim if "group" in table[0] else partial(_since_hopper, TENSOR),
        template="tma_load.ptx.j2",
        native=lambda params: (f"UTMALDG.{params['dim']}D{native}" + (".2CTA" if params.get("group") == 2 else ""),),
        operands=_tensor_load_operands,
        inputs=_tensor_load_inputs,
        oracle=_tensor_load_oracle,
        launch=_launch,
        fields=_tensor_fields,
    )


TENSOR_STORE = Probe(
    form="tensor_store",
    opcode="cp.async.bulk.tensor.{dim}d.global.shared::cta.tile.bulk_group",
    arguments="[%map, {coordinates}], [%base]",
    rows=rows(
        "dim fmt   at        swizzle",
        *((dim, "f16", "inside", "none") for dim in GEOMETRY),
        *((dim, "f16", "high", "none") for dim in (1, 2, 5)),
        (2, "u8", "inside", "none"),
        (2, "f32", "inside", "none"),
        (2, "f16", "inside", "128B"),
    ),
    claim=partial(_since_hopper, TENSOR),
    template="tma_store.ptx.j2",
    native=lambda params: (f"UTMASTG.{params['dim']}D",),
    operands=_tensor_store_operands,
    inputs=_tensor_store_inputs,
    oracle=_tensor_store_oracle,
    launch=_launch,
    fields=_tensor_fields,
)

# Clusters and the CTAs that receive; CTA 0 issues, also where it does not receive.
MASKS = ((2, "0x3"), (2, "0x1"), (2, "0x2"), (4, "0xf"), (4, "0x5"), (4, "0xa"), (8, "0xff"), (8, "0x96"))

PROBES = (
    _bulk_load(
        "bulk_load",
        "cp.async.bulk.shared::{space}.global." + MBARRIER,
        "[%dst], [%from], {bytes}, [%mbar]",
        "UBLKCP.S.G",
        rows("space bytes", ("cluster", 16), ("cluster", 272), ("cluster", 8192), ("cta", 16), ("cta", 8192)),
    ),
    _bulk_load(
        "bulk_multicast",
        "cp.async.bulk.shared::cluster.global." + MBARRIER + ".multicast::cluster",
        "[%dst], [%from], {bytes}, [%mbar], %mask",
        "UBLKCP.S.G.MULTICAST",
        rows("bytes cluster mask", *((272, *entry) for entry in MASKS), (8192, 4, "0xf")),
    ),
    BULK_STORE,
    EXCHANGE,
    _tensor_load(
        "tensor_load",
        "",
        "",
        "",
        rows(
            "dim space fmt at swizzle",
            *((dim, space, "f16", "inside", "none") for dim in GEOMETRY for space in ("cluster", "cta")),
            *((2, "cluster", "f16", at, "none") for at in ("low", "high", "beyond")),
            (1, "cluster", "f16", "high", "none"),
            (5, "cluster", "f16", "low", "none"),
            (5, "cluster", "f16", "high", "none"),
            (2, "cluster", "u8", "inside", "none"),
            (2, "cluster", "f32", "inside", "none"),
            *((2, "cluster", "f16", "inside", swizzle) for swizzle in SPAN),
            (2, "cluster", "u8", "high", "128B"),
        ),
    ),
    _tensor_load(
        "tensor_multicast",
        ".multicast::cluster",
        ", %mask",
        ".MULTICAST",
        rows("dim cluster mask", *((2, *entry) for entry in MASKS), *((dim, 2, "0x3") for dim in (1, 3, 4, 5))),
    ),
    _tensor_load(
        "tensor_cta_group",
        ".cta_group::{group}",
        "",
        "",
        rows("dim cluster group", (2, 2, 1), (2, 2, 2)),
    ),
    TENSOR_STORE,
)
