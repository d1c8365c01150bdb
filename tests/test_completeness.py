"""The catalogue against lists of instructions that others keep: a case spells each, or a reason stands here."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest

from suite import catalogue

SOURCES = tomllib.loads((Path(__file__).parent / "data" / "instructions.toml").read_text())["source"]
NEEDS_OBJECT = "it reads or writes through a texture, sampler or surface object, which no operand of ours is"

# What no case spells, and why.
NOT_TOLD = "the manual's table of contents names it, and no public source its operands"
UNKNOWN = "libcu++ alone has it: the manual's edition 9.4 does not, and ptxas 13.5.37 refuses it on every target tried"
EXCEPTIONS = {
    **dict.fromkeys(("tex", "tld4", "txq", "istypep", "suld", "sust", "sured", "suq"), NEEDS_OBJECT),
    **dict.fromkeys((f"fabric.try_{op}.async.tensor" for op in ("get", "put", "red")), NOT_TOLD),
    "tensormap.query.is_large": UNKNOWN,
}


def spells(opcode: str, name: str) -> bool:
    """Tell whether an opcode begins with a name's first token and has its others after it, in order.

    A token with a sub-qualifier is its plain one, too: `sync_restrict::shared::cta` is a `sync_restrict`.
    """
    first, *others = name.split(".")
    tokens = iter(opcode.split("."))
    if next(tokens) != first:
        return False
    return all(any(token == other or token.startswith(f"{other}::") for token in tokens) for other in others)


@cache
def opcodes() -> tuple[str, ...]:
    return tuple(dict.fromkeys(case.opcode for case in catalogue.expand()))


def spelled(name: str) -> bool:
    return any(spells(opcode, name) for opcode in opcodes())


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["name"].split(":")[0])
def test_every_instruction_is_spelled_or_excepted(source: dict[str, str]) -> None:
    names = source["instructions"].split()
    assert len(names) == len(set(names))
    assert [name for name in names if not spelled(name) and name not in EXCEPTIONS] == []


def test_every_exception_is_named_and_needed() -> None:
    named = {name for source in SOURCES for name in source["instructions"].split()}
    assert set(EXCEPTIONS) <= named
    assert [name for name in EXCEPTIONS if spelled(name)] == []


@pytest.mark.parametrize(
    "opcode, name, wanted",
    [
        ("fence.acquire.sync_restrict::shared::cta.cluster", "fence.sync_restrict", True),
        ("cp.async.bulk.tensor.2d.shared::cta", "cp.async.bulk.tensor", True),
        ("cp.async.bulk.shared::cta.global", "cp.async.bulk.tensor", False),
        ("tcgen05.mma.cta_group::1", "tcgen05.mma.ws", False),
        ("add.cc.u32", "addc", False),
    ],
)
def test_an_opcode_spells_a_name_whose_tokens_it_has_in_order(opcode: str, name: str, wanted: bool) -> None:
    assert spells(opcode, name) == wanted
