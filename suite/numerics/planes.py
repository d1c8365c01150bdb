"""Which element of A or B arrived where: planes that carry the digits of each element's index, read back from D.

With one-hot columns of B, D is a piece of A; with one-hot rows of A, a piece of B. A difference is reported as the
permutation that was found, not as a wrong number. A row of A that moved shows among the planes of B, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.exact import digit_planes, digits, one_hot, plane_count
from suite.formats import FORMATS, decode, encode
from suite.numerics.operation import Codes, Operation

MOST_DOTS = 1024  # of products whose planes are asked; larger ones have theirs in the case's own round
_SHOWN = 4


def trials(op: Operation) -> int:
    """Return the trials that the planes take: none of bits, of sparse A, and of large products."""
    if op.sparse or op.kind == "bits" or op.dots > MOST_DOTS:
        return 0
    return sum(count * shifts for count, shifts in _counts(op))


def _counts(op: Operation) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the planes of A and of B, and the shifts of one-hot columns and rows that reach all of K."""
    return (plane_count(op.a, op.m * op.k), -(-op.k // op.n)), (plane_count(op.b, op.k * op.n), -(-op.k // op.m))


def arrays(op: Operation) -> dict[str, Codes]:
    """Return A, B and C of the planes of A, shift by shift, then of those of B; scales of 1 are the caller's."""
    (_, shifts_a), (_, shifts_b) = _counts(op)
    a, b = [], []
    for shift in range(shifts_a):
        for plane in digit_planes(op.a, op.m, op.k):
            a.append(plane)
            b.append(one_hot(op.k, op.n, shift * op.n))
    for shift in range(shifts_b):
        for plane in digit_planes(op.b, op.k, op.n):
            a.append(one_hot(op.k, op.m, shift * op.m).T)
            b.append(plane)
    zeros = np.zeros((len(a), op.m, op.n), dtype=np.uint64)
    return {"a": encode(FORMATS[op.a], np.stack(a)), "b": encode(FORMATS[op.b], np.stack(b)), "c": zeros}


def read(op: Operation, found: Codes) -> dict[str, Any]:
    """Return for A and B `as documented`, or how many elements came from elsewhere and the first of them."""
    (planes_a, shifts_a), (planes_b, shifts_b) = _counts(op)
    with np.errstate(invalid="ignore"):
        values = decode(FORMATS[op.d], found).astype(np.float64)
    part_a = values[: planes_a * shifts_a].reshape(shifts_a, planes_a, op.m, op.n)
    part_b = values[planes_a * shifts_a :].reshape(shifts_b, planes_b, op.m, op.n)
    at_a, at_b = np.full((op.m, op.k), -1), np.full((op.k, op.n), -1)
    for shift in range(shifts_a):
        at_a[:, (np.arange(op.n) + shift * op.n) % op.k] = _index(op.a, part_a[shift])
    for shift in range(shifts_b):
        at_b[(np.arange(op.m) + shift * op.m) % op.k] = _index(op.b, part_b[shift])
    return {"A": _said("A", at_a), "B": _said("B", at_b)}


def _index(fmt: str, planes: np.ndarray) -> np.ndarray:
    """Return the row-major index that the digits make, -1 where one is none."""
    values = digits(fmt)
    order = np.argsort(values)
    near = np.clip(np.searchsorted(values[order], planes), 0, len(values) - 1)
    digit = order[near]
    known = (values[digit] == planes).all(axis=0)
    weights = len(values) ** np.arange(len(planes))
    return np.where(known, np.tensordot(weights, digit, axes=1), -1)


def _said(name: str, at: np.ndarray) -> Any:
    rows, columns = at.shape
    moved = np.argwhere(at != np.arange(rows * columns).reshape(rows, columns))
    if not len(moved):
        return "as documented"
    shown = [f"{name}{[i, j]} holds {_element(name, int(at[i, j]), rows, columns)}" for i, j in moved[:_SHOWN].tolist()]
    return {"moved": len(moved), "of": at.size, "first": shown}


def _element(name: str, index: int, rows: int, columns: int) -> str:
    return f"{name}{list(divmod(index, columns))}" if 0 <= index < rows * columns else "no element"
