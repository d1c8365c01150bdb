"""The mma_sp family: metadata and fragments against a machine that reads registers as the manual says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from suite import catalogue, mma, mma_sp, verify
from suite.formats import FORMATS, decode
from suite.probe import Arrays, Case, Params
from tests import manual_mma as manual

CASES = {case.id: case for case in catalogue.expand() if case.family == "mma_sp"}

# One case of each shape, width and kind of A, selector and variant: B and D are those of dense mma.
READ = {
    tuple(case.params.get(key) for key in ("shape", "a", "variant", "selector", "kind", "scale_vec", "select")): case
    for case in CASES.values()
    if case.params.get("b", case.params["a"]) == case.params["a"]
}

# By shape and bits of an element of A in its register: how many dense columns a register covers, and the first of them
# for each pair of registers (rows g and g + 8). Source: PTX ISA 9.3, 9.7.15.6.2.1 to 9.7.15.6.2.8, firstcol.
SPANS = {
    ("m16n8k16", 16): (4, (0,)),
    ("m16n8k32", 16): (4, (0, 16)),
    ("m16n8k16", 32): (2, (0, 8)),
    ("m16n8k8", 32): (2, (0,)),
    ("m16n8k32", 8): (8, (0,)),
    ("m16n8k64", 8): (8, (0, 32)),
    ("m16n8k64", 4): (16, (0,)),
    ("m16n8k128", 4): (16, (0, 64)),
}


def width(params: Params) -> int:
    return 8 if mma_sp.boxed(params) else FORMATS[params["a"]].bits


def metadata_lane(params: Params, row: int, column: int) -> tuple[int, int]:
    """Return which lane of the quad holds the metadata of a dense column, and the first bit of its chunk."""
    selector, chunk = params.get("selector", 0), mma_sp.chunk(params)
    if width(params) >= 16:  # two rows a lane, 16 bits each: one lane, or a pair for the halves of K
        lanes = mma.mnk(params)[2] // (4 * chunk)
        return selector * lanes + column // (4 * chunk), 16 * (row // 8) + 4 * (column // chunk % 4)
    half = column // (8 * chunk)  # a row a lane, 32 bits: an even and an odd lane, and two more for the upper half of K
    return selector * 2 + half * 2 + row // 8, 4 * (column // chunk % 8)


def dense(case: Case, words: dict[str, np.ndarray]) -> np.ndarray:
    """Return A as the machine of the manual sees it: registers and metadata, lane by lane."""
    params, bits = case.params, width(case.params)
    span, firsts = SPANS[params["shape"], bits]
    unit = mma_sp.chunk(params) / 4  # elements that an index stands for
    k = mma.mnk(params)[2]
    trials = words["a"].shape[0]
    codes = np.zeros((trials, 16, k), dtype=np.uint64)
    shift = 2 if params["a"] == "e2m1" and bits == 8 else 0
    for register in range(words["a"].shape[1]):
        first, row_half = firsts[register // 2], register % 2
        for lane in range(32):
            row = lane // 4 + 8 * row_half
            for i in range(32 // bits):
                chunk = i // max(1, int(2 * unit))
                column = first + lane % 4 * span + chunk * mma_sp.chunk(params)
                holder, bit = metadata_lane(params, row, column)
                code = words["e"][:, 0, lane // 4 * 4 + holder] >> np.uint64(bit) & np.uint64(15)
                which = i % int(2 * unit) // int(unit) if unit >= 1 else 0
                index = code >> np.uint64(2 * which) & np.uint64(3)
                within = (index * unit).astype(np.int64) + (i % int(unit) if unit >= 1 else 0)
                value = words["a"][:, register, lane] >> np.uint64(i * bits + shift) & np.uint64(
                    (1 << min(bits, 32)) - 1
                )
                codes[np.arange(trials), row, column + within] = value & np.uint64((1 << FORMATS[params["a"]].bits) - 1)
    return decode(FORMATS[params["a"]], codes)


@cache
def inputs(case: Case) -> Arrays:
    return verify.inputs(case)


@pytest.mark.parametrize("case", READ.values(), ids=lambda case: case.id)
def test_registers_read_as_the_manual_says_hold_the_dense_a(case: Case) -> None:
    arrays = inputs(case)
    words = {o.name: manual.registers(o, arrays[o.name]) for o in case.operands if o.name in ("a", "e")}
    assert np.array_equal(dense(case, words), mma_sp.expand(case.params, arrays["a"], arrays["e"]))


def test_metadata_layouts_are_bijections_of_all_codes() -> None:
    for wide in (False, True):
        layout = mma_sp.metadata(wide)
        assert len(set(zip(layout.row.flat, layout.column.flat, strict=True))) == 256
        assert layout.row.max() == layout.column.max() == 15


def test_metadata_is_legal_in_every_lane_and_in_order_where_it_must_be() -> None:
    for case in READ.values():
        first, second = inputs(case)["e"] & 3, inputs(case)["e"] >> 2
        assert np.all(first != second), case.id
        if case.params.get("variant") != "sp" or case.params["a"] == "tf32":
            assert np.all(first < second), case.id
        else:
            assert np.any(first > second), case.id


# --- machines that err ------------------------------------------------------------------------------------------------


def changed(case: Case, **arrays: np.ndarray) -> bool:
    """Tell whether a machine that reads these instead gives another D."""
    oracle = case.probe.oracle
    right = oracle(case.params, inputs(case))["d"]
    return not np.array_equal(oracle(case.params, {**inputs(case), **arrays})["d"], right)


def mutants(case: Case) -> Iterator[tuple[str, bool]]:
    arrays = inputs(case)
    e, a = arrays["e"], arrays["a"]
    chunks = mma.mnk(case.params)[2] // mma_sp.chunk(case.params)
    yield "metadata of the next row", changed(case, e=np.roll(e, 1, axis=1))
    yield "rows g and g + 8 of the metadata", changed(case, e=np.roll(e, 8, axis=1))
    yield "chunks of the metadata turned by one", changed(case, e=np.roll(e, 1, axis=2))
    if chunks < 16:
        yield "another selector", changed(case, e=np.roll(e, chunks, axis=2))
    if chunks > 4:
        yield "halves of the metadata", changed(case, e=np.roll(e, 4, axis=2))
    yield "the first two of four kept", changed(case, e=np.full_like(e, 0b0100))
    yield "A turned by one", changed(case, a=np.roll(a, 1, axis=2))
    yield "rows g and g + 8 of A", changed(case, a=np.roll(a, 8, axis=1))
    yield "columns of B", changed(case, b=np.roll(arrays["b"], 1, axis=2))
    yield "rows of B", changed(case, b=np.roll(arrays["b"], 1, axis=1))
    yield "c dropped", changed(case, c=0 * arrays["c"])
    if case.params["a"] != "tf32":
        swapped = (e >> 2 | e << 2) & 15
        yield "the two indices exchanged", changed(case, e=swapped)
        yield "the second index alone", changed(case, e=(e >> 2) * 5 ^ 1)
    for scale in ("sfa", "sfb"):
        if scale in arrays:
            yield f"{scale} dropped", changed(case, **{scale: np.ones_like(arrays[scale])})
            yield f"{scale} of the next", changed(case, **{scale: np.roll(arrays[scale], 1, axis=1)})


@pytest.mark.parametrize("case", READ.values(), ids=lambda case: case.id)
def test_a_machine_that_errs_is_found(case: Case) -> None:
    assert [how for how, found in mutants(case) if not found] == []


@pytest.mark.parametrize("case", [c for c in READ.values() if c.params["d"] == "s32"], ids=lambda case: case.id)
def test_ignored_satfinite_is_found(case: Case) -> None:
    other = {"no": "yes", "yes": "no"}[case.params["satfinite"]]
    right, wrong = (
        case.operands[0].codes(mma_sp.integer_multiply({**case.params, "satfinite": sat}, inputs(case))["d"])
        for sat in (case.params["satfinite"], other)
    )
    assert not np.array_equal(right, wrong)


def test_sums_are_exact_in_the_accumulator() -> None:
    for case in CASES.values():
        if case.params["d"] == "f16":
            arrays = inputs(case)
            dense_a = mma_sp.expand(case.params, arrays["a"], arrays["e"])
            assert np.max(abs(dense_a) @ abs(arrays["b"]) + abs(arrays["c"])) <= 2048, case.id


@pytest.mark.parametrize(
    "pattern, claimed, unclaimed, ptx",
    [
        ("mma_sp.f16:variant=sp,*", {"sm_80", "sm_121f"}, {"sm_75"}, (7, 1)),
        ("mma_sp.int4:variant=ordered,*", {"sm_80", "sm_90a"}, {"sm_75"}, (8, 5)),
        ("mma_sp.fp8:variant=sp,*", {"sm_89", "sm_90"}, {"sm_88"}, (8, 4)),
        ("mma_sp.fp8:variant=ordered,*d=f16", {"sm_120", "sm_121"}, {"sm_90", "sm_110a"}, (8, 7)),
        ("mma_sp.f8f6f4:*", {"sm_120a", "sm_120f", "sm_121a", "sm_121f"}, {"sm_120", "sm_100a"}, (8, 7)),
        ("mma_sp.mxf8f6f4:*", {"sm_120a", "sm_121f"}, {"sm_121", "sm_110f"}, (8, 7)),
        ("mma_sp.mxf4:*s=ue4m3,*", {"sm_120a", "sm_121a"}, {"sm_120f", "sm_121f"}, (8, 7)),
        ("mma_sp.mxf4:*scale_vec=4X,*s=ue8m0,*", {"sm_120a", "sm_121a"}, {"sm_120f", "sm_121f"}, (9, 1)),
    ],
)
def test_claims_are_the_notes(pattern: str, claimed: set[str], unclaimed: set[str], ptx: tuple[int, int]) -> None:
    for case in catalogue.select((pattern,)):
        names = {target.name for target in case.claim.targets}
        assert claimed <= names, case.id
        assert not unclaimed & names, case.id
        assert case.claim.ptx == ptx, case.id
