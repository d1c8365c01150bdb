"""add, sub, mul and fma of four FP8, FP6, FP4 or ue8m0 values in a register. PTX ISA 9.4, 9.7.6.1 to 9.7.6.4."""

from __future__ import annotations

from functools import partial

from suite import Probe, elementwise, only, product, quads
from suite.probe import Params

SECTIONS = {op: f"PTX ISA 9.4, 9.7.6.{n}" for n, op in enumerate(("add", "sub", "mul", "fma"), 1)}
# Source: nvdisasm 13.5.37 of kernels from ptxas 13.5.37 for sm_100a.
UNITS = {"add": "QADD4", "sub": "QADD4", "mul": "QMUL4", "fma": "QFMA4"}
RESULTS = ("e5m2x4", "e4m3x4")
TYPES = (*RESULTS, "e3m2x4", "e2m3x4", "e2m1x4", "e2m1p4x4", "ue8m0x4")
NO_YES = ("no", "yes")


def _fields(params: Params) -> Params:
    kinds = quads.kinds(params)
    told = kinds if params["op"] == "mul" else kinds[:-1]
    return {
        "predicates": (),
        "after": "",
        "rnd_": "" if params["rnd"] == "default" else f".{params['rnd']}",
        "sat_": ".satfinite" if params["sat"] == "yes" else "",
        "types": ".".join((params["type"], *told)),
        "inputs": ", ".join(quads.NAMES[: len(kinds)]),
    }


def _sass(params: Params) -> tuple[str, ...]:
    result = params["type"].upper().replace("X", "x")
    return (f"{UNITS[params['op']]}.{result}" + (".SATFINITE" if params["sat"] == "yes" else ""),)


probe = partial(
    Probe,
    opcode="{op}{rnd_}{sat_}.{types}",
    arguments="d, {inputs}",
    claim=lambda params: only("sm_100a", "sm_103a", ptx="9.4", section=SECTIONS[params["op"]]),
    template="elementwise.ptx.j2",
    native=_sass,
    operands=quads.operands,
    inputs=quads.inputs,
    oracle=quads.oracle,
    launch=lambda params: elementwise.launch(quads.THREADS),
    fields=_fields,
)
ROUND = ("default", "rn")

PROBES = (
    probe(form="sum", rows=product(op=("add", "sub"), rnd=ROUND, sat=NO_YES, type=RESULTS, first=TYPES)),
    probe(
        form="product",
        rows=product(op=("mul", "fma"), rnd=("rn",), sat=NO_YES, type=RESULTS, first=TYPES, second=TYPES)
        + product(op=("mul", "fma"), rnd=("default",), sat=NO_YES, type=RESULTS, first=("e4m3x4",), second=("e2m1x4",)),
    ),
)
