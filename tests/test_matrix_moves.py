"""ldmatrix, stmatrix and movmatrix: layouts, rows of memory, and a warp that moves them lane by lane."""

from __future__ import annotations

import numpy as np
import pytest

from suite import catalogue, verify
from suite import matrix_moves as moves
from suite.layouts import Layout
from suite.probe import Arrays, Case
from tests import manual_mma as manual

LOADS = [c for c in catalogue.expand() if c.family == "ldmatrix" and c.params["space"] == "shared"]
STORES = [c for c in catalogue.expand() if c.family == "stmatrix" and c.params["space"] == "shared"]
MOVE = catalogue.find("movmatrix.b16:shape=m8n8,type=b16")


def byte_of(case: Case, register: int, lane: int, slot: int) -> tuple[int, int]:
    """Return whose address, and which element of that row, a slot of a register is of.

    Source: PTX ISA 9.3, 9.7.15.5.15 and 9.7.15.5.16; the b8 transposes as CUTLASS's copy traits of sm_100 map them.
    """
    quad, place = divmod(lane, 4)
    shape, transposed = case.params["shape"], case.params["trans"] == "yes"
    if shape == "m16n16":
        matrix, half = divmod(register, 2)
        return 16 * matrix + 4 * place + 2 * half + slot % 2, quad + 8 * (slot // 2)
    if shape == "m16n8":
        return 8 * register + 2 * place + slot % 2, quad + 8 * (slot // 2)
    if transposed:
        return 8 * register + 2 * place + slot, quad
    return 8 * register + quad, (4 if shape == "m8n16" else 2) * place + slot


def fields(row: bytes, bits: int) -> list[int]:
    """Return the elements of a row of 16 bytes, which is one little-endian number."""
    number = int.from_bytes(row, "little")
    return [number >> bits * i & (1 << bits) - 1 for i in range(min(16, 128 // bits))]


def load(case: Case, arrays: Arrays) -> np.ndarray:
    """Return the registers, [trial][register][lane], of a warp that loads."""
    bits = moves.ELEMENTS[case.params["type"]][0]
    slots, size = (2, 16) if bits == 16 else (4, 8)
    registers = int(case.params["num"][1:]) * (2 if case.params["shape"] == "m16n16" else 1)
    words = np.zeros((len(arrays["src"]), registers, 32), dtype=np.uint64)
    for (trial, register, lane), _ in np.ndenumerate(words):
        for slot in range(slots):
            holder, element = byte_of(case, register, lane, slot)
            row = arrays["src"][trial, arrays["places"][holder] // 16].tobytes()
            value = fields(row, bits)[element]
            if case.params["type"] == "s8.s4" and value > 7:  # signed: -8 to -1
                value += 256 - 16
            words[trial, register, lane] |= np.uint64(value << slot * size)
    return words


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.id)
def test_the_oracle_of_a_load_is_the_warp(case: Case) -> None:
    arrays = verify.inputs(case)
    wanted = manual.registers(case.operands[0], case.probe.oracle(case.params, arrays)["d"])
    assert np.array_equal(load(case, arrays), wanted)


@pytest.mark.parametrize("case", STORES, ids=lambda case: case.id)
def test_the_oracle_of_a_store_is_the_warp(case: Case) -> None:
    arrays = verify.inputs(case)
    bits = moves.ELEMENTS[case.params["type"]][0]
    words = manual.registers(case.operands[1], arrays["a"])
    image = arrays["image"].copy()
    for (trial, register, lane), word in np.ndenumerate(words):
        for slot in range(32 // bits):
            holder, element = byte_of(case, register, lane, slot)
            value = int(word) >> slot * bits & (1 << bits) - 1
            at = element * bits // 8
            row = image[trial, arrays["places"][holder] // 16]
            row[at : at + bits // 8] = list(value.to_bytes(bits // 8, "little"))
    assert np.array_equal(image, case.probe.oracle(case.params, arrays)["image"])


def layouts() -> list[tuple[str, Layout, int]]:
    """Return every layout in use, with the elements it must hold."""
    both = {(c.params["shape"], c.params["num"], c.params["trans"], c.params["type"]): c for c in LOADS + STORES}
    return [
        (case.id, moves.layout(case.params), moves.row_count(case.params) * moves.ELEMENTS[case.params["type"]][1])
        for case in both.values()
    ]


@pytest.mark.parametrize("name, layout, elements", layouts())
def test_layouts_are_bijections(name: str, layout: Layout, elements: int) -> None:
    pairs = set(zip(layout.row.flat, layout.column.flat, strict=True))
    assert len(pairs) == layout.row.size == elements
    assert (layout.row.max() + 1) * (layout.column.max() + 1) == elements


@pytest.mark.parametrize("case", LOADS + STORES, ids=lambda case: case.id)
def test_no_two_elements_look_the_same(case: Case) -> None:
    elements = case.probe.oracle(case.params, verify.inputs(case))["d"] if case in LOADS else verify.inputs(case)["a"]
    columns = elements.reshape(len(elements), -1).T
    assert len(np.unique(columns, axis=0)) == len(columns)


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.id)
def test_a_load_that_errs_is_found(case: Case) -> None:
    arrays = verify.inputs(case)
    right = load(case, arrays)
    straight = {**arrays, "places": np.sort(arrays["places"])}
    turned = {**arrays, "places": np.roll(arrays["places"], 1)}
    assert not np.array_equal(load(case, straight), right)  # rows in the order of memory
    assert not np.array_equal(load(case, turned), right)  # the next lane's address
    assert not np.array_equal(right[:, :, np.arange(32) ^ 1], right)
    if right.shape[1] > 1:
        assert not np.array_equal(right[:, ::-1], right)
    if case.params["shape"] == "m8n8":
        other = {"yes": "no", "no": "yes"}[case.params["trans"]]
        flipped = catalogue.find(case.id.replace(f"trans={case.params['trans']}", f"trans={other}"))
        assert not np.array_equal(load(flipped, arrays), right)
    if case.params["type"] == "s8.s4":  # not extended by the sign
        assert not np.array_equal(right & np.uint64(0x0F0F0F0F), right)


@pytest.mark.parametrize("case", STORES, ids=lambda case: case.id)
def test_a_store_that_writes_nothing_or_elsewhere_is_found(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)["image"]
    moved = {**arrays, "places": np.roll(arrays["places"], 1)}
    assert not np.array_equal(right, arrays["image"])
    assert not np.array_equal(case.probe.oracle(case.params, moved)["image"], right)
    changed = np.any(right != arrays["image"], axis=(0, 2))
    assert set(np.flatnonzero(changed)) == set(arrays["places"] // 16)


def test_addresses_are_valid_for_every_lane_and_name_each_row_once() -> None:
    for case in LOADS + STORES:
        where, rows = verify.inputs(case)["places"], moves.row_count(case.params)
        assert set(where % 16) == {0}, case.id
        assert max(where) < 512, case.id
        assert len(set(where[:rows])) == rows, case.id


@pytest.mark.parametrize("bits, count", [(16, 8), (8, 16), (6, 16), (4, 16)])
def test_rows_hold_elements_low_first_and_keep_their_padding(bits: int, count: int) -> None:
    rng = np.random.default_rng(bits)
    elements = rng.integers(0, 1 << bits, (5, count)).astype(np.uint64)
    padding = rng.integers(0, 256, (5, 16), dtype=np.uint8)
    rows = moves.row_bytes(elements, bits, padding)
    assert rows.shape == (5, 16)
    assert [fields(row.tobytes(), bits)[:count] for row in rows] == elements.tolist()
    assert np.array_equal(rows[:, bits * count // 8 :], padding[:, bits * count // 8 :])
    assert np.array_equal(moves.row_elements(rows, bits, count), elements)


def test_movmatrix_transposes_and_shows_it() -> None:
    arrays = verify.inputs(MOVE)
    source = manual.registers(MOVE.operands[1], arrays["a"])[0, 0]
    wanted = manual.registers(MOVE.operands[0], MOVE.probe.oracle(MOVE.params, arrays)["d"])[0, 0]
    halves = [[int(source[4 * r + c // 2]) >> 16 * (c % 2) & 0xFFFF for c in range(8)] for r in range(8)]
    for lane in range(32):
        low, high = halves[2 * (lane % 4)][lane // 4], halves[2 * (lane % 4) + 1][lane // 4]
        assert int(wanted[lane]) == low | high << 16
    assert not np.array_equal(source, wanted)


@pytest.mark.parametrize(
    "pattern, claimed, unclaimed, ptx",
    [
        ("ldmatrix.b16:*space=generic,*", {"sm_75", "sm_121f"}, set(), (6, 5)),
        ("ldmatrix.b16:*space=shared::cta,*", {"sm_75"}, set(), (7, 8)),
        ("ldmatrix.b8:*", {"sm_100a", "sm_103f", "sm_110a", "sm_121a"}, {"sm_100", "sm_90a", "sm_120"}, (8, 6)),
        ("ldmatrix.unpack:*", {"sm_100f", "sm_120f"}, {"sm_103", "sm_110"}, (8, 6)),
        (
            "ldmatrix.extend:*",
            {"sm_90a", "sm_107f", "sm_110a", "sm_121f"},
            {"sm_90", "sm_100", "sm_120", "sm_89"},
            (9, 4),
        ),
        ("stmatrix.b16:*", {"sm_90", "sm_120"}, {"sm_89"}, (7, 8)),
        ("stmatrix.b8:*", {"sm_100a", "sm_110f", "sm_120a"}, {"sm_90a", "sm_121"}, (8, 6)),
        ("movmatrix.*", {"sm_75", "sm_121"}, set(), (7, 8)),
    ],
)
def test_claims_are_the_notes(pattern: str, claimed: set[str], unclaimed: set[str], ptx: tuple[int, int]) -> None:
    for case in catalogue.select((pattern,)):
        names = {target.name for target in case.claim.targets}
        assert claimed <= names, case.id
        assert not unclaimed & names, case.id
        assert case.claim.ptx == ptx, case.id
