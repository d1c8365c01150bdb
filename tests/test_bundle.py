"""Bundles: what is packed comes back, and one that is spoilt, foreign or of another catalogue is refused in a line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite import bundle, catalogue, exact, targets
from suite.errors import UsageError
from suite.model import Code, Diagnostic, Kernel, Realization, Source, Verdict
from suite.observe import Assembled
from suite.pipeline import Group

CASES = catalogue.select(("mma_sync.f16:*",))
MODULE, LONE, CANARY = b"\x7fELF module" * 40, b"\x7fELF lone" * 40, b"\x7fELF canary" * 40
CODE = Code("5eed", 16, 9)
SAID = (Diagnostic("advisory", "warning", "text", 3), Diagnostic("unsupported_feature", "error", "no line"))


def assembled(
    index: int, word: str = "assembled", realization: str | None = "native", cubin: bytes = MODULE
) -> Assembled:
    kernel = Kernel(f"k{index}", "")
    means = Realization(realization, {"HMMA.1688.F16": 1}) if realization else None
    case = CASES[index]
    return Assembled(case, Source(case.id, kernel, kernel, kernel), word, SAID, means, CODE if means else None, cubin)


ITEMS = (assembled(0), assembled(1), assembled(2, "rejected", None, b""), assembled(3, "unaskable", None, b""))


def group(items: tuple[Assembled, ...] = ITEMS, **changes: Any) -> Group:
    made = Group("ptxas 13.0.88", (9, 0), targets.parse("sm_90a"), items, lambda: ("canary", CANARY))
    return replace(made, **changes)


def packed(folder: Path, *groups: Group) -> Path:
    path = folder / "b.zip"
    bundle.write(path, groups or (group(),))
    return path


def test_groups_come_back(tmp_path: Path) -> None:
    other = group(target=targets.parse("sm_120a"), toolchain="ptxas 13.5.37", ptx=(9, 10))
    held = bundle.read(packed(tmp_path, group(), other))
    for found, given in zip(held.groups(), (group(), other), strict=True):
        assert (found.toolchain, found.ptx, found.target) == (given.toolchain, given.ptx, given.target)
        assert found.canary() == given.canary()
        for one, item in zip(found.items, given.items, strict=True):
            assert (one.case.id, one.word, one.cubin) == (item.case.id, item.word, item.cubin)
            assert (one.diagnostics, one.realization) == (item.diagnostics, item.realization)
            assert one.source.armed.name == item.source.armed.name
    assert [entry["name"] for entry in held.toolchains] == ["ptxas 13.0.88", "ptxas 13.5.37"]


def test_the_number_of_cells_is_returned_and_equal_modules_are_held_once(tmp_path: Path) -> None:
    assert bundle.write(tmp_path / "b.zip", [group(), group()]) == 2 * len(ITEMS)
    names = zipfile.ZipFile(tmp_path / "b.zip").namelist()
    assert len(names) == len(set(names)) == 3


def test_a_kernel_that_calls_a_routine_is_packed_alone_and_the_others_without_it(tmp_path: Path) -> None:
    items = (assembled(0), assembled(1, realization="call"), assembled(2))
    asked = []

    def again(kernels: Sequence[Kernel]) -> dict[str, Verdict]:
        asked.append([kernel.name for kernel in kernels])
        return {kernel.name: Verdict(True, (), LONE + bytes([len(asked)])) for kernel in kernels}

    (found,) = bundle.read(packed(tmp_path, group(items, assemble=again))).groups()
    names = [item.source.armed.name for item in items]
    assert asked == [[names[0], names[2]], [names[1]]]
    assert [item.cubin for item in found.items] == [LONE + b"\1", LONE + b"\2", LONE + b"\1"]


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite the manifest as changed, all else as it was."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    changed = change(manifest)
    files["manifest.json"] = json.dumps(manifest if changed is None else changed).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def first_cell(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["groups"][0]["cells"][0].update(changes)


#  what is changed in the manifest                                         said
SPOILT: tuple[tuple[Callable[[dict[str, Any]], Any], str], ...] = (
    (lambda manifest: manifest.update(bundle="other"), "not a ptxproof bundle"),
    (lambda manifest: [manifest], "not a ptxproof bundle"),
    (lambda manifest: manifest.update(schema=99), "schema 99"),
    (lambda manifest: manifest.update(catalogue="000"), "catalogue 000"),
    (lambda manifest: {k: v for k, v in manifest.items() if k != "groups"}, "groups"),
    (lambda manifest: {**manifest, "groups": [{"toolchain": "x"}]}, "cells"),
    (lambda manifest: manifest["groups"][0].update(target="sm_999"), "sm_999"),
    (lambda manifest: manifest["groups"][0].update(ptx="nine"), "broken"),
    (first_cell(case="mma_sync.none:x=1"), "no case is named"),
    (first_cell(cubin="0" * 64), "0000"),
    (first_cell(word="correct"), "correct"),
    (first_cell(word="fine"), "fine"),
    (first_cell(realization={"word": "soft", "opcodes": {}}), "soft"),
    (first_cell(diagnostics=[{"text": "x"}]), "broken"),
)


@pytest.mark.parametrize("change, said", SPOILT)
def test_a_spoilt_manifest_is_refused_in_a_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    path = packed(tmp_path)
    rewritten(path, change)
    with pytest.raises(UsageError, match=said) as caught:
        list(bundle.read(path).groups())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"plain text", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "b.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="not a ptxproof bundle"):
        bundle.read(path)


def test_a_cubin_other_than_was_packed_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if name == "manifest.json" else content + b"!")
    with pytest.raises(UsageError, match="not what was packed"):
        list(bundle.read(path).groups())


def test_a_byte_lost_on_the_way_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path)
    with zipfile.ZipFile(path) as archive:
        entry = next(info for info in archive.infolist() if info.filename.startswith("cubins/"))
    raw = bytearray(path.read_bytes())
    raw[entry.header_offset + 30 + len(entry.filename) + 4] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(UsageError, match=r"b\.zip"):
        list(bundle.read(path).groups())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the bundle"):
        bundle.write(tmp_path / "file" / "b.zip", [group()])


def test_a_bundle_packed_for_another_launch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path)
    list(bundle.read(path).groups())
    monkeypatch.setattr(exact, "RANDOM_TRIALS", exact.RANDOM_TRIALS + 1)  # more trials: larger buffers, another grid
    with pytest.raises(UsageError, match="another launch"):
        list(bundle.read(path).groups())
