"""Logic on predicates, and lop3 that combines its result with one. PTX ISA 9.3, 9.7.8.1 to 9.7.8.6 and 9.7.9.3."""

from __future__ import annotations

from functools import partial

from suite import Probe, elementwise, predicates, product, since

SECTIONS = {"and": "9.7.8.1", "or": "9.7.8.2", "xor": "9.7.8.3", "not": "9.7.8.4", "mov": "9.7.9.3"}
TABLES = (0x1A, 0x80, 0x96, 0xFE)

instruction = partial(
    Probe,
    template="elementwise.ptx.j2",
    operands=predicates.operands,
    inputs=predicates.inputs,
    oracle=predicates.oracle,
    launch=lambda params: elementwise.launch(predicates.THREADS),
    fields=predicates.fields,
)

# Predicates are combined by PLOP3, or by the comparison that makes one of them; lop3 gives one beside its word. Source:
# nvdisasm 13.5.37 of the armed kernels for sm_75, 90a and 121a.
PROBES = (
    instruction(
        form="two",
        opcode="{op}.pred",
        arguments="%p_p, %p_q, %p_r",
        rows=product(op=("and", "or", "xor")),
        claim=lambda params: since("sm_10", ptx="1.0", section=SECTIONS[params["op"]]),
        native=lambda params: ("PLOP3.LUT",),
    ),
    instruction(
        form="one",
        opcode="{op}.pred",
        arguments="%p_p, %p_q",
        rows=product(op=("not", "mov")),
        claim=lambda params: since("sm_10", ptx="1.0", section=SECTIONS[params["op"]]),
        native=lambda params: ("PLOP3.LUT",),
    ),
    instruction(
        form="lop3",
        opcode="lop3.{bool}.b32",
        arguments="{d_}|%p_p, a, b, c, {lut}, %p_q",
        rows=product(op=("lop3",), bool=("and", "or"), result=("told", "sink"), lut=TABLES),
        claim=lambda params: since("sm_70", ptx="8.2", section="9.7.8.6"),
        native=lambda params: ("LOP3.LUT",),
    ),
)
