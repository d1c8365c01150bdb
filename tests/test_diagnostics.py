"""Logs into messages, messages to kernels, and texts into classes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.attribute import attribute
from suite.diagnostics import Message, classify, messages
from suite.model import DIAGNOSTIC_CLASSES, Kernel

HEADER_LINES = 3


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("unsupported_instruction", "Instruction 'tcgen05.alloc' not supported on .target 'sm_121a'"),
        ("unsupported_instruction", "Instruction 'wgmma.fence' cannot be compiled for architecture 'sm_100a'"),
        ("unsupported_instruction", "Instruction 'mma' requires .target sm_70 or higher"),
        ("unsupported_feature", "Feature '.cta_group::1' not supported on .target 'sm_121a'"),
        ("unsupported_feature", "Feature '.e2m1x4' cannot be compiled for architecture 'sm_90'"),
        ("unsupported_feature", "Feature '.bf16' requires .target sm_80 or higher"),
        ("unsupported_feature", "Modifier '.noinc' on 'cp.async' requires .target sm_80 or higher"),
        ("unsupported_feature", "Illegal modifier '.e4m3' for instruction 'mma', for arch 'sm_86'"),
        ("needs_newer_ptx", "Feature 'tcgen05.alloc' requires PTX ISA .version 8.6 or later"),
        ("needs_newer_ptx", "Instruction 'mma' requires PTX ISA .version 7.0 or later"),
        ("needs_newer_ptx", "PTX .version 8.6 does not support .target sm_121a"),
        ("needs_newer_ptx", "Unsupported .version 9.6; current version is '9.5'"),
        ("needs_newer_ptx", "refused: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
        ("unknown_target", "Unsupported .target 'sm_999'"),
        ("unknown_target", "Value 'sm_121a' is not defined for option 'gpu-name'"),
        ("unknown_target", "target 'sm_52': ERROR_UNSUPPORTED_ARCH (17)"),
        ("family_mismatch", "PTX with .target 'sm_121a' cannot be compiled for architecture 'sm_121f'"),
        ("family_mismatch", "SM version specified by .target is higher than default SM version assumed"),
        ("unknown_to_assembler", "Not a name of any known instruction: 'tcgen05.alloc'"),
        ("unknown_to_assembler", "Unknown modifier '.e2m1x2'"),
        ("malformed", "Arguments mismatch for instruction 'cvt'"),
        ("malformed", "Argument vector size mismatch for instruction 'ld'"),
        ("malformed", "Unexpected instruction types specified for 'cvt'"),
        ("malformed", "Unknown symbol 'NOWHERE'"),
        ("malformed", "Illegal vector size: 3"),
        ("malformed", "Duplicate definition of variable 'r'"),
        ("malformed", "Parsing error near ':': syntax error"),
        ("malformed", "Argument 3 of instruction 'ld': value '9' out of range, expected to be in range [0..7]"),
        ("malformed", "Type .b128 may only be used as an instruction type"),
        ("malformed", "Vector type too large, exceeds 128 bit limit"),
        ("malformed", "Modifier '.volatile' cannot be applied to '.local' space"),
        ("malformed", "State space incorrect for instruction 'cp.async.bulk.tensor'"),
        ("resource", "Entry function 'd' uses too much shared data (0x3f7a0 bytes, 0x18c00 max)"),
        (
            "advisory",
            "Advisory: '.multicast::cluster' modifier on instruction 'cp.async.bulk{.tensor}' should be used on …",
        ),
        ("advisory", "(C7508) Potential Performance Loss: 'setmaxnreg' ignored; unable to determine register count"),
        ("advisory", "(C7519) warpgroup.arrive is injected in around line 9 by compiler to allow use of registers"),
        ("other", "The moon is in the wrong house"),
    ],
)
def test_text_is_of_its_class(expected: str, text: str) -> None:
    assert expected in DIAGNOSTIC_CLASSES
    assert classify(text) == expected


PTXAS_LOG = """\
ptxas /a folder, line 2/module.ptx, line 6; error   : Instruction 'foo' not supported on .target 'sm_90'
ptxas /a folder, line 2/module.ptx, line 24; warning : Advisory: look; and think: twice
ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored
ptxas error   : Entry function 'd' uses too much shared data
    in two banks
ptxas module.ptx, line 9; fatal   : Parsing error near ']': syntax error
ptxas fatal   : Ptx assembly aborted due to errors
"""


def test_messages_of_ptxas() -> None:
    assert messages(PTXAS_LOG) == [
        Message("error", "Instruction 'foo' not supported on .target 'sm_90'", 6),
        Message("warning", "Advisory: look; and think: twice", 24),
        Message("info", "(C7508) Potential Performance Loss: 'setmaxnreg' ignored"),
        Message("error", "Entry function 'd' uses too much shared data\n    in two banks"),
        Message("fatal", "Parsing error near ']': syntax error", 9),
    ]


def test_messages_of_nvjitlink() -> None:
    log = (
        "ptxas application ptx input, line 6; error   : Unknown modifier '.zzz'\n"
        "ptxas fatal   : Ptx assembly aborted due to errors\n"
        "ERROR NVJITLINK_ERROR_PTX_COMPILE: JIT the PTX (module.ptx)\n\0"
        "error   : Entry function 'd' uses too much shared data (0x3f7a0 bytes, 0x18c00 max)\nERROR 1: complete\n\0"
    )
    assert [(m.severity, m.line) for m in messages(log)] == [("error", 6), ("error", None)]


def test_line_of_a_text_within_ptxas_is_none_of_the_file() -> None:
    """Ptxas 12.0.76 says so of a `mma.sync…and.popc` that it does not know."""
    log = "ptxas <macro util>, line 3; error   : Illegal modifier '.sync' for instruction 'and'\n"
    assert messages(log) == [Message("error", "Illegal modifier '.sync' for instruction 'and'")]


@pytest.mark.parametrize("program", ["ptxas", "ptxas-blackwell"])
def test_the_program_is_named_as_whoever_ships_it_does(program: str) -> None:
    log = f"{program} warning : Pragma 'frequency 32' unsupported\n"
    log += f"{program} m.ptx, line 9; error   : Unknown modifier '.z'\n"
    assert messages(log) == [
        Message("warning", "Pragma 'frequency 32' unsupported"),
        Message("error", "Unknown modifier '.z'", 9),
    ]


def test_text_of_no_known_form_is_kept() -> None:
    (message,) = messages("Segmentation fault\n")
    assert message == Message("", "Segmentation fault")
    assert not message.refuses


def kernel(name: str, lines: int) -> Kernel:
    return Kernel(name, "line\n" * lines)


TWO = [kernel("first", 4), kernel("second", 5)]  # lines 4–7 and 8–12 of the file


@pytest.mark.parametrize(
    ("line", "owner", "relative"), [(4, "first", 0), (7, "first", 3), (8, "second", 0), (12, "second", 4)]
)
def test_line_belongs_to_its_kernel(line: int, owner: str, relative: int) -> None:
    reading = attribute([Message("error", "Unknown modifier '.x'", line)], TWO, HEADER_LINES)
    (name,) = reading.refused
    assert (name, reading.own[name][0].line) == (owner, relative)


def test_error_at_the_end_of_the_file_is_the_last_kernels() -> None:
    assert attribute([Message("error", "unexpected end", 13)], TWO, HEADER_LINES).refused == {"second"}


def test_header_and_the_nameless_are_told_apart() -> None:
    found = [
        Message("error", "PTX .version 8.6 does not support .target sm_121a", 2),
        Message("info", "(C7508) ignored"),
    ]
    reading = attribute(found, TWO, HEADER_LINES)
    assert [d.kind for d in reading.shared] == ["needs_newer_ptx"]
    assert [d.kind for d in reading.stray] == ["advisory"]
    assert not reading.refused


def test_name_in_the_text_is_the_owner_where_there_is_no_line() -> None:
    text = "Entry function 'second' uses too much shared data"
    assert attribute([Message("error", text)], TWO, HEADER_LINES).refused == {"second"}
    assert attribute([Message("error", text.replace("second", "seconds"))], TWO, HEADER_LINES).refused == frozenset()
    assert attribute([Message("error", "Unknown symbol 'second'", 4)], TWO, HEADER_LINES).refused == {"first"}


def test_line_in_the_text_reads_as_in_a_module_of_the_kernel_alone() -> None:
    text = "(C7519) warpgroup.arrive is injected in around line {} by compiler in function 'second'"
    (found,) = attribute([Message("info", text.format(10))], TWO, HEADER_LINES).own["second"]
    assert (found.text, found.line) == (text.format(6), 2)


@dataclass(frozen=True)
class Said:
    """A message that was put into a log, and whose it is."""

    owner: int
    line: int
    severity: str
    text: str


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), min_size=1).map(lambda t: f"x{t}x")


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[int], list[Said]]:
    sizes = draw(SIZES)
    owners = draw(st.lists(st.integers(0, len(sizes) - 1), max_size=20))
    severities = st.sampled_from(["error", "warning", "info"])
    return sizes, [
        Said(owner, draw(st.integers(0, sizes[owner] - 1)), draw(severities), draw(TEXTS)) for owner in owners
    ]


@given(logs())
def test_interleaved_messages_reach_their_kernels_in_order(case: tuple[list[int], list[Said]]) -> None:
    sizes, said = case
    kernels = [kernel(f"k{i}", size) for i, size in enumerate(sizes)]
    first = [1 + HEADER_LINES + sum(sizes[:i]) for i in range(len(sizes))]
    log = "".join(f"ptxas m.ptx, line {first[s.owner] + s.line}; {s.severity:8}: {s.text}\n" for s in said)
    reading = attribute(messages(log), kernels, HEADER_LINES)
    assert not reading.shared
    assert not reading.stray
    for i, one in enumerate(kernels):
        expected = [(s.line, s.severity, s.text) for s in said if s.owner == i]
        assert [(d.line, d.severity, d.text) for d in reading.own[one.name]] == expected
        assert (one.name in reading.refused) == any(severity == "error" for _, severity, _ in expected)
