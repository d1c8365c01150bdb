"""cvt of PTX ISA 9.4: claims as the manual has them, an element at a time by exact search, inputs that can fail."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from suite import catalogue, conversions, verify
from suite.elementwise import split
from suite.formats import FORMATS, decode, finite_codes
from suite.probe import Arrays, Case, Params

CASES = {case.id: case for case in catalogue.expand() if case.family == "cvt_next"}
DIRECT = [case for case in CASES.values() if case.params["rnd"] != "rs" and "s2f6" not in case.id]
SEARCHED = [case for case in DIRECT if FORMATS[conversions.element(case.params["to"])].bits <= 16]
RUBIN, S2F6 = {"sm_107a", "sm_107f"}, {"sm_100a", "sm_103a", "sm_107a", "sm_110a", "sm_120a", "sm_121a"}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_claims_are_those_of_the_manual(case: Case) -> None:
    wanted = {"pzo_stochastic": {"sm_107a"}, "s2f6_toward_zero": S2F6}.get(case.probe.form, RUBIN)
    assert {target.name for target in case.claim.targets} == wanted
    assert (case.claim.ptx, case.claim.cited) == ((9, 4), "PTX ISA 9.4, 9.7.10.24")


# --- one element at a time, in fractions, by looking through every value of the result's format ----------------------


@cache
def magnitudes(fmt: str) -> list[Fraction]:
    """Return what the codes without a sign stand for, in their order, and the value that the next one would have."""
    finite = [Fraction(float(value)) for value in decode(FORMATS[fmt], finite_codes(FORMATS[fmt])) if value >= 0]
    ascending = sorted(set(finite))
    return [*ascending, 2 * ascending[-1] - ascending[-2]]


def nearest(fmt: str, exact: Fraction, rnd: str) -> int:
    """Return the code without a sign that `exact` rounds to: one more than the largest where it is beyond."""
    values = magnitudes(fmt)
    above = bisect_left(values, min(exact, values[-1]))
    if exact >= values[-1]:
        return above - (rnd == "rz")
    if values[above] == exact or rnd == "rp":
        return above
    half = (values[above - 1] + values[above]) / 2
    down = rnd == "rz" or exact < half or (exact == half and above % 2 == 1)
    return above - down


def exact_of(params: Params, code: int, scale: int) -> tuple[float, Fraction]:
    """Return the source as it is, and the magnitude that is converted."""
    fmt = FORMATS[conversions.element(params["of"])]
    value = float(decode(fmt, np.array([code], dtype=np.uint64))[0])
    if not np.isfinite(value):
        return value, Fraction(0)
    power = Fraction(2) ** (scale - 127)
    if params.get("scaled") == "n1":
        subnormal = abs(value) < 2.0 ** (1 - fmt.bias)
        return value, Fraction(0) if subnormal else abs(Fraction(value)) / power
    return value, abs(Fraction(value)) * (power if params.get("scaled") == "yes" else 1)


def reference(params: Params, code: int, scale: int) -> int | None:
    """Return the result's code, None for a NaN of which the manual gives no code."""
    to = conversions.element(params["to"])
    value, exact = exact_of(params, code, scale)
    largest = len(magnitudes(to)) - 2
    if np.isnan(value):
        return {"ue5m3": 0xFF, "e2m1": largest, "e2m3": largest, "e3m2": largest}.get(to)
    if params.get("satfinite") == "yes" and (np.isinf(value) or exact > magnitudes(to)[largest]):
        found = largest
    else:
        found = largest + 1 if np.isinf(value) else nearest(to, exact, params["rnd"])
    if to == "ue5m3" or not np.signbit(value):
        return found
    if params.get("relu") == "yes" or (found == 0 and params.get("pzo") == "yes"):
        return 0
    return found | 1 << (FORMATS[to].bits - 1)


@pytest.mark.parametrize("case", SEARCHED[::3], ids=lambda case: case.id)
def test_an_element_is_what_a_search_finds(case: Case) -> None:
    params, arrays = case.params, verify.inputs(case)
    wanted = split(params["to"], case.probe.oracle(params, arrays)["d"])
    for row in range(0, len(wanted), len(wanted) // 12):
        for slot, code in enumerate(source_codes(params, arrays, row)):
            scale = int(arrays["scale"][row]) if "scale" in arrays else 127
            found = reference(params, code, scale >> 8 * slot & 0xFF if params.get("scaled") == "yes" else scale)
            if found is not None:
                assert found == wanted[row, slot], (hex(code), scale)


def source_codes(params: Params, arrays: Arrays, row: int) -> list[int]:
    """Return the codes of a row's slots, the lowest slot first."""
    names = conversions.sources(params)
    if len(names) > 1:
        return [int(arrays[name][row]) for name in reversed(names)]
    return [int(code) for code in split(params["of"], np.asarray(arrays["a"][row : row + 1]))[0]]


# --- results in figures ----------------------------------------------------------------------------------------------

F32 = {-0.0: 0x80000000, 8.0: 0x41000000, 4.0: 0x40800000, 1.2: 0x3F99999A, -1.2: 0xBF99999A, 2.9: 0x40399999}
NAN, INFINITY, TINY = 0x7FC00000, 0x7F800000, 0xA0000000  # TINY is a negative value below every half-width format
BEYOND = 0x48000000  # 131072.0, more than ue5m3 holds


@pytest.mark.parametrize(
    "to, changed, sources, scale, wanted",
    [
        ("e4m3x2", {"scaled": "n1"}, (F32[8.0], F32[4.0]), 130, 0x3830),
        ("e4m3x2", {"rnd": "rz"}, (F32[1.2], F32[-1.2]), 127, 0x39B9),
        ("e2m1x2", {"rnd": "rz"}, (F32[2.9], F32[8.0]), 127, 0x47),
        ("e2m1x2", {}, (F32[2.9], NAN), 127, 0x57),
        ("f16x2", {"pzo": "yes"}, (F32[-0.0], TINY), 127, 0x00000000),
        ("f16x2", {}, (F32[-0.0], TINY), 127, 0x80008000),
        ("e4m3x2", {"pzo": "yes"}, (F32[-0.0], F32[-1.2]), 127, 0x00BA),
        ("ue5m3x2", {}, (F32[-1.2], F32[8.0]), 127, 0x7A90),
        ("ue5m3x2", {"rnd": "rp"}, (F32[-1.2], TINY), 127, 0x7A01),
        ("ue5m3x2", {"rnd": "rz"}, (BEYOND, INFINITY), 127, 0xFEFF),
        ("ue5m3x2", {"satfinite": "yes"}, (NAN, INFINITY), 127, 0xFFFE),
        ("ue5m3x2", {}, (BEYOND, 0x37000000), 127, 0xFF01),
        ("ue5m3x2", {"scaled": "n1"}, (BEYOND, F32[8.0]), 129, 0xF080),
    ],
)
def test_results_in_figures(to: str, changed: Params, sources: tuple[int, int], scale: int, wanted: int) -> None:
    finite = "no" if to in ("f16x2", "ue5m3x2") else "yes"
    params = {"to": to, "of": "f32", "rnd": "rn", "satfinite": finite, "pzo": "no", "scaled": "no", **changed}
    arrays = {"a": np.array([sources[0]]), "b": np.array([sources[1]]), "scale": np.array([scale])}
    assert hex(conversions.oracle(params, arrays)["d"][0]) == hex(wanted)


@pytest.mark.parametrize(
    "a, scale, wanted",
    [(0x0178, 0x7F7F, 0x37003F80), (0xFE01, 0x707F, 0x40603700)],  # 2^-17 and 1; 114688 * 2^-15 and 2^-17
)
def test_ue5m3_widens(a: int, scale: int, wanted: int) -> None:
    params = {"to": "bf16x2", "of": "ue5m3x2", "rnd": "rn", "satfinite": "no", "scaled": "yes"}
    assert conversions.oracle(params, {"a": np.array([a]), "scale": np.array([scale])})["d"][0] == wanted


@pytest.mark.parametrize("pzo, settled", [("yes", True), ("no", False)])
def test_which_zero_a_negative_subnormal_is_flushed_to_is_asked_with_pzo_alone(pzo: str, settled: bool) -> None:
    params = {"to": "e4m3x2", "of": "f32", "rnd": "rn", "satfinite": "yes", "scaled": "n1", "pzo": pzo}
    scale = np.zeros((1, 2), dtype=np.uint64)  # 2^-127, which would make numbers of subnormals
    codes, known = conversions.evaluate(params, np.array([[0x80000001, 0x00400000]], dtype=np.uint64), scale)
    assert codes[0].tolist() == [0 if settled else 0x80, 0]
    assert known[0].tolist() == [settled, True]


# --- inputs that can fail --------------------------------------------------------------------------------------------

FLIPS = {"relu": {"yes": "no", "no": "yes"}, "pzo": {"yes": "no", "no": "yes"}, "satfinite": {"yes": "no", "no": "yes"}}
TURNS = {"rn": "rz", "rz": "rp", "rp": "rn"}


def mutants(case: Case, arrays: Arrays) -> Iterator[tuple[str, Params, Arrays]]:
    """Return machines that err in one thing, as the parameters and inputs that they would be right for."""
    params = case.params
    for key, other in FLIPS.items():
        if key in params and tells(case, key):
            yield key, {**params, key: other[params[key]]}, arrays
    if params["rnd"] in TURNS and not case.probe.form.startswith("of_") and "s2f6" not in case.id:
        yield "rnd", {**params, "rnd": TURNS[params["rnd"]]}, arrays
    if "s2f6" in case.id:
        yield "rnd", {**params, "rnd": "rn"}, arrays
    if "scale" in arrays:
        one = 0x7F if params["scaled"] == "n1" else 0x7F7F
        yield "unscaled", params, {**arrays, "scale": np.full_like(arrays["scale"], one)}
        yield "the wrong way", params, {**arrays, "scale": one * 2 - arrays["scale"]}


def tells(case: Case, key: str) -> bool:
    """Tell whether a machine that errs in `key` could give other bits, on what the manual settles."""
    if key == "satfinite":  # elsewhere it is mandatory, or random bits are given for results in range alone
        held = case.probe.form == "of_ue5m3" and case.params["scaled"] == "no"  # bf16 holds every value of ue5m3
        return case.probe.form in ("pzo", "pzo_tf32", "ue5m3", "of_ue5m3") and not held
    return key != "pzo" or case.params["relu"] == "no"  # .relu leaves no negative zero that the manual settles


@pytest.mark.parametrize("case", list(CASES.values())[::2], ids=lambda case: case.id)
def test_inputs_show_a_machine_that_errs(case: Case) -> None:
    arrays = verify.inputs(case)
    right = case.probe.oracle(case.params, arrays)["d"]
    survivors = [
        name
        for name, params, fed in mutants(case, arrays)
        if np.array_equal(right, case.probe.oracle(params, fed)["d"])
    ]
    assert survivors == []


def test_both_slots_take_the_one_factor() -> None:
    case = CASES["cvt_next.ue5m3:to=ue5m3x2,of=f32,rnd=rn,satfinite=yes,scaled=n1"]
    arrays = verify.inputs(case)
    assert arrays["scale"].shape == (conversions.THREADS,)
    assert arrays["scale"].max() < 0xFF
    slots = split("ue5m3x2", case.probe.oracle(case.params, arrays)["d"])
    swapped = split("ue5m3x2", case.probe.oracle(case.params, {**arrays, "a": arrays["b"], "b": arrays["a"]})["d"])
    assert np.array_equal(slots, swapped[:, ::-1])


FROM_F32 = [
    case
    for case in catalogue.expand()
    if case.probe.oracle is conversions.oracle and case.params["of"] == "f32" and not conversions.factors(case.params)
]


@pytest.mark.parametrize("case", FROM_F32, ids=lambda case: case.id)
def test_what_is_special_is_always_asked_where_the_manual_settles_it(case: Case) -> None:
    edges = conversions.special("f32")
    codes = np.concatenate([edges, edges | np.uint64(1 << 31)])
    _, settled = conversions.evaluate(case.params, codes[:, None], np.zeros((1, 1), dtype=np.uint64))
    asked = np.concatenate([np.ravel(verify.inputs(case)[name]) for name in conversions.sources(case.params)])
    missing = set(codes[settled[:, 0]].tolist()) - set(asked.astype(np.uint64).tolist())
    assert not missing
    assert settled.any()
