"""tcgen05.mma with block scaling: D = (A * scale A) * (B * scale B) + D. PTX ISA 9.3, 9.7.17.10.7 and .9.1.

Scales lie in tensor memory, four copies of each; every byte that the ids do not select holds a decoy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from suite import Claim, product, rows
from suite import tcgen05_claims as claims
from suite.probe import Params
from suite.tcgen05_kernel import probe

GROUPS, IN = (1, 2), ("smem", "tmem")
NARROW = ("e4m3", "e5m2", "e2m3", "e3m2", "e2m1")
COLLECT = tuple(f"a::{op}" for op in ("fill", "use", "lastuse", "discard"))

# Every spelling with every scale type it takes. Source: 9.7.17.10.7.1, Tables 59 and 60.
SPELLINGS = (
    ("mxf8f6f4", "default", "ue8m0"),
    ("mxf8f6f4", "1X", "ue8m0"),
    ("mxf8f6f4", "block32", "ue8m0"),
    ("mxf4", "default", "ue8m0"),
    ("mxf4", "2X", "ue8m0"),
    ("mxf4", "block32", "ue8m0"),
    ("mxf4nvf4", "2X", "ue8m0"),
    ("mxf4nvf4", "block32", "ue8m0"),
    ("mxf4nvf4", "4X", "ue4m3"),
    ("mxf4nvf4", "block16", "ue4m3"),
    ("mxf4nvf4", "4X", "ue8m0"),
    ("mxf4nvf4", "block16", "ue8m0"),
)
# Ids of scales A and B: any byte for one block a row, a half word for two, 0 for four. Source: 9.7.17.10.7.2 and .3.
IDS = {
    "mxf8f6f4": ((0, 3), (1, 0), (1, 2), (2, 1), (3, 3)),
    "mxf4": ((0, 2), (2, 0), (2, 2)),
}
SIZES = ((1, 128, 8), (1, 128, 72), (1, 128, 256), (2, 128, 64), (2, 128, 256), (2, 256, 32), (2, 256, 256))


def claim(params: Params) -> Claim:
    """Return what the notes say of the kind and its spelling of the scale vector size."""
    return claims.block_scaled("mma", params["kind"], params["vec"])


def _ids() -> Iterator[tuple[Any, ...]]:
    for kind, chosen in IDS.items():
        yield from ((group, kind, "block32", a, b, where) for group in GROUPS for a, b in chosen for where in ("smem",))


PROBES = (
    probe(
        "mma",
        "mma",
        rows(
            "cta_group kind vec scale a_in swizzled",
            *((group, *spelled, where, "no") for spelled in SPELLINGS for group in GROUPS for where in IN),
            *((1, *spelled, "smem", "yes") for spelled in SPELLINGS[2:12:3]),
        ),
        claim,
    ),
    probe(
        "types",
        "mma",
        product(cta_group=(1,), kind=("mxf8f6f4",), vec=("block32",), atype=NARROW, btype=NARROW, a_in=IN),
        claim,
    ),
    probe("ids", "mma", rows("cta_group kind vec ida idb a_in", *_ids()), claim),
    probe(
        "sizes",
        "mma",
        rows(
            "cta_group m n kind vec a_in",
            *(
                (*size, kind, vec, where)
                for size in SIZES
                for kind, vec in (("mxf8f6f4", "block32"), ("mxf4nvf4", "block16"))
                for where in IN
            ),
        ),
        claim,
    ),
    probe(
        "negate",
        "mma",
        product(cta_group=(1,), kind=("mxf8f6f4", "mxf4"), vec=("block32",), negate=("a", "b", "ab"), a_in=("smem",)),
        claim,
    ),
    probe(
        "collector",
        "mma",
        rows(
            "cta_group kind vec scale a_in collector",
            *(
                (group, *spelled, where, op)
                for spelled in SPELLINGS[:-2]
                for group, where in ((1, "tmem"), (2, "smem"))
                for op in COLLECT
            ),
        ),
        claim,
    ),
)
