"""tcgen05.ld with `.spcompress`: of each four f32 of a lane the two greatest or least, and where they stood.

PTX ISA 9.4, 9.7.18.8.3.
"""

from __future__ import annotations

from typing import Any

from suite import Launch, Probe, only, product
from suite.probe import Params
from suite.tcgen05 import LANES
from suite.tcgen05_compress import Compression

SECTION = "PTX ISA 9.4, 9.7.18.8.3"
UNLAUNCHED = "which bits hold which index stands in a figure of spcompress alone"
FORMS = {
    "shape": ("32x32b",),
    "num": ("x4", "x8", "x16", "x32", "x64", "x128"),
    "op": ("min", "max"),
    "abs": ("no", "yes"),
}


def _native(params: Params, unit: str) -> tuple[str, ...]:
    """Return the opcode. Source: ptxas 13.5.37 for sm_107a, read with nvdisasm."""
    how = params["op"].upper() + "ABS" * (params["abs"] == "yes")
    return (f"{unit}.SPARSIFY.U2.2TO4.{params['num']}.{how}.F32" + ".NAN" * (params.get("nan") == "yes"),)


def probe(form: str, instruction: str, arguments: str, unit: str, *, red: bool, **more: Any) -> Probe:
    """Return a probe of one of the two loads, whose opcode `unit` begins."""
    kernel = Compression(red=red)
    return Probe(
        form=form,
        opcode=instruction + ".sync.aligned.{shape}.{num}.{op}.sp::2:4{abs_part}{nan_part}.f32.b2",
        arguments=arguments,
        rows=product(**FORMS, **more),
        claim=lambda params: only("sm_107a", ptx="9.4", section=SECTION),
        template="tcgen05_transfer.ptx.j2",
        native=lambda params: _native(params, unit),
        operands=kernel.operands,
        inputs=kernel.inputs,
        oracle=kernel.oracle,
        launch=lambda params: Launch((2, 1, 1), (LANES, 1, 1)),
        fields=kernel.fields,
        unlaunched=UNLAUNCHED,
    )


PROBES = (
    probe("ld", "tcgen05.ld.spcompress", "{mdata}, {cdata}, [%taddr]", "LDTM", red=False),
    probe(
        "ld_red",
        "tcgen05.ld.red.spcompress",
        "{mdata}, {cdata}, %redval, [%taddr]",
        "LDTM.STAT",
        red=True,
        nan=("no", "yes"),
    ),
)
