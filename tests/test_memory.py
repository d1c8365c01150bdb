"""The memory families: claims as the manual has them, oracles against slow references, and faults that would show."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from suite import catalogue, memory, targets, verify
from suite.probe import Case
from tests import copy_kernels as kernels

FAMILIES = ("ld", "st", "atom", "red", "memory_hints", "async_memory", "multimem")
CASES = {name: kernels.family(name) for name in FAMILIES}
ALL = [case for name in FAMILIES for case in CASES[name]]
SAMPLE = ALL[::23]
ATOMIC = [case for case in (*CASES["atom"], *CASES["red"]) if case.probe.form != "meeting"]
SHARING = ("ldu", "const", "parameter")  # forms whose threads have no element each of their own
PLACED = [case for case in (*CASES["ld"], *CASES["st"], *ATOMIC) if case.probe.form not in SHARING]
MEETING = [case for case in (*CASES["atom"], *CASES["red"]) if case.probe.form == "meeting"]


# --- claims ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case, first, ptx",
    [
        ("ld.type:space=global,type=b32", "sm_75", (2, 0)),
        ("ld.type:space=global,type=b128", "sm_75", (8, 3)),
        ("ld.type_256:space=global,type=v8.b32", "sm_100", (8, 8)),
        ("ld.order:sem=acquire.cluster,space=global,type=b32", "sm_90", (7, 8)),
        ("ld.order_local:sem=volatile,space=local,type=b32", "sm_75", (9, 1)),
        ("ld.order_type:sem=acquire.sys,space=shared,type=b128", "sm_75", (8, 4)),
        ("ld.mmio:sem=mmio.acquire.sys,space=global,type=b32", "sm_75", (9, 3)),
        ("ld.prefetch:sem=none,space=global,cache=L2::128B,type=b32", "sm_75", (7, 4)),
        ("ld.prefetch:sem=none,space=global,cache=L2::256B,type=b32", "sm_80", (7, 4)),
        ("st.priority:sem=none,space=global,cache=L1::no_allocate,type=b32", "sm_75", (7, 4)),
        ("st.mmio:sem=mmio.relaxed.sys,space=global,type=b32", "sm_75", (8, 2)),
        ("atom.scalar:space=global,op=cas,type=b16", "sm_75", (6, 3)),
        ("atom.scalar:space=global,op=cas,type=b128", "sm_90", (8, 3)),
        ("atom.scalar:space=shared::cta,op=add,type=bf16x2", "sm_90", (7, 8)),
        ("red.vector:space=global,op=add,type=v4.f32", "sm_90", (8, 1)),
        ("red.policy:space=global,cache=L2::cache_hint,op=add,type=u32", "sm_80", (7, 4)),
        ("async_memory.bulk:sem=weak,space=shared::cta,size=b32,bytes=8", "sm_100", (9, 0)),
        ("multimem.ld_reduce_acc:sem=none,space=global,acc=acc::f32,op=add,type=f16x2", "sm_90", (8, 2)),
        ("memory_hints.prefetch:space=global,level=L2::evict_last", "sm_80", (7, 4)),
        ("memory_hints.prefetch_valid:space=global,level=L1::32B.valid_addr", "sm_90", (9, 4)),
        ("atom.noftz:ftz=noftz,space=global,op=add,type=f32", "sm_90", (9, 4)),
        ("red.noftz_vector:ftz=noftz,space=generic,op=add,type=v4.f32", "sm_90", (9, 4)),
    ],
)
def test_claims_are_the_manuals(case: str, first: str, ptx: tuple[int, int]) -> None:
    claim = catalogue.find(case).claim
    assert claim.targets == {target for target in targets.ALL if target.number >= targets.parse(first).number}
    assert claim.ptx == ptx


def test_fp8_multimem_is_for_the_targets_named_alone() -> None:
    claim = catalogue.find("multimem.st_fp8:sem=none,space=global,type=v4.e5m2").claim
    names = {target.name for target in claim.targets}
    assert {"sm_100a", "sm_103f", "sm_110a", "sm_120a", "sm_121a"} <= names
    assert not {"sm_90a", "sm_100", "sm_120f", "sm_121f"} & names


# --- kernels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sm_75", "sm_90", "sm_100a"])
def test_a_sample_assembles_where_claimed(target: str) -> None:
    known = [case for case in SAMPLE if case.claim.ptx <= kernels.PTX]
    sources = kernels.sources(kernels.claimed(known, target))
    assert len(sources) > 10
    outcome = kernels.assemble([kernel for s in sources for kernel in (s.armed, s.scaffold)], target)
    assert outcome.accepted, outcome.log


def test_controls_are_plain() -> None:
    outcome = kernels.assemble([source.control for source in kernels.sources(SAMPLE)], "sm_75", (8, 7))
    assert outcome.accepted, outcome.log


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PLACED[::7], ids=lambda case: case.id)
def test_threads_have_aligned_elements_of_their_own(case: Case) -> None:
    at, step = verify.inputs(case)["at"], memory.size(case.params["type"])
    spans = [set(range(start, start + step)) for _, _, start in memory.places(case.params, at)]
    assert all(min(span) % step == 0 for span in spans)
    assert len(set().union(*spans)) == step * len(spans)


def test_no_element_overlaps_in_any_loads_row() -> None:
    assert all(memory.ROW % memory.size(case.params["type"]) == 0 for case in CASES["ld"])


# --- oracles against slow and independent references -----------------------------------------------------------------


def number(element: str, raw: bytes) -> int | float:
    """Return the number that bytes hold, by struct and integers alone."""
    if element in ("f16", "f32", "f64"):
        return float(struct.unpack({"f16": "<e", "f32": "<f", "f64": "<d"}[element], raw)[0])
    if element == "bf16":
        return float(struct.unpack("<f", b"\0\0" + raw)[0])
    return int.from_bytes(raw, "little", signed=element.startswith("s"))


def slow(op: str, element: str, old: bytes, value: bytes, swap: bytes) -> bytes:
    """Return what one atomic operation on one element leaves, written out one by one."""
    if op in ("exch", "cas"):
        return (value if op == "exch" else swap if old == value else old)[: len(old)]
    a, b = number(element, old), number(element, value)
    steps: dict[str, Callable[[], int | float]] = {
        "add": lambda: a + b,
        "min": lambda: min(a, b),
        "max": lambda: max(a, b),
        "inc": lambda: 0 if a >= b else a + 1,
        "dec": lambda: b if a == 0 or a > b else a - 1,
        "and": lambda: int(a) & int(b),
        "or": lambda: int(a) | int(b),
        "xor": lambda: int(a) ^ int(b),
    }
    result = steps[op]()
    if element == "bf16":
        packed = struct.pack("<f", result)
        assert packed[:2] == b"\0\0"
        return packed[2:]
    if element in ("f16", "f32", "f64"):
        return struct.pack({"f16": "<e", "f32": "<f", "f64": "<d"}[element], result)
    return (int(result) % (1 << 8 * len(old))).to_bytes(len(old), "little")


@pytest.mark.parametrize("case", ATOMIC[::5], ids=lambda case: case.id)
def test_atomic_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    arrays, params = verify.inputs(case), case.params
    found = case.probe.oracle(params, arrays)
    element = memory.split(params["type"])[1].partition("x")[0]
    step = memory.bits(element) // 8
    if params["op"] == "cas":
        step = memory.size(params["type"])
    before, after = arrays["init"].tobytes(), found["out"].tobytes()
    for cta, lane, start in memory.places(params, arrays["at"]):
        value, swap = arrays["value"][cta, lane].tobytes(), arrays["swap"][cta, lane].tobytes()
        for at in range(0, memory.size(params["type"]), step):
            old = before[start + at : start + at + step]
            assert after[start + at : start + at + step] == slow(
                params["op"], element, old, value[at : at + step], swap
            )
            assert found["old"][cta, lane].tobytes()[at : at + step] == old


@pytest.mark.parametrize("case", MEETING, ids=lambda case: case.id)
def test_a_meeting_ends_as_32_single_steps_do(case: Case) -> None:
    arrays, params = verify.inputs(case), case.params
    found = case.probe.oracle(params, arrays)
    step, start = memory.size(params["type"]), int(arrays["at"][0])
    held = arrays["init"][0].tobytes()[start : start + step]
    seen = []
    for lane in range(memory.LANES):
        seen.append(held)
        held = slow(params["op"], params["type"], held, arrays["value"][0, lane].tobytes(), b"")
    assert found["out"][0].tobytes()[start : start + step] == held
    slots = {int(number(params["type"], raw)) % 32: raw for raw in seen}
    assert [slots[slot] for slot in range(32)] == [row.tobytes() for row in found["old"][0]]


@pytest.mark.parametrize(
    "case", [case for case in CASES["ld"] if "at" in verify.inputs(case)][::7], ids=lambda case: case.id
)
def test_load_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    arrays, params = verify.inputs(case), case.params
    count, element = memory.split(params["type"])
    step, width = memory.bits(element) // 8, max(4, memory.bits(element) // 8)
    out, source = case.probe.oracle(params, arrays)["out"], arrays["src"].tobytes()
    for cta, lane, start in memory.places(params, arrays["at"]):
        for index in range(count):
            raw = source[start + index * step :][:step]
            wide = int.from_bytes(raw, "little", signed=element.startswith("s")) % (1 << 8 * width)
            assert out[cta, lane].tobytes()[index * width :][:width] == wide.to_bytes(width, "little")


# --- what a fault would look like ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [case for case in PLACED if "f16" not in case.params["type"]][::29], ids=lambda case: case.id
)
def test_a_neighbouring_place_shows(case: Case) -> None:
    arrays = {name: np.array(array) for name, array in verify.inputs(case).items()}
    expected = kernels.expected(case, arrays)["out"]
    arrays["at"] = np.roll(arrays["at"], 1)
    assert not np.array_equal(expected, kernels.expected(case, arrays)["out"])


def test_swaps_happen_and_do_not() -> None:
    case = catalogue.find("atom.scalar:space=global,op=cas,type=b64")
    arrays = verify.inputs(case)
    old = case.probe.oracle(case.params, arrays)["old"]
    equal = (old == arrays["value"]).all(axis=-1)
    assert 0 < equal.sum() < equal.size


@pytest.mark.parametrize(
    "case, word, exponent",
    [
        ("atom.scalar:space=global,op=add,type=f16", "<u2", 0x7C00),
        ("atom.noftz:ftz=noftz,space=global,op=add,type=f32", "<u4", 0x7F800000),
        ("atom.noftz_vector:ftz=noftz,space=global,op=add,type=v4.f32", "<u4", 0x7F800000),
    ],
)
def test_a_flush_of_subnormals_would_show(case: str, word: str, exponent: int) -> None:
    found, sign = catalogue.find(case), 1 << (8 * np.dtype(word).itemsize - 1)
    out = kernels.expected(found)["out"].astype(np.uint8).view(word)
    flushed = np.where(out & exponent == 0, out & sign, out)
    arrays = verify.inputs(found)
    touched = out != arrays["init"].view(word)
    assert (touched & (out != flushed)).sum() >= 8


def test_f32_has_subnormals_only_where_it_is_asked_to_keep_them() -> None:
    arrays = verify.inputs(catalogue.find("atom.scalar:space=global,op=add,type=f32"))
    for name in ("init", "value"):
        codes = arrays[name].view("<u4")
        assert not ((codes & 0x7F800000 == 0) & (codes & 0x7FFFFF != 0)).any()


def test_clearing_leaves_the_bytes_around() -> None:
    case = catalogue.find("async_memory.bulk:sem=weak,space=shared::cta,size=b64,bytes=1000")
    out = kernels.expected(case)["out"].reshape(-1)
    assert np.flatnonzero(out == 0).tolist() == list(range(8, 1008))
