"""Each distinct instruction is read once, and what is counted is what nvdisasm says of the whole function."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from suite import catalogue, codes, disassemble
from suite.assemble import assemble
from suite.cubin import Cubin
from suite.disassemble import WORD
from suite.errors import DisassemblerError
from suite.model import Code
from suite.render import render
from suite.store import VARIABLE
from suite.targets import parse
from tests.assemblers import BODIES, kernel, real

ILLEGAL = b"\xff" * WORD
SAMPLE = 97  # every so many cases

# What calls routines: in its own section, in the driver, as a function of its own.
CALLERS = ("flow.call:*", "approximate.*", "tcgen05.ld:*shape=32x32b,num=x1*", "bulk.multicast*", "mma_sync.int4*")


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    monkeypatch.setattr(codes, "_open", {})


def cubin(target: str, *bodies: str) -> bytes:
    verdicts = assemble([kernel(name, BODIES[name][0]) for name in bodies], real(), parse(target))
    return verdicts[bodies[0]].cubin


@pytest.mark.parametrize("target", ["sm_75", "sm_90a", "sm_100a", "sm_121a"])
def test_counts_are_those_of_the_whole_functions(target: str) -> None:
    cases = [*catalogue.expand()[::SAMPLE], *catalogue.select(CALLERS)[::5]]
    verdicts = assemble([render(case).armed for case in cases], real(), parse(target))
    accepted = {name: verdict.cubin for name, verdict in verdicts.items() if verdict.accepted}
    modules = {image: [name for name, of in accepted.items() if of == image] for image in accepted.values()}
    read = codes.read(modules, parse(target).number)
    assert read.keys() == accepted.keys()
    called = set()
    for image, names in modules.items():
        for name, sass in disassemble.disassemble(image, names).items():
            code = read[name]
            assert isinstance(code, Code)
            assert Counter(code.opcodes) == Counter(opcode for opcode, _ in sass.instructions)
            assert code.calls == tuple(sorted(call.removeprefix(f"{name}_") for call in sass.calls))
            called |= {*code.calls}
    assert called


def test_what_is_no_instruction_is_told_of_its_function_alone() -> None:
    image = cubin("sm_90a", "good", "warned")
    place = Cubin(image).place("good")
    broken = image[:place] + ILLEGAL + image[place + WORD :]
    read = codes.read({broken: ["good", "warned"]}, 90)
    assert read["good"] == "nvdisasm calls a part of it illegal"
    assert isinstance(read["warned"], Code)
    with pytest.raises(DisassemblerError, match=r"Illegal|Unrecognized"):
        disassemble.disassemble(broken, ["good"])


def test_bytes_that_are_no_cubin_are_told_of_their_functions_alone() -> None:
    read = codes.read({b"no cubin": ["lost"], cubin("sm_90a", "good"): ["good"]}, 90)
    assert "no cubin" in str(read["lost"])
    assert isinstance(read["good"], Code)


def test_each_distinct_word_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def reading(words: list[bytes], sm: int) -> list[str | None]:
        asked.extend(words)
        return disassemble.opcodes(words, sm)

    monkeypatch.setattr(codes, "opcodes", reading)
    codes.read({cubin("sm_90a", "good", "warned"): ["good", "warned"]}, 90)
    assert len(asked) == len(set(asked)) > 0


def test_an_nvdisasm_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image = cubin("sm_90a", "good")
    monkeypatch.setattr(disassemble, "nvdisasm", lambda: str(tmp_path / "broken"))
    (tmp_path / "broken").write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    (tmp_path / "broken").chmod(0o755)
    assert "out of memory" in str(codes.read({image: ["good"]}, 90)["good"])


@pytest.mark.parametrize("at", [0, 3, 7])
def test_an_illegal_word_among_others_is_found(at: int) -> None:
    image = cubin("sm_90a", "good")
    text = Cubin(image).code("good")
    words = [text[i : i + WORD] for i in range(0, 8 * WORD, WORD)]
    expected = disassemble.opcodes(words, 90)
    assert None not in expected
    words[at], expected[at] = ILLEGAL, None
    assert disassemble.opcodes(words, 90) == expected
