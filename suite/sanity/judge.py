"""What the measurements say of a GPU: limits against what is declared, rates against peaks, GPUs against siblings."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite import releases, targets
from suite.claims import ptx_version
from suite.limits import SHARED_OPT_IN
from suite.sanity.model import Finding, Ran
from suite.sanity.peaks import FLOORS, SIBLINGS, peak

# Steps that use the GPU: one that a signal ends there speaks against it.
_GPU_STEPS = ("devices", "limits", "instructions", "performance", "peers")

# Limits that must be just what is declared; the others are reported.
_EXACT = ("dynamic shared memory a block, bytes", "threads a block", "threads a block, many registers")
_SHARED = _EXACT[0]

# Clusters of these sizes launch on every chip that has clusters, without leave.
# Source: CUDA C++ Programming Guide, thread block clusters: up to 8 is portable.
_PORTABLE = (1, 2, 4, 8)


def step(ran: Ran) -> Finding | None:
    """Return what it means that a step did not end well, None where it did; refusals are `mismatches.refusal`'s."""
    at = f" at: {ran.at}" if ran.at and ran.at != ran.name else ""
    if ran.status == "hung":
        return Finding(
            "unfit",
            "step-hung",
            f"step {ran.name} hung{at}",
            (f"killed after {ran.limit:g} s",),
            "look for Xid errors (dmesg); a slow machine may need --level full",
            ran.where,
        )
    if ran.status == "died" and ran.name in _GPU_STEPS:
        return Finding(
            "unfit", "step-died", f"step {ran.name} died{at}", (ran.said,), "look for Xid errors (dmesg)", ran.where
        )
    if ran.status in ("died", "failed"):
        return Finding("unjudged", "step-failed", f"step {ran.name} could not be done{at}", (ran.said,), "", ran.where)
    broke = ran.value("broke")
    if broke:
        return Finding(
            "unfit",
            "gpu-broke",
            f"step {ran.name} ended in {broke['code']}{at}",
            (broke["detail"],),
            "look for Xid errors (dmesg), and for other processes that use the GPU",
            ran.where,
        )
    return None


def limits(ran: Ran, capability: tuple[int, int]) -> Iterator[Finding]:
    """Yield limits that are not what the chip declares or the documentation says."""
    for entry in ran.values("limit"):
        yield from _limit(entry, capability, ran.where)
    yield from _ceiling(ran, capability)
    clusters = ran.value("clusters")
    lost = [size for size in _PORTABLE if size not in clusters["portable"]] if clusters else []
    if lost:
        yield Finding(
            "unfit",
            "cluster-sizes",
            f"clusters of {lost} blocks do not launch",
            (str(clusters),),
            "MIG or MPS may take SMs away",
            ran.where,
        )
    for entry in ran.values("tma"):
        if entry["measured"] != entry["documented"]:
            yield Finding(
                "warning",
                "tma-rule",
                f"tensor maps: {entry['rule']} is {entry['measured']} here, {entry['documented']} in the documentation",
                (),
                "",
                ran.where,
            )
    for entry in ran.values("memory"):
        if entry["works"] is False:
            yield Finding(
                "unfit",
                "host-memory",
                f"{entry['kind']} memory: the host reads not what the GPU wrote",
                (),
                "",
                ran.where,
            )
    yield from _loads(ran, capability)


def _limit(entry: Mapping[str, Any], capability: tuple[int, int], where: str) -> Iterator[Finding]:
    name, measured, declared = entry["name"], entry["measured"], entry["declared"]
    if name in _EXACT and measured != declared:
        less = measured is None or measured < declared
        yield Finding(
            "unfit" if less else "warning",
            "limit",
            f"{name}: {measured} by trial, {declared} declared",
            (),
            "kernels that rely on the declared number fail" if less else "",
            where,
        )
    known = SHARED_OPT_IN.get(capability) if name == _SHARED else None
    if known and declared != known:
        yield Finding(
            "warning", "limit", f"{name}: {declared} declared, {known} documented for this chip", (), "", where
        )


def _ceiling(ran: Ran, capability: tuple[int, int]) -> Iterator[Finding]:
    """Yield a driver that does not compile the lowest `.version` that knows this chip's own target."""
    found = ran.value("ptx_ceiling")
    name = targets.native(capability).name
    floor = releases.floor(name)
    if found and floor and ptx_version(found["measured"]) < floor:
        yield Finding(
            "unfit",
            "driver-too-old",
            f"the driver compiles PTX up to {found['measured']}, and {name} needs {floor[0]}.{floor[1]}",
            (str(found["refused"]),),
            "install a newer driver",
            ran.where,
        )


def _loads(ran: Ran, capability: tuple[int, int]) -> Iterator[Finding]:
    """Yield code that the driver refuses or takes against the rules; what is refused of this very chip's is unfit."""
    for entry in ran.values("load"):
        own = targets.parse(entry["target"]).capability == capability
        for kind, should in (("cubin", entry["should"]), ("ptx", entry["ptx_should"])):
            said = f"{kind} for {entry['target']}"
            if entry[kind] is False and should:
                severity = "unfit" if own else "warning"
                says = f"the driver refuses a {said}, which this chip runs"
                yield Finding(severity, "code-refused", says, (), "install a newer driver", ran.where)
            if entry[kind] and not should:
                says = f"a {said} loads here, against the rules of targets"
                yield Finding("warning", "code-accepted", says, (), "", ran.where)


def rates(ran: Ran, name: str, major: int) -> list[dict[str, Any]]:
    """Return the rates that a GPU reached, each with its peak, source and share where one is known."""
    return [_shared_of(entry, peak(name, major, entry["what"])) for entry in ran.values("rate")]


def _shared_of(entry: Mapping[str, Any], known: tuple[float, str] | None) -> dict[str, Any]:
    if known is None:
        return {**entry, "peak": None, "source": None, "share": None}
    return {**entry, "peak": known[0], "source": known[1], "share": round(entry["median"] / known[0], 3)}


def performance(ran: Ran, found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield rates below the floor, and copies that do not hold what was copied."""
    for entry in found:
        floor = FLOORS["matrix" if " " in entry["what"] else "memory"]
        if entry["share"] is not None and entry["share"] < floor:
            yield Finding(
                "unfit",
                "slow",
                f"{entry['what']}: {entry['median']:g} {entry['unit']}, "
                f"{entry['share']:.0%} of this chip's peak, below the floor of {floor:.0%}",
                _basis(entry),
                "check clocks, power limit, cooling, and other processes on the GPU",
                ran.where,
            )
    copied = ran.value("copied")
    if copied and copied["source"] != copied["copy"]:
        yield Finding(
            "unfit",
            "wrong-bits",
            "a copy in the GPU's own memory differs from what was copied",
            (f"checksums of {copied['bytes']} bytes: {copied['source']}, {copied['copy']}",),
            "take the GPU out of service",
            ran.where,
        )
    for entry in ran.values("not_measured"):
        yield Finding("note", "not-measured", f"{entry['what']} was not measured", (entry["reason"],), "", ran.where)


def _basis(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"median of {entry['runs']}, from {entry['least']:g} to {entry['most']:g}",
        f"peak {entry['peak']:g} {entry['unit']}: {entry['source']}",
    )


def siblings(ran: Sequence[Ran], names: Mapping[int, str]) -> Iterator[Finding]:
    """Yield GPUs that are much slower than others of their name, or whose checksums differ from theirs."""
    kinds: defaultdict[str, list[Ran]] = defaultdict(list)
    for one in ran:
        if one.gpu is not None and one.gpu in names:
            kinds[names[one.gpu]].append(one)
    for kin in kinds.values():
        if len(kin) > 1:
            yield from _slower(kin)
            yield from _differing(kin)


def _slower(kin: Sequence[Ran]) -> Iterator[Finding]:
    medians: defaultdict[str, list[tuple[float, Ran]]] = defaultdict(list)
    for one in kin:
        for entry in one.values("rate"):
            medians[entry["what"]].append((entry["median"], one))
    for what, held in medians.items():
        middle = statistics.median_high([value for value, _ in held])  # of two, the better one
        for value, one in held:
            if value < SIBLINGS * middle:
                yield Finding(
                    "unfit",
                    "slower-than-siblings",
                    f"{what}: {value:g}, {value / middle:.0%} of its siblings' {middle:g}",
                    (f"floor {SIBLINGS:.0%}",),
                    "check its clocks, cooling and link",
                    one.where,
                )


def _differing(kin: Sequence[Ran]) -> Iterator[Finding]:
    sums: defaultdict[str, list[tuple[str, Ran]]] = defaultdict(list)
    for one in kin:
        for entry in one.values("checksum"):
            sums[entry["what"]].append((entry["value"], one))
    for what, held in sums.items():
        values = [value for value, _ in held]
        usual = statistics.mode(values)
        for value, one in held:
            if value != usual:
                tie = values.count(value) == values.count(usual)
                yield Finding(
                    "unfit",
                    "differs-from-siblings",
                    f"{what}: checksum {value}, its siblings' {usual}",
                    ("one of the two is wrong; which, two cannot tell",) if tie else (),
                    "take the GPU out of service",
                    one.where,
                )


def peers(ran: Ran) -> Iterator[Finding]:
    """Yield copies between GPUs that arrive wrong."""
    for entry in ran.values("peer"):
        if entry["differ"]:
            yield Finding(
                "unfit",
                "wrong-bits",
                f"a copy from gpu {entry['from']} to gpu {entry['to']} arrives wrong",
                (f"{entry['differ']} words differ",),
                "check NVLink and PCIe; IOMMU settings",
            )
