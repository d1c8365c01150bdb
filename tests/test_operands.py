"""Operands: what is packed comes back, and every element lies in the bits that the kernel reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import catalogue
from suite.formats import FORMATS
from suite.layouts import mma_a, mma_b, mma_c, scale_a, scale_b
from suite.mma import SCALE_VALUES, box
from suite.operands import Buffer, Fragment, Operand, Scale
from suite.probe import Case
from tests import manual_mma as manual

TRIALS = 2
FRAGMENTS: tuple[Operand, ...] = (
    Fragment("a", "in", "f16", (TRIALS, 16, 16), mma_a(16, 16, 2)),
    Fragment("a", "in", "s4", (TRIALS, 16, 64), mma_a(16, 64, 8)),
    Fragment("a", "in", "b1", (TRIALS, 8, 128), mma_a(8, 128, 32)),
    Fragment("b", "in", "f64", (TRIALS, 16, 8), mma_b(16, 8, 1)),
    Fragment("b", "in", "e2m1", (TRIALS, 32, 8), mma_b(32, 8, 4), 8, 2),
    Fragment("b", "in", "e3m2", (TRIALS, 32, 8), mma_b(32, 8, 4), 8, 0),
    Fragment("d", "out", "f32", (TRIALS, 16, 8), mma_c(16, 8, 1)),
    Fragment("d", "out", "f16", (TRIALS, 16, 8), mma_c(16, 8, 2)),
    Buffer("x", "in", "e3m2", (3, 5)),
    Buffer("x", "in", "b1", (3, 5)),
    Buffer("x", "in", "f64", (3, 5)),
    Buffer("x", "in", "b16", (7,)),
)


@settings(max_examples=15, deadline=None)
@given(st.data())
@pytest.mark.parametrize("operand", FRAGMENTS, ids=lambda o: f"{o.fmt}-{o.shape}")
def test_codes_come_back(operand: Operand, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    top = (1 << operand.format.bits) - 1
    codes = np.random.default_rng(seed).integers(0, top, operand.shape, dtype=np.uint64, endpoint=True)
    raw = operand.pack(codes)
    assert raw.dtype == np.uint8
    assert raw.size == operand.nbytes
    np.testing.assert_array_equal(operand.unpack(raw), codes)


@pytest.mark.parametrize("case", [c for c in catalogue.expand() if c.family == "mma_sync"][::7], ids=lambda c: c.id)
def test_fragments_hold_what_the_manual_reads(case: Case) -> None:
    read = manual.form(case.instruction)
    rng = np.random.default_rng(1)
    for operand in case.operands:
        if isinstance(operand, Fragment) and operand.role == "in":
            codes = rng.integers(0, 2, operand.shape, dtype=np.uint64)
            words = manual.registers(operand, codes)
            found = manual.read_matrix(read, operand.name, words)
            np.testing.assert_array_equal(found, manual.values(operand.fmt, codes))


@pytest.mark.parametrize("fmt, code, byte", [("e2m1", 0xF, 0b00111100), ("e3m2", 0x3F, 0x3F), ("e4m3", 0xFF, 0xFF)])
def test_place_of_an_element_in_its_8_bit_container(fmt: str, code: int, byte: int) -> None:
    operand = Fragment("a", "in", fmt, (1, 16, 32), mma_a(16, 32, 4), *box(fmt))
    assert set(operand.pack(np.full((1, 16, 32), code, dtype=np.uint64)).tolist()) == {byte}


def test_one_element_lies_in_one_place() -> None:
    operand = Fragment("a", "in", "f16", (1, 16, 16), mma_a(16, 16, 2))
    codes = np.zeros((1, 16, 16), dtype=np.uint64)
    codes[0, 9, 11] = 0xABCD  # group 1, row + 8, second half of k: register 3; column 8 + 2 * 1 + 1: lane 5, high half
    words = operand.pack(codes).view("<u4").reshape(4, 32)
    assert words[3, 5] == 0xABCD0000
    assert np.count_nonzero(words) == 1


def test_packed_fp4_has_the_lower_k_in_the_low_nibble() -> None:
    operand = Fragment("a", "in", "e2m1", (1, 16, 64), mma_a(16, 64, 8))
    codes = np.zeros((1, 16, 64), dtype=np.uint64)
    codes[0, 0, :8] = np.arange(1, 9)
    assert operand.pack(codes).view("<u4")[0] == 0x87654321


def test_narrow_buffer_elements_take_a_byte_each() -> None:
    assert Buffer("x", "in", "e2m1", (3,)).pack(np.array([0.5, 1, 6])).tolist() == [1, 2, 7]


def test_buffers_are_little_endian() -> None:
    assert Buffer("x", "in", "u32", (1,)).pack(np.array([0x01020304], dtype=np.uint32)).tolist() == [4, 3, 2, 1]


def test_values_that_the_format_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="e2m1"):
        Buffer("x", "in", "e2m1", (1,)).pack(np.array([5.0]))


@pytest.mark.parametrize("fmt", ["e4m3", "e3m2", "b1", "b16"])
def test_codes_wider_than_the_format_are_refused(fmt: str) -> None:
    operand = Buffer("x", "in", fmt, (1,))
    operand.pack(np.array([(1 << FORMATS[fmt].bits) - 1], dtype=np.uint64))
    with pytest.raises(ValueError, match=fmt):
        operand.pack(np.array([1 << FORMATS[fmt].bits], dtype=np.uint64))


def scale(byte: int, blocks: int, fmt: str = "ue8m0") -> Scale:
    lanes, rows = (tuple(int(i) for i in part) for part in scale_a(1))
    return Scale("sfa", "in", fmt, (TRIALS, 16, blocks), lanes, rows, byte)


@pytest.mark.parametrize("byte, blocks", [(0, 1), (3, 1), (0, 2), (2, 2), (0, 4)])
def test_scales_come_back_and_all_other_bytes_are_decoys(byte: int, blocks: int) -> None:
    operand = scale(byte, blocks)
    codes = np.random.default_rng(0).integers(120, 132, operand.shape, dtype=np.uint64)
    raw = operand.pack(codes)
    np.testing.assert_array_equal(operand.unpack(raw), codes)
    held = raw.reshape(TRIALS, 32, 4)
    assert (held == Scale.DECOY).sum() == held.size - TRIALS * 16 * blocks
    assert (held[:, [lane for lane in range(32) if lane % 4 < 2]] == Scale.DECOY).all()


@pytest.mark.parametrize("fmt", SCALE_VALUES)
def test_no_chosen_scale_is_the_decoy(fmt: str) -> None:
    decoy = manual.values(fmt, np.array([Scale.DECOY], dtype=np.uint64))[0]
    assert decoy not in SCALE_VALUES[fmt]
    assert decoy == {"ue8m0": 2.0**6, "ue4m3": 5 * 2.0**-9}[fmt]
    assert FORMATS[fmt].bits == 8


def test_scale_b_takes_one_lane_of_each_quad() -> None:
    lanes, columns = (tuple(int(i) for i in part) for part in scale_b(3))
    operand = Scale("sfb", "in", "ue8m0", (1, 8, 1), lanes, columns, 1)
    held = operand.pack(np.arange(1, 9, dtype=np.uint64).reshape(1, 8, 1)).reshape(32, 4)
    assert held[3::4, 1].tolist() == list(range(1, 9))
