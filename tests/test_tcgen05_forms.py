"""The forms of tcgen05.mma: descriptors and layouts by hand, and kernels run in a machine of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite import verify
from suite.operands import Operand
from suite.probe import Arrays, Case
from suite.render import render
from suite.tcgen05_cells import packed_rows
from suite.tcgen05_forms import Form, Place, column_mask, metadata, multiplicand, result, scale_a, scale_b
from tests import copy_kernels as kernels
from tests import tcgen05_machine as machine
from tests.tcgen05_forms_machine import FormMachine
from tests.tcgen05_unit import MachineError

FAMILIES = ("tcgen05_mma", "tcgen05_scaled", "tcgen05_sparse", "tcgen05_ws", "tcgen05_next")
EVERY = [case for name in FAMILIES for case in kernels.family(name)]
CASES = [case for case in EVERY if not case.probe.unlaunched]
NAMES = {case.id: case for case in CASES}
PTX = (9, 0)
PLAIN = Form(1, "f16", ("f32", "f16", "f16"), 128, 64)


# --- descriptors and layouts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "bits"),
    [
        (PLAIN, 0x08100010),
        (replace(PLAIN, negate="a"), 0x08102010),
        (replace(PLAIN, negate="ab"), 0x08106010),
        (replace(PLAIN, sparse=True, selector=1), 0x08100015),
        (replace(PLAIN, ws=True, m=32, shift=16), 0x82100010),
        (Form(1, "i8", ("s32", "s8", "u8"), 64, 32, saturate=True), 0x040800A8),
        (Form(1, "mxf8f6f4", ("f32", "e2m1", "e5m2"), 128, 8, scale="ue8m0", ids=(1, 3)), 0x288206B0),
        (Form(2, "mxf8f6f4", ("f32", "e4m3", "e4m3"), 256, 256, scale="ue8m0"), 0x10C00000),
        (Form(1, "mxf4", ("f32", "e2m1", "e2m1"), 128, 128, scale="ue8m0", ids=(2, 2)), 0x48A004A0),
        (Form(1, "mxf4nvf4", ("f32", "e2m1", "e2m1"), 128, 128, scale="ue4m3", sparse=True), 0x08200484),
        (Form(1, "mxf4nvf4", ("f32", "e2m1", "e2m1"), 128, 128, scale="ue5m3"), 0x09200480),
    ],
)
def test_instruction_descriptors_by_hand(form: Form, bits: int) -> None:
    assert f"0x{form.descriptor:08X}" == f"0x{bits:08X}"


@pytest.mark.parametrize(
    ("changes", "element", "cell"),
    [
        ({"group": 2, "m": 256}, (200, 63), (1, 72, 63)),  # layout A
        ({"group": 2}, (65, 10), (1, 1, 10)),  # B: the first half of the columns
        ({"group": 2}, (65, 40), (1, 65, 8)),  # B: the second
        ({"group": 2, "sparse": True}, (65, 40), (1, 1, 40)),  # C
        ({"group": 2, "sparse": True}, (81, 40), (1, 33, 40)),
        ({}, (100, 5), (0, 100, 5)),  # D
        ({"m": 64, "ws": True}, (63, 31), (0, 63, 31)),  # E
        ({"m": 64, "ws": True}, (63, 32), (0, 127, 0)),
        ({"m": 64}, (63, 32), (0, 111, 32)),  # F
        ({"m": 32, "ws": True}, (7, 50), (0, 103, 2)),  # G
    ],
)
def test_cells_of_d_read_off_the_figures(
    changes: dict[str, Any], element: tuple[int, int], cell: tuple[int, int, int]
) -> None:
    place = result(replace(PLAIN, **changes))
    row, column = element
    assert (place.part[0, row, column], place.lane[0, row, column], place.column[0, row, column]) == cell


def _distinct(place: Place) -> bool:
    cells = zip(place.part.flat, place.lane.flat, place.column.flat, place.slot.flat, strict=True)
    return len(set(cells)) == place.lane.size


@pytest.mark.parametrize("case", CASES[::17], ids=lambda case: case.id)
def test_no_two_elements_share_a_cell(case: Case) -> None:
    form = case.operands[-1].form  # type: ignore[attr-defined]
    assert _distinct(result(form))
    assert _distinct(multiplicand(form, 8))
    assert max(result(form).column.flat) < form.width
    if form.sparse:
        assert _distinct(metadata(form))
        assert metadata(form).lane.max() < 128
    if form.scale:
        assert _distinct(scale_a(form))
        assert _distinct(scale_b(form))
        assert scale_b(form).slot.max() < 4
        assert set(scale_b(form).lane.flat) == set(range(128)) or form.n < 32


def test_operands_lie_apart_in_tensor_memory() -> None:
    for case in CASES:
        taken = [at + i for at, width in case.operands[-1].form.columns.values() for i in range(width)]  # type: ignore[attr-defined]
        assert len(taken) == len(set(taken)) <= case.operands[-1].form.allocation <= 512  # type: ignore[attr-defined]


def test_four_bit_elements_are_packed_two_a_byte() -> None:
    assert packed_rows(np.array([[1, 2, 3, 15]], dtype=np.uint64)).tolist() == [[0x21, 0xF3]]


# The manual's examples 1 to 4, least significant bit first: (generated, skip span, use span). Source: 9.7.17.4.3.
@pytest.mark.parametrize(
    ("m", "starts", "firsts", "spans", "masks"),
    [
        (128, (0,), (0,), (0, 4, 3), ("0000000000000",)),
        (128, (0,), (0,), (1, 2, 3), ("00001110000111",)),
        (64, (0, 0), (1, 0), (1, 2, 3), ("11100001110000111", "00001110000111")),
        (
            32,
            (0, 1, 2, 1),
            (1, 1, 0, 0),
            (1, 2, 3),
            ("11100001110000", "1100001110000", "001110000111", "0001110000111"),
        ),
    ],
)
def test_zero_column_masks_of_the_manual(
    m: int, starts: tuple[int, ...], firsts: tuple[int, ...], spans: tuple[int, int, int], masks: tuple[str, ...]
) -> None:
    bits = sum(s << 8 * i for i, s in enumerate(starts)) | sum(f << 32 + i for i, f in enumerate(firsts))
    found = column_mask(replace(PLAIN, m=m, ws=True), bits | spans[0] << 39 | spans[1] << 40 | spans[2] << 48)
    per = 64 * m // 128
    for i, mask in enumerate(masks):
        assert "".join(str(int(bit)) for bit in found[i * per : i * per + len(mask)]) == mask


# --- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES[::29], ids=lambda case: case.id)
def test_inputs_are_exact_and_differ(case: Case) -> None:
    arrays, operands = verify.inputs(case), {operand.name: operand for operand in case.operands}
    expected = case.probe.oracle(case.params, arrays)["d"]
    operands["d"].codes(expected)  # raises where a sum is not exact in D's format
    assert set(arrays["flags"].tolist()) == {0, 1}
    per_element = np.moveaxis(expected.reshape(len(expected), -1), 0, 1)
    assert len(np.unique(per_element, axis=0)) > 0.98 * len(per_element), "elements of D that look alike"


@pytest.mark.parametrize("name", ["a", "b", "c", "e", "sfa", "sfb", "lanes", "mask", "flags"])
def test_every_input_matters_in_every_case(name: str) -> None:
    for case in CASES[::41]:
        arrays = dict(verify.inputs(case))
        if name not in arrays or case.params.get("ashift"):
            continue
        before = case.probe.oracle(case.params, arrays)["d"]
        arrays[name] = np.roll(arrays[name].reshape(-1), 1).reshape(arrays[name].shape)
        assert (case.probe.oracle(case.params, arrays)["d"] != before).any(), case.id


# --- the machine -----------------------------------------------------------------------------------------------------


def play(case: Case, trial: int, text: str | None = None) -> list[str]:
    """Run one trial of a case in the machine; return what is wrong with the outputs."""
    arrays, expected = verify.inputs(case), kernels.expected(case)
    arena, places = machine.lay_out({o.name: _image(o, arrays) for o in case.operands})
    before, group = arena.copy(), case.launch.cluster[0]
    trials = case.launch.grid[0] // group
    FormMachine(text or render(case).armed.text, arena, places, trial * group, group).run()
    wrong, written = [], np.zeros(len(arena), dtype=bool)
    for operand in (o for o in case.operands if o.role == "out"):
        at = places[f"param_{operand.name}"]
        written[at : at + operand.nbytes] = True
        found = operand.unpack(arena[at : at + operand.nbytes]).reshape(trials, -1)[trial]
        if (found != expected[operand.name].reshape(trials, -1)[trial]).any():
            wrong.append(operand.name)
    return wrong + ["stray write"] * bool((arena != before)[~written].any())


def _image(operand: Operand, arrays: Arrays) -> np.ndarray:
    poison = np.full(operand.nbytes, 0xA5, dtype=np.uint8)
    return operand.pack(arrays[operand.name]) if operand.role == "in" else poison


def sample() -> Iterable[str]:
    """Yield one case of every form, kind, M and selector, and a few others."""
    seen = set()
    for case in (case for case in CASES if case.params.get("n", 64) < 128):
        named = ("kind", "m", "selector", "negate") if case.family != "tcgen05_next" else ()
        key = (case.family, case.probe.form, *(case.params.get(name) for name in named))
        if key not in seen or sum(case.id.encode()) % 60 == 0:
            seen.add(key)
            yield case.id


@pytest.mark.parametrize("name", list(sample()), ids=str)
def test_the_kernel_computes_what_the_oracle_expects(name: str) -> None:
    assert play(NAMES[name], sum(name.encode()) % 6) == []


SCALED = "tcgen05_scaled.mma:cta_group=1,kind=mxf4nvf4,vec=block16,scale=ue4m3,a_in=tmem,swizzled=no"
PAIR = "tcgen05_scaled.sizes:cta_group=2,m=128,n=64,kind=mxf8f6f4,vec=block32,a_in=smem"
NEW_SCALE = (
    "tcgen05_next.mma_scale_types:cta_group=1,kind=mxf4nvf4,vec=block32,scale={},a_in=tmem,collector=a::fill+b::fill"
)
SPARSE = "tcgen05_sparse.sp:cta_group=1,kind=f16,m=64,a_in=smem,selector=1,swizzled=no"
WS = "tcgen05_ws.ws:cta_group=1,kind=tf32,m=128,n=64,a_in=smem,mask=some"
REUSE = "tcgen05_mma.collector_lanes:cta_group=1,kind=f16,a_in=smem,collector=a::use,lanes=some"
SHIFTED = "tcgen05_ws.ws_shift:cta_group=1,kind=f16,m=32,a_in=smem,shift=8,mask=some"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(SCALED, "[%sfa], [%sfb]", "[%sfb], [%sfa]", id="scales swapped"),
        pytest.param(SCALED, "0x08100480", "0x08900480", id="scales as ue8m0"),
        pytest.param(NEW_SCALE.format("ue5m3"), "0x09100480", "0x08100480", id="ue5m3 scales as ue4m3"),
        pytest.param(NEW_SCALE.format("ue4m3"), "0x08100480", "0x09100480", id="ue4m3 scales as ue5m3"),
        pytest.param(PAIR, "add.u32 %sfa, %tensor, 32", "add.u32 %sfa, %tensor, 33", id="scale A a column off"),
        pytest.param(SPARSE, "0x04100015", "0x04100014", id="the other selector"),
        pytest.param(WS, "%accumulate, %mask", "%accumulate", id="no mask"),
        pytest.param(REUSE, "{m0, m1, m2, m3}, ", "", id="lanes written that are disabled"),
    ],
)
def test_a_broken_kernel_is_wrong(name: str, old: str, new: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    assert play(NAMES[name], 2, text) == []
    assert play(NAMES[name], 2, text.replace(old, new)) != []


def test_a_shift_that_the_mask_does_not_ask_for_is_seen() -> None:
    case = NAMES[SHIFTED]
    arrays = dict(verify.inputs(case))
    before = case.probe.oracle(case.params, arrays)["d"]
    assert (case.probe.oracle({**case.params, "shift": 0}, arrays)["d"] != before).any()


@pytest.mark.parametrize(
    ("name", "gone", "complaint"),
    [
        (REUSE, r"tcgen05\.mma.*a::fill.*\n", "does not hold"),
        (SPARSE, r"tcgen05\.commit.*\n", "nobody completes"),
    ],
)
def test_a_kernel_that_lacks_a_line_is_stopped(name: str, gone: str, complaint: str) -> None:
    text, removed = re.subn(gone, "\n", render(NAMES[name]).armed.text)
    assert removed
    with pytest.raises(MachineError, match=complaint):
        play(NAMES[name], 1, text)


# --- the assembler ---------------------------------------------------------------------------------------------------

OLD = [case for case in CASES if case.family != "tcgen05_next"]


@pytest.mark.parametrize("part", ["armed", "scaffold"])
def test_armed_and_scaffold_assemble_on_sm_100a(part: str) -> None:
    outcome = kernels.assemble([getattr(source, part) for source in kernels.sources(OLD[::61])], "sm_100a", PTX)
    assert outcome.accepted, outcome.log


def test_controls_assemble_where_tensor_memory_is_unknown() -> None:
    controls = [source.control for source in kernels.sources(EVERY[::61])]
    for target in ("sm_75", "sm_120a"):
        outcome = kernels.assemble(controls, target, PTX)
        assert outcome.accepted, outcome.log


@pytest.mark.parametrize("target", ["sm_100f", "sm_110f", "sm_90a"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    some = OLD[::31]
    claimed = kernels.claimed(some, target)
    expected = {s.armed.name for s in kernels.sources(case for case in some if case not in claimed)}
    assert kernels.refused((s.armed for s in kernels.sources(some)), target, PTX) == expected


def _claimed(pattern: str) -> dict[str, tuple[int, int] | None]:
    claim = next(case.claim for case in EVERY if re.search(pattern, case.id))
    return {target.name: claim.minimum(target) for target in claim.targets}


def test_claims_follow_the_manual() -> None:
    assert _claimed(r"scaled\.mma:.*mxf4nvf4,vec=4X") == {"sm_100a": (8, 7)}
    assert _claimed(r"scaled\.mma:.*mxf4nvf4,vec=block16")["sm_100a"] == (8, 8)
    assert set(_claimed(r"sparse\.scaled:.*kind=mxf4,vec=default")) == {"sm_100a", "sm_103a", "sm_107a", "sm_110a"}
    assert "sm_110a" not in _claimed(r"tcgen05_mma\.scale_d:")
    assert _claimed(r"ws:.*kind=i8") == {"sm_100a": (8, 6), "sm_110a": (9, 0)}
    for form in ("mma_ti16", "sp_ashift", "mma_scale_types"):
        assert _claimed(rf"next\.{form}") == {"sm_107a": (9, 4), "sm_107f": (9, 4)}


def test_every_spelling_of_the_manual_is_there() -> None:
    opcodes = {case.opcode for case in EVERY}
    for kind in ("f16", "tf32", "f8f6f4", "i8"):
        for op in ("fill", "use", "lastuse", "discard"):
            for sp in ("", ".sp"):
                assert {f"tcgen05.mma{sp}.cta_group::{g}.kind::{kind}.collector::a::{op}" for g in (1, 2)} <= opcodes
                named = {f"tcgen05.mma.ws{sp}.cta_group::1.kind::{kind}.collector::b{i}::{op}" for i in range(4)}
                assert named <= opcodes
    assert not {opcode for opcode in opcodes if re.search(r"ashift\.collector::a::(use|fill)", opcode)}
    for kind in ("f16", "tf32", "f8f6f4", "ti16"):
        for sp in ("", ".sp"):
            assert f"tcgen05.mma{sp}.cta_group::2.kind::{kind}.ashift.collector::b::fill" in opcodes
