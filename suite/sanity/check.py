"""The whole sanity check: inventory, each GPU in its own processes and all at once, then what it comes to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from suite import catalogue, targets
from suite.errors import UsageError
from suite.model import Observation
from suite.probe import Case
from suite.sanity import instructions, judge, mismatches, profiles, quick, steps
from suite.sanity.model import Finding, Ran, Report
from suite.sanity.prepare import BUNDLE, CASES, LOADS
from suite.sanity.profiles import Profile

Say = Callable[[str], None]

_FIRST = ("devices", "nvml", "packages", "libraries", "toolchains")
_ASKING_PYTHON = ("packages", "libraries", "toolchains")


@dataclass(frozen=True)
class Request:
    """What a user asks: level, profiles, a bundle packed elsewhere, and the Pythons whose packages matter."""

    level: str = "quick"
    needs: tuple[Profile, ...] = ()
    bundle: Path | None = None
    pythons: tuple[str, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return the quick set's cases and those of the profiles; at the full level all there are."""
        if self.level == "full":
            return catalogue.expand()
        return tuple(dict.fromkeys((*quick.cases(), *profiles.cases(self.needs))))


@dataclass(frozen=True)
class Checked:
    """The report, and each GPU's cells and device facts for its record."""

    report: Report
    cells: Mapping[int, Sequence[Observation]]
    devices: Mapping[int, Mapping[str, Any]]
    assemblers: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class _Gpu:
    """One GPU's steps as they ran, by name, with its device facts."""

    device: Mapping[str, Any]
    ran: Mapping[str, Ran]

    @property
    def capability(self) -> tuple[int, int]:
        major, minor = self.device["capability"]
        return int(major), int(minor)


def check(request: Request, say: Say) -> Checked:
    """Return what a sanity check of this machine finds. `say` is called as steps end.

    Raises `UsageError` for a bundle that is none.
    """
    report = Report(request.level)
    with ThreadPoolExecutor(len(_FIRST)) as pool, tempfile.TemporaryDirectory(prefix="ptxproof-sanity-") as folder:
        asked = _inventory(pool, request, say)
        seen = asked["devices"].result()  # the GPUs need not wait until every Python has imported its framework
        devices = {int(facts["index"]): facts for facts in seen.values("device")}
        known = {index: facts for index, facts in devices.items() if _known(report, index, facts)}
        packed, expected, made = _packed(request, Path(folder), known, report, say)
        gpus = _each(request, known, (packed, Path(folder) / LOADS), report, say)
        _judge_gpus(report, gpus, expected)
        _peers(request, list(known), report, say)
        first = {name: future.result() for name, future in asked.items()}
    report.steps[:0] = first.values()
    _judge_inventory(report, first, devices)
    cells = {index: instructions.cells(gpu.ran["instructions"]) for index, gpu in gpus.items()}
    _answer(request, report, gpus, cells, first)
    return Checked(report, cells, devices, made)


def _run(name: str, *arguments: str, level: str, say: Say, gpu: int | None = None) -> Ran:
    ran = steps.run(name, *arguments, seconds=steps.limit(name, level), gpu=gpu)
    say(f"{name}{f' (gpu {gpu})' if gpu is not None else ''}: {ran.status}, {ran.seconds:.1f} s")
    return ran


def _inventory(pool: ThreadPoolExecutor, request: Request, say: Say) -> dict[str, Future[Ran]]:
    """Begin the steps of the machine, all at once."""
    pythons = {name: request.pythons if name in _ASKING_PYTHON else () for name in _FIRST}
    return {name: pool.submit(_run, name, *pythons[name], level=request.level, say=say) for name in _FIRST}


def _judge_inventory(report: Report, first: Mapping[str, Ran], devices: Mapping[int, Mapping[str, Any]]) -> None:
    chips = [(int(facts["capability"][0]), int(facts["capability"][1])) for facts in devices.values()]
    cuda = str(next((facts["cuda"] for facts in devices.values()), "") or first["nvml"].value("cuda", ""))
    found = [
        *_ended(first.values()),
        *mismatches.assemblers(first["toolchains"], chips),
        *mismatches.frameworks(first["packages"], chips, cuda),
        *mismatches.libraries(first["libraries"], cuda),
        *mismatches.health(first["nvml"]),
    ]
    report.findings += found
    report.inventory = {
        "driver": first["nvml"].value("driver") or next((f["driver"] for f in devices.values()), None),
        "cuda": cuda or None,
        "nvml": first["nvml"].values("gpu"),
        "xid": first["nvml"].value("xid"),
        "assemblers": first["toolchains"].values("toolchain"),
        "libraries": first["libraries"].values("library"),
        "pythons": [{k: v for k, v in facts.items() if k != "folders"} for facts in first["packages"].values("python")],
    }


def _ended(ran: Iterable[Ran]) -> list[Finding]:
    """Return the findings of steps that did not end well; NVML refused is told by the devices' refusal."""
    found = []
    for one in ran:
        if one.status == "refused":
            if one.name == "nvml":
                found.append(Finding("note", "no-nvml", f"NVML tells nothing: {one.said}", (), "", one.where))
            else:
                found.append(mismatches.refusal(one))
        else:
            said = judge.step(one)
            found += [said] if said else []
    return found


def _known(report: Report, index: int, facts: Mapping[str, Any]) -> bool:
    """Tell whether ptxproof knows the chip; one that it does not know cannot be judged."""
    try:
        targets.native(tuple(facts["capability"]))
    except UsageError as error:
        report.findings.append(
            Finding("unjudged", "unknown-chip", f"{facts['name']}: {error}", (), "update ptxproof", f"gpu {index}")
        )
        return False
    return True


def _packed(
    request: Request, folder: Path, known: Mapping[int, Mapping[str, Any]], report: Report, say: Say
) -> tuple[Path | None, dict[str, int], list[dict[str, str]]]:
    """Return the bundle to run, how many cases it holds by target, and the assemblers behind it."""
    if not known:
        return None, {}, []
    chips = dict.fromkeys(targets.native(tuple(facts["capability"])).name for facts in known.values())
    if request.bundle:
        groups, _ = instructions.packed_for(request.bundle)
        made = [{"name": g.toolchain, "ptx": f"{g.ptx[0]}.{g.ptx[1]}"} for g in groups]
        return request.bundle, {group.target.name: len(group.items) for group in groups}, made
    (folder / CASES).write_text(json.dumps([case.id for case in request.cases]))
    cuda = str(next(iter(known.values()))["cuda"])
    ran = _run("assemble", str(folder), json.dumps(list(chips)), cuda, level=request.level, say=say)
    report.steps.append(ran)
    report.findings += _ended([ran])
    chosen = ran.values("assembler")
    whole = folder / BUNDLE if (folder / BUNDLE).exists() and ran.status == "done" else None
    expected = {entry["target"]: len(request.cases) for entry in chosen} if whole else {}
    return whole, expected, [{"name": entry["toolchain"], "ptx": entry["ptx"]} for entry in chosen]


def _each(
    request: Request, known: Mapping[int, Mapping[str, Any]], code: tuple[Path | None, Path], report: Report, say: Say
) -> dict[int, _Gpu]:
    """Run the steps of every GPU, GPUs side by side; `code` is the bundle and the folder of plain cubins."""
    with ThreadPoolExecutor(max(1, len(known))) as pool:
        work = partial(_one, request, *code, say)
        gpus = dict(zip(known, pool.map(work, known.items()), strict=True))
    for gpu in gpus.values():
        report.steps += gpu.ran.values()
        report.findings += _ended(gpu.ran.values())
    return gpus


def _one(request: Request, packed: Path | None, loads: Path, say: Say, item: tuple[int, Mapping[str, Any]]) -> _Gpu:
    """Run one GPU's steps, one after the other; what comes after a step that hung or died is not begun."""
    index, device = item
    lines: list[tuple[str, tuple[str, ...]]] = [
        ("instructions", (str(index), str(packed), request.level)),
        ("limits", (str(index), str(loads) if loads.exists() else "")),
        ("performance", (str(index), request.level)),
    ]
    ran: dict[str, Ran] = {}
    for name, arguments in lines:
        before = next((one for one in ran.values() if one.status in ("hung", "died", "refused")), None)
        if before is not None or (name == "instructions" and packed is None):
            why = f"{before.name} {before.status}" if before else instructions.NOTHING
            ran[name] = Ran(name, index, "skipped", 0.0, 0.0, said=why)
        else:
            ran[name] = _run(name, *arguments, level=request.level, say=say, gpu=index)
    return _Gpu(device, ran)


def _judge_gpus(report: Report, gpus: Mapping[int, _Gpu], expected: Mapping[str, int]) -> None:
    for index, gpu in gpus.items():
        target = targets.native(gpu.capability)
        ran = gpu.ran
        rates = judge.rates(ran["performance"], str(gpu.device["name"]), target.major)
        report.findings += instructions.judge(ran["instructions"], expected.get(target.name, 0))
        report.findings += [*judge.limits(ran["limits"], gpu.capability), *judge.performance(ran["performance"], rates)]
        report.gpus.append(_described(index, gpu, target.name, rates))
    names = {index: str(gpu.device["name"]) for index, gpu in gpus.items()}
    report.findings += judge.siblings([gpu.ran["performance"] for gpu in gpus.values()], names)


def _described(index: int, gpu: _Gpu, target: str, rates: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a GPU's part of the report."""
    limits, cells = gpu.ran["limits"], instructions.cells(gpu.ran["instructions"])
    return {
        "index": index,
        "device": dict(gpu.device),
        "target": target,
        "ptx_ceiling": limits.value("ptx_ceiling"),
        "limits": limits.values("limit"),
        "clusters": limits.value("clusters"),
        "tensor_maps": limits.values("tma"),
        "memory": limits.values("memory"),
        "memory_facts": limits.value("memory_facts"),
        "loads": limits.values("load"),
        "instructions": [
            {"case": cell.case, "word": cell.word, "agreement": cell.agreement, "realization": cell.realization}
            for cell in cells
        ],
        "rates": rates,
        "checksums": gpu.ran["performance"].values("checksum"),
    }


def _peers(request: Request, indices: Sequence[int], report: Report, say: Say) -> None:
    """Copy between all pairs of GPUs, once each is known to answer."""
    stuck = any(ran.gpu is not None and ran.status in ("hung", "died") for ran in report.steps)
    if len(indices) > 1 and not stuck:
        ran = _run("peers", *map(str, indices), level=request.level, say=say)
        report.steps.append(ran)
        report.findings += [*_ended([ran]), *judge.peers(ran)]
        report.peers = ran.values("peer")


def _answer(
    request: Request, report: Report, gpus: Mapping[int, _Gpu], cells: Mapping[int, Sequence[Observation]],
    first: Mapping[str, Ran],
) -> None:  # fmt: skip
    """Answer the profiles for every GPU; without one, none can be judged."""
    for profile in request.needs:
        for index, gpu in gpus.items():
            facts = profiles.Facts(
                {cell.case: cell for cell in cells[index]},
                known_limits(gpu, first["toolchains"]),
                f"run on {gpu.device['name']}",
                on_hardware=True,
            )
            _answered(report, profiles.answer(profile, facts), f"gpu {index}")
        if not gpus:
            facts = profiles.Facts({}, {}, "nothing", on_hardware=True)
            _answered(report, profiles.answer(profile, facts), "")


def known_limits(gpu: _Gpu, toolchains: Ran) -> dict[str, Any]:
    """Return the limits of profiles that were measured on a GPU."""
    ran = gpu.ran["limits"]
    shared = next((e["measured"] for e in ran.values("limit") if e["name"] == profiles.LIMITS["shared"]), None)
    clusters, ceiling = ran.value("clusters"), ran.value("ptx_ceiling")
    found = {
        "shared": shared,
        "cluster": max(clusters["portable"], default=1) if clusters else 1 if ran.status == "done" else None,
        "ptx": ceiling["measured"] if ceiling else None,
        "memory": gpu.device["memory"],
        "toolchain": newest_ptx(toolchains.values("toolchain"), targets.native(gpu.capability).name),
    }
    return {name: value for name, value in found.items() if value is not None}


def newest_ptx(toolchains: Iterable[Mapping[str, Any]], target: str) -> str | None:
    """Return the highest `.version` that any ptxas here takes for a target, None where none knows it."""
    known = [str(entry["ptx"]) for entry in toolchains if entry["kind"] == "ptxas" and target in entry["targets"]]
    return max(known, key=lambda text: tuple(map(int, text.split("."))), default=None)


def _answered(report: Report, answer: dict[str, Any], where: str) -> None:
    report.profiles.append({**answer, "where": where})
    report.findings.append(finding(answer, where))


def finding(answer: Mapping[str, Any], where: str) -> Finding:
    """Return a profile's answer as a finding: the requirement that decides it is its evidence."""
    word = answer["answer"]
    severity = {"go": "note", "no-go": "unfit", "cannot judge": "unjudged"}[word]
    failing = [entry for entry in answer["requirements"] if entry["answer"] == word and entry["counts"]]
    told = failing if word != "go" else []
    evidence = [f"{e['requirement']}: {'; '.join(e['evidence'])} ({e['reason']})" for e in told]
    name = {"go": "profile-go", "no-go": "profile-no-go", "cannot judge": "profile-unjudged"}[word]
    return Finding(
        severity,
        name,
        f"{answer['profile']}: {word} ({answer['evidence_level']})",
        tuple(evidence),
        "" if word == "go" else "choose kernels made for this target, or another GPU",
        where,
    )
