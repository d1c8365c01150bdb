"""Bundles: what was assembled here, packed for a GPU machine that has no assembler and no network.

A bundle is a ZIP file: `manifest.json` with the schema, the catalogue version, and each group's cells as the
assembler left them; `cubins/KEY` with the modules, every group's canary among them. Reading it runs no code.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from suite import arena, catalogue, targets
from suite.claims import ptx_version
from suite.errors import UsageError
from suite.model import REALIZATIONS, WORDS, Code, Diagnostic, Kernel, Realization, Source
from suite.observe import Assembled
from suite.pipeline import Group
from suite.probe import Case

SCHEMA = 2


@dataclass(frozen=True)
class Bundle:
    """A bundle as read back."""

    path: Path
    manifest: dict[str, Any]

    @property
    def toolchains(self) -> list[dict[str, str]]:
        """Return name and .version of each assembler that was used."""
        pairs = dict.fromkeys((group["toolchain"], group["ptx"]) for group in self.manifest["groups"])
        return [{"name": name, "ptx": ptx} for name, ptx in pairs]

    def groups(self) -> Iterator[Group]:
        """Yield the groups with their cubins. Raises `UsageError` for a cubin that is not what was packed."""
        with zipfile.ZipFile(self.path) as archive:
            for group in self.manifest["groups"]:
                yield _group(self.path, archive, group)


def write(path: Path, groups: Sequence[Group]) -> int:
    """Write a bundle and return the number of its cells. Raises `UsageError` where the file cannot be written."""
    cubins: dict[str, bytes] = {}
    entries = [_pack(group, cubins) for group in groups]
    manifest = {"bundle": "ptxproof", "schema": SCHEMA, "catalogue": catalogue.version(), "groups": entries}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
            for key, cubin in cubins.items():
                archive.writestr(f"cubins/{key}", cubin)
    except OSError as error:
        raise UsageError(f"cannot write the bundle {path}: {error.strerror}") from None
    return sum(len(group.items) for group in groups)


def read(path: Path) -> Bundle:
    """Return a bundle.

    Raises `UsageError` for a file that is no bundle, is of a newer schema, or asks another catalogue than this one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise UsageError(f"{path} is not a ptxproof bundle: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("bundle") != "ptxproof":
        raise UsageError(f"{path} is not a ptxproof bundle: its manifest is another's")
    if manifest.get("schema") != SCHEMA:
        raise UsageError(f"{path} has bundle schema {manifest.get('schema')}, this ptxproof reads {SCHEMA}")
    if manifest.get("catalogue") != catalogue.version():
        there, here = manifest.get("catalogue"), catalogue.version()
        raise UsageError(
            f"{path} asks catalogue {there}, this checkout is catalogue {here}; check out the same version"
        )
    if not isinstance(manifest.get("groups"), list):
        raise UsageError(f"{path}: broken bundle: its manifest has no groups")
    return Bundle(path, manifest)


def _pack(group: Group, cubins: dict[str, bytes]) -> dict[str, Any]:
    name, good = group.canary()
    alone = _alone(group)
    return {
        "toolchain": group.toolchain,
        "ptx": f"{group.ptx[0]}.{group.ptx[1]}",
        "target": group.target.name,
        "canary": {"kernel": name, "cubin": _keep(cubins, good)},
        "cells": [_pack_item(item, alone.get(item.source.armed.name, item.cubin), cubins) for item in group.items],
    }


def _alone(group: Group) -> dict[str, bytes]:
    """Return single cubins for the kernels that call a routine, and new ones for those that shared a module with them.

    A driver that lacks the routine refuses the module, and where there is no assembler it cannot be split any more.
    """
    callers = [item for item in group.items if item.realization and item.realization.word == "call"]
    if group.assemble is None or not callers:
        return {}
    suspects, names = {item.cubin for item in callers}, {item.source.armed.name for item in callers}
    rest = [i.source.armed for i in group.items if i.cubin in suspects and i.source.armed.name not in names]
    alone = {item.source.armed.name: item.source.armed for item in callers}
    parts = [rest, *([kernel] for kernel in alone.values())]
    return {name: verdict.cubin for part in parts for name, verdict in group.assemble(part).items()}


def _pack_item(item: Assembled, cubin: bytes, cubins: dict[str, bytes]) -> dict[str, Any]:
    means: dict[str, Any] = {"realization": asdict(item.realization)} if item.realization else {}
    code = {"cubin": _keep(cubins, cubin), "facts": launch_facts(item.case)} if cubin else {}
    if item.code:
        means["code"] = [item.code.digest, item.code.registers, item.code.instructions]
    said = [asdict(entry) for entry in item.diagnostics]
    return {
        "case": item.case.id,
        "kernel": item.source.armed.name,
        "word": item.word,
        "diagnostics": said,
        **means,
        **code,
    }


def launch_facts(case: Case) -> str:
    """Return a hash of what the kernel relies on: geometry, arguments, and where its outputs lie."""
    job = arena.plan(case, "", "")
    size = arena.total(arena.layout(case))
    facts = (job.grid, job.block, job.cluster, job.shared, job.arguments, job.outputs, size)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _keep(cubins: dict[str, bytes], cubin: bytes) -> str:
    key = _hash(cubin)
    cubins[key] = cubin
    return key


@lru_cache(maxsize=64)
def _hash(cubin: bytes) -> str:
    """Return the hash of a module, which many cells share."""
    return hashlib.sha256(cubin).hexdigest()


def _group(path: Path, archive: zipfile.ZipFile, entry: dict[str, Any]) -> Group:
    try:
        cubins = {key: _cubin(path, archive, key) for key in {c["cubin"] for c in entry["cells"] if "cubin" in c}}
        good = (entry["canary"]["kernel"], _cubin(path, archive, entry["canary"]["cubin"]))
        items = tuple(_unpack_item(cell, cubins) for cell in entry["cells"])
        target = targets.parse(entry["target"])
        return Group(entry["toolchain"], ptx_version(entry["ptx"]), target, items, lambda: good)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: broken bundle: {type(error).__name__} {error}") from None


def _unpack_item(cell: dict[str, Any], cubins: dict[str, bytes]) -> Assembled:
    kernel = Kernel(cell["kernel"], "")
    realization = Realization(**cell["realization"]) if "realization" in cell else None
    said = tuple(Diagnostic(**entry) for entry in cell["diagnostics"])
    case = catalogue.find(cell["case"])
    if cell["word"] not in WORDS[: WORDS.index("assembled") + 1]:
        raise ValueError(f"{case.id} is {cell['word']!r}, which no assembler says")
    if realization and realization.word not in REALIZATIONS:
        raise ValueError(f"{case.id} is {realization.word!r}, which is no realization")
    if "cubin" in cell and cell["facts"] != launch_facts(case):
        raise ValueError(f"{case.id} was packed for another launch; make the bundle with this checkout")
    source = Source(case.id, kernel, kernel, kernel)
    code = Code(*cell["code"]) if "code" in cell else None
    return Assembled(case, source, cell["word"], said, realization, code, cubins.get(cell.get("cubin", ""), b""))


def _cubin(path: Path, archive: zipfile.ZipFile, key: str) -> bytes:
    cubin = archive.read(f"cubins/{key}")
    if hashlib.sha256(cubin).hexdigest() != key:
        raise UsageError(f"{path}: cubin {key[:12]} is not what was packed")
    return cubin
