"""The tensormap family: what is replaced shows, its kernels assemble, and its maps keep the driver's limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probes import tensormap
from suite import targets, tma_access, tma_kernels, verify
from suite.operands import TensorMap
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("tensormap")
REPLACED = [case for case in CASES if case.id.startswith("tensormap.") and "field" in case.params]
LAUNCHED = [case for case in CASES if not case.probe.unlaunched]
TARGETS = ("sm_90a", "sm_100a", "sm_120a", "sm_103a")
CHANGES = {
    "global_address": tensormap._address,
    "rank": tensormap._rank,
    "box_dim": tensormap._box_dim,
    "global_dim": tensormap._global_dim,
    "global_stride": tensormap._global_stride,
    "element_stride": tensormap._element_stride,
    "elemtype": tensormap._elemtype,
    "swizzle": tensormap._swizzle,
    "atomicity": tensormap._atom,
    "fill": tensormap._fill,
}


@pytest.mark.parametrize("target", TARGETS)
def test_armed_and_scaffold_assemble_where_claimed(target: str) -> None:
    kernels.assert_claimed_assemble(CASES, target)


def test_controls_assemble_everywhere() -> None:
    for target in ("sm_75", *TARGETS):
        kernels.assert_controls_assemble(CASES, target)


@pytest.mark.parametrize("target", ["sm_80", "sm_90", "sm_90a", "sm_100a"])
def test_the_instruction_itself_is_refused_exactly_where_it_is_not_claimed(target: str) -> None:
    unclaimed = [case for case in CASES if case not in kernels.claimed(CASES, target)]
    assert unclaimed
    armed = [s.armed for s in kernels.sources(CASES)]
    assert kernels.refused(armed, target) == {s.armed.name for s in kernels.sources(unclaimed)}


@pytest.mark.parametrize(
    ("params", "target", "ptx"),
    [
        ({"field": "rank"}, "sm_90a", (8, 3)),
        ({"field": "rank"}, "sm_90", None),
        ({"field": "rank"}, "sm_100", None),
        ({"field": "rank"}, "sm_120a", (8, 7)),
        ({"field": "rank"}, "sm_121f", (8, 8)),
        ({"field": "rank"}, "sm_110a", (9, 0)),
        ({"field": "elemtype", "value": 12}, "sm_90a", (8, 3)),
        ({"field": "elemtype", "value": 13}, "sm_90a", None),
        ({"field": "elemtype", "value": 13}, "sm_100a", (8, 7)),
        ({"field": "swizzle_atomicity", "value": 0}, "sm_90a", None),
        ({"field": "swizzle_atomicity", "value": 0}, "sm_100a", (8, 6)),
        ({"field": "swizzle_mode", "value": 3}, "sm_90a", (8, 3)),
        ({"field": "swizzle_mode", "value": 4}, "sm_103a", (8, 8)),
        ({"field": "swizzle_mode", "value": 4}, "sm_100a", None),
        ({"scope": "gpu"}, "sm_90", (8, 3)),
        ({"scope": "gpu"}, "sm_89", None),
    ],
)
def test_claims_are_those_of_the_notes(params: dict[str, object], target: str, ptx: tuple[int, int] | None) -> None:
    assert tensormap._claim(params).minimum(targets.parse(target)) == ptx


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text
    assert not any(word in source.control.text for word in ("mbarrier.", "cluster", "cp.async", "fence", "tensormap."))
    assert source.armed.text.count("try_wait") == source.armed.text.count("0xBAD0BAD0") == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_buffers_round_trip(case: Case) -> None:
    kernels.assert_round_trips(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_encoded_maps_keep_the_limits_of_the_driver(case: Case) -> None:
    """Source: CUDA driver API 13, cuTensorMapEncodeTiled."""
    entry = next(operand for operand in case.operands if isinstance(operand, TensorMap))
    size = tma_access.BITS[entry.fmt] // 8
    assert all(stride % 16 == 0 for stride in entry.strides)
    assert size * entry.dims[0] <= min((*entry.strides, math.inf))
    assert size * entry.box[0] % 16 == 0
    assert size * entry.box[0] <= {"none": math.inf, "32B": 32, "64B": 64}.get(entry.swizzle, 128)
    assert all(1 <= box <= 256 for box in entry.box)
    assert entry.interleave == "none" or len(entry.dims) >= 3


def changed(case: Case) -> tensormap.Change:
    return CHANGES[case.probe.form](case.params)


@pytest.mark.parametrize("case", [c for c in REPLACED if c.probe.form in CHANGES], ids=lambda case: case.id)
def test_a_map_left_as_it_was_encoded_would_be_seen(case: Case) -> None:
    wanted, encoded, value = changed(case)
    arrays = verify.inputs(case)
    image = tma_access.loaded(wanted, arrays["src"])
    if wanted == encoded:
        assert (arrays["decoy"] == 0xEE).all()
        assert (arrays["src"].view(np.uint8) != 0xEE).any()
        return
    if case.probe.form == "rank":  # one slice holds the same; the instruction of another rank faults
        assert (len(encoded.dims), value) == (len(wanted.dims) + 1, len(wanted.dims) - 1)
        return
    flat = arrays["src"].view(np.uint8)
    beyond = np.full(flat.size * 4, 0x11, dtype=np.uint8)
    left = tma_access.loaded(encoded, np.concatenate([flat, beyond]).view(encoded.dtype))
    assert not np.array_equal(left, image)


@pytest.mark.parametrize("case", LAUNCHED, ids=lambda case: case.id)
def test_the_oracle_is_the_load_through_the_changed_map(case: Case) -> None:
    change = {**CHANGES, "interleave_none": tensormap._interleave, "cp_fenceproxy": tensormap._nothing}
    wanted = change[case.probe.form](case.params)[0]
    out = kernels.expected(case)["out"].astype(wanted.dtype).reshape(-1).view(np.uint8)
    image = tma_access.loaded(wanted, verify.inputs(case)["src"])
    np.testing.assert_array_equal(out[tma_kernels.TO : tma_kernels.TO + image.size], image)
    window = np.concatenate([out[: tma_kernels.TO], out[tma_kernels.TO + image.size :]])
    assert (window % 2).all()


def test_every_field_state_space_and_immediate_is_asked() -> None:
    opcodes = {case.opcode for case in REPLACED}
    assert len({opcode.split(".")[3] for opcode in opcodes}) == 11
    assert len(opcodes) == 11 * 3
    values = {
        field: {c.params["value"] for c in REPLACED if c.params["field"] == field and "value" in c.params}
        for field in ("elemtype", "interleave_layout", "swizzle_mode", "swizzle_atomicity", "fill_mode")
    }
    assert {field: max(found) + 1 for field, found in values.items()} == {
        "elemtype": 16,
        "interleave_layout": 3,
        "swizzle_mode": 5,
        "swizzle_atomicity": 4,
        "fill_mode": 2,
    }
    assert all(len(found) == max(found) + 1 for found in values.values())
