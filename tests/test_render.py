"""Rendering: three kernels a case, the instruction's lines marked, and template errors with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from suite import catalogue, render
from suite.model import Source
from suite.probe import Case
from suite.render import MARK, TemplateError, module_text

CASES = catalogue.expand()
MMA = next(case for case in CASES if case.id.startswith("mma_sync.f16:"))


@cache
def sources() -> tuple[Source, ...]:
    return tuple(render.render(case) for case in CASES)


def test_the_armed_kernel_has_the_instruction_on_its_marked_lines() -> None:
    for case, source in zip(CASES, sources(), strict=True):
        lines = source.armed.text.splitlines()
        assert source.armed.marked, case.id
        assert any(case.opcode in lines[i] for i in source.armed.marked), case.id
        assert all(i < len(lines) for i in source.armed.marked), case.id


def test_scaffold_and_control_lack_the_instruction() -> None:
    for case, source in zip(CASES, sources(), strict=True):
        instruction = case.instruction.replace("KERNEL", source.armed.name)
        count = source.armed.text.count(instruction)
        assert count >= len(source.armed.marked) > 0, case.id
        assert source.scaffold.text.count(instruction) == count - len(source.armed.marked), case.id
        ends = case.opcode == "ret"  # every kernel has one
        assert ends or instruction not in source.control.text, case.id
        assert source.scaffold.marked == source.control.marked == (), case.id


def test_no_control_holds_an_instruction_of_its_family() -> None:
    prefixes = {"mma_sync": "mma.", "tcgen05": "tcgen05.", "tma": "cp.async", "cp_async": "cp.async"}
    for case, source in zip(CASES, sources(), strict=True):
        if case.family in prefixes:
            assert prefixes[case.family] not in source.control.text, case.id


# Families whose scaffold lacks more than the instruction, and why.
BARER = {
    "wgmma": "a commit with nothing to commit makes ptxas emit an HGMMA of its own",
    "wgmma_sp": "the same",
}


def test_the_scaffold_is_the_armed_kernel_without_the_marked_lines() -> None:
    differing = []
    for case, source in zip(CASES, sources(), strict=True):
        if case.family in BARER:
            continue
        text = source.armed.text.replace(source.armed.name, source.scaffold.name).splitlines()
        left = [line for i, line in enumerate(text) if i not in source.armed.marked]
        if left != source.scaffold.text.splitlines():
            differing.append(case.id)
    assert differing == []


def test_texts_are_clean() -> None:
    for source in sources():
        for kernel in (source.armed, source.scaffold, source.control):
            assert MARK not in kernel.text
            assert "KERNEL" not in kernel.text
            assert not re.search(r"\{\{|\}\}|<%|%>|<#|#>|//%", kernel.text), source.case
            assert kernel.text.count(".entry") == 1
            assert f".entry {kernel.name}(" in kernel.text
            assert kernel.text.count("{") == kernel.text.count("}")


def test_equal_names_are_equal_kernels() -> None:
    texts: dict[str, str] = {}
    for source in sources():
        for kernel in (source.armed, source.scaffold, source.control):
            assert texts.setdefault(kernel.name, kernel.text) == kernel.text
    assert len(texts) > len(CASES)


def test_different_instructions_stand_on_different_lines_of_a_kernel_they_share() -> None:
    instructions: dict[tuple[str, int], set[str]] = {}
    for case, source in zip(CASES, sources(), strict=True):
        for line in source.armed.marked:
            instructions.setdefault((source.armed.name, line), set()).add(case.instruction)
    assert [found for found in instructions.values() if len(found) > 1] == []


def test_no_register_shadows_a_special_one() -> None:
    special = re.compile(r"\.reg\s+[.\w]+\s+[^;]*%(tid|ntid|ctaid|nctaid|laneid|warpid|clusterid|clock|smid)\b")
    assert [source.case for source in sources() if special.search(source.armed.text)] == []


def test_a_kernel_is_rendered_the_same_each_time() -> None:
    assert render.render(MMA) == render.render(MMA)


def test_a_module_is_its_header_and_kernels() -> None:
    armed, control = sources()[0].armed, sources()[0].control
    text = module_text([armed, control], "sm_90a", (8, 7))
    assert text == ".version 8.7\n.target sm_90a\n.address_size 64\n" + armed.text + control.text


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of templates in place of ptx/."""
    monkeypatch.setattr(render, "PTX", tmp_path)
    render._environment.cache_clear()
    yield tmp_path
    render._environment.cache_clear()


def with_template(folder: Path, text: str, name: str = "mma_sync.ptx.j2") -> Case:
    (folder / name).write_text(text)
    return replace(MMA, probe=replace(MMA.probe, template="mma_sync.ptx.j2"))


@pytest.mark.parametrize(
    "text, line",
    [
        ("fine\n{{ nothing_of_this_name }}\n", 2),
        ("fine\nfine\n//% for x in\n//% endfor\n", 3),
        ("fine\n{{ operands[0].no_such_attribute }}\n", 2),
        ("one\ntwo\nthree {{ 1 + }}\n", 3),
        ("//% if armed\n{{ instruction }}\n", 2),
        ("one\n{{ operands | no_such_filter }}\n", 2),
        ("one\n{{ 1 // 0 }}\n", 2),
        ("one\n{{ operands[0].name + 1 }}\n", 2),
    ],
)
def test_a_template_error_names_template_and_line(templates: Path, text: str, line: int) -> None:
    case = with_template(templates, text)
    with pytest.raises(TemplateError, match=rf"^ptx/mma_sync\.ptx\.j2:{line}: ") as caught:
        render.render(case)
    assert "\n" not in str(caught.value)


def test_an_error_in_an_imported_macro_names_that_template(templates: Path) -> None:
    (templates / "shared.ptx.j2").write_text("<% macro f() %>\n{{ nothing_of_this_name }}\n<% endmacro %>\n")
    case = with_template(templates, '//% import "shared.ptx.j2" as shared\n{{ shared.f() }}\n')
    with pytest.raises(TemplateError, match=r"^ptx/shared\.ptx\.j2:2: "):
        render.render(case)


def test_a_missing_template_is_named(templates: Path) -> None:
    with pytest.raises(TemplateError, match=r"mma_sync\.ptx\.j2.*no such template"):
        render.render(replace(MMA, probe=replace(MMA.probe)))  # one that was not rendered before


def test_a_template_without_the_instruction_asks_nothing(templates: Path) -> None:
    case = with_template(templates, ".visible .entry KERNEL()\n{\n    ret;\n}\n")
    with pytest.raises(TemplateError, match="instruction"):
        render.render(case)
