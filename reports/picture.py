"""The matrix as a picture: a heat map, families by targets, of the share of cases that come to each best word."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.cells import Cell, merge
from reports.diff import ACCEPTED
from reports.overview import FAILED
from suite.errors import UsageError
from suite.record import Record
from suite.targets import ALL

FORMATS = {".svg": "svg", ".png": "png"}

# Best words that have a colour of their own, each with the colour of a family that is wholly so; between, it fades to
# the paper. Chosen to be told apart by the colour-blind, and the number stands in every field.
COLOURS = {"correct": "#0b7a4b", "assembled": "#2f7fb5", "failed": "#c2452d"}
PAPER = "#f4f4f2"
_INCH_WIDE, _INCH_HIGH = 0.62, 0.27  # of one field
_DARK = 0.6  # the share from which on the number is white


@dataclass(frozen=True)
class Field:
    """One family on one target: cases asked, accepted, correct, and not come through on hardware."""

    asked: int
    accepted: int
    correct: int
    failed: int

    @property
    def word(self) -> str:
        """Return what the colour says: `correct` if most accepted cases are, `failed` if more failed than ran right."""
        if self.failed > self.correct:
            return "failed"
        return "correct" if 2 * self.correct >= self.accepted > 0 else "assembled"

    @property
    def share(self) -> float:
        """Return the share of cases that are accepted, 0 to 1."""
        return self.accepted / self.asked

    @property
    def label(self) -> str:
        """Return what stands in the field: the share in percent, with signs for what hardware has shown."""
        if not self.accepted:
            return "–"
        signs = ("●" if self.word == "correct" else "") + ("≠" if self.failed else "")
        return f"{max(1, 100 * self.accepted // self.asked)} {signs}".rstrip()


def fields(cells: Iterable[Cell]) -> dict[tuple[str, str], Field]:
    """Return the field of each family and target of one toolchain's cells."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for seen in (cell.seen for cell in cells):
        found = counts.setdefault((seen.family, seen.target), Counter())
        found.update(("asked", seen.word, *(("accepted",) if seen.word in ACCEPTED else ())))
    return {
        key: Field(found["asked"], found["accepted"], found["correct"], sum(found[word] for word in FAILED))
        for key, found in counts.items()
    }


def draw(records: Sequence[Record], suffix: str, toolchain: str | None = None) -> bytes:
    """Return the heat map of records as SVG or PNG; of the toolchain with most cells where none is named.

    Raises `UsageError` for another suffix, and for a toolchain that no cell is from.
    """
    if suffix not in FORMATS:
        raise UsageError(f"a picture is .svg or .png, not {suffix or 'without a suffix'!r}")
    known = Counter(cell.toolchain for record in records for cell in record.cells)
    name = toolchain or (known.most_common(1)[0][0] if known else "")
    if name not in known:
        raise UsageError(f"no cell of these records is from {name!r}; they are from {', '.join(sorted(known))}")
    mine = [replace(record, cells=tuple(c for c in record.cells if c.toolchain == name)) for record in records]
    return _saved(_figure(fields(merge(mine, {})), name), FORMATS[suffix])


def _figure(found: dict[tuple[str, str], Field], toolchain: str) -> Any:
    from matplotlib.figure import Figure

    families = sorted({family for family, _ in found})
    order = {target.name: place for place, target in enumerate(ALL)}
    targets = sorted({target for _, target in found}, key=lambda name: order.get(name, len(order)))
    size = (2.2 + _INCH_WIDE * len(targets), 1.5 + _INCH_HIGH * len(families))
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.imshow([[_colour(found.get((family, name))) for name in targets] for family in families], aspect="auto")
    for (family, name), field in found.items():
        tint = "white" if field.share >= _DARK else "#1b1f24"
        place = (targets.index(name), families.index(family))
        axes.text(*place, field.label, ha="center", va="center", fontsize=7, color=tint)
    _label(axes, targets, families)
    axes.set_title(f"Cases that {toolchain} accepts, in percent of each family", fontsize=10, loc="left")
    note = "● most of these ran right there;  ≠ some failed on hardware;  no sign: assembled only;  – none is accepted"
    figure.supxlabel(note, fontsize=7, color="#444")
    return figure


def _label(axes: Any, targets: Sequence[str], families: Sequence[str]) -> None:
    axes.set_xticks(range(len(targets)), targets, rotation=45, ha="left", fontsize=8)
    axes.set_yticks(range(len(families)), families, fontsize=8)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set_xticks([place - 0.5 for place in range(len(targets) + 1)], minor=True)
    axes.set_yticks([place - 0.5 for place in range(len(families) + 1)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _colour(field: Field | None) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    if field is None:
        return to_rgb("white")
    full, paper = to_rgb(COLOURS[field.word]), to_rgb(PAPER)
    red, green, blue = (low + (high - low) * field.share for high, low in zip(full, paper, strict=True))
    return red, green, blue


def _saved(figure: Any, kind: str) -> bytes:
    """Return the file; the same bytes for the same cells, with text as text."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ptxproof"}):
        figure.savefig(out, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {})
    return out.getvalue()
