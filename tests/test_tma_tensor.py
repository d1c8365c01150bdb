"""Copies through a tensor map: every kernel assembles where claimed, and every oracle agrees with a slow reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from probes import tma_gather, tma_im2col, tma_reduce, tma_tile
from suite import targets, tma_access, tma_kernels, tma_oracle, verify
from suite.operands import TensorMap
from suite.probe import Case
from suite.tma_access import Access
from tests import copy_kernels as kernels
from tests.tma_reference import DRAWN, reference

FAMILIES = {"tma_tile": tma_tile, "tma_im2col": tma_im2col, "tma_gather": tma_gather, "tma_reduce": tma_reduce}
CASES = [case for name in (*FAMILIES, "tma_prefetch") for case in kernels.family(name)]
COPIES = [case for case in CASES if case.family != "tma_prefetch"]
TARGETS = ("sm_90a", "sm_100a", "sm_120a")


def access(case: Case) -> Access:
    """Return the access that a case's oracle is made from."""
    return case.probe.operands.args[0](case.params)  # type: ignore[attr-defined, no-any-return]


def each(cases: Iterable[Case]) -> Callable[[Callable[[Case], None]], Callable[[], None]]:
    """Return a decorator that makes one test of the same check of every case."""

    def decorate(check: Callable[[Case], None]) -> Callable[[], None]:
        def test() -> None:
            for case in cases:
                check(case)

        return test

    return decorate


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
    assert kernels.refused(armed, target) == {s.armed.name for s in kernels.sources(unclaimed)}


@pytest.mark.parametrize(
    ("case", "target", "ptx"),
    [
        ("tma_tile.load_types:dim=2,fmt=u8,at=inside", "sm_90", (8, 0)),
        ("tma_tile.load_unspelled:dim=1,space=cta", "sm_90", (8, 6)),
        ("tma_tile.group:dim=1,space=cta,cluster=2,group=1", "sm_100a", (8, 6)),
        ("tma_tile.group:dim=1,space=cta,cluster=2,group=1", "sm_103f", (8, 8)),
        ("tma_tile.group:dim=1,space=cta,cluster=2,group=1", "sm_110a", (9, 0)),
        ("tma_tile.group:dim=1,space=cta,cluster=2,group=1", "sm_100", None),
        ("tma_gather.gather:space=cta,rows=apart,hint=none", "sm_120", (8, 6)),
        ("tma_gather.gather:space=cluster,rows=apart,hint=none", "sm_120a", None),
        ("tma_gather.gather:space=cluster,rows=apart,hint=none", "sm_103a", (8, 8)),
        ("tma_gather.scatter:rows=apart,fmt=u8", "sm_110f", (9, 0)),
        ("tma_gather.scatter:rows=apart,fmt=u8", "sm_100", None),
        ("tma_im2col.wide:mode=w,dim=3,way=plain,space=cta,halo=0", "sm_100", (8, 6)),
        ("tma_im2col.wide:mode=w::128,dim=3,way=plain,space=cta,halo=0", "sm_100", None),
        ("tma_reduce.tile:op=inc,type=u32,mode=tile,at=inside", "sm_90", (8, 0)),
        ("tma_prefetch.gather:mode=tile::gather4,hint=none", "sm_100", None),
        ("tma_prefetch.im2col:mode=im2col,dim=3,hint=none", "sm_90", (8, 0)),
        ("tma_gather.width:space=cluster,cluster=2,mask=0x3,group=0,width=16b", "sm_100a", (9, 4)),
        ("tma_gather.width:space=cluster,cluster=2,mask=0x3,group=0,width=16b", "sm_110a", None),
        ("tma_gather.width:space=cluster,cluster=2,mask=0x3,group=0,width=32b", "sm_103f", None),
        ("tma_gather.report:space=cta,report=disabled", "sm_107f", (9, 4)),
        ("tma_gather.report:space=cta,report=disabled", "sm_107", None),
        ("tma_im2col.multicast_width:dim=3,cluster=2,mask=0x3,width=16b", "sm_90", (9, 4)),
        (
            "tma_im2col.along_w_width:mode=w::128,dim=3,space=cluster,cluster=2,mask=0x3,halo=0,width=16b",
            "sm_110f",
            (9, 4),
        ),
        ("tma_im2col.along_w_width:mode=w,dim=3,space=cluster,cluster=2,mask=0x3,halo=0,width=16b", "sm_110f", None),
        ("tma_reduce.im2col_override:op=add,type=u32,dim=3,mode=im2col_no_offs,override=address", "sm_107a", (9, 4)),
        ("tma_prefetch.override_mode:mode=im2col,dim=3,override=address", "sm_100f", None),
    ],
)
def test_claims_are_those_of_the_notes(case: str, target: str, ptx: tuple[int, int] | None) -> None:
    found = next(entry for entry in CASES if entry.id == case)
    assert found.claim.minimum(targets.parse(target)) == ptx


@each(CASES)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text
    assert not any(
        word in source.control.text for word in ("mbarrier.", "cluster", "cp.async", "fence", "createpolicy")
    )


@each(CASES)
def test_every_wait_is_bounded_and_shared_memory_small(case: Case) -> None:
    text = kernels.sources([case])[0].armed.text
    assert text.count("try_wait") == text.count("0xBAD0BAD0") == text.count(", 65536;") <= 1
    assert case.probe.fields(case.params).get("window", 0) <= 48 * 1024
    assert case.native


@each(CASES)
def test_buffers_round_trip(case: Case) -> None:
    kernels.assert_round_trips(case)


def tensor_map(case: Case) -> TensorMap:
    return next(operand for operand in case.operands if isinstance(operand, TensorMap))


@each(CASES)
def test_tensor_maps_keep_the_limits_of_the_driver(case: Case) -> None:
    """Source: CUDA driver API 13, cuTensorMapEncodeTiled, …Im2col and …Im2colWide."""
    entry = tensor_map(case)
    size = tma_access.BITS[entry.fmt] // 8
    extents = [size * entry.dims[0], *(s * d for s, d in zip(entry.strides, entry.dims[1:], strict=True))]
    assert all(stride % 16 == 0 for stride in entry.strides)
    assert all(stride >= extent for stride, extent in zip(entry.strides, extents, strict=False))
    assert extents[-1] <= next(operand for operand in case.operands if operand.name == entry.over).nbytes
    assert size * entry.box[0] % 16 == 0
    assert size * entry.box[0] <= {"none": math.inf, "32B": 32, "64B": 64}.get(entry.swizzle, 128)
    assert all(1 <= step <= 8 for step in entry.element_strides)
    assert entry.element_strides[0] == 1
    if entry.mode == "tile":
        assert all(1 <= box <= 256 for box in entry.box)
        return
    assert 3 <= len(entry.dims) <= 5
    assert entry.box[0] <= 256
    assert entry.box[1] <= 1024
    least = {3: 1 << 15, 4: 1 << 7, 5: 1 << 4}[len(entry.dims) if entry.mode == "im2col" else 3]
    assert all(-least <= corner < least for corner in (*entry.lower, *entry.upper))
    ends = [dim - 1 + upper for dim, upper in zip(entry.dims[1:], entry.upper, strict=False)]
    assert all(lower <= end for lower, end in zip(entry.lower, ends, strict=True))
    if entry.mode != "im2col":
        assert entry.swizzle != "none"


@each(COPIES)
def test_coordinates_keep_the_rules_of_the_manual(case: Case) -> None:
    """Source: PTX ISA 9.3, 5.5.3.1, 5.5.4.1, 5.5.5.1 and 9.7.9.26.5.1."""
    where = access(case)
    assert where.corner[0] * where.itemsize % 16 == 0
    if where.swizzle != "none":
        assert where.nbytes % 128 == 0
    if ".global.shared::cta" in case.opcode:
        assert min(where.corner) >= 0
        assert min((*where.lower, 0)) >= 0 >= max((*where.upper, 0))
    if where.mode != "im2col":
        return
    for first, lower, upper, dim in zip(where.corner[1:], where.lower, where.upper, where.dims[1:], strict=False):
        assert lower <= first <= dim - 1 + upper
        assert 0 <= first < dim
    for offset in where.offsets:
        assert 0 <= offset < {3: 1 << 16, 4: 1 << 8, 5: 1 << 5}[len(where.dims)]


# --- oracles against a slow and independent reference -----------------------------------------------------------------


@each([c for c in COPIES if c.probe.template == "tma_load.ptx.j2"])
def test_load_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    where, out = access(case), kernels.expected(case)
    source = [int(code) for code in verify.inputs(case)["src"]]
    fill = 0 if where.fill == "zero" else {"f16": 0x7E01, "f32": 0x7FC00001}[where.fmt]
    ctas, mask = case.launch.grid[0], int(case.params.get("mask", "0x1"), 16)
    for cta in range(ctas):
        want = tma_oracle.prefilled(ctas, tma_kernels.window(where))[cta].view(where.dtype)
        if mask & 1 << cta:
            for at, home in reference(where):
                byte = tma_kernels.target(where) + at
                want[byte // where.itemsize] = fill if home is None else source[home // where.itemsize]
        np.testing.assert_array_equal(out["out"][cta], want)
    assert out["status"].tolist() == [0x600D0001] * ctas


@each([c for c in COPIES if "store" in c.id or "scatter" in c.id])
def test_store_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    where, arrays = access(case), verify.inputs(case)
    want = arrays["out"].copy()
    for at, home in reference(where):
        if home is not None:
            want[home // where.itemsize] = arrays["src"][at // where.itemsize]
    np.testing.assert_array_equal(kernels.expected(case)["out"], want)


def applied(op: str, kind: str, old: int, new: int) -> int:
    """Return a reduction of two codes of an integer type in Python's integers."""
    bits = int(kind[1:])
    a, b = ((code - (code >> bits - 1 << bits)) if kind[0] == "s" else code for code in (old, new))
    result = {
        "add": a + b,
        "min": min(a, b),
        "max": max(a, b),
        "inc": 0 if a >= b else a + 1,
        "dec": b if a == 0 or a > b else a - 1,
        "and": a & b,
        "or": a | b,
        "xor": a ^ b,
    }[op]
    return result % (1 << bits)


@each([c for c in COPIES if c.family == "tma_reduce"])
def test_reduction_oracle_agrees_with_the_slow_reference(case: Case) -> None:
    where, arrays = access(case), verify.inputs(case)
    want = arrays["out"].copy()
    for at, home in reference(where):
        if home is None:
            continue
        i, new = home // where.itemsize, arrays["src"][at // where.itemsize]
        if "f" not in where.fmt:
            want[i] = applied(case.params["op"], where.fmt, int(want[i]), int(new))
        else:
            want[i] = float_applied(case.params["op"], where.fmt, want[i], new)
    out = kernels.expected(case)["out"]
    np.testing.assert_array_equal(out, want)
    assert (out != arrays["out"]).sum() > 20


def float_applied(op: str, kind: str, old: np.unsignedinteger, new: np.unsignedinteger) -> int:
    """Return a reduction of two floats by numpy's own arithmetic, of bf16 by rounding the f32 sum's bits."""
    if kind == "bf16":
        a, b = (np.array([int(code) << 16], dtype=np.uint32).view(np.float32)[0] for code in (old, new))
        exact = np.float64(a) + np.float64(b) if op == "add" else {"min": min, "max": max}[op](a, b)
        bits = int(np.array([exact], dtype=np.float32).view(np.uint32)[0])  # exact: 24 bits hold these sums
        return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    real = {"f16": np.float16, "f32": np.float32}[kind]
    c, d = (np.array([code]).view(real)[0] for code in (old, new))
    result = c + d if op == "add" else {"min": min, "max": max}[op](c, d)
    return int(np.array([result], dtype=real).view(old.dtype)[0])


@pytest.mark.parametrize(("op", "kind"), [("inc", "u32"), ("dec", "u32")])
def test_counters_meet_both_of_their_branches(op: str, kind: str) -> None:
    case = next(c for c in COPIES if f"op={op},type={kind},mode=tile,at=inside" in c.id)
    arrays = verify.inputs(case)
    changed = kernels.expected(case)["out"] != arrays["out"]
    step = {"inc": 1, "dec": -1}[op]
    moved = (kernels.expected(case)["out"].astype(np.int64) - arrays["out"].astype(np.int64))[changed]
    assert (moved == step).sum() > 20
    assert (moved != step).sum() > 20


# --- what a fault would look like -------------------------------------------------------------------------------------

FAULTS = {
    "corner": lambda a: [replace(a, corner=bumped(a.corner, i)) for i in range(len(a.corner))],
    "lower": lambda a: [replace(a, lower=bumped(a.lower, i)) for i in range(len(a.lower))],
    "upper": lambda a: [replace(a, upper=bumped(a.upper, i)) for i in range(len(a.upper))],
    "offsets": lambda a: [replace(a, offsets=bumped(a.offsets, i)) for i in range(len(a.offsets))],
    "dims": lambda a: [replace(a, dims=bumped(a.dims, i)) for i in range(1, len(a.dims) - 1)],
}


def bumped(values: tuple[int, ...], at: int) -> tuple[int, ...]:
    return tuple(value + (i == at) for i, value in enumerate(values))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("dim", [3, 4, 5])
def test_a_wrong_part_of_an_im2col_access_would_be_seen(dim: int, fault: str) -> None:
    right = tma_im2col._access({"dim": dim})
    flat = tma_access.codes("f16", right.storage)
    image = tma_access.loaded(right, flat)
    assert (image.view(np.uint16) == 0).any()
    for wrong in FAULTS[fault](right):
        assert not np.array_equal(tma_access.loaded(wrong, flat), image), wrong


def test_corners_in_the_order_d_h_w_would_be_seen() -> None:
    """The driver API names the corners {D, H, W}; its arrays run from W, as those of dims do."""
    for dim in (4, 5):
        right = tma_im2col._access({"dim": dim})
        flat = tma_access.codes("f16", right.storage)
        wrong = replace(right, lower=right.lower[::-1], upper=right.upper[::-1])
        assert not np.array_equal(tma_access.loaded(wrong, flat), tma_access.loaded(right, flat))


@each([c for c in COPIES if c.params.get("swizzle", "none") != "none"])
def test_another_swizzle_would_be_seen(case: Case) -> None:
    where = access(case)
    flat = tma_access.codes(where.fmt, where.storage)
    same = [s for s in DRAWN if np.array_equal(tma_access.loaded(replace(where, swizzle=s), flat), image(where, flat))]
    if "scatter" in case.id:  # from the pattern's start, four rows do not tell all swizzles apart
        assert "none" not in same
    else:
        assert same == [where.swizzle]


def image(where: Access, flat: np.ndarray) -> np.ndarray:
    return tma_access.loaded(where, flat)


@each([c for c in COPIES if access(c).steps])
def test_a_lost_stride_would_be_seen(case: Case) -> None:
    where = access(case)
    if set(where.steps) > {1}:
        flat = tma_access.codes(where.fmt, where.storage)
        assert not np.array_equal(tma_access.loaded(replace(where, steps=()), flat), image(where, flat))


def test_codes_are_distinct_even_and_bounded() -> None:
    for fmt, bits in tma_access.BITS.items():
        codes = tma_access.codes(fmt, 10000)
        assert codes.all()
        assert not (codes % 2).any()
        assert bits == 8 or len(set(codes.tolist())) == 10000
    with pytest.raises(ValueError, match="no 20000 different"):
        tma_access.codes("f16", 20000)


def test_the_manuals_example_of_im2col() -> None:
    """PTX ISA 9.3, 5.5.4.1, example 1, whose lists run from N: boxes of 14 by 9 from -1 on, begun in the last row."""
    where = Access(
        "f16",
        (64, 14, 9, 64),
        (128, 1792, 16128),
        (8, 64),
        (0, 4, 7, 7),
        mode="im2col",
        lower=(-1, -1),
        upper=(-1, -1),
        offsets=(0, 0),
    )
    pixels = [tuple(row[1:]) for row in tma_access.coordinates(where)[::8].tolist()]
    assert pixels[:9] == [(w, 7, 7) for w in range(4, 13)]
    assert pixels[9:24] == [*((w, -1, 8) for w in range(-1, 13)), (-1, 0, 8)]
    assert len(pixels) == 64
