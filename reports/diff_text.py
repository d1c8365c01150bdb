"""A diff as people read it: in short, by family, and row by row; and as JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reports.diff import CHANGES, KINDS, Change, Side
from reports.diff_rows import Folded, Row
from reports.tables import Table
from suite.model import REALIZATIONS
from suite.record import to_json

SCHEMA = "ptxproof.diff/1"
MOST_PLACES = 4  # that a row names; of more only their number is

# Columns of the summary: what is counted, and its heading.
_COLUMNS = (
    *(("lost", "gone"), ("wrong now", "wrong now"), ("new", "new"), ("right now", "right now")),
    *((f"now {word}", f"now {'a call' if word == 'call' else word}") for word in REALIZATIONS),
    *(("result changed", "other result"), ("code changed", "other code"), ("other kernel", "other kernel")),
    *(
        ("same code", "same machine code"),
        ("same opcodes", "same opcodes"),
        ("diagnostic changed", "other refusal"),
        ("refused", "refused in both"),
    ),
    *(("only before", "only before"), ("only after", "only now")),
)
_REFUSED = ("refused", "diagnostic changed")
_ONCE = ("only before", "only after")


def tables(before: Side, after: Side, folded: Folded) -> Iterator[Table]:
    """Yield the summary by family and a table a kind of change."""
    yield Table(f"From {before.name} to {after.name}", (), (), _catalogues(before, after) + _short(folded))
    yield _summary(folded.families)
    for kind in (*CHANGES, *_ONCE):
        rows = [row for row in folded.rows if row.kind == kind]
        if rows:
            yield _table(kind, rows)


def lines(before: Side, after: Side, changes: Iterable[Change]) -> Iterator[str]:
    """Yield a header and then every change, each a line of JSON; what stayed the same is counted in the last line."""
    total: Counter[str] = Counter()
    yield _json({"schema": SCHEMA, "before": _side(before), "after": _side(after)})
    for change in changes:
        total[change.kind] += 1
        if change.kind in CHANGES or change.kind in _ONCE:
            said = {"kind": change.kind, "case": change.seen.case, "place": change.place}
            sides = {"before": change.before, "after": change.after}
            yield _json(said | {name: to_json(cell) if cell else None for name, cell in sides.items()})
    yield _json({"counts": {kind: total[kind] for kind in KINDS}})


def _side(side: Side) -> dict[str, Any]:
    columns = [{"target": key.target, "toolchain": key.toolchain} for key in side.keys]
    return {"name": side.name, "columns": columns, "catalogues": _versions(side)}


def _versions(side: Side) -> list[str]:
    return sorted({str(record.header.get("catalogue", "")) for record in side.columns.records})


def _catalogues(before: Side, after: Side) -> str:
    """Return a sentence where the sides are of different catalogues, so that cases of one alone surprise nobody."""
    old, new = _versions(before), _versions(after)
    return "" if old == new else f"Catalogue {', '.join(old)} before, {', '.join(new)} now. "


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)


def _short(folded: Folded) -> str:
    """Return the families by what became of them, a sentence each, and the number of cells compared."""
    by: dict[str, list[str]] = {}
    for family, counts in folded.families.items():
        by.setdefault(_fate(counts), []).append(family)
    compared = sum(folded.total[kind] for kind in KINDS if kind not in _ONCE)
    once = [f"{folded.total[kind]} {KINDS[kind]}" for kind in _ONCE if folded.total[kind]]
    said = [f"- **{fate}**: {', '.join(sorted(by[fate]))}" for fate in _FATES if fate in by]
    return "\n".join([f"{compared} cells asked in both" + "".join(f", {text}" for text in once) + ".", "", *said])


# What became of a family as a whole, in the order of reading.
_FATES = {
    "gone altogether": "every case that was accepted is refused now",
    "partly gone": "some of what was accepted is refused now",
    "works no longer": "some case that was correct on hardware is not now",
    "fails on hardware, or fails otherwise": "nothing is gone, some case has a result that is not correct",
    "more than before": "nothing is gone, something is accepted that was refused",
    "done another way": "all accepted as before, some of it emulated, by a call, or natively where it was not",
    "done the same way by other machine code": "all accepted as before, by other instructions or other encodings",
    "the same opcodes": "every case that is accepted has the same opcodes; the records have no hash of the code",
    "the same machine code": "every case that is accepted is the same code",
    "refused in both": "nothing is accepted",
    "asked on one side alone": "nothing to compare",
}


def _fate(counts: Counter[str]) -> str:
    stays = sum(counts[kind] for kind in KINDS if kind not in (*_REFUSED, *_ONCE, "lost", "new"))
    checks = {
        "gone altogether": counts["lost"] and not stays and not counts["new"],
        "partly gone": counts["lost"],
        "works no longer": counts["wrong now"],
        "fails on hardware, or fails otherwise": counts["result changed"],
        "more than before": counts["new"] + counts["right now"],
        "done another way": counts["realization changed"],
        "done the same way by other machine code": counts["code changed"] + counts["other kernel"],
        "the same opcodes": counts["same opcodes"],
        "the same machine code": stays,
        "refused in both": counts["refused"] + counts["diagnostic changed"],
    }
    return next((fate for fate, holds in checks.items() if holds), "asked on one side alone")


def _summary(families: Mapping[str, Counter[str]]) -> Table:
    shown = [(kind, head) for kind, head in _COLUMNS if any(counts[kind] for counts in families.values())]
    rows = [[family, *(str(counts[kind] or "") for kind, _ in shown)] for family, counts in sorted(families.items())]
    return Table("By family (cells)", ("family", *(head for _, head in shown)), rows)


def _table(kind: str, rows: list[Row]) -> Table:
    count = sum(row.count for row in rows)
    several = len({row.places for row in rows}) > 1
    head = ("form", "cases", *(["where"] if several else []), "before", "after", "for instance")
    used = [
        i for i, name in enumerate(head) if name not in ("before", "after") or any(_texts(r, several)[i] for r in rows)
    ]
    said = [[_texts(row, several)[i] for i in used] for row in rows]
    return Table(f"{kind.capitalize()}: {KINDS[kind]} ({count})", tuple(head[i] for i in used), said)


def _texts(row: Row, several: bool) -> list[str]:
    places = ", ".join(row.places) if len(row.places) <= MOST_PLACES else f"{len(row.places)} columns"
    form = f"{row.family}: {row.form}" if row.kind == "code changed" and "." not in row.form else row.form
    return [form, row.cases, *([places] if several else []), row.before, row.after, row.example]
