"""Comparisons and selections: what the operators mean, what the manual claims, and inputs that can fail."""

from __future__ import annotations

import numpy as np
import pytest

from suite import catalogue, compare, targets, verify
from suite.probe import Case, Params

CASES = {case.id: case for case in catalogue.select(("compare.*",))}
SAMPLE = list(CASES.values())[:: len(CASES) // 60]


@pytest.mark.parametrize(
    "cmp, below, same, above, unknown",
    [
        ("eq", False, True, False, False),
        ("ne", True, False, True, False),
        ("lt", True, False, False, False),
        ("geu", False, True, True, True),
        ("neu", True, False, True, True),
        ("equ", False, True, False, True),
        ("num", True, True, True, False),
        ("nan", False, False, False, True),
    ],
)
def test_ordered_comparisons_of_nan_are_false_and_unordered_ones_true(
    cmp: str, below: bool, same: bool, above: bool, unknown: bool
) -> None:
    x, y = np.array([1.0, 2.0, 3.0, np.nan, 2.0]), np.array([2.0, 2.0, 2.0, 2.0, np.nan])
    assert compare.holds(cmp, x, y).tolist() == [below, same, above, unknown, unknown]


def test_signed_and_unsigned_words_compare_as_their_types() -> None:
    words = np.array([0xFFFF, 1], dtype=np.uint64)
    assert compare.values("s16", words)[:, 0].tolist() == [-1, 1]
    assert compare.values("u16", words)[:, 0].tolist() == [0xFFFF, 1]
    lowest = np.array([1 << 63], dtype=np.uint64)
    assert compare.holds("lt", compare.values("s64", lowest), np.array([[0]])).all()
    assert not compare.holds("lo", compare.values("u64", lowest), np.array([[0]], dtype=np.uint64)).any()


def test_a_packed_set_writes_each_half() -> None:
    arrays = {"a": np.array([0x3C00_4000], dtype=np.uint64), "b": np.array([0x3C00_3C00], dtype=np.uint64)}
    params = {"type": "f16x2", "cmp": "eq", "dtype": "f16x2"}
    assert compare.set_oracle(params, arrays)["d"].tolist() == [0x3C00_0000]
    assert compare.set_oracle({**params, "dtype": "u32"}, arrays)["d"].tolist() == [0xFFFF_0000]
    told = compare.setp_oracle({**params, "pair": "yes"}, arrays)
    assert (told["p"].tolist(), told["q"].tolist()) == ([0], [1])


def test_slct_takes_b_for_nan_and_a_for_negative_zero() -> None:
    c = np.array([0x7FC00000, 0x80000000, 0x80000001, 0xBF800000], dtype=np.uint64)
    arrays = {"a": np.full(4, 7, np.uint64), "b": np.full(4, 9, np.uint64), "c": c}
    assert compare.select_oracle({"sign": "f32"}, arrays)["d"].tolist() == [9, 7, 9, 9]
    assert compare.select_oracle({"sign": "f32", "ftz": "yes"}, arrays)["d"].tolist() == [9, 7, 7, 9]


@pytest.mark.parametrize(
    "case_id, target, ptx",
    [
        ("compare.setp:type=f64,cmp=lt,ftz=no,pair=no", "sm_75", (1, 0)),
        ("compare.setp_halves:type=f16x2,cmp=lt,ftz=yes,pair=yes", "sm_75", (4, 2)),
        ("compare.setp_half:type=bf16,cmp=lt,ftz=no,pair=no", "sm_90", (7, 8)),
        ("compare.set_half:type=f16,cmp=lt,ftz=no,dtype=u16", "sm_75", (6, 5)),
        ("compare.set_half_into:dtype=bf16,type=u64,cmp=ne,ftz=no", "sm_90", (7, 8)),
    ],
)
def test_claims_are_those_of_the_manual(case_id: str, target: str, ptx: tuple[int, int]) -> None:
    claim = CASES[case_id].claim
    assert claim.minimum(targets.parse(target)) == ptx
    assert (targets.parse("sm_89") in claim.targets) == (target == "sm_75")


OTHERS = {
    "ftz": {"yes": "no"},
    "negate": {"yes": "no", "no": "yes"},
    "bool": {"and": "or", "or": "xor", "xor": "and"},
    "cmp": {cmp: other for cmp, other in zip(compare.FLOATING, compare.FLOATING[1:], strict=False) if cmp != "ge"}
    | {"lo": "ls", "ls": "hi", "hi": "hs"},
}


def mutants(case: Case) -> list[Params]:
    return [
        {**case.params, key: other[case.params[key]]} for key, other in OTHERS.items() if case.params.get(key) in other
    ]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.id)
def test_inputs_show_a_wrong_modifier(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)
    told = [operand.name for operand in case.operands if operand.role == "out"]
    for wrong in mutants(case):
        if wrong.get("ftz") == "no" and wrong.get("cmp") in ("num", "nan") and case.params["ftz"] == "yes":
            continue  # no subnormal is a NaN
        other = case.probe.oracle(wrong, arrays)
        assert any(not np.array_equal(right[name], other[name]) for name in told), wrong
