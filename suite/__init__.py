"""The machine of ptxproof. The names below are what probes are written with."""

from suite.claims import Claim, family, only, since
from suite.formats import FORMATS, decode, encode, finite_codes
from suite.operands import Buffer, Fragment, Operand, Scale, TensorMap
from suite.probe import Launch, Probe, product, rows

__all__ = [
    "FORMATS",
    "Buffer",
    "Claim",
    "Fragment",
    "Launch",
    "Operand",
    "Probe",
    "Scale",
    "TensorMap",
    "decode",
    "encode",
    "family",
    "finite_codes",
    "only",
    "product",
    "rows",
    "since",
]
