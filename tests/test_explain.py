"""`explain`: real errors get their right cause, from rules that no single case is written into."""

from __future__ import annotations

import io
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cuda.bindings import driver, runtime
from hypothesis import given
from hypothesis import strategies as st

from reports import cells
from suite import cli, releases, targets, toolchains
from suite.commands.explain import causes_table
from suite.explain import Answer, explain, facts, rules
from suite.explain.reading import all_codes, read
from suite.explain.rows import bearing

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent
CASES: list[dict[str, Any]] = json.loads((DATA / "user_cases.json").read_text())
OTHERS: list[dict[str, Any]] = json.loads((DATA / "other_errors.json").read_text())
KNOWN = [entry for entry in OTHERS if entry["cause"]]
UNRELATED = [entry for entry in OTHERS if not entry["cause"]]
RIGHT_AT_LEAST = 90


def cause_of(text: str, *given: str) -> str | None:
    cause = explain(text, [targets.parse(name) for name in given]).cause
    return cause.id if cause else None


def expected() -> dict[str, str]:
    table = tomllib.loads((DATA / "expected_causes.toml").read_text())
    return {case["id"]: table["case"].get(case["id"], table["category"][case["category"]]) for case in CASES}


def right(wanted: Mapping[str, str], answered: Mapping[str, str | None]) -> int:
    return sum(wanted[case] == answered[case] for case in wanted)


@pytest.fixture(scope="module")
def answered() -> dict[str, str | None]:
    return {case["id"]: cause_of(case["error_text"]) for case in CASES}


def test_real_cases_get_their_right_cause(answered: dict[str, str | None]) -> None:
    wanted = expected()
    print(f"\n{'case':6} {'expected':22} {'answered':22} ok")
    for case, cause in answered.items():
        print(f"{case:6} {wanted[case]:22} {cause or '-':22} {'yes' if cause == wanted[case] else 'NO'}")
    print(f"{right(wanted, answered)} of {len(wanted)} right")
    assert right(wanted, answered) >= RIGHT_AT_LEAST


@pytest.mark.parametrize("shift", [1, 17, 51])
def test_shuffled_expectations_fail(answered: dict[str, str | None], shift: int) -> None:
    causes = list(expected().values())
    shuffled = dict(zip(answered, causes[shift:] + causes[:shift], strict=True))
    assert right(shuffled, answered) < RIGHT_AT_LEAST


def test_one_answer_for_all_would_fail(answered: dict[str, str | None]) -> None:
    for cause in rules.load().causes:
        assert right(expected(), dict.fromkeys(answered, cause)) < RIGHT_AT_LEAST // 3


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry["text"][:60])
def test_other_real_errors(entry: dict[str, Any]) -> None:
    assert cause_of(entry["text"]) == entry["cause"]


@pytest.mark.parametrize("entry", UNRELATED, ids=lambda entry: entry["text"][:60])
def test_unrelated_texts_are_not_explained(entry: dict[str, Any]) -> None:
    assert cause_of(entry["text"]) is None


def test_no_case_is_written_into_the_rules() -> None:
    table = (ROOT / "suite/explain/rules.toml").read_text().lower()
    names = [case["id"].lower() for case in CASES]
    texts = [case["error_text"].lower() for case in CASES if len(case["error_text"]) > 28]
    said = [text for text in texts if text in table]
    assert set(said) <= {"no kernel image is available"}  # the driver's own words
    assert not [name for name in names if name in table]


def test_no_rule_is_there_for_one_text_in_vain() -> None:
    """Every cause that rules name is reached by some text here, so that no rule stands untried."""
    reached = {cause_of(entry["text"]) for entry in KNOWN} | set(expected().values())
    named = {rule.cause for rule in rules.load().rules} - {"first_code"}
    assert named <= reached


@pytest.mark.parametrize("code", [c for c in driver.CUresult if c.value], ids=lambda code: code.name)
def test_every_driver_code_is_explained_by_name(code: driver.CUresult) -> None:
    assert cause_of(f"cuModuleLoadData failed: {code.name}")


@pytest.mark.parametrize("number", [code.number for code in all_codes() if code.number >= 98])
def test_a_number_alone_names_the_same_cause_as_its_name(number: int) -> None:
    (code,) = [code for code in all_codes() if code.number == number]
    assert cause_of(f"CUDA error {number} in launch") == cause_of(f"launch: {code.names[0]}")


def test_the_codes_are_those_of_the_bindings() -> None:
    names = {code.number: set(code.names) for code in all_codes()}
    for kind in (driver.CUresult, runtime.cudaError_t):
        for member in kind:
            if member.value not in (0, 10000):
                assert member.name in names[member.value]


def test_numbers_elsewhere_are_no_codes() -> None:
    assert not read("line 700 of the report, status 716 of 999").codes
    assert not read("step 209, loss 0.700, 218 it/s on this GPU").codes


@pytest.mark.parametrize(
    "allowed, got, cause",
    [
        ("[sm_120a]", "sm_121a", "gate_too_narrow"),
        ("[sm_100a, sm_100f]", "sm_121a", "gate_justified"),
        ("[sm_100f]", "sm_103a", "gate_too_narrow"),
        ("[sm_90a]", "sm_100a", "gate_justified"),
        ("[sm_80]", "sm_89", "gate_too_narrow"),
        ("[sm_89]", "sm_86", "gate_justified"),
    ],
)
def test_a_check_is_judged_by_the_claims(allowed: str, got: str, cause: str) -> None:
    assert cause_of(f"expects arch to be one of {allowed}, but got {got}") == cause


@pytest.mark.parametrize(
    "instruction, target, cause",
    [
        ("tcgen05.alloc", "sm_100", "needs_suffix"),
        ("tcgen05.alloc", "sm_120", "instruction_absent"),
        ("tcgen05.alloc", "sm_121f", "instruction_absent"),
        ("wgmma.mma_async", "sm_90", "needs_suffix"),
        ("wgmma.mma_async", "sm_100a", "instruction_absent"),
        ("mma with block scale", "sm_121", "needs_suffix"),
        ("mma with block scale", "sm_100a", "instruction_absent"),
        ("movmatrix", "sm_90", "unknown_to_assembler"),
        ("ldmatrix with .s8.s4", "sm_90", "needs_suffix"),
    ],
)
def test_a_refusal_is_judged_by_the_claims(instruction: str, target: str, cause: str) -> None:
    said = f"Instruction '{instruction}' not supported on .target '{target}'"
    assert cause_of(f"ptxas x, line 3; error   : {said}") == cause


def test_the_device_may_be_given_beside_the_text() -> None:
    text = "Minimum and Maximum cuda capability supported by this version of PyTorch is (8.0) - (12.0)"
    assert cause_of(text) == "gate_refuses"
    assert cause_of(text, "sm_121a") == "gate_too_narrow"
    assert cause_of(text.replace("12.0", "9.0"), "sm_120a") == "no_kernel_image"


def test_rows_tell_claims_from_observations() -> None:
    text = "error   : Instruction 'wgmma.mma_async' not supported on .target 'sm_120'"
    said = "\n".join(explain(text, records=cells.committed()).lines())
    assert "not claimed for sm_120" in said
    assert "no record of sm_120; " in said
    assert "validated on sm_90a alone" in said
    refused = explain(
        "ptxas x, line 1; error   : Instruction 'tcgen05.fence' not supported on .target 'sm_90a'",
        records=cells.committed(),
    )
    assert "2 rejected (ptxas 13.5.37); unvalidated on silicon" in "\n".join(refused.lines())
    assert "unvalidated on silicon" in "\n".join(explain(text).lines())


def test_a_form_new_to_an_assembler_says_which_one_takes_it() -> None:
    said = "\n".join(explain("ptxas: Unexpected instruction types specified for 'cvt'").lines())
    assert "needs .version 9.4: ptxas 13.4 or later" in said


def test_what_takes_a_form_is_no_older_than_its_version() -> None:
    said = "\n".join(explain("error   : Feature 'ldmatrix with .s8.s4' not supported on .target 'sm_90'").lines())
    assert "by the manual sm_90a, taken by ptxas from 13.4 on" in said  # 12.0 knows sm_90a
    assert "(PTX ISA 9.4, 9.7.16.5.15: sm_90a, " in said


@pytest.mark.parametrize("opcode", [opcode for _, opcodes in rules.load().features for opcode in opcodes])
def test_every_feature_stands_for_rows(opcode: str) -> None:
    assert bearing([opcode])


def test_every_fact_is_asked_for_and_known() -> None:
    assert {rule.when for rule in rules.load().rules if rule.when} == set(facts.FACTS)


@pytest.mark.parametrize("name, first, last", [
    ("sm_121a", "12.9", "13.5"), ("sm_120a", "12.8", "13.5"), ("sm_110a", "13.0", "13.5"), ("sm_101a", "12.7", "12.9"),
    ("sm_70", "11.8", "12.9"), ("sm_107f", "13.4", "13.5"),
])  # fmt: skip
def test_releases_know_their_targets(name: str, first: str, last: str) -> None:
    known = releases.knowing(name)
    assert (known[0].toolkit, known[-1].toolkit) == (first, last)
    assert not releases.knowing("sm_20")


def test_releases_agree_with_the_assemblers_found_here() -> None:
    table = {release.toolkit: release for release in releases.ALL}
    for toolchain in toolchains.discover(libraries=False).toolchains:
        release = table[".".join(toolchain.version.split(".")[:2])]
        assert (toolchain.ptx, toolchain.targets) == (release.ptx, release.targets)


def test_versions_by_driver_and_release() -> None:
    assert releases.taking((9, 1)) is releases.knowing("sm_121")[2]
    assert releases.taking((99, 9)) is None
    below = releases.ceiling(579)
    assert below is not None
    assert below.ptx == (8, 8)
    assert releases.floor("sm_121a") == (8, 8)
    assert releases.floor("sm_80") is None


@given(st.text(max_size=200) | st.sampled_from([case["error_text"] for case in CASES]).map(lambda text: text[::-1]))
def test_any_text_gets_an_answer_of_at_most_ten_lines(text: str) -> None:
    assert 1 <= len(explain(text).lines()) <= 10


def test_every_answer_is_of_at_most_ten_lines() -> None:
    records = cells.committed()
    for text in [*(case["error_text"] for case in CASES), *(entry["text"] for entry in OTHERS)]:
        said = explain(text, records=records).lines()
        assert len(said) <= 10
        assert all(line and "\n" not in line and "{" not in line for line in said)


def test_long_logs_are_shortened_and_still_read() -> None:
    lines = [f"[{number}] building CUDA object kernel_{number}.o requires compute" for number in range(50_000)]
    log = "\n".join([*lines, "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'"])
    assert cause_of(log) == "unknown_target"
    assert len(read(log).text) < 100_000
    assert len(read("requires " * 1_000_000).text) <= 1000


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main(["explain", *words])
    return status, capsys.readouterr().out


def test_the_command_takes_text_file_and_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "CUDA_ERROR_NO_BINARY_FOR_GPU"
    (tmp_path / "log").write_text(text)
    answers = [run(capsys, text), run(capsys, str(tmp_path / "log"))]
    for words in ((), ("-",)):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        answers.append(run(capsys, *words))
    assert answers[0][0] == 0
    assert len(set(answers)) == 1


def test_the_command_says_honestly_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(capsys, "KeyError: 'foo'")
    assert (status, said.startswith("cause   not known")) == (2, True)
    status, said = run(capsys, "--json", "KeyError: 'foo'")
    assert (status, json.loads(said)["cause"]) == (2, None)
    assert run(capsys, " ")[0] == 2


def test_the_command_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(capsys, "--json", "--target", "sm_121a", "CUDA error: no kernel image is available")
    answer = json.loads(said)
    assert (status, answer["cause"], answer["targets"]) == (0, "no_kernel_image", ["sm_121a"])
    assert {"kind", "text"} == set(answer["facts"][0])


def examples() -> Iterator[tuple[str, str]]:
    page = (ROOT / "docs/explain.md").read_text()
    for block in re.findall(r"```text\n\$ (.*?)```", page, re.DOTALL):
        command, _, said = block.partition("\n")
        yield command, said


def test_the_documented_table_is_generated() -> None:
    assert "\n".join(causes_table()) in (ROOT / "docs/explain.md").read_text()


@pytest.mark.parametrize("command, said", list(examples()), ids=lambda text: text[:50])
def test_the_documented_examples_are_what_is_answered(
    command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "suite", "explain"]
    cli.main(words[3:])
    assert capsys.readouterr().out == said


def test_an_answer_keeps_the_first_of_several_codes() -> None:
    answer: Answer = explain("cuModuleLoad: CUDA_ERROR_INVALID_IMAGE; then CUDA_ERROR_ILLEGAL_ADDRESS everywhere")
    assert answer.cause is not None
    assert (answer.cause.id, answer.echoes) == ("invalid_image", ("CUDA_ERROR_ILLEGAL_ADDRESS",))
