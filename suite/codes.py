"""Machine code already read: each distinct code is read once, whatever kernel, target or toolchain it is from.

Targets of one chip (sm_100, sm_100a, sm_100f) mostly get the same bytes for the same kernel, and so do neighbouring
releases of ptxas. What nvdisasm prints depends on those bytes, the calls, and the architecture's number. The kernels of
a module have most of their instructions in common: nvdisasm gets each distinct word once, without the cubin around it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from suite.cubin import Cubin, Function, bare
from suite.disassemble import WORD, nvdisasm, opcodes
from suite.errors import DisassemblerError
from suite.model import Code
from suite.store import Store, code_seal, file_seal, folder, store

_open: dict[tuple[str, tuple[str, ...]], Codes] = {}
_opening = Lock()

_READERS = ("cubin.py", "disassemble.py", "codes.py")


@dataclass
class Codes:
    """The codes of one architecture as one nvdisasm reads them; `fresh` are those not yet kept."""

    kept: Store
    sm: int
    fresh: dict[str, str] = field(default_factory=dict)

    def find(self, digest: str) -> Mapping[str, Any] | None:
        """Return the opcodes and calls of a code, None if it is new."""
        text = self.fresh.get(digest) or self.kept.rows.get(digest)
        return json.loads(text) if text else None

    def add(self, digest: str, opcodes: Mapping[str, int], calls: Sequence[str]) -> None:
        """Add what a code holds."""
        self.fresh[digest] = json.dumps({"opcodes": opcodes, "calls": calls}, separators=(",", ":"))

    def counts(self, texts: Mapping[str, bytes]) -> dict[str, dict[str, int]]:
        """Return how often each text has each opcode, but of texts that hold what is no instruction.

        Raises `DisassemblerError` where nvdisasm fails.
        """
        counted = {key: Counter(np.frombuffer(text, f"V{WORD}").tolist()) for key, text in texts.items()}
        distinct = list({word: None for words in counted.values() for word in words})
        read = dict(zip(distinct, opcodes(distinct, self.sm), strict=True))
        found = {key: _by_opcode(words, read) for key, words in counted.items()}
        return {key: counts for key, counts in found.items() if counts is not None}

    def flush(self) -> None:
        """Keep what is fresh."""
        fresh = dict(self.fresh)
        self.kept.keep(fresh)
        for digest in fresh:
            del self.fresh[digest]


def read(modules: Mapping[bytes, Collection[str]], sm: int) -> dict[str, Code | str]:
    """Return the code of the functions named of each cubin of an architecture, or why it cannot be read.

    What is new in all of them goes to nvdisasm together. Raises `UsageError` where there is none.
    """
    found: dict[str, Code | str] = {}
    functions: dict[str, tuple[Cubin, Function]] = {}
    for cubin, names in modules.items():
        try:
            image = Cubin(cubin)
        except DisassemblerError as error:
            found |= dict.fromkeys(names, str(error))
        else:
            functions |= {name: (image, one) for name, one in image.functions().items() if name in names}
    codes = of(sm)
    why = _learn(codes, {one.digest: (image, name) for name, (image, one) in functions.items()})
    for name, (_, one) in functions.items():
        known = codes.find(one.digest)
        found[name] = code(one.digest, one.registers, known) if known else why
    return found


def _learn(codes: Codes, functions: Mapping[str, tuple[Cubin, str]]) -> str:
    """Add the codes that are new, by digest, as far as they can be read; return why the others cannot."""
    new = {digest: place for digest, place in functions.items() if not codes.find(digest)}
    if not new:
        return ""
    try:
        counts = codes.counts({digest: image.code(name) for digest, (image, name) in new.items()})
    except DisassemblerError as error:
        return str(error)
    for digest, found in counts.items():
        image, name = new[digest]
        # Kernels with the same code share it, whatever name their own functions begin with.
        codes.add(digest, found, sorted({bare(routine).removeprefix(f"{name}_") for routine in image.routines(name)}))
    return "nvdisasm calls a part of it illegal"


def _by_opcode(counts: Mapping[bytes, int], words: Mapping[bytes, str | None]) -> dict[str, int] | None:
    """Return the counts of opcodes from those of words, without padding; None where a word is no instruction."""
    found: Counter[str] = Counter()
    for word, count in counts.items():
        opcode = words[word]
        if opcode is None:
            return None
        if opcode:
            found[opcode] += count
    return dict(found)


def of(sm: int) -> Codes:
    """Return the codes of an architecture number, read once from each cache folder."""
    names = ("codes", _version(), file_seal(nvdisasm()), f"sm_{sm}")
    where = (str(folder()), names)
    with _opening:
        if where not in _open:
            _open[where] = Codes(store(*names), sm)
    return _open[where]


def code(digest: str, registers: int, data: Mapping[str, Any]) -> Code:
    """Return a code from what `find` and `add` return."""
    return Code(digest, registers, sum(data["opcodes"].values()), data["opcodes"], tuple(data["calls"]))


def flush() -> None:
    """Keep every code that is fresh."""
    for codes in list(_open.values()):
        codes.flush()


@cache
def _version() -> str:
    here = Path(__file__).resolve().parent
    return code_seal(here / name for name in _READERS)
