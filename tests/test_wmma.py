"""The wmma family: matrices in memory byte by byte, the product against plain sums, and inputs that can fail."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from suite import catalogue, verify, wmma
from suite.probe import Arrays, Case
from suite.wmma import Matrix

CASES = [case for case in catalogue.expand() if case.family == "wmma"]
SAMPLE = [case for case in CASES if case.params.get("space", "global") == "global"]


def at(operand: Matrix, raw: np.ndarray, place: tuple[int, int, int], line: int) -> int:
    """Return the code that lies where an element must: `line` elements from one row (or column) to the next."""
    trial, row, column = place
    bits = operand.format.bits
    element = row * line + column if operand.major == "row" else column * line + row
    start = (trial * operand.trial_bytes * 8) + element * bits
    number = int.from_bytes(raw[start // 8 : start // 8 + 9].tobytes(), "little")
    return number >> start % 8 & (1 << bits) - 1


def matrices(case: Case) -> list[Matrix]:
    return [operand for operand in case.operands if isinstance(operand, Matrix)]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.id)
def test_matrices_lie_in_memory_as_their_layout_and_stride_say(case: Case) -> None:
    arrays, whole = verify.inputs(case), wmma.plan(case.params)
    stride = int(arrays["knobs"][1])
    for operand in matrices(case):
        if operand.role == "out":
            continue
        rows, columns = wmma.extents(whole)[operand.name]
        default = columns if operand.major == "row" else rows
        line = stride if wmma.is_padded(case.params, operand.name) else default
        assert (line > default) == wmma.is_padded(case.params, operand.name)
        raw, codes = operand.pack(arrays[operand.name]), operand.codes(arrays[operand.name])
        assert raw.size == operand.nbytes
        for place in ((0, 0, 0), (0, rows - 1, 0), (1, 0, columns - 1), (2, rows // 2, columns // 2 - 1)):
            assert at(operand, raw, place, line) == codes[place], (operand.name, place)
        assert np.array_equal(operand.unpack(raw), codes)


def plain(case: Case, arrays: Arrays) -> np.ndarray:
    """Return D of the first trials by loops, as codes."""
    whole = wmma.plan(case.params)
    (m, k), (_, n) = wmma.extents(whole)["a"], wmma.extents(whole)["b"]
    found = np.zeros((4, m, n))
    for (trial, i, j), _ in np.ndenumerate(found):
        a, b = arrays["a"][trial, i, :k], arrays["b"][trial, :k, j]
        if whole["a"] == "b1":
            terms = [int(x) & int(y) if whole["op"] == "and" else int(x) ^ int(y) for x, y in zip(a, b, strict=True)]
        else:
            terms = [x * y for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        found[trial, i, j] = sum(terms) + arrays["c"][trial, i, j]
    if whole["d"] == "s32" and whole["satfinite"] == "yes":
        found = np.clip(found, -(2.0**31), 2.0**31 - 1)
    if whole["d"] == "s32":
        found = (found.astype(np.int64) & 0xFFFFFFFF).astype(np.uint64)
    return matrices(case)[0].codes(found)


DISTINCT = list({tuple(sorted((k, v) for k, v in wmma.plan(case.params).items())): case for case in SAMPLE}.values())


@pytest.mark.parametrize("case", DISTINCT[::3], ids=lambda case: case.id)
def test_the_oracle_is_the_plain_sum(case: Case) -> None:
    arrays = verify.inputs(case)
    d = matrices(case)[0].codes(case.probe.oracle(case.params, arrays)["d"])
    m, n = wmma.extents(wmma.plan(case.params))["d"]
    assert np.array_equal(d[:4, :m, :n], plain(case, arrays))


def mutants(case: Case, arrays: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Yield what a machine would take for its inputs if it erred."""
    whole = wmma.plan(case.params)
    for name in "abc":
        rows, columns = wmma.extents(whole)[name]
        real = arrays[name][:, :rows, :columns]
        for how, wrong in (
            ("turned rows", np.roll(real, 1, axis=1)),
            ("turned columns", np.roll(real, 1, axis=2)),
            ("the other layout", real.transpose(0, 2, 1).reshape(real.shape)),
            ("lost", 0 * real),
            ("next trial", np.roll(real, 1, axis=0)),
        ):
            changed = arrays[name].copy()
            changed[:, :rows, :columns] = wrong
            yield f"{name} {how}", {**arrays, name: changed}
    if wmma.is_padded(case.params, case.params.get("matrix", "")) and case.params["matrix"] != "d":
        name = case.params["matrix"]
        rows, columns = wmma.extents(whole)[name]
        held = arrays[name].transpose(0, 2, 1) if whole[f"{name}layout"] == "col" else arrays[name]
        dense = held.reshape(len(held), -1)[:, : rows * columns]
        packed = dense.reshape(-1, columns, rows).transpose(0, 2, 1) if whole[f"{name}layout"] == "col" else dense
        changed = arrays[name].copy()
        changed[:, :rows, :columns] = packed.reshape(-1, rows, columns)
        yield "stride ignored", {**arrays, name: changed}


@pytest.mark.parametrize("case", [c for c in SAMPLE if c.operands[0].role == "out"], ids=lambda case: case.id)
def test_a_machine_that_errs_is_found(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)["d"]
    survivors = [
        how for how, wrong in mutants(case, arrays) if np.array_equal(case.probe.oracle(case.params, wrong)["d"], right)
    ]
    assert survivors == []


@pytest.mark.parametrize("case", [c for c in SAMPLE if c.params.get("stride") == "padded"], ids=lambda case: case.id)
def test_padding_does_not_matter_and_is_not_changed(case: Case) -> None:
    arrays, name = verify.inputs(case), case.params["matrix"]
    rows, columns = wmma.extents(wmma.plan(case.params))[name]
    outside = np.ones(arrays[name].shape[1:], dtype=bool)
    outside[:rows, :columns] = False
    assert outside.any()
    d = case.probe.oracle(case.params, arrays)["d"]
    if name == "d":
        assert np.array_equal(d[:, outside], arrays["d"][:, outside])
        assert not np.array_equal(d, arrays["d"])
        return
    other = arrays[name].copy()
    other[:, outside] = 0
    assert np.array_equal(case.probe.oracle(case.params, {**arrays, name: other})["d"], d)


def test_sums_are_exact_in_the_accumulator() -> None:
    for case in CASES:
        whole = wmma.plan(case.params)
        if "f16" in (whole["d"], whole["c"]):
            arrays = verify.inputs(case)
            (m, k), (_, n) = wmma.extents(whole)["a"], wmma.extents(whole)["b"]
            a, b, c = arrays["a"][:, :m, :k], arrays["b"][:, :k, :n], arrays["c"][:, :m, :n]
            assert np.max(abs(a) @ abs(b) + abs(c)) <= 2048, case.id


# Registers of a fragment by type, matrix and shape. Source: PTX ISA 9.3, 9.7.15.4.1.
@pytest.mark.parametrize(
    "name, fmt, shape, registers",
    [
        ("a", "u8", "m16n16k16", 2), ("b", "u8", "m16n16k16", 2), ("a", "s8", "m8n32k16", 1),
        ("b", "s8", "m8n32k16", 4), ("a", "s8", "m32n8k16", 4), ("b", "s8", "m32n8k16", 1),
        ("d", "s32", "m8n32k16", 8), ("a", "f16", "m8n32k16", 8), ("b", "f16", "m16n16k16", 8),
        ("c", "f16", "m32n8k16", 4), ("c", "f32", "m32n8k16", 8), ("a", "bf16", "m8n32k16", 2),
        ("b", "bf16", "m8n32k16", 8), ("a", "bf16", "m16n16k16", 4), ("a", "tf32", "m16n16k8", 4),
        ("b", "tf32", "m16n16k8", 4), ("a", "f64", "m8n8k4", 1), ("d", "f64", "m8n8k4", 2),
        ("a", "s4", "m8n8k32", 1), ("c", "s32", "m8n8k32", 2), ("b", "b1", "m8n8k128", 1),
        ("d", "s32", "m8n8k128", 2),
    ],
)  # fmt: skip
def test_fragments_have_the_registers_of_the_manual(name: str, fmt: str, shape: str, registers: int) -> None:
    assert wmma.registers({"shape": shape, name: fmt}, name) == registers


@pytest.mark.parametrize(
    "pattern, first, ptx",
    [
        ("wmma.load:*shape=m16n16k16,space=global,type=f16,*", "sm_75", (6, 0)),
        ("wmma.load:matrix=a,*shape=m8n32k16,space=shared,type=f16,*", "sm_75", (6, 1)),
        ("wmma.load:*space=shared::cta,type=u8,*", "sm_75", (7, 8)),
        ("wmma.load:*space=generic,type=b1,*", "sm_75", (6, 3)),
        ("wmma.load:matrix=[ab],*space=generic,type=bf16,*", "sm_80", (7, 0)),
        ("wmma.store:*shape=m16n16k8,space=global,*", "sm_80", (7, 0)),
        ("wmma.store:*shape=m8n8k4,space=global,*", "sm_80", (7, 0)),
        ("wmma.mma:*a=b1,*op=xor", "sm_75", (6, 3)),
        ("wmma.mma:*a=b1,*op=and", "sm_80", (7, 1)),
        ("wmma.mma:*a=f64,*", "sm_80", (7, 0)),
    ],
)
def test_claims_are_the_notes(pattern: str, first: str, ptx: tuple[int, int]) -> None:
    for case in catalogue.select((pattern,)):
        assert min(case.claim.targets).name == first, case.id
        assert case.claim.ptx == ptx, case.id
