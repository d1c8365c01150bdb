"""Step `assemble`: the cases to ask, assembled for each target and packed as a bundle; and a plain cubin a target.

The newest ptxas that knows a target does it, else the driver's own JIT, which every GPU machine has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from suite import bundle, canary, catalogue, pipeline, targets, toolchains
from suite.errors import UsageError
from suite.pipeline import Group, Tally
from suite.progress import Silent
from suite.sanity.steps import Emit
from suite.selection import Selection
from suite.targets import Target
from suite.toolchains import Inventory, Toolchain

BUNDLE, LOADS, CASES = "sanity.bundle", "loads", "cases.json"  # in the folder that the step is given


def run(emit: Emit, folder: str, names: str, cuda: str = "") -> None:
    """Write `sanity.bundle` and `loads/TARGET.cubin` below a folder, for the targets (a JSON list) and `cases.json`.

    `cuda` is the CUDA version that the driver brings: it loads no code of a newer major one.
    """
    wanted = [targets.parse(name) for name in json.loads(names)]
    cases = tuple(catalogue.find(case_id) for case_id in json.loads(Path(folder, CASES).read_text()))
    found = toolchains.discover()
    groups: list[Group] = []
    for target in wanted:
        emit.begin(f"assembling for {target}")
        chosen = assembler(found, target, cuda)
        if chosen is None:
            emit("unassembled", {"target": target.name, "reason": f"no assembler here knows {target}"})
            continue
        ptx = f"{chosen.ptx[0]}.{chosen.ptx[1]}"
        emit("assembler", {"target": target.name, "toolchain": chosen.name, "path": chosen.path, "ptx": ptx})
        selection = Selection(cases, (target,), (chosen,))
        groups += pipeline.assembled(selection, Tally(), Silent(), lambda target: True)
    if groups:
        emit("cells", bundle.write(Path(folder, BUNDLE), groups))
    emit.begin("assembling a plain kernel for every target")
    emit("loads", list(_plain(found, Path(folder, LOADS))))


def assembler(found: Inventory, target: Target, cuda: str = "") -> Toolchain | None:
    """Return the newest ptxas that knows the target and is no newer than the driver's major version, else its JIT."""
    for kind in ("ptxas", "driver"):
        for toolchain in found.toolchains:  # newest first
            fits = kind == "driver" or not cuda or _major(toolchain.version) <= _major(cuda)
            if toolchain.kind == kind and target.name in toolchain.targets and fits:
                return toolchain
    return None


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _plain(found: Inventory, folder: Path) -> Iterator[str]:
    """Write a plain kernel's cubin for every target that some ptxas here knows; yield the targets' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets.ALL:
        chosen = next((t for t in found.toolchains if t.kind == "ptxas" and target.name in t.targets), None)
        if chosen is None:
            continue
        try:
            _, cubin = canary.image(chosen, target)
        except UsageError:  # an assembler that refuses even this: its cells tell
            continue
        (folder / f"{target}.cubin").write_bytes(cubin)
        yield target.name
