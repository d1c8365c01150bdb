"""Which input family finds which fault of which unit: the proof that the numeric inputs can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from suite.formats import FORMATS
from suite.numerics import families, golden
from suite.numerics.encode import nearest
from suite.numerics.fdpa import Step
from suite.numerics.models import Bits, Doubles, Fused, Grouped, Halves, Integers, Model, run
from suite.numerics.mutants import MUTANTS, SAME_PERMUTATION, Mutant
from suite.numerics.operation import Codes, Operation
from suite.numerics.verdict import differs

HOPPER, HOPPER_HALF = Step(25, -133, "RZ-FP32"), Step(25, -21, "RNE-FP16")
AMPERE, AMPERE_HALF = Step(24, -132, "RZ-FP32"), Step(24, -20, "RNE-FP16")
CUT, ADA_CUT = Step(13, -133, "RZ-E8M13"), Step(13, -132, "RZ-E8M13")


@dataclass(frozen=True)
class Unit:
    """A unit of the matrix: an operation and the model that is right for it."""

    operation: Operation
    model: Model


UNITS: dict[str, Unit] = {
    #                                      A       B       C      D      m   n   k
    "HMMA sm_75..89 f16":        Unit(Operation("f16", "f16", "f32", "f32", 16, 8, 16), Fused(AMPERE, 8)),
    "HMMA sm_75..89 f16 into f16": Unit(Operation("f16", "f16", "f16", "f16", 16, 8, 16), Fused(AMPERE_HALF, 8)),
    "HMMA sm_90.. f16":          Unit(Operation("f16", "f16", "f32", "f32", 16, 8, 16), Fused(HOPPER, 16)),
    "HMMA sm_90.. f16 into f16": Unit(Operation("f16", "f16", "f16", "f16", 16, 8, 16), Fused(HOPPER_HALF, 16)),
    "HMMA sm_90.. bf16":         Unit(Operation("bf16", "bf16", "f32", "f32", 16, 8, 16), Fused(HOPPER, 16)),
    "HMMA sm_90.. tf32":         Unit(Operation("tf32", "tf32", "f32", "f32", 16, 8, 8), Fused(HOPPER, 8)),
    "HMMA.SP sm_90 f16":         Unit(Operation("f16", "f16", "f32", "f32", 16, 8, 16, width=32),
                                      Fused(HOPPER, 16, kept=True)),
    "2 HMMA sm_90, 100 e4m3":    Unit(Operation("e4m3", "e5m2", "f32", "f32", 16, 8, 32), Halves(HOPPER)),
    "QMMA sm_89 e4m3":           Unit(Operation("e4m3", "e4m3", "f32", "f32", 16, 8, 32), Fused(ADA_CUT, 16)),
    "QGMMA sm_90a e5m2":         Unit(Operation("e5m2", "e4m3", "f32", "f32", 64, 16, 32), Fused(CUT, 32)),
    "HGMMA sm_90a f16":          Unit(Operation("f16", "f16", "f32", "f32", 64, 16, 16), Fused(HOPPER, 16)),
    "QMMA sm_120, UTCQMMA e2m3": Unit(Operation("e2m3", "e5m2", "f32", "f32", 16, 8, 32), Fused(HOPPER, 32)),
    "QMMA.SF, UTCQMMA mxf8":     Unit(Operation("e4m3", "e4m3", "f32", "f32", 16, 8, 32, scale="ue8m0", blocks=1),
                                      Fused(HOPPER, 32)),
    "OMMA.SF, UTCOMMA nvf4":     Unit(Operation("e2m1", "e2m1", "f32", "f32", 16, 8, 64, scale="ue4m3", blocks=4),
                                      Grouped(Step(35, -139, "RZ-FP32"))),
    "OMMA.SF, UTCOMMA mxf4":     Unit(Operation("e2m1", "e2m1", "f32", "f32", 16, 8, 64, scale="ue8m0", blocks=2),
                                      Grouped(Step(35, -139, "RZ-FP32"))),
    "DMMA f64":                  Unit(Operation("f64", "f64", "f64", "f64", 8, 8, 4), Doubles()),
    "IMMA s8 .satfinite":        Unit(Operation("s8", "s8", "s32", "s32", 16, 8, 32, satfinite=True), Integers()),
    "IMMA u8":                   Unit(Operation("u8", "s8", "s32", "s32", 16, 8, 32), Integers()),
    "BMMA xor":                  Unit(Operation("b1", "b1", "s32", "s32", 16, 8, 256, bits="xor"), Bits()),
}  # fmt: skip

SMALL = "small integers"  # what the first round takes, and what others test with
GOLDEN = "golden"


@dataclass(frozen=True)
class Tried:
    """A unit's inputs by family, with the right D of each."""

    inputs: Mapping[str, Mapping[str, np.ndarray]]
    right: Mapping[str, Codes]


@cache
def tried(name: str) -> Tried:
    """Return the inputs of every family of a unit; they derive from its name."""
    unit, rng = UNITS[name], np.random.default_rng(list(name.encode()))
    op = unit.operation
    made = {SMALL: _small(rng, op)}
    if golden.trials(op):
        at = _positions(rng, op, golden.trials(op))
        made[GOLDEN] = {**golden.arrays(op, at.get("at")), **at}
    for family, (make, trials) in families.of(op).items():
        found = {**(families.ones(op, trials) if op.scale else {}), **make(rng, op, trials)}
        made[family] = {**found, **_positions(rng, op, trials)}
    return Tried(made, {family: run(unit.model, op, arrays) for family, arrays in made.items()})


def _small(rng: np.random.Generator, op: Operation) -> dict[str, np.ndarray]:
    """Return integers of at most 4 in A and B and some hundreds in c."""
    shapes = {"a": (8, op.m, op.k), "b": (8, op.columns, op.n), "c": (8, op.m, op.n)}
    made = {}
    for name, shape in shapes.items():
        fmt = getattr(op, name)
        limit = {"a": 4, "b": 4, "c": 900}[name] if fmt != "b1" else 1
        low = -limit if FORMATS[fmt].signed and fmt != "b1" else 0
        made[name] = nearest(fmt, rng.integers(low, limit, shape, endpoint=True).astype(np.float64))
    return {**made, **(families.ones(op, 8) if op.scale else {}), **_positions(rng, op, 8)}


def _positions(rng: np.random.Generator, op: Operation, trials: int) -> dict[str, np.ndarray]:
    """Return random columns of the kept elements of a sparse A: two of each four."""
    if not op.sparse:
        return {}
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
    chosen = rng.choice(pairs, (trials, op.m, op.k // 2)) + 4 * np.arange(op.k // 2)[:, None]
    return {"at": chosen.reshape(trials, op.m, op.k)}


def affected(mutant: Mutant) -> list[str]:
    """Return the units that can have the fault."""
    return [name for name, unit in UNITS.items() if mutant.applies(unit.operation, unit.model)]


@cache
def killers(mutant: Mutant, name: str) -> list[str]:
    """Return the families on which a unit with the fault gives another D than a right one."""
    unit, held = UNITS[name], tried(name)
    op = unit.operation
    with np.errstate(invalid="ignore", over="ignore"):
        return [
            family
            for family, arrays in held.inputs.items()
            if differs(op, mutant.machine(op, arrays, unit.model), held.right[family]).any()
        ]


def matrix() -> dict[Mutant, dict[str, list[str]]]:
    """Return for every mutant and each unit that it affects the families that kill it."""
    return {mutant: {name: killers(mutant, name) for name in affected(mutant)} for mutant in MUTANTS}


def invariance() -> dict[str, list[str]]:
    """Return which families see the same permutation of K in A and B, by unit: none where one step takes all."""
    dense = [name for name in affected(SAME_PERMUTATION) if not UNITS[name].operation.sparse]
    return {name: killers(SAME_PERMUTATION, name) for name in dense}
