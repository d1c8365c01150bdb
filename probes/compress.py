"""spcompress and spdecompress: registers between dense and structured sparse. PTX ISA 9.4, 9.7.10.30 and 9.7.10.31."""

from __future__ import annotations

from functools import partial

from suite import Launch, Probe, compress, only, product
from suite.probe import Params

SECTIONS = {"spcompress": "PTX ISA 9.4, 9.7.10.30", "spdecompress": "PTX ISA 9.4, 9.7.10.31"}
# nvdisasm 13.5.37 has no other name for them in code of ptxas 13.5.37 for sm_107a.
NAMES = {"spcompress": "__HIR0X1C0", "spdecompress": "__HIR0X1D0"}
# Legal, but ptxas 13.5.37 finds no registers for its 200 beside the kernel's pointers.
CROWDED = {"op": "spdecompress", "element": 16, "index": 2, "num": 64, "few": 2, "many": 4}
UNLAUNCHED = "which bits hold which element and which index stands in figures alone"


def _fields(params: Params) -> Params:
    order = ("index", "kept", "dense") if params["op"] == "spcompress" else ("dense", "index", "kept")
    descriptor = (", %descriptor_0",) if params["op"] == "spcompress" else ()
    return {"vectors": ", ".join(compress.vector(name, params) for name in order) + "".join(descriptor)}


def _rows(op: str, factors: tuple[tuple[int, int], ...]) -> tuple[Params, ...]:
    every = product(op=(op,), element=(8, 16), index=(2, 4), num=compress.REPEATS)
    rows = ({**row, "few": few, "many": many} for row in every for few, many in factors)
    return tuple(row for row in rows if compress.legal(row) and row != CROWDED)


probe = partial(
    Probe,
    opcode="{op}.b{element}.b{index}.sp::{few}:{many}.x{num}",
    arguments="{vectors}",
    claim=lambda params: only("sm_107a", ptx="9.4", section=SECTIONS[params["op"]]),
    template="compress.ptx.j2",
    native=lambda params: (NAMES[params["op"]],),
    operands=compress.operands,
    inputs=compress.inputs,
    oracle=compress.oracle,
    launch=lambda params: Launch(block=(1, 1, 1)),
    fields=_fields,
    unlaunched=UNLAUNCHED,
)

PROBES = (
    probe(form="squeeze", rows=_rows("spcompress", ((2, 4),))),
    probe(form="expand", rows=_rows("spdecompress", compress.FACTORS)),
)
