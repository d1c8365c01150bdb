"""Fragment layouts: each is a bijection, and is the manual's, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from suite import catalogue
from suite.layouts import Layout, mma_a, mma_b, mma_c, quad_a, quad_b, quad_c, scale_a, scale_b
from suite.operands import Fragment
from suite.probe import Case
from tests import manual_mma as manual

CASES = tuple(case for case in catalogue.expand() if case.family == "mma_sync")
FRAGMENTS = {
    (read, operand.name): operand
    for case in CASES
    for read in [manual.form(case.instruction)]
    for operand in case.operands
    if isinstance(operand, Fragment)
}


def pairs(layout: Layout) -> list[tuple[int, int]]:
    return list(zip(layout.row.ravel().tolist(), layout.column.ravel().tolist(), strict=True))


def covers(layout: Layout, rows: int, columns: int) -> bool:
    return sorted(pairs(layout)) == [(row, column) for row in range(rows) for column in range(columns)]


def test_every_formula_of_the_manual_is_used_by_the_catalogue() -> None:
    reads = {manual.form(case.instruction) for case in CASES}
    plain = {read for read in reads if not read.quad}
    assert {(read.shape, read.width("a")) for read in plain} == set(manual.A)
    assert {(read.shape, read.width("b")) for read in plain} == set(manual.B)
    assert {f"a.{read.layouts[0]}" for read in reads - plain} == {"a.row", "a.col"}


def test_every_fragment_is_the_manuals_and_a_bijection() -> None:
    for (read, name), operand in FRAGMENTS.items():
        row, column = manual.indices(read, name)
        np.testing.assert_array_equal(operand.layout.row, row, err_msg=f"{read} {name}")
        np.testing.assert_array_equal(operand.layout.column, column, err_msg=f"{read} {name}")
        assert operand.shape[1:] == manual.extent(read, name)
        assert covers(operand.layout, *operand.shape[1:]), f"{read} {name}"


@pytest.mark.parametrize(
    "layout, rows, columns",
    [
        *((mma_a(16, k, slots), 16, k) for k, slots in ((4, 1), (8, 2), (16, 4), (32, 8), (256, 32))),
        *((mma_b(k, 8, slots), k, 8) for k, slots in ((4, 1), (8, 2), (16, 4), (32, 8), (256, 32))),
        *((mma_c(m, 8, slots), m, 8) for m in (8, 16) for slots in (1, 2)),
        *((quad_a(major), 32, 4) for major in ("row", "col")),
        *((quad_b(major), 16, 8) for major in ("row", "col")),
        *((quad_c(slots), 32, 8) for slots in (1, 2)),
    ],
)
def test_layouts_cover_their_matrix_once(layout: Layout, rows: int, columns: int) -> None:
    assert covers(layout, rows, columns)
    crowded = Layout(layout.row, np.minimum(layout.column, columns - 2))
    assert not covers(crowded, rows, columns)


def test_row_and_column_major_quads_differ() -> None:
    assert pairs(quad_a("row")) != pairs(quad_a("col"))
    assert pairs(quad_b("row")) != pairs(quad_b("col"))


@pytest.mark.parametrize("thread", [0, 1])
def test_scale_a_lies_in_the_thread_pair_that_its_selector_names(thread: int) -> None:
    lanes, rows = scale_a(thread)
    assert sorted(rows.tolist()) == list(range(16))
    assert set((lanes % 4).tolist()) == {2 * thread, 2 * thread + 1}
    held = dict(zip(rows.tolist(), lanes.tolist(), strict=True))
    assert held == {row: 4 * (row % 8) + 2 * thread + row // 8 for row in range(16)}


@pytest.mark.parametrize("thread", range(4))
def test_scale_b_lies_in_the_thread_that_its_selector_names(thread: int) -> None:
    lanes, columns = scale_b(thread)
    assert dict(zip(columns.tolist(), lanes.tolist(), strict=True)) == {n: 4 * n + thread for n in range(8)}


def test_register_counts_are_the_manuals() -> None:
    def registers(case: Case) -> tuple[int, ...]:
        return tuple(o.registers for o in case.operands if isinstance(o, Fragment))

    def named(part: str) -> Case:
        return next(case for case in CASES if part in case.id)

    # D, A, B, C. Source: PTX ISA 9.3, 9.7.15.5.1 to 9.7.15.5.13, the vector expressions of each table.
    for part, expected in (
        ("f16_quad:shape=m8n8k4,alayout=row,blayout=row,d=f32,c=f16", (8, 2, 2, 4)),
        ("f16:shape=m16n8k16,a=f16,d=f16", (2, 4, 2, 2)),
        ("f16:shape=m16n8k8,a=f16,d=f32", (4, 2, 1, 4)),
        ("shape=m16n8k8,a=tf32", (4, 4, 2, 4)),
        ("shape=m16n8k16,a=f64", (4, 8, 4, 4)),
        ("shape=m8n8k32,a=s4", (2, 1, 1, 2)),
        ("shape=m16n8k256", (4, 4, 2, 4)),
        ("mxf4:shape=m16n8k64", (4, 4, 2, 4)),
        ("f8f6f4:shape=m16n8k32,a=e2m1,b=e2m1,d=f16", (2, 4, 2, 2)),
    ):
        assert registers(named(part)) == expected, part
