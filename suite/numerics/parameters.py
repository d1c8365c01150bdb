"""What each unit of each chip is known to do with the bits that do not fit: one row a unit, with its source.

Sources: [A] arXiv 2511.10909 (bit-accurate models, measured on V100 to B200 and RTX Blackwell), [B] arXiv 2512.07004
(measured on V100, A100, A2, L40S, H100, H200, B200; published results compared with these models bit for bit),
[S] machine code of ptxas 13.5.37, [-] taken over from the nearest chip that was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.numerics.fdpa import Step


@dataclass(frozen=True)
class Row:
    """F fraction bits; products a step as bytes of an operand (16 f16 products are 32); roundings; source.

    `f32` and `f16` are the roundings of those results. `measured` is False where a row is taken over from another chip.
    """

    unit: str
    numbers: tuple[int, ...]
    fraction: int
    nbytes: int
    f32: str
    f16: str
    source: str

    @property
    def measured(self) -> bool:
        """Tell whether somebody measured this very chip."""
        return self.source != "-"

    def step(self, d: str) -> Step:
        """Return the step that gives an f32 or f16 result. Exponent of zeros: as [A] lists, one less a generation."""
        if d == "f16":
            return Step(self.fraction, HALF_ZERO[self.unit, self.fraction], self.f16)
        return Step(self.fraction, ZERO[self.unit, self.fraction], self.f32)


RZ, CUT, RNE = "RZ-FP32", "RZ-E8M13", "RNE-FP16"

ROWS = (
    #   unit        chips                    F  bytes  f32   f16   source
    Row("HMMA.884", (75,),                  23,   8,   RZ,   RNE, "A"),
    Row("HMMA",     (75,),                  24,  16,   RZ,   RNE, "A"),
    Row("HMMA",     (80, 86, 89),           24,  16,   RZ,   RNE, "A, B"),
    Row("HMMA",     (87, 88),               24,  16,   RZ,   RNE, "-"),
    Row("HMMA",     (90, 100),              25,  32,   RZ,   RNE, "A, B"),
    Row("HMMA",     (120,),                 25,  32,   RZ,   RNE, "A, B"),
    Row("HMMA",     (103, 107, 110, 121),   25,  32,   RZ,   RNE, "-"),
    Row("QMMA",     (89,),                  13,  16,   CUT,  RNE, "A, B"),
    Row("QMMA",     (120,),                 25,  32,   RZ,   RNE, "A"),
    Row("QMMA",     (121,),                 25,  32,   RZ,   RNE, "-"),
    Row("OMMA",     (120,),                 35,  32,   RZ,   RNE, "A"),
    Row("OMMA",     (121,),                 35,  32,   RZ,   RNE, "-"),
    Row("HGMMA",    (90,),                  25,  32,   RZ,   RNE, "A"),
    Row("QGMMA",    (90,),                  13,  32,   CUT,  RNE, "A"),
    Row("UTCHMMA",  (100,),                 25,  32,   RZ,   RNE, "A"),
    Row("UTCQMMA",  (100,),                 25,  32,   RZ,   RNE, "A"),
    Row("UTCOMMA",  (100,),                 35,  32,   RZ,   RNE, "A"),
    Row("UTCHMMA",  (103, 107, 110),        25,  32,   RZ,   RNE, "-"),
    Row("UTCQMMA",  (103, 107, 110),        25,  32,   RZ,   RNE, "-"),
    Row("UTCOMMA",  (103, 107, 110),        35,  32,   RZ,   RNE, "-"),
)  # fmt: skip

# Chips on which T-FDPA over the kept products, L counting those, gave every bit of every sparse form, by the source.
SPARSE = {90: "reports/records, H200: mma.sp and wgmma.sp, all types"}

# The exponent that stands for zeros, by unit and F, of f32 and f16 results. Source: [A].
_ZEROS = (
    #  unit        F    f32   f16
    ("HMMA.884",   23, -131, -19),
    ("HMMA",       24, -132, -20),
    ("HMMA",       25, -133, -21),
    ("QMMA",       13, -132, -20),
    ("QMMA",       25, -133, -21),
    ("OMMA",       35, -139, -21),
    ("HGMMA",      25, -133, -21),
    ("QGMMA",      13, -133, -21),
    ("UTCHMMA",    25, -133, -21),
    ("UTCQMMA",    25, -133, -21),
    ("UTCOMMA",    35, -139, -21),
)  # fmt: skip
ZERO = {(unit, fraction): zero for unit, fraction, zero, _ in _ZEROS}
HALF_ZERO = {(unit, fraction): zero for unit, fraction, _, zero in _ZEROS}


def find(unit: str, number: int) -> Row | None:
    """Return the row of a unit on a chip, None where nobody says anything of it."""
    return next((row for row in ROWS if row.unit == unit and number in row.numbers), None)
