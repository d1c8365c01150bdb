"""The tcgen05 family: layouts, descriptors and tiles by hand, and every kernel run in a small machine of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pytest

from suite import FORMATS, verify
from suite import tcgen05 as facts
from suite.formats import decode
from suite.operands import Operand
from suite.probe import Arrays, Case
from suite.render import render
from suite.tcgen05_mma import Multiplicand
from tests import copy_kernels as kernels
from tests import tcgen05_machine as machine
from tests import tcgen05_unit as unit

CASES = kernels.family("tcgen05")
NAMES = {case.id: case for case in CASES}
MMA = [case for case in CASES if case.probe.form == "mma"]
PTX = (9, 0)


# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("shape", facts.MOVEMENTS)
def test_every_movement_is_a_bijection_onto_the_cells_it_claims(shape: str, slots: int) -> None:
    for num in facts.counts(shape):
        layout = facts.movement(shape, num, slots)
        cells = set(zip(layout.row.flat, layout.column.flat, strict=True))
        assert len(cells) == layout.row.size == 32 * slots * facts.MOVEMENTS[shape].registers * num
        assert max(layout.column.flat) + 1 == facts.columns_touched(shape, num, slots) <= facts.COLUMNS
        assert set(layout.row.flat) == set(range(32 if shape == "32x32b" else 16))


def test_the_registers_of_every_shape_and_count_are_those_of_the_manual() -> None:
    table = {
        shape: [facts.MOVEMENTS[shape].registers * num for num in facts.counts(shape)] for shape in facts.MOVEMENTS
    }
    assert table["16x64b"] == table["32x32b"] == table["16x32bx2"] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert table["16x128b"] == [2, 4, 8, 16, 32, 64, 128]
    assert table["16x256b"] == [4, 8, 16, 32, 64, 128]


@pytest.mark.parametrize(
    ("shape", "num", "register", "thread", "cell"),
    [
        ("32x32b", 4, 3, 17, (17, 3)),
        ("16x64b", 2, 0, 1, (8, 0)),
        ("16x64b", 2, 0, 2, (0, 1)),
        ("16x64b", 2, 1, 7, (9, 3)),
        ("16x128b", 2, 1, 5, (9, 1)),
        ("16x128b", 2, 2, 3, (0, 7)),
        ("16x256b", 2, 3, 6, (9, 5)),
        ("16x256b", 2, 4, 0, (0, 8)),
        ("16x32bx2", 4, 2, 18, (2, 10)),
    ],
)
def test_cells_read_off_the_figures(shape: str, num: int, register: int, thread: int, cell: tuple[int, int]) -> None:
    layout = facts.movement(shape, num)
    assert (layout.row[register, thread, 0], layout.column[register, thread, 0]) == cell


# --- descriptors and tiles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "types", "m", "n", "bits"),
    [
        ("f16", ("f32", "f16", "f16"), 128, 64, 0x08100010),
        ("f16", ("f16", "f16", "f16"), 64, 8, 0x04020000),
        ("f16", ("f32", "bf16", "bf16"), 128, 256, 0x08400490),
        ("tf32", ("f32", "tf32", "tf32"), 128, 64, 0x08100910),
        ("f8f6f4", ("f32", "e5m2", "e2m1"), 128, 16, 0x08041490),
        ("f8f6f4", ("f16", "e2m3", "e3m2"), 128, 128, 0x08201180),
        ("i8", ("s32", "s8", "u8"), 64, 24, 0x040600A0),
        ("i8", ("s32", "u8", "s8"), 256, 256, 0x10400420),
    ],
)
def test_instruction_descriptors_by_hand(kind: str, types: tuple[str, str, str], m: int, n: int, bits: int) -> None:
    assert facts.instruction_descriptor(kind, types, m, n) == bits


@pytest.mark.parametrize(
    ("tile", "bits"),
    [
        (facts.Tile(128, 32), 1 << 46 | 128 << 16 | 8 << 32),
        (facts.Tile(64, 128), 1 << 46 | 64 << 16 | 8 << 32),
        (facts.Tile(64, 32, "32B"), 6 << 61 | 1 << 46 | 1 << 16 | 16 << 32),
        (facts.Tile(64, 64, "64B"), 4 << 61 | 1 << 46 | 1 << 16 | 32 << 32),
        (facts.Tile(64, 128, "128B"), 2 << 61 | 1 << 46 | 1 << 16 | 64 << 32),
    ],
)
def test_matrix_descriptors_by_hand(tile: facts.Tile, bits: int) -> None:
    assert tile.descriptor == bits
    offsets = sorted(tile.offsets().flat)
    assert offsets == list(range(0, tile.nbytes, facts.CHUNK)), "chunks overlap or leave the tile"


@pytest.mark.parametrize(
    ("swizzle", "row", "chunk", "offset"),
    [
        ("128B", 1, 0, 128 + 16),
        ("128B", 7, 7, 7 * 128),
        ("128B", 8, 3, 1024 + 48),
        ("64B", 2, 0, 128 + 16),
        ("64B", 7, 1, 7 * 64 + 32),
        ("32B", 4, 0, 128 + 16),
        ("32B", 3, 1, 96 + 16),
    ],
)
def test_swizzled_chunks_by_hand(swizzle: str, row: int, chunk: int, offset: int) -> None:
    width = facts.SWIZZLES[swizzle][0]
    assert facts.Tile(16, width, swizzle).offsets()[row, chunk] == offset


def test_narrow_elements_lie_packed_and_padded_in_shared_memory_and_boxed_in_tensor_memory() -> None:
    codes = np.arange(1, 17, dtype=np.uint64).reshape(1, 16)
    four = facts.shared_rows(4, codes & np.uint64(15))[0]
    assert four.tolist() == [0x21, 0x43, 0x65, 0x87, 0xA9, 0xCB, 0xED, 0x0F] + [0] * 8
    six = facts.shared_rows(6, codes)[0]
    assert six[:3].tolist() == [0x81, 0x30, 0x10]
    assert six[12:].tolist() == [0] * 4
    assert facts.tensor_rows("e2m1", 4, np.array([[0xF, 0x1]], dtype=np.uint64)).tolist() == [[0x3C, 0x04]]
    assert facts.tensor_rows("e3m2", 6, np.array([[0x3F, 0x1]], dtype=np.uint64)).tolist() == [[0x3F, 0x01]]


@pytest.mark.parametrize("case", [case for case in MMA if case.params["a_in"] == "smem"], ids=lambda case: case.id)
def test_the_byte_image_and_its_descriptor_give_back_the_matrix(case: Case) -> None:
    arrays, fields = verify.inputs(case), case.probe.fields(case.params)
    for name, operand in zip("ab", case.operands, strict=False):
        assert isinstance(operand, Multiplicand)
        assert operand.tile is not None
        image = operand.pack(arrays[name])[-operand.part_bytes :]
        shared = np.pad(image, (1024, 0), constant_values=0xEE)
        steps = []
        for step in range(fields["steps"]):
            descriptor = operand.tile.descriptor + (1024 + step * operand.tile.advance >> 4)
            steps.append(unit.elements(operand.fmt, unit.tile(shared, descriptor, operand.tile.rows)))
        found = np.concatenate(steps, axis=1)
        np.testing.assert_array_equal(found, arrays[name][-1, -operand.tile.rows :])


# --- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MMA, ids=lambda case: case.id)
def test_inputs_are_exact_and_tell_every_element_apart(case: Case) -> None:
    arrays, operands = verify.inputs(case), {operand.name: operand for operand in case.operands}
    expected = case.probe.oracle(case.params, arrays)["d"]
    codes = operands["d"].codes(expected)  # raises where a sum is not exact in D's format
    np.testing.assert_array_equal(decode(FORMATS[operands["d"].fmt], codes), expected)
    assert set(arrays["flags"].tolist()) == {0, 1}
    assert arrays["c"][arrays["flags"] == 0].any(), "nothing to ignore in D"
    trials = len(arrays["flags"])
    per_element = np.moveaxis(expected.reshape(trials, -1), 0, 1)
    assert len(np.unique(per_element, axis=0)) == per_element.shape[0], "two elements of D that look alike"
    for name in "ab":
        rows = np.moveaxis(arrays[name].reshape(trials, -1), 0, 1)
        assert len(np.unique(rows, axis=0)) == rows.shape[0], f"two elements of {name} that look alike"


# --- the machine -----------------------------------------------------------------------------------------------------


def play(case: Case, trial: int, text: str | None = None) -> list[str]:
    """Run one trial of a case in the machine; return what is wrong with the outputs."""
    arrays, expected = verify.inputs(case), kernels.expected(case)
    arena, places = machine.lay_out({o.name: _image(o, arrays) for o in case.operands})
    before, group = arena.copy(), case.launch.cluster[0]
    trials = case.launch.grid[0] // group
    machine.Machine(text or render(case).armed.text, arena, places, trial * group, group).run()
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


def sample() -> Iterable[tuple[str, int]]:
    """Yield cases and trials that together take every branch of every template."""
    for case in CASES:
        params, trials = case.params, case.launch.grid[0] // case.launch.cluster[0]
        if case.probe.form == "mma" and params["n"] < 128:
            yield case.id, sum(case.id.encode()) % trials
        elif case.probe.form == "commit":
            yield case.id, 1
        elif "shape" in params and params["num"] in ("x1", "x4", "x32"):
            yield case.id, sum(case.id.encode()) % 2
        elif case.probe.template == "tcgen05_memory.ptx.j2" and params.get("columns", 64) in (64, 512):
            yield case.id, 0


@pytest.mark.parametrize(("name", "trial"), list(sample()), ids=str)
def test_the_kernel_computes_what_the_oracle_expects(name: str, trial: int) -> None:
    assert play(NAMES[name], trial) == []


PLAIN = "tcgen05.mma:cta_group=1,kind=f16,atype=f16,btype=f16,dtype=f32,m=128,n=64,k=16,a_in=smem,swizzle=none"
SWIZZLED = PLAIN.replace("k=16", "k=64").replace("none", "128B")
LOAD = "tcgen05.ld:shape=16x128b,num=x4"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(PLAIN, "0x08100010", "0x08100410", id="B as bf16"),
        pytest.param(PLAIN, "0x0000400800800000", "0x0000408000080000", id="offsets swapped"),
        pytest.param(SWIZZLED, "add.s64 %bdesc, %bdesc, 2;", "add.s64 %bdesc, %bdesc, 4;", id="wrong K step"),
        pytest.param(SWIZZLED, "0x4000", "0x8000", id="wrong swizzle"),
        pytest.param(PLAIN, "setp.ne.u32 %accumulate, %flag, 0", "setp.eq.u32 %accumulate, %flag, 0", id="D not taken"),
        pytest.param(LOAD, "r0, r1, r2, r3", "r1, r0, r2, r3", id="registers swapped"),
        pytest.param(LOAD, "and.b32 %upper, %cta, 1", "and.b32 %upper, %cta, 0", id="lower lanes"),
    ],
)
def test_a_broken_kernel_is_wrong(name: str, old: str, new: str) -> None:
    text = render(NAMES[name]).armed.text
    assert old in text
    assert play(NAMES[name], 1, text) == []
    assert play(NAMES[name], 1, text.replace(old, new)) != []


@pytest.mark.parametrize(
    ("name", "gone", "complaint"),
    [
        (PLAIN, r"tcgen05\.commit.*\n", "nobody completes"),
        (PLAIN, r"tcgen05\.dealloc.*\n", "not freed"),
        (PLAIN, r"@!%leader bra ISSUED;\n", "issued by 32 threads"),
        (PLAIN, r"setp.ge.u32 %more, %byte, \d+;\n\s+@%more bra COPIED_b;\n", "outside"),
        (LOAD, r"@!%first bra ALLOCATED;\n", "one warp"),
        (LOAD, r"add.u32 %mine, %mine, %tensor;\n", "not allocated"),
    ],
)
def test_a_kernel_that_lacks_a_line_is_stopped(name: str, gone: str, complaint: str) -> None:
    text, removed = re.subn(gone, "\n", render(NAMES[name]).armed.text)
    assert removed
    with pytest.raises(unit.MachineError, match=complaint):
        play(NAMES[name], 1, text)


# --- the assembler ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["armed", "scaffold"])
def test_armed_and_scaffold_assemble_on_sm_100a(part: str) -> None:
    outcome = kernels.assemble([getattr(source, part) for source in kernels.sources(CASES)], "sm_100a", PTX)
    assert outcome.accepted, outcome.log


def test_controls_assemble_everywhere() -> None:
    controls = [source.control for source in kernels.sources(CASES)]
    for target in ("sm_75", "sm_90a", "sm_120a"):
        outcome = kernels.assemble(controls, target, PTX)
        assert outcome.accepted, outcome.log


@pytest.mark.parametrize("target", ["sm_90a", "sm_120a", "sm_100", "sm_103a", "sm_110f"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    claimed = kernels.claimed(CASES, target)
    expected = {s.armed.name for s in kernels.sources(case for case in CASES if case not in claimed)}
    assert kernels.refused((s.armed for s in kernels.sources(CASES)), target, PTX) == expected


def test_claims_follow_the_manual() -> None:
    plain, integer = NAMES[PLAIN].claim, next(case.claim for case in MMA if case.params["kind"] == "i8")
    named = {target.name for target in plain.targets}
    assert {"sm_100a", "sm_100f", "sm_103a", "sm_103f", "sm_110a", "sm_110f"} <= named
    assert not {name for name in named if name.startswith(("sm_12", "sm_9", "sm_8")) or name[-1] not in "af"}
    assert {target.name for target in integer.targets} == {"sm_100a", "sm_110a"}
    versions = {target.name: plain.minimum(target) for target in plain.targets}
    assert (versions["sm_100a"], versions["sm_103a"], versions["sm_110f"]) == ((8, 6), (8, 8), (9, 0))


def test_every_form_that_the_family_promises_is_there() -> None:
    forms = {form: [case for case in CASES if case.probe.form == form] for form in {c.probe.form for c in CASES}}
    assert {form: len(cases) for form, cases in forms.items() if form != "mma"} == {
        "alloc": 10, "dealloc": 10, "relinquish_alloc_permit": 2, "fence": 2, "wait": 2, "commit": 4,
        "ld": 37, "ld_pack": 37, "st": 37, "st_unpack": 37,
    }  # fmt: skip
    assert {(c.params["kind"], c.params["a_in"], c.params["cta_group"]) for c in MMA} == {
        (kind, where, group) for kind in facts.TYPE_CODES for where in ("smem", "tmem") for group in (1, 2)
    }
