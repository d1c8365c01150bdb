"""Machine code for the page: a target's cells assembled anew, what realizes the instruction marked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence

from reports.page.pack import Column, Pack
from suite import catalogue, targets, toolchains
from suite.assemble import assemble
from suite.disassemble import disassemble
from suite.errors import DisassemblerError, UsageError
from suite.evidence import Evidence
from suite.model import Sass, Verdict
from suite.probe import Case
from suite.realize import realize
from suite.render import render
from suite.targets import Target
from suite.toolchains import Toolchain


def sass_blocks(packed: Pack, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield a block a column and family: lines of machine code by case number, of those whose kernel is today's.

    A column whose toolchain is not on this machine is left out, and said so. Raises `UsageError` for a target that no
    column has.
    """
    missing = set(names) - {column.key.target for column in packed.columns}
    if missing:
        raise UsageError(f"--sass {min(missing)}: no record has a cell of it")
    inventory = toolchains.discover(libraries=False) if names else toolchains.Inventory(())
    here = {toolchain.name: toolchain for toolchain in inventory.toolchains}
    for number, column in enumerate(packed.columns):
        if column.key.target not in names:
            continue
        if column.key.toolchain not in here:
            print(f"{column.key.toolchain} is not here: no SASS of {column.key.target} by it", file=sys.stderr)
            continue
        yield from _column(packed, number, column, here[column.key.toolchain])


def _column(packed: Pack, number: int, column: Column, toolchain: Toolchain) -> Iterator[tuple[str, bytes]]:
    families = list(dict.fromkeys(family for _, family, _ in packed.cases))
    rows = _rows(packed, column)
    for place, family in enumerate(families):
        cases = {row: case for row, case in rows.items() if case.family == family}
        lines = dict(listings(cases, toolchain, targets.parse(column.key.target)))
        if lines:
            yield f"sass-{number}-{place}", json.dumps(lines, separators=(",", ":")).encode()


def _rows(packed: Pack, column: Column) -> dict[int, Case]:
    """Return the cases that have code in a column and whose kernel this checkout renders alike."""
    mine = {case.id: case for case in catalogue.expand()}
    found = {}
    for row, outcome in enumerate(column.outcomes):
        case = mine.get(packed.cases[row][0])
        coded = outcome and packed.outcomes[outcome - 1].realization
        if case and coded and render(case).armed.name == packed.kernels[row]:
            found[row] = case
    return found


def listings(cases: dict[int, Case], toolchain: Toolchain, target: Target) -> Iterator[tuple[int, list[str]]]:
    """Yield the marked machine code of each case, as `suite.evidence` prints it; assembled in batches."""
    sources = {row: render(case) for row, case in cases.items()}
    kernels = {kernel.name: kernel for source in sources.values() for kernel in (source.armed, source.scaffold)}
    verdicts = assemble(list(kernels.values()), toolchain, target)
    code = _code(verdicts.values())
    for row, source in sources.items():
        armed, scaffold = code.get(source.armed.name), code.get(source.scaffold.name)
        if armed and scaffold:
            parts = {"armed": verdicts[source.armed.name]}
            means = realize(armed, scaffold, cases[row].native)
            evidence = Evidence(cases[row], target, toolchain, source, parts, armed, scaffold, means)
            yield row, evidence.sass_lines()


def _code(verdicts: Iterable[Verdict]) -> dict[str, Sass]:
    """Return the machine code of every kernel that was accepted and can be disassembled."""
    found: dict[str, Sass] = {}
    for cubin in {verdict.cubin for verdict in verdicts if verdict.cubin}:
        try:
            found |= disassemble(cubin)
        except DisassemblerError as error:
            print(f"a module's SASS is left out: {error}", file=sys.stderr)
    return found
