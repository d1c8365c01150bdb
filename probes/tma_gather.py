"""cp.async.bulk.tensor with .tile::gather4 and .tile::scatter4: four rows of a matrix.

PTX ISA 9.3, 9.7.9.26.5.2 and 5.5.3.4; PTX ISA 9.4, 9.7.10.28.5.2 and 9.7.10.28.5.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from suite import Claim, Probe, family, product, tma_claims, tma_kernels
from suite.probe import Params
from suite.tma_access import BITS, Access
from suite.tma_oracle import Extent, padded_strides

DIMS, COLUMN = (160, 24), 48

# The four rows: in no order; with one twice; and with rows beyond the last and before the first one.
ROWS: dict[str, Extent] = {
    "apart": (5, 17, 2, 11),
    "twice": (9, 3, 9, 20),
    "beyond": (23, 24, 0, 30),
    "before": (-1, 4, 8, -3),
}
SPANS = {"32B": 32, "64B": 64, "128B": 128}
# Four rows are at most four lines of shared memory; those at which each swizzle does what no other does.
LINES = {"32B": 3, "64B": 6, "128B": 4}


def _access(params: Params) -> Access:
    fmt, swizzle = params.get("fmt", "f16"), params.get("swizzle", "none")
    width = SPANS.get(swizzle, 128) * 8 // BITS[fmt]
    return Access(
        fmt=fmt,
        dims=DIMS,
        strides=padded_strides(f"b{BITS[fmt]}", DIMS),
        box=(width, 1),
        corner=(COLUMN, *ROWS[params.get("rows", "apart")]),
        mode="four",
        swizzle=swizzle,
        line=LINES.get(swizzle, 0) if "space" in params else 0,
    )


def _gather(form: str, table: tuple[Params, ...]) -> Probe:
    return tma_kernels.load(form, ".tile::gather4", _access, table, tma_claims.gathered)


def _scatter(form: str, table: tuple[Params, ...]) -> Probe:
    return tma_kernels.store(form, ".tile::scatter4", _access, table, _scattered)


def _scattered(params: Params) -> Claim:
    return tma_claims.datacenter()


def _rubin(params: Params) -> Claim:
    return tma_claims.rubin(tma_claims.NEW_LOAD)


def _told_width(params: Params) -> Claim:
    """Claim masks of 32 bits, which are new, or the name that PTX ISA 9.4 gives to those of 16."""
    return _rubin(params) if params["width"] == "32b" else family("sm_100f", ptx="9.4", section=tma_claims.NEW_LOAD)


def _new(probe: Probe, **rest: Any) -> Probe:
    """Return the probe with what PTX ISA 9.4 brought for sm_107f; `rest` is as of `Probe`."""
    return replace(probe, claim=_rubin, **rest)


SPACES, GROUPS = ("cluster", "cta"), (0, 1, 2)
FMTS = ("u8", "f16", "f32", "f64")
REPORTS = tuple(tma_kernels.REPORTS)
MULTICAST = {"space": ("cluster",), "cluster": (2,), "mask": ("0x3",)}
BY_ADDRESS = {"override": ("address",), "hint": ("none", "evict_last")}

PROBES = (
    _gather("gather", product(space=SPACES, rows=tuple(ROWS), hint=("none",))),
    _gather("gather_types", product(space=("cluster",), fmt=FMTS)),
    _gather("gather_swizzle", product(space=("cluster",), swizzle=tuple(SPANS))),
    _gather("gather_hint", product(space=SPACES, hint=("evict_last",))),
    _gather("gather_group", product(space=SPACES, cluster=(2,), group=(1, 2), hint=("none", "evict_first"))),
    _gather(
        "gather_multicast",
        product(space=("cluster",), cluster=(2,), group=(0, 1, 2), mask=("0x3",), hint=("none", "evict_first")),
    ),
    replace(_gather("width", product(**MULTICAST, group=GROUPS, width=("16b", "32b"))), claim=_told_width),
    _new(_gather("report", product(space=SPACES, report=REPORTS)), observed="sass"),
    _new(_gather("report_group", product(space=SPACES, cluster=(2,), group=(1, 2), report=REPORTS)), observed="sass"),
    _new(_gather("report_multicast", product(**MULTICAST, width=("32b",), report=REPORTS)), observed="sass"),
    _new(_gather("override", product(space=SPACES, **BY_ADDRESS)), unlaunched=tma_kernels.UNLAUNCHED),
    _new(
        _gather("override_multicast", product(**MULTICAST, width=("16b", "32b"), override=("address",))),
        unlaunched=tma_kernels.UNLAUNCHED,
    ),
    _new(_scatter("override_scatter", product(rows=("apart",), **BY_ADDRESS)), unlaunched=tma_kernels.UNLAUNCHED),
    _scatter("scatter", product(rows=("apart",), fmt=FMTS)),
    _scatter("scatter_swizzle", product(rows=("apart",), swizzle=("64B", "128B"))),
    _scatter("scatter_hint", product(rows=("apart",), hint=("evict_last",))),
    _scatter("scatter_read", product(rows=("apart",), wait=("read",))),
)
