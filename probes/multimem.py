"""multimem: loads with reduction, stores and reductions on all replicas. PTX ISA 9.3, 9.7.9.13, 9.7.9.15, 9.7.14.8."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from suite import Buffer, Claim, Operand, Probe, atomics, family, memory, only, product, since
from suite.probe import Arrays, Params

MULTIMEM, ST_ASYNC, RED_ASYNC = "9.7.9.15", "9.7.9.13", "9.7.14.8"

# Source: PTX ISA 9.3, 9.7.9.15, Target ISA Notes and PTX ISA Notes.
ANY = since("sm_90", ptx="8.1", section=MULTIMEM)
ACC_F32 = since("sm_90", ptx="8.2", section=MULTIMEM)
FP8 = (
    only("sm_100a", "sm_120a", "sm_121a", ptx="8.6", section=MULTIMEM)
    | only("sm_110a", ptx="9.0", section=MULTIMEM)
    | family("sm_100f", "sm_110f", ptx="8.8", section=MULTIMEM)
)

# Floating-point types by vector: an access is of 32, 64 or 128 bits. Source: the same, table of .vec.
FP8_TYPES = (
    *(f"{kind}x4" for kind in ("e5m2", "e4m3")),
    *(f"v2.{kind}x{n}" for kind in ("e5m2", "e4m3") for n in (2, 4)),
    *(f"v4.{kind}" for kind in ("e5m2", "e5m2x2", "e5m2x4", "e4m3", "e4m3x2", "e4m3x4")),
    *(f"v8.{kind}" for kind in ("e5m2", "e4m3", "e5m2x2", "e4m3x2")),
)
HALF_TYPES = (
    *(f"{kind}x2" for kind in ("f16", "bf16")),
    *(f"v{n}.{kind}" for kind in ("f16", "bf16") for n in (2, 4, 8)),
    *(f"v{n}.{kind}x2" for kind in ("f16", "bf16") for n in (2, 4)),
)
WIDE_TYPES = ("f32", "f64", "v2.f32", "v4.f32")
# Source: the same, table of .op.
INTEGERS = (
    *((op, kind) for op in ("min", "max") for kind in ("u32", "s32", "u64", "s64")),
    *(("add", kind) for kind in ("u32", "s32", "u64")),
    *((op, kind) for op in ("and", "or", "xor") for kind in ("b32", "b64")),
)
SCOPES = ("cta", "cluster", "gpu", "sys")
SPACES = ("generic", "global")


def _late(section: str) -> Callable[[Params], Claim]:
    return lambda params: since("sm_100", ptx="9.3", section=section)


def _strong(*sems: str) -> tuple[str, ...]:
    return tuple(f"{sem}.{scope}" for sem in sems for scope in SCOPES)


def _claim(params: Params) -> Claim:
    fp8 = memory.split(params["type"])[1].startswith("e")
    return FP8 if fp8 else ACC_F32 if params.get("acc") == "acc::f32" else ANY


def _bits(element: str) -> int:
    base, _, packed = element.partition("x")
    return (8 if base.startswith("e") else memory.bits(base)) * int(packed or 1)


def _fields(vectors: tuple[str, ...], params: Params) -> Params:
    count, element = memory.split(params["type"])
    parts = ("sem", "space", "op", "acc")
    return {
        **memory.fields(params),
        "modifiers": memory.dotted(*(params.get(part, "none") for part in parts)),
        "count": count,
        "width": _bits(element),
        "vectors": vectors,
        "V": memory.vector("v", count),
    }


def _operands(params: Params) -> tuple[Operand, ...]:
    nbytes = _fields((), params)["count"] * _fields((), params)["width"] // 8
    return (
        Buffer("value", "inout", "b8", (memory.LANES, nbytes)),
        Buffer("multi", "inout", "b8", (memory.LANES, memory.ROW)),
        memory.offsets_buffer(),
    )


def _inputs(params: Params, rng: np.random.Generator) -> Arrays:
    shapes = {operand.name: operand.shape for operand in _operands(params)[:2]}
    zeros = {name: np.zeros(shape, dtype=np.uint8) for name, shape in shapes.items()}
    return {**zeros, "at": np.arange(memory.LANES, dtype=np.uint32) * memory.ROW}


multimem = partial(
    Probe,
    claim=_claim,
    template="memory_multimem.ptx.j2",
    operands=_operands,
    inputs=_inputs,
    oracle=lambda params, arrays: {name: arrays[name] for name in ("value", "multi")},
    fields=partial(_fields, ("v",)),
    observed="sass",
    unlaunched="needs a multicast object over several GPUs",
)


# Source of all opcodes: nvdisasm 13.5.37 of kernels from ptxas 13.5.37 for sm_90, 100a and 120a. There is no store of
# its own: the address alone makes one a multimem store.
def _load_sass(params: Params) -> tuple[str, ...]:
    ops = ("F32ADD", "F16ADD", "HPADD") if "acc" in params else (params["op"].upper(),)
    kind = atomics.machine_type(params["type"])
    return tuple(".".join(filter(None, ("LDGMC", op, kind))) for op in ops)


def _store_sass(params: Params) -> tuple[str, ...]:
    count, element = memory.split(params["type"])
    return memory.sass(("STG", "ST"), {**params, "type": f"b{count * _bits(element)}"})


def _red_sass(params: Params) -> tuple[str, ...]:
    sem = "sys" if params["sem"] == "none" else params["sem"]
    return atomics.sass(("REDG",), {**params, "sem": sem})


ld_reduce = partial(multimem, opcode="multimem.ld_reduce{modifiers}.{type}", arguments="{V}, [%at]", native=_load_sass)
store = partial(multimem, opcode="multimem.st{modifiers}.{type}", arguments="[%at], {V}", native=_store_sass)
red = partial(multimem, opcode="multimem.red{modifiers}.{type}", arguments="[%at], {V}", native=_red_sass)


def _rows(table: Iterable[tuple[str, str]], **columns: tuple[str, ...]) -> tuple[Params, ...]:
    """Return every combination of columns for each operation and type."""
    return tuple({**row, "op": op, "type": kind} for op, kind in table for row in product(**columns))


def _add(kinds: Iterable[str], *ops: str) -> list[tuple[str, str]]:
    return [(op, kind) for kind in kinds for op in ("add", *ops)]


STORED = ("b32", "b64", "u32", "u64", "s32", "s64")
EITHER = ("release.gpu", "release.sys")
SIZES = ("b8", "u8", "s8", "b16", "u16", "b32", "u32", "s32", "b64", "s64", "f32", "f64")
LOADS, STORES = ("weak", *_strong("relaxed", "acquire")), ("weak", *_strong("relaxed", "release"))

PROBES = (
    ld_reduce(form="ld_reduce", rows=_rows(INTEGERS, sem=("none",), space=SPACES)),
    ld_reduce(form="ld_reduce_order", rows=_rows([("add", "u32"), ("add", "v4.f32")], sem=LOADS, space=SPACES)),
    ld_reduce(
        form="ld_reduce_float",
        rows=_rows(
            [*_add(WIDE_TYPES), *_add(HALF_TYPES, "min", "max")], sem=("none", "relaxed.gpu"), space=("global",)
        ),
    ),
    ld_reduce(
        form="ld_reduce_acc",
        rows=_rows(_add(HALF_TYPES), sem=("none", "acquire.sys"), space=("global",), acc=("acc::f32",)),
    ),
    ld_reduce(form="ld_reduce_fp8", rows=_rows(_add(FP8_TYPES, "min", "max"), sem=("none",), space=("global",))),
    ld_reduce(
        form="ld_reduce_fp8_acc",
        rows=_rows(_add(FP8_TYPES), sem=("none", "relaxed.gpu"), space=("global",), acc=("acc::f16",)),
    ),
    store(form="st", rows=product(sem=("none",), space=SPACES, type=(*STORED, *WIDE_TYPES, *HALF_TYPES))),
    store(form="st_order", rows=product(sem=STORES, space=SPACES, type=("b64", "v4.f16x2"))),
    store(form="st_fp8", rows=product(sem=("none",), space=("global",), type=FP8_TYPES)),
    red(form="red", rows=_rows(INTEGERS, sem=("none",), space=SPACES)),
    red(form="red_order", rows=_rows([("add", "u64"), ("add", "v4.bf16x2")], sem=STORES[1:], space=SPACES)),
    red(
        form="red_float",
        rows=_rows(_add([*WIDE_TYPES, *HALF_TYPES]), sem=("none", "release.sys"), space=("global",)),
    ),
    store(
        form="st_async",
        opcode="multimem.st.async{modifiers}.{type}",
        claim=_late(ST_ASYNC),
        rows=product(sem=EITHER, space=SPACES, type=SIZES),
        native=lambda params: ("USTGR",),
    ),
    red(
        form="red_async",
        opcode="multimem.red.async{modifiers}.{type}",
        claim=_late(RED_ASYNC),
        rows=_rows(_add(("u32", "s32", "u64")), sem=EITHER, space=SPACES),
        native=lambda params: ("UREDGR",),
    ),
)
