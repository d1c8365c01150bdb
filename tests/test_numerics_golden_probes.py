"""What the probes read off each model is what the model was made with; off a wrong one it is something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.numerics import golden
from suite.numerics.fdpa import Step
from suite.numerics.models import Added, Fused, Halves, Model, Once, Sequential, run
from suite.numerics.operation import Operation

HOPPER, AMPERE, VOLTA = Step(25, -133, "RZ-FP32"), Step(24, -132, "RZ-FP32"), Step(23, -131, "RZ-FP32")
CUT = Step(13, -133, "RZ-E8M13")
HALF = Step(25, -21, "RNE-FP16")


def op_of(fmt: str, d: str = "f32", k: int = 16, m: int = 16, n: int = 8) -> Operation:
    return Operation(fmt, fmt, d, d, m, n, k)


def measured(model: Model, op: Operation) -> dict[str, Any]:
    return golden.measure(op, run(model, op, golden.arrays(op, None)))


@pytest.mark.parametrize(
    "model, op, expected",
    [
        (Fused(HOPPER, 16), op_of("f16"), {"F": 25, "L": 16, "c bits": 23, "rounding": "toward zero"}),
        (Fused(HOPPER, 16), op_of("f16", m=64, n=256), {"F": 25, "L": 16, "c bits": 23, "rounding": "toward zero"}),
        (Fused(AMPERE, 8), op_of("f16"), {"F": 24, "L": 8, "c bits": 23, "rounding": "toward zero"}),
        (Fused(VOLTA, 4), op_of("f16"), {"F": 23, "L": 4, "c bits": 23, "rounding": "toward zero"}),
        (Fused(HOPPER, 16), op_of("bf16"), {"F": 25, "L": 16, "e_zero": -133}),
        (Fused(AMPERE, 4), op_of("tf32", k=8), {"F": 24, "L": 4, "e_zero": -132}),
        (
            Fused(HALF, 16),
            op_of("f16", "f16"),
            {"F": 25, "L": 16, "e_zero": -21, "rounding": "nearest", "nan": "0x7fff"},
        ),
        (Fused(CUT, 32), op_of("e4m3", k=32), {"F": 13, "L": 32, "c bits": 13, "rounding": "toward zero"}),
        (Fused(HOPPER, 32), op_of("e5m2", k=32), {"F": 25, "L": 32, "c bits": 23}),
        (Fused(HOPPER, 32), op_of("e2m1", k=32), {"F": 25, "c bits": 23}),
        (Halves(HOPPER), op_of("e4m3", k=32), {"F": 25, "L": 16, "c bits": 23, "rounding": "nearest"}),
        (Sequential(), op_of("f16"), {"F": ">=34", "c bits": 23, "rounding": "nearest"}),
    ],
)
def test_parameters_are_read_off(model: Model, op: Operation, expected: dict[str, Any]) -> None:
    found = measured(model, op)
    assert {key: found.get(key) for key in expected} == expected
    assert found["nan"] in ("0x7fffffff", "0x7fff")


def test_the_step_of_the_emulation_is_not_of_neighbours() -> None:
    assert measured(Halves(HOPPER), op_of("e4m3", k=32))["steps"] == [k for k in range(32) if k % 4 < 2]
    assert "steps" not in measured(Fused(HOPPER, 16), op_of("e4m3", k=32))


@pytest.mark.parametrize(
    "fmt, d, k", [("f16", "f32", 16), ("bf16", "f32", 16), ("f16", "f16", 16), ("e4m3", "f32", 32)]
)
def test_every_parameter_shows_when_it_is_wrong(fmt: str, d: str, k: int) -> None:
    op = op_of(fmt, d, k)
    step = HALF if d == "f16" else HOPPER
    right = measured(Fused(step, k), op)
    wrong: list[Model] = [
        Fused(replace(step, fraction=24), k),
        Fused(replace(step, fraction=26), k),
        Fused(step, k // 2),
        Once("RNE-FP16" if d == "f16" else "RNE-FP32"),
    ]
    wrong += [Fused(replace(step, rounding="RNE-FP32"), k), Added(Fused(step, k))] if d == "f32" else []
    wrong += [Fused(replace(step, zero=step.zero - 1), k)] if fmt in ("bf16", "f16") and "e_zero" in right else []
    for model in wrong:
        assert measured(model, op) != right, model.name


def test_a_sparse_product_is_read_by_its_kept_elements() -> None:
    op = Operation("f16", "f16", "f32", "f32", 16, 8, 16, width=32)
    rng = np.random.default_rng(0)
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
    chosen = rng.choice(pairs, (golden.trials(op), 16, 8))
    at = (chosen + 4 * np.arange(8)[:, None]).reshape(-1, 16, 16)
    arrays = golden.arrays(op, at) | {"at": at}
    for length in (8, 16):
        found = golden.measure(op, run(Fused(HOPPER, length, kept=True), op, arrays))
        assert (found["F"], found["L"]) == (25, length)


def test_integers_have_no_probes() -> None:
    assert not golden.probes(Operation("s8", "s8", "s32", "s32", 16, 8, 32))
