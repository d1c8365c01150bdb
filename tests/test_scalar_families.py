"""Moves, predicates, branches, the stack, pragmas and fabric operations: oracles, claims and inputs that can fail."""

from __future__ import annotations

import numpy as np
import pytest

from suite import catalogue, moves, predicates, targets, verify
from suite.probe import Case

FAMILIES = ("move", "predicate", "flow", "stack", "pragma", "fabric")
CASES = {case.id: case for family in FAMILIES for case in catalogue.select((f"{family}.*",))}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_every_result_has_more_than_one_value_or_a_witness(case: Case) -> None:
    arrays = verify.inputs(case)
    results = case.probe.oracle(case.params, arrays)
    told = [operand.name for operand in case.operands if operand.role == "out"]
    assert set(told) <= set(results)
    assert any(len(np.unique(results[name])) > 1 for name in told)


def test_lop3_combines_its_word_with_a_predicate() -> None:
    arrays = {
        name: np.array(column, dtype=np.uint64)
        for name, column in zip("abcq", ([6, 6], [3, 9], [0, 0], [1, 1]), strict=True)
    }
    params = {"op": "lop3", "bool": "and", "result": "told", "lut": 0xC0}  # a and b
    result = predicates.oracle(params, arrays)
    assert (result["d"].tolist(), result["p"].tolist()) == ([2, 0], [1, 0])
    assert predicates.oracle({**params, "bool": "or"}, arrays)["p"].tolist() == [1, 1]


def test_a_predicate_is_negated_or_not() -> None:
    arrays = {"q": np.array([0, 1], dtype=np.uint64), "r": np.array([1, 1], dtype=np.uint64)}
    assert predicates.oracle({"op": "not"}, arrays)["p"].tolist() == [1, 0]
    assert predicates.oracle({"op": "xor"}, arrays)["p"].tolist() == [1, 0]


def test_what_is_packed_and_unpacked_lies_lowest_first() -> None:
    pack, unpack = ({"type": "b32", "count": 2, "way": way} for way in ("pack", "unpack"))
    halves = {f"a{i}": np.array([i + 1], dtype=np.uint64) for i in range(2)}
    assert moves.oracle(pack, halves)["d"].tolist() == [[1, 2]]
    whole = {"a": np.array([[1, 2]], dtype=np.uint64)}
    assert moves.oracle(unpack, whole)["d1"].tolist() == [2]


@pytest.mark.parametrize(
    "case_id, target, ptx",
    [
        ("move.pack:type=b128,count=2,way=pack", "sm_75", (8, 3)),
        ("predicate.lop3:op=lop3,bool=and,result=sink,lut=128", "sm_75", (8, 2)),
        ("flow.brx:form=brx.idx", "sm_75", (6, 0)),
        ("stack.alloca:type=u64,align=64", "sm_75", (7, 3)),
        ("pragma.used_bytes_mask:hint=used_bytes_mask", "sm_75", (8, 3)),
        ("fabric.get:of=handle", "sm_100", (9, 3)),
        ("fabric.pullred:op=add,type=f16,acc=f32", "sm_110f", (9, 3)),
        ("fabric.atom:op=cas,type=b128", "sm_100", (9, 4)),
        ("fabric.get_hint:of=handle", "sm_120", (9, 4)),
        ("fabric.policy:primary=evict_last,secondary=none", "sm_107f", (9, 4)),
    ],
)
def test_claims_are_those_of_the_manual(case_id: str, target: str, ptx: tuple[int, int]) -> None:
    claim = CASES[case_id].claim
    assert claim.minimum(targets.parse(target)) == ptx
    assert (targets.parse("sm_90") in claim.targets) == (target == "sm_75")
