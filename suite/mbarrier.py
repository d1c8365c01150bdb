"""Facts of mbarrier: what each feature of a form needs, and the opcodes that realize it.

Sources: PTX ISA 9.3, 9.7.14.16.12 to 9.7.14.16.21.
"""

from __future__ import annotations

from suite.claims import Claim, family, ptx_version, since

# What a form needs beside mbarrier itself. Source: PTX ISA 9.3, 9.7.14.16.12 to .21, PTX ISA and Target ISA Notes.
NEEDS = {
    # feature             target    PTX
    "mbarrier":          ("sm_80", "7.0"),
    "sink":              ("sm_80", "7.1"),
    "parity":            ("sm_80", "7.1"),
    "shared::cta":       ("sm_80", "7.8"),
    "count":             ("sm_90", "7.8"),
    "try_wait":          ("sm_90", "7.8"),
    "shared::cluster":   ("sm_90", "8.0"),
    "expect_tx":         ("sm_90", "8.0"),
    "complete_tx":       ("sm_90", "8.0"),
    "acquire.cta":       ("sm_80", "8.0"),
    "release.cta":       ("sm_80", "8.0"),
    "acquire.cluster":   ("sm_90", "8.0"),
    "release.cluster":   ("sm_90", "8.0"),
    "relaxed.cta":       ("sm_90", "8.6"),
    "relaxed.cluster":   ("sm_90", "8.6"),
    "primary":           ("sm_90", "9.3"),
    "conditional":       ("sm_90", "9.3"),
    "report":            ("sm_90", "9.3"),
    "v0":                ("sm_90", "9.3"),
    "v1":                ("sm_90", "9.3"),
    "check_layout":      ("sm_90", "9.3"),
}  # fmt: skip

# Opcodes as ptxas 13.5.37 writes them: SYNCS on sm_90 and all later targets, on sm_107 also by two uniform units;
# ATOM and ATOMS on sm_80 to sm_89, where the other operations are plain loads, stores and additions.
UNITS = ("SYNCS", "USYNCS", "SYNCSU")
OLD_ARRIVE = ("ATOMS.ARRIVE.64", "ATOM.ARRIVE.64")


def syncs(modifiers: str) -> tuple[str, ...]:
    """Return the opcode with these modifiers on each of the units."""
    return tuple(f"{unit}.{modifiers}" for unit in UNITS)


def claim(section: str, *features: str) -> Claim:
    """Return the claim of a form: what the most demanding of its features needs; unknown words need nothing."""
    needed = [NEEDS[feature] for feature in ("mbarrier", *features) if feature in NEEDS]
    first = max((target for target, _ in needed), key=lambda name: int(name.removeprefix("sm_")))
    return since(first, ptx=max((ptx for _, ptx in needed), key=ptx_version), section=section)


def multicast_claim(section: str) -> Claim:
    """Claim `.multicast::cluster::32b`, whose notes are in the same section of PTX ISA 9.4, there 9.7.15."""
    return family("sm_107f", ptx="9.4", section="PTX ISA 9.4, " + section.replace("9.7.14", "9.7.15"))


def dotted(*words: str) -> str:
    """Return the words as qualifiers, without those that stand for the absence of one."""
    return "".join(f".{word}" for word in words if word not in ("none", "generic", "generic_peer"))
