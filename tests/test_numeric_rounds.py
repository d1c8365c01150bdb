"""Numeric rounds on a simulated GPU: what the model says is exact, another unit's bits are named, all else is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from suite import arena, catalogue, targets
from suite.examine import Answered, examine
from suite.model import GpuResult, Job
from suite.numerics import parameters
from suite.numerics.fdpa import Step
from suite.numerics.models import Fused, Model, Sequential, WholeNan, run
from suite.numerics.rounds import Round, build
from suite.prepare import Prepared, prepare
from suite.verify import inputs

HOPPER = targets.parse("sm_90a")
# One case of each kind of kernel, with the opcodes that sm_90a has for it, and the model it must get.
KERNELS = {
    "mma_sync.f16:shape=m16n8k16,a=f16,d=f32": ({"HMMA.16816.F32": 1}, "T-FDPA L=16 F=25 RZ-FP32 e_zero=-133"),
    "mma_sync.f16:shape=m16n8k8,a=f16,d=f16": ({"HMMA.1688.F16": 1}, "T-FDPA L=8 F=25 RNE-FP16 e_zero=-21"),
    "mma_sync.f64:shape=m8n8k4,a=f64,d=f64,round=rm": ({"DMMA.8x8x4.RM": 1}, "f64 FMA chain"),
    "mma_sync.int8:shape=m16n8k32,a=s8,b=u8,d=s32,satfinite=yes": ({"IMMA.16832.S8.U8.SAT": 1}, "integer"),
    "mma_sync.b1:shape=m16n8k256,op=xor": ({"BMMA.168256.AND.POPC": 2}, "ones counted"),
    "mma_sync.fp8:shape=m16n8k32,a=e4m3,b=e5m2,d=f32": (
        {"F2FP.F16.E4M3.UNPACK_B": 8, "F2FP.F16.E5M2.UNPACK_B": 4, "FADD": 4, "HMMA.16816.F32": 2},
        "2 x (T-FDPA F=25 RZ-FP32) + C",
    ),
    "mma_sp.tf32:variant=ordered,shape=m16n8k16,a=tf32,d=f32,selector=1": (
        {"HMMA.SP.16816.F32.TF32": 1},
        "sparse T-FDPA L=8 F=25 RZ-FP32 e_zero=-133",
    ),
    "wmma.mma:alayout=col,blayout=row,shape=m8n32k16,d=f32,a=bf16,c=f32": (
        {"HMMA.16816.F32.BF16": 2},
        "T-FDPA L=16 F=25 RZ-FP32 e_zero=-133",
    ),
    "wmma.mma:alayout=col,blayout=row,shape=m8n32k16,d=f32,a=f16,c=f16": (
        {"HADD2.F32": 8, "HMMA.16816.F32": 2},
        "T-FDPA L=16 F=25 RZ-FP32 e_zero=-133, C made f32",
    ),
    "wmma.mma:alayout=col,blayout=row,shape=m8n32k16,d=f16,a=f16,c=f32": (
        {"F2FP.F16.F32.PACK_AB": 4, "HMMA.16816.F32": 2},
        "T-FDPA L=16 F=25 RZ-FP32 e_zero=-133",
    ),
    "mma_sync.f16_quad:shape=m8n8k4,alayout=row,blayout=col,d=f32,c=f16": (
        {"FFMA": 32, "__cuda_sm_8x_mma_row_col_f32_f16_f16_f16": 1},
        "f32 FMA chain, c last",
    ),
    "mma_sync.f16_quad:shape=m8n8k4,alayout=row,blayout=col,d=f16,c=f16": (
        {"FFMA": 16, "__cuda_sm_8x_mma_row_col_f16_f16_f16_f16": 1},
        "f32 FMA pairs",
    ),
    "wgmma.negate:n=24,d=f32,a=e4m3,b=e5m2,negate=a,a_in=registers": (
        {"QGMMA.64x24x32.F32.E4M3.E5M2": 1, "LDG.E": 1},
        "T-FDPA L=32 F=13 RZ-E8M13 e_zero=-133",
    ),
    "wgmma_sp.int8:n=16,d=s32,a=u8,b=s8,satfinite=no,a_in=smem,select=0": ({"IGMMA.SP.64x16x64.U8.S8": 1}, "integer"),
}
DENSE = "mma_sync.f16:shape=m16n8k16,a=f16,d=f32"
SPARSE = "mma_sp.tf32:variant=ordered,shape=m16n8k16,a=tf32,d=f32,selector=1"
QUAD = "mma_sync.f16_quad:shape=m8n8k4,alayout=col,blayout=row,d=f32,c=f32"


@dataclass(frozen=True)
class Launched:
    prepared: Prepared
    numeric: Round

    def finding(self, case_id: str, d: np.ndarray, *more: np.ndarray) -> Any:
        """Return the finding where the first round matched and the numeric one left D (in its runs)."""
        ok = GpuResult(case_id, "ok", "done", matched=True)
        job = self.prepared.jobs[1]
        arenas = tuple(left(self.numeric, job, number, codes) for number, codes in enumerate((d, *(more or (d,)))))
        result = GpuResult(case_id, "ok", "done", arenas=arenas)
        opcodes = KERNELS[case_id][0] if case_id in KERNELS else {}
        return examine(catalogue.find(case_id), HOPPER, opcodes, Answered(self.prepared, (ok, result)))


def left(numeric: Round, job: Job, number: int, d: np.ndarray) -> bytes:
    image = arena.poisoned(job.image, job.outputs, number % 2)
    place = arena.layout(numeric.case)["d"]
    image[place.start : place.end] = place.operand.pack(d.reshape(place.operand.shape))
    return image.tobytes()


@cache
def launched(case_id: str) -> Launched:
    opcodes = KERNELS[case_id][0] if case_id in KERNELS else {}
    case = catalogue.find(case_id)
    numeric = build(case, HOPPER, opcodes)
    assert numeric is not None
    return Launched(prepare(case, "module", "kernel", HOPPER, opcodes), numeric)


def made_by(case_id: str, model: Model) -> np.ndarray:
    numeric = launched(case_id).numeric
    return run(model, numeric.operation, numeric.arrays)


@pytest.mark.parametrize("case_id", KERNELS)
def test_the_kernel_gets_what_the_model_gets(case_id: str) -> None:
    """The arena holds the operation's arrays as the case's own operands lay them out, for as many trials."""
    made = launched(case_id)
    assert made.numeric.choice is not None
    assert made.numeric.choice.name == KERNELS[case_id][1]
    own, job = made.prepared.jobs
    trials = made.numeric.inputs["c"].shape[0]
    before = next(operand for operand in catalogue.find(case_id).operands if operand.name == "d").shape[0]
    assert job.grid[0] * before == own.grid[0] * trials
    assert (job.module, job.kernel, job.block) == (own.module, own.kernel, own.block)


@pytest.mark.parametrize("case_id", KERNELS)
def test_what_the_model_says_matches_the_digest(case_id: str) -> None:
    made = launched(case_id)
    expected = made.numeric.expected()
    assert expected is not None
    job = made.prepared.jobs[1]
    for number in (0, 1):
        assert hashlib.sha256(left(made.numeric, job, number, expected)).digest() == job.expected
    shown = made.prepared.shows[1]
    assert (shown["verdict"], shown["model"], shown["dots"]) == ("exact", KERNELS[case_id][1], expected.size)


@pytest.mark.parametrize("case_id", KERNELS)
def test_the_case_s_own_round_has_its_digest_too(case_id: str) -> None:
    case = catalogue.find(case_id)
    job = launched(case_id).prepared.jobs[0]
    arrays = inputs(case)
    image = arena.poisoned(job.image, job.outputs, 0)
    place = arena.layout(case)["d"]
    d = place.operand.codes(np.asarray(case.probe.oracle(case.params, arrays)["d"])).reshape(place.operand.shape)
    image[place.start : place.end] = place.operand.pack(d)
    assert hashlib.sha256(image.tobytes()).digest() == job.expected
    image[0] ^= 1
    assert hashlib.sha256(image.tobytes()).digest() != job.expected


def test_one_wrong_bit_is_wrong_and_named() -> None:
    d = made_by(DENSE, Fused(Step(25, -133, "RZ-FP32"), 16))
    d[40, 3, 5] ^= np.uint64(1)
    finding = launched(DENSE).finding(DENSE, d)
    assert finding.word == "wrong"
    first = finding.evidence["numeric"]["first"]
    assert (first["index"], first["differ"]) == ([40, 3, 5], 1)
    assert first["family"] in ("uniform", "normal", "bits", "wide", "cancelling")


def test_another_unit_s_bits_are_named() -> None:
    other = Fused(Step(24, -132, "RZ-FP32"), 8)
    finding = launched(DENSE).finding(DENSE, made_by(DENSE, other))
    assert finding.word == "correct"
    shown = finding.evidence["numeric"]
    assert (shown["verdict"], shown["model"]) == ("exact-other", other.name)
    assert (shown["measured"]["F"], shown["expected"]["F"]) == (24, 25)
    assert (shown["measured"]["L"], shown["expected"]["L"]) == (8, 16)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget that sparse products were seen on any chip."""
    monkeypatch.setattr(parameters, "SPARSE", {})
    launched.cache_clear()
    yield
    launched.cache_clear()


@pytest.mark.usefixtures("unseen")
def test_a_guess_that_fails_is_held_against_the_bound() -> None:
    assert "[hypothesis]" in str(launched(SPARSE).prepared.shows[1]["model"])
    exact = made_by(SPARSE, Fused(Step(25, -133, "RZ-FP32"), 8))
    assert launched(SPARSE).finding(SPARSE, exact).evidence["numeric"]["verdict"] == "exact"
    near = np.where((exact & np.uint64(0x7F800000)) == 0x3F800000, exact ^ np.uint64(1), exact)
    finding = launched(SPARSE).finding(SPARSE, near)
    assert (finding.word, finding.evidence["numeric"]["verdict"]) == ("correct", "tolerance")
    far = near.copy()
    far[-1, 0, 0] = 0x7F7FFFFF
    finding = launched(SPARSE).finding(SPARSE, far)
    assert (finding.word, finding.evidence["numeric"]["verdict"]) == ("wrong", "wrong")


def test_without_a_model_a_known_arithmetic_is_recognised() -> None:
    assert launched(QUAD).numeric.choice is None
    assert not launched(QUAD).prepared.jobs[1].expected
    finding = launched(QUAD).finding(QUAD, made_by(QUAD, Sequential()))
    assert finding.evidence["numeric"]["verdict"] == "exact-other"
    assert finding.evidence["numeric"]["model"] == "f32 FMA chain"


def test_a_result_that_changes_is_flaky_and_one_not_written_is_wrong() -> None:
    d = made_by(DENSE, Fused(Step(25, -133, "RZ-FP32"), 16))
    other = d.copy()
    other[0, 0, 0] ^= np.uint64(1)
    assert launched(DENSE).finding(DENSE, d, other, other).word == "flaky"
    assert launched(DENSE).finding(DENSE, d, other, d).word == "wrong"


def test_a_fault_of_the_numeric_round_is_the_case_s() -> None:
    made = launched(DENSE)
    ok = GpuResult(DENSE, "ok", "done", matched=True)
    fault = GpuResult(DENSE, "faulted", "launch", "CUDA_ERROR_ILLEGAL_ADDRESS")
    finding = examine(catalogue.find(DENSE), HOPPER, KERNELS[DENSE][0], Answered(made.prepared, (ok, fault)))
    assert (finding.word, finding.evidence["numeric"]["code"]) == ("faulted", "CUDA_ERROR_ILLEGAL_ADDRESS")


def test_a_wrong_first_round_is_told_before_the_numeric_one() -> None:
    made = launched(DENSE)
    own = made.prepared.jobs[0]
    poisoned = tuple(arena.poisoned(own.image, own.outputs, number).tobytes() for number in (0, 1))
    results = (GpuResult(DENSE, "ok", "done", arenas=poisoned), GpuResult(DENSE, "ok", "done", matched=True))
    finding = examine(catalogue.find(DENSE), HOPPER, KERNELS[DENSE][0], Answered(made.prepared, results))
    assert finding.word == "wrong"
    assert "unwritten" in finding.evidence


def test_a_round_derives_from_the_case_alone() -> None:
    case = catalogue.find(DENSE)
    first, again = (build(case, HOPPER, KERNELS[DENSE][0]) for _ in range(2))
    other = build(replace(case, id="other"), HOPPER, KERNELS[DENSE][0])
    assert first is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(first.inputs["a"], again.inputs["a"])
    assert (first.inputs["a"] != other.inputs["a"]).any()


def test_loads_and_integers_without_a_unit_have_no_round() -> None:
    load = next(case for case in catalogue.expand() if case.family == "wmma" and case.probe.form == "load")
    assert build(load, HOPPER, {}) is None
    assert build(catalogue.find("mma_sync.b1:shape=m16n8k256,op=xor"), HOPPER, {"POPC": 8}) is None


@pytest.mark.parametrize("case_id", [DENSE, "mma_sync.fp8:shape=m16n8k32,a=e4m3,b=e5m2,d=f32"])
def test_where_elements_lie_is_told(case_id: str) -> None:
    made = launched(case_id).numeric
    expected = made.expected()
    assert expected is not None
    assert made.layout(expected) == {"A": "as documented", "B": "as documented"}
    order = np.arange(16)
    order[[0, 8]] = 8, 0
    assert made.choice is not None
    for name, axis in (("a", 1), ("b", 1)):
        whole = [*order, *range(16, made.operation.k)][: made.arrays[name].shape[axis]]
        moved = {**made.arrays, name: np.take(made.arrays[name], whole, axis)}
        found = made.layout(run(made.choice.model, made.operation, moved))
        upper = name.upper()
        row = made.arrays[name].shape[2]
        assert found[upper]["moved"] == 2 * row
        assert found[upper]["first"][0] == f"{upper}[0, 0] holds {upper}[8, 0]"


def test_a_wrong_product_says_where_its_elements_were() -> None:
    made = launched(DENSE)
    assert made.numeric.choice is not None
    swapped = {**made.numeric.arrays, "a": made.numeric.arrays["a"][:, ::-1]}
    d = run(made.numeric.choice.model, made.numeric.operation, swapped)
    own, job = made.prepared.jobs
    poisoned = tuple(arena.poisoned(own.image, own.outputs, number).tobytes() for number in (0, 1))
    arenas = tuple(left(made.numeric, job, number, d) for number in (0, 1))
    results = (GpuResult(DENSE, "ok", "done", arenas=poisoned), GpuResult(DENSE, "ok", "done", arenas=arenas))
    finding = examine(catalogue.find(DENSE), HOPPER, KERNELS[DENSE][0], Answered(made.prepared, results))
    assert finding.word == "wrong"
    assert finding.evidence["layout"]["A"]["first"][0] == "A[0, 0] holds A[15, 0]"


TF32 = "wgmma.tf32:n=8,d=f32,a=tf32,b=tf32,a_in=smem"


def test_a_nan_told_by_ignored_bits_is_named() -> None:
    opcodes = {"HGMMA.64x8x8.F32.TF32": 1}
    numeric = build(catalogue.find(TF32), HOPPER, opcodes)
    assert numeric is not None
    assert numeric.choice is not None
    assert (numeric.arrays["a"] & np.uint64(0x1FFF) == 0x1FFF).all()
    right = numeric.expected()
    assert right is not None
    assert numeric.judge(right).word == "exact"
    by_all = run(WholeNan(numeric.choice.model), numeric.operation, numeric.arrays)
    assert (by_all != right).any()
    verdict = numeric.judge(by_all)
    assert (verdict.word, verdict.model) == ("exact-other", f"{numeric.choice.name}, NaN by all 32 bits")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
def test_the_order_of_plain_additions_is_recognised(late: bool, pairs: bool) -> None:
    verdict = launched(QUAD).numeric.judge(made_by(QUAD, Sequential(late, pairs)))
    assert (verdict.word, verdict.model) == ("exact-other", Sequential(late, pairs).name)


@pytest.mark.parametrize("word", ["tcgen05_scaled.mma", "tcgen05_scaled.negate", "tcgen05.mma", "tcgen05_mma.types"])
def test_tcgen05_has_rounds_with_and_without_scales(word: str) -> None:
    case = next(case for case in catalogue.expand() if case.id.startswith(f"{word}:"))
    target = targets.parse("sm_100a")
    numeric = build(case, target, {case.native[0]: 1})
    assert numeric is not None
    assert numeric.choice is not None
    expected = numeric.expected()
    assert expected is not None
    _, job = prepare(case, "module", "kernel", target, {case.native[0]: 1}).jobs
    assert hashlib.sha256(left(numeric, job, 0, expected)).digest() == job.expected
    assert numeric.judge(expected).word == "exact"


def test_what_takes_masks_or_a_table_has_no_round() -> None:
    for start in ("tcgen05_next.lut:", "tcgen05_mma.lanes:", "tcgen05_mma.ashift:", "tcgen05_sparse."):
        case = next(case for case in catalogue.expand() if case.id.startswith(start))
        assert build(case, targets.parse("sm_100a"), {"UTCQMMA": 1}) is None, start
