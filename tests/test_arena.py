"""The arena: what goes in comes out, and no byte that a launch may not change can change unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import arena, catalogue
from suite.claims import since
from suite.model import GpuResult, Job, TensorMapSpec
from suite.operands import Buffer, Operand, TensorMap
from suite.probe import Arrays, Case, Launch, Probe

ROLES = ("in", "out", "inout")
WIDTHS = {"u8": 8, "b16": 16, "u32": 32, "b64": 64}


def make_case(*operands: Operand, launch: Launch | None = None) -> Case:
    probe = Probe(
        form="form",
        opcode="nop",
        arguments="",
        rows=({},),
        claim=lambda params: since("sm_80", ptx="7.0", section="-"),
        template="none",
        native=lambda params: (),
        operands=lambda params: operands,
        inputs=lambda params, rng: {},
        oracle=lambda params, arrays: {},
        launch=lambda params: launch or Launch(),
    )
    return Case("test.form:", "test", probe, {})


def ran(job: Job, *arenas: bytes) -> GpuResult:
    return GpuResult(job.case, "ok", "done", arenas=arenas or clean(job))


def clean(job: Job) -> tuple[bytes, ...]:
    """Return the arenas of a kernel that does nothing."""
    return tuple(arena.poisoned(job.image, job.outputs, run).tobytes() for run in (0, 1))


THREE = make_case(Buffer("a", "in", "u32", (5,)), Buffer("d", "out", "f32", (3, 7)), Buffer("c", "inout", "b16", (9,)))
INPUTS: Arrays = {"a": np.arange(1, 6, dtype=np.uint32), "c": np.arange(100, 109, dtype=np.uint16)}

buffers = st.lists(
    st.tuples(
        st.sampled_from(ROLES), st.sampled_from(sorted(WIDTHS)), st.lists(st.integers(1, 40), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(buffers, st.randoms(use_true_random=False))
def test_what_is_packed_comes_back(described: list[tuple[str, str, list[int]]], random: object) -> None:
    operands = [Buffer(f"o{i}", role, fmt, tuple(shape)) for i, (role, fmt, shape) in enumerate(described)]
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    inputs = {
        o.name: rng.integers(0, 1 << WIDTHS[o.fmt], o.shape, np.uint64, endpoint=False)
        if WIDTHS[o.fmt] < 64
        else rng.integers(0, 1 << 63, o.shape, np.uint64)
        for o in operands
    }
    case = make_case(*operands)
    job = arena.job(case, inputs, "m", "k")
    raw = bytearray(job.image)
    for (kind, start), operand in zip(job.arguments, operands, strict=True):
        assert kind == "pointer"
        assert start % 1024 == 0
        if operand.role != "out":
            assert bytes(raw[start : start + operand.nbytes]) == operand.pack(inputs[operand.name]).tobytes()
        raw[start : start + operand.nbytes] = operand.pack(inputs[operand.name]).tobytes()
    found = arena.outputs(case, job, bytes(raw))
    assert set(found) == {o.name for o in operands if o.role != "in"}
    for name, codes in found.items():
        np.testing.assert_array_equal(codes, inputs[name])
    assert arena.check(job, case, ran(job, bytes(raw), bytes(raw))) == []


@settings(max_examples=60, deadline=None)
@given(buffers)
def test_every_buffer_has_a_red_zone_on_both_sides(described: list[tuple[str, str, list[int]]]) -> None:
    case = make_case(*(Buffer(f"o{i}", r, f, tuple(s)) for i, (r, f, s) in enumerate(described)))
    places = list(arena.layout(case).values())
    inputs = {p.operand.name: np.zeros(p.operand.shape, np.uint64) for p in places}
    size = len(arena.job(case, inputs, "m", "k").image)
    edges = [0, *(edge for place in places for edge in (place.start, place.end)), size]
    assert edges == sorted(edges)
    assert min(after - before for before, after in zip(edges[::2], edges[1::2], strict=True)) >= 256


def test_every_byte_outside_the_outputs_is_watched_in_both_runs() -> None:
    job = arena.job(THREE, INPUTS, "m", "k")
    places = arena.layout(THREE)
    free = {i for name in ("d", "c") for i in range(places[name].start, places[name].end)}
    for run in (0, 1):
        for offset in range(len(job.image)):
            arenas = [bytearray(image) for image in clean(job)]
            arenas[run][offset] ^= 0x10
            found = arena.check(job, THREE, ran(job, *map(bytes, arenas)))
            assert len(found) == (offset not in free)
            for violation in found:
                at = places[violation.operand].start + violation.offset
                assert (at, violation.run) == (offset, run)
                assert violation.expected == job.image[offset]
                assert violation.found == violation.expected ^ 0x10


def test_a_violation_names_the_nearest_buffer() -> None:
    job = arena.job(THREE, INPUTS, "m", "k")
    end, start = arena.layout(THREE)["d"].end, arena.layout(THREE)["d"].start
    touched = bytearray(clean(job)[0])
    for offset in (start - 1, end):
        touched[offset] ^= 0xFF
    before, after = arena.check(job, THREE, ran(job, bytes(touched), clean(job)[1]))
    assert (before.operand, before.offset) == ("d", -1)
    assert (after.operand, after.offset) == ("d", 3 * 7 * 4)
    old, new = job.image[end], job.image[end] ^ 0xFF
    assert str(after) == f"byte 84 of d, run 0: expected {old:#04x}, found {new:#04x}"


def test_an_untouched_arena_has_no_violation() -> None:
    job = arena.job(THREE, INPUTS, "m", "k")
    assert arena.check(job, THREE, ran(job)) == []


def test_red_zones_hold_no_word_twice() -> None:
    case = make_case(Buffer("d", "out", "b8", ((1 << 20) - 512,)))  # the zones lie a power of two apart
    job = arena.job(case, {}, "m", "k")
    place = arena.layout(case)["d"]
    words = np.frombuffer(job.image[: place.start] + job.image[place.end :], dtype="<u4")
    assert len(np.unique(words)) == len(words)
    assert not set(words.tolist()) & {0, 0xFFFFFFFF, 0xFFFAFFFA, 0x7FF57FF5}


def test_every_output_byte_is_poisoned_and_nothing_else() -> None:
    job = arena.job(THREE, INPUTS, "m", "k")
    first, second = (np.frombuffer(image, np.uint8) for image in clean(job))
    place = arena.layout(THREE)["d"]
    inside = np.zeros(len(first), dtype=bool)
    inside[place.start : place.end] = True
    np.testing.assert_array_equal(first != second, inside)
    np.testing.assert_array_equal(first[~inside], np.frombuffer(job.image, np.uint8)[~inside])
    assert job.outputs == ((place.start, 84),)


@pytest.mark.parametrize(
    ("bits", "exponent", "made"),
    [
        (16, 5, (0x7FFF, 0x7E00, 0xFE00)),
        (16, 8, (0x7FFF, 0x7FC0, 0xFFC0)),
        (32, 8, (0x7FFFFFFF, 0x7FC00000, 0xFFC00000)),
        (64, 11, (0xFFF8000000000000, 0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF)),
    ],
)
@pytest.mark.parametrize("run", [0, 1])
def test_poison_is_a_nan_that_no_instruction_makes(bits: int, exponent: int, made: tuple[int, ...], run: int) -> None:
    raw = arena.poisoned(bytes(8), ((0, 8),), run)
    code = int.from_bytes(raw[: bits // 8].tobytes(), "little")
    mantissa = bits - 1 - exponent
    assert (code >> mantissa) & ((1 << exponent) - 1) == (1 << exponent) - 1
    assert code & ((1 << mantissa) - 1)
    assert code not in made


def test_a_poisoned_arena_is_not_the_image_itself() -> None:
    image = bytes(64)
    arena.poisoned(image, ((0, 64),), 0)[:] = 1
    assert image == bytes(64)


def test_a_tensor_map_takes_no_room_and_points_at_its_buffer() -> None:
    over = TensorMap("map", "in", "f16", (8, 8), "x", (8, 8), (16,), (8, 8), (1, 1), "32B", "none", "nan")
    case = make_case(Buffer("y", "out", "b8", (3,)), over, Buffer("x", "in", "b16", (64,)))
    job = arena.job(case, {"x": np.zeros(64, np.uint16)}, "m", "k")
    kinds = [kind for kind, _ in job.arguments]
    spec = job.arguments[1][1]
    assert kinds == ["pointer", "tensormap", "pointer"]
    assert spec == TensorMapSpec("f16", job.arguments[2][1], (8, 8), (16,), (8, 8), (1, 1), "32B", "none", "nan")


def test_the_launch_is_the_cases() -> None:
    launch = Launch((4, 1, 1), (64, 2, 1), (2, 1, 1), 4096)
    job = arena.job(make_case(Buffer("d", "out", "b8", (1,)), launch=launch), {}, "module", "kernel")
    assert (job.grid, job.block, job.cluster, job.shared) == (launch.grid, launch.block, launch.cluster, launch.shared)
    assert (job.module, job.kernel) == ("module", "kernel")


def test_a_missing_or_misfitting_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no input is given for operand a"):
        arena.job(THREE, {"c": INPUTS["c"]}, "m", "k")
    with pytest.raises(ValueError, match="reshape"):
        arena.job(THREE, {**INPUTS, "a": np.zeros(4, np.uint32)}, "m", "k")


def test_an_arena_of_another_size_is_refused() -> None:
    job = arena.job(THREE, INPUTS, "m", "k")
    with pytest.raises(ValueError, match="came back"):
        arena.outputs(THREE, job, job.image[:-1])


def test_every_form_of_the_catalogue_lies_in_its_arena_as_packed() -> None:
    for case in {case.probe.form: case for case in catalogue.expand()}.values():
        inputs = case.probe.inputs(case.params, np.random.default_rng(7))
        job = arena.job(case, inputs, "m", "k")
        raw = np.frombuffer(job.image, np.uint8)
        for place in arena.layout(case).values():
            if place.operand.role != "out":
                packed = place.operand.pack(inputs[place.operand.name])
                np.testing.assert_array_equal(raw[place.start : place.end], packed, err_msg=case.id)
        assert [kind for kind, _ in job.arguments] == [
            "tensormap" if isinstance(operand, TensorMap) else "pointer" for operand in case.operands
        ]
