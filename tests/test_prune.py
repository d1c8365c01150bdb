"""The cache keeps the generations used last, and touches nothing else in its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suite.prune import KEPT, prune
from suite.store import VARIABLE, store

NAMES = [f"{number:012x}" for number in range(KEPT + 3)]


def used(path: Path, when: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when, when))


def folders(place: Path) -> list[Path]:
    """Make a folder of each name with a file in it, the first used last."""
    made = [place / name for name in NAMES]
    for age, path in enumerate(made):
        used(path / "ptxas" / "sm_75_9.5.sqlite", 0)
        os.utime(path, (1000 - age, 1000 - age))
    return made


@pytest.mark.parametrize("kind", [".", "codes", "columns"])
def test_the_folders_used_last_stay(kind: str, tmp_path: Path) -> None:
    made = folders(tmp_path / kind)
    prune(tmp_path)
    assert [path.exists() for path in made] == [True] * KEPT + [False] * 3


@pytest.mark.parametrize("kind", ["catalogue", "sources"])
def test_a_database_goes_with_the_files_beside_it(kind: str, tmp_path: Path) -> None:
    for age, name in enumerate(NAMES):
        for end in (".sqlite", ".sqlite-wal", ".sqlite-shm"):
            used(tmp_path / kind / f"{name}{end}", 1000 - age)
    prune(tmp_path)
    assert {path.name[:12] for path in (tmp_path / kind).iterdir()} == set(NAMES[:KEPT])
    assert len(list((tmp_path / kind).iterdir())) == 3 * KEPT


def test_what_is_no_generation_stays(tmp_path: Path) -> None:
    folders(tmp_path)
    others = [tmp_path / "assemble.lock", tmp_path / "columns", tmp_path / "0123456789abcdef", tmp_path / "notes"]
    for path in others:
        used(path, 1)
    prune(tmp_path)
    assert all(path.exists() for path in others)


def test_no_folder_is_no_error(tmp_path: Path) -> None:
    prune(tmp_path / "nowhere")


def test_what_is_opened_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    store("columns", NAMES[-1], "ptxas", "sm_75").keep({"key": "text"})
    store("sources", NAMES[-1]).keep({"key": "text"})
    folders(tmp_path / "columns")
    os.utime(tmp_path / "columns" / NAMES[-1], (1, 1))
    os.utime(tmp_path / "sources" / f"{NAMES[-1]}.sqlite", (1, 1))
    assert store("columns", NAMES[-1], "ptxas", "sm_75").rows == {"key": "text"}
    assert store("sources", NAMES[-1]).rows == {"key": "text"}
    prune(tmp_path)
    assert (tmp_path / "columns" / NAMES[-1]).exists()
    assert (tmp_path / "sources" / f"{NAMES[-1]}.sqlite").stat().st_mtime > 1
