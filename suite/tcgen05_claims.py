"""What the notes of tcgen05.mma and its variants say, form by form. sm_101 is sm_110 from PTX 9.0.

Source: Target ISA Notes and PTX ISA Notes of PTX ISA 9.3, 9.7.17.10.9.1 to .4; of 9.4, 9.7.18.10.10.1 to .4 for what
is new there.
"""

from __future__ import annotations

from functools import cache

from suite.claims import Claim, family, only

SECTIONS = {
    "mma": "9.7.17.10.9.1",
    "mma.sp": "9.7.17.10.9.2",
    "mma.ws": "9.7.17.10.9.3",
    "mma.ws.sp": "9.7.17.10.9.4",
}


@cache
def plain(variant: str, kind: str) -> Claim:
    """Claim a kind without block scaling: family-wide, but i8 on two chips alone."""
    section = SECTIONS[variant]
    if kind == "i8":
        return only("sm_100a", ptx="8.6", section=section) | only("sm_110a", ptx="9.0", section=section)
    return _wide("8.6", section)


@cache
def scaled_input(variant: str) -> Claim:
    """Claim `scale-input-d`: sm_100a, and its family from PTX 8.8."""
    section = SECTIONS[variant]
    return only("sm_100a", ptx="8.6", section=section) | family("sm_100f", ptx="8.8", section=section)


@cache
def block_scaled(variant: str, kind: str, vec: str) -> Claim:
    """Claim a block-scaled form: `.scale_vec` on sm_100a, `.block` family-wide, sparse 4-bit kinds on `a` targets."""
    section, first = SECTIONS[variant], "8.7" if kind == "mxf4nvf4" else "8.6"
    if vec[-1] == "X":
        return only("sm_100a", ptx=first, section=section)
    if vec.startswith("block"):
        first = "8.8"
    if variant == "mma.sp" and kind in ("mxf4", "mxf4nvf4"):
        return _chips(first, section)
    return _wide(first, section)


def _wide(first: str, section: str) -> Claim:
    return (
        only("sm_100a", ptx=first, section=section)
        | family("sm_100f", ptx="8.8", section=section)
        | family("sm_110f", ptx="9.0", section=section)
    )


def _chips(first: str, section: str) -> Claim:
    return (
        only("sm_100a", ptx=first, section=section)
        | only("sm_103a", ptx="8.8", section=section)
        | only("sm_110a", ptx="9.0", section=section)
        | only("sm_107a", ptx="9.4", section="PTX ISA 9.4, 9.7.18.10.10.2")
    )


@cache
def newest_packed(variant: str) -> Claim:
    """Claim `.collector::b` with the sparse 4-bit kinds, which PTX ISA 9.4 gives to sm_107a alone of its chips."""
    return only("sm_107a", ptx="9.4", section=f"PTX ISA 9.4, {_renumbered(variant)}")


def _renumbered(variant: str) -> str:
    return SECTIONS[variant].replace("9.7.17.10.9", "9.7.18.10.10")


@cache
def newest(variant: str) -> Claim:
    """Claim what PTX ISA 9.4 adds for sm_107f: kind::ti16, `.collector::b` and `.decompress::lut::b`."""
    return family("sm_107f", ptx="9.4", section=f"PTX ISA 9.4, {_renumbered(variant)}")


@cache
def newest_scale(variant: str) -> Claim:
    """Claim a scale type that is defined on sm_107f alone, in a form that only sm_107f has."""
    return newest(variant) | family("sm_107f", ptx="9.4", section="PTX ISA 9.4, 9.7.18.10.7.1")
