"""What the inventory says: driver, assemblers, libraries and frameworks that do not fit this machine's GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite import targets
from suite.sanity.model import NOT_REPORTED, Finding, Ran
from suite.sanity.nvml import HARMFUL
from suite.targets import Target

Capability = tuple[int, int]

_LISTED = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")
_TRITON_REMEDY = "set TRITON_PTXAS_PATH (and TRITON_PTXAS_BLACKWELL_PATH) to a ptxas that knows it, or update Triton"

_ACCESS = "give this user access to /dev/nvidia* (group, or container devices)"
_HELD = "end the process that holds the GPU (nvidia-smi), or set the compute mode to default"
_TROUBLE = "look for Xid errors (dmesg), the fabric manager and the driver's state"
_HIDDEN = "check CUDA_VISIBLE_DEVICES, the container's GPU option and nvidia-smi"

# What a refusal of the devices means: kind and a part of the reason, then severity, name and remedy. The first that
# fits counts. Without a driver or GPU there is nothing to judge; one that refuses us refuses a workload.
_REFUSALS = (
    # kind            in the reason    severity    name               remedy
    ("NoDevice",      "",              "unjudged", "no-gpu-visible",  _HIDDEN),
    ("DriverTooOld",  "",              "unfit",    "driver-too-old",  "install a newer driver"),
    ("DeviceRefused", "exclusively",   "unfit",    "gpu-held",        _HELD),
    ("DeviceRefused", "prohibited",    "unfit",    "gpu-held",        "nvidia-smi --compute-mode=DEFAULT"),
    ("DeviceRefused", "permission",    "unfit",    "no-permission",   _ACCESS),
    ("DeviceRefused", "may not use",   "unfit",    "no-permission",   _ACCESS),
    ("DeviceRefused", "denies access", "unfit",    "no-permission",   _ACCESS),
    ("DeviceRefused", "",              "unfit",    "gpu-refused",     _TROUBLE),
)  # fmt: skip


def refusal(ran: Ran) -> Finding:
    """Return what it means that a step was refused a GPU."""
    if ran.kind == "NoDriver":
        bus = ran.value("pci") or []
        if not bus:
            return Finding(
                "unjudged",
                "no-driver",
                f"the GPU half could not be judged: {ran.said}",
                (),
                "install the NVIDIA driver, where there is a GPU",
                ran.where,
            )
        return Finding(
            "unfit",
            "no-driver",
            f"there is a GPU and no driver for it: {ran.said}",
            (f"PCI: {', '.join(bus)}",),
            "install the NVIDIA driver",
            ran.where,
        )
    for kind, part, severity, name, remedy in _REFUSALS:
        if ran.kind == kind and part in ran.said:
            half = "the GPU half could not be judged: " if severity == "unjudged" else ""
            return Finding(severity, name, f"{half}{ran.said}", (), remedy, ran.where)
    raise ValueError(f"a refusal of unknown kind {ran.kind!r}")


def assemblers(ran: Ran, chips: Sequence[Capability]) -> Iterator[Finding]:
    """Yield what is wrong with the assemblers for these chips."""
    found = [entry for entry in ran.values("toolchain") if entry["kind"] == "ptxas"]
    for entry in ran.values("broken"):
        yield Finding(
            "warning",
            "broken-assembler",
            f"{entry['path']} does not work: {entry['reason']}",
            (),
            "remove it, or install it again",
        )
    if not found and ran.status == "done":
        yield Finding(
            "warning",
            "no-ptxas",
            "no ptxas that works is on this machine",
            (),
            "install nvidia-cuda-nvcc; without it, what was packed beforehand or the driver's JIT serves",
        )
    for chip in sorted(set(chips)):
        yield from _knowing(found, chip)


def _knowing(found: Sequence[Mapping[str, Any]], chip: Capability) -> Iterator[Finding]:
    name = f"sm_{chip[0]}{chip[1]}"
    ignorant = [entry for entry in found if not knows(entry, chip)]
    if found and len(ignorant) == len(found):
        yield Finding(
            "unfit",
            "no-ptxas-knows-gpu",
            f"no ptxas here knows {name}, which this GPU is",
            tuple(f"{entry['name']} ({entry['role']}): {entry['path']}" for entry in found),
            "install a newer toolkit, or the PyPI package nvidia-cuda-nvcc",
        )
        return
    for entry in ignorant:
        triton = entry["role"] == "Triton"
        yield Finding(
            "unfit" if triton else "warning",
            "bundled-ptxas-too-old" if triton else "ptxas-too-old",
            f"{entry['name']} ({entry['role']}) does not know {name}, which this GPU is",
            (entry["path"],),
            _TRITON_REMEDY if triton else "take it off PATH and CUDA_HOME, or use a newer one",
        )


def knows(entry: Mapping[str, Any], chip: Capability) -> bool:
    """Tell whether a toolchain knows a chip in any spelling."""
    return any(targets.parse(name).capability == chip for name in entry["targets"] if name in _KNOWN)


_KNOWN = {target.name for target in targets.ALL}


def frameworks(ran: Ran, chips: Sequence[Capability], cuda: str) -> Iterator[Finding]:
    """Yield what is wrong with each Python's PyTorch for these chips and the driver's CUDA version."""
    for facts in ran.values("python"):
        python = facts["python"]
        if "error" in facts:
            yield Finding("warning", "python-silent", f"{python} does not answer: {facts['error']}")
        if "torch_error" in facts:
            yield Finding(
                "unfit",
                "torch-does-not-import",
                f"the PyTorch of {python} does not import",
                (facts["torch_error"],),
                "install it again, for this driver's CUDA",
            )
        if facts.get("torch"):
            yield from _torch(facts["torch"], python, chips, cuda)


def _torch(torch: Mapping[str, Any], python: str, chips: Sequence[Capability], cuda: str) -> Iterator[Finding]:
    what = f"PyTorch {torch['version']} of {python}"
    archs = " ".join(torch["archs"])
    if not torch["cuda"]:
        if chips:
            yield Finding("unfit", "wheel-without-cuda", f"{what} is built without CUDA", (), "install a CUDA wheel")
        return
    for chip in sorted(set(chips)):
        how = carries(torch["archs"], chip)
        if how == "none":
            yield Finding(
                "unfit",
                "wheel-without-arch",
                f"{what} has no code for sm_{chip[0]}{chip[1]}",
                (f"its architectures: {archs}",),
                "install a wheel built for this GPU",
            )
        if how == "ptx":
            yield Finding(
                "warning",
                "wheel-by-jit",
                f"{what} has only PTX for sm_{chip[0]}{chip[1]}",
                (f"its architectures: {archs}",),
                "its first start will be slow; a newer wheel may have code",
            )
    yield from _newer(what, torch["cuda"], cuda)


def carries(archs: Sequence[str], chip: Capability) -> str:
    """Return `code`, `ptx` or `none`: what of a wheel's architectures, `sm_90` or `compute_90`, runs on a chip."""
    parsed = [match for match in map(_LISTED.fullmatch, archs) if match]
    built = [
        (kind, Target(int(major), int(minor), suffix)) for kind, major, minor, suffix in (m.groups() for m in parsed)
    ]
    if any(kind == "sm" and _runs(target, chip) for kind, target in built):
        return "code"
    later = (kind == "compute" and not target.suffix and target.capability <= chip for kind, target in built)
    return "ptx" if any(later) else "none"


def _runs(target: Target, chip: Capability) -> bool:
    known = target.suffix != "f" or target.capability in targets.FAMILIES
    return known and target.runs_on(chip)


def _newer(what: str, built: str, cuda: str) -> Iterator[Finding]:
    """Yield where a framework's CUDA is newer than the driver's: a newer major one does not start at all."""
    if not cuda or _numbers(built) <= _numbers(cuda):
        return
    major = _numbers(built)[0] > _numbers(cuda)[0]
    yield Finding(
        "unfit" if major else "warning",
        "framework-newer-than-driver",
        f"{what} is built for CUDA {built}, the driver brings CUDA {cuda}",
        () if major else ("within one major version its code runs; what it compiles from PTX may not",),
        f"install a driver for CUDA {built}, or a wheel for CUDA {cuda}",
    )


def libraries(ran: Ran, cuda: str) -> Iterator[Finding]:
    """Yield runtime libraries that something wants and nothing has, and those newer than the driver."""
    there = ran.values("library")
    names = {entry["name"].split(".so.")[1].split(".")[0] for entry in there if entry["name"].startswith("libcudart")}
    for entry in ran.values("wants"):
        if entry["library"].rpartition(".")[2] not in names:
            present = ", ".join(f"libcudart.so.{name}" for name in sorted(names)) or "none"
            yield Finding(
                "unfit",
                "libcudart-missing",
                f"{entry['library']} is wanted and not here; present: {present}",
                (f"wanted by {entry['module']}",),
                f"install nvidia-cuda-runtime of CUDA {entry['library'].rpartition('.')[2]}, or another build",
            )
    newer = [
        e for e in there if cuda and e["name"].startswith("libcudart") and _numbers(e["version"])[0] > _numbers(cuda)[0]
    ]
    for entry in newer:
        yield Finding(
            "warning",
            "runtime-newer-than-driver",
            f"{entry['path']} is of CUDA {entry['version']}, the driver brings CUDA {cuda}",
            (),
            "what links it does not start with this driver",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2])) or (0,)


def health(ran: Ran) -> Iterator[Finding]:
    """Yield what the management library says against the GPUs."""
    for entry in ran.values("gpu"):
        where = f"nvml gpu {entry['nvml_index']}"
        errors = entry["ecc_uncorrected"]
        if isinstance(errors, int) and errors:
            yield Finding(
                "unfit",
                "ecc-errors",
                f"{errors} uncorrectable memory errors since the driver was loaded",
                (),
                "reset the GPU; if they come back, replace it",
                where,
            )
        harmful = [name for name in entry["throttle"] if name in HARMFUL] if isinstance(entry["throttle"], list) else []
        if harmful:
            yield Finding(
                "warning",
                "throttled",
                f"the GPU is slowed down: {', '.join(harmful)}",
                (),
                "check cooling and power",
                where,
            )
        if isinstance(entry["processes"], int) and entry["processes"]:
            yield Finding(
                "warning",
                "gpu-busy",
                f"{entry['processes']} processes use the GPU: rates may be low",
                (),
                "repeat when it is idle",
                where,
            )
        missing = [name for name, value in entry.items() if str(value).startswith(NOT_REPORTED)]
        if missing:
            yield Finding("note", "not-reported", f"not reported by this chip: {', '.join(missing)}", (), "", where)
    log = ran.value("xid")
    if isinstance(log, list) and log:
        yield Finding(
            "warning",
            "xid-errors",
            f"{len(log)} kinds of Xid error in the kernel's log",
            tuple(log[-5:]),
            "look them up in NVIDIA's Xid catalogue",
        )
