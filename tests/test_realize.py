"""What an instruction became, read from the code of its kernel and of its scaffold."""

from __future__ import annotations

import pytest

from suite.assemble import assemble
from suite.disassemble import disassemble
from suite.model import Realization, Sass
from suite.opcodes import matches
from suite.realize import realize
from suite.targets import parse
from tests.assemblers import BODIES, kernel, real


def sass(text: str, *calls: str) -> Sass:
    return Sass(tuple((line.split()[0], line) for line in text.strip().splitlines()), calls)


# FP8 mma.sync m16n8k16 with f32 result. Source: SASS of ptxas 13.5.37 for sm_120a and sm_100a.
SCAFFOLD = sass("LDG.E R2\nLDG.E R3\nSTG.E R2\nFADD R9,R9,R9\nEXIT\nBRA 0x90")
ON_SM_120A = sass("LDG.E R2\nLDG.E R3\nQMMA.16816.F32.E4M3.E4M3 R4,R4,R8,RZ\nSTG.E R2\nFADD R9,R9,R9\nEXIT\nBRA 0xa0")
ON_SM_100A = sass(
    "LDG.E R2\nLDG.E R3\nF2FP.F16.E4M3.UNPACK_B R4\nF2FP.F16.E4M3.UNPACK_B R5\nHMMA.1688.F32 R4\nHMMA.1688.F32 R4\n"
    "FADD R9,R9,R9\nFADD R4,R4,R6\nSTG.E R2\nEXIT\nBRA 0x100"
)
FP8 = ("QMMA.16816.F32.E4M3.E4M3",)


@pytest.mark.parametrize(
    ("pattern", "opcode", "expected"),
    [
        ("HMMA", "HMMA.16816.F32", True),
        ("HMMA.16816.F32", "HMMA.16816.F32.BF16", True),
        ("HMMA.F32.16816", "HMMA.16816.F32", True),
        ("HMMA.16816", "HMMA.1688.F32", False),
        ("HMMA.168", "HMMA.1688", False),
        ("MMA.16816", "HMMA.16816", False),
        ("HMMA.F32", "HMMA.F32x2", False),
        ("IMMA.S8.S8", "IMMA.16832.S8.S8", True),
        ("IMMA.S8.S8", "IMMA.16832.S8.U8", False),
        ("IMMA.S8.U8", "IMMA.16832.S8.U8", True),
        ("UTMALDG.2D.MULTICAST", "UTMALDG.2D", False),
        ("UTMALDG.2D", "UTMALDG.2D.MULTICAST", True),
        ("BMMA.XOR.POPC", "BMMA.168256.AND.POPC", False),
    ],
)
def test_pattern_is_whole_tokens_as_often_as_they_stand(pattern: str, opcode: str, expected: bool) -> None:
    assert matches(pattern, opcode) is expected


def test_native() -> None:
    assert realize(ON_SM_120A, SCAFFOLD, FP8) == Realization("native", {"QMMA.16816.F32.E4M3.E4M3": 1})


def test_any_of_the_patterns_will_do() -> None:
    assert realize(ON_SM_120A, SCAFFOLD, ("DMMA", *FP8)).word == "native"
    assert realize(ON_SM_120A, SCAFFOLD, ("DMMA",)).word == "emulated"
    assert realize(ON_SM_120A, SCAFFOLD, ()).word == "emulated"


def test_emulated_with_the_surplus_as_evidence() -> None:
    evidence = {"F2FP.F16.E4M3.UNPACK_B": 2, "FADD": 1, "HMMA.1688.F32": 2}
    assert realize(ON_SM_100A, SCAFFOLD, FP8) == Realization("emulated", evidence)


def test_opcode_that_the_scaffold_has_as_often_is_not_the_instructions() -> None:
    assert realize(ON_SM_120A, ON_SM_120A, FP8) == Realization("elided", {})
    assert realize(SCAFFOLD, ON_SM_120A, FP8) == Realization("elided", {})


def test_call_goes_before_everything_else() -> None:
    armed = Sass(ON_SM_120A.instructions, ("__cuda_syscall_x", "__both"))
    scaffold = Sass(SCAFFOLD.instructions, ("__both",))
    found = realize(armed, scaffold, FP8)
    assert found == Realization("call", {"QMMA.16816.F32.E4M3.E4M3": 1, "__cuda_syscall_x": 1})
    assert realize(armed, Sass(SCAFFOLD.instructions, armed.calls), FP8).word == "native"


def test_guard_that_traps_is_evidence_but_no_realization() -> None:
    guard = "__cuda_sm10x_tcgen05_guardrail_trap_unallocated_columns_being_dealloced"
    armed = Sass((*SCAFFOLD.instructions, ("UTCATOMSWS.AND", "UTCATOMSWS.AND URZ,UR4")), (guard,))
    assert realize(armed, SCAFFOLD, ("UTCATOMSWS.AND",)) == Realization("native", {"UTCATOMSWS.AND": 1, guard: 1})


_LOAD = "ld.param.u64 rd0, [p];" + "".join(f"ld.global.b32 {x}, [rd0+{4 * i}];" for i, x in enumerate("abcdef"))
_STORE = "".join(f"st.global.b32 [rd0+{4 * i}], {x};" for i, x in enumerate("abcdefghij"))
_FP8 = "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {g, h, i, j}, {a, b, c, d}, {e, f}, {g, h, i, j};"
_MULTIPLY = ".reg .b32 a, b, c, d, e, f; .reg .f32 g, h, i, j;" + _LOAD
_ZERO = "".join(f"ld.global.f32 {x}, [rd0+{64 + 4 * i}];" for i, x in enumerate("ghij"))


@pytest.mark.parametrize(
    ("target", "instruction", "native", "word"),
    [
        ("sm_89", _FP8, "QMMA.16832.F32.E4M3.E4M3", "native"),
        ("sm_120a", _FP8, "QMMA.16832.F32.E4M3.E4M3", "native"),
        ("sm_90a", _FP8, "QMMA.16832.F32.E4M3.E4M3", "emulated"),
        ("sm_100a", _FP8, "QMMA.16832.F32.E4M3.E4M3", "emulated"),
        ("sm_90a", BODIES["warned"][0], "UBLKCP.S.G.MULTICAST", "native"),
        ("sm_120a", BODIES["warned"][0], "UBLKCP.S.G.MULTICAST", "call"),
        ("sm_90a", "", "HMMA", "elided"),
        ("sm_100a", "tcgen05.fence::before_thread_sync;", "HMMA", "elided"),
    ],
)
def test_real_code(target: str, instruction: str, native: str, word: str) -> None:
    around = (_MULTIPLY + _ZERO, _STORE.replace("b32 [rd0+2", "f32 [rd0+2").replace("b32 [rd0+3", "f32 [rd0+3"))
    parts = [kernel("armed", instruction.join(around)), kernel("scaffold", "".join(around))]
    verdicts = assemble(parts, real(), parse(target))
    assert verdicts["armed"].accepted, verdicts["armed"].diagnostics
    code = disassemble(verdicts["armed"].cubin)
    assert realize(code["armed"], code["scaffold"], (native,)).word == word
