"""Machines that are wrong in one way each: arithmetics, layouts and harness faults, to prove that inputs find them.

A mutant takes an operation, its arrays and the right model, and returns the D of a machine with that one fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from suite.arena import POISONS
from suite.formats import FORMATS
from suite.numerics.decode import least_exponent, values_of
from suite.numerics.encode import nearest
from suite.numerics.models import Added, Fused, Grouped, Halves, Integers, Model, Once, Sequential, run
from suite.numerics.operation import Arrays, Codes, Operation
from suite.numerics.rounding import NAN

Machine = Callable[[Operation, Arrays, Model], Codes]
Applies = Callable[[Operation, Model], bool]


@dataclass(frozen=True)
class Mutant:
    """A fault by name: the machine that has it, and the operations and models that can have it at all."""

    name: str
    kind: str
    machine: Machine
    applies: Applies


# --- what a fault applies to ----------------------------------------------------------------------------------------


def floats(op: Operation, model: Model) -> bool:
    """Every float product."""
    return op.kind == "float"


def wide(op: Operation, model: Model) -> bool:
    """Float products with an f32 result."""
    return op.kind == "float" and op.d == "f32"


def fused(op: Operation, model: Model) -> bool:
    """T-FDPA, dense or sparse, with or without scales."""
    return isinstance(model, Fused)


def full(op: Operation, model: Model) -> bool:
    """Units of 23 fraction bits and more with an f32 result."""
    return wide(op, model) and isinstance(model, Fused | Grouped | Halves) and model.step.fraction > 13


def scaled(op: Operation, model: Model) -> bool:
    """Block-scaled products."""
    return bool(op.scale)


def anything(op: Operation, model: Model) -> bool:
    """Every product."""
    return True


def _shows_zero(op: Operation, model: Model) -> bool:
    """Tell whether the formats reach below the exponent that stands for zero."""
    return isinstance(model, Fused) and not op.scale and ((op.a in ("bf16", "tf32")) or (op.a, op.d) == ("f16", "f16"))


# --- arithmetic ------------------------------------------------------------------------------------------------------


def stepped(fraction: int = 0, zero: int = 0, rounding: str = "") -> Machine:
    """Return the machine whose steps have so many more fraction bits, a higher zero exponent, or another rounding."""

    def machine(op: Operation, arrays: Arrays, model: Model) -> Codes:
        assert isinstance(model, Fused | Grouped | Halves)
        right = model.step
        step = replace(right, fraction=right.fraction + fraction, zero=right.zero + zero)
        return run(replace(model, step=replace(step, rounding=rounding or right.rounding)), op, arrays)

    return machine


def other(make: Callable[[Operation, Fused], Model]) -> Machine:
    """Return the machine that has another model altogether, made from the right one."""

    def machine(op: Operation, arrays: Arrays, model: Model) -> Codes:
        assert isinstance(model, Fused)
        return run(make(op, model), op, arrays)

    return machine


def fed(change: Callable[[Operation, Arrays], Arrays]) -> Machine:
    """Return the machine that takes in something else."""
    return lambda op, arrays, model: run(model, op, {**arrays, **change(op, arrays)})


def left(change: Callable[[Operation, Codes, Arrays], Codes]) -> Machine:
    """Return the machine that leaves something else."""
    return lambda op, arrays, model: change(op, run(model, op, arrays), arrays)


def _through(fmt: str, via: str, codes: Codes) -> Codes:
    """Return codes whose values went through a narrower format, to nearest; infinities and NaN stay."""
    values = values_of(fmt, codes)
    ordinary = np.where(np.isfinite(values), values, 0.0)
    return np.where(np.isfinite(values), nearest(fmt, values_of(via, nearest(via, ordinary))), codes)


def _flushed(fmt: str, codes: Codes) -> Codes:
    values = values_of(fmt, codes)
    tiny = np.abs(np.nan_to_num(values, nan=1.0)) < 2.0 ** least_exponent(fmt)
    return np.where(tiny, codes & np.uint64(1 << (FORMATS[fmt].bits - 1)), codes)


def _payload(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with c's own NaN wherever c is one, quiet."""
    quiet = np.uint64(1 << (FORMATS[op.c].mantissa - 1))
    return np.where(np.isnan(values_of(op.c, arrays["c"])) & (op.c == op.d), arrays["c"] | quiet, d)


def _quiet(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with the NaN that IEEE adders make."""
    default = {"f16": 0x7E00, "f32": 0x7FC00000}[op.d]
    return np.where(d == np.uint64(NAN[op.d]), np.uint64(default), d)


def _saturated(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with the largest value in place of an infinity that no operand was."""
    values = values_of(op.d, d)
    largest = {"f16": 65504.0, "f32": float(np.finfo(np.float32).max)}[op.d]
    return np.where(np.isinf(values), nearest(op.d, np.copysign(largest, values)), d)


def _minus_zero(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with -0 where c is -0 and the sum is zero."""
    sign_c, sign_d = (np.uint64(1 << (FORMATS[fmt].bits - 1)) for fmt in (op.c, op.d))
    return np.where((d == 0) & (arrays["c"] == sign_c), sign_d, d)


def _down(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D one unit further from zero where it is negative and the exact sum lies below it."""
    exact = values_of(op.d, run(Once("RNE-FP16" if op.d == "f16" else "RNE-FP32"), op, arrays))
    below = np.isfinite(exact) & (exact < values_of(op.d, d)) & (values_of(op.d, d) < 0)
    return np.where(below, d + np.uint64(1), d)


def _cut_half(op: Operation, arrays: Arrays, model: Model) -> Codes:
    """Return f16 results cut toward zero: those of the same steps that round to f32, then cut."""
    assert isinstance(model, Fused | Halves)
    wider = replace(model, step=replace(model.step, rounding="RZ-FP32"))
    values = values_of("f32", run(wider, replace(op, d="f32"), arrays))
    half = nearest("f16", np.clip(np.nan_to_num(values), -65504, 65504))
    away = np.abs(values_of("f16", half)) > np.abs(values)
    cut = np.where(away, half - np.uint64(1), half)
    return np.where(np.isfinite(values), cut, run(model, op, arrays))


def _narrow(op: Operation, arrays: Arrays, model: Model) -> Codes:
    assert isinstance(model, Fused | Grouped | Halves)
    step = replace(model.step, fraction=13, rounding="RZ-E8M13")
    return run(replace(model, step=step), op, arrays)


# --- feeding ---------------------------------------------------------------------------------------------------------


def _without_last(op: Operation, arrays: Arrays) -> Arrays:
    a = arrays["a"].copy()
    a[:, :, -1] = 0
    return {"a": a}


def _swapped(name: str, axis: int, first: int, second: int) -> Callable[[Operation, Arrays], Arrays]:
    """Return the change that exchanges two rows, columns or products of an operand."""

    def change(op: Operation, arrays: Arrays) -> Arrays:
        order = np.arange(arrays[name].shape[axis])
        order[[first, second]] = order[[second, first]]
        return {name: np.take(arrays[name], order, axis=axis)}

    return change


def _halves_swapped(op: Operation, arrays: Arrays) -> Arrays:
    """Return A with its halves of K exchanged in every other group of 4 rows: a wrong swizzle bit."""
    a = arrays["a"].copy()
    rows = np.arange(op.m) // 4 % 2 == 1
    a[:, rows] = np.roll(a[:, rows], op.k // 2, axis=2)
    return {"a": a}


def _permuted(op: Operation, arrays: Arrays) -> Arrays:
    """Return A and B with the same permutation of K: no fault where one step takes all products."""
    order = np.arange(op.k).reshape(2, -1).T.reshape(-1)
    return {"a": arrays["a"][:, :, order], "b": arrays["b"][:, order]}


def _unscaled(op: Operation, arrays: Arrays) -> Arrays:
    return {"sfa": np.full_like(arrays["sfa"], nearest(op.scale, np.array([1.0]))[0])}


def _exchanged_scales(op: Operation, arrays: Arrays) -> Arrays:
    rows = np.arange(op.m) % op.n
    columns = np.arange(op.n) % op.m
    return {"sfa": arrays["sfb"][:, rows], "sfb": arrays["sfa"][:, columns]}


def _next_scale(op: Operation, arrays: Arrays) -> Arrays:
    """Return scales of B of the neighbour: the block's, or where there is one block the column's."""
    return {"sfb": np.roll(arrays["sfb"], 1, axis=2 if op.blocks > 1 else 1)}


def _nan_as_number(op: Operation, arrays: Arrays) -> Arrays:
    """Return scales whose NaN code counts as a number."""
    codes = arrays["sfa"]
    return {"sfa": np.where(np.isnan(values_of(op.scale, codes)), codes - np.uint64(1), codes)}


def _moved(op: Operation, arrays: Arrays) -> Arrays:
    """Return a sparse A whose metadata is that of the next row."""
    return {"at": np.roll(arrays["at"], 1, axis=1)}


def _signed(op: Operation, arrays: Arrays, model: Model) -> Codes:
    """Return the product of bytes taken for the other signedness."""
    turned = {"s8": "u8", "u8": "s8"}
    return run(model, replace(op, a=turned[op.a]), arrays)


# --- the harness -----------------------------------------------------------------------------------------------------


def _unwritten(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with a register of one lane left as the poison that it was."""
    found = d.copy()
    word = POISONS[0] * 0x0001000100010001
    found[:, 1::8, 1::2] = np.uint64(word & ((1 << FORMATS[op.d].bits) - 1))
    return found


def _lost(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D whose last CTA did not run."""
    found = d.copy()
    found[-1] = np.uint64(POISONS[0] * 0x0001000100010001 & ((1 << FORMATS[op.d].bits) - 1))
    return found


def _stale(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return each trial's D as that of the one before."""
    return np.roll(d, 1, axis=0)


def _odd_columns(op: Operation, d: Codes, arrays: Arrays) -> Codes:
    """Return D with the two elements of each register pair exchanged."""
    return d.reshape(*d.shape[:2], -1, 2)[..., ::-1].reshape(d.shape)


def _half(op: Operation, model: Fused) -> Model:
    return replace(model, length=model.length // 2)


MUTANTS = (
    Mutant("F one less", "arithmetic", stepped(fraction=-1), lambda op, model: hasattr(model, "step")),
    Mutant("F one more", "arithmetic", stepped(fraction=1), lambda op, model: hasattr(model, "step")),
    Mutant("L halved", "arithmetic", other(_half), fused),
    Mutant(
        "L doubled",
        "arithmetic",
        other(lambda op, model: replace(model, length=2 * model.length)),
        lambda op, model: isinstance(model, Fused) and model.length < op.k,
    ),
    Mutant("result to nearest", "arithmetic", stepped(rounding="RNE-FP32"), full),
    Mutant("result toward minus infinity", "arithmetic", left(_down), floats),
    Mutant("f16 result toward zero", "arithmetic", _cut_half, lambda op, model: floats(op, model) and op.d == "f16"),
    Mutant("F = 13 and E8M13", "arithmetic", _narrow, full),
    Mutant(
        "full f32 in place of F = 13",
        "arithmetic",
        stepped(fraction=12, rounding="RZ-FP32"),
        lambda op, model: wide(op, model) and isinstance(model, Fused) and model.step.fraction == 13,
    ),
    Mutant("exact sum rounded once", "arithmetic", other(lambda op, model: _once(op)), fused),
    Mutant("f32 FMA one by one", "arithmetic", other(lambda op, model: Sequential()), fused),
    Mutant("c added late", "arithmetic", other(lambda op, model: Added(model)), fused),
    Mutant(
        "silent emulation by two products",
        "arithmetic",
        other(lambda op, model: Halves(replace(model.step, fraction=25, rounding=_plain(op)))),
        fused,
    ),
    Mutant(
        "no emulation where there is one",
        "arithmetic",
        lambda op, arrays, model: run(Fused(_halves(model).step, op.k), op, arrays),
        lambda op, model: isinstance(model, Halves),
    ),
    Mutant("zero exponent one more", "arithmetic", stepped(zero=1), _shows_zero),
    Mutant("c cut to f16", "arithmetic", fed(lambda op, x: {"c": _through(op.c, "f16", x["c"])}), wide),
    Mutant("c cut to tf32", "arithmetic", fed(lambda op, x: {"c": x["c"] & ~np.uint64(0x1FFF)}), full),
    Mutant("c left out", "arithmetic", fed(lambda op, x: {"c": np.zeros_like(x["c"])}), anything),
    Mutant("subnormals of A flushed", "arithmetic", fed(lambda op, x: {"a": _flushed(op.a, x["a"])}), floats),
    Mutant("subnormals of B flushed", "arithmetic", fed(lambda op, x: {"b": _flushed(op.b, x["b"])}), floats),
    Mutant("subnormals of c flushed", "arithmetic", fed(lambda op, x: {"c": _flushed(op.c, x["c"])}), floats),
    Mutant("subnormals of D flushed", "arithmetic", left(lambda op, d, x: _flushed(op.d, d)), floats),
    Mutant(
        "A cut to bf16",
        "arithmetic",
        fed(lambda op, x: {"a": _through(op.a, "bf16", x["a"])}),
        lambda op, model: op.a in ("f16", "tf32"),
    ),
    Mutant("D cut to f16", "arithmetic", left(lambda op, d, x: _through(op.d, "f16", d)), wide),
    Mutant("NaN of c passed on", "arithmetic", left(_payload), lambda op, model: floats(op, model) and op.c == op.d),
    Mutant("NaN as IEEE adders make it", "arithmetic", left(_quiet), floats),
    Mutant("overflow to the largest value", "arithmetic", left(_saturated), floats),
    Mutant("-0 kept", "arithmetic", left(_minus_zero), floats),
    Mutant("last product dropped", "arithmetic", fed(_without_last), anything),
    Mutant("scale of A dropped", "scales", fed(_unscaled), scaled),
    Mutant("scales of A and B exchanged", "scales", fed(_exchanged_scales), scaled),
    Mutant("scale selector off by one", "scales", fed(_next_scale), scaled),
    Mutant("NaN scale taken for a number", "scales", fed(_nan_as_number), scaled),
    Mutant("rows 0 and 8 of A exchanged", "layout", fed(_swapped("a", 1, 0, 8)), lambda op, model: op.m > 8),
    Mutant("columns 0 and 1 of B exchanged", "layout", fed(_swapped("b", 2, 0, 1)), anything),
    Mutant("products 1 and 2 of A exchanged", "layout", fed(_swapped("a", 2, 1, 2)), anything),
    Mutant("wrong swizzle of A", "layout", fed(_halves_swapped), anything),
    Mutant("rows 0 and 1 of c exchanged", "layout", fed(_swapped("c", 1, 0, 1)), anything),
    Mutant("register pairs of D exchanged", "layout", left(_odd_columns), anything),
    Mutant("metadata of the next row", "layout", fed(_moved), lambda op, model: op.sparse),
    Mutant(
        "s32 wrapped, not clamped",
        "arithmetic",
        lambda op, arrays, model: run(model, replace(op, satfinite=False), arrays),
        lambda op, model: op.satfinite,
    ),
    Mutant(
        "s32 clamped on the way",
        "arithmetic",
        lambda op, arrays, model: run(Integers(op.k // 2), op, arrays),
        lambda op, model: op.satfinite,
    ),
    Mutant("signed for unsigned", "arithmetic", _signed, lambda op, model: op.a in ("s8", "u8")),
    Mutant(
        "and for xor",
        "arithmetic",
        lambda op, arrays, model: run(model, replace(op, bits="xor" if op.bits == "and" else "and"), arrays),
        lambda op, model: op.kind == "bits",
    ),
    Mutant(
        "f64 rounded the other way",
        "arithmetic",
        lambda op, arrays, model: run(model, replace(op, rounding="rz" if op.rounding == "rn" else "rn"), arrays),
        lambda op, model: op.kind == "f64",
    ),
    Mutant(
        "f64 from the last product down",
        "arithmetic",
        fed(lambda op, x: {"a": x["a"][:, :, ::-1], "b": x["b"][:, ::-1]}),
        lambda op, model: op.kind == "f64",
    ),
    Mutant("a register of D not written", "harness", left(_unwritten), anything),
    Mutant("a CTA lost", "harness", left(_lost), anything),
    Mutant("D of the trial before", "harness", left(_stale), anything),
)

# No fault where L = K: it shows only where steps are chained.
SAME_PERMUTATION = Mutant("same permutation of K in A and B", "invariance", fed(_permuted), fused)


def _once(op: Operation) -> Model:
    return Once("RNE-FP16" if op.d == "f16" else "RNE-FP32")


def _plain(op: Operation) -> str:
    return "RNE-FP16" if op.d == "f16" else "RZ-FP32"


def _halves(model: Model) -> Halves:
    assert isinstance(model, Halves)
    return model
