"""The words a probe is written in: `Probe`, its operands, its launch and the case that binds its parameters.

An entry is data. Only `inputs` and `oracle` are functions, and they see logical row-major arrays, never lanes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from suite.claims import Claim
from suite.numerics.operation import Numeric
from suite.operands import Operand

Params = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Launch:
    """How the kernel is launched: grid, block and cluster in CTAs or threads, dynamic shared memory in bytes."""

    grid: tuple[int, int, int] = (1, 1, 1)
    block: tuple[int, int, int] = (32, 1, 1)
    cluster: tuple[int, int, int] = (1, 1, 1)
    shared: int = 0


@dataclass(frozen=True, eq=False)
class Probe:
    """One instruction form in question.

    `opcode` and `arguments` are format strings over the case's parameters and `fields`; together they are the
    instruction, spelled once. `rows` are the bound parameters of each case. `claim`, `operands`, `launch`, `fields`,
    `inputs` and `oracle` are functions of a case's parameters; `native` names the SASS opcodes that realize the
    instruction, as patterns of `suite.opcodes`. `observed` says how the effect is seen: `memory`, or `sass` or `launch`
    where no memory shows it. `unlaunched` is the reason why no kernel of this probe is launched.
    `numeric` says how a matrix product is fed with codes of which a rounding shows, beside the inputs of which none
    does; None for the cases that take more than A, B, C and scales.
    """

    form: str
    opcode: str
    arguments: str
    rows: tuple[Params, ...]
    claim: Callable[[Params], Claim]
    template: str
    native: Callable[[Params], tuple[str, ...]]
    operands: Callable[[Params], tuple[Operand, ...]]
    inputs: Callable[[Params, np.random.Generator], Arrays]
    oracle: Callable[[Params, Arrays], Arrays]
    launch: Callable[[Params], Launch] = lambda params: Launch()
    fields: Callable[[Params], Params] = lambda params: {}
    observed: str = "memory"
    unlaunched: str = ""
    numeric: Callable[[Params], Numeric | None] | None = None


@dataclass(frozen=True)
class Case:
    """A probe with its parameters bound; `id` is pytest id, record key, waiver key and query at once."""

    id: str
    family: str
    probe: Probe
    params: Params = field(hash=False)

    @cached_property
    def opcode(self) -> str:
        """Return the full dotted PTX opcode, modifiers included, without operands."""
        return self.probe.opcode.format(**self._spelled)

    @property
    def instruction(self) -> str:
        """Return the instruction as it stands in the kernel, with its operands."""
        return f"{self.opcode} {self.probe.arguments.format(**self._fields)};".replace(" ;", ";")

    @cached_property
    def claim(self) -> Claim:
        """Return what the manual says of this case."""
        return _shared(self.probe.claim(self.params))

    @cached_property
    def native(self) -> tuple[str, ...]:
        """Return the SASS opcode patterns any of which means that the instruction was realized as itself."""
        return self.probe.native(self.params)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Return the kernel's parameters in order."""
        return self.probe.operands(self.params)

    @property
    def launch(self) -> Launch:
        """Return grid, block, cluster and dynamic shared memory."""
        return self.probe.launch(self.params)

    @property
    def _spelled(self) -> Params:
        return {**self.params, **self.probe.fields(self.params)}

    @property
    def _fields(self) -> dict[str, Any]:
        return {**{operand.name.upper(): operand.vector for operand in self.operands}, **self._spelled}


@cache
def _shared(claim: Claim) -> Claim:
    """Return the first claim that is equal: some hundred stand for all cases, and each is worked out once."""
    return claim


def rows(header: str, *lines: Sequence[Any]) -> tuple[Params, ...]:
    """Return one parameter set a line of an aligned table: `rows("shape ab", ("m16n8k8", "f16"), …)`.

    Raises `ValueError` for a line that has not one value a column.
    """
    names = header.split()
    for line in lines:
        if len(line) != len(names):
            raise ValueError(f"a row of {len(line)} values under {len(names)} columns: {line!r}")
    return tuple(dict(zip(names, line, strict=True)) for line in lines)


def product(**columns: Sequence[Any]) -> tuple[Params, ...]:
    """Return every combination of the columns' values, the last column fastest."""
    return tuple(dict(zip(columns, values, strict=True)) for values in itertools.product(*columns.values()))
