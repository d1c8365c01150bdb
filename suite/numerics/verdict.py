"""What a numeric result shows: `exact`, `exact-other`, `tolerance` or `wrong`.

`exact`: every bit is the chosen model's. `exact-other`: every bit is that of another model, which is named.
`tolerance`: no model is established and all is within the derived bound. `wrong`: anything else, with the first
element that differs. A NaN is compared by its code where the models give it one, in f64 as a NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.formats import FORMATS, decode
from suite.numerics import bounds, parameters
from suite.numerics.choice import Choice, least_error_bits
from suite.numerics.decode import values_of
from suite.numerics.fdpa import Step
from suite.numerics.models import (
    Added,
    Doubles,
    Fused,
    Grouped,
    Halves,
    Integers,
    Model,
    Once,
    Sequential,
    WholeNan,
    run,
)
from suite.numerics.operation import Arrays, Codes, Operation

VERDICTS = ("exact", "exact-other", "tolerance", "wrong")
_SAMPLE = 8  # rows and columns on which another model is tried before it is held against all


@dataclass(frozen=True)
class Verdict:
    """One of `VERDICTS`, the model it speaks of, the dots compared, and the first difference from the chosen model."""

    word: str
    model: str
    dots: int
    first: dict[str, Any] = field(default_factory=dict)


def judge(op: Operation, arrays: Arrays, found: Codes, choice: Choice | None) -> Verdict:
    """Return what D's codes show, held against the chosen model, then the others, then (of floats) the bound."""
    dots = int(found.size)
    expected = run(choice.model, op, arrays) if choice else None
    if choice and expected is not None and not differs(op, found, expected).any():
        return Verdict("exact", choice.name, dots)
    first = difference(op, found, expected) if expected is not None else {}
    own = [WholeNan(choice.model)] if choice and op.a == "tf32" else []
    other = next((model for model in (*own, *others(op)) if _fits(model, op, arrays, found)), None)
    if other:
        return Verdict("exact-other", other.name, dots, first)
    if choice and choice.established:
        return Verdict("wrong", choice.name, dots, first)
    if op.kind != "float":
        return Verdict("wrong", "no model", dots, first)
    outside = bounds.outside(op, arrays, found, least_error_bits(op))
    if outside.any():
        return Verdict("wrong", "the bound", dots, difference(op, found, bounds.nearest(op, arrays), outside))
    return Verdict("tolerance", f"within {op.k + 1} * 2^-{least_error_bits(op)} of the largest term", dots, first)


def differs(op: Operation, found: Codes, expected: Codes) -> np.ndarray:
    """Return where codes differ; all NaNs of f64 are one."""
    different = found != expected
    if op.d == "f64":
        both = np.isnan(values_of("f64", found)) & np.isnan(values_of("f64", expected))
        different &= ~both
    return np.asarray(different)


def difference(op: Operation, found: Codes, expected: Codes, where: np.ndarray | None = None) -> dict[str, Any]:
    """Return the first differing element with its index, bits and values, and how many differ; empty if none."""
    different = differs(op, found, expected) if where is None else where
    if not different.any():
        return {}
    index = tuple(int(i) for i in np.argwhere(different)[0])
    digits = -(-FORMATS[op.d].bits // 4)
    shown = [f"0x{int(codes[index]):0{digits}x} ({_value(op, codes[index])})" for codes in (found, expected)]
    count = int(different.sum())
    return {"index": list(index), "found": shown[0], "expected": shown[1], "differ": count, "of": int(found.size)}


def _value(op: Operation, code: np.uint64) -> str:
    with np.errstate(invalid="ignore"):
        return repr(decode(FORMATS[op.d], np.array([code], dtype=np.uint64)).tolist()[0])


def _fits(model: Model, op: Operation, arrays: Arrays, found: Codes) -> bool:
    small, corner = corner_of(op, arrays, _SAMPLE)
    if differs(small, found[:, : small.m, : small.n], run(model, small, corner)).any():
        return False
    return not differs(op, found, run(model, op, arrays)).any()


def corner_of(op: Operation, arrays: Arrays, size: int) -> tuple[Operation, dict[str, np.ndarray]]:
    """Return the product of the first rows of A and columns of B, at most so many of each."""
    small = replace(op, m=min(op.m, size), n=min(op.n, size))
    row, column = slice(small.m), slice(small.n)
    cuts = {"b": (slice(None), slice(None), column), "c": (slice(None), row, column), "sfb": (slice(None), column)}
    return small, {name: array[cuts.get(name, (slice(None), row))] for name, array in arrays.items()}


def others(op: Operation) -> Iterator[Model]:
    """Yield every model that could be taken for the operation's: of all units and chips, and of plain arithmetics."""
    if op.kind == "integer":
        yield from (Integers(length) for length in (0, 4, 8, 16, 32, 64, op.columns // 2) if length < op.columns)
    if op.kind == "f64":
        yield Doubles()
    if op.kind != "float":
        return
    if op.scale and op.a == "e2m1" and op.blocks > 1:
        yield Grouped(Step(35, -139, "RZ-FP32"))
        return
    yield from _fused(op)
    yield Once("RNE-FP16" if op.d == "f16" else "RNE-FP32")
    yield from (Sequential(late, pairs) for late in (False, True) for pairs in (False, True))


def _fused(op: Operation) -> Iterator[Model]:
    steps = dict.fromkeys(row.step(op.d) for row in parameters.ROWS)
    for step in steps:
        yield Halves(step)
        for length in (4, 8, 16, 32, 64):
            if length <= op.k:
                yield Fused(step, length, kept=op.sparse)
                yield Added(Fused(step, length, kept=op.sparse))
