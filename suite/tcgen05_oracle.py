"""Inputs and oracle of every form of tcgen05.mma: D = (A * scale A) * (B * scale B) + D * 2^-s.

Logical arrays carry a leading axis of trials; B is held as (n, k). Random trials: every sum is exact, in float64 as in
D, so that nothing depends on order or rounding. Source: PTX ISA 9.3, 9.7.17.10.
"""

from __future__ import annotations

import numpy as np

from suite.exact import exact_integers, random_multiplicand
from suite.operands import Buffer, Operand
from suite.probe import Arrays
from suite.tcgen05_cells import matrix_a, matrix_b, output, stored, tensors
from suite.tcgen05_forms import LANES, Form, column_mask

TRIALS = 6  # of these the second does not take D in, and its mask is empty
SHORT = np.array([0.5, 1, 1.5, 2, 3, 4])
SCALES = {"ue8m0": 2.0 ** np.arange(-2, 3), "ue4m3": SHORT, "ue5m3": SHORT}
# Codes of the elements that are kept: two of four, pairs two of four pairs, or one of two. Source: 9.7.17.10.8.1 to .3.
KEPT = {"tf32": (0b1110, 0b0100)}
KEPT_TWO = (0b0100, 0b1000, 0b1100, 0b1001, 0b1101, 0b0110, 0b1110)
SPANS = (0, 1, 3, 6)  # of a zero-column mask, less one


def operands(form: Form, *, lanes: bool = False, masked: bool = False) -> tuple[Operand, ...]:
    """Return the kernel's parameters; `lanes` and `masked` say whether it takes lane masks or a column mask."""
    extra: list[Operand] = [Buffer("flags", "in", "b32", (TRIALS,))]
    if lanes:
        extra.append(Buffer("lanes", "in", "b32", (TRIALS, 4 * form.group)))
    if masked:
        extra.append(Buffer("mask", "in", "b64", (TRIALS,)))
    return (matrix_a(form, TRIALS), matrix_b(form, TRIALS), *tensors(form, TRIALS), *extra, output(form, TRIALS))


def inputs(form: Form, wanted: tuple[Operand, ...], rng: np.random.Generator, scale_d: int = 0) -> Arrays:
    """Return random arrays for the operands `wanted`; D is a multiple of 2^scale_d, so that what it gives is exact."""
    shapes = {operand.name: operand.shape for operand in wanted}
    arrays = {
        "a": _elements(rng, form.types[1], shapes["a"]),
        "b": _elements(rng, form.types[2], shapes["b"]),
        "c": _accumulators(rng, form, shapes["c"], scale_d),
        "flags": np.array([1, 0, 1, 1, 1, 1], dtype=np.uint64),
    }
    if form.sparse:
        arrays["e"] = rng.choice(np.array(KEPT.get(form.kind, KEPT_TWO), dtype=np.uint8), shapes["e"])
    for name in ("sfa", "sfb"):
        if form.scale:
            arrays[name] = rng.choice(SCALES[form.scale], shapes[name])
    if "lanes" in shapes:
        arrays["lanes"] = rng.integers(0, 1 << 32, shapes["lanes"], dtype=np.uint64)
    if "mask" in shapes:
        arrays["mask"] = np.array([_mask(rng, form, trial != 1) for trial in range(TRIALS)], dtype=np.uint64)
    return arrays


def _elements(rng: np.random.Generator, fmt: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return random elements; s1z4m11 as codes: a sign and 11 bits of magnitude. Source: PTX ISA 9.4, 9.7.18.4.2."""
    if fmt == "s1z4m11":
        return rng.integers(0, 2048, shape, dtype=np.uint64)
    return random_multiplicand(rng, fmt, shape)


def _accumulators(rng: np.random.Generator, form: Form, shape: tuple[int, ...], scale_d: int) -> np.ndarray:
    if form.saturate:
        near = rng.integers(0, 1000, shape)
        return np.where(rng.integers(0, 2, shape) == 1, 2**31 - 1 - near, near - 2**31)
    limit = 15 if form.types[0] == "f16" and scale_d else 900
    return exact_integers(rng, form.types[0], shape, limit) * (2 ** min(scale_d, 11) if scale_d else 1)


def _mask(rng: np.random.Generator, form: Form, wanted: bool) -> int:
    """Return a zero-column mask descriptor of equal spans, with the column shift. Source: 9.7.17.4.3, Table 48."""
    span = int(rng.choice(SPANS))
    starts = sum(int(rng.integers(0, 2 * span + 2)) << 8 * i for i in range(4))
    first = int(rng.integers(0, 16)) << 32
    return starts | first | int(wanted) << 39 | span << 40 | span << 48 | form.shift << 56


def dense(form: Form, arrays: Arrays) -> np.ndarray:
    """Return A (trials, m, k) as multiplied: expanded by its metadata if it is sparse. Source: 9.7.17.10.8."""
    a = _values(form.types[1], arrays["a"])
    if not form.sparse:
        return a
    codes = arrays["e"].astype(np.int64)
    width = form.k // form.chunks
    unit = max(1, width // 4)
    kept = np.arange(max(1, width // 2))
    index = codes[..., None] >> 2 * (kept // unit) & 3
    within = index // 2 if width == 2 else index * unit + kept % unit
    where = (np.arange(form.chunks)[:, None] * width + within).reshape(*a.shape[:2], stored(form))
    full = np.zeros((*a.shape[:2], form.k))
    np.put_along_axis(full, where, a, axis=2)
    return full


def _values(fmt: str, array: np.ndarray) -> np.ndarray:
    if fmt == "s1z4m11":
        codes = array.astype(np.int64)
        return np.where(codes >> 15 & 1, -(codes & 0x7FF), codes & 0x7FF).astype(np.float64)
    return array.astype(np.float64)


def oracle(form: Form, arrays: Arrays, scale_d: int = 0) -> Arrays:
    """Return D; lanes that are disabled keep what they held, columns that are masked count as zero."""
    a, b, c = dense(form, arrays), _values(form.types[2], arrays["b"]), arrays["c"].astype(np.float64)
    if form.ws:
        b = b[:, form.shift : form.shift + form.n]
    if "mask" in arrays:
        zeroed = np.stack([column_mask(form, int(descriptor)) for descriptor in arrays["mask"]])
        b = np.where(zeroed[..., None], 0.0, b)
    if form.scale:
        a = a * np.repeat(arrays["sfa"], form.k // form.blocks, axis=2)
        b = b * np.repeat(arrays["sfb"], form.k // form.blocks, axis=2)
    sign = (-1) ** len(form.negate)
    d = sign * (a @ b.swapaxes(1, 2)) + c * arrays["flags"].reshape(-1, 1, 1) * 2.0**-scale_d + 0.0
    if form.types[0] == "s32":
        d = d.clip(-(2**31), 2**31 - 1) if form.saturate else (d.astype(np.int64) + 2**31) % 2**32 - 2**31
    if "lanes" in arrays:
        d = np.where(disabled(form, arrays["lanes"]), c, d)
    return {"d": d}


def disabled(form: Form, words: np.ndarray) -> np.ndarray:
    """Return which elements (trials, m, n) of D lie in a lane whose bit is set; words 4 to 7 are the peer's."""
    place = next(o for o in tensors(form, TRIALS) if o.name == "c").place  # type: ignore[attr-defined]
    bit = place.part[0] * LANES + place.lane[0]
    return np.asarray(words[:, bit // 32] >> (bit % 32).astype(np.uint64) & np.uint64(1), dtype=bool)
