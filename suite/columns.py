"""What a toolchain made of many cases on one target, kept whole: a repeated run reads a table instead of many rows.

The table holds each distinct outcome once, and for each case the number of its outcome and the hash of its code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from suite import version
from suite.cache import build
from suite.disassemble import nvdisasm
from suite.model import Code, Diagnostic, Realization, Source
from suite.observe import Assembled
from suite.probe import Case
from suite.store import Store, file_seal, seal, store
from suite.targets import Target
from suite.toolchains import Toolchain


@dataclass(frozen=True)
class Column:
    """The place of one column in the cache: the file of its toolchain and target, and the key of the cases asked."""

    kept: Store
    key: str

    def find(self, cases: Sequence[Case], sources: Sequence[Source]) -> list[Assembled] | None:
        """Return what was made of the cases, None if that is not known."""
        text = self.kept.rows.get(self.key)
        return _unpack(json.loads(text), cases, sources) if text else None

    def keep(self, items: Sequence[Assembled]) -> None:
        """Keep what was made of the cases."""
        self.kept.keep({self.key: json.dumps(_pack(items), separators=(",", ":"))})


def column(cases: Sequence[Case], toolchain: Toolchain, target: Target) -> Column:
    """Return the place of these cases' column."""
    name = f"{target}_{toolchain.ptx[0]}.{toolchain.ptx[1]}"
    kept = store("columns", version.of_checkout(), f"{build(toolchain)}_{file_seal(nvdisasm())}", name)
    return Column(kept, seal("\n".join(case.id for case in cases).encode()))


def _pack(items: Sequence[Assembled]) -> dict[str, Any]:
    numbers: dict[str, int] = {}
    cells: list[int | list[Any]] = []
    for item in items:
        outcome = json.dumps([item.word, [asdict(d) for d in item.diagnostics], _realization(item)])
        number = numbers.setdefault(outcome, len(numbers))
        cells.append([number, item.code.digest, item.code.registers, item.code.instructions] if item.code else number)
    return {"outcomes": [json.loads(outcome) for outcome in numbers], "cells": cells}


def _realization(item: Assembled) -> dict[str, Any] | None:
    return asdict(item.realization) if item.realization else None


def _unpack(data: dict[str, Any], cases: Sequence[Case], sources: Sequence[Source]) -> list[Assembled]:
    outcomes = [
        {
            "word": word,
            "diagnostics": tuple(Diagnostic(**d) for d in said),
            "realization": Realization(**means) if means else None,
            "cubin": b"",
        }
        for word, said, means in data["outcomes"]
    ]
    found = []
    for case, source, cell in zip(cases, sources, data["cells"], strict=True):
        number, code = (cell, None) if isinstance(cell, int) else (cell[0], Code(cell[1], cell[2], cell[3]))
        item = object.__new__(Assembled)  # through __init__ a sweep's cells take several times as long
        vars(item).update(outcomes[number], case=case, source=source, code=code)
        found.append(item)
    return found
