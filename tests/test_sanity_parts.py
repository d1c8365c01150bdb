"""The parts of the sanity check: search, profiles, needs, rates and peaks, each with what it must refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import catalogue, targets
from suite.assembler_process import assemble_text
from suite.cli import main
from suite.errors import UsageError
from suite.model import NotAsked, Observation
from suite.render import header
from suite.sanity import kernels, libraries, memory_kernels, mismatches, needs, nvml, profiles, quick, rates, search
from suite.sanity.model import Ran
from suite.sanity.peaks import PEAKS, peak
from suite.sanity.performance import spread, target, wanted
from tests.assemblers import real

PTX = (9, 0)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1, 7, 16]))
def test_a_search_finds_the_largest_that_is_taken(limit: int, high: int, step: int) -> None:
    asked: list[int] = []

    def takes(value: int) -> bool:
        asked.append(value)
        return value <= limit

    expected = max((v for v in range(0, high + 1, step) if v <= limit), default=None)
    assert search.largest(takes, 0, high, step) == expected
    assert len(asked) <= 15


def test_a_search_in_which_nothing_is_taken_finds_none() -> None:
    assert search.largest(lambda value: False, 1, 100) is None
    assert search.smallest(lambda value: False, (1, 2)) is None
    assert search.smallest(lambda value: value >= 2, (1, 2, 4)) == 2


TEXTS = {f.__name__: f() for f in (kernels.empty, kernels.mark, kernels.touch, kernels.live, memory_kernels.fill,
                                   memory_kernels.read, memory_kernels.write, memory_kernels.copy)}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_the_small_kernels_are_taken_by_every_chip_since_sm_80(name: str) -> None:
    for arch in ("sm_80", "sm_121"):
        outcome = assemble_text([real().path], header(arch, PTX) + TEXTS[name], arch, limit=60)
        assert outcome.accepted, outcome.log


@pytest.mark.parametrize("rate", rates.RATES, ids=lambda rate: f"{rate.unit}-{rate.kind}-{rate.shape}")
def test_the_rate_kernels_are_taken_where_they_are_measured_and_not_below(rate: rates.Rate) -> None:
    first = targets.parse(rate.target)
    name = target(rate, first.capability).name
    assert assemble_text([real().path], header(name, PTX) + rates.text(rate), name, limit=60).accepted
    before = {"sm_80": "sm_75", "sm_89": "sm_86", "sm_90": "sm_86", "sm_90a": "sm_90", "sm_120f": "sm_120"}[rate.target]
    refused = assemble_text([real().path], header(before, PTX) + rates.text(rate), before, limit=60)
    assert not refused.accepted


@pytest.mark.parametrize("rate", rates.RATES, ids=lambda rate: f"{rate.unit}-{rate.kind}-{rate.shape}")
def test_an_instructions_opcode_and_shape_agree(rate: rates.Rate) -> None:
    m, n, k = rate.shape
    assert f".m{m}n{n}k{k}." in rate.opcode
    assert rate.operations == 2 * m * n * k


@pytest.mark.parametrize(
    ("chip", "level", "found"),
    [
        ((8, 0), "quick", {"mma.sync"}),
        ((9, 0), "quick", {"wgmma", "mma.sync"}),
        ((12, 1), "quick", {"mma.sync"}),
    ],
)
def test_a_chip_is_measured_by_its_fastest_unit(chip: tuple[int, int], level: str, found: set[str]) -> None:
    chosen = wanted(chip, level)
    assert {rate.unit for rate in chosen} == found
    assert len({rate.kind for rate in chosen}) == len(chosen)
    names = [(rate.unit, rate.kind) for rate in wanted(chip, "full")]
    assert len(names) == len(set(names))


def test_wgmma_is_measured_on_hopper_alone() -> None:
    assert {r.kind for r in wanted((9, 0), "quick") if r.unit == "mma.sync"} == {"f64"}
    assert not any(rate.unit == "wgmma" for chip in ((8, 9), (10, 0), (12, 0)) for rate in wanted(chip, "full"))


def test_a_share_is_of_the_right_peak_or_of_none() -> None:
    assert peak("NVIDIA H200", 9, "copy") == (4800, PEAKS["NVIDIA H200"].source)
    assert peak("NVIDIA H200", 9, "wgmma f16") == (989.4, PEAKS["NVIDIA H200"].source)
    assert peak("NVIDIA H200", 9, "mma.sync f16") is None  # that peak is wgmma's
    assert peak("NVIDIA GB10", 12, "read") == (273, PEAKS["NVIDIA GB10"].source)
    assert peak("NVIDIA GB10", 12, "mma.sync f16") is None
    assert peak("a chip of tomorrow", 13, "read") is None
    assert all(chip.source and chip.memory for chip in PEAKS.values())


@pytest.mark.parametrize("name", PEAKS)
def test_no_peak_is_one_with_sparsity_or_f16_accumulation(name: str) -> None:
    rates, halved = PEAKS[name].matrix, "GeForce" in name  # on a GeForce f32 accumulation halves f16 and fp8
    for kind, times in {"bf16": 1, "tf32": 0.5, "fp8": 2, "int8": 4 if halved else 2}.items():
        assert rates.get(kind, times * rates.get("f16", 0)) == pytest.approx(times * rates.get("f16", 0), rel=0.025)


def test_a_median_has_its_spread() -> None:
    assert spread([3.00049, 1, 2]) == {"median": 2, "least": 1, "most": 3.0}


def test_the_quick_set_has_positive_and_negative_controls_for_every_chip() -> None:
    for chip in {known.capability for known in targets.ALL if known.capability >= (8, 0)}:
        native = targets.native(chip)
        claimed = [native in case.claim.targets for case in quick.cases()]
        assert any(claimed), native
        assert not all(claimed), native
    assert {"sm_121a", "sm_90a"} <= {name.name for case in quick.cases() for name in case.claim.targets}


# Profiles

GOOD = """
name = "p"
says = "s"
[[instruction]]
case = "cp_async.commit_group:*"
reason = "r"
"""


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_reads_and_gives_a_reason_for_each_requirement(name: str) -> None:
    profile = profiles.load(name)
    assert profile.name == name
    assert all(need.reason for need in profile.instructions)
    assert all(limit.reason for limit in profile.limits)
    for need in profile.instructions:
        assert frozenset.intersection(*(case.claim.targets for case in need.cases)), need.pattern


def test_the_profiles_asked_for_are_there() -> None:
    assert set(profiles.names()) == {
        "flash-attention-sm80-class", "flash-attention-4", "fp8-gemm-warp", "nvfp4-warp", "mxfp8-tcgen05",
        "tma-multicast", "wgmma-hopper", "paged-kv-cp-async",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "p.toml"),
        ('says = "s"', "'name' is missing"),
        ('name = "p"\nsays = "s"', "requires nothing"),
        (GOOD + "more = 1", "unknown key 'more'"),
        (f"wrong = 1\n{GOOD}", "unknown key 'wrong'"),
        (GOOD.replace("commit", "comit"), "matches none"),
        (GOOD + 'need = "some"', "not 'all' or 'any'"),
        (GOOD + 'realization = ["fast"]', "realization is"),
        (GOOD + "realization = []", "realization is"),
        (GOOD + '[[limit]]\nlimit = "speed"\nleast = 1\nreason = "r"', "no limit is named 'speed'"),
        (GOOD + '[[limit]]\nlimit = "shared"\nleast = "1"\nreason = "r"', "not a whole number"),
        (GOOD + '[[toolchain]]\nleast = "eight"\nreason = "r"', "broken profile"),
        (GOOD.replace("[[instruction]]", "[instruction]"), "write [[instruction]]"),
    ],
)
def test_a_broken_profile_is_refused_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        profiles.load(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


CASE = catalogue.find("cp_async.commit_group:groups=2")
SEEN = Observation(CASE.id, "cp_async", "o", "sm_90a", "ptxas 1", "9.0", "correct", "agrees", "k", "native")
EMULATED = replace(SEEN, realization="emulated", opcodes={"MOV": 3})
UNLAUNCHED = replace(SEEN, word="assembled", not_asked=NotAsked("load", "no device"))


@pytest.mark.parametrize(
    ("cell", "hardware", "answer", "evidence"),
    [
        (SEEN, True, "go", "correct native"),
        (replace(SEEN, word="assembled"), False, "go", "assembled native"),
        (UNLAUNCHED, True, "cannot judge", "no device"),
        (EMULATED, True, "no-go", "3 MOV"),
        (replace(SEEN, word="rejected", realization=None), False, "no-go", "rejected"),
        (replace(SEEN, word="wrong"), True, "no-go", "wrong"),
        (replace(SEEN, word="unaskable", realization=None), True, "cannot judge", "unaskable"),
        (None, True, "cannot judge", "not asked"),
    ],
)
def test_a_requirement_is_judged_by_its_cell(
    tmp_path: Path, cell: Observation | None, hardware: bool, answer: str, evidence: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD)
    facts = profiles.Facts({cell.case: cell} if cell else {}, {}, "made up", on_hardware=hardware)
    found = profiles.answer(profiles.load(str(path)), facts)
    assert found["answer"] == answer
    assert evidence in found["requirements"][0]["evidence"][0]


def test_a_record_that_shows_a_failure_outweighs_the_assembler(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD)
    told = {CASE.id: "refuted: faulted on sm_90a in a committed record"}
    facts = profiles.Facts({CASE.id: replace(SEEN, word="assembled")}, {}, "", on_hardware=False, more=told)
    assert profiles.answer(profiles.load(str(path)), facts)["answer"] == "no-go"


@pytest.mark.parametrize(
    ("known", "hardware", "answer"),
    [({"shared": 101376}, True, "go"), ({"shared": 101375}, True, "no-go"), ({}, True, "cannot judge"),
     ({}, False, "go")],
)  # fmt: skip
def test_a_limit_is_held_against_what_was_measured(
    tmp_path: Path, known: dict[str, Any], hardware: bool, answer: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD + '[[limit]]\nlimit = "shared"\nleast = 101376\nreason = "r"')
    cell = SEEN if hardware else replace(SEEN, word="assembled")
    facts = profiles.Facts({CASE.id: cell}, known, "", on_hardware=hardware)
    assert profiles.answer(profiles.load(str(path)), facts)["answer"] == answer


@pytest.mark.parametrize(("first", "second", "answer"), [(SEEN, EMULATED, "go"), (EMULATED, EMULATED, "no-go")])
def test_any_of_several_will_do_where_the_profile_says_so(
    tmp_path: Path, first: Observation, second: Observation, answer: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace("commit_group:*", "wait_group:groups=4,pending=[01]") + 'need = "any"')
    profile = profiles.load(str(path))
    cells = {case.id: replace(cell, case=case.id) for case, cell in zip(profile.cases, (first, second), strict=True)}
    assert profiles.answer(profile, profiles.Facts(cells, {}, "", on_hardware=True))["answer"] == answer


@pytest.mark.parametrize(
    ("arch", "profile", "code", "said"),
    [
        ("sm_121a", "nvfp4-warp", 0, "nvfp4-warp: go"),
        ("sm_121a", "flash-attention-4", 1, "tcgen05.alloc"),
        ("sm_121a", "tma-multicast", 1, "__cuda_syscall_cp_async_bulk_tensor_2d_tile_multicast"),
        ("sm_90a", "tma-multicast", 0, "6 of 6 cases in committed records"),
        ("sm_90a", "fp8-gemm-warp", 1, "emulated"),
        ("sm_100a", "flash-attention-4", 0, "no GPU asked"),
    ],
)
def test_a_target_is_answered_for_without_its_gpu(
    arch: str, profile: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sanity", "--arch", arch, "--need", profile]) == code
    assert said in capsys.readouterr().out


# Needs

KERNEL = """
.version 8.0 // wgmma.fake
.target sm_90a
.address_size 64
/* tcgen05.alloc [r], 32; */
.extern .shared .align 16 .b8 room[];
.visible .entry k(.param .u64 p)
{
    .reg .b32 %r<4>; .reg .pred %p;
    mov.u32 %r0, %tid.x;
LOOP: @!%p cp.async.commit_group;
    @%p bra LOOP;
    { mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r0, %r1}, {%r0}, {%r1}, {%r0}; }
    wgmma.fence.sync.aligned;
    ret;
}
"""


def test_a_kernels_instructions_are_read_and_nothing_else() -> None:
    assert needs.opcodes(KERNEL) == [
        "mov.u32", "cp.async.commit_group", "bra", "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
        "wgmma.fence.sync.aligned", "ret",
    ]  # fmt: skip


def test_a_kernel_needs_the_targets_that_have_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert needs.having(needs.of_ptx(KERNEL)) == ["sm_90a"]
    assert "sm_121a" in needs.having(needs.of_ptx(KERNEL.replace("wgmma.fence.sync.aligned;", "")))
    path = tmp_path / "k.ptx"
    path.write_text(KERNEL)
    assert main(["needs", str(path), "--arch", "sm_90a"]) == 0
    assert main(["needs", str(path), "--arch", "sm_121a"]) == 1
    assert "nothing is said of them: mov.u32" in capsys.readouterr().out


def test_modifiers_are_compared_as_sets_and_counted() -> None:
    (need,) = needs.of_ptx("mma.sync.aligned.row.col.m16n8k16.f32.f16.f16.f32 x;")
    assert need.cases
    (other,) = needs.of_ptx("mma.sync.aligned.row.col.m16n8k16.f32.f16.f32 x;")
    assert not other.cases


def test_a_derived_profile_is_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "k.ptx"
    path.write_text(KERNEL)
    assert main(["needs", str(path), "--profile"]) == 0
    (tmp_path / "k.toml").write_text(capsys.readouterr().out)
    reasons = {need.reason for need in profiles.load(str(tmp_path / "k.toml")).instructions}
    assert {"1 of cp.async.commit_group", "1 of wgmma.fence.sync.aligned"} <= reasons
    assert not any("mov.u32" in reason for reason in reasons)


def test_a_cubin_is_read_by_its_opcodes_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rate = next(rate for rate in rates.RATES if rate.unit == "wgmma")
    path = tmp_path / "k.cubin"
    path.write_bytes(assemble_text([real().path], header("sm_90a", PTX) + rates.text(rate), "sm_90a", limit=60).cubin)
    assert main(["needs", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "may be wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16" in printed
    assert "the PTX behind them is a guess" in printed
    assert main(["needs", str(path), "--profile"]) == 2


@pytest.mark.parametrize("content", [b"", b"plain text", b"\x7fELF no cubin", b"\xff\xfe"])
def test_what_is_neither_ptx_nor_cubin_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    assert main(["needs", str(path)]) == 2


# Inventory


@pytest.mark.parametrize(
    ("archs", "chip", "how"),
    [
        (["sm_90"], (9, 0), "code"),
        (["sm_90a"], (9, 0), "code"),
        (["sm_120"], (12, 1), "code"),
        (["sm_120a"], (12, 1), "none"),
        (["sm_120f"], (12, 1), "code"),
        (["sm_80", "compute_90"], (12, 1), "ptx"),
        (["sm_80", "compute_90a"], (12, 1), "none"),
        (["sm_80"], (8, 6), "code"),
        (["sm_86"], (8, 0), "none"),
        ([], (9, 0), "none"),
        (["rocm_gfx90a"], (9, 0), "none"),
    ],
)
def test_a_wheel_carries_code_ptx_or_nothing_for_a_chip(archs: list[str], chip: tuple[int, int], how: str) -> None:
    assert mismatches.carries(archs, chip) == how


def test_a_newer_major_cuda_does_not_start_and_a_newer_minor_one_may() -> None:
    facts = {"python": "p", "torch": {"version": "2", "cuda": "13.0", "archs": ["sm_90"]}}
    ran = Ran("packages", None, "done", 1, 1, (("python", facts),))
    severities = [[f.severity for f in mismatches.frameworks(ran, [(9, 0)], cuda)] for cuda in ("12.8", "13.0", "")]
    assert severities == [["unfit"], [], []]


def test_xid_errors_are_read_from_a_kernel_log() -> None:
    log = "[1] NVRM: Xid (PCI:0000:0a:00): 79, pid=1, GPU has fallen off the bus.\n[2] other\n" * 2
    assert nvml.xids(log) == ["0000:0a:00: Xid 79"]
    assert nvml.xids("NVRM: no such thing") == []


def test_what_an_elf_file_needs_is_read_and_other_files_need_nothing(tmp_path: Path) -> None:
    text = tmp_path / "x.so"
    text.write_text("no ELF")
    assert libraries.needed(text) == []
    import numpy.random._generator as module

    assert any(name.startswith("libc.") for name in libraries.needed(Path(str(module.__file__))))
