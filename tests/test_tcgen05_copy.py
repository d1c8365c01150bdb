"""tcgen05.cp, shift and commit to other CTAs: placement by hand, and every kernel run in a small machine of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suite import tcgen05_copy as facts
from suite import verify
from suite.probe import Case
from suite.render import render
from tests import copy_kernels as kernels
from tests.tcgen05_async_machine import play
from tests.tcgen05_unit import MachineError

CASES = kernels.family("tcgen05_copy")
NAMES = {case.id: case for case in CASES}
PTX = (9, 4)
LAUNCHED = [case for case in CASES if not case.probe.unlaunched]


def trials(case: Case) -> range:
    return range(case.launch.grid[0] // case.launch.cluster[0])


# --- placement --------------------------------------------------------------------------------------------------------


def test_every_lane_gets_the_row_that_the_manual_names() -> None:
    rows = {key: block.row_of_lane for key, block in facts.BLOCKS.items() if block.row_of_lane is not None}
    first = {multicast: order[[0, 33, 64, 97]].tolist() for (_, multicast), order in rows.items()}
    assert first["none"] == [0, 33, 64, 97]
    assert first["warpx2::02_13"] == [0, 33, 0, 33], "warps 0 and 2, and 1 and 3, hold the same"
    assert first["warpx2::01_23"] == [0, 1, 32, 33], "warps 0 and 1, and 2 and 3, hold the same"
    assert first["warpx4"] == [0, 1, 0, 1]
    for key, block in facts.BLOCKS.items():
        lanes, bits = key[0].removesuffix("b").split("x")
        assert (block.rows, block.row_bytes * 8) == (int(lanes), int(bits))
        if block.row_of_lane is not None:
            assert set(block.row_of_lane.tolist()) == set(range(block.rows))


def test_the_cases_are_every_shape_source_and_group_of_the_manual() -> None:
    opcodes = {case.opcode for case in CASES if case.probe.form == "cp"}
    assert len(opcodes) == 6 * 3 * 2
    assert "tcgen05.cp.cta_group::2.128x128b.b8x16.b6x16_p32" in opcodes
    assert "tcgen05.cp.cta_group::1.64x128b.warpx2::02_13" in opcodes
    assert {case.params["swizzle"] for case in CASES if case.probe.form == "cp"} == {"none", "32B", "64B", "128B"}
    assert {case.opcode for case in CASES if case.probe.form == "shift"} == {
        "tcgen05.shift.down.cta_group::1",
        "tcgen05.shift.down.cta_group::2",
    }
    assert len({case.opcode for case in CASES if case.probe.form.startswith("commit")}) == 8 * 4


# --- the machine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAUNCHED, ids=lambda case: case.id)
def test_the_kernel_computes_what_the_oracle_expects(case: Case) -> None:
    for trial in trials(case) if case.probe.form != "cp" else (sum(case.id.encode()) % 2,):
        assert play(case, trial) == []


@pytest.mark.parametrize("lanes", [(0, 32, 64, 96), (31, 63, 95, 127), (0, 1, 2, 3)])
def test_four_rows_may_lie_in_any_lanes_but_only_once(lanes: tuple[int, ...]) -> None:
    case = NAMES["tcgen05_copy.cp:cta_group=2,shape=4x256b,multicast=none,source=none,swizzle=none"]
    assert play(case, 1, rows_at=lanes) == []
    assert play(case, 1, rows_at=(5, 5, 5, 5)) == ["out"]


@pytest.mark.parametrize("group", [1, 2])
def test_a_shift_may_go_either_way_but_by_one_row(group: int) -> None:
    case = NAMES[SHIFT.format(group)]
    assert [play(case, 3, down=way) for way in (1, -1)] == [[], []]
    assert [play(case, 3, down=way) for way in (0, 2, -2)] == [["out"]] * 3


CP = "tcgen05_copy.cp:cta_group=1,shape={},multicast={},source={},swizzle={}"
FOUR = CP.format("4x256b", "none", "none", "none")
WIDE = CP.format("128x256b", "none", "none", "none")
SWIZZLED = CP.format("128x256b", "none", "none", "128B")
MULTICAST = "tcgen05_copy.commit_multicast:cta_group=1,space=generic"
WIDER = "tcgen05_copy.commit_multicast_32b:cta_group=1,space=generic"
SHIFT = "tcgen05_copy.shift:cta_group={}"
REMOTE = "tcgen05_copy.commit_remote:cta_group=2,space=shared::cluster"


@pytest.mark.parametrize(
    ("name", "trial", "old", "new"),
    [
        pytest.param(WIDE, 1, "mul.lo.u32 %taddr, %trial, 8", "mul.lo.u32 %taddr, %trial, 0", id="column"),
        pytest.param(WIDE, 0, "0x0000400800800000", "0x0000408000080000", id="offsets swapped"),
        pytest.param(SWIZZLED, 0, "0x4000404000010000", "0x8000402000010000", id="swizzle"),
        pytest.param(SWIZZLED, 1, "mul.lo.u32 %row, %trial, 32", "mul.lo.u32 %row, %trial, 0", id="slice"),
        pytest.param(
            CP.format("64x128b", "warpx2::01_23", "none", "none"), 0, "warpx2::01_23", "warpx2::02_13", id="pairs"
        ),
        pytest.param(CP.format("32x128b", "warpx4", "b4x16_p64", "none"), 0, "b4x16_p64", "b6x16_p32", id="source"),
        pytest.param(CP.format("128x128b", "none", "b6x16_p32", "none"), 0, ".b8x16.b6x16_p32", "", id="not expanded"),
        pytest.param(FOUR, 0, "tcgen05.cp.cta_group::1.4x256b [%taddr], %sdesc;", "", id="none"),
        pytest.param(MULTICAST, 1, "cvt.u16.u32 %ctas, %mask", "mov.u32 %ctas, 15", id="to all"),
        pytest.param(WIDER, 1, "b64 [%here], %mask", "b64 [%here], 15", id="another mask"),
        pytest.param(MULTICAST, 5, ".cta_group::1.128x128b", ".cta_group::2.128x128b", id="peer too"),
        pytest.param(SHIFT.format(1), 2, "shl.b32 %taddr, %trial, 21", "mov.u32 %taddr, 0", id="lanes"),
    ],
)
def test_a_broken_kernel_is_wrong(name: str, trial: int, old: str, new: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    assert play(NAMES[name], trial, text) == []
    assert play(NAMES[name], trial, text.replace(old, new)) != []


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        (MULTICAST, "cvt.u16.u32 %ctas, %mask", "mov.u32 %ctas, 0", "nobody completes"),
        (REMOTE, "bfind.u32 %target, %mask", "mov.u32 %target, 3", "nobody completes"),
        (WIDE, "@!%leader bra ISSUED;", "", "issued by 32 threads"),
        (WIDE, "add.u32 %taddr, %taddr, %tensor;", "", "not allocated"),
        (
            SHIFT.format(2),
            "shl.b32 %taddr, %trial, 21",
            "shl.b32 %taddr, %trial, 20",
            "multiple of 32",
        ),
    ],
)
def test_a_kernel_that_breaks_a_rule_is_stopped(name: str, old: str, new: str, complaint: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    with pytest.raises(MachineError, match=complaint):
        play(NAMES[name], 1, text.replace(old, new))


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_result_tells_the_instruction_from_its_absence(case: Case) -> None:
    arrays = verify.inputs(case)
    changed = kernels.expected(case)["out"] != _untouched(case, arrays)
    assert changed.reshape(len(changed), -1).any(axis=1).sum() == _touched(case, arrays)


def _untouched(case: Case, arrays: Any) -> np.ndarray:
    """Return what the kernel would give if nothing were copied or shifted."""
    fields = case.probe.fields(case.params)
    cells = arrays["rows"] & np.uint64(int(fields.get("mask", "0xffffffff"), 16))
    if case.probe.form == "shift":
        cells[kernels.expected(case)["out"] == 0] = 0
    total: np.ndarray = cells.sum(axis=1) & np.uint64(0xFFFFFFFF) if fields.get("summed") else cells
    return total


def _touched(case: Case, arrays: Any) -> int:
    group: int = case.params["cta_group"]
    return group * (len(arrays["issuer"]) if "issuer" in arrays else case.launch.grid[0] // group)


# --- the assembler ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["armed", "scaffold"])
def test_armed_and_scaffold_assemble_where_claimed(part: str) -> None:
    for target in ("sm_100a", "sm_107a"):
        sources = kernels.sources(kernels.claimed(CASES, target))
        outcome = kernels.assemble([getattr(source, part) for source in sources], target, PTX)
        assert outcome.accepted, outcome.log


def test_controls_assemble_everywhere() -> None:
    outcome = kernels.assemble([source.control for source in kernels.sources(CASES)], "sm_75", (8, 7))
    assert outcome.accepted, outcome.log


@pytest.mark.parametrize("target", ["sm_90a", "sm_120a", "sm_100f", "sm_103a", "sm_107f", "sm_110f"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    claimed = kernels.claimed(CASES, target)
    expected = {s.armed.name for s in kernels.sources(case for case in CASES if case not in claimed)}
    assert kernels.refused((s.armed for s in kernels.sources(CASES)), target, PTX) == expected


def test_claims_follow_the_manual() -> None:
    shift = NAMES[SHIFT.format(1)].claim
    assert {target.name: shift.minimum(target) for target in shift.targets} == {
        "sm_100a": (8, 6),
        "sm_103a": (8, 8),
        "sm_110a": (9, 0),
    }
    wide = NAMES[WIDE].claim
    assert {"sm_100a", "sm_100f", "sm_103f", "sm_107a", "sm_110a"} <= {target.name for target in wide.targets}


def test_what_commit_has_since_9_4_is_for_the_chips_that_the_manual_names() -> None:
    names = {
        form: {target.name for target in NAMES[f"tcgen05_copy.{form}:cta_group=1,space=generic"].claim.targets}
        for form in ("commit_multicast_16b", "commit_multicast_32b", "commit_early")
    }
    assert {"sm_100a", "sm_100f", "sm_103a", "sm_107f", "sm_110f"} <= names["commit_multicast_16b"]
    assert names["commit_multicast_32b"] == names["commit_early"] == {"sm_107a", "sm_107f"}
