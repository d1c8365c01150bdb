"""Step `performance`: memory bandwidth and matrix rates, by our own kernels on random data, timed by events."""

from __future__ import annotations

import ctypes
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from cuda.bindings import driver

from suite import targets
from suite.gpu_calls import Refusal, must
from suite.sanity import device, memory_kernels, rates
from suite.sanity.device import Measured, config, launch
from suite.sanity.measure import ceiling
from suite.sanity.rates import Rate
from suite.sanity.steps import Emit
from suite.targets import Target

RUNS = {"quick": 9, "full": 49}
_BYTES = {"quick": 1 << 30, "full": 1 << 32}  # of each of two buffers, where a quarter of the free memory allows
_DATA_WORDS = 1 << 14  # random words that the matrix kernels take their operands from
_SEED = 0x5EED
_CHECK_LOOPS, _PROBE_LOOPS = 64, 500
_RUN_MS = 4.0  # one timed run of a matrix kernel
_BLOCKS_A_SM = {"memory": 4, "mma.sync": 2, "wgmma": 2}


def run(emit: Emit, index: str, level: str) -> None:
    """Give each rate with its spread, and the checksums that GPUs of one kind must share."""
    gpu = Measured(int(index))
    ptx, _ = ceiling(gpu)
    sms = gpu.attribute("MULTIPROCESSOR_COUNT")
    emit.begin("memory")
    memory(emit, gpu, ptx, level, sms)
    data, out = _data(gpu), gpu.room(4)
    for rate in wanted(gpu.capability, level):
        emit.begin(f"{rate.unit} {rate.kind}")
        try:
            matrix(emit, _Bench(gpu, ptx, level, sms, data, out), rate)
        except Refusal as refusal:
            if refusal.stage != "load":
                raise
            emit("not_measured", {"what": f"{rate.unit} {rate.kind}", "reason": f"{refusal.code}: {refusal.detail}"})


def wanted(capability: tuple[int, int], level: str) -> list[Rate]:
    """Return the rates that a chip has: of each input type that of its fastest unit, at the full level all."""
    here = [rate for rate in rates.RATES if _has(rate, capability)]
    units = {(rate.unit, rate.kind): rate for rate in here}  # a later row is of a larger shape
    fastest = {rate.kind: rate for rate in here}  # or of a faster unit
    return list(units.values() if level == "full" else fastest.values())


def target(rate: Rate, capability: tuple[int, int]) -> Target:
    """Return the target to compile a rate's kernel for: the chip's own, with the suffix that the instruction needs."""
    suffix = targets.parse(rate.target).suffix
    return Target(*capability, suffix)


def _has(rate: Rate, capability: tuple[int, int]) -> bool:
    first = targets.parse(rate.target)
    return first.runs_on(capability) if first.suffix else first.capability <= capability


def memory(emit: Emit, gpu: Measured, ptx: tuple[int, int], level: str, sms: int) -> None:
    """Give the rates of reading, writing and copying, and whether a copy holds what was copied."""
    blocks = sms * _BLOCKS_A_SM["memory"]
    stride = blocks * memory_kernels.BLOCK * 16
    free, _ = must_two(driver.cuMemGetInfo())
    turns = max(1, min(_BYTES[level], free // 4) // (memory_kernels.UNROLL * stride))
    size = turns * memory_kernels.UNROLL * stride
    first, second, out = gpu.room(size), gpu.room(size), gpu.room(4)
    geometry = config(blocks, memory_kernels.BLOCK)

    def kernel(text: Callable[[], str]) -> Callable[..., None]:
        function = gpu.compile(text(), text.__name__, gpu.target, ptx)
        return lambda *values: launch(function, geometry, *values, turns, stride)

    fill, read, write, copy = map(
        kernel, (memory_kernels.fill, memory_kernels.read, memory_kernels.write, memory_kernels.copy)
    )
    fill(first)
    timed = partial(_timed, emit, RUNS[level])
    timed("read", "GB/s", size / 1e6, lambda: read(first, out))
    timed("copy", "GB/s", 2 * size / 1e6, lambda: copy(first, second))
    sums = [_checksum(out, lambda place=place: read(place, out)) for place in (first, second)]  # type: ignore[misc]
    emit("copied", {"bytes": size, "source": f"{sums[0]:#010x}", "copy": f"{sums[1]:#010x}"})
    emit("checksum", {"what": f"memory, {size} bytes", "value": f"{sums[1]:#010x}"})
    timed("write", "GB/s", size / 1e6, lambda: write(second))
    must(driver.cuMemFree(first))
    must(driver.cuMemFree(second))


@dataclass(frozen=True)
class _Bench:
    """What a matrix kernel runs on: the GPU, the highest `.version`, the level, SMs, and two buffers' addresses."""

    gpu: Measured
    ptx: tuple[int, int]
    level: str
    sms: int
    data: int
    out: int


def matrix(emit: Emit, bench: _Bench, rate: Rate) -> None:
    """Give one input type's rate, and the checksum of a run of fixed length."""
    name = target(rate, bench.gpu.capability).name
    function = bench.gpu.compile(rates.text(rate), "rate", name, bench.ptx)
    blocks = bench.sms * _BLOCKS_A_SM[rate.unit]
    geometry = config(blocks, rates.block(rate), rates.shared(rate))
    if rates.shared(rate):
        device.allow(function, "MAX_DYNAMIC_SHARED_SIZE_BYTES", rates.shared(rate))

    def go(loops: int) -> None:
        launch(function, geometry, bench.data, bench.out, loops)

    what = f"{rate.unit} {rate.kind}"
    value = _checksum(bench.out, lambda: go(_CHECK_LOOPS))
    emit("checksum", {"what": what, "value": f"{value:#010x}"})
    probe = device.milliseconds(lambda: go(_PROBE_LOOPS))
    loops = max(_PROBE_LOOPS, int(_PROBE_LOOPS * _RUN_MS / max(probe, 1e-3)))
    operations = rate.operations * rates.issued(rate) * blocks * loops
    unit = "TOP/s" if rate.word == "b32" else "TFLOP/s"
    _timed(emit, RUNS[bench.level], what, unit, operations / 1e9, lambda: go(loops))


def _timed(emit: Emit, runs: int, what: str, unit: str, work: float, go: Callable[[], None]) -> None:  # noqa: PLR0917
    """Give the median of so many runs after one that warms up, with the least and the most; work / ms is in `unit`."""
    go()
    values = [work / device.milliseconds(go) for _ in range(runs)]
    emit("rate", {"what": what, "unit": unit, "runs": runs, **spread(values)})


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return median, least and most, rounded to four digits that mean something."""
    held = sorted(values)
    picked = {"median": statistics.median(held), "least": held[0], "most": held[-1]}
    return {name: float(f"{value:.4g}") for name, value in picked.items()}


def _checksum(out: int, go: Callable[[], None]) -> int:
    device.clear(out)
    go()
    device.finish()
    return device.word(out)


def _data(gpu: Measured) -> int:
    words = np.random.default_rng(_SEED).integers(0, 1 << 32, _DATA_WORDS, dtype=np.uint32)
    place = gpu.room(words.nbytes)
    must(driver.cuMemcpyHtoD(place, words.ctypes.data_as(ctypes.c_void_p).value, words.nbytes))
    return place


def must_two(answer: tuple[Any, ...]) -> tuple[int, int]:
    """Return the two values of a driver call that no healthy GPU refuses."""
    code, *values = answer
    must((code,))
    return int(values[0]), int(values[1])
