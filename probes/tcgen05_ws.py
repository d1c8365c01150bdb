"""tcgen05.mma.ws and .ws.sp: weights stay in a collector buffer for B. PTX ISA 9.3, 9.7.17.10.9.3 and .4.

B has 32 columns more in shared memory than N, for the column shift; zero-column masks have equal spans, since the
manual's table and its examples name them the other way round.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from suite import Claim, product, rows
from suite import tcgen05_claims as claims
from suite.probe import Params, Probe
from suite.tcgen05_kernel import probe

KINDS, IN, MASKS = ("f16", "tf32", "f8f6f4", "i8"), ("smem", "tmem"), ("none", "some")
SHIFTED = ("f16", "i8")
COLLECT = tuple(f"b{buffer}::{op}" for buffer in range(4) for op in ("fill", "use", "lastuse", "discard"))


def _claim(variant: str, params: Params) -> Claim:
    return claims.plain(variant, params["kind"])


def forms(name: str, variant: str, largest: int) -> tuple[Probe, ...]:
    """Return the probes of one variant; `largest` is the largest N. Source: 9.7.17.2.1, Table 42."""
    claim = partial(_claim, variant)
    sizes = ((32, largest), (64, 128), (128, 64))

    def every(kinds: tuple[str, ...] = KINDS, **columns: Any) -> tuple[Params, ...]:
        return product(cta_group=(1,), kind=kinds, **columns)

    return (
        probe(
            name,
            variant,
            rows(
                "cta_group kind m n a_in mask",
                *((1, kind, *mn, where, mask) for kind in KINDS for mn in sizes for where in IN for mask in MASKS),
            ),
            claim,
        ),
        probe(f"{name}_collector", variant, every(m=(64,), a_in=("smem",), collector=COLLECT, mask=("none",)), claim),
        probe(f"{name}_collector_a", variant, every(m=(32,), a_in=("tmem",), collector=COLLECT, mask=("some",)), claim),
        probe(f"{name}_shift", variant, every(SHIFTED, m=(32,), a_in=("smem",), shift=(8, 16), mask=("some",)), claim),
        probe(
            f"{name}_wide_shift",
            variant,
            every(SHIFTED, m=(64, 128), a_in=("smem",), shift=(8, 32), mask=("some",)),
            claim,
        ),
    )


PROBES = (*forms("ws", "mma.ws", 256), *forms("ws_sp", "mma.ws.sp", 128))
