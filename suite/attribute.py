"""Whose message is it? The log of a module of many kernels, told apart by line and by name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from suite.diagnostics import Message, classify
from suite.model import Diagnostic, Kernel

_LINE_IN_TEXT = re.compile(r"(?<=\bline )\d+")  # "injected in around line 9 by compiler", of the file
_WORD = re.compile(r"[\w$]+")


@dataclass(frozen=True)
class Reading:
    """A module's log: each kernel's `own` messages, by name, those `shared` for the header's sake, and `stray` ones."""

    own: dict[str, tuple[Diagnostic, ...]]
    shared: tuple[Diagnostic, ...]
    stray: tuple[Diagnostic, ...]

    @property
    def refused(self) -> frozenset[str]:
        """Return the names of the kernels that errors of their own were printed for."""
        return frozenset(name for name, entries in self.own.items() if any(map(refuses, entries)))


def refuses(diagnostic: Diagnostic) -> bool:
    """Tell whether code was refused for this."""
    return diagnostic.severity in ("error", "fatal")


def attribute(found: Sequence[Message], kernels: Sequence[Kernel], header_lines: int) -> Reading:
    """Return the messages of a module, which is `header_lines` lines of header and then the kernels, by kernel.

    Lines become relative to the kernel's text, from 0, also where a text speaks of one: there as in a module of this
    kernel alone.
    """
    owners = _Owners(kernels, header_lines)
    own: dict[str, list[Diagnostic]] = {kernel.name: [] for kernel in kernels}
    rest: dict[bool, list[Diagnostic]] = {True: [], False: []}
    for message in found:
        index = owners.of(message)
        if index is None:
            rest[message.line is not None].append(Diagnostic(classify(message.text), message.severity, message.text))
            continue
        own[kernels[index].name].append(owners.diagnostic(message, index))
    mine = {name: tuple(entries) for name, entries in own.items()}
    return Reading(mine, tuple(rest[True]), tuple(rest[False]))


class _Owners:
    """The kernels of a module by the lines of its file and by name."""

    def __init__(self, kernels: Sequence[Kernel], header_lines: int) -> None:
        self._names = {kernel.name: index for index, kernel in enumerate(kernels)}
        lengths = [kernel.text.count("\n") for kernel in kernels]
        self._header = header_lines
        self._starts = list(accumulate(lengths, initial=header_lines))  # lines before each kernel, and all lines

    def of(self, message: Message) -> int | None:
        """Return the index of the message's kernel: of its line, else of the first kernel named; None for neither."""
        if message.line is None:
            words = (self._names.get(word) for word in _WORD.findall(message.text))
            return next((index for index in words if index is not None), None)
        if message.line <= self._header:
            return None
        # An error at the end of the file is the last kernel's.
        return min(bisect_right(self._starts, message.line - 1), len(self._names)) - 1

    def diagnostic(self, message: Message, index: int) -> Diagnostic:
        """Return the message as one about kernel `index` alone."""
        before = self._starts[index]
        spoken = _LINE_IN_TEXT.search(message.text)
        line = message.line or (int(spoken[0]) if spoken else None)
        text = _LINE_IN_TEXT.sub(lambda match: str(int(match[0]) - before + self._header), message.text)
        return Diagnostic(classify(message.text), message.severity, text, None if line is None else line - 1 - before)
