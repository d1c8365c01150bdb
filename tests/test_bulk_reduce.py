"""The bulk_reduce family: its oracle against Python's integers and fractions, and inputs that see what they must."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from suite import bulk_oracle, verify
from suite.bulk_oracle import FROM, TO
from suite.probe import Arrays, Case
from tests import copy_kernels as kernels

CASES = kernels.family("bulk_reduce")


def of_form(*forms: str) -> list[Case]:
    return [case for case in CASES if case.probe.form in forms]


def named(name: str) -> Case:
    return next(case for case in CASES if case.id == f"bulk_reduce.{name}")


PART = 272  # bytes of a region that the slow reference goes through
WIDTH = {"f16": "<e", "f32": "<f", "f64": "<d"}


def number(kind: str, raw: bytes) -> Fraction:
    """Return the value of an element."""
    if kind == "bf16":
        return Fraction(struct.unpack("<f", b"\0\0" + raw)[0])
    if kind in WIDTH:
        return Fraction(struct.unpack(WIDTH[kind], raw)[0])
    return Fraction(int.from_bytes(raw, "little", signed=kind.startswith("s")))


def code(kind: str, value: Fraction) -> bytes:
    """Return the bytes of a value, of floats the nearest, ties to even, found among all neighbours by bisection."""
    size = {"bf16": 2, "f16": 2, "f32": 4, "f64": 8}[kind]
    top = {"bf16": 0x7F80, "f16": 0x7C00, "f32": 0x7F800000, "f64": 0x7FF << 52}[kind]
    low, high = 0, top - 1
    while high - low > 1:
        middle = (low + high) // 2
        below = number(kind, middle.to_bytes(size, "little")) <= abs(value)
        low, high = (middle, high) if below else (low, middle)
    gaps = [abs(number(kind, c.to_bytes(size, "little")) - abs(value)) for c in (low, high)]
    chosen = low if gaps[0] < gaps[1] or (gaps[0] == gaps[1] and low % 2 == 0) else high
    return (chosen | (value < 0) << (8 * size - 1)).to_bytes(size, "little")


def counted(op: str, old: int, bound: int) -> int:
    if op == "inc":
        return 0 if old >= bound else old + 1
    return bound if old == 0 or old > bound else old - 1


BITS: dict[str, Callable[[int, int], int]] = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}


def slow(op: str, kind: str, old: bytes, value: bytes) -> bytes:
    """Return one element after one reduction."""
    a, b = number(kind, old), number(kind, value)
    if op in ("min", "max"):
        return old if a == b or (a < b) == (op == "min") else value
    if op == "add" and "f" in kind:
        return code(kind, a + b)
    words = [int.from_bytes(raw, "little") for raw in (old, value)]
    if op == "add":
        result = sum(words) % (1 << 8 * len(old))
    else:
        result = BITS[op](*words) if op in BITS else counted(op, *words)
    return result.to_bytes(len(old), "little")


def raw(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def slow_region(case: Case, old: bytes, value: bytes) -> bytes:
    op, kind = case.params["op"], case.params["type"]
    step = int(kind[-2:]) // 8
    parts = [slow(op, kind, old[i : i + step], value[i : i + step]) for i in range(0, len(old), step)]
    return b"".join(parts)


def small(cases: list[Case]) -> list[Case]:
    return [case for case in cases if case.params["sem"] == "none" and case.params.get("hint", "none") == "none"]


TO_GLOBAL = of_form("global", "global_noftz", "global_meeting")
TO_SHARED = of_form("shared", "shared_meeting")


def typed(case: Case, name: str, array: np.ndarray) -> bytes:
    operand = next(operand for operand in case.operands if operand.name == name)
    return raw(operand.pack(array))


@pytest.mark.parametrize("case", [c for c in small(TO_GLOBAL) if c.params["bytes"] < 8192], ids=lambda case: case.id)
def test_reductions_into_global_memory_against_fractions(case: Case) -> None:
    inputs, size = verify.inputs(case), case.params["bytes"]
    part = min(size, PART)
    before = typed(case, "out", inputs["out"])
    rows = typed(case, "src", inputs["src"])
    region = before[TO : TO + part]
    for start in range(0, len(rows), size):
        region = slow_region(case, region, rows[start : start + part])
    after = typed(case, "out", kernels.expected(case)["out"])
    assert after[: TO + part] == before[:TO] + region
    assert after[TO + size :] == before[TO + size :]
    assert region != before[TO : TO + part]


@pytest.mark.parametrize("case", small(TO_SHARED), ids=lambda case: case.id)
def test_reductions_into_another_cta_against_integers(case: Case) -> None:
    inputs, size = verify.inputs(case), case.params["bytes"]
    windows = [raw(row) for row in inputs["init"]]
    place, part = TO + size, min(size, PART)
    regions = [window[place : place + part] for window in windows]
    for cta, peer in enumerate(inputs["peers"].tolist()):
        if peer != cta:
            regions[peer] = slow_region(case, regions[peer], windows[cta][FROM : FROM + part])
    after = typed(case, "out", kernels.expected(case)["out"])
    for cta, (window, region) in enumerate(zip(windows, regions, strict=True)):
        row = after[cta * len(window) : (cta + 1) * len(window)]
        assert row[: place + part] == window[:place] + region
        assert row[place + size :] == window[place + size :]
    sends = [peer for cta, peer in enumerate(inputs["peers"].tolist()) if peer != cta]
    assert inputs["expected"].tolist() == [size * sends.count(cta) for cta in range(case.params["cluster"])]


@pytest.mark.parametrize("form", ["global_meeting", "shared_meeting"])
def test_where_many_meet_the_order_does_not_matter_but_every_one_does(form: str) -> None:
    for case in of_form(form):
        inputs = verify.inputs(case)
        right = met(case, inputs)
        np.testing.assert_array_equal(met(case, reordered(inputs, form)), right)
        assert not np.array_equal(met(case, one_less(inputs, form)), right)


def met(case: Case, inputs: Arrays) -> np.ndarray:
    """Return the place where all meet, after they did."""
    out = case.probe.oracle(case.params, inputs)["out"]
    return out if out.ndim == 1 else out[1, TO + case.params["bytes"] :]


def reordered(inputs: Arrays, form: str) -> Arrays:
    """Return the inputs with the operands of the senders in another order; CTA 1 receives, and sends nothing."""
    if form == "global_meeting":
        return {**inputs, "src": inputs["src"][::-1]}
    init, size = inputs["init"].copy(), int(inputs["facts"][0])
    init[[0, 2, 3], FROM : FROM + size] = init[[3, 0, 2], FROM : FROM + size]
    return {**inputs, "init": init}


def one_less(inputs: Arrays, form: str) -> Arrays:
    if form == "global_meeting":
        return {**inputs, "src": inputs["src"][:-1]}
    peers = inputs["peers"].copy()
    peers[3] = 3
    return {**inputs, "peers": peers}


def region(case: Case) -> tuple[bytes, bytes]:
    """Return what lies in global memory and what is reduced into it."""
    inputs, size = verify.inputs(case), case.params["bytes"]
    return typed(case, "out", inputs["out"])[TO : TO + size], typed(case, "src", inputs["src"])[:size]


LONG = [case for case in small(of_form("global")) if case.params["bytes"] > 16]


@pytest.mark.parametrize("case", LONG, ids=lambda case: case.id)
def test_another_operation_or_type_would_be_seen(case: Case) -> None:
    old, value = (np.frombuffer(part, dtype=np.uint8) for part in region(case))
    right = bulk_oracle.reduce_bytes(case.params, old, value)
    entries = [entry for entry in bulk_oracle.TO_GLOBAL if entry != (case.params["op"], case.params["type"])]
    same = []
    for op, kind in entries:
        if "f" not in kind:
            other = bulk_oracle.reduce_bytes({**case.params, "op": op, "type": kind}, old, value)
            same += [(op, kind)] * np.array_equal(other, right)
    twins = {"add": {"u32", "s32"}, "and": {"b32", "b64"}, "or": {"b32", "b64"}, "xor": {"b32", "b64"}}
    allowed = {(case.params["op"], kind) for kind in twins.get(case.params["op"], set())}
    assert set(same) <= allowed


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32"])
def test_a_flush_to_zero_and_another_rounding_would_be_seen(kind: str) -> None:
    form = "global_noftz:op=add,type=f32,ftz=noftz" if kind == "f32" else f"global:op=add,type={kind}"
    case = named(f"{form},sem=none,hint=none,bytes=272")
    step = 4 if kind == "f32" else 2
    old, value = region(case)
    pairs = [(old[i : i + step], value[i : i + step]) for i in range(0, len(old), step)]
    least = Fraction(2) ** (-14 if kind == "f16" else -126)
    tiny = [(a, b) for a, b in pairs if 0 < abs(number(kind, a)) < least and 0 < abs(number(kind, b)) < least]
    sums = [number(kind, a) + number(kind, b) for a, b in pairs]
    rounded = [number(kind, code(kind, exact)) for exact in sums]
    assert len(tiny) >= len(pairs) // 4
    assert any(abs(near) < abs(exact) for near, exact in zip(rounded, sums, strict=True))
    assert any(abs(near) > abs(exact) for near, exact in zip(rounded, sums, strict=True))


def test_f32_meets_no_subnormal_where_the_manuals_differ() -> None:
    for case in of_form("global"):
        if case.params["type"] == "f32":
            old, value = (np.frombuffer(part, dtype="<f4") for part in region(case))
            for values in (old, value, old + value):
                assert ((values == 0) | (np.abs(values) >= 2.0**-126)).all()


def test_every_valid_combination_of_the_table_is_asked() -> None:
    """Counted in PTX ISA 9.3, 9.7.9.26.4.2."""
    spelled = {case.opcode for case in CASES}
    assert len(bulk_oracle.TO_GLOBAL) == len(set(bulk_oracle.TO_GLOBAL)) == 27
    assert len(bulk_oracle.TO_SHARED) == len(set(bulk_oracle.TO_SHARED)) == 12
    assert len(spelled) == (27 + 1) * 5 * 2 + 12 * 3
    assert "cp.reduce.async.bulk.relaxed.gpu.global.shared::cta.bulk_group.L2::cache_hint.add.noftz.bf16" in spelled
    assert "cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f16" in spelled
    assert "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u64" in spelled
