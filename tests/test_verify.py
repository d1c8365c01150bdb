"""Verification on a simulated GPU: right bits are `correct`, and a single wrong bit anywhere is found and named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from suite import arena, catalogue
from suite.arena import Place
from suite.model import GpuResult, Job
from suite.operands import TensorMap
from suite.probe import Arrays, Case
from suite.verify import Finding, inputs, verify

MEMORY = [case for case in catalogue.expand() if not case.probe.unlaunched]
# A case of every form: among them f64, f16, f32 and s32 results, several outputs, tensor maps and clusters.
FORMS = {f"{case.family}.{case.probe.form}": case for case in reversed(MEMORY)}
SOME = tuple(
    FORMS[name] for name in ("mma_sync.f16", "mma_sync.f64", "mma_sync.int8", "mma_sync.mxf4", "cp_async.copy")
)


@dataclass(frozen=True)
class Launched:
    """A case, its job, its logical inputs, and the two arenas of a GPU that does all as it should."""

    case: Case
    job: Job
    arrays: Arrays
    arenas: tuple[bytes, bytes]

    def finding(self, *arenas: bytes) -> Finding:
        result = GpuResult(self.case.id, "ok", "done", arenas=arenas or self.arenas)
        return verify(self.case, self.job, result, self.arrays)


@cache
def launched(case_id: str) -> Launched:
    case = catalogue.find(case_id)
    arrays = inputs(case)
    job = arena.job(case, arrays, "module", "kernel")
    expected = case.probe.oracle(case.params, arrays)
    first, second = (_ran(case, job, expected, run) for run in (0, 1))
    return Launched(case, job, arrays, (first, second))


def _ran(case: Case, job: Job, expected: Arrays, run: int) -> bytes:
    image = arena.poisoned(job.image, job.outputs, run)
    for place in places(case).values():
        if place.operand.role != "in":
            image[place.start : place.end] = place.operand.pack(np.asarray(expected[place.operand.name]))
    return image.tobytes()


def places(case: Case) -> dict[str, Place]:
    return {name: place for name, place in arena.layout(case).items() if not isinstance(place.operand, TensorMap)}


def output(case: Case) -> Place:
    return next(place for place in places(case).values() if place.operand.role == "out")


def flipped(image: bytes, byte: int, bit: int = 0) -> bytes:
    changed = bytearray(image)
    changed[byte] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("name", FORMS)
def test_right_bits_are_correct(name: str) -> None:
    run = launched(FORMS[name].id)
    finding = run.finding()
    assert (finding.word, list(finding.evidence)) == ("correct", ["compared"])
    assert finding.evidence["compared"] > 0


@pytest.mark.parametrize("name", FORMS)
def test_a_gpu_that_does_nothing_is_wrong(name: str) -> None:
    run = launched(FORMS[name].id)
    clean = [arena.poisoned(run.job.image, run.job.outputs, i).tobytes() for i in (0, 1)]
    finding = run.finding(*clean)
    assert finding.word == "wrong"
    assert set(finding.evidence) <= {"unwritten", "mismatch"}


def seen(place: arena.Place, image: bytes, other: bytes) -> bool:
    """Tell whether the operand holds other codes: of f16 results in words of 32 bits, half of each means nothing."""
    raw = (np.frombuffer(i, dtype=np.uint8)[place.start : place.end] for i in (image, other))
    before, after = (place.operand.unpack(bytes_) for bytes_ in raw)
    return not np.array_equal(before, after)


@pytest.mark.parametrize("name", FORMS)
def test_one_flipped_bit_in_an_output_is_wrong(name: str) -> None:
    run = launched(FORMS[name].id)
    rng, found = np.random.default_rng(0), 0
    for place in places(run.case).values():
        if place.operand.role != "in":
            for byte in (place.start, place.end - 1, *rng.integers(place.start, place.end, 4).tolist()):
                bit = int(rng.integers(0, 8))
                both = [flipped(image, byte, bit) for image in run.arenas]
                if not seen(place, run.arenas[0], both[0]):
                    continue
                found += 1
                assert list(run.finding(*both).evidence) == ["mismatch"], (byte, bit)
                assert run.finding(both[0], run.arenas[1]).word == "wrong"
                assert run.finding(run.arenas[0], both[1]).word == "wrong"
    assert found


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_a_mismatch_names_the_first_element_its_bits_and_how_many(case: Case) -> None:
    run, place = launched(case.id), output(case)
    operand = place.operand
    codes = operand.codes(np.asarray(case.probe.oracle(case.params, run.arrays)[operand.name])).reshape(operand.shape)
    index = tuple(extent // 2 for extent in operand.shape)
    bad = codes.copy()
    bad[index] ^= np.uint64(1)
    bad[tuple(extent - 1 for extent in operand.shape)] ^= np.uint64(1)
    images = []
    for image in run.arenas:
        changed = np.frombuffer(image, dtype=np.uint8).copy()
        changed[place.start : place.end] = operand.pack(bad)
        images.append(changed.tobytes())
    finding = run.finding(*images)
    said = finding.evidence["mismatch"]
    assert finding.word == "wrong"
    assert (said["operand"], said["index"], said["differ"], said["of"]) == (operand.name, list(index), 2, codes.size)
    assert int(said["found"].split()[0], 16) == int(codes[index]) ^ 1
    assert int(said["expected"].split()[0], 16) == int(codes[index])


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_one_unwritten_element_is_named(case: Case) -> None:
    run, place = launched(case.id), output(case)
    size = max(1, place.operand.format.bits // 8)
    at = place.start + size * 5
    images = []
    for i, image in enumerate(run.arenas):
        changed = bytearray(image)
        changed[at : at + size] = arena.poisoned(run.job.image, run.job.outputs, i)[at : at + size].tobytes()
        images.append(bytes(changed))
    finding = run.finding(*images)
    assert finding.word == "wrong"
    assert finding.evidence["unwritten"]["differ"] == 1
    assert finding.evidence["unwritten"]["operand"] == place.operand.name


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
@pytest.mark.parametrize("run_index", [0, 1])
def test_a_changed_red_zone_or_input_is_wrong(case: Case, run_index: int) -> None:
    run = launched(case.id)
    found = places(case)
    spots = {0, len(run.job.image) - 1, output(case).start - 1, output(case).end}
    spots |= {place.start + place.operand.nbytes // 2 for place in found.values() if place.operand.role == "in"}
    for byte in spots:
        images = list(run.arenas)
        images[run_index] = flipped(images[run_index], byte, 7)
        finding = run.finding(*images)
        assert (finding.word, finding.evidence["differ"]) == ("wrong", 1), byte
        assert f"run {run_index}" in finding.evidence["changed"][0]


@pytest.mark.parametrize("outcome, word", [("unloadable", "unloadable"), ("faulted", "faulted"), ("hung", "hung")])
def test_what_did_not_run_keeps_its_word_and_evidence(outcome: str, word: str) -> None:
    run = launched(SOME[0].id)
    result = GpuResult(run.case.id, outcome, "launch", code="CUDA_ERROR_ILLEGAL_ADDRESS", arenas=run.arenas)
    finding = verify(run.case, run.job, result, run.arrays)
    assert finding == Finding(word, {"stage": "launch", "code": "CUDA_ERROR_ILLEGAL_ADDRESS"})


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_runs_are_never_correct(count: int) -> None:
    run = launched(SOME[0].id)
    result = GpuResult(run.case.id, "ok", "done", arenas=run.arenas[:count])
    with pytest.raises(ValueError, match="unpack"):
        verify(run.case, run.job, result, run.arrays)


def test_an_arena_of_another_size_is_never_correct() -> None:
    run = launched(SOME[0].id)
    with pytest.raises(ValueError, match=r"\d+"):
        run.finding(run.arenas[0][:-1], run.arenas[1][:-1])


def test_the_same_poison_twice_does_not_pass_as_written() -> None:
    run = launched(SOME[0].id)
    clean = arena.poisoned(run.job.image, run.job.outputs, 0).tobytes()
    assert run.finding(clean, clean).word == "wrong"


def test_an_output_that_the_oracle_leaves_out_is_never_correct() -> None:
    run = launched(SOME[0].id)
    case = replace(run.case, probe=replace(run.case.probe, oracle=lambda params, arrays: {}))
    with pytest.raises(KeyError):
        verify(case, run.job, GpuResult(case.id, "ok", "done", arenas=run.arenas), run.arrays)


def test_a_case_without_outputs_is_never_correct() -> None:
    run = launched(SOME[0].id)
    only_inputs = tuple(operand for operand in run.case.operands if operand.role == "in")
    case = replace(run.case, probe=replace(run.case.probe, operands=lambda params: only_inputs))
    job = arena.job(case, run.arrays, "module", "kernel")
    result = GpuResult(case.id, "ok", "done", arenas=(job.image, job.image))
    with pytest.raises(ValueError, match="no output"):
        verify(case, job, result, run.arrays)


def test_every_launched_case_writes_something() -> None:
    assert [case.id for case in MEMORY if not any(operand.role != "in" for operand in case.operands)] == []


def test_no_expected_output_equals_either_poison() -> None:
    for case in MEMORY[::11]:
        run = launched(case.id)
        for place in places(case).values():
            if place.operand.role == "out":
                size = max(1, place.operand.format.bits // 8)
                want = place.operand.pack(np.asarray(case.probe.oracle(case.params, run.arrays)[place.operand.name]))
                for i in (0, 1):
                    left = arena.poisoned(run.job.image, run.job.outputs, i)[place.start : place.end]
                    assert not (want == left).reshape(-1, size).all(axis=1).all(), case.id


def test_inputs_derive_from_the_id_alone() -> None:
    for case in SOME:
        once, again = inputs(case), inputs(replace(case))
        assert all(np.array_equal(once[name], again[name]) for name in once)
    renamed = replace(SOME[0], id=SOME[0].id + "x")
    assert any(not np.array_equal(inputs(renamed)[name], inputs(SOME[0])[name]) for name in inputs(renamed))
