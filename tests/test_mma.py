"""The mma family's inputs can fail: a machine that errs anywhere gives other bits than the oracle, for every form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from suite import catalogue, verify
from suite.probe import Case
from tests import manual_mma as manual
from tests.manual_mma import Form

Array = manual.Array
Words = dict[str, Array]
CASES = {case.id: case for case in catalogue.expand() if case.family == "mma_sync"}


@dataclass(frozen=True)
class Run:
    """A case on the paper machine: what its opcode says, its registers, its values, and D as it should be."""

    case: Case
    read: Form
    words: Words
    values: dict[str, Array]
    d: Array


@cache
def run(case_id: str) -> Run:
    case = CASES[case_id]
    read, arrays = manual.form(case.instruction), verify.inputs(case)
    words = {o.name: manual.registers(o, arrays[o.name]) for o in case.operands if o.role == "in"}
    return Run(case, read, words, manual.matrices(read, words), manual.execute(read, words))


def expected(case: Case) -> Array:
    operand = case.operands[0]
    wanted = case.probe.oracle(case.params, verify.inputs(case))
    return manual.registers(operand, np.asarray(wanted[operand.name]))


def test_the_oracle_is_the_machine_of_the_manual() -> None:
    differing = [name for name, case in CASES.items() if not np.array_equal(run(name).d, expected(case))]
    assert differing == []


# --- mutants: each yields the D registers of machines that err in one way, where the form gives them room to ----------

Mutant = Callable[[Run], Iterator[tuple[str, Array]]]


def _with(r: Run, **values: Array) -> Array:
    return manual.write_matrix(r.read, manual.product(r.read, {**r.values, **values}))


def _reread(r: Run, read: Form, **words: Array) -> Array:
    """Return D of a machine that reads its inputs otherwise, and writes D as it should."""
    held = {**r.words, **words}
    return manual.write_matrix(r.read, manual.product(read, manual.matrices(read, held)))


def exchanged_registers(r: Run) -> Iterator[tuple[str, Array]]:
    for name in "abc":
        words = r.words[name]
        for i, j in combinations(range(words.shape[1]), 2):
            order = list(range(words.shape[1]))
            order[i], order[j] = j, i
            yield f"{name}{i}<->{name}{j}", _with(r, **{name: manual.read_matrix(r.read, name, words[:, order])})
    for i, j in combinations(range(r.d.shape[1]), 2):
        order = list(range(r.d.shape[1]))
        order[i], order[j] = j, i
        yield f"d{i}<->d{j}", r.d[:, order]


LANE_ORDERS = {
    "rotated by 1": np.roll(np.arange(32), 1),
    "rotated by 4": np.roll(np.arange(32), 4),
    "rotated by 16": np.roll(np.arange(32), 16),
    "0 and 1 exchanged": np.array([1, 0, *range(2, 32)]),
    "3 and 31 exchanged": np.array([0, 1, 2, 31, *range(4, 31), 3]),
}


def exchanged_lanes(r: Run) -> Iterator[tuple[str, Array]]:
    for how, order in LANE_ORDERS.items():
        for name in "abc":
            yield f"{name} {how}", _with(r, **{name: manual.read_matrix(r.read, name, r.words[name][:, :, order])})
        yield f"d {how}", r.d[:, :, order]


def exchanged_slots(r: Run) -> Iterator[tuple[str, Array]]:
    """Elements of a register in reverse order, as a big-endian packing would have them."""
    for name in "ab":
        row, column = manual.indices(r.read, name)
        backward = np.zeros_like(r.values[name])
        backward[:, row, column] = r.values[name][:, row[..., ::-1], column[..., ::-1]]
        if row.shape[2] > 1:
            yield name, _with(r, **{name: backward})


def lost_operands(r: Run) -> Iterator[tuple[str, Array]]:
    c = r.values["c"]
    yield "c dropped", _with(r, c=0 * c)
    yield "c twice", _with(r, c=2 * c)
    yield "c negated", _with(r, c=-c)
    yield "a times b dropped", _with(r, a=0 * r.values["a"], b=0 * r.values["b"])
    yield "last k dropped", _with(r, a=r.values["a"] * (np.arange(r.values["a"].shape[2]) < r.values["a"].shape[2] - 1))
    yield "product negated", _with(r, a=-r.values["a"])


def moved_matrices(r: Run) -> Iterator[tuple[str, Array]]:
    a, b, c = (r.values[name] for name in "abc")
    half = a.shape[2] // 2
    yield "k halves exchanged in a", _with(r, a=np.roll(a, half, axis=2))
    yield "k pairs exchanged in a", _with(r, a=a[:, :, np.arange(a.shape[2]) ^ 1])
    yield "row halves of a", _with(r, a=np.roll(a, a.shape[1] // 2, axis=1))
    yield "row halves of c", _with(r, c=np.roll(c, c.shape[1] // 2, axis=1))
    yield "columns of b", _with(r, b=np.roll(b, 1, axis=2))
    yield "columns of c", _with(r, c=np.roll(c, 1, axis=2))
    yield "next trial's c", _with(r, c=np.roll(c, 1, axis=0))
    if r.read.mnk[0] == r.read.mnk[1] and not r.read.quad:
        yield "c transposed", _with(r, c=c.transpose(0, 2, 1))
        yield "a and b exchanged", _with(r, a=b.transpose(0, 2, 1), b=a.transpose(0, 2, 1))


def _through(fmt: str, values: Array) -> Array:
    """Return values as they come back from a narrower format: rounded by its conversion."""
    with np.errstate(over="ignore"):
        return np.asarray(values.astype(manual.FLOATS[fmt]).astype(np.float64))


NARROWER = {"f64": ("f32", "bf16"), "f32": ("f16", "bf16"), "f16": ("bf16",)}


def narrowed(r: Run) -> Iterator[tuple[str, Array]]:
    """C or D cut to a narrower format on the way."""
    for fmt in NARROWER.get(r.read.c, ()):
        yield f"c through {fmt}", _with(r, c=_through(fmt, r.values["c"]))
    for fmt in NARROWER.get(r.read.d, ()):
        yield f"d through {fmt}", manual.write_matrix(r.read, _through(fmt, manual.product(r.read, r.values)))
        product = _through(fmt, manual.product(r.read, {**r.values, "c": 0 * r.values["c"]}))
        yield f"a times b through {fmt}", manual.write_matrix(r.read, product + r.values["c"])
    if r.read.d == "s32":
        yield "c through s16", _with(r, c=r.values["c"].astype(np.int64).astype(np.int16).astype(np.float64))


# An f64 unit that is an f32 one, a tf32 one that is a bf16 one, a bf16 one that has the range of f16.
LESSER = {"f64": ("f32", "bf16"), "tf32": ("bf16", "f16"), "bf16": ("f16",), "f16": ("bf16", "e4m3")}


def multiplicands_narrowed(r: Run) -> Iterator[tuple[str, Array]]:
    """A or B cut to a narrower format."""
    for name in "ab":
        for fmt in LESSER.get(getattr(r.read, name), ()):
            yield f"{name} through {fmt}", _with(r, **{name: _through(fmt, r.values[name])})


LOOKALIKES = {
    "s8": ("u8",), "u8": ("s8",), "s4": ("u4",), "u4": ("s4",), "f16": ("bf16",), "bf16": ("f16",),
    "e4m3": ("e5m2",), "e5m2": ("e4m3",), "e3m2": ("e2m3",), "e2m3": ("e3m2",), "e2m1": ("u4",),
}  # fmt: skip


def misread_formats(r: Run) -> Iterator[tuple[str, Array]]:
    for name in "ab":
        for fmt in LOOKALIKES.get(getattr(r.read, name), ()):
            read = replace(r.read, a=fmt) if name == "a" else replace(r.read, b=fmt)
            yield f"{name} as {fmt}", _reread(r, read)
    if r.read.a != r.read.b:
        yield "the two exchanged", _reread(r, replace(r.read, a=r.read.b, b=r.read.a))


def misplaced_fp4(r: Run) -> Iterator[tuple[str, Array]]:
    if r.read.boxed and "e2m1" in (r.read.a, r.read.b):
        for shift in (0, 4):
            yield f"bits {shift + 3}:{shift}", _reread(r, replace(r.read, fp4_shift=shift))


def ignored_modifiers(r: Run) -> Iterator[tuple[str, Array]]:
    if r.read.d == "s32" and not r.read.operation:
        clamped = replace(r.read, satfinite=not r.read.satfinite)
        yield "satfinite", manual.write_matrix(clamped, manual.product(r.read, r.values))
        if "s" in r.read.a + r.read.b:
            below = np.minimum(manual.product(r.read, r.values), 0)
            above = np.maximum(manual.product(r.read, r.values), 0)
            for sign, other, kept in (("above only", above, below), ("below only", below, above)):
                half = manual.write_matrix(clamped, other) + manual.write_matrix(r.read, kept)
                yield f"satfinite {sign}", half & np.uint64(0xFFFFFFFF)
    if r.read.operation:
        other = {"xor": "and", "and": "xor"}[r.read.operation]
        yield other, manual.write_matrix(r.read, manual.product(replace(r.read, operation=other), r.values))
        inclusive = r.values["a"].sum(axis=2, keepdims=True) + r.values["b"].sum(axis=1, keepdims=True)
        union = inclusive - r.values["a"] @ r.values["b"] + r.values["c"]
        yield "or", manual.write_matrix(r.read, union)
    if r.read.quad:
        a, b = r.read.layouts
        other_major = {"row": "col", "col": "row"}
        yield "a's layout", _reread(r, replace(r.read, layouts=(other_major[a], b)))
        yield "b's layout", _reread(r, replace(r.read, layouts=(a, other_major[b])))


def wrong_scales(r: Run) -> Iterator[tuple[str, Array]]:
    if not r.read.scale:
        return
    sfa, sfb = r.values["sfa"], r.values["sfb"]
    ones_a, ones_b = np.ones_like(sfa), np.ones_like(sfb)
    yield "scale_A dropped", _with(r, sfa=ones_a)
    yield "scale_B dropped", _with(r, sfb=ones_b)
    yield "scale_A twice", _with(r, sfa=sfa**2)
    yield "scale_B twice", _with(r, sfb=sfb**2)
    yield "scale_A for scale_B", _with(r, sfb=sfa[:, :8])
    yield "row halves of scale_A", _with(r, sfa=np.roll(sfa, 8, axis=1))
    yield "columns of scale_B", _with(r, sfb=np.roll(sfb, 1, axis=1))
    yield "c scaled too", _with(r, c=r.values["c"] * sfa[:, :, :1])
    if r.read.blocks > 1:
        yield "blocks of scale_A", _with(r, sfa=sfa[:, :, ::-1])
        yield "blocks of scale_B", _with(r, sfb=sfb[:, :, ::-1])
        yield "one block of scale_A for all", _with(r, sfa=np.repeat(sfa[:, :, :1], r.read.blocks, axis=2))


def wrong_selectors(r: Run) -> Iterator[tuple[str, Array]]:
    """Each selector off by one; where a scale_vec leaves one choice, the machine reads the bytes turned by one."""
    if not r.read.scale:
        return
    for i, (name, count) in enumerate((("sfa", 4), ("sfa", 2), ("sfb", 4), ("sfb", 4))):
        chosen = list(r.read.selectors)
        if i % 2:
            chosen[i] = (chosen[i] + 1) % count
            byte_a, thread_a, byte_b, thread_b = chosen
            yield f"thread-id of {name}", _reread(r, replace(r.read, selectors=(byte_a, thread_a, byte_b, thread_b)))
        else:
            turned = r.words[name] >> np.uint64(8) | (r.words[name] & np.uint64(255)) << np.uint64(24)
            yield f"byte-id of {name}", _reread(r, r.read, **{name: turned})


def unwritten(r: Run) -> Iterator[tuple[str, Array]]:
    for register in range(r.d.shape[1]):
        left = r.d.copy()
        left[:, register] = 0
        yield f"d{register} zero", left
    one = r.d.copy()
    one[-1, 0, 31] ^= np.uint64(1)
    yield "last bit", one


MUTANTS: tuple[Mutant, ...] = (
    exchanged_registers,
    exchanged_lanes,
    exchanged_slots,
    lost_operands,
    moved_matrices,
    narrowed,
    multiplicands_narrowed,
    misread_formats,
    misplaced_fp4,
    ignored_modifiers,
    wrong_scales,
    wrong_selectors,
    unwritten,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_machine_that_errs_is_found(mutant: Mutant) -> None:
    tried = [(name, how, np.array_equal(d, run(name).d)) for name in CASES for how, d in mutant(run(name))]
    assert tried, "no form gives this mutant room"
    assert [f"{name}: {how}" for name, how, survives in tried if survives] == []
