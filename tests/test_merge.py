"""Records of parts made one: nothing lost, later cells before earlier ones, and parts that do not fit refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from suite import catalogue
from suite.cli import main
from suite.model import Observation
from suite.record import Writer, read
from tests.observations import cell

H200 = {"name": "NVIDIA H200"}
TOOLS = [{"name": "ptxas 13.5.37", "ptx": "9.5"}]


def written(path: Path, *cells: Observation, cut: bool = False, **header: Any) -> str:
    facts: Mapping[str, Any] = {"catalogue": "0123", "toolchains": TOOLS, **header}
    writer = Writer(path, facts)
    for one in cells:
        writer.add(one)
    writer.close({}, interrupted=cut)
    return str(path)


def test_parts_become_one_record_packed_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "a.jsonl", cell(target="sm_100a"), cell(target="sm_120a"))
    other = written(tmp_path / "b.jsonl", cell(target="sm_121a"), toolchains=[{"name": "ptxas 13.4.92", "ptx": "9.4"}])
    for name in ("whole.jsonl", "whole.jsonl.xz"):
        assert main(["merge", one, other, "-o", str(tmp_path / name)]) == 0
        whole = read(tmp_path / name)
        assert {c.target for c in whole.cells} == {"sm_100a", "sm_120a", "sm_121a"}
        assert whole.complete
        assert [tool["name"] for tool in whole.header["toolchains"]] == ["ptxas 13.5.37", "ptxas 13.4.92"]
    assert "3 cells, 3 agrees" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "b.jsonl", "whole.jsonl", "whole.jsonl.xz"}


def test_of_a_cell_asked_twice_the_later_kernel_stands(tmp_path: Path) -> None:
    late = written(tmp_path / "a.jsonl", cell(kernel="knew", word="rejected"), started="2026-11-21T12:00:00Z")
    early = written(tmp_path / "b.jsonl", cell(kernel="kold"), started="2026-11-20T12:00:00Z")
    main(["merge", late, early, "-o", str(tmp_path / "c.jsonl")])
    assert [c.kernel for c in read(tmp_path / "c.jsonl").cells] == ["knew"]


def test_what_was_cut_short_is_so_still_unless_another_part_has_it(tmp_path: Path) -> None:
    cells = [cell(case=f"mma_sync.m16n8k{k}:a=f16", target=t) for t in ("sm_100a", "sm_120a") for k in (8, 16)]
    short = written(tmp_path / "a.jsonl", *cells[:3], cut=True)
    main(["merge", short, "-o", str(tmp_path / "c.jsonl")])
    assert not read(tmp_path / "c.jsonl").complete
    main(["merge", short, written(tmp_path / "b.jsonl", *cells[2:]), "-o", str(tmp_path / "d.jsonl")])
    assert read(tmp_path / "d.jsonl").complete
    main(["merge", written(tmp_path / "e.jsonl", *cells[:2], cut=True), "-o", str(tmp_path / "f.jsonl")])
    assert not read(tmp_path / "f.jsonl").complete, "nothing shows how many cells a single column lacks"


@pytest.mark.parametrize("other", [{"catalogue": "4567"}, {"gpu": {"name": "NVIDIA B200"}}])
def test_parts_of_another_catalogue_or_gpu_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, Any]
) -> None:
    parts = [written(tmp_path / "a.jsonl", cell(), gpu=H200), written(tmp_path / "b.jsonl", cell(), **other)]
    assert main(["merge", *parts, "-o", str(tmp_path / "c.jsonl")]) == 2
    assert f"the same {next(iter(other))}" in capsys.readouterr().err
    assert not (tmp_path / "c.jsonl").exists()


def test_a_part_without_a_gpu_joins_one_that_had_it(tmp_path: Path) -> None:
    parts = [written(tmp_path / "a.jsonl", cell(), gpu=None), written(tmp_path / "b.jsonl", cell(), gpu=H200)]
    assert main(["merge", *parts, "-o", str(tmp_path / "c.jsonl")]) == 0
    assert read(tmp_path / "c.jsonl").header["gpu"] == H200


def test_a_part_or_a_committed_record_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = written(tmp_path / "a.jsonl", cell())
    before = Path(part).read_bytes()
    assert main(["merge", part, "-o", f"{tmp_path}/../{tmp_path.name}/a.jsonl"]) == 2
    assert "one of the parts" in capsys.readouterr().err
    assert main(["merge", part, "-o", f"{part}.xz"]) == 0  # beside it
    assert Path(part).read_bytes() == before
    monkeypatch.setattr("suite.commands.merge.COMMITTED", tmp_path)
    assert main(["merge", part, "-o", f"{part}.xz"]) == 2


def test_a_waiver_that_a_cell_does_not_need_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = catalogue.find("ld.order_256:sem=acquire.cluster,space=generic,type=v8.b32")
    fine = cell(case=case.id, family="ld", target="sm_100", toolchain="ptxas 13.1.115", word="assembled")
    part = written(tmp_path / "a.jsonl", fine, catalogue=catalogue.version())
    assert main(["merge", part, "-o", str(tmp_path / "c.jsonl")]) == 1
    assert "waiver 'ld.order_256:" in capsys.readouterr().out


def test_waivers_of_this_catalogue_are_applied(tmp_path: Path) -> None:
    case = catalogue.find("ld.order_256:sem=acquire.cluster,space=generic,type=v8.b32")
    lost = cell(
        case=case.id, family="ld", target="sm_100", toolchain="ptxas 13.1.115", word="unaskable", agreement="disagrees"
    )
    for version, agreement, code in ((catalogue.version(), "waived", 0), ("0123", "disagrees", 1)):
        part = written(tmp_path / "a.jsonl", lost, catalogue=version)
        assert main(["merge", part, "-o", str(tmp_path / "c.jsonl")]) == code
        line = next(json.loads(text) for text in (tmp_path / "c.jsonl").read_text().splitlines() if "column" in text)
        assert line["column"]["outcomes"][0]["agreement"] == agreement
