"""The catalogue tests itself: ids, opcodes, templates, queries, and the names near an unknown id."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from suite import catalogue
from suite.errors import UsageError
from suite.probe import product, rows
from suite.render import PTX

CASES = catalogue.expand()


@pytest.fixture
def cleared() -> Iterator[None]:
    """Forget what the catalogue remembers, before and after."""
    catalogue.expand.cache_clear()
    yield
    catalogue.expand.cache_clear()


def test_ids_are_unique_and_one_word() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert [case.id for case in CASES if not re.fullmatch(r"[\w]+\.[\w]+:[^\s@,=]+=[^\s@]+", case.id)] == []


def test_no_id_is_a_glob_that_matches_another() -> None:
    assert [case.id for case in CASES if set(case.id) & set("*?[]")] == []


def test_opcodes_have_neither_spaces_nor_operands() -> None:
    assert [case.opcode for case in CASES if not re.fullmatch(r"\.?[a-z][\w:]*(\.[\w:]+)*", case.opcode)] == []


def test_an_instruction_is_its_opcode_with_operands() -> None:
    for case in CASES:
        assert case.instruction.startswith(case.opcode), case.id
        assert case.instruction.endswith(";"), case.id
        assert "{" not in re.sub(r"\{[\w%, -]+\}", "", case.instruction), case.id
        assert case.instruction.count("\n") == 0, case.id


def test_every_case_seen_in_memory_names_native_opcodes() -> None:
    assert [case.id for case in CASES if case.probe.observed == "memory" and not case.native] == []
    assert [case.id for case in CASES if not all(case.native)] == []


def test_how_an_effect_is_seen_is_a_closed_list() -> None:
    assert {case.probe.observed for case in CASES} <= {"memory", "sass", "launch"}


def test_every_family_of_the_issue_is_there() -> None:
    assert {"cp_async", "mma_sync", "tcgen05", "tma"} <= set(catalogue.families())
    assert {case.family for case in CASES} == set(catalogue.families())


def test_no_template_is_orphan() -> None:
    texts = {path.name: path.read_text() for path in PTX.glob("*.j2")}
    used = {case.probe.template for case in CASES}
    imported = {name for text in texts.values() for name in re.findall(r'(?:import|extends|include) "([^"]+)"', text)}
    assert used <= set(texts)
    assert set(texts) - used - imported - {"canary.ptx.j2"} == set()


def test_every_template_folder_entry_is_a_template() -> None:
    assert [path.name for path in PTX.iterdir() if path.suffix != ".j2"] == []


def test_operand_names_of_a_case_are_unique() -> None:
    for case in CASES:
        names = [operand.name for operand in case.operands]
        assert len(names) == len(set(names)), case.id


@pytest.mark.parametrize(
    "pattern, opcode",
    [
        ("mma_sync.*:*a=bf16*", "mma.sync"),
        ("tma.*", "cp.async.bulk"),
        ("*tcgen05.alloc*", "tcgen05.alloc"),
        ("cp_async.copy:cache=c[ag],size=16*", "cp.async.c"),
    ],
)
def test_a_glob_selects(pattern: str, opcode: str) -> None:
    found = catalogue.select((pattern,))
    assert 0 < len(found) < len(CASES)
    assert all(case.opcode.startswith(opcode) for case in found)


def test_globs_add_up_without_doubles_in_catalogue_order() -> None:
    both = catalogue.select(("tma.*", "mma_sync.*", "mma_sync.f16:*"))
    assert [case.id for case in both] == [case.id for case in CASES if case.family in ("tma", "mma_sync")]
    assert catalogue.select() == CASES


@pytest.mark.parametrize("pattern", ["mma.*", "MMA_SYNC.*", "mma_sync", ""])
def test_a_glob_that_matches_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(UsageError, match="matches none"):
        catalogue.select(("tma.*", pattern))


def test_an_unknown_id_gives_the_nearest() -> None:
    known = next(case.id for case in CASES if case.id.startswith("mma_sync.f16:"))
    assert catalogue.find(known).id == known
    with pytest.raises(UsageError, match=re.escape(known)):
        catalogue.find(known.replace("shape", "shap"))
    with pytest.raises(UsageError, match="suite list"):
        catalogue.find("zzz")


def test_two_cases_of_one_id_are_refused(monkeypatch: pytest.MonkeyPatch, cleared: None) -> None:
    monkeypatch.setattr(catalogue, "_family_cases", lambda family: [CASES[0]])
    with pytest.raises(ValueError, match=re.escape(CASES[0].id)):
        catalogue.expand()


def test_the_version_depends_on_claims_and_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = catalogue._version
    assert fresh() == catalogue.version()
    for changed in (CASES[1:], (*CASES[1:], CASES[0])):
        monkeypatch.setattr(catalogue, "expand", lambda changed=changed: changed)
        assert fresh() != catalogue.version()


def test_rows_and_products() -> None:
    assert rows("a b", (1, 2), (3, 4)) == ({"a": 1, "b": 2}, {"a": 3, "b": 4})
    assert product(a=(1, 2), b=(3, 4))[:2] == ({"a": 1, "b": 3}, {"a": 1, "b": 4})
    with pytest.raises(ValueError, match="3 values under 2 columns"):
        rows("a b", (1, 2, 3))


def test_no_probe_is_without_rows() -> None:
    modules = [importlib.import_module(f"probes.{family}") for family in catalogue.families()]
    assert [probe.form for module in modules for probe in module.PROBES if not probe.rows] == []


def test_cases_can_be_keys() -> None:
    assert len(set(CASES)) == len(CASES)
