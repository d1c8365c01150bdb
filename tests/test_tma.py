"""The tma family: its kernels assemble where the manual says, and its oracles see what they must."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from probes import tma
from suite import tma_oracle, verify
from suite.operands import TensorMap
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("tma")
TARGETS = ("sm_90", "sm_90a", "sm_100a", "sm_120a", "sm_121a", "sm_120f")
TENSOR = [case for case in CASES if case.probe.form.startswith("tensor")]
LOADS = [case for case in CASES if case.probe.template == "tma_load.ptx.j2"]


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


@pytest.mark.parametrize("target", TARGETS)
def test_armed_and_scaffold_assemble_where_claimed(target: str) -> None:
    kernels.assert_claimed_assemble(CASES, target)


def test_controls_assemble_everywhere() -> None:
    for target in ("sm_75", *TARGETS):
        kernels.assert_controls_assemble(CASES, target)


@pytest.mark.parametrize("target", ["sm_80", "sm_90a", "sm_121a"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    unclaimed = [case for case in CASES if case not in kernels.claimed(CASES, target)]
    assert unclaimed
    armed = [s.armed for s in kernels.sources(CASES)]
    expected = {s.armed.name for s in kernels.sources(unclaimed)}
    assert kernels.refused(armed, target) == expected


def test_kernels_assemble_at_the_claimed_ptx_version_and_not_below() -> None:
    by_floor: dict[tuple[int, int], list[Case]] = {}
    for case in kernels.claimed(CASES, "sm_90"):
        by_floor.setdefault(case.claim.ptx, []).append(case)
    assert set(by_floor) == {(8, 0), (8, 6)}
    for floor, cases in by_floor.items():
        armed = [s.armed for s in kernels.sources(cases)]
        assert kernels.assemble(armed, "sm_90", floor).accepted
        below = (floor[0], floor[1] - 1) if floor[1] else (floor[0] - 1, 8)
        assert kernels.refused(armed, "sm_90", below) == {kernel.name for kernel in armed}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text
    assert not any(word in source.control.text for word in ("mbarrier.", "cluster", "cp.async", "fence", "mapa"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_wait_on_a_barrier_is_unbounded(case: Case) -> None:
    text = kernels.sources([case])[0].armed.text
    assert text.count("try_wait") == text.count("0xBAD0BAD0") == text.count(", 65536;") <= 1
    assert text.count("barrier.cluster.arrive") == text.count("barrier.cluster.wait") == 2 * text.count("try_wait")


def test_a_multicast_takes_its_mask_from_memory() -> None:
    multicasts = [case for case in CASES if "multicast" in case.probe.form]
    assert all(case.instruction.endswith("[%mbar], %mask;") for case in multicasts)
    assert all("MULTICAST" in pattern for case in multicasts for pattern in case.native)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_buffers_round_trip(case: Case) -> None:
    kernels.assert_round_trips(case)


@pytest.mark.parametrize("case", TENSOR, ids=lambda case: case.id)
def test_tensor_maps_keep_the_limits_of_the_driver(case: Case) -> None:
    """Source: CUDA driver API 13, cuTensorMapEncodeTiled."""
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    size = tma_oracle.itemsize(entry.fmt)
    extents = [size * entry.dims[0], *(s * d for s, d in zip(entry.strides, entry.dims[1:], strict=True))]
    assert all(stride % 16 == 0 for stride in entry.strides)
    assert all(stride >= extent for stride, extent in zip(entry.strides, extents, strict=False))
    assert all(1 <= box <= 256 for box in entry.box)
    assert size * entry.box[0] % 16 == 0
    assert size * entry.box[0] <= tma_oracle.SPAN.get(entry.swizzle, math.inf)
    described = next(operand for operand in case.operands if operand.name == entry.over)
    assert extents[-1] <= described.nbytes


# --- oracles against a slow and independent reference -----------------------------------------------------------------


def address(case: Case, index: tuple[int, ...]) -> int | None:
    """Return the byte in the tensor's buffer of the element at `index`, fastest first; None outside the tensor."""
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    if any(not 0 <= i < extent for i, extent in zip(index, entry.dims, strict=True)):
        return None
    steps = (tma_oracle.itemsize(entry.fmt), *entry.strides)
    return sum(i * step for i, step in zip(index, steps, strict=True))


def box_elements(case: Case) -> list[tuple[int, int | None]]:
    """Return, for each element of the box in order, its byte in shared memory and in the tensor's buffer."""
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    size, corner = tma_oracle.itemsize(entry.fmt), verify.inputs(case)["coords"].tolist()
    found = []
    for number, backwards in enumerate(itertools.product(*(range(extent) for extent in reversed(entry.box)))):
        index = tuple(c + i for c, i in zip(corner, reversed(backwards), strict=True))
        linear = number * size
        row, chunk, rest = linear // 128, linear // 16 % 8, linear % 16
        flip = {"none": 0, "32B": row % 2, "64B": row % 4, "128B": row % 8}[entry.swizzle]
        found.append((row * 128 + (chunk ^ flip) * 16 + rest, address(case, index)))
    return found


def mark(cta: int, offset: int) -> int:
    """Return the byte that a window holds before the copy."""
    word = offset // 4
    return (2 * (word % 128) + 1, 2 * (word // 128) + 1, 2 * cta + 1, 0xA5)[offset % 4]


def raw(case: Case, name: str, codes: np.ndarray) -> list[int]:
    operand = next(operand for operand in case.operands if operand.name == name)
    return [int(byte) for byte in operand.pack(codes)]


def loaded(case: Case) -> list[tuple[int, int]]:
    """Return (offset in the window, byte) for everything that a load brings."""
    source = raw(case, "src", verify.inputs(case)["src"])
    if "dim" not in case.params:
        return [(tma.BULK_TO + i, source[tma.BULK_FROM + i]) for i in range(case.params["bytes"])]
    size = tma_oracle.itemsize(str(case.params.get("fmt", "f16")))
    return [
        (tma.TENSOR_TO + place + byte, 0 if home is None else source[home + byte])
        for place, home in box_elements(case)
        for byte in range(size)
    ]


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.id)
def test_load_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    arrived = loaded(case)
    out = kernels.expected(case)
    ctas = case.launch.grid[0]
    members = int(case.params.get("mask", "0x1"), 16)
    window = raw(case, "out", out["out"])
    size = len(window) // ctas
    for cta in range(ctas):
        want = [mark(cta, offset) for offset in range(size)]
        if members & 1 << cta:
            for offset, byte in arrived:
                want[offset] = byte
        assert window[cta * size : (cta + 1) * size] == want
    assert out["status"].tolist() == [0x600D0001] * ctas


@pytest.mark.parametrize("case", [c for c in TENSOR if c.probe.form == "tensor_store"], ids=lambda case: case.id)
def test_store_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    source = raw(case, "src", verify.inputs(case)["src"])
    size = tma_oracle.itemsize(case.params["fmt"])
    out = raw(case, "out", kernels.expected(case)["out"])
    want = [mark(0, offset) for offset in range(len(out))]
    for place, home in box_elements(case):
        if home is not None:
            want[home : home + size] = source[place : place + size]
    assert out == want


def test_bulk_store_and_exchange_oracles_agree_with_the_slow_reference() -> None:
    store = named("bulk_store:bytes=272")
    source = raw(store, "src", verify.inputs(store)["src"])
    want = [mark(0, offset) for offset in range(144)] + source + [mark(0, 144 + 272 + i) for i in range(112)]
    assert raw(store, "out", kernels.expected(store)["out"]) == want
    exchange = named("bulk_exchange:bytes=272")
    window = kernels.expected(exchange)["out"].tolist()
    for cta in (0, 1):
        for offset, byte in enumerate(window[cta]):
            copied = 144 + 272 <= offset < 144 + 2 * 272
            assert byte == (mark(1 - cta, offset - 144 - 272 + 48) if copied else mark(cta, offset))


# The rows of 16-byte chunks that the manual draws. Source: PTX ISA 9.3, 5.5.7.
DRAWN = {
    "32B": ("01234567", "10325476"),
    "64B": ("01234567", "10325476", "23016745", "32107654"),
    "128B": ("01234567", "10325476", "23016745", "32107654", "45670123", "54761032", "67452301", "76543210"),
}


@pytest.mark.parametrize("mode", DRAWN)
def test_swizzle_is_the_drawn_pattern_and_a_bijection(mode: str) -> None:
    image = np.repeat(np.arange(128, dtype=np.uint8), 16)
    placed = tma_oracle.swizzled(image, mode).reshape(-1, 8, 16)
    for row in range(16):
        drawn = [8 * row + int(chunk) for chunk in DRAWN[mode][row % len(DRAWN[mode])]]
        assert [int(chunk[0]) for chunk in placed[row]] == drawn
    offsets = tma_oracle.swizzle_offset(np.arange(2048), mode)
    assert sorted(np.asarray(offsets).tolist()) == list(range(2048))


# --- what a fault would look like -------------------------------------------------------------------------------------


def faulty(case: Case, change: dict[str, tuple[int, ...]]) -> np.ndarray:
    """Return what would come out if the hardware took other dimensions, strides, box or corner."""
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    facts = {"dims": entry.dims, "strides": entry.strides, "corner": tma._corner(case.params), **change}
    view = tma_oracle.tensor(verify.inputs(case)["src"], facts["dims"], facts["strides"])
    box = tma_oracle.bounding_box(view, facts["corner"], change.get("box", entry.box))
    return np.ascontiguousarray(box).reshape(-1)


@pytest.mark.parametrize("case", [c for c in TENSOR if c.probe.form == "tensor_load"], ids=lambda case: case.id)
def test_a_wrong_corner_box_or_stride_would_be_seen(case: Case) -> None:
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    right = faulty(case, {})
    if case.params["at"] == "beyond":
        assert not right.any()
        return
    corner = tma._corner(case.params)
    for axis in range(len(corner)):
        moved = tuple(c + (i == axis) for i, c in enumerate(corner))
        assert not np.array_equal(faulty(case, {"corner": moved}), right)
    if case.params["at"] != "inside":  # a clipped box may look the same
        return
    for axis in range(len(entry.strides)):
        bent = tuple(s - 16 * (i == axis) for i, s in enumerate(entry.strides))
        assert not np.array_equal(faulty(case, {"strides": bent}), right)
    for first, second in itertools.combinations(range(len(corner)), 2):
        order = list(range(len(corner)))
        order[first], order[second] = second, first
        assert not np.array_equal(faulty(case, {"box": tuple(entry.box[i] for i in order)}), right)


def test_missing_fill_would_be_seen() -> None:
    """Beyond the edge lie padding or the next row, never zero, so an unfilled element shows."""
    for name in ("at=high,swizzle=none", "at=low,swizzle=none"):
        case = named(name)
        outside = [place for place, home in box_elements(case) if home is None]
        assert outside
        image = raw(case, "out", kernels.expected(case)["out"])
        assert all(image[tma.TENSOR_TO + place] == 0 for place in outside)
        assert verify.inputs(case)["src"].all()
        before = tma_oracle.prefilled(1, len(image))[0]
        assert before.all()


@pytest.mark.parametrize("form", ["bulk_multicast", "tensor_multicast"])
def test_a_lost_or_an_uninvited_cta_would_be_seen(form: str) -> None:
    for case in (c for c in CASES if c.probe.form == form):
        ctas = case.launch.grid[0]
        right = kernels.expected(case)["out"]
        for cta in range(ctas):
            other = {**case.params, "mask": hex(int(case.params["mask"], 16) ^ 1 << cta)}
            wrong = case.probe.oracle(other, verify.inputs(case))["out"]
            assert [row for row in range(ctas) if not np.array_equal(wrong[row], right[row])] == [cta]


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.id)
def test_an_unwritten_element_and_an_overrun_would_be_seen(case: Case) -> None:
    right = kernels.expected(case)["out"][0]
    size = tma_oracle.itemsize(str(case.params.get("fmt", "f16" if "dim" in case.params else "b8")))
    before = tma_oracle.prefilled(1, right.size * size).view(f"<u{size}")[0]
    touched = np.flatnonzero(right != before)
    arrived = sorted({offset // size for offset, _ in loaded(case)})
    if 1 & int(case.params.get("mask", "0x1"), 16):
        assert touched.tolist() == arrived
    else:
        assert touched.size == 0
    assert arrived[0] > 0
    assert arrived[-1] < right.size - 1


def test_codes_tell_elements_apart() -> None:
    for fmt in ("f16", "f32"):
        assert len(set(tma_oracle.distinct(fmt, 15000).tolist())) == 15000
    hashed = tma_oracle.distinct("u8", 176 * 24)
    assert hashed.min() > 0
    for shift in range(1, 1000):
        assert not np.array_equal(hashed[shift : shift + 32], hashed[:32])
    with pytest.raises(ValueError, match="no 15872 different"):
        tma_oracle.distinct("f16", 0x3E00)
