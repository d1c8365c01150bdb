"""The cache makes a run faster and nothing else: whatever is wrong with it, the verdicts are those of the assembler."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import cache, catalogue, observe, targets, toolchains
from suite.assemble import assemble
from suite.observe import Assembled
from suite.targets import Target
from suite.toolchains import Toolchain

CASES = catalogue.select(("cp_async.wait_group*", "mma_sync.fp8:*a=e4m3,b=e4m3*", "tma.tensor_cta_group*"))
TARGET = targets.parse("sm_120a")


def said(found: list[Assembled]) -> list[tuple[object, ...]]:
    return [(item.case.id, item.word, item.diagnostics, item.realization) for item in found]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Give an empty cache, and the number of kernels that the assembler got at each call."""
    counts: list[int] = []

    def counting(kernels: list[object], toolchain: Toolchain, target: Target, **rest: object) -> object:
        counts.append(len(kernels))
        return assemble(kernels, toolchain, target, **rest)  # type: ignore[arg-type]

    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cells"))
    monkeypatch.setattr(observe, "assemble", counting)
    return counts


def ask(*, code: bool = False) -> list[Assembled]:
    return observe.observe(CASES, toolchains.resolve([])[0], TARGET, code=code)


def database(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cells").rglob("*.sqlite")
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


def bit(path: Path) -> None:
    raw = path.read_bytes()
    at = raw.index(b'"accepted":true')
    path.write_bytes(raw[:at] + b'"accepted":null' + raw[at + 15 :])


def lie(path: Path) -> None:
    with sqlite3.connect(path) as held:
        held.execute("UPDATE kernel SET content = replace(content, 'true', 'false')")
    held.close()


def other_schema(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE kernel (name TEXT)")
    held.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [garbage, bit, lie, other_schema, empty], ids=lambda f: f.__name__)
def test_a_spoilt_cache_never_gives_a_wrong_verdict(
    spoil: Callable[[Path], None], asked: list[int], tmp_path: Path
) -> None:
    right = said(ask())
    path = database(tmp_path)
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    spoil(path)
    assert said(ask()) == right
    assert said(ask()) == right


def test_a_cache_that_cannot_be_written_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(cache.VARIABLE, "/proc/nowhere")
    assert ask()
    assert "Traceback" not in capsys.readouterr().err


def test_off_keeps_nothing(asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.VARIABLE, "off")
    assert said(ask()) == said(ask())
    assert asked[0] == asked[1] > 0
    assert not (tmp_path / "cells").exists()


def test_another_reader_of_logs_is_another_cache(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    monkeypatch.setattr(cache, "_code_version", lambda: "another")
    ask()
    assert asked[1] == asked[0]
