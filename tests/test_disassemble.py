"""Cubins into machine code: opcodes, what is left out, routines called, and the header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import disassemble as stage
from suite import places
from suite.assemble import assemble
from suite.cubin import architecture
from suite.disassemble import cubin_header, disassemble, nvdisasm
from suite.errors import DisassemblerError, UsageError
from suite.model import Sass
from suite.opcodes import UNDECODED
from suite.targets import parse
from tests.assemblers import BODIES, kernel, real, script

DIVIDE = """\
.reg .f64 d<3>; ld.param.u64 rd0, [p]; ld.global.f64 d0, [rd0]; ld.global.f64 d1, [rd0+8];
div.rn.f64 d2, d0, d1; st.global.f64 [rd0], d2;
"""
PREDICATED = ".reg .pred q; mov.u32 r0, %tid.x; setp.gt.u32 q, r0, 3; @!q st.shared.b32 [r0], r0;"


@pytest.fixture
def forget() -> Iterator[None]:
    """Let nvdisasm be looked for anew, in the test and after it."""
    nvdisasm.cache_clear()
    yield
    nvdisasm.cache_clear()


def cubin(target: str, toolchain: str = "ptxas") -> bytes:
    bodies = {"plain": BODIES["good"][0], "multicast": BODIES["warned"][0], "divide": DIVIDE, "predicated": PREDICATED}
    verdicts = assemble([kernel(*item) for item in bodies.items()], real(toolchain), parse(target))
    assert all(verdict.accepted for verdict in verdicts.values())
    return verdicts["plain"].cubin


def opcodes(sass: Sass) -> list[str]:
    return [opcode for opcode, _ in sass.instructions]


def test_every_kernel_has_its_code() -> None:
    code = disassemble(cubin("sm_90a"))
    assert {"plain", "multicast", "divide", "predicated"} <= set(code)
    assert "EXIT" in opcodes(code["plain"])
    assert "UBLKCP.S.G.MULTICAST" in opcodes(code["multicast"])
    assert code["multicast"].calls == ()
    assert code["plain"].calls == ()


def test_padding_is_left_out() -> None:
    for sass in disassemble(cubin("sm_100a")).values():
        assert "NOP" not in opcodes(sass)
        assert not any(line.startswith(("@!PT ", "@!UPT ")) for _, line in sass.instructions)


def test_padding_under_a_predicate_that_is_never_true(monkeypatch: pytest.MonkeyPatch) -> None:
    code = [
        {"predicate": "@!UPT", "opcode": "UIADD3", "operands": "URZ,UPT,UPT,URZ,URZ,URZ"},
        {"predicate": "@UPT", "opcode": "UIADD3", "operands": "UR4,UR4,0x1,URZ"},
        {"opcode": "NOP"},
        {"opcode": "EXIT"},
    ]
    image = cubin("sm_100a")
    listed = [{"function-name": "plain", "sass-instructions": code}]
    monkeypatch.setattr(stage, "_listed", lambda cubin, *options: listed)
    assert disassemble(image)["plain"].instructions == (("UIADD3", "@UPT UIADD3 UR4,UR4,0x1,URZ"), ("EXIT", "EXIT"))


def test_routine_is_its_callers_code_however_nvdisasm_lists_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until 13.2 nvdisasm listed it as a function of its own."""

    def call(name: str) -> dict[str, str]:
        return {"opcode": "CALL.REL.NOINC", "operands": name}

    image = cubin("sm_90a")
    routine, inner = "$__internal_0_$__cuda_a", "$__internal_1_$__cuda_b"
    parts = {"plain": [call(routine), {"opcode": "EXIT"}], routine: [{"opcode": "FADD"}, call(inner)], inner: []}
    parts[inner] = [{"opcode": "FMUL"}, call(routine), {"opcode": "BRA"}, {"opcode": "NOP"}]
    whole = {"plain": [one for part in parts.values() for one in part]}
    found = []
    for listed in (parts, whole):
        functions = [{"function-name": name, "sass-instructions": code} for name, code in listed.items()]
        monkeypatch.setattr(stage, "_listed", lambda cubin, *options, functions=functions: functions)
        found.append(disassemble(image)["plain"])
    assert found[0] == found[1]
    assert opcodes(found[0]) == ["CALL.REL.NOINC", "EXIT", "FADD", "CALL.REL.NOINC", "FMUL", "CALL.REL.NOINC", "BRA"]
    assert found[0].calls == ("__cuda_a", "__cuda_b")


def test_predicate_is_of_the_line_and_not_of_the_opcode() -> None:
    code = disassemble(cubin("sm_90a"))["predicated"].instructions
    assert ("EXIT", "@P0 EXIT") in code or ("EXIT", "@!P0 EXIT") in code
    assert not any(opcode.startswith("@") for opcode, _ in code)


@pytest.mark.parametrize("toolchain", ["ptxas", "nvjitlink"])
def test_routine_of_the_driver_is_a_call_though_the_code_calls_a_register(toolchain: str) -> None:
    code = disassemble(cubin("sm_120a", toolchain))
    assert code["multicast"].calls == ("__cuda_syscall_cp_async_bulk_multicast",)
    assert any(opcode.startswith("CALL") for opcode in opcodes(code["multicast"]))
    assert code["plain"].calls == ()


@pytest.mark.parametrize("toolchain", ["ptxas", "nvjitlink"])
def test_routine_of_the_toolchain_is_a_call_by_its_bare_name(toolchain: str) -> None:
    (name,) = disassemble(cubin("sm_90a", toolchain))["divide"].calls
    assert name.startswith("__cuda_")
    assert "$" not in name


def test_header() -> None:
    facts = cubin_header(cubin("sm_120a"))
    assert (facts["machine"], facts["sm"]) == ("EM_CUDA", 120)
    assert facts["flags"].startswith("0x")
    assert cubin_header(cubin("sm_90"))["sm"] == 90
    assert facts["kernels"]["plain"]["registers"] > 0
    assert facts["kernels"]["divide"]["registers"] > facts["kernels"]["plain"]["registers"]


def test_architecture_in_the_flags_of_both_abis() -> None:
    """Flags of cubins for sm_90a from ptxas 12.8.93, and for sm_121a from 13.5.37."""
    assert architecture(0x5A0D5A, 7) == 90
    assert architecture(0x6007902, 8) == 121


@pytest.mark.parametrize(("target", "reserved"), [("sm_75", 0), ("sm_90a", 1024)])
def test_static_shared_memory(target: str, reserved: int) -> None:
    body = ".shared .b8 room[2048]; mov.b32 r0, room; st.shared.b32 [r0], r1;"
    image = assemble([kernel("roomy", body)], real(), parse(target))["roomy"].cubin
    assert cubin_header(image)["kernels"]["roomy"]["shared"] == 2048 + reserved


@pytest.mark.parametrize("image", [b"", b"no cubin", b"\x7fELF and then nothing"])
def test_bytes_that_are_no_cubin(image: bytes) -> None:
    with pytest.raises(DisassemblerError, match="no cubin"):
        disassemble(image)


@pytest.mark.usefixtures("forget")
def test_no_nvdisasm_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stage, "candidates", lambda program: [(script(tmp_path / "nvdisasm", "exit 3"), "PATH")])
    with pytest.raises(UsageError, match="nvidia-cuda-nvdisasm"):
        disassemble(cubin("sm_90a"))


@pytest.mark.usefixtures("forget")
def test_newest_nvdisasm_that_runs_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = {
        version: script(tmp_path / version, f'echo "release, V{version}"; exit {status}')
        for version, status in (("13.5.37", 0), ("13.10.2", 0), ("13.11.0", 1))
    }
    monkeypatch.setattr(stage, "candidates", lambda program: [(path, "PATH") for path in made.values()])
    assert nvdisasm() == str(made["13.10.2"])


@pytest.mark.parametrize(
    ("text", "reason"), [("echo broken >&2; exit 1", "broken"), ("echo '{'", "no JSON"), ("sleep 60", "did not end")]
)
def test_nvdisasm_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, reason: str) -> None:
    image = cubin("sm_90a")
    monkeypatch.setattr(stage, "nvdisasm", lambda: str(script(tmp_path / "nvdisasm", text)))
    monkeypatch.setattr(stage, "SECONDS", 0.5)
    with pytest.raises(DisassemblerError, match=reason):
        disassemble(image)


def test_programs_are_looked_for_in_wheels_and_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = [
        script(tmp_path / "path" / "tool", ""),
        script(tmp_path / "home" / "bin" / "tool", ""),
        script(tmp_path / "usr" / "cuda-13.0" / "bin" / "tool", ""),
        script(tmp_path / "site" / "nvidia" / "cu13" / "bin" / "tool", ""),
        script(tmp_path / "site" / "triton" / "backends" / "nvidia" / "bin" / "tool-blackwell", ""),
        script(tmp_path / "cache" / "12.8" / "nvidia" / "cuda_nvcc" / "bin" / "tool", ""),
    ]
    (tmp_path / "usr" / "cuda").symlink_to(tmp_path / "usr" / "cuda-13.0")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(places, "_SYSTEM", tmp_path / "usr")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = places.candidates("tool")
    assert [path.resolve() for path, _ in found] == expected
    assert [origin for _, origin in found] == ["PATH", "CUDA_HOME", "/usr/local", "site-packages", "Triton", "cache"]


def test_what_nvdisasm_leaves_blank_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = [{"opcode": "LDC", "operands": "R1"}, {"opcode": ""}, {"opcode": "EXIT"}]
    listed = [{"function-name": "plain", "sass-instructions": blank}]
    monkeypatch.setattr("suite.disassemble._listed", lambda *_: listed)
    assert disassemble(cubin("sm_90a"))["plain"].instructions == (
        ("LDC", "LDC R1"),
        (UNDECODED, UNDECODED),
        ("EXIT", "EXIT"),
    )
