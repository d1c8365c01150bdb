"""What PTX ISA 9.4 adds to cvt, most of it for sm_107: .rz to narrow formats, .pzo, one scale factor, ue5m3x2.

PTX ISA 9.4, 9.7.10.24.
"""

from __future__ import annotations

from probes.cvt import F4, F6, F8, NEWER, NO_YES, constant, conversion, stochastic_
from suite import family, only, product

# Target ISA Notes and PTX ISA Notes. Those on .s2f6x2 and .rs name sm_107a alone of the family, and those on .s2f6x2 do
# not tell .rz, which its syntax has from 9.4 on, from .rn.
RUBIN = family("sm_107f", ptx="9.4", section=NEWER)
STOCHASTIC = only("sm_107a", ptx="9.4", section=NEWER)
S2F6 = only("sm_100a", "sm_103a", "sm_107a", "sm_110a", "sm_120a", "sm_121a", ptx="9.4", section=NEWER)

HALVES, SOURCES = ("f16x2", "bf16x2"), ("f32", "f16x2", "bf16x2")
BOTH, FACTOR = ("rn", "rz"), ("no", "n1")
TO_NARROW = product(to=F8 + F6 + F4, of=SOURCES, rnd=BOTH, satfinite=("yes",), relu=NO_YES, pzo=NO_YES, scaled=FACTOR)

PROBES = (
    conversion(
        form="narrow",
        opcode="cvt{round}.satfinite{relu_}{pzo_}{scaled_}.{to}.{of}",
        rows=tuple(row for row in TO_NARROW if (row["rnd"], row["pzo"], row["scaled"]) != ("rn", "no", "no")),
        claim=constant(RUBIN),
    ),
    conversion(
        form="pzo",
        opcode="cvt{round}{relu_}{satfinite_}{pzo_}.{to}.{of}",
        rows=product(to=("f16", "bf16", *HALVES), of=("f32",), rnd=BOTH, relu=NO_YES, satfinite=NO_YES, pzo=("yes",)),
        claim=constant(RUBIN),
    ),
    conversion(
        form="pzo_tf32",
        opcode="cvt{round}{satfinite_}{relu_}{pzo_}.{to}.{of}",
        rows=product(to=("tf32",), of=("f32",), rnd=BOTH, satfinite=NO_YES, relu=NO_YES, pzo=("yes",)),
        claim=constant(RUBIN),
    ),
    stochastic_(
        form="pzo_stochastic",
        rows=product(to=HALVES, of=("f32",), rnd=("rs",), relu=NO_YES, satfinite=NO_YES, pzo=("yes",))
        + product(
            to=("e4m3x4", "e5m2x4", "e3m2x4", "e2m3x4", "e2m1x4"),
            of=("f32",),
            rnd=("rs",),
            relu=NO_YES,
            satfinite=("yes",),
            pzo=("yes",),
        ),
        claim=constant(STOCHASTIC),
    ),
    conversion(
        form="ue5m3",
        opcode="cvt{round}{satfinite_}{scaled_}.{to}.{of}",
        rows=product(to=("ue5m3x2",), of=SOURCES, rnd=("rn", "rz", "rp"), satfinite=NO_YES, scaled=("no",))
        + product(to=("ue5m3x2",), of=SOURCES, rnd=BOTH, satfinite=NO_YES, scaled=("n1",)),
        claim=constant(RUBIN),
    ),
    conversion(
        form="of_ue5m3",
        opcode="cvt{round}{satfinite_}{scaled_}.{to}.{of}",
        rows=product(to=("f16x2",), of=("ue5m3x2",), rnd=("rn",), satfinite=("no",), scaled=("no",))
        + product(to=("bf16x2",), of=("ue5m3x2",), rnd=("rn",), satfinite=NO_YES, scaled=NO_YES),
        claim=constant(RUBIN),
    ),
    conversion(
        form="s2f6_toward_zero",
        opcode="cvt{round}.satfinite{relu_}{scaled_}.{to}.{of}",
        rows=product(to=("s2f6x2",), of=("f32", "bf16x2"), rnd=("rz",), satfinite=("yes",), relu=NO_YES, scaled=NO_YES),
        claim=constant(S2F6),
    ),
)
