"""The ELF tables of a cubin, held against an independent reader, and what the hash of a code tells apart."""

from __future__ import annotations

import io
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from suite.assemble import assemble, assemble_one
from suite.cubin import Cubin, bare
from suite.errors import DisassemblerError
from suite.targets import parse
from tests.assemblers import BODIES, kernel, real

PLAIN, MULTICAST = "mov.u32 r0, %tid.x; st.shared.b32 [r0], r0;", BODIES["warned"][0]


def image(target: str, **bodies: str) -> Cubin:
    verdicts = assemble([kernel(*item) for item in bodies.items()], real(), parse(target))
    return Cubin(next(iter(verdicts.values())).cubin)


@pytest.mark.parametrize("target", ["sm_75", "sm_90a", "sm_120a"])
def test_tables_are_those_of_an_independent_reader(target: str) -> None:
    raw = assemble([kernel("plain", PLAIN), kernel("other", "mov.u32 r0, 1;")], real(), parse(target))["plain"].cubin
    with io.BytesIO(raw) as stream:
        elf = ELFFile(stream)
        symbols: Any = elf.get_section_by_name(".symtab")
        wanted = {
            symbol.name: at
            for at, symbol in enumerate(symbols.iter_symbols())
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        machine, flags = elf["e_machine"], elf["e_flags"]
    found = Cubin(raw)
    assert {name: function.index for name, function in found.functions().items()} == wanted
    assert (found.machine, found.flags, found.sm) == (machine, flags, parse(target).number)


def test_one_code_has_one_hash_whatever_kernel_module_and_suffix() -> None:
    alone = Cubin(assemble_one(kernel("other", PLAIN), real(), parse("sm_100")).cubin)
    among = image("sm_100a", first="mov.u32 r0, 1;", plain=PLAIN)
    assert alone.functions()["other"].digest == among.functions()["plain"].digest
    assert among.functions()["first"].digest != among.functions()["plain"].digest


def test_the_routine_that_is_called_is_part_of_the_code() -> None:
    native, called = (image(target, k=MULTICAST) for target in ("sm_100a", "sm_120a"))
    assert native.calls.get("k", frozenset()) == frozenset()
    assert called.calls["k"] == {"__cuda_syscall_cp_async_bulk_multicast"}
    assert called.reached(["k"]) == ["k"]


def test_registers() -> None:
    found = image("sm_90a", small="mov.u32 r0, 1;", plain=PLAIN).functions()
    assert found["plain"].registers > 0


def test_a_routines_mark_is_left_out() -> None:
    assert [bare(name) for name in ("$__internal_0_$__cuda_div", "$k$__cuda_div", "__cuda_div")] == ["__cuda_div"] * 3


@pytest.mark.parametrize("cut", [0, 3, 40, 400, 2000])
def test_bytes_that_are_no_cubin(cut: int) -> None:
    raw = assemble_one(kernel("plain", PLAIN), real(), parse("sm_90a")).cubin
    with pytest.raises(DisassemblerError, match="no cubin"):
        Cubin(raw[:cut]).functions()
