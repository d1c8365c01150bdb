"""The rules of a tensor map as facts, and how each is found by trying: nothing but the encoding is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from suite import tensormap
from suite.model import TensorMapSpec
from suite.sanity import search
from suite.sanity.device import accepted

_POWERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PLAIN = TensorMapSpec("u8", 0, (4096, 4096), (4096,), (64, 8), (1, 1), "none", "none", "zero")


@dataclass(frozen=True)
class Rule:
    """One rule: what the documentation says, the spec for a number, and how the number is looked for.

    `offset` is true where the number is the address's misalignment; `low` and `high` bound a search for the largest,
    by steps of `step`; without them the smallest of the powers of two is looked for.
    """

    name: str
    documented: int
    spec: Callable[[int], TensorMapSpec]
    low: int = 0
    high: int = 0
    step: int = 1
    offset: bool = False


def _rank(rank: int) -> TensorMapSpec:
    return TensorMapSpec(
        "u8",
        0,
        (64,) * rank,
        tuple(64 ** (i + 1) for i in range(rank - 1)),
        (16, *(1,) * (rank - 1)),
        (1,) * rank,
        "none",
        "none",
        "zero",
    )


def _box(inner: int, swizzle: str = "none") -> TensorMapSpec:
    return replace(_PLAIN, box=(inner, 8), swizzle=swizzle)


# Source: CUDA driver API, cuTensorMapEncodeTiled, the requirements on each parameter.
RULES = (
    # name                        documented  spec for a number                                  search
    Rule("box elements",                 256, lambda n: replace(_PLAIN, box=(16, n)),            1, 1024),
    Rule("inner box bytes",               16, _box),
    Rule("stride bytes",                  16, lambda n: replace(_PLAIN, strides=(4096 + n,))),
    Rule("address alignment",             16, lambda n: _PLAIN,                                  offset=True),
    Rule("element stride",                 8, lambda n: replace(_PLAIN, element_strides=(1, n)), 1, 64),
    Rule("dimensions",                     5, _rank,                                             1, 5),
    Rule("inner bytes at 32B swizzle",    32, lambda n: _box(n, "32B"),                          16, 256, 16),
    Rule("inner bytes at 64B swizzle",    64, lambda n: _box(n, "64B"),                          16, 256, 16),
    Rule("inner bytes at 128B swizzle",  128, lambda n: _box(n, "128B"),                         16, 256, 16),
)  # fmt: skip


def found(rule: Rule, address: int) -> int | None:
    """Return the number that the driver keeps to, None where it refuses all; `address` is well aligned."""

    def takes(number: int) -> bool:
        place = address + number if rule.offset else address
        return accepted(lambda: tensormap.encode(rule.spec(number), place))

    if rule.high:
        return search.largest(takes, rule.low, rule.high, rule.step)
    return search.smallest(takes, _POWERS)
