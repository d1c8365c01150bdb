"""The page's blocks: named pieces of data, each compressed by itself, so that the browser unpacks what it shows.

| block | what |
| --- | --- |
| core | cases, columns and what outcomes look like: all that the grid needs |
| cells-N | outcome numbers of group N (one toolchain on one machine), a row a case |
| detail | opcodes, diagnostics, waivers and reasons of the outcomes |
| claims | what the manual says of each case |
| gpu-N | what the GPU said of group N's cells |
| words-N | the statements of toolchain N, by target |
| ptx-N | the kernels of family N |
| sass-C-N | the machine code of column C's cells of family N, where it was asked for |
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.matrix import SIGNS
from reports.overview import FACTS, FAILED, Table, facts_of, overview
from reports.page.pack import Column, Numbered, Outcome, Pack
from reports.page.sources import Describe, Described
from suite.model import AGREEMENTS, REALIZATIONS, WORDS
from suite.targets import ALL

SCHEMA = "ptxproof.page/1"

Block = tuple[str, bytes]
Claims = Sequence[Described | None]
Flags = NDArray[np.bool_]
Vector = NDArray[np.uint32]


def blocks(packed: Pack, describe: Describe, about: Mapping[str, Any]) -> Iterator[Block]:
    """Yield every block but the machine code; `about` is added to the core."""
    described = [describe(case) for case, _, _ in packed.cases]
    groups = _groups(packed)
    yield "core", _json({**_core(packed, groups), **about})
    yield "detail", _json(_detail(packed.outcomes))
    yield "claims", _json(_claims(described))
    for number, members in enumerate(groups.values()):
        columns = [packed.columns[place] for place in members]
        yield f"cells-{number}", _cells(columns, len(packed.outcomes))
        yield f"gpu-{number}", _json(_gpu(packed, columns))
    for number, toolchain in enumerate(toolchains(packed)):
        yield f"words-{number}", _json(_words(packed, toolchain))
    yield from _ptx(packed, described)


def toolchains(packed: Pack) -> list[str]:
    """Return the toolchains, those with most cells first, of equal ones the newest."""
    counts: dict[str, int] = defaultdict(int)
    for column in packed.columns:
        counts[column.key.toolchain] += int(np.count_nonzero(column.outcomes))
    return sorted(counts, key=lambda name: (counts[name], _age(name)), reverse=True)


def families(packed: Pack) -> list[str]:
    """Return the families in order of appearance."""
    return list(dict.fromkeys(family for _, family, _ in packed.cases))


def known_targets(packed: Pack) -> list[str]:
    """Return the targets of the columns, oldest first."""
    order = {target.name: place for place, target in enumerate(ALL)}
    found = {column.key.target for column in packed.columns}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def _age(toolchain: str) -> tuple[int, ...]:
    return tuple(int(part) for part in toolchain.rpartition(" ")[2].split(".") if part.isdigit())


def _groups(packed: Pack) -> dict[tuple[str, str], list[int]]:
    """Return the numbers of the columns of each toolchain and machine."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, column in enumerate(packed.columns):
        found.setdefault((column.key.toolchain, column.key.machine), []).append(number)
    return found


def _core(packed: Pack, groups: Mapping[tuple[str, str], list[int]]) -> dict[str, Any]:
    names = families(packed)
    proofs: Numbered[tuple[str, ...]] = Numbered()
    number = {name: place for place, name in enumerate(names)}
    group_of = {
        column: (group, at) for group, members in enumerate(groups.values()) for at, column in enumerate(members)
    }
    return {
        "schema": SCHEMA,
        "words": WORDS,
        "failed": FAILED,
        "signs": [SIGNS[word] for word in WORDS],
        "realizations": REALIZATIONS,
        "agreements": AGREEMENTS,
        "families": names,
        "toolchains": toolchains(packed),
        "targets": known_targets(packed),
        "machines": packed.machines,
        "records": packed.records,
        "cases": {
            "name": [case.removeprefix(f"{family}.") for case, family, _ in packed.cases],
            "family": [number[family] for _, family, _ in packed.cases],
            "opcode": [opcode for _, _, opcode in packed.cases],
            "proof": [proofs[targets] for targets in packed.validated],
        },
        "proofs": proofs.items,
        "groups": [len(members) for members in groups.values()],
        "columns": [[*column.key, *group_of[place]] for place, column in enumerate(packed.columns)],
        "outcomes": _looks(packed.outcomes),
    }


def _looks(outcomes: Sequence[Outcome]) -> dict[str, list[int]]:
    """Return what the grid shows of each outcome."""
    return {
        "word": [WORDS.index(one.word) for one in outcomes],
        "realization": [REALIZATIONS.index(one.realization) + 1 if one.realization else 0 for one in outcomes],
        "agreement": [AGREEMENTS.index(one.agreement) for one in outcomes],
        "unseen": [int(bool(one.observed) or one.realization == "elided") for one in outcomes],
        "stale": [int(one.stale) for one in outcomes],
        "rank": [one.rank for one in outcomes],
    }


def _detail(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what the panel shows and the search reads of each outcome; texts stand once."""
    opcodes: Numbered[str] = Numbered()
    said: Numbered[tuple[Any, ...]] = Numbered()
    texts: Numbered[str] = Numbered()
    return {
        "opcodes": [opcodes[" ".join(f"{count}×{name}" for name, count in one.opcodes)] for one in outcomes],
        "diagnostics": [[said[d.kind, d.severity, d.text, d.line] for d in one.diagnostics] for one in outcomes],
        "ptx": [texts[one.ptx] for one in outcomes],
        "observed": [texts[one.observed] for one in outcomes],
        "waiver": [texts[one.waiver] for one in outcomes],
        "stage": [texts[one.not_asked[0] if one.not_asked else ""] for one in outcomes],
        "reason": [texts[one.not_asked[1] if one.not_asked else ""] for one in outcomes],
        "opcode_texts": opcodes.items,
        "said": said.items,
        "texts": texts.items,
    }


def _claims(described: Claims) -> dict[str, Any]:
    """Return the instruction and the claim of each case; -1 for one that this checkout does not have."""
    found: Numbered[tuple[Any, ...]] = Numbered()
    return {
        "claim": [found[one.section, one.minimum] if one else -1 for one in described],
        "instruction": [one.instruction if one else "" for one in described],
        "claims": [{"section": section, "minimum": dict(minimum)} for section, minimum in found.items],
    }


def _cells(columns: Sequence[Column], outcomes: int) -> bytes:
    """Return the outcome numbers, a row a case, in the fewest bytes that hold them; little-endian."""
    width = "<u2" if outcomes < 2**16 - 1 else "<u4"
    return np.stack([np.array(column.outcomes) for column in columns], axis=1).astype(width).tobytes()


def _gpu(packed: Pack, columns: Sequence[Column]) -> dict[str, Any]:
    """Return the launches of each column by case, as [seconds, number of what else was said], and the records."""
    used: Numbered[int] = Numbered()
    launches = [{row: [seconds, used[said]] for row, (seconds, said) in column.gpu.items()} for column in columns]
    return {"launches": launches, "said": [json.loads(packed.gpu[n]) for n in used.items], "records": _records(columns)}


def _records(columns: Sequence[Column]) -> list[int | list[int]]:
    """Return each column's record, or that of every case where there are several (or -1 where there is none)."""
    found: list[int | list[int]] = []
    for column in columns:
        asked = [record if outcome else -1 for record, outcome in zip(column.records, column.outcomes, strict=True)]
        several = set(asked) - {-1}
        found.append(several.pop() if len(several) == 1 else asked)
    return found


def _words(packed: Pack, toolchain: str) -> dict[str, Any]:
    """Return the statements of each target of a toolchain, as [kind, text, filters]."""
    found = _table(packed, toolchain)
    return {name: [[s.kind, s.text, s.filters] for s in overview(found, name)] for name in found.sets}


def _table(packed: Pack, toolchain: str) -> Table:
    """Return the facts of a toolchain's cells, of each the one that stands before those of other machines."""
    holds = _holds(packed.outcomes)
    members = {name: [family == name for _, family, _ in packed.cases] for name in families(packed)}
    merged = {name: _merged(packed, name, toolchain) for name in known_targets(packed)}
    sets = {name: {fact: _bits(holds[fact][cells]) for fact in holds} for name, cells in merged.items() if cells.any()}
    validated = _bits(np.array([bool(proof) for proof in packed.validated]))
    reasons = {name: _reasons(packed.outcomes, merged[name]) for name in sets}
    return Table(toolchain, {name: _bits(np.array(has)) for name, has in members.items()}, sets, validated, reasons)


def _holds(outcomes: Sequence[Outcome]) -> dict[str, Flags]:
    """Return which facts hold of each outcome; of the one before the first, which is no cell, none."""
    found = [_facts(one) for one in outcomes]
    return {fact: np.array([False, *(fact in facts for facts in found)]) for fact in FACTS}


def _facts(one: Outcome) -> tuple[str, ...]:
    shown = one.word == "correct" and not one.observed and one.realization != "elided"
    return (*facts_of(one.word, one.realization, one.agreement, shown=shown), *(("stale",) if one.stale else ()))


def _merged(packed: Pack, target: str, toolchain: str) -> Vector:
    """Return the outcome numbers of a target and toolchain over all machines."""
    ranks = np.array([-1, *(one.rank for one in packed.outcomes)])
    best = np.zeros(len(packed.cases), np.uint32)
    for column in packed.columns:
        if column.key[:2] == (target, toolchain):
            cells = np.array(column.outcomes, np.uint32)
            best = np.where(ranks[cells] > ranks[best], cells, best)
    return best


def _bits(flags: Flags) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _reasons(outcomes: Sequence[Outcome], cells: Vector) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for number, count in zip(*np.unique(cells[cells > 0], return_counts=True), strict=True):
        asked = outcomes[number - 1].not_asked
        if asked:
            found[asked] += int(count)
    return found


def _ptx(packed: Pack, described: Claims) -> Iterator[Block]:
    """Yield the kernels of each family by case, as [text, marked lines]; only those that the records asked."""
    texts: dict[str, dict[int, Any]] = {name: {} for name in families(packed)}
    for row, ((_, family, _), one) in enumerate(zip(packed.cases, described, strict=True)):
        if one and one.kernel == packed.kernels[row]:
            texts[family][row] = [one.text, one.marked]
    for number, kernels in enumerate(texts.values()):
        yield f"ptx-{number}", _json(kernels)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
