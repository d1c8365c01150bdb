"""Four narrow floats in a register: the oracle against a search among all codes, claims, and faults that would show."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from suite import quads, verify
from suite.elementwise import TYPES, split
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("quads")
SHAPES = {"e5m2": (5, 2, 15), "e4m3": (4, 3, 7), "e3m2": (3, 2, 3), "e2m3": (2, 3, 1), "e2m1": (2, 1, 1)}
FINITE = {"e5m2": 0x7B, "e4m3": 0x7E}  # the code of the largest value


def number(fmt: str, code: int) -> Fraction:
    """Return a finite code's value by the definition of a float."""
    if fmt == "ue8m0":
        return Fraction(2) ** (code - 127)
    exponents, mantissa, bias = SHAPES[fmt]
    sign = -1 if code >> (exponents + mantissa) else 1
    power = code >> mantissa & ((1 << exponents) - 1)
    part = code & ((1 << mantissa) - 1)
    if power == 0:
        return sign * Fraction(part, 1 << mantissa) * Fraction(2) ** (1 - bias)
    return sign * (1 + Fraction(part, 1 << mantissa)) * Fraction(2) ** (power - bias)


@cache
def ladder(fmt: str) -> tuple[Fraction, ...]:
    return tuple(number(fmt, code) for code in range(FINITE[fmt] + 1))


def nearest(fmt: str, value: Fraction) -> int:
    """Return the code without its sign that is nearest to |value|: of two the even one, beyond the last the last."""
    steps = ladder(fmt)
    above = min(bisect_left(steps, abs(value)), len(steps) - 1)
    below = max(above - 1, 0)
    low, high = abs(value) - steps[below], steps[above] - abs(value)
    if low == high:
        return below if below % 2 == 0 else above
    return below if low < high else above


def exactly(op: str, values: list[Fraction]) -> Fraction:
    if op == "fma":
        return values[0] * values[1] + values[2]
    return {"add": values[0] + values[1], "sub": values[0] - values[1], "mul": values[0] * values[1]}[op]


@pytest.mark.parametrize("case", CASES[::11], ids=lambda case: case.id)
def test_the_oracle_agrees_with_a_search_among_all_codes(case: Case) -> None:
    arrays, params = verify.inputs(case), case.params
    kinds = quads.kinds(params)
    slots = [split(kind, arrays[name])[:64].reshape(-1) for name, kind in zip(quads.NAMES, kinds, strict=False)]
    fmt = TYPES[params["type"]].fmt
    found = split(params["type"], case.probe.oracle(params, arrays)["d"])[:64].reshape(-1)
    for index, code in enumerate(found.tolist()):
        values = [number(TYPES[kind].fmt, int(slot[index])) for kind, slot in zip(kinds, slots, strict=True)]
        exact = exactly(params["op"], values)
        assert code & 0x7F == nearest(fmt, exact)
        if exact:
            assert code >> 7 == (exact < 0)


@pytest.mark.parametrize("case", CASES[::29], ids=lambda case: case.id)
def test_a_result_is_open_only_where_the_manual_leaves_it_so(case: Case) -> None:
    arrays = verify.inputs(case)
    d = split(case.params["type"], kernels.expected(case)["d"])
    assert len(np.unique(d)) > 12
    limit = FINITE[TYPES[case.params["type"]].fmt]
    assert (d & np.uint64(0x7F) <= limit).all()
    assert set(arrays) == set(quads.NAMES[: len(quads.kinds(case.params))])


def test_saturation_rounding_and_order_show() -> None:
    named = {case.opcode: case for case in CASES}
    clamped = kernels.expected(named["mul.rn.satfinite.e4m3x4.e5m2x4.e5m2x4"])["d"]
    assert (split("e4m3x4", clamped) & np.uint64(0x7F) == 0x7E).sum() > 100
    case = named["sub.rn.e5m2x4.e4m3x4"]
    arrays = verify.inputs(case)
    summed = case.probe.oracle({**case.params, "op": "add"}, arrays)["d"]
    assert (summed != kernels.expected(case, arrays)["d"]).any()


def test_every_form_of_the_manual_is_there_for_two_chips() -> None:
    opcodes = {case.opcode for case in CASES}
    assert len(opcodes) == len(CASES) == 2 * 56 + 2 * (2 * 2 * 49) + 2 * 4
    assert {"fma.rn.satfinite.e5m2x4.ue8m0x4.e2m1p4x4", "add.e4m3x4.e2m1x4"} <= opcodes
    assert {target.name for target in CASES[0].claim.targets} == {"sm_100a", "sm_103a"}


def test_kernels_assemble_where_claimed_and_controls_everywhere() -> None:
    kernels.assert_claimed_assemble(CASES[::9], "sm_103a")
    kernels.assert_controls_assemble(CASES[::9], "sm_75")
