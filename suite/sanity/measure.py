"""Step `limits`: what the GPU and its driver take, found by trying, beside what they declare."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

from cuda.bindings import driver

from suite import releases, targets
from suite.gpu_calls import Refusal, attempt, must
from suite.sanity import device, kernels, search, tma_rules
from suite.sanity.device import Measured, accepted, config, launch
from suite.sanity.steps import Emit
from suite.targets import Target

_BEYOND = ((10, 0), (9, 9), (9, 8), (9, 7), (9, 6))  # versions after the last that the table of releases knows
_MOST_SHARED, _MOST_THREADS, _MOST_CLUSTER = 1 << 19, 4096, 32  # where a search ends
_THREADS = 256


def run(emit: Emit, index: str, loads: str = "") -> None:
    """Give each limit as (measured, declared). `loads` is a folder of cubins named for their targets."""
    gpu = Measured(int(index))
    emit.begin("the highest PTX version")
    ptx, refused = ceiling(gpu)
    emit("ptx_ceiling", {"measured": f"{ptx[0]}.{ptx[1]}", "refused": refused})
    for name, ask in _LIMITS.items():
        emit.begin(name)
        measured, declared = ask(gpu, ptx)
        emit("limit", {"name": name, "measured": measured, "declared": declared})
    _clusters(emit, gpu, ptx)
    _tma(emit, gpu)
    _memory(emit, gpu, ptx)
    _loads(emit, gpu, ptx, Path(loads) if loads else None)


def ceiling(gpu: Measured) -> tuple[tuple[int, int], str]:
    """Return the highest `.version` that the driver compiles, and what it says of the next.

    Raises `Refusal` where it compiles none.
    """
    versions = sorted({*_BEYOND, *(release.ptx for release in releases.ALL)}, reverse=True)
    refusal = Refusal("none", "load", "no version of PTX was asked")
    for version in versions:
        try:
            gpu.compile(kernels.empty(), "empty", gpu.target, version)
        except Refusal as said:
            refusal = said
            continue
        return version, f"{refusal.code}: {refusal.detail}"
    raise refusal


def _shared(gpu: Measured, ptx: tuple[int, int]) -> tuple[int | None, int]:
    """Return the most dynamic shared memory of a block that can be launched and used, and the declared opt-in limit."""
    function, out = gpu.compile(kernels.touch(), "touch", gpu.target, ptx), gpu.room(1024)

    def use(size: int) -> None:
        device.allow(function, "MAX_DYNAMIC_SHARED_SIZE_BYTES", size)
        device.clear(out)
        launch(function, config(1, 32, size), out, size)
        device.finish()
        if device.word(out) != kernels.TOUCHED:
            raise Refusal("WRONG_BYTE", "launch", f"the last of {size} bytes does not hold what was written")

    return (
        search.largest(lambda size: accepted(lambda: use(size)), 1, _MOST_SHARED),
        gpu.attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
    )


def _threads(gpu: Measured, ptx: tuple[int, int]) -> tuple[int | None, int]:
    function = gpu.compile(kernels.empty(), "empty", gpu.target, ptx)
    return _largest_block(function, ()), gpu.attribute("MAX_THREADS_PER_BLOCK")


def _live_threads(gpu: Measured, ptx: tuple[int, int]) -> tuple[int | None, int]:
    """Return the largest block of a kernel of many registers, and the one that the driver declares for it."""
    function = gpu.compile(kernels.live(), "live", gpu.target, ptx)
    return _largest_block(function, (gpu.room(4096),)), device.property_of(function, "MAX_THREADS_PER_BLOCK")


def _registers(gpu: Measured, ptx: tuple[int, int]) -> tuple[int, int]:
    """Return the registers of that kernel by threads of its largest block, and the declared registers of a block."""
    function = gpu.compile(kernels.live(), "live", gpu.target, ptx)
    block = _largest_block(function, (gpu.room(4096),)) or 0
    return block * device.property_of(function, "NUM_REGS"), gpu.attribute("MAX_REGISTERS_PER_BLOCK")


def _largest_block(function: object, values: tuple[int, ...]) -> int | None:
    def use(threads: int) -> None:
        launch(function, config(1, threads), *values)
        device.finish()

    return search.largest(lambda threads: accepted(lambda: use(threads)), 1, _MOST_THREADS)


_LIMITS: dict[str, Callable[[Measured, tuple[int, int]], tuple[int | None, int]]] = {
    "dynamic shared memory a block, bytes": _shared,
    "threads a block": _threads,
    "threads a block, many registers": _live_threads,
    "registers a block, in use": _registers,
}


def _clusters(emit: Emit, gpu: Measured, ptx: tuple[int, int]) -> None:
    """Give the cluster sizes that launch without leave and with it; none where the chip has no clusters."""
    if not gpu.attribute("CLUSTER_LAUNCH"):
        emit("clusters", None)
        return
    function = gpu.compile(kernels.empty(), "empty", gpu.target, ptx)

    def takes(size: int) -> bool:
        def use() -> None:
            launch(function, config(size, 32, cluster=size))
            device.finish()

        return accepted(use)

    found = {}
    for name, leave in (("portable", 0), ("with leave", 1)):
        emit.begin(f"cluster sizes, {name}")
        device.allow(function, "NON_PORTABLE_CLUSTER_SIZE_ALLOWED", leave)
        found[name] = [size for size in range(1, _MOST_CLUSTER + 1) if takes(size)]
    emit("clusters", found)


def _tma(emit: Emit, gpu: Measured) -> None:
    """Give each rule of tensor maps as found; nothing where the chip has none."""
    if not gpu.attribute("TENSOR_MAP_ACCESS_SUPPORTED"):
        return
    address = gpu.room(1 << 16)
    for rule in tma_rules.RULES:
        emit.begin(f"tensor maps: {rule.name}")
        emit("tma", {"rule": rule.name, "measured": tma_rules.found(rule, address), "documented": rule.documented})


def _memory(emit: Emit, gpu: Measured, ptx: tuple[int, int]) -> None:
    """Give whether the GPU writes to managed and to pinned host memory what the host then reads."""
    function = gpu.compile(kernels.mark(), "mark", gpu.target, ptx)
    flags = driver.CUmemAttach_flags.CU_MEM_ATTACH_GLOBAL
    kinds: dict[str, Callable[[], int]] = {
        "managed": lambda: int(must(driver.cuMemAllocManaged(4 * _THREADS, int(flags)))),
        "pinned": lambda: int(must(driver.cuMemHostAlloc(4 * _THREADS, driver.CU_MEMHOSTALLOC_DEVICEMAP))),
    }
    has = {"managed": gpu.attribute("MANAGED_MEMORY"), "pinned": gpu.attribute("CAN_MAP_HOST_MEMORY")}
    for name, allocate in kinds.items():
        emit.begin(f"{name} memory")
        emit("memory", {"kind": name, "works": _marked(function, allocate(), name) if has[name] else None})
    names = ("CONCURRENT_MANAGED_ACCESS", "PAGEABLE_MEMORY_ACCESS", "INTEGRATED")
    emit("memory_facts", {name.lower(): bool(gpu.attribute(name)) for name in names})


def _marked(function: object, host: int, kind: str) -> bool:
    seen = host if kind == "managed" else int(attempt(driver.cuMemHostGetDevicePointer(host, 0), "launch", "mapping"))
    launch(function, config(1, _THREADS), seen)
    device.finish()
    words = (ctypes.c_uint32 * _THREADS).from_address(host)
    return list(words) == [(i * kernels.MARK_FACTOR + kernels.MARK_TERM) % (1 << 32) for i in range(_THREADS)]


def _loads(emit: Emit, gpu: Measured, ptx: tuple[int, int], folder: Path | None) -> None:
    """Give, for every target, whether its PTX and its cubin load here, and whether they should."""
    for target in targets.ALL:
        emit.begin(f"loading {target}")
        text = accepted(lambda name=target.name: gpu.compile(kernels.empty(), "empty", name, ptx))  # type: ignore[misc]
        cubin = folder / f"{target}.cubin" if folder else None
        code = _loaded(gpu, cubin) if cubin and cubin.exists() else None
        here, text_here = target.runs_on(gpu.capability), compiles(target, gpu.capability)
        emit("load", {"target": target.name, "ptx": text, "cubin": code, "should": here, "ptx_should": text_here})


def compiles(target: Target, capability: tuple[int, int]) -> bool:
    """Tell whether a target's PTX may be compiled for a device: base PTX for every later chip. PTX ISA 9.3, 11.1.2."""
    return target.runs_on(capability) if target.suffix else target.capability <= capability


def _loaded(gpu: Measured, cubin: Path) -> bool:
    image = cubin.read_bytes()
    return accepted(lambda: must_load(image))


def must_load(image: bytes) -> None:
    """Load a module and unload it. Raises `Refusal` where the driver refuses it."""
    must(driver.cuModuleUnload(attempt(driver.cuModuleLoadData(image), "load", "loading the module", whole=True)))
