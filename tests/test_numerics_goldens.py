"""Dots whose result names the unit: one line a vector, one column a machine. Source of the values: arXiv 2511.10909."""

from __future__ import annotations

import numpy as np
import pytest

from suite import targets
from suite.numerics.choice import Choice, choose
from suite.numerics.models import run
from suite.numerics.operation import Operation

F16 = Operation("f16", "f16", "f32", "f32", 1, 1, 16)
E4M3 = Operation("e4m3", "e4m3", "f32", "f32", 1, 1, 32)

# The machine code of each column.
MACHINES = {
    "turing": ("sm_75", {"HMMA.1688.F32": 2}),
    "volta": ("sm_75", {"HMMA.884.F32.STEP0": 1}),
    "ampere": ("sm_80", {"HMMA.16816.F32": 1}),
    "ada": ("sm_89", {"HMMA.16816.F32": 1}),
    "hopper": ("sm_90a", {"HMMA.16816.F32": 1}),
    "blackwell": ("sm_120a", {"HMMA.16816.F32": 1}),
    "ada fp8": ("sm_89", {"QMMA.16832.F32.E4M3.E4M3": 1}),
    "wgmma": ("sm_90a", {"QGMMA.64x8x32.F32.E4M3.E4M3": 1}),
    "tcgen05": ("sm_100a", {"UTCQMMA": 1}),
    "rtx": ("sm_120a", {"QMMA.16832.F32.E4M3.E4M3": 1}),
    "emulated": ("sm_90a", {"HMMA.16816.F32": 2, "F2FP.F16.E4M3.UNPACK_B": 12, "FADD": 4}),
}
ONE, MINUS = 0x3C00, 0xBC00
TINY = {24: 0x0001}  # 2^-24, the least f16


def half(exponent: int, significand: float = 1.0) -> int:
    return int(np.float16(significand * 2.0**exponent).view(np.uint16))


def single(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


# Columns: products {k: (a, b)} as f16 codes, c as f32, D of Volta, of the units with 24 bits, of those with 25.
F16_GOLDENS = {
    "G1": ({0: (ONE, ONE), 1: (ONE, MINUS), 2: (ONE, half(-24))}, 0.0, 0x00000000, 0x33800000, 0x33800000),
    "G2": ({0: (ONE, ONE), 1: (ONE, MINUS), 2: (half(-1), half(-24))}, 0.0, 0x00000000, 0x00000000, 0x33000000),
    "G3": ({0: (ONE, ONE), 1: (ONE, MINUS), 8: (half(-15), half(-15))}, 0.0, 0x30800000, 0x30800000, 0x00000000),
    "G3b": ({0: (ONE, ONE), 1: (ONE, MINUS), 4: (half(-15), half(-15))}, 0.0, 0x30800000, 0x00000000, 0x00000000),
    "G5": (dict.fromkeys(range(16), (half(-12), half(-12))), 1.0, 0x3F800000, 0x3F800008, 0x3F800008),
    "G6": (dict.fromkeys(range(16), (half(-12), half(-13))), 1.0, 0x3F800000, 0x3F800000, 0x3F800004),
    "G7": ({0: (half(-12, 1.5), half(-12))}, 1.0, 0x3F800000, 0x3F800000, 0x3F800000),
    "G8": ({0: (half(-12, -1.5), half(-12))}, -1.0, 0xBF800000, 0xBF800000, 0xBF800000),
    "G9": (dict.fromkeys(range(16), (0x8000, ONE)), -0.0, 0, 0, 0),
    "G11": ({3: (0x7C00, 0x0000)}, 1.0, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF),
    "G12": ({3: (0x7C00, ONE)}, -np.inf, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF),
}
GENERATIONS = (("volta",), ("turing", "ampere", "ada"), ("hopper", "blackwell"))


def model_of(machine: str, op: Operation) -> Choice:
    name, opcodes = MACHINES[machine]
    chosen = choose(targets.parse(name), opcodes, op)
    assert chosen is not None
    return chosen


def dot(machine: str, op: Operation, products: dict[int, tuple[int, int]], c: int) -> int:
    a = np.zeros((1, 1, op.k), dtype=np.uint64)
    b = np.zeros((1, op.k, 1), dtype=np.uint64)
    for k, (x, y) in products.items():
        a[0, 0, k], b[0, k, 0] = x, y
    arrays = {"a": a, "b": b, "c": np.full((1, 1, 1), c, dtype=np.uint64)}
    return int(run(model_of(machine, op).model, op, arrays)[0, 0, 0])


@pytest.mark.parametrize("name", F16_GOLDENS)
def test_f16_goldens_tell_the_generations(name: str) -> None:
    products, c, *expected = F16_GOLDENS[name]
    for machines, want in zip(GENERATIONS, expected, strict=True):
        for machine in machines:
            assert f"{dot(machine, F16, products, single(c)):08x}" == f"{want:08x}", machine


@pytest.mark.parametrize("machine", [m for group in GENERATIONS for m in group])
def test_a_nan_has_one_code_and_a_subnormal_c_passes(machine: str) -> None:
    assert dot(machine, F16, {}, 0xFFC12345) == 0x7FFFFFFF  # G10
    assert dot(machine, F16, {}, 0x00000001) == 0x00000001  # G14


def fp8(exponent: int) -> int:
    return (exponent + 7) << 3 if exponent >= -6 else 1 << (exponent + 9)


P1, M1 = (fp8(0), fp8(0)), (fp8(0), fp8(0) | 0x80)
# Columns: products as e4m3 codes, c as f32, D of Ada FP8, of wgmma, of tcgen05 and RTX Blackwell, of the emulation.
E4M3_GOLDENS = {
    "H1": ({}, 1 + 2.0**-13, 0x3F800400, 0x3F800400, 0x3F800400, 0x3F800400),
    "H2": ({}, 1 + 2.0**-14, 0x3F800000, 0x3F800000, 0x3F800200, 0x3F800200),
    "H3": ({}, 1 + 2.0**-23, 0x3F800000, 0x3F800000, 0x3F800001, 0x3F800001),
    "H5": ({0: P1, 1: M1, 16: (fp8(-7), fp8(-7))}, 0.0, 0x38800000, 0x00000000, 0x38800000, 0x38800000),
    "H7": ({0: P1}, 1.5 * 2.0**-24, 0x3F800000, 0x3F800000, 0x3F800000, 0x3F800001),
    "H9": ({0: P1, 2: M1}, 2.0**-30, 0x00000000, 0x00000000, 0x00000000, 0x30800000),
}


@pytest.mark.parametrize("name", E4M3_GOLDENS)
def test_fp8_goldens_tell_the_four_units(name: str) -> None:
    products, c, *expected = E4M3_GOLDENS[name]
    for machines, want in zip((("ada fp8",), ("wgmma",), ("tcgen05", "rtx"), ("emulated",)), expected, strict=True):
        for machine in machines:
            assert f"{dot(machine, E4M3, products, single(c)):08x}" == f"{want:08x}", machine


def test_the_zero_exponent_shows_in_f16_results() -> None:
    op = Operation("f16", "f16", "f16", "f16", 1, 1, 16)
    for machine, last in (("ampere", 44), ("hopper", 46)):
        chip, _ = MACHINES[machine]
        chosen = choose(targets.parse(chip), {"HMMA.16816.F16": 1}, op)
        assert chosen is not None
        for j in range(40, 49):
            a = np.zeros((1, 1, 16), dtype=np.uint64)
            b = np.zeros((1, 16, 1), dtype=np.uint64)
            a[0, 0, :2], b[0, :2, 0] = (half(-13), half(-24)), (half(-12), half(24 - j))
            arrays = {"a": a, "b": b, "c": np.zeros((1, 1, 1), dtype=np.uint64)}
            assert int(run(chosen.model, op, arrays)[0, 0, 0]) == (1 if j <= last else 0), (machine, j)
