"""Releases of the CUDA toolkit: the highest `.version` of each, its driver branch, and the targets it added or dropped.

What an assembler on this machine can do is asked of it (`suite.toolchains`); this table answers for those not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suite.claims import PtxVersion


@dataclass(frozen=True)
class Release:
    """One minor release: its highest `.version`, the driver branch that came with it (None: not known), its targets."""

    toolkit: str
    ptx: PtxVersion
    driver: int | None
    targets: frozenset[str]


# Targets before the first row. Source: PTX ISA 9.3, 13, Table 62, PTX ISA 7.7.
_OLDER = "sm_50 sm_52 sm_53 sm_60 sm_61 sm_62 sm_70 sm_72 sm_75 sm_80 sm_86 sm_87"

# Source: PTX ISA 9.3, 13, Table 62, for `.version`, driver branch and additions up to 13.3; additions and removals from
# 12.8 on are those of `ptxas --help` of 12.8.93, 12.9.86, 13.0.88, 13.1.115, 13.2.86, 13.3.73, 13.4.92 and 13.5.37,
# whose refusals of an impossible `.version` also give that of 13.4 and 13.5.
_TABLE = (
    # toolkit  .version  driver  added                                                    dropped
    ("11.8",   (7, 8),   520,    "sm_89 sm_90",                                           ""),
    ("12.0",   (8, 0),   525,    "sm_90a",                                                ""),
    ("12.1",   (8, 1),   530,    "",                                                      ""),
    ("12.2",   (8, 2),   535,    "",                                                      ""),
    ("12.3",   (8, 3),   545,    "",                                                      ""),
    ("12.4",   (8, 4),   550,    "",                                                      ""),
    ("12.5",   (8, 5),   555,    "",                                                      ""),
    ("12.6",   (8, 5),   560,    "",                                                      ""),
    ("12.7",   (8, 6),   565,    "sm_100 sm_100a sm_101 sm_101a",                         ""),
    ("12.8",   (8, 7),   570,    "sm_120 sm_120a",                                        ""),
    ("12.9",   (8, 8),   575,    "sm_100f sm_101f sm_103 sm_103a sm_103f sm_120f sm_121 sm_121a sm_121f", ""),
    ("13.0",   (9, 0),   580,    "sm_88 sm_110 sm_110a sm_110f",
     "sm_50 sm_52 sm_53 sm_60 sm_61 sm_62 sm_70 sm_72 sm_101 sm_101a sm_101f"),
    ("13.1",   (9, 1),   590,    "",                                                      ""),
    ("13.2",   (9, 2),   595,    "",                                                      ""),
    ("13.3",   (9, 3),   610,    "",                                                      ""),
    ("13.4",   (9, 4),   None,   "sm_107 sm_107a sm_107f",                                ""),
    ("13.5",   (9, 5),   None,   "",                                                      ""),
)  # fmt: skip

# Targets that go by another name since. Source: PTX ISA 9.3, 11.1.2: sm_101 was renamed to sm_110 with PTX ISA 9.0.
RENAMED = {"sm_101": "sm_110", "sm_101a": "sm_110a", "sm_101f": "sm_110f"}


def _releases() -> Iterable[Release]:
    known = set(_OLDER.split())
    for toolkit, ptx, driver, added, dropped in _TABLE:
        known |= set(added.split())
        known -= set(dropped.split())
        yield Release(toolkit, ptx, driver, frozenset(known))


ALL: tuple[Release, ...] = tuple(_releases())


def knowing(target: str) -> tuple[Release, ...]:
    """Return the releases whose ptxas knows the target, oldest first."""
    return tuple(release for release in ALL if target in release.targets)


def taking(ptx: PtxVersion) -> Release | None:
    """Return the oldest release that takes `.version ptx`, None where no release of the table does."""
    return next((release for release in ALL if release.ptx >= ptx), None)


def floor(target: str) -> PtxVersion | None:
    """Return the lowest `.version` that takes the target, None for one older than the table or unknown to it."""
    first = next(iter(knowing(target)), None)
    return None if first is None or first is ALL[0] else first.ptx


def ceiling(driver: int) -> Release | None:
    """Return the release whose `.version` a driver branch compiles at most: 580 is the branch of 13.0."""
    return next((r for r in reversed(ALL) if r.driver is not None and r.driver <= driver), None)
