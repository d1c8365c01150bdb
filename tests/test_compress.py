"""spcompress and spdecompress: sizes of the manual, its examples, and oracles that undo each other."""

from __future__ import annotations

import numpy as np
import pytest

from suite import compress, verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("compress")
SQUEEZE = [case for case in CASES if case.params["op"] == "spcompress"]
EXPAND = [case for case in CASES if case.params["op"] == "spdecompress"]


def named(opcode: str) -> Case:
    return next(case for case in CASES if case.opcode == opcode)


@pytest.mark.parametrize(
    "opcode, index, kept, dense",
    [
        ("spcompress.b8.b2.sp::2:4.x4", 1, 4, 8),
        ("spcompress.b16.b2.sp::2:4.x64", 8, 64, 128),
        ("spcompress.b8.b4.sp::2:4.x64", 32, 64, 128),
        ("spdecompress.b8.b2.sp::2:4.x32", 4, 16, 32),
        ("spdecompress.b8.b4.sp::4:16.x1", 1, 1, 4),
    ],
)
def test_vectors_have_the_sizes_of_the_manual(opcode: str, index: int, kept: int, dense: int) -> None:
    assert compress.sizes(named(opcode).params) == {"index": index, "kept": kept, "dense": dense}


def test_what_the_manual_forbids_is_not_there() -> None:
    opcodes = {case.opcode for case in CASES}
    assert len(SQUEEZE) == 2 * 2 * 7
    assert "spdecompress.b16.b4.sp::4:8.x4" not in opcodes, "an iteration of more than 32 bits"
    assert "spdecompress.b8.b2.sp::2:8.x4" not in opcodes, "2 bits name four places"
    assert "spdecompress.b8.b4.sp::1:2.x1" not in opcodes, "less than a register"
    assert "spdecompress.b8.b4.sp::4:16.x64" not in opcodes, "more than 128 registers"


@pytest.mark.parametrize("case", SQUEEZE[::5], ids=lambda case: case.id)
def test_the_two_greatest_of_four_are_kept_with_their_places(case: Case) -> None:
    params, arrays = case.params, verify.inputs(case)
    found = case.probe.oracle(params, arrays)
    bits, word = params["element"], np.dtype(f"<u{params['element'] // 8}")
    dense = arrays["dense"].astype("<u4").view(word).tolist()
    kept = found["kept"].astype("<u4").view(word).tolist()
    stream = sum(int(part) << 32 * i for i, part in enumerate(found["index"]))
    for group in range(len(dense) // 4):
        four = dense[4 * group : 4 * group + 4]
        assert sorted(kept[2 * group : 2 * group + 2]) == sorted(four)[2:]
        for slot in (2 * group, 2 * group + 1):
            place = stream >> slot * params["index"] & ((1 << params["index"]) - 1)
            assert four[place] == kept[slot] < 1 << bits


@pytest.mark.parametrize("case", [case for case in EXPAND if case.params["few"] == 2][::7], ids=lambda case: case.id)
def test_expanding_puts_every_element_in_its_place_and_zero_elsewhere(case: Case) -> None:
    params, arrays = case.params, verify.inputs(case)
    dense = case.probe.oracle(params, arrays)["dense"]
    word = np.dtype(f"<u{params['element'] // 8}")
    got = dense.astype("<u4").view(word).tolist()
    kept = arrays["kept"].astype("<u4").view(word).tolist()
    stream = sum(int(part) << 32 * i for i, part in enumerate(arrays["index"]))
    want = [0] * len(got)
    for slot in range(len(got) // params["many"] * 2):
        place = stream >> slot * params["index"] & ((1 << params["index"]) - 1)
        want[slot // 2 * params["many"] + place] = kept[slot]
    assert got == want
    assert 0 < sum(value != 0 for value in got) < len(got)


def test_kernels_assemble_where_claimed_and_controls_everywhere() -> None:
    kernels.assert_claimed_assemble(CASES[::4], "sm_107a")
    kernels.assert_controls_assemble(CASES[::4], "sm_75")
    assert {target.name for target in CASES[0].claim.targets} == {"sm_107a"}
