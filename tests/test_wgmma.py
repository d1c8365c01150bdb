"""The wgmma families: claims, and every kind of case run on a paper warpgroup that reads bytes as the manual says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from suite import FORMATS, catalogue, verify, wgmma
from suite.formats import decode
from suite.operands import Operand
from suite.probe import Case
from suite.wgmma_mma import REGION_A, SHARED, Product, product_of

CASES = [case for case in catalogue.expand() if case.family in ("wgmma", "wgmma_sp")]
MULTIPLIES = [case for case in CASES if case.opcode.startswith("wgmma.mma_async")]
SWEEPS = ("f16", "bf16", "tf32", "fp8", "int8", "b1")
# Every form that is about layouts or operands, and the sweeps over types at small N.
RUN = [case for case in MULTIPLIES if case.probe.form not in SWEEPS or case.params["n"] in (8, 24)]


def product(case: Case) -> Product:
    return product_of(case.params, sparse=case.family == "wgmma_sp")


# --- what the catalogue holds ----------------------------------------------------------------------------------------


def test_every_shape_of_the_manual_is_an_opcode() -> None:
    per_kind = Counter(case.opcode.split(".")[1:3][-1] == "sp" for case in {c.opcode: c for c in MULTIPLIES}.values())
    # 32 sizes of N for 12 type triples of floats, 18 for 8 of integers and for bits, which are never sparse.
    assert per_kind == {False: 32 * 12 + 18 * 8 + 18, True: 32 * 12 + 18 * 8}


@pytest.mark.parametrize(
    ("opcode", "ptx"),
    [
        ("wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16", (8, 0)),
        ("wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.s8", (8, 0)),
        ("wgmma.mma_async.sync.aligned.m64n8k32.satfinite.s32.u8.s8", (8, 4)),
        ("wgmma.mma_async.sp.sync.aligned.m64n248k64.f16.e4m3.e5m2", (8, 2)),
        ("wgmma.mma_async.sp.sync.aligned.m64n48k64.s32.s8.u8", (8, 4)),
        ("wgmma.fence.sync.aligned", (8, 0)),
    ],
)
def test_claims_read_off_the_notes(opcode: str, ptx: tuple[int, int]) -> None:
    found = [case.claim for case in CASES if case.opcode == opcode]
    assert found
    assert {(claim.ptx, *(t.name for t in claim.targets)) for claim in found} == {(ptx, "sm_90a")}


def test_tiles_fit_into_shared_memory_and_descriptors_into_their_fields() -> None:
    for case in MULTIPLIES:
        for operand in case.operands:
            if isinstance(operand, wgmma.Multiplicand):
                room = (SHARED - REGION_A) if operand.name == "a" else REGION_A
                assert operand.tile.nbytes <= room, case.id
                assert operand.tile.nbytes % 16 == 0, case.id
                assert all(stride < 1 << 18 for stride in operand.tile.strides), case.id


# --- the paper warpgroup: registers and shared memory as bytes, read back by the manual's figures and formulas --------


@dataclass(frozen=True)
class Hardware:
    """How the machine errs; as it stands, not at all."""

    swizzles: bool = True
    base_offset: bool = True
    strides_exchanged: bool = False
    selector: bool = True
    metadata_order: bool = True
    negates: bool = True
    scales_d: bool = True
    saturates: bool = True
    ignores_low_bits: bool = True


EXACT = Hardware()
MODES = {0: 16, 3: 32, 2: 64, 1: 128}  # bytes of a swizzle row by the descriptor's bits 63:62. Source: 9.7.16.5.1.2.2


def fetch(image: np.ndarray, descriptor: int, shape: tuple[int, int, int], major: str, how: Hardware) -> np.ndarray:
    """Return items (trials, mn, k) by the canonical layouts of 9.7.16.5.1.2.1.3; `shape` is mn, k, bytes an item."""
    mn, k, item = shape
    start, leading, stride = ((descriptor >> at & 0x3FFF) << 4 for at in (0, 16, 32))
    base, width = (descriptor >> 49 & 7) * 128 * how.base_offset, MODES[descriptor >> 62]
    if how.strides_exchanged:
        leading, stride = stride, leading
    t = 16 // item
    m, c = np.indices((mn, k))
    if major == "k":
        columns = leading if width == 16 else 16
        at = (m % 8) * width + m // 8 * stride + c % t * item + c // t * columns
    elif width == 16:
        at = m % t * item + m // t * stride + c % 8 * 16 + c // 8 * leading
    else:
        wide = width // item
        at = m % wide * item + m // wide * leading + c % 8 * width + c // 8 * stride
    at = at + start - base
    if how.swizzles:
        at = at ^ (at >> 7 & width // 16 - 1) << 4
    whole = np.zeros((image.shape[0], SHARED), dtype=np.uint8)
    whole[:, : image.shape[1]] = image
    places = [(at + base + byte) % SHARED for byte in range(item)]
    parts = [whole[:, place].astype(np.uint64) << np.uint64(8 * byte) for byte, place in enumerate(places)]
    return np.asarray(np.bitwise_or.reduce(parts))


def from_registers(words: np.ndarray) -> np.ndarray:
    """Return A as bytes (trials, 64, 32) from [trial][thread][4]: rows g and g + 8, then 16 bytes of K further on."""
    out = np.zeros((words.shape[0], 64, 32), dtype=np.uint8)
    for thread in range(128):
        for register in range(4):
            row = thread // 32 * 16 + thread % 32 // 4 + 8 * (register & 1)
            column = 16 * (register >> 1) + 4 * (thread % 4)
            out[:, row, column : column + 4] = words[:, thread, register, None].view(np.uint8)
    return out


def elements(fmt: str, items: np.ndarray, how: Hardware) -> np.ndarray:
    """Return the values of items; single bits come out of bytes."""
    if fmt == "b1":
        return np.unpackbits(items.astype(np.uint8), axis=-1, bitorder="little").astype(np.float64)
    if not how.ignores_low_bits:
        return items.astype(np.uint32).view(np.float32).astype(np.float64)
    return decode(FORMATS[fmt], items).astype(np.float64)


def spread(case: Product, a: np.ndarray, words: np.ndarray, how: Hardware) -> np.ndarray:
    """Return sparse A with its zeros, element by element as the metadata figures have it."""
    kept = case.kept
    dense = np.zeros((a.shape[0], 64, case.k))
    select = case.select if how.selector else 1 - case.select
    for row in range(64):
        warp, g, high = row // 16, row % 8, row % 16 // 8
        for element in range(kept):
            chunk = element if case.a == "tf32" else element // 2
            if case.k == 64:
                lane, bit = 4 * g + high + 2 * (chunk // 8), 4 * (chunk % 8)
            else:
                lane, bit = 4 * g + 2 * select + chunk // 4, 16 * high + 4 * (chunk % 4)
            field = words[:, warp * 32 + lane] >> np.uint32(bit) & 15
            if case.a == "tf32":
                column = 2 * chunk + (field == 0b1110)
            else:
                second = element % 2 if how.metadata_order else 1 - element % 2
                column = 4 * chunk + (field >> 2 * second & 3)
            dense[np.arange(len(a)), row, column] = a[:, row, element]
    return dense


def to_registers(case: Product, d: np.ndarray) -> np.ndarray:
    """Return D's codes (trials, 64, n) as [trial][block][thread][register] words."""
    trials, width = d.shape[0], 4 if case.d != "f16" else 2
    out = np.zeros((trials, case.n // 8, 128, width), dtype=np.uint32)
    for thread in range(128):
        row, column = thread // 32 * 16 + thread % 32 // 4, 2 * (thread % 4)
        for i in range(4):
            value = d[:, row + 8 * (i // 2), column + i % 2 :: 8].astype(np.uint32)
            if width == 4:
                out[:, :, thread, i] = value
            else:
                out[:, :, thread, i // 2] |= value << np.uint32(16 * (i % 2))
    return out


@cache
def packed(case: Case) -> dict[str, np.ndarray]:
    arrays = verify.inputs(case)
    return {o.name: o.pack(arrays[o.name]) for o in case.operands if o.role == "in"}


def accumulator(case: Product, raw: np.ndarray, trials: int) -> np.ndarray:
    """Return the codes of D (trials, 64, n) from its registers: the inverse of `to_registers`."""
    index = to_registers(replace(case, d="s32"), np.arange(64 * case.n).reshape(1, 64, case.n))
    codes = np.zeros((trials, 64 * case.n), dtype=np.uint64)
    codes[:, index.reshape(-1)] = raw.view("<u2" if case.d == "f16" else "<u4").reshape(trials, -1)
    return codes.reshape(trials, 64, case.n)


def run(case: Case, how: Hardware = EXACT) -> np.ndarray:
    """Return the bytes of D that the machine leaves."""
    kind, raw = product(case), packed(case)
    trials = case.launch.grid[0]
    item, item_k = max(1, FORMATS[kind.a].bits // 8), FORMATS[kind.a].bits
    plan = [int(word) for word in raw["plan"].view("<u8")]
    b_columns, a_columns = kind.k * item_k // 8 // item, kind.kept * item_k // 8 // item
    b_items = fetch(raw["b"].reshape(trials, -1), plan[1], (kind.n, b_columns, item), kind.major_b, how)
    if kind.a_in == "smem":
        descriptor = plan[0] - (REGION_A >> 4)
        a_items = fetch(raw["a"].reshape(trials, -1), descriptor, (64, a_columns, item), kind.major_a, how)
    else:
        rows = from_registers(raw["a"].view("<u4").reshape(trials, 128, 4))
        a_items = rows.view(f"<u{item}").reshape(trials, 64, -1)
    a, b = elements(kind.a, a_items, how), elements(kind.b, b_items, how)
    if kind.sparse:
        a = spread(kind, a, raw["e"].view("<u4").reshape(trials, 128), how)
    sign = -1 if how.negates and kind.negate in ("a", "b") else 1
    codes = accumulator(kind, raw["c"], trials)
    flags = raw["flags"].view("<u4").reshape(-1, 1, 1) if how.scales_d else np.ones((trials, 1, 1))
    with np.errstate(invalid="ignore", over="ignore"):
        c = np.where(flags == 1, decode(FORMATS[kind.d], codes).astype(np.float64), 0.0)
        d = sign * np.einsum("tik,tjk->tij", a, b, optimize=True) + c + 0.0
        return to_registers(kind, _rounded(kind, d, how)).reshape(-1).view(np.uint8)


def _rounded(kind: Product, d: np.ndarray, how: Hardware) -> np.ndarray:
    if kind.d == "f16":
        return d.astype(np.float16).view(np.uint16)
    if kind.d == "f32":
        return d.astype(np.float32).view(np.uint32)
    clamps = kind.satfinite == "yes" and how.saturates
    whole = np.clip(d, -(2**31), 2**31 - 1) if clamps else d
    return whole.astype(np.int64).astype(np.uint32)


def expected(case: Case) -> np.ndarray:
    operand: Operand = next(o for o in case.operands if o.name == "d")
    return operand.pack(np.asarray(case.probe.oracle(case.params, verify.inputs(case))["d"]))


@pytest.mark.parametrize("family", ["wgmma", "wgmma_sp"])
def test_the_oracle_is_the_warpgroup_of_the_manual(family: str) -> None:
    chosen = [case for case in RUN if case.family == family]
    assert len(chosen) > 100
    assert [case.id for case in chosen if not np.array_equal(run(case), expected(case))] == []


MUTANTS = {
    "swizzle ignored": (Hardware(swizzles=False), "*k_major*"),
    "base offset ignored": (Hardware(base_offset=False), "*base_offset*"),
    "strides exchanged": (Hardware(strides_exchanged=True), "*mn_major*"),
    "the other selector": (Hardware(selector=False), "wgmma_sp.select*"),
    "metadata pairs exchanged": (Hardware(metadata_order=False), "wgmma_sp.fp8:n=8,*"),
    "negation ignored": (Hardware(negates=False), "*negate*negate=[ab]*"),
    "scale-d ignored": (Hardware(scales_d=False), "wgmma*.bf16:n=24,*"),
    "satfinite ignored": (Hardware(saturates=False), "*satfinite=yes*"),
    "low bits of tf32 taken": (Hardware(ignores_low_bits=False), "wgmma*.tf32:n=24,*"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_warpgroup_that_errs_is_seen(mutant: str) -> None:
    how, pattern = MUTANTS[mutant]
    chosen = [case for case in catalogue.select((pattern,)) if case in RUN]
    chosen = [case for case in chosen if "negate=ab" not in case.id]
    assert chosen
    assert [case.id for case in chosen if np.array_equal(run(case, how), expected(case))] == []
