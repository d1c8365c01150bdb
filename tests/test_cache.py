"""The cache makes a run faster and nothing else: whatever is wrong with it, the verdicts are those of the assembler."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from suite import cache, catalogue, codes, observe, pipeline, targets, toolchains
from suite.assemble import batches
from suite.model import Observation, Source
from suite.observe import Assembled
from suite.pipeline import Tally
from suite.progress import Silent
from suite.render import render
from suite.selection import Selection
from suite.sources import sources
from suite.store import VARIABLE

CASES = catalogue.select(("cp_async.wait_group*", "mma_sync.fp8:*a=e4m3,b=e4m3*", "tma.tensor_cta_group*"))
TARGET = targets.parse("sm_120a")


def said(found: list[Assembled]) -> list[tuple[object, ...]]:
    return [(item.case.id, item.word, item.diagnostics, item.realization) for item in found]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Give an empty cache, and the number of cases that the assembler was asked about at each call."""
    counts: list[int] = []

    def counting(sources: Sequence[Source]) -> list[Sequence[Source]]:
        counts.append(len(sources))
        return batches(sources)

    monkeypatch.setenv(VARIABLE, str(tmp_path / "cells"))
    monkeypatch.setattr(observe, "batches", counting)
    return counts


def ask(*, code: bool = False) -> list[Assembled]:
    """Ask as a new process would, which has read no file yet."""
    codes._open.clear()
    sources.cache_clear()
    return observe.observe(CASES, toolchains.resolve([])[0], TARGET, code=code)


def ask_whole() -> list[Assembled]:
    """Ask for a column, as a run without a GPU does."""
    codes._open.clear()
    sources.cache_clear()
    chosen = Selection(CASES, (TARGET,), (toolchains.resolve([])[0],))
    (group,) = pipeline.assembled(chosen, Tally(), Silent(), lambda target: False)
    return list(group.items)


def database(tmp_path: Path, kind: str) -> Path:
    """Return the file of one kind: the verdicts lie in a folder that is named by a hash alone."""
    kinds = ("codes", "sources", "columns")
    found = list((tmp_path / "cells").rglob("*.sqlite"))
    (path,) = [p for p in found if (kind in p.parts) or (kind == "verdicts" and not {*kinds} & {*p.parts})]
    return path


def test_a_second_run_asks_the_assembler_nothing_and_says_the_same(asked: list[int]) -> None:
    cold, warm = ask(), ask()
    assert said(cold) == said(warm)
    assert (asked[0] > 0, asked[1]) == (True, 0)
    assert {item.word for item in cold} == {"assembled", "rejected"}


def test_cubins_are_kept_only_where_they_are_asked_for_and_come_back_whole(asked: list[int]) -> None:
    ask()
    first, second = ask(code=True), ask(code=True)
    assert asked[1] > 0, "without its cubin an entry is no use to a GPU"
    assert asked[2] == 0
    assert [item.cubin for item in first] == [item.cubin for item in second]
    assert any(item.cubin for item in first)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def lie(path: Path) -> None:
    with sqlite3.connect(path) as held:
        held.execute("UPDATE entry SET content = replace(replace(content, 'true', 'false'), '1', '2')")
        held.execute("UPDATE blob SET content = content || x'00'")
    held.close()


def other_schema(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE entry (name TEXT)")
    held.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("kind", ["verdicts", "codes", "sources", "columns"])
@pytest.mark.parametrize("spoil", [garbage, lie, other_schema, empty], ids=lambda f: f.__name__)
def test_a_spoilt_cache_never_gives_a_wrong_verdict(
    spoil: Callable[[Path], None], kind: str, asked: list[int], tmp_path: Path
) -> None:
    right = said(ask_whole())
    path = database(tmp_path, kind)
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    spoil(path)
    assert said(ask_whole()) == right
    assert said(ask_whole()) == right


def test_a_column_is_read_whole(asked: list[int]) -> None:
    cold, warm = ask_whole(), ask_whole()
    assert said(cold) == said(warm)
    assert len(asked) == 1, "the second run asks not even the kernels' cache"


def test_a_code_once_read_is_not_disassembled_again(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    monkeypatch.setattr(cache, "_code_version", lambda: "no verdict is known")
    monkeypatch.setattr(codes, "opcodes", None)
    assert {item.realization.word for item in ask() if item.realization} >= {"native"}


def test_a_cache_that_cannot_be_written_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "/proc/nowhere")
    assert ask()
    assert "Traceback" not in capsys.readouterr().err


def test_off_keeps_nothing(asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    assert said(ask()) == said(ask())
    assert asked[0] == asked[1] > 0
    assert not (tmp_path / "cells").exists()


def test_another_reader_of_logs_is_another_cache(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    monkeypatch.setattr(cache, "_code_version", lambda: "another")
    ask()
    assert asked[1] == asked[0]


def test_a_cell_has_every_field(asked: list[int]) -> None:
    """It is made without `__init__`, which would say so."""
    chosen = Selection(CASES, (TARGET,), (toolchains.resolve([])[0],))
    (group,) = pipeline.assembled(chosen, Tally(), Silent(), lambda target: False)
    made = {frozenset(vars(pipeline._cell(item, group))) for item in group.items}
    assert made == {frozenset(field.name for field in fields(Observation))}


def test_kept_sources_mark_the_lines_of_their_own_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cases of one family share a kernel's text, and ask other lines of it."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cells"))
    cases = catalogue.select(("tcgen05.*",))
    sources.cache_clear()
    fresh = sources(cases)
    sources.cache_clear()
    assert sources(cases) == fresh == [render(case) for case in cases]
    marks = {(source.armed.name, source.armed.marked) for source in fresh}
    assert len(marks) > len({name for name, _ in marks}), "some share a text and ask other lines"
