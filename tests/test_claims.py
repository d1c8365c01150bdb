"""Claims below, on and above their boundary, and mma's against a second reading of the manual."""

from __future__ import annotations

import re

import pytest

from suite import catalogue, targets
from suite.claims import Claim, family, only, ptx_version, since
from suite.probe import Case

SECTION = "9.7"


def names(claim: Claim) -> set[str]:
    return {target.name for target in claim.targets}


@pytest.mark.parametrize("text, version", [("8.0", (8, 0)), ("8.7", (8, 7)), ("9.10", (9, 10)), ("10.0", (10, 0))])
def test_versions_are_read_as_pairs(text: str, version: tuple[int, int]) -> None:
    assert ptx_version(text) == version


def test_versions_compare_as_versions_do() -> None:
    assert ptx_version("9.2") < ptx_version("9.10") < ptx_version("10.0")


@pytest.mark.parametrize("text", ["", "8", "8.", "8.7.1", "eight.seven"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ptx_version(text)


#     claim                                            target      version  supported
SINCE, ONLY = since("sm_90", ptx="8.0", section=SECTION), only("sm_100a", "sm_110a", ptx="8.6", section=SECTION)
FAMILY, WIDER = family("sm_100f", ptx="8.8", section=SECTION), only("sm_120a", ptx="8.7", section=SECTION)
WIDER = WIDER | family("sm_120f", ptx="8.8", section=SECTION)
BOUNDARIES = (
    (SINCE, "sm_89", (9, 3), False),
    (SINCE, "sm_90", (7, 8), False),
    (SINCE, "sm_90", (8, 0), True),
    (SINCE, "sm_90", (8, 1), True),
    (SINCE, "sm_90a", (8, 0), True),
    (SINCE, "sm_100", (8, 6), True),
    (SINCE, "sm_121f", (9, 0), True),
    (ONLY, "sm_100", (9, 3), False),
    (ONLY, "sm_100f", (9, 3), False),
    (ONLY, "sm_103a", (9, 3), False),
    (ONLY, "sm_100a", (8, 5), False),
    (ONLY, "sm_100a", (8, 6), True),
    (ONLY, "sm_110a", (8, 6), True),
    (FAMILY, "sm_100", (9, 3), False),
    (FAMILY, "sm_100f", (8, 7), False),
    (FAMILY, "sm_100f", (8, 8), True),
    (FAMILY, "sm_100a", (8, 8), True),
    (FAMILY, "sm_103a", (8, 8), True),
    (FAMILY, "sm_103f", (8, 8), True),
    (FAMILY, "sm_103", (9, 3), False),
    (FAMILY, "sm_110a", (9, 3), False),
    (FAMILY, "sm_120f", (9, 3), False),
    (WIDER, "sm_120a", (8, 6), False),
    (WIDER, "sm_120a", (8, 7), True),
    (WIDER, "sm_120f", (8, 7), False),
    (WIDER, "sm_120f", (8, 8), True),
    (WIDER, "sm_121a", (8, 7), False),
    (WIDER, "sm_121a", (8, 8), True),
    (WIDER, "sm_121", (9, 3), False),
    (WIDER, "sm_100a", (9, 3), False),
)


@pytest.mark.parametrize("claim, target, ptx, supported", BOUNDARIES)
def test_boundaries(claim: Claim, target: str, ptx: tuple[int, int], supported: bool) -> None:
    assert claim.supports_at(targets.parse(target), ptx) is supported


def test_a_widened_claim_keeps_the_older_minimum_and_both_sections() -> None:
    wider = only("sm_120a", ptx="8.7", section="1.1") | family("sm_120f", ptx="8.8", section="1.2")
    assert (wider.ptx, wider.section) == ((8, 7), "1.1; 1.2")
    assert wider.minimum(targets.parse("sm_120a")) == (8, 7)
    assert wider.minimum(targets.parse("sm_121f")) == (8, 8)
    assert wider.minimum(targets.parse("sm_90a")) is None
    assert (WIDER | WIDER).section == SECTION


def test_a_family_of_a_later_member_leaves_the_earlier_out() -> None:
    assert names(family("sm_103f", ptx="8.8", section=SECTION)) == {"sm_103a", "sm_103f", "sm_107a", "sm_107f"}


def test_since_a_target_older_than_all_kept_claims_all() -> None:
    assert since("sm_70", ptx="6.4", section=SECTION).targets == frozenset(targets.ALL)


@pytest.mark.parametrize("case", catalogue.expand()[::5], ids=lambda case: case.id)
def test_every_claim_names_a_section_and_a_target(case: Case) -> None:
    for section in case.claim.section.split("; "):
        assert re.fullmatch(r"(PTX ISA \d+\.\d+, )?\d+(\.\d+)+(, as [\w.+]+ (spells|lists) it)?", section)
    assert case.claim.targets


# mma's notes, read a second time, by a pattern over the opcode. Source: PTX ISA 9.3, 9.7.15.5.14, Target ISA Notes and
# PTX ISA Notes. The first that matches is the strongest: a shape's note yields to the note on a type or qualifier.
NOTES = (
    # opcode                                                     oldest target   .version
    (r"kind::mxf4nvf4\.block_scale\.scale_vec::4X\..*ue8m0$", "sm_120 family", "9.1"),
    (r"\.kind::", "sm_120a, later family", "8.7"),
    (r"m16n8k16\..*\.e[45]m[23]\.", "sm_89", "8.7"),
    (r"m16n8k32\..*\.f16\.e[45]m[23]\..*\.f16$", "sm_89", "8.7"),
    (r"m16n8k32\..*\.f32\.e[45]m[23]\.", "sm_89", "8.4"),
    (r"\.b1\..*\.and\.popc$", "sm_80", "7.1"),
    (r"m8n8k128\..*\.b1\..*\.xor\.popc$", "sm_75", "7.0"),
    (r"m16n8k(128|256)\..*\.b1\..*\.xor\.popc$", "sm_80", "7.0"),
    (r"m8n8k4\..*\.f16\.f16\.f(16|32)$", "sm_70", "6.4"),
    (r"m16n8k8\..*\.f16\.f16\.f(16|32)$", "sm_75", "6.5"),
    (r"m16n8k16\..*\.f16\.f16\.f(16|32)$", "sm_80", "7.0"),
    (r"m16n8k(8|16)\..*\.bf16\.bf16\.", "sm_80", "7.0"),
    (r"m16n8k[48]\..*\.tf32\.tf32\.", "sm_80", "7.0"),
    (r"m8n8k4\..*\.f64\.", "sm_80", "7.0"),
    (r"m16n8k(4|8|16)\..*\.f64\.", "sm_90", "7.8"),
    (r"m8n8k16\..*\.[su]8\.", "sm_75", "6.5"),
    (r"m8n8k32\..*\.[su]4\.", "sm_75", "6.5"),
    (r"m16n8k(16|32)\..*\.[su]8\.", "sm_80", "7.0"),
    (r"m16n8k(32|64)\..*\.[su]4\.", "sm_80", "7.0"),
)


def minimum(note: tuple[str, str, str], target: targets.Target) -> tuple[int, int] | None:
    _, oldest, version = note
    ptx = ptx_version(version)
    if oldest.startswith("sm_120"):
        late = max(ptx, (8, 8))
        at_once = target.name == "sm_120a"
        member = target.name in ("sm_120a", "sm_120f", "sm_121a", "sm_121f")
        return (ptx if at_once else late) if member else None
    return ptx if target.number >= int(oldest.removeprefix("sm_")) else None


def test_mma_claims_are_the_manuals_read_again() -> None:
    cases = [case for case in catalogue.expand() if case.family == "mma_sync"]
    used = set()
    for case in cases:
        note = next(note for note in NOTES if re.search(note[0], case.opcode))
        used.add(note)
        for target in targets.ALL:
            assert case.claim.minimum(target) == minimum(note, target), f"{case.opcode} on {target}"
    assert used == set(NOTES)
