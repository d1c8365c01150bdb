"""tcgen05.ld.red, alloc and dealloc at run time: inputs that no wrong reduction survives, and every kernel run."""

from __future__ import annotations

import numpy as np
import pytest

from suite import tcgen05_reduction as facts
from suite import verify
from suite.probe import Case
from suite.render import render
from tests import copy_kernels as kernels
from tests.tcgen05_async_machine import play
from tests.tcgen05_unit import MachineError

CASES = kernels.family("tcgen05_memory")
NAMES = {case.id: case for case in CASES}
REDUCTIONS = [case for case in CASES if case.probe.form == "ld_red"]
SMALL = [case for case in CASES if case.params.get("num", "x4") == "x4" and case.params.get("columns", 64) == 64]
PTX = (9, 4)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_the_kernel_computes_what_the_oracle_expects(case: Case) -> None:
    assert play(case, sum(case.id.encode()) % (2 // case.launch.cluster[0])) == []


@pytest.mark.parametrize("op", ["min", "max"])
@pytest.mark.parametrize("num", ["x16", "x64", "x128"])
def test_larger_counts_and_both_readings_of_a_lane(op: str, num: str) -> None:
    case = NAMES[f"tcgen05_memory.ld_red:shape=16x32bx2,num={num},op={op},abs=yes,nan=yes,type=f32"]
    assert [play(case, 1, whole_lane=whole) for whole in (False, True)] == [[], []]


RED = "tcgen05_memory.ld_red:shape={},num=x4,op={},abs={},nan=no,type={}"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(RED.format("32x32b", "min", "no", "f32"), ".min.f32", ".max.f32", id="max"),
        pytest.param(RED.format("32x32b", "min", "no", "f32"), ".min.f32", ".min.abs.f32", id="abs"),
        pytest.param(RED.format("32x32b", "max", "yes", "f32"), ".max.abs.f32", ".max.f32", id="no abs"),
        pytest.param(RED.format("32x32b", "max", "no", "u32"), ".max.u32", ".max.s32", id="signed"),
        pytest.param(RED.format("16x32bx2", "min", "no", "s32"), ".min.s32", ".min.u32", id="unsigned"),
        pytest.param(RED.format("16x32bx2", "min", "no", "s32"), "[%taddr], 8;", "[%taddr], 9;", id="second part"),
        pytest.param(
            RED.format("16x32bx2", "max", "no", "u32"), "shl.b32 %upper, %upper, 20", "mov.u32 %upper, 0", id="lanes"
        ),
    ],
)
def test_a_broken_kernel_is_wrong(name: str, old: str, new: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    assert play(NAMES[name], 1, text) == []
    assert "red" in play(NAMES[name], 1, text.replace(old, new))


def test_dealloc_of_another_count_is_stopped() -> None:
    case = NAMES["tcgen05_memory.dealloc_counted:cta_group=1,columns=64"]
    text = render(case).armed.text
    assert "%tensor, %count;" in text
    with pytest.raises(MachineError, match="another number of columns"):
        play(case, 0, text.replace("%tensor, %count;", "%tensor, 32;"))


EXCLUSIVE = "tcgen05_memory.{}_exclusive:cta_group={},permit=exclusive,columns=96"


@pytest.mark.parametrize("form, group", [("alloc", 1), ("alloc", 2), ("dealloc", 1)])
def test_columns_that_are_no_power_of_two_are_for_exclusive_allocations_alone(form: str, group: int) -> None:
    case = NAMES[EXCLUSIVE.format(form, group)]
    text = render(case).armed.text
    assert play(case, 0, text) == []
    with pytest.raises(MachineError, match="96 columns"):
        play(case, 0, text.replace("alloc.exclusive", "alloc"))
    with pytest.raises(MachineError, match="the other way round"):
        play(case, 0, text.replace("dealloc.exclusive", "dealloc"))


def test_exclusive_allocations_are_for_every_chip_with_tensor_memory_since_9_4() -> None:
    claim = NAMES[EXCLUSIVE.format("alloc", 1)].claim
    assert {target.name for target in claim.targets} == {
        f"sm_{chip}{suffix}" for chip in (100, 103, 107, 110) for suffix in "af"
    }
    assert claim.ptx == (9, 4)


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REDUCTIONS, ids=lambda case: case.id)
def test_no_other_choice_of_cells_has_the_same_result(case: Case) -> None:
    arrays, expected = verify.inputs(case), kernels.expected(case)
    out, red = expected["out"], expected["red"]
    quiet = np.uint64(0x7FFFFFFF if case.params["abs"] == "yes" else 0xFFFFFFFF)
    nan = red == np.uint64(0x7FFFFFFF)
    assert nan.any() == (case.params["nan"] == "yes")
    hits = (out & quiet) == red[..., np.newaxis]
    assert (hits.sum(-1) == 1)[~nan].all(), "the result stands once in each thread's registers"
    places = {int(place) for place in np.argmax(hits, -1)[~nan]}
    wanted = out.shape[-1] if case.params["nan"] == "no" else out.shape[-1] // 2
    assert len(places) >= min(wanted, 64), "the result stands in every register of some thread"
    loaded = np.isin(arrays["rows"], facts.DECOYS[case.params["type"]], invert=True).sum()
    assert loaded <= out.size, "all cells that are not loaded hold decoys"


def test_reductions_of_two_parts_agree_with_those_of_the_lane() -> None:
    for case in REDUCTIONS:
        if case.params["shape"] == "16x32bx2":
            red = kernels.expected(case)["red"].reshape(2, 4, 2, 16)
            np.testing.assert_array_equal(red[:, :, 0], red[:, :, 1])


# --- the assembler ----------------------------------------------------------------------------------------------------


def test_the_cases_are_every_form_of_the_manual() -> None:
    assert len({case.opcode for case in REDUCTIONS}) == len(REDUCTIONS) == 2 * 7 * 2 * (4 + 2)
    assert "tcgen05.ld.red.sync.aligned.16x32bx2.x128.max.abs.NaN.f32" in {case.opcode for case in REDUCTIONS}
    forms = {case.probe.form for case in CASES} - {"ld_red"}
    assert {form: sum(case.probe.form == form for case in CASES) for form in forms} == {
        "alloc_generic": 10,
        "alloc_counted": 10,
        "dealloc_counted": 10,
        "alloc_exclusive": 10,
        "alloc_exclusive_generic": 10,
        "dealloc_exclusive": 10,
    }


@pytest.mark.parametrize("part", ["armed", "scaffold"])
def test_armed_and_scaffold_assemble_on_sm_103a(part: str) -> None:
    outcome = kernels.assemble([getattr(source, part) for source in kernels.sources(CASES)], "sm_103a", PTX)
    assert outcome.accepted, outcome.log


def test_controls_assemble_everywhere() -> None:
    outcome = kernels.assemble([source.control for source in kernels.sources(CASES)], "sm_75", (8, 7))
    assert outcome.accepted, outcome.log


@pytest.mark.parametrize("target", ["sm_90a", "sm_120a", "sm_100a", "sm_103f", "sm_107f", "sm_110f"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    claimed = kernels.claimed(CASES, target)
    expected = {s.armed.name for s in kernels.sources(case for case in CASES if case not in claimed)}
    assert kernels.refused((s.armed for s in kernels.sources(CASES)), target, PTX) == expected


def test_claims_follow_the_manual() -> None:
    red = REDUCTIONS[0].claim
    assert {target.name: red.minimum(target) for target in red.targets} == {
        "sm_103a": (8, 8), "sm_103f": (8, 8), "sm_107a": (8, 8), "sm_107f": (8, 8),
        "sm_110a": (9, 0), "sm_110f": (9, 0),
    }  # fmt: skip
