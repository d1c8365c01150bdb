"""What docs/adding_a_probe.md shows, done word for word: two files of one stem, and nothing else is told of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.record import Record, read
from tests.assemblers import real

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "adding_a_probe.md").read_text()


def checkout(folder: Path, probe: str, template: str) -> Path:
    """Return a checkout that has one probe file and one template more."""
    for part in ("probes", "ptx", "suite", "reports"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "records"))
    (folder / "probes" / "bfind.py").write_text(probe)
    (folder / "ptx" / "bfind.ptx.j2").write_text(template)
    return folder


def asked(folder: Path) -> Record:
    """Return the record of the new family on an old target and a new one."""
    options = ["--case", "bfind.*", "--arch", "sm_75,sm_121a", "--toolchain", real().name, "--record", "r.jsonl"]
    argv = [sys.executable, "-m", "suite", "run", *options]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (folder / "r.jsonl").exists(), done.stdout + done.stderr
    return read(folder / "r.jsonl")


@pytest.fixture(scope="module")
def blocks() -> tuple[str, str]:
    """The page's probe and template."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (probe,) = (text for language, text in fenced if language == "python")
    (template,) = (text for _, text in fenced if "harness.entry" in text)
    return probe, template


def test_the_page_makes_a_family(tmp_path: Path, blocks: tuple[str, str]) -> None:
    cells = asked(checkout(tmp_path, *blocks)).cells
    assert {cell.target for cell in cells} == {"sm_75", "sm_121a"}
    assert {(cell.opcode, cell.word, cell.agreement, cell.realization) for cell in cells} == {
        ("bfind.u32", "assembled", "agrees", "native")
    }


def test_a_claim_that_is_wrong_disagrees(tmp_path: Path, blocks: tuple[str, str]) -> None:
    probe, template = blocks
    wrong = probe.replace('since("sm_20", ptx="2.0"', 'since("sm_90", ptx="2.0"')
    assert wrong != probe
    cells = asked(checkout(tmp_path, wrong, template)).cells
    assert {cell.target: cell.agreement for cell in cells} == {"sm_75": "disagrees", "sm_121a": "agrees"}
