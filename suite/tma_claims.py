"""What the manual says of copies through a tensor map, by the word in question.

Sources: PTX ISA 9.3, 9.7.9.26.5;
PTX ISA 9.4, 9.7.10.28.5, for what came with it.
"""

from __future__ import annotations

from suite.claims import Claim, family, only, since
from suite.probe import Params

LOAD, REDUCE, PREFETCH = "9.7.9.26.5.2", "9.7.9.26.5.3", "9.7.9.26.5.4"
NEW_LOAD, NEW_REDUCE, NEW_PREFETCH = (f"PTX ISA 9.4, 9.7.10.28.5.{n}" for n in (3, 4, 5))
NEW_PRIORITY = "PTX ISA 9.4, 9.7.10.19"


def hopper(params: Params) -> Claim:
    """Claim tile and im2col copies: sm_90 and later; `.shared::cta` as destination came with PTX ISA 8.6."""
    return since("sm_90", ptx="8.6" if params.get("space") == "cta" else "8.0", section=LOAD)


def datacenter(section: str = LOAD) -> Claim:
    """Claim sm_100a, the family of sm_100f, and that of sm_110f, which was sm_101f before PTX ISA 9.0."""
    return (
        only("sm_100a", ptx="8.6", section=section)
        | family("sm_100f", ptx="8.8", section=section)
        | family("sm_110f", ptx="9.0", section=section)
    )


def rubin(section: str) -> Claim:
    """Claim what PTX ISA 9.4 brought for the family of sm_107f."""
    return family("sm_107f", ptx="9.4", section=section)


def told_width(params: Params) -> Claim:
    """Claim a multicast that tells the width of its mask: 32 bits are new, 16 bits a new name."""
    if params["width"] == "32b":
        return rubin(NEW_LOAD)
    if params.get("group"):
        return family("sm_100f", "sm_110f", ptx="9.4", section=NEW_LOAD)
    return since("sm_90", ptx="9.4", section=NEW_LOAD)


def grouped(params: Params) -> Claim:
    """Claim a tile or im2col load that may have `.cta_group`."""
    return datacenter() if params.get("group") else hopper(params)


def gathered(params: Params) -> Claim:
    """Claim a load in `.tile::gather4` or `.im2col::w`, whose destination decides."""
    if params["space"] == "cta":
        return datacenter() if params.get("group") else since("sm_100", ptx="8.6", section=LOAD)
    return only("sm_100a", ptx="8.6", section=LOAD) | family("sm_100f", ptx="8.8", section=LOAD)
