"""Carries: what each instruction takes and leaves, and inputs that can fail."""

from __future__ import annotations

import numpy as np
import pytest

from suite import carry, catalogue, targets, verify
from suite.probe import Case, Params

CASES = {case.id: case for case in catalogue.select(("carry.*",))}


@pytest.mark.parametrize(
    "op, cc, words, wanted",
    [
        ("add", "yes", (1, 0xFFFFFFFF, 1), (0, 1)),
        ("addc", "yes", (1, 0xFFFFFFFF, 0), (0, 1)),
        ("addc", "no", (0, 0xFFFFFFFF, 1), (0, 0)),
        ("addc", "no", (1, 1, 1), (3, 1)),
        ("sub", "yes", (0, 0, 1), (0xFFFFFFFF, 1)),
        ("subc", "yes", (1, 5, 5), (0xFFFFFFFF, 1)),
        ("subc", "yes", (1, 5, 4), (0, 0)),
    ],
)
def test_sums_take_and_leave_what_the_manual_says(
    op: str, cc: str, words: tuple[int, ...], wanted: tuple[int, int]
) -> None:
    assert carry.one({"op": op, "cc": cc, "type": "u32"}, *words) == wanted


def test_a_signed_high_half_is_added_as_a_word() -> None:
    params = {"op": "madc", "cc": "yes", "type": "s32", "part": "hi"}
    assert carry.one(params, 1, 0xFFFFFFFF, 1, 0) == (0, 1)  # -1 * 1 has a high half of all ones
    assert carry.one({**params, "type": "u32"}, 1, 0xFFFFFFFF, 1, 0) == (1, 0)


def test_a_chain_of_words_is_a_sum_of_many() -> None:
    a, b, given, total = 0xFFFFFFFF_00000001, 0x00000000_FFFFFFFF, 0, 0
    for word in range(2):
        op = "addc" if word else "add"
        d, given = carry.one(
            {"op": op, "cc": "yes", "type": "u32"}, given, a >> 32 * word & 0xFFFFFFFF, b >> 32 * word & 0xFFFFFFFF
        )
        total |= d << 32 * word
    assert total | given << 64 == a + b


@pytest.mark.parametrize(
    "case_id, ptx",
    [
        ("carry.sum:op=add,cc=yes,type=u32", (1, 2)),
        ("carry.sum:op=subc,cc=no,type=s64", (4, 3)),
        ("carry.product:op=madc,part=hi,cc=no,type=u32", (3, 0)),
    ],
)
def test_claims_are_those_of_the_manual(case_id: str, ptx: tuple[int, int]) -> None:
    assert CASES[case_id].claim.minimum(targets.parse("sm_75")) == ptx


def mutants(case: Case) -> list[Params]:
    others = {"op": {"add": "addc", "addc": "add", "sub": "subc", "subc": "sub", "mad": "madc", "madc": "mad"}}
    others["cc"] = {"yes": "no", "no": "yes"}
    others["part"] = {"hi": "lo", "lo": "hi"}
    return [{**case.params, key: other[case.params[key]]} for key, other in others.items() if key in case.params]


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_inputs_show_a_wrong_instruction(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)
    assert 0 < np.count_nonzero(right["left"]) < carry.THREADS
    for wrong in mutants(case):
        other = case.probe.oracle(wrong, arrays)
        assert any(not np.array_equal(right[name], other[name]) for name in ("d", "left")), wrong
