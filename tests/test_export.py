"""Exports: the vendored gate says what the records say, no more, and says how it knows."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reports import cells
from reports.cells import shows
from reports.columns import Columns
from reports.export import forms, gate, table
from suite.cli import main
from suite.errors import UsageError
from suite.model import WORDS, Observation
from suite.record import Record
from tests.observations import BASE, cell, observations

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "export.schema.json").read_text())
Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = Draft202012Validator(SCHEMA)
OPCODE = BASE.opcode
DAY = "2026-11-21"


def built(*seen: Observation, **more: Any) -> dict[str, Any]:
    header = {
        "started": f"{DAY}T16:31:35Z",
        "catalogue": "cat1",
        "gpu": {"name": "G", "driver": "1", "capability": "9.0"},
    }
    record = Record(Path("r.jsonl"), header, seen, **more)
    return table.build([record], cells.validations([record]), DAY)


def load(data: bytes, folder: Path) -> ModuleType:
    path = folder / "vendored_gate.py"
    path.write_bytes(data)
    spec = importlib.util.spec_from_file_location("vendored_gate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ask(data: dict[str, Any], folder: Path, *question: str, **more: str) -> Any:
    return load(forms.to_python(data), folder).supports(*question, **more)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], ModuleType]:
    records = cells.committed()
    data = table.build(records, cells.validations(records), DAY)
    return records, load(forms.to_python(data), tmp_path_factory.mktemp("gate"))


def test_the_module_says_what_the_records_say(committed: tuple[list[Record], ModuleType]) -> None:
    records, module = committed
    columns = Columns(records)
    everything = [cell for key in columns.keys for cell in columns.cells(key).values()]
    for seen in random.Random(7).sample(everything, 60):
        (at,) = [key for key in columns.keys if (key.target, key.toolchain) == (seen.target, seen.toolchain)]
        same = [cell for cell in columns.cells(at).values() if cell.opcode == seen.opcode]
        answer = module.supports(seen.target, seen.opcode, toolkit=seen.toolchain)
        accepted = [cell.word in ("assembled", "correct") for cell in same]
        assert answer.supported == (True if all(accepted) else None if any(accepted) else False)
        assert answer.words[seen.word] == sum(cell.word == seen.word for cell in same)
        assert answer.validated == all(shows(cell) for cell in same)
        assert (answer.toolchain, answer.target) == (seen.toolchain, seen.target)


def test_the_committed_table_is_of_its_schema(committed: tuple[list[Record], ModuleType]) -> None:
    data = json.loads(forms.to_json(table.build(committed[0], {}, DAY)))
    VALIDATOR.validate(data)
    del data["columns"][0]["runs"]
    assert not VALIDATOR.is_valid(data)


@settings(max_examples=40, deadline=None)
@given(st.lists(observations, min_size=1, max_size=6))
def test_any_cells_make_a_table_of_the_schema(seen: list[Observation]) -> None:
    data = json.loads(forms.to_json(built(*seen)))
    VALIDATOR.validate(data)
    assert sum(sum(column["runs"][1::2]) for column in data["columns"]) == len(data["columns"]) * len(data["opcodes"])
    gate.read(data)


def test_a_gate_says_when_its_row_is_unvalidated(tmp_path: Path) -> None:
    data = built(cell(target="sm_121a", word="assembled"))
    answer = ask(data, tmp_path, "sm_121a", OPCODE)
    assert (answer.supported, answer.evidence, answer.validated) == (True, "assembler", False)
    assert "unvalidated: no record shows all of it right on sm_121a hardware" in str(answer)
    strict = ask(data, tmp_path, "sm_121a", OPCODE, evidence="hardware")
    assert (strict.supported, bool(strict)) == (None, False)
    assert "only the assembler was asked" in strict.reason


def test_a_validated_row_says_where_when_and_from_which_catalogue(tmp_path: Path) -> None:
    answer = ask(built(BASE), tmp_path, "sm_90a", OPCODE, evidence="hardware")
    assert (answer.supported, answer.validated, answer.dates, answer.catalogues) == (True, True, (DAY,), ("cat1",))
    assert "unvalidated" not in str(answer)
    assert all(part in str(answer) for part in ("1 correct on sm_90a hardware", DAY, "cat1", "ptxas 13.0.88"))


def test_silicon_elsewhere_does_not_validate_here(tmp_path: Path) -> None:
    answer = ask(built(BASE, cell(target="sm_121a", word="assembled")), tmp_path, "sm_121a", OPCODE)
    assert (answer.validated, answer.validated_on) == (False, ("sm_90a",))
    assert "unvalidated" in str(answer)


@pytest.mark.parametrize("observed", [{"observed": "launch"}, {"realization": "elided"}])
def test_what_memory_does_not_show_is_not_validated(tmp_path: Path, observed: dict[str, str]) -> None:
    assert not ask(built(cell(**observed)), tmp_path, "sm_90a", OPCODE).validated


@pytest.mark.parametrize(
    "asked, says",
    [
        (("sm_90a", "no.such.thing"), "no.such.thing is unknown"),
        (("sm_1", OPCODE), "no answer here is of sm_1; there are sm_80, sm_90a"),
        (("sm_90a", OPCODE, "12.8"), "no answer here is from toolkit 12.8; there are ptxas 13.0.88"),
        (("sm_80", OPCODE), "another target or toolkit only"),
    ],
)
def test_what_nobody_asked_is_unknown_with_a_reason(tmp_path: Path, asked: tuple[str, ...], says: str) -> None:
    answer = ask(built(BASE, cell(target="sm_80", opcode="other")), tmp_path, *asked)
    assert (answer.supported, answer.evidence) == (None, "none")
    assert says in answer.reason


@pytest.mark.parametrize("word", WORDS)
def test_words(tmp_path: Path, word: str) -> None:
    expected = {"assembled": True, "correct": True, "unaskable": None}.get(word, False)
    assert ask(built(cell(word=word)), tmp_path, "sm_90a", OPCODE).supported is expected


def test_cases_that_differ_are_unknown(tmp_path: Path) -> None:
    answer = ask(built(BASE, cell(case="x.y:", word="wrong")), tmp_path, "sm_90a", OPCODE)
    assert (answer.supported, answer.words) == (None, {"correct": 1, "wrong": 1})


def test_a_toolchain_that_does_not_know_the_target_says_no(tmp_path: Path) -> None:
    data = built(BASE, not_asked={("assemble", "ptxas 12.8.93 does not know sm_121a"): 9, ("load", "x"): 1})
    answer = ask(data, tmp_path, "sm_121a", OPCODE, "12.8")
    assert (answer.supported, answer.reason) == (False, "ptxas 12.8.93 does not know sm_121a")


def test_the_newest_toolkit_answers_unless_named(tmp_path: Path) -> None:
    data = built(cell(toolchain="ptxas 13.9.1"), cell(toolchain="ptxas 13.10.2", word="rejected", realization=None))
    assert ask(data, tmp_path, "sm_90a", OPCODE).toolchain == "ptxas 13.10.2"
    assert ask(data, tmp_path, "sm_90a", OPCODE, "13.9").supported is True
    assert ask(data, tmp_path, "sm_90a", OPCODE, "13.1").supported is None


def test_modifiers_in_another_order_and_beginnings_are_understood(tmp_path: Path) -> None:
    data = built(BASE, cell(case="a.b:", opcode="mma.sync.other"), cell(case="a.c:", opcode="mmax"))
    parts = OPCODE.split(".")
    assert ask(data, tmp_path, "sm_90a", ".".join([parts[0], *reversed(parts[1:])])).words == {"correct": 1}
    assert ask(data, tmp_path, "sm_90a", "mma.sync").words == {"correct": 2}
    assert load(forms.to_python(data), tmp_path).opcodes("mma") == [OPCODE, "mma.sync.other"]


def test_the_module_runs_alone_and_checks_itself(tmp_path: Path) -> None:
    (tmp_path / "ptx_gate.py").write_bytes(forms.to_python(built(BASE)))
    alone = [sys.executable, "-I", str(tmp_path / "ptx_gate.py")]
    done = subprocess.run(alone, capture_output=True, text=True, timeout=60, check=True)
    assert "whole: 1 opcodes, 1 columns" in done.stdout
    for question, code in ((("sm_90a", OPCODE), 0), (("sm_1", OPCODE), 2), (("sm_90a",), 2)):
        assert subprocess.run([*alone, *question], capture_output=True, timeout=60, check=False).returncode == code


def test_a_spoilt_module_does_not_check(tmp_path: Path) -> None:
    data = built(BASE)
    data["columns"][0]["runs"] = [0, 2]
    with pytest.raises(ValueError, match="is not whole"):
        load(forms.to_python(data), tmp_path).main([])


def test_csv_and_markdown_have_every_answer() -> None:
    data = built(BASE, cell(target="sm_121a", word="rejected", realization=None))
    rows = list(csv.DictReader(io.StringIO(forms.to_csv(data).decode())))
    assert [(row["target"], row["supported"], row["evidence"]) for row in rows] == [
        ("sm_90a", "yes", "hardware"),
        ("sm_121a", "no", "assembler"),
    ]
    assert f"| `{OPCODE}` | ✓* | ✗ |" in forms.to_markdown(data).decode()


def test_parquet_without_its_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"requirements-parquet\.txt"):
        forms.to_parquet(built(BASE))


def test_parquet_comes_back() -> None:
    pytest.importorskip("pyarrow", reason="pip install -r requirements-parquet.txt")
    import pyarrow.parquet

    data = built(BASE, cell(target="sm_121a", word="rejected", realization=None))
    found = pyarrow.parquet.read_table(io.BytesIO(forms.to_parquet(data))).to_pylist()
    assert found == list(table.rows(data))


@pytest.mark.parametrize("style", ["json", "python", "csv", "markdown"])
def test_the_command_writes_each_form(tmp_path: Path, style: str) -> None:
    path = tmp_path / "out"
    assert main(["export", "--format", style, "-o", str(path)]) == 0
    assert path.stat().st_size > 1000
    assert main(["export", "--format", style, "-o", str(tmp_path / "no" / "out")]) == 2


def test_a_module_too_large_to_vendor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="name fewer records"):
        forms.to_python(built(BASE))
