"""tcgen05.ld with .spcompress: vectors by hand, inputs that no other choice survives, and kernels run in a machine."""

from __future__ import annotations

import numpy as np
import pytest

from suite import tcgen05_compress as facts
from suite import verify
from suite.formats import FORMATS, decode
from suite.probe import Case
from suite.render import render
from tests import copy_kernels as kernels
from tests.tcgen05_async_machine import play
from tests.tcgen05_unit import MachineError

CASES = kernels.family("tcgen05_compress")
NAMES = {case.id: case for case in CASES}
SMALL = [case for case in CASES if case.params["num"] in ("x4", "x32")]
LD = "tcgen05_compress.ld:shape=32x32b,num={},op={},abs={}"
RED = "tcgen05_compress.ld_red:shape=32x32b,num={},op={},abs={},nan={}"


def _hand(values: list[float], **params: str) -> list[int]:
    """Return what the oracle gives the first thread whose lane starts with these values."""
    case = NAMES[LD.format("x4", params.get("op", "max"), params.get("abs", "no"))]
    rows = np.array(verify.inputs(case)["rows"])
    rows[0, 0, :4] = np.array(values, dtype="<f4").view("<u4")
    return [int(word) for word in case.probe.oracle(case.params, {"rows": rows})["out"][0, 0]]


def _words(*values: float) -> list[int]:
    return [int(word) for word in np.array(values, dtype="<f4").view("<u4")]


@pytest.mark.parametrize(
    ("params", "places", "kept"),
    [
        ({"op": "max"}, 0b10_00, (1.0, 3.0)),
        ({"op": "max", "abs": "yes"}, 0b10_01, (-5.0, 3.0)),
        ({"op": "min"}, 0b11_01, (-5.0, -0.5)),
        ({"op": "min", "abs": "yes"}, 0b11_00, (1.0, -0.5)),
    ],
    ids=str,
)
def test_two_of_four_by_hand(params: dict[str, str], places: int, kept: tuple[float, float]) -> None:
    assert _hand([1.0, -5.0, 3.0, -0.5], **params) == [places, *_words(*kept)]


def test_a_nan_is_always_kept() -> None:
    for op in ("min", "max"):
        assert _hand([1.0, 2.0, 3.0, float("nan")], op=op)[0] >> 2 == 3


@pytest.mark.parametrize(("num", "sizes"), [("x4", (1, 2)), ("x32", (1, 16)), ("x64", (2, 32)), ("x128", (4, 64))])
def test_vectors_are_as_long_as_table_60_says(num: str, sizes: tuple[int, int]) -> None:
    params = NAMES[LD.format(num, "max", "no")].params
    assert (facts.index_words(params), facts.kept_words(params)) == sizes


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_the_kernel_computes_what_the_oracle_expects(case: Case) -> None:
    assert play(case, sum(case.id.encode()) % 2) == []


def test_indices_beyond_one_word_follow_in_the_next() -> None:
    for num in ("x64", "x128"):
        assert play(NAMES[RED.format(num, "min", "yes", "yes")], 1) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(RED.format("x4", "min", "no", "no"), ".min.sp", ".max.sp", id="max"),
        pytest.param(RED.format("x4", "max", "no", "no"), "2:4.f32", "2:4.abs.f32", id="abs"),
        pytest.param(LD.format("x8", "max", "yes"), "{r0}, {r1, r2,", "{r0}, {r2, r1,", id="order"),
        pytest.param(LD.format("x64", "max", "no"), "{r0, r1}", "{r1, r0}", id="words of indices"),
    ],
)
def test_a_broken_kernel_is_wrong(name: str, old: str, new: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    assert play(NAMES[name], 1, text) == []
    assert "out" in play(NAMES[name], 1, text.replace(old, new))


def test_a_nan_without_its_modifier_is_left_open() -> None:
    case = NAMES[RED.format("x4", "max", "no", "yes")]
    with pytest.raises(MachineError, match="a NaN"):
        play(case, 1, render(case).armed.text.replace(".NaN", ""))


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_inputs_leave_no_choice_open(case: Case) -> None:
    count = int(case.params["num"][1:])
    loaded = decode(FORMATS["f32"], verify.inputs(case)["rows"][..., :count]).astype(np.float64).reshape(-1, 4)
    assert (np.diff(np.sort(np.abs(loaded)), axis=-1)[~np.isnan(loaded).any(-1)] > 0).all()
    assert (np.isnan(loaded).sum(-1) <= 2).all()
    assert np.isnan(loaded).any() == (case.params.get("nan", "yes") == "yes")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_pair_of_places_and_both_signs_are_kept(case: Case) -> None:
    out = kernels.expected(case)["out"]
    codes = {int(word) & 15 for word in out[..., 0].reshape(-1)}
    assert codes == {0b0100, 0b1000, 0b1100, 0b1001, 0b1101, 0b1110}
    if case.params["abs"] == "yes":
        assert {int(word) >> 31 for word in out[..., facts.index_words(case.params)].reshape(-1)} == {0, 1}


# --- the assembler ----------------------------------------------------------------------------------------------------


def test_the_cases_are_every_form_of_the_manual() -> None:
    opcodes = {case.opcode for case in CASES}
    assert len(opcodes) == len(CASES) == 6 * 2 * (2 + 4)
    assert "tcgen05.ld.red.spcompress.sync.aligned.32x32b.x32.max.sp::2:4.abs.f32.b2" in opcodes
    assert all(case.probe.unlaunched for case in CASES)


def test_claims_follow_the_manual() -> None:
    claim = CASES[0].claim
    assert {target.name: claim.minimum(target) for target in claim.targets} == {"sm_107a": (9, 4)}
    assert claim.cited == "PTX ISA 9.4, 9.7.18.8.3"


def test_armed_and_scaffold_assemble_where_claimed_and_controls_everywhere() -> None:
    kernels.assert_claimed_assemble(CASES, "sm_107a")
    kernels.assert_controls_assemble(CASES, "sm_90a")
    control = kernels.assemble([source.control for source in kernels.sources(CASES)], "sm_75", (8, 7))
    assert control.accepted, control.log


@pytest.mark.parametrize("target", ["sm_100a", "sm_103f", "sm_107f", "sm_120a"])
def test_the_instruction_itself_is_refused_elsewhere(target: str) -> None:
    sources = kernels.sources(CASES)
    assert kernels.refused((source.armed for source in sources), target) == {s.armed.name for s in sources}
