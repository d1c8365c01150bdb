"""The arena: one block of bytes that holds every buffer of a launch between red zones, and its way back to arrays.

Whatever is no operand is red zone. The image is filled once here; the GPU child only adds the poison of each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.model import GpuResult, Job, TensorMapSpec
from suite.operands import Operand, TensorMap
from suite.probe import Arrays, Case

ALIGNMENT = 1024  # of every buffer, in bytes: what a 128-byte swizzle atom of 8 rows wants
RED_ZONE = 256  # bytes at least between a buffer and whatever comes before or after it

# What an output holds before each run. The two differ in every byte, so that a byte that is equal after both runs was
# written. As f16, bf16, f32 and f64 both are NaNs that no instruction makes, which are 0x7fff, 0x7fffffff and
# 0xfff8000000000000. Source: PTX ISA 9.3, 9.7.3 to 9.7.5 (canonical NaN of each type).
POISONS = (0xFFFA, 0x7FF5)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Violation:
    """A byte that no launch may change and one did: red zone or input.

    `operand` is the nearest buffer; `offset` is in bytes from its start, negative before it; `run` counts the poisons.
    """

    operand: str
    offset: int
    expected: int
    found: int
    run: int

    def __str__(self) -> str:
        where = f"byte {self.offset} of {self.operand}, run {self.run}"
        return f"{where}: expected {self.expected:#04x}, found {self.found:#04x}"


@dataclass(frozen=True)
class Place:
    """Where one buffer lies in the arena, in bytes."""

    operand: Operand
    start: int

    @property
    def end(self) -> int:
        """Return the first byte after the buffer."""
        return self.start + self.operand.nbytes

    def distance(self, offset: int) -> int:
        """Return how many bytes the offset lies outside the buffer, 0 inside it."""
        return max(self.start - offset, offset - self.end + 1, 0)


def job(case: Case, inputs: Arrays, module: str, kernel: str) -> Job:
    """Return the launch of `kernel`, from the module of that key, on the case's inputs.

    Raises `ValueError` for an input that is missing or fills its buffer wrongly.
    """
    places = layout(case)
    image = _background(total(places))
    for place in places.values():
        if place.operand.role != "out":
            image[place.start : place.end] = _packed(case, place.operand, inputs)
    return replace(plan(case, module, kernel), image=image.tobytes())


def plan(case: Case, module: str, kernel: str) -> Job:
    """Return the launch of `kernel` without its image."""
    places, launch = layout(case), case.launch
    return Job(
        case=case.id,
        module=module,
        kernel=kernel,
        grid=launch.grid,
        block=launch.block,
        cluster=launch.cluster,
        shared=launch.shared,
        arguments=tuple(_argument(operand, places) for operand in case.operands),
        image=b"",
        outputs=tuple((p.start, p.operand.nbytes) for p in places.values() if p.operand.role == "out"),
    )


def layout(case: Case) -> dict[str, Place]:
    """Return the place of every operand that takes room, in operand order."""
    places: dict[str, Place] = {}
    offset = ALIGNMENT
    for operand in case.operands:
        if not isinstance(operand, TensorMap):
            places[operand.name] = Place(operand, offset)
            offset = _aligned(offset + operand.nbytes + RED_ZONE)
    return places


def poisoned(image: bytes, outputs: tuple[tuple[int, int], ...], run: int) -> Bytes:
    """Return the arena as it stands before a run, 0 or 1: a fresh copy of the image with every output poisoned."""
    arena = np.frombuffer(image, dtype=np.uint8).copy()
    low, high = POISONS[run].to_bytes(2, "little")
    for offset, size in outputs:
        arena[offset : offset + size : 2] = low
        arena[offset + 1 : offset + size : 2] = high
    return arena


def check(job: Job, case: Case, result: GpuResult) -> list[Violation]:
    """Return every byte outside the outputs that a run changed, in run and arena order; `inout` buffers may change."""
    places = layout(case)
    frozen = np.ones(len(job.image), dtype=bool)
    for place in places.values():
        if place.operand.role != "in":
            frozen[place.start : place.end] = False
    return [v for run, arena in enumerate(result.arenas) for v in _changes(job.image, arena, frozen, places, run)]


def outputs(case: Case, job: Job, arena: bytes) -> dict[str, NDArray[np.uint64]]:
    """Return the codes, in logical shape, of every `out` and `inout` operand.

    Raises `ValueError` for an arena that is not of the job's size.
    """
    if len(arena) != len(job.image):
        raise ValueError(f"{case.id}: an arena of {len(arena)} bytes came back, {len(job.image)} went out")
    raw = np.frombuffer(arena, dtype=np.uint8)
    written = [place for place in layout(case).values() if place.operand.role != "in"]
    return {place.operand.name: place.operand.unpack(raw[place.start : place.end]) for place in written}


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def total(places: Mapping[str, Place]) -> int:
    """Return the size in bytes of an arena of those buffers."""
    end = max((place.end for place in places.values()), default=ALIGNMENT)
    return _aligned(end + RED_ZONE)


def _background(size: int) -> Bytes:
    """Return red zone: 32-bit words of which no two are equal, since an odd factor permutes them."""
    words = np.arange(-(-size // 4), dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(0x5EED2E0D)
    return words.astype("<u4").view(np.uint8)[:size].copy()


def _packed(case: Case, operand: Operand, inputs: Arrays) -> Bytes:
    if operand.name not in inputs:
        raise ValueError(f"{case.id}: no input is given for operand {operand.name}")
    raw = operand.pack(inputs[operand.name])
    if raw.size != operand.nbytes:
        raise ValueError(f"{case.id}: operand {operand.name} takes {operand.nbytes} bytes, its input {raw.size}")
    return raw


def _argument(operand: Operand, places: Mapping[str, Place]) -> tuple[str, Any]:
    if not isinstance(operand, TensorMap):
        return ("pointer", places[operand.name].start)
    spec = TensorMapSpec(
        fmt=operand.fmt,
        buffer=places[operand.over].start,
        dims=operand.dims,
        strides=operand.strides,
        box=operand.box,
        element_strides=operand.element_strides,
        swizzle=operand.swizzle,
        interleave=operand.interleave,
        fill=operand.fill,
        mode=operand.mode,
        lower=operand.lower,
        upper=operand.upper,
    )
    return ("tensormap", spec)


def _changes(
    image: bytes, arena: bytes, frozen: NDArray[np.bool_], places: Mapping[str, Place], run: int
) -> Iterator[Violation]:
    before = np.frombuffer(image, dtype=np.uint8)
    after = np.frombuffer(arena, dtype=np.uint8)
    for offset in np.flatnonzero((before != after) & frozen).tolist():
        near = min(places.values(), key=lambda place: place.distance(offset))
        yield Violation(near.operand.name, offset - near.start, int(before[offset]), int(after[offset]), run)
