"""Step `peers`: which GPUs reach each other's memory, how fast, and whether what arrives is what was sent."""

from __future__ import annotations

import ctypes
import itertools
from functools import cache
from typing import Any

import numpy as np
from cuda.bindings import driver

from suite import gpu_device
from suite.gpu_calls import attempt, must
from suite.sanity.device import milliseconds
from suite.sanity.performance import spread
from suite.sanity.steps import Emit

_BYTES = 1 << 26
_RUNS = 5


def run(emit: Emit, *indices: str) -> None:
    """Give each ordered pair of the GPUs named: access, rate in GB/s, and whether the bytes are right."""
    gpu_device.initialise()
    handles = {int(index): must(driver.cuDeviceGet(int(index))) for index in indices}
    contexts = {index: must(driver.cuDevicePrimaryCtxRetain(handle)) for index, handle in handles.items()}
    buffers = {index: _buffer(context, index) for index, context in contexts.items()}
    for (source, theirs), (to, ours) in itertools.permutations(handles.items(), 2):
        emit.begin(f"gpu {source} to gpu {to}")
        access = bool(must(driver.cuDeviceCanAccessPeer(ours, theirs)))
        fact = {"from": source, "to": to, "access": access}
        emit("peer", fact | _copied(contexts, buffers, source, to, access=access))


def _buffer(context: Any, index: int) -> tuple[int, int]:
    """Return the addresses of a filled buffer and of an empty one on a device."""
    must(driver.cuCtxSetCurrent(context))
    words = _words(index)
    filled, empty = (int(attempt(driver.cuMemAlloc(_BYTES), "allocate", "allocating")) for _ in range(2))
    must(driver.cuMemcpyHtoD(filled, words.ctypes.data, words.nbytes))
    return filled, empty


@cache
def _words(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 1 << 32, _BYTES // 4, dtype=np.uint32)


def _copied(
    contexts: dict[int, Any], buffers: dict[int, tuple[int, int]], source: int, to: int, *, access: bool
) -> dict[str, Any]:
    """Return rate and correctness of copies between two devices, direct where they have access."""
    must(driver.cuCtxSetCurrent(contexts[to]))
    if access:
        _enable(contexts[source])
    filled, empty = buffers[source][0], buffers[to][1]
    must(driver.cuMemsetD32(empty, 0, _BYTES // 4))

    def copy() -> None:
        answer = driver.cuMemcpyPeerAsync(empty, contexts[to], filled, contexts[source], _BYTES, 0)
        attempt(answer, "launch", "copying between devices")

    copy()
    rates = [_BYTES / 1e6 / milliseconds(copy) for _ in range(_RUNS)]
    found = np.empty(_BYTES // 4, dtype=np.uint32)
    must(driver.cuMemcpyDtoH(found.ctypes.data_as(ctypes.c_void_p).value, empty, _BYTES))
    return {"unit": "GB/s", **spread(rates), "differ": int((found != _words(source)).sum())}


def _enable(context: Any) -> None:
    (code,) = driver.cuCtxEnablePeerAccess(context, 0)
    if code != driver.CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED:
        attempt((code,), "launch", "enabling peer access")
