"""Block-scaled dot products of sm_100 and later. Source: arXiv 2511.10909, ST-FDPA and GST-FDPA."""

from __future__ import annotations

import numpy as np

from suite.numerics.decode import NOTHING, Parts, parts, scales
from suite.numerics.fdpa import Step, fused
from suite.numerics.operation import Arrays, Operation, Values

GROUP = 16  # products that the FP4 kinds add up exactly before they scale and align


def scaled_parts(op: Operation, arrays: Arrays) -> tuple[Parts, Parts]:
    """Return A and B, each element with the exponent of its block's scale, which multiplies products and not c."""
    a, b = parts(op.a, arrays["a"]), parts(op.b, arrays["b"])
    sfa, sfb = scales(op.scale, arrays["sfa"]), scales(op.scale, arrays["sfb"])
    size = op.columns // op.blocks
    block = arrays["at"] // size if op.sparse else np.broadcast_to(np.arange(op.k) // size, arrays["a"].shape)
    along_a = sfa.each(lambda x: np.take_along_axis(x, block, axis=2))
    along_b = sfb.each(lambda x: np.repeat(x, size, axis=2).swapaxes(1, 2))
    return _times(a, along_a), _times(b, along_b)


def _times(x: Parts, scale: Parts) -> Parts:
    exponent = np.maximum(x.exponent + scale.exponent, NOTHING).astype(np.int16)
    return Parts(x.value * scale.value, exponent)


def grouped(step: Step, op: Operation, arrays: Arrays, c: Values) -> Values:
    """Return the rounded GST-FDPA of each row and column: groups are added up exactly, scaled, and then aligned.

    A group takes its exponent from its scales alone; one whose products are all 0, or whose scale is, counts as zero.
    """
    a, b = parts(op.a, arrays["a"]).value, parts(op.b, arrays["b"]).value
    size = op.k // op.blocks
    block = np.arange(0, op.k, GROUP) // size
    sfa, sfb = (scales(op.scale, arrays[name][:, :, block]) for name in ("sfa", "sfb"))
    products = [_group(a[:, :, k : k + GROUP], b[:, k : k + GROUP]) for k in range(0, op.k, GROUP)]
    value = np.stack([total for total, _ in products], axis=-1)
    empty = np.stack([zero for _, zero in products], axis=-1)
    scale = sfa.value[:, :, None, :] * sfb.value[:, None, :, :]
    exponent = (sfa.exponent[:, :, None, :] + sfb.exponent[:, None, :, :]).astype(np.int16)
    exponent = np.where(empty | (scale == 0), np.int16(NOTHING), np.maximum(exponent, NOTHING)).astype(np.int16)
    return _aligned(step, Parts(value * scale, exponent), c)


def _group(a: Values, b: Values) -> tuple[Values, np.ndarray]:
    """Return the exact sum of a group's products, and whether all of them are 0."""
    return np.einsum("tmk,tkn->tmn", a, b), np.einsum("tmk,tkn->tmn", abs(a), abs(b)) == 0


def _aligned(step: Step, groups: Parts, c: Values) -> Values:
    """Return the fused sum of group terms (trials, m, n, groups) and c: each dot is a row of its own."""
    trials, m, n, count = groups.value.shape
    ones = Parts(np.ones((trials * m * n, count, 1)), np.zeros((trials * m * n, count, 1), dtype=np.int16))
    rows = groups.each(lambda x: x.reshape(-1, 1, count))
    return fused(step, rows, ones, c.reshape(-1, 1, 1)).reshape(c.shape)
