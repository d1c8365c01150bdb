"""Exact f32 and f64 arithmetic against other libraries; approximations against their bounds; inputs that can fail."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite import approximate, catalogue, precise, rationals, rounding, targets, verify
from suite.elementwise import TYPES, split
from suite.probe import Case, Params

CASES = {case.id: case for case in catalogue.select(("f64.*", "approximate.*"))}
EXACT = [case for case in CASES.values() if case.probe.oracle is precise.oracle]
BOUNDED = [case for case in catalogue.expand() if case.probe.oracle is approximate.oracle]


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_nearest_results_of_f64_are_those_of_the_host(op: str) -> None:
    case = CASES[f"f64.{'quotient' if op == 'div' else 'sum'}:op={op},type=f64,rnd=rn,ftz=no"]
    arrays = verify.inputs(case)
    a, b = (arrays[name].view(np.float64) for name in "ab")
    with np.errstate(all="ignore"):
        host = {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b}[op]
    assert np.array_equal(case.probe.oracle(case.params, arrays)["d"], host.view(np.uint64))


def test_nearest_roots_are_those_of_the_host() -> None:
    for fmt, kind in (("f64", np.float64), ("f32", np.float32)):
        case = CASES[f"f64.root:op=sqrt,type={fmt},rnd=rn,ftz=no"]
        arrays = verify.inputs(case)
        words = arrays["a"].astype(np.uint64 if fmt == "f64" else np.uint32)
        host = np.sqrt(words.view(kind)).view(words.dtype).astype(np.uint64)
        assert np.array_equal(case.probe.oracle(case.params, arrays)["d"], host)


@pytest.mark.parametrize("direction, wanted", [("rn", 0.1), ("rz", 0.09999999999999999), ("rm", 0.09999999999999999)])
def test_a_tenth_is_rounded_the_way_it_is_told(direction: str, wanted: float) -> None:
    assert rationals.rcp("f64", direction, 10.0) == wanted
    assert rationals.rcp("f64", "rp", 10.0) == 0.1
    assert rationals.rcp("f64", "rm", -10.0) == -0.1


def test_what_is_too_great_or_cancels_follows_the_direction() -> None:
    most = rationals.value("f32", 0x7F7FFFFF)
    assert rationals.add("f32", "rn", most, most) == math.inf
    assert rationals.add("f32", "rz", most, most) == most
    assert rationals.add("f32", "rm", -most, -most) == -math.inf
    assert math.copysign(1, rationals.add("f64", "rm", 1.0, -1.0)) == -1
    assert math.copysign(1, rationals.fma("f64", "rn", -1.0, 1.0, 1.0)) == 1
    assert rationals.fma("f64", "rn", 1 + 2.0**-52, 1 - 2.0**-52, -1.0) == -(2.0**-104)


OTHERS = {
    "rnd": {"default": "rz", "rn": "rz", "rz": "rp", "rm": "rn", "rp": "rm"},
    "ftz": {"yes": "no"},
    "op": {"add": "sub", "sub": "add", "mul": "div", "div": "mul", "rcp": "sqrt"},
}


def mutants(case: Case) -> list[Params]:
    changed = ((key, other[case.params[key]]) for key, other in OTHERS.items() if case.params[key] in other)
    tells = [(key, value) for key, value in changed if (key, case.params["op"]) != ("ftz", "sqrt")]
    return [{**case.params, key: value} for key, value in tells]


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.id)
def test_inputs_show_a_wrong_instruction(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)["d"].tolist()
    for wrong in mutants(case):
        columns = zip(*(arrays[name].tolist() for name in precise.names(case.params)), strict=True)
        other = [precise.one(wrong, *row[: len(precise.names(wrong))]) for row in columns]
        assert right != other, wrong


@pytest.mark.parametrize("case", BOUNDED, ids=lambda case: case.id)
def test_bounds_hold_what_is_rounded_right_and_not_what_is_far_off(case: Case) -> None:
    arrays, fmt = verify.inputs(case), TYPES[case.params["type"]].fmt
    words = [split(case.params["type"], arrays[name]) for name in approximate.names(case.params)]
    values = [rounding.values_of(fmt, codes) for codes in words]
    if case.params["ftz"] == "yes":
        values = [rounding.flush(fmt, value) for value in values]
    with np.errstate(all="ignore"):
        exact = approximate.EXACT[case.params["op"]](*values)
    right = rounding.round_to(fmt, exact)
    right = rounding.flush(fmt, right) if case.params["ftz"] == "yes" else right
    low, high = (rounding.values_of("f32", arrays[name].T) for name in ("low", "high"))
    assert ((low <= right) & (right <= high)).all()
    ordinary = np.isfinite(exact) & (np.abs(exact) > 1e-3) & (np.abs(exact) < 1e3)
    far = np.where(ordinary, exact * 1.02 + 2e-2 * np.sign(exact), np.nan)
    assert ordinary.any()
    assert not ((low <= far) & (far <= high)).any()


def test_a_gross_reciprocal_is_what_the_table_says() -> None:
    codes = np.array([0, 1 << 63, 0x7FF << 52, 0xFFF << 52, 1 << 40, 0xFFF8 << 48], dtype=np.uint64)
    wanted = [0x7FF << 52, 0xFFF << 52, 0, 1 << 63, 0x7FF << 52, 0x7FFFFFFF << 32]
    assert precise.gross({"op": "rcp"}, {"a": codes})["d"].tolist() == wanted


def test_kinds_of_numbers() -> None:
    codes = np.array([0, 1, 0x3F800000, 0x7F800000, 0x7FC00000], dtype=np.uint64)
    told = {
        kind: precise.tested({"type": "f32", "kind": kind}, {"a": codes})["p"].tolist()
        for kind in ("normal", "subnormal", "infinite", "notanumber")
    }
    assert told == {
        "normal": [1, 0, 1, 0, 0],
        "subnormal": [0, 1, 0, 0, 0],
        "infinite": [0, 0, 0, 1, 0],
        "notanumber": [0, 0, 0, 0, 1],
    }


@pytest.mark.parametrize(
    "case_id, ptx",
    [
        ("f64.quotient:op=div,type=f64,rnd=rn,ftz=no", (1, 4)),
        ("f64.root:op=rcp,type=f32,rnd=rz,ftz=yes", (2, 0)),
        ("f64.rcp_gross:op=rcp,type=f64", (2, 1)),
        ("approximate.one:op=lg2,type=f32,ftz=yes", (1, 4)),
    ],
)
def test_claims_are_those_of_the_manual(case_id: str, ptx: tuple[int, int]) -> None:
    assert CASES[case_id].claim.minimum(targets.parse("sm_75")) == ptx
