"""Oracle and inputs of `cvt` between float formats, packed or not: one value in, one value out, slot by slot.

A case's parameters are `to` and `of` (register types), `rnd`, and `yes` or `no` for `ftz`, `sat`, `relu`, `satfinite`,
`pzo` and `scaled`, which is `n1` for one factor to both slots. Elements whose result the manual leaves open are
replaced by ones. Source: PTX ISA 9.3, 9.7.9.22; PTX ISA 9.4, 9.7.10.24, for what is newer.
"""

from __future__ import annotations

import numpy as np

from suite import rounding
from suite.elementwise import TYPES, Packed, filled, join, register, split
from suite.floats import is_on
from suite.formats import FORMATS, decode, finite_codes
from suite.operands import Operand
from suite.probe import Arrays, Params
from suite.rounding import Codes, Values

THREADS = 1 << 15
MAX_NORM_FOR_NAN = ("e2m1", "e2m3", "e3m2", "s2f6")  # .satfinite gives these their largest value for NaN
LETTERS = ("a", "b", "e", "f")  # scalar sources of a packed result, the highest slot first
ONE = 0x7F  # of ue8m0
FACTORS = {"no": 0, "n1": 1, "yes": 2}  # by `scaled`


def element(kind: str) -> str:
    """Return the element format of a register type; s2f6 is an s8 with six fraction bits."""
    return "s2f6" if kind == "s2f6x2" else TYPES[kind].fmt


def sources(params: Params) -> tuple[str, ...]:
    """Return the names of the source registers: one, or as many as the result has slots."""
    one_each = TYPES[params["of"]].count == 1 and TYPES[params["to"]].count > 1
    return LETTERS[: TYPES[params["to"]].count] if one_each else ("a",)


def threads(params: Params) -> int:
    """Return how many threads a case takes."""
    return threads_of(params["of"])


def threads_of(kind: str) -> int:
    """Return how many threads a source type takes: enough for every code of 16 bits and every pair of 8-bit codes."""
    return THREADS * (2 if TYPES[kind].bits == 16 else 1)


def operands(params: Params) -> tuple[Operand, ...]:
    """Return d, the sources, and the scale factors where the case has them."""
    size = threads(params)
    named = tuple(register(name, "in", params["of"], size) for name in sources(params))
    scale = (register("scale", "in", f"b{8 * factors(params)}", size),) if factors(params) else ()
    return (register("d", "out", params["to"], size), *named, *scale)


def factors(params: Params) -> int:
    """Return how many scale factors a case takes."""
    return FACTORS[params.get("scaled", "no")]


def fields(params: Params) -> Params:
    """Return the dotted modifiers, and the mask of the bits of tf32 that the manual leaves open."""
    names = ("ftz", "sat", "relu", "satfinite", "pzo")
    dotted = {f"{name}_": f".{name}" if is_on(params, name) else "" for name in names}
    return {
        **dotted,
        "predicates": (),
        "after": "and.b32 d, d, 0xffffe000;" if params["to"] == "tf32" else "",
        "round": "" if params["rnd"] == "none" else f".{params['rnd']}",
        "scaled_": f".scaled::n{factors(params)}::ue8m0" if factors(params) else "",
        "from_": ", ".join(sources(params)),
        "scale_": ", scale" if factors(params) else "",
    }


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return d."""
    result, _ = evaluate(params, _slots(params, arrays), _scales(params, arrays))
    return {"d": join(params["to"], result)}


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return the sources: every code where there are few, else those about the results' values and their midpoints."""
    size, slots = threads(params), TYPES[params["to"]].count
    codes = _spread(rng, params, size, slots)
    scale = rng.integers(ONE - 20, ONE + 20, (size, slots), dtype=np.uint64)
    scale[: size // 4] = rng.integers(0, 255, (size // 4, slots), dtype=np.uint64)
    if factors(params) == 1:
        scale = np.repeat(scale[:, :1], slots, axis=1)
    _, settled = evaluate(params, codes, scale)
    codes = np.where(settled, codes, _one(element(params["of"])))
    _, settled = evaluate(params, codes, scale)
    scale = np.where(settled, scale, np.uint64(ONE))
    return {**_registers(params, codes), **_scale_registers(params, scale)}


def evaluate(params: Params, codes: Codes, scales: Codes) -> tuple[Codes, np.ndarray]:
    """Return the codes of the results, and whether the manual settles each."""
    values, known = _scaled(params, values_of(element(params["of"]), codes), scales)
    result, settled = _narrowed(params, element(params["to"]), values)
    return result, settled & known


def _scaled(params: Params, values: Values, scales: Codes) -> tuple[Values, np.ndarray]:
    """Return the scaled values, and whether the sign of each is known: a single factor flushes subnormals to a zero."""
    known: np.ndarray = np.full(values.shape, True)
    if not factors(params):
        return values, known
    factor = np.ldexp(1.0, scales.astype(np.int64) - ONE)
    if factors(params) == 2 and params["to"] != "s2f6x2":
        return values * factor, known
    if factors(params) == 1:
        flushed = rounding.flush(element(params["of"]), values)
        signless = is_on(params, "pzo") or element(params["to"]) == "ue5m3"
        known = (values >= 0) | (flushed != 0) | (values == flushed) | signless
        values = flushed
    return values / factor, known


def values_of(fmt: str, codes: Codes) -> Values:
    """Return the float64 values of codes, s2f6 too."""
    if fmt == "s2f6":
        return np.asarray(decode(FORMATS["s8"], codes) / 64.0)
    return rounding.values_of(fmt, codes)


def _narrowed(params: Params, to: str, values: Values) -> tuple[Codes, np.ndarray]:
    if to == "s2f6":
        return _fixed_point(params, values)
    if to == "ue8m0":
        return _powers(params, values)
    if to == "ue5m3":
        return _magnitudes(params, values)
    if is_on(params, "ftz") and element(params["of"]) == "f32":
        values = rounding.flush("f32", values)
    rounded = _rounded(params, to, values)
    rounded = rounded + 0.0 if is_on(params, "pzo") else rounded  # -0.0 + 0.0 is +0.0
    negative_zero = (rounded == 0) & np.signbit(rounded)
    settled = ~np.isnan(rounded)
    if is_on(params, "sat"):
        return rounding.codes_of(to, rounding.saturate(rounded)), ~negative_zero
    if is_on(params, "relu"):
        rounded, settled = rounding.rectify(rounded), ~negative_zero & (settled | (to in rounding.CANONICAL_NAN))
    if to in MAX_NORM_FOR_NAN:
        rounded, settled = np.where(np.isnan(values), rounding.largest(to), rounded), settled | np.isnan(values)
    return rounding.codes_of(to, np.where(settled, rounded, 1.0)), settled


def _rounded(params: Params, to: str, values: Values) -> Values:
    """Return the values in the result's format, or as integers in their own where the rounding is one to integers."""
    if params["rnd"] in INTEGRAL:
        with np.errstate(invalid="ignore"):  # signalling NaNs
            rounded = INTEGRAL[params["rnd"]](values)
    else:
        finite = is_on(params, "satfinite")
        rounded = rounding.round_to(to, values, params["rnd"].replace("none", "rn"), finite=finite)
    return rounding.flush("f32", rounded) if is_on(params, "ftz") and to == "f32" else rounded


INTEGRAL = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _fixed_point(params: Params, values: Values) -> tuple[Codes, np.ndarray]:
    """Return s2f6 codes; whether the least is -2 or -1.984375, the manual leaves open."""
    to_units = {"rn": np.rint, "rz": np.trunc}[params["rnd"]]
    units = np.where(np.isnan(values), 127.0, np.clip(to_units(values * 64), -128, 127))
    if is_on(params, "relu"):
        units = np.maximum(units, 0.0)
    settled = np.isnan(values) | (values > -1.98) | is_on(params, "relu")
    return units.astype(np.int64).astype(np.uint64) & np.uint64(0xFF), settled


def _powers(params: Params, values: Values) -> tuple[Codes, np.ndarray]:
    """Return ue8m0 codes; what becomes of zero, of negative values and, unclamped, of too large ones is open."""
    finite = is_on(params, "satfinite")
    rounded = rounding.round_to("ue8m0", values, params["rnd"], finite=finite)
    settled = np.isnan(values) | ((values >= 2.0**-127) & np.isfinite(rounded))
    return rounding.codes_of("ue8m0", np.where(settled, rounded, 1.0)), settled


def _magnitudes(params: Params, values: Values) -> tuple[Codes, np.ndarray]:
    """Return ue5m3 codes: the sign is dropped first, and what is left without a finite value is NaN.

    Source: CUDA Math API 13.5, __nv_cvt_float_to_ue5m3 and __NV_NOSAT; PTX ISA 9.4, 9.7.10.24, .satfinite.
    """
    rounded = rounding.round_to("ue5m3", np.abs(values), params["rnd"], finite=is_on(params, "satfinite"))
    finite = np.where(np.isfinite(rounded), rounded, np.nan)
    return rounding.codes_of("ue5m3", finite), np.full(values.shape, True)


def _one(fmt: str) -> np.uint64:
    return np.uint64(64) if fmt == "s2f6" else np.uint64(rounding.codes_of(fmt, np.ones(1))[0])


def _slots(params: Params, arrays: Arrays) -> Codes:
    if len(sources(params)) == 1:
        return split(params["of"], arrays["a"])
    return np.stack([arrays[name] for name in reversed(sources(params))], axis=-1).astype(np.uint64)


def _registers(params: Params, codes: Codes) -> Arrays:
    if len(sources(params)) == 1:
        return {"a": join(params["of"], codes)}
    return {name: codes[:, -1 - i] for i, name in enumerate(sources(params))}


def _scale_registers(params: Params, scale: Codes) -> Arrays:
    taken = {0: None, 1: scale[:, 0], 2: join("ue8m0x2", scale)}[factors(params)]
    return {} if taken is None else {"scale": taken}


def _scales(params: Params, arrays: Arrays) -> Codes:
    if factors(params) == 1:
        return np.asarray(arrays["scale"], dtype=np.uint64)[:, None]
    return split("ue8m0x2", arrays["scale"]) if factors(params) else np.zeros((1, 1), dtype=np.uint64)


def _spread(rng: np.random.Generator, params: Params, size: int, slots: int) -> Codes:
    packed: Packed = TYPES[params["of"]]
    if packed.count > 1 and FORMATS[packed.fmt].bits <= 8:
        return every_tuple(FORMATS[packed.fmt].bits, slots, size)
    if FORMATS[packed.fmt].bits == 16:
        return np.resize(rng.permutation(1 << 16), (size, slots)).astype(np.uint64)
    to = "quarters" if params["rnd"] in INTEGRAL else element(params["to"])
    codes = about(rng, packed.fmt, to, size * slots).reshape(size, slots)
    edges = special(packed.fmt)  # about the values of a wide format there are too many others to be sure of these
    codes[: 2 * len(edges)] = np.concatenate([edges, edges | _sign(packed.fmt)])[:, None]
    return codes


def every_tuple(bits: int, slots: int, size: int) -> Codes:
    """Return (size, slots) codes: every combination of codes of that width, again from the first."""
    words = np.arange(min(1 << (bits * slots), size), dtype=np.uint64)
    shifts = np.arange(slots, dtype=np.uint64) * np.uint64(bits)
    return filled((words[:, None] >> shifts) & np.uint64((1 << bits) - 1), size)


def about(rng: np.random.Generator, of: str, to: str, size: int) -> Codes:
    """Return codes of `of` about the values of `to` and their midpoints; special and random ones too."""
    grid = _grid(rng, to)
    middle = (grid[:-1] + grid[1:]) / 2
    top = grid[-1] + (grid[-1] - grid[-2]) * np.array([0.25, 0.5, 0.75, 1, 4, 1e6])
    with np.errstate(over="ignore"):
        codes = rounding.codes_of(of, rounding.round_to(of, np.concatenate([grid, middle, top])))
    moved = np.where(codes > 1, codes + rng.integers(0, 3, codes.shape, dtype=np.uint64) - np.uint64(1), codes)
    chosen = np.concatenate(
        [codes, moved, moved[rng.permutation(len(moved))], special(of), _random(rng, of, size // 8)]
    )
    return filled(rng.permutation(np.concatenate([chosen, chosen ^ _sign(of)])), size)


def _sign(fmt: str) -> np.uint64:
    return np.uint64(1 << (FORMATS[fmt].bits - 1))


def special(fmt: str) -> Codes:
    """Return codes of zero, the least and greatest subnormal and normal values, infinity and NaN."""
    facts = FORMATS[fmt]
    one = 1 << (facts.bits - 1 - facts.exponent)
    top = ((1 << facts.exponent) - 1) * one
    return np.array([0, 1, one - 1, one, top - 1, top, top + one // 2, top + one - 1], dtype=np.uint64)


def _grid(rng: np.random.Generator, to: str) -> Values:
    """Return ascending non-negative values of a format: all of a narrow one, runs from a wide one."""
    if to in ("quarters", "s2f6"):
        return np.arange(4096) / 4.0 if to == "quarters" else np.arange(128) / 64.0
    if FORMATS[to].bits <= 8:
        values = np.unique(np.abs(rounding.values_of(to, finite_codes(FORMATS[to]))))
        return np.asarray(values)
    if FORMATS[to].bits == 16:
        start = np.uint64(rng.integers(0, 4))
        codes = np.arange(start, special(to)[5], 4, dtype=np.uint64)
        return rounding.values_of(to, np.unique(np.concatenate([codes, codes + np.uint64(1)]))[:-2])
    if to == "tf32":
        return rounding.values_of(to, np.arange(0, 0x7F800000 - 0x2000, 0x2000 * 61, dtype=np.uint64))
    codes = np.unique(rng.integers(0, 0x7F7FFFFF, 1 << 12, dtype=np.uint64))
    return rounding.values_of("f32", np.unique(np.concatenate([codes, codes + np.uint64(1)])))


def _random(rng: np.random.Generator, fmt: str, size: int) -> Codes:
    return rng.integers(0, 1 << (FORMATS[fmt].bits - 1), size, dtype=np.uint64)
