"""The bulk families: kernels assemble where the manual says, and the oracles see what they must."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from suite import bulk_oracle, targets, verify
from suite.bulk_oracle import BLANK, FROM, TO
from suite.claims import ptx_version
from suite.observe import observe
from suite.probe import Case
from tests import assemblers
from tests import copy_kernels as kernels

BULK, REDUCE, GROUP = (kernels.family(name) for name in ("bulk", "bulk_reduce", "bulk_group"))
MULTIMEM = kernels.family("bulk_multimem")
CASES = (*BULK, *REDUCE, *GROUP, *MULTIMEM)
LAUNCHED = (*BULK, *REDUCE, *GROUP)


def of_form(name: str) -> list[Case]:
    family, form = name.split(".")
    return [case for case in kernels.family(family) if case.probe.form == form]


def named(fragment: str) -> Case:
    return next(case for case in CASES if case.id == fragment)


# --- assembling ------------------------------------------------------------------------------------------------------


@cache
def words(target: str) -> dict[str, str]:
    """Return the word of every case, by id, from the assembler of this environment."""
    found = observe(CASES, assemblers.real(), targets.parse(target))
    return {cell.case.id: cell.word for cell in found}


@pytest.mark.parametrize("target", ["sm_90a", "sm_107f"])
def test_kernels_assemble_exactly_where_claimed(target: str) -> None:
    claimed = {case.id for case in CASES if targets.parse(target) in case.claim.targets}
    assert words(target) == {case.id: "assembled" if case.id in claimed else "rejected" for case in CASES}


def test_controls_assemble_everywhere() -> None:
    for target in ("sm_75", "sm_121a"):
        outcome = kernels.assemble([s.control for s in kernels.sources(CASES)], target, (8, 8))
        assert outcome.accepted, outcome.log


# Transcribed once more from the manual's notes: case, targets that must have it, targets that must not, version.
CLAIMS = (
    ("bulk.load:sem=none,space=cta,hint=cache_hint,bytes=272", "sm_90 sm_120", "sm_89", "8.6"),
    ("bulk.load:sem=none,space=cluster,hint=none,bytes=16", "sm_90 sm_121a", "sm_80", "8.0"),
    ("bulk.load:sem=weak,space=cta,hint=none,bytes=272", "sm_90a sm_100f sm_110a", "sm_90 sm_100 sm_120a", "9.3"),
    ("bulk.ignore_oob:sem=none,hint=none,bytes=272,left=5,right=9", "sm_90 sm_121", "sm_89", "9.2"),
    ("bulk.cp_mask:sem=none,hint=none,bytes=272,mask=0xa5c3", "sm_100 sm_121", "sm_90a", "8.6"),
    ("bulk.cp_mask:sem=relaxed.gpu,hint=none,bytes=272,mask=0xa5c3", "sm_100a sm_103f", "sm_90a sm_120a", "9.3"),
    ("bulk.prefetch:hint=evict_last,bytes=16", "sm_107a sm_107f", "sm_90a sm_103a sm_107", "9.4"),
    ("bulk_reduce.global:op=add,type=u32,sem=none,hint=none,bytes=16", "sm_90 sm_120", "sm_89", "8.0"),
    ("bulk_reduce.global:op=add,type=u32,sem=relaxed.cta,hint=none,bytes=272", "sm_90 sm_121", "sm_89", "9.3"),
    (
        "bulk_reduce.global_noftz:op=add,type=f32,ftz=noftz,sem=none,hint=none,bytes=272",
        "sm_90",
        "sm_89",
        "9.4",
    ),
    ("bulk_group.wait_group:groups=4,pending=3,read=yes,bytes=4096", "sm_90 sm_121a", "sm_89", "8.0"),
    ("bulk_multimem.copy:sem=none,bytes=272", "sm_90 sm_121a", "sm_89", "9.1"),
    ("bulk_multimem.cp_mask:sem=none,bytes=272,mask=0xa5c3", "sm_100", "sm_90a", "9.1"),
)


@pytest.mark.parametrize(("name", "has", "lacks", "ptx"), CLAIMS, ids=lambda value: str(value).split(":")[0])
def test_claims_are_what_the_notes_say(name: str, has: str, lacks: str, ptx: str) -> None:
    claim = named(name).claim
    assert {targets.parse(word) for word in has.split()} <= claim.targets
    assert not {targets.parse(word) for word in lacks.split()} & claim.targets
    assert claim.ptx == ptx_version(ptx)


def test_the_scaffold_is_the_armed_kernel_without_the_instruction() -> None:
    supporting = ("mbarrier.", "cluster", "cp.async", "fence", "createpolicy")
    for source in kernels.sources(CASES):
        assert len(source.armed.marked) == 1
        assert kernels.without_mark(source) == source.scaffold.text
        assert not any(word in source.control.text for word in supporting)


def test_no_wait_on_a_barrier_is_unbounded() -> None:
    for text in {source.armed.text for source in kernels.sources(CASES)}:
        waits = text.count("try_wait")
        assert waits == text.count("0xBAD0BAD0") == text.count(", 65536;") <= 1
        assert text.count("barrier.cluster.arrive") == text.count("barrier.cluster.wait") == 2 * waits


def test_sizes_and_places_are_multiples_of_16_and_windows_fit() -> None:
    for case in CASES:
        assert case.params["bytes"] % 16 == FROM % 16 == TO % 16 == 0
        shared = 2 if "exchange" in case.probe.template else case.params.get("groups", 1)
        assert shared * case.params["bytes"] + TO + bulk_oracle.GUARD <= 48 * 1024 - 16


def test_sizes_masks_and_ends_come_from_memory() -> None:
    for case in (*BULK, *REDUCE):
        assert "%size" in case.instruction
        assert ("%mask" in case.instruction) == (case.probe.form in ("cp_mask", "multicast") and "32b" not in case.id)


def test_buffers_round_trip() -> None:
    for case in LAUNCHED:
        kernels.assert_round_trips(case)


# --- copies against a slow reference ---------------------------------------------------------------------------------


def window_byte(cta: int, offset: int) -> int:
    """Return the byte that a window holds before the copy."""
    word = offset // 4
    return (2 * (word % 128) + 1, 2 * (word // 128) + 1, 2 * cta + 1, 0xA5)[offset % 4]


@pytest.mark.parametrize("case", [c for c in BULK if c.probe.template == "bulk_load.ptx.j2"], ids=lambda case: case.id)
def test_loads_against_byte_by_byte(case: Case) -> None:
    inputs, size = verify.inputs(case), case.params["bytes"]
    left, right = case.params.get("left", 0), case.params.get("right", 0)
    members = int(case.params.get("mask", "0x1"), 16)
    assert inputs["facts"].tolist() == [size, members, left, right]
    assert not (inputs["src"] % 2).any()
    source = inputs["src"].tolist()
    for cta, row in enumerate(kernels.expected(case)["out"].tolist()):
        for offset, found in enumerate(row):
            place = offset - TO
            if not (members >> cta & 1 and 0 <= place < size):
                assert found == window_byte(cta, offset)
            elif place < left or place >= size - right:
                assert found == BLANK
            else:
                assert found == source[FROM + place]


@pytest.mark.parametrize("case", [*of_form("bulk.store"), *of_form("bulk.cp_mask")], ids=lambda case: case.id)
def test_stores_against_byte_by_byte(case: Case) -> None:
    inputs, size = verify.inputs(case), case.params["bytes"]
    mask = int(case.params.get("mask", "0xffff"), 16)
    source = inputs["src"][0].tolist()
    for offset, found in enumerate(kernels.expected(case)["out"].tolist()):
        place = offset - TO
        copied = 0 <= place < size and mask >> (place % 16) & 1
        assert found == (source[place] if copied else window_byte(0, offset))


def test_a_flipped_bit_of_a_byte_mask_would_be_seen() -> None:
    case = named("bulk.cp_mask:sem=none,hint=none,bytes=272,mask=0xa5c3")
    right = kernels.expected(case)["out"]
    for bit in range(16):
        other = {**case.params, "mask": hex(0xA5C3 ^ 1 << bit)}
        wrong = np.flatnonzero(case.probe.oracle(other, verify.inputs(case))["out"] != right)
        assert [int(place - TO) % 16 for place in wrong] == [bit] * 17


@pytest.mark.parametrize("case", of_form("bulk.exchange"), ids=lambda case: case.id)
def test_exchanges_against_byte_by_byte(case: Case) -> None:
    inputs, size, ctas = verify.inputs(case), case.params["bytes"], case.params["cluster"]
    assert inputs["peers"].tolist() == [*range(1, ctas), 0]
    assert inputs["expected"].tolist() == [size] * ctas
    sources = {bytes(row[FROM : FROM + size]) for row in inputs["init"]}
    assert len(sources) == ctas
    init = inputs["init"].tolist()
    for cta, row in enumerate(kernels.expected(case)["out"].tolist()):
        sender = init[(cta - 1) % ctas]
        for offset, found in enumerate(row):
            place = offset - TO - size
            assert found == (sender[FROM + place] if 0 <= place < size else init[cta][offset])


@pytest.mark.parametrize("case", of_form("bulk.report"), ids=lambda case: case.id)
def test_no_validity_check_can_match_the_source(case: Case) -> None:
    source = verify.inputs(case)["src"]
    assert not {0x0, 0x8, 0xF} & {nibble for byte in source.tolist() for nibble in (byte & 15, byte >> 4)}
    assert len({bytes(pair) for pair in source.reshape(-1, 2)}) == source.size // 2


def test_what_a_group_brings_is_told_from_what_was_there() -> None:
    for case in GROUP:
        inputs = verify.inputs(case)
        assert (inputs["out"] % 2).all()
        assert not (inputs["src"] % 2).any()
        for name in ("out", "seen"):
            np.testing.assert_array_equal(kernels.expected(case)[name], inputs["src"])


@pytest.mark.parametrize("case", of_form("bulk_group.wait_group"), ids=lambda case: case.id)
def test_a_wait_stands_between_all_commits_and_what_it_guards(case: Case) -> None:
    lines = kernels.sources([case])[0].armed.text.splitlines()
    wait = next(i for i, line in enumerate(lines) if case.instruction in line)
    commits = [i for i, line in enumerate(lines) if "commit_group" in line]
    rest = next(i for i, line in enumerate(lines) if i > wait and "wait_group 0;" in line)
    guarded = lines.index("OVERWRITE:" if case.params["read"] == "yes" else "READY:")
    assert len(commits) == 4
    assert commits[-1] < wait < guarded < rest
    bound = next(line for line in lines[guarded:] if "setp.ge" in line)
    assert bound.strip().endswith(f", {(4 - case.params['pending']) * case.params['bytes']};")
