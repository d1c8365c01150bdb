"""The page's data: packing loses nothing and merges as the matrix does; what is embedded is what was put in."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.cells import merge
from reports.page import sass
from reports.page.build import build
from reports.page.pack import Pack, Recorded, machine_name, pack
from reports.page.sources import describe
from suite import toolchains
from suite.cli import main
from suite.errors import UsageError
from suite.model import AGREEMENTS, WORDS, Diagnostic, NotAsked, Observation
from suite.record import Record, Writer
from suite.toolchains import Inventory
from tests.observations import BASE, cell

GPU = {"name": "NVIDIA H200", "capability": "9.0", "driver": "580.159.04", "cuda": "13.0"}
CASE = "movmatrix.b16:shape=m8n8,type=b16"


def record(*cells: Observation, started: str = "2026-01-01", gpu: dict[str, str] | None = None) -> Record:
    return Record(Path("r.jsonl"), {"started": started, "gpu": gpu}, cells)


def outcome(packed: Pack, case: str, target: str, toolchain: str) -> list[str]:
    """Return the words of a case in the columns of a target and toolchain."""
    row = [name for name, _, _ in packed.cases].index(case)
    columns = [column for column in packed.columns if column.key[:2] == (target, toolchain)]
    return [packed.outcomes[column.outcomes[row] - 1].word for column in columns if column.outcomes[row]]


def blocks_of(page: str) -> dict[str, bytes]:
    found = re.findall(r'<script type="application/gzip" id="block-([^"]+)">([^<]*)</script>', page)
    return {name: gzip.decompress(base64.b64decode(content)) for name, content in found}


varied = st.builds(
    cell,
    case=st.sampled_from(("mma_sync.f16:a=1", "mma_sync.f16:a=2", "tma.load:dim=1")),
    target=st.sampled_from(("sm_90a", "sm_121a")),
    toolchain=st.sampled_from(("ptxas 13.0.88", "ptxas 13.5.37")),
    word=st.sampled_from(WORDS),
    agreement=st.sampled_from(AGREEMENTS),
    kernel=st.sampled_from(("kold", "knew")),
)


@given(st.lists(st.lists(varied, max_size=6), min_size=1, max_size=4))
def test_one_machines_records_merge_as_in_the_matrix(runs: Sequence[Sequence[Observation]]) -> None:
    records = [record(*cells, started=str(place)) for place, cells in enumerate(runs)]
    packed = pack(reversed(records))
    for one in merge(records, {}):
        assert outcome(packed, one.seen.case, one.seen.target, one.seen.toolchain) == [one.seen.word]
    assert sum(np.count_nonzero(column.outcomes) for column in packed.columns) == len(merge(records, {}))


@given(st.lists(varied, min_size=2, max_size=8))
def test_ranks_order_as_the_matrix_does(cells: Sequence[Observation]) -> None:
    same = [cell(word=one.word, agreement=one.agreement) for one in cells]
    (best,) = merge([record(*same)], {})
    found = pack([record(one, gpu={**GPU, "driver": str(at)}) for at, one in enumerate(same)])
    assert max(found.outcomes, key=lambda one: one.rank)[:3] == (best.seen.word, "native", best.seen.agreement)


def test_everything_that_was_seen_is_in_the_pack() -> None:
    said = (Diagnostic("advisory", "warning", "of two\nlines", 3),)
    seen = cell(
        diagnostics=said,
        waiver="why",
        observed="sass",
        not_asked=NotAsked("load", "no device"),
        gpu={"seconds": 0.5, "compared": 7},
    )
    packed = pack([record(seen, gpu=GPU)])
    (one,), (column,) = packed.outcomes, packed.columns
    assert (one.diagnostics, one.waiver, one.observed, one.not_asked) == (said, "why", "sass", ("load", "no device"))
    assert dict(one.opcodes) == seen.opcodes
    assert column.key == (seen.target, seen.toolchain, "NVIDIA H200, driver 580.159.04")
    assert [(seconds, json.loads(packed.gpu[said])) for seconds, said in column.gpu.values()] == [
        (0.5, {"compared": 7})
    ]


def test_machines_are_told_apart_and_named() -> None:
    assert machine_name({"gpu": None, "machine": {"system": "Linux", "arch": "aarch64"}}) == "no GPU, Linux aarch64"
    packed = pack([record(BASE), record(BASE, gpu=GPU), record(BASE, gpu={**GPU, "driver": "590.1"})])
    assert len(packed.columns) == len(packed.machines) == 3
    assert len(packed.outcomes) == 1


def test_an_older_kernel_is_marked_and_proves_nothing() -> None:
    old, new = cell(kernel="kold", target="sm_90a"), cell(kernel="knew", target="sm_121a", word="assembled")
    packed = pack([record(old), record(new, started="2026-02-01")])
    assert {one.word: one.stale for one in packed.outcomes if one.stale or one.word == "assembled"} == {
        "correct": True,
        "assembled": False,
    }
    assert packed.validated == [()]
    same = pack([record(cell(kernel="knew")), record(new, started="2026-02-01")])
    assert same.validated == [("sm_90a",)]
    assert not any(one.stale for one in same.outcomes)


def test_known_records_validate_and_add_nothing() -> None:
    packed = pack([record(cell(word="assembled", target="sm_121a"))], known=[record(BASE)])
    assert (len(packed.columns), packed.validated) == (1, [("sm_90a",)])


def test_the_page_holds_its_data_and_nothing_of_the_network() -> None:
    page = build([record(BASE, cell(case=CASE, family="movmatrix", kernel=render_name(CASE)))])
    data = blocks_of(page)
    core = json.loads(data["core"])
    assert core["cases"]["name"] == [BASE.case.removeprefix("mma_sync."), "b16:shape=m8n8,type=b16"]
    assert np.frombuffer(data["cells-0"], "<u2").tolist() == [1, 1]
    assert "movmatrix.sync" in json.loads(data["ptx-1"])["1"][0]
    assert json.loads(data["ptx-0"]) == {}  # the record's kernel is not this checkout's
    assert json.loads(data["claims"])["claims"][1]["section"]
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="?https?:', page)


def render_name(case: str) -> str:
    found = describe(case)
    assert found
    return found.kernel


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_a_look_and_a_meaning(word: str) -> None:
    page = build([record(BASE)])
    assert f".w-{word}" in page
    assert f"  {word}: " in page


def test_the_same_records_give_the_same_blocks() -> None:
    one, two = (blocks_of(build([record(BASE)])) for _ in range(2))
    assert {name: one[name] for name in one if name != "core"} == {name: two[name] for name in two if name != "core"}


def test_text_that_would_be_markup_stays_data() -> None:
    page = build([record(cell(waiver="</script><script>alert(1)</script>"))], title="<b>&")
    assert "alert(1)" not in page
    assert "<title>&lt;b&gt;&amp;</title>" in page


def test_a_case_that_the_catalogue_has_and_one_that_it_has_not() -> None:
    found = describe(CASE)
    assert found
    assert found.kernel == render_name(CASE)
    assert any("movmatrix" in found.text.splitlines()[line] for line in found.marked)
    assert dict(found.minimum)["sm_90a"] == "7.8"
    assert describe("no.such:case=1") is None


def test_a_page_without_cells_is_refused() -> None:
    with pytest.raises(UsageError, match="no cells"):
        build([record()])


def test_machine_code_is_marked_and_only_of_what_was_asked_for() -> None:
    (newest,) = toolchains.resolve([])
    seen = cell(case=CASE, family="movmatrix", toolchain=newest.name, kernel=render_name(CASE))
    packed = pack([record(seen, replace(seen, target="sm_100a"))])
    ((name, content),) = sass.sass_blocks(packed, ["sm_90a"])
    assert name == "sass-0-0"
    (lines,) = json.loads(content).values()
    assert [line for line in lines if line.startswith("*")]
    assert all("MOVM" in line for line in lines if line[0] == "*")
    assert any(line.startswith(" ") for line in lines)
    assert list(sass.sass_blocks(packed, [])) == []
    with pytest.raises(UsageError, match="sm_75"):
        list(sass.sass_blocks(packed, ["sm_75"]))


def test_a_toolchain_that_is_not_here_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchains, "discover", lambda **_: Inventory(()))
    assert list(sass.sass_blocks(pack([record(BASE)]), ["sm_90a"])) == []
    assert "ptxas 13.0.88 is not here" in capsys.readouterr().err


def written(folder: Path, *cells: Observation) -> Path:
    writer = Writer(folder / "r.jsonl", {"gpu": None, "catalogue": "x"})
    for one in cells:
        writer.add(one)
    writer.close({})
    return folder / "r.jsonl"


def test_the_command_writes_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, page, picture = written(tmp_path, BASE), tmp_path / "out" / "page.html", tmp_path / "p.svg"
    assert main(["report", str(source), "-o", str(page)]) == 0
    assert "core" in blocks_of(page.read_text())
    assert not picture.exists()
    assert main(["report", str(source), "--picture", str(picture)]) == 0
    assert picture.read_text().startswith("<?xml")
    assert "page.html: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-o", "/proc/none/page.html"], "cannot write"),
        (["--picture", "p.jpeg"], ".svg or .png"),
        (["--picture", "p.svg", "--toolchain", "ptxas 1.0"], "they are from ptxas 13.0.88"),
        (["-o", "x.html", "--sass", "sm_75"], "no record has a cell of it"),
    ],
)
def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["report", str(written(tmp_path, BASE)), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_record_satisfies_what_the_page_needs() -> None:
    needs: Recorded = record(BASE)
    assert list(needs.cells) == [BASE]
