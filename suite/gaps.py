"""Instructions that the catalogue does not ask about yet: what the manual says of them, and no observation."""

from __future__ import annotations

from suite.claims import Claim, family, only

_TABLE = "13, Table 63"
_MAP = only("sm_90a", ptx="8.3", section=_TABLE) | only("sm_100a", "sm_120a", ptx="8.6", section=_TABLE)

_TENSOR = family("sm_100f", ptx="8.6", section=_TABLE) | family("sm_110f", ptx="9.0", section=_TABLE)

# Opcode or modifier, and its claim. An entry that the catalogue comes to ask about answers no more.
# Source: PTX ISA 9.3, chapter 13, Table 63, release history of arch-specific and family-specific features.
CLAIMS: dict[str, Claim] = {
    "tensormap.replace": _MAP
    | family("sm_100f", "sm_120f", ptx="8.8", section=_TABLE)
    | family("sm_110f", ptx="9.0", section=_TABLE),
    "block16": family("sm_100f", "sm_110f", ptx="8.8", section=_TABLE),
    "block32": family("sm_100f", "sm_110f", ptx="8.8", section=_TABLE),
    # with .shared::cluster as destination, and as source of a scatter
    "gather4": _TENSOR,
    "scatter4": _TENSOR,
    "tcgen05.shift": only("sm_100a", ptx="8.6", section=_TABLE)
    | only("sm_103a", ptx="8.8", section=_TABLE)
    | only("sm_110a", ptx="9.0", section=_TABLE),
    "tcgen05.ld.red": family("sm_103f", ptx="8.8", section=_TABLE) | family("sm_110f", ptx="9.0", section=_TABLE),
    "tcgen05.cp": family("sm_100f", ptx="8.6", section=_TABLE) | family("sm_110f", ptx="9.0", section=_TABLE),
}
