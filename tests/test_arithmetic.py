"""The arithmetic families: rounding against other libraries, claims as the manual has them, inputs that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from suite import catalogue, conversions, integer_conversions, integers, rounding, targets, verify, video, warps
from suite.probe import Case, Params

FAMILIES = ("half", "f32", "cvt", "cvt_integer", "integer", "video", "warp")
CASES = {case.id: case for family in FAMILIES for case in catalogue.expand() if case.family == family}
LIBRARY = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
}


def spread(fmt: str) -> np.ndarray:
    """Return f32 values about those of a format, within its range."""
    codes = conversions.about(np.random.default_rng(3), "f32", fmt, 20_000)
    values = rounding.values_of("f32", codes)
    return values[np.abs(values) <= rounding.largest(fmt)]


@pytest.mark.parametrize("fmt", LIBRARY)
def test_rounding_to_nearest_is_that_of_another_library(fmt: str) -> None:
    values = spread(fmt)
    ours = rounding.codes_of(fmt, rounding.round_to(fmt, values))
    theirs = values.astype(np.float32).astype(LIBRARY[fmt])
    assert np.array_equal(ours, theirs.view(np.uint16 if theirs.itemsize == 2 else np.uint8).astype(np.uint64))


@pytest.mark.parametrize("direction", ["rz", "rm", "rp", "rn", "rna"])
@pytest.mark.parametrize("fmt", ["f16", "bf16", "e4m3", "e2m1"])
def test_rounding_goes_the_way_it_is_told(fmt: str, direction: str) -> None:
    values = spread(fmt)
    rounded = rounding.round_to(fmt, values, direction, finite=True)
    toward = {"rz": np.abs(rounded) <= np.abs(values), "rm": rounded <= values, "rp": rounded >= values}
    assert toward.get(direction, np.array(True)).all()
    kept = rounding.values_of(fmt, rounding.codes_of(fmt, rounded))
    assert np.array_equal(kept, rounded)
    for other in ("rm", "rp"):  # nothing of the format lies nearer on either side
        between = rounding.round_to(fmt, values, other, finite=True)
        distance = np.abs(between - values) if direction in ("rn", "rna") else np.full(values.shape, np.inf)
        assert (np.abs(rounded - values) <= distance).all()


def test_ties_go_to_even_or_away() -> None:
    ties = np.array([2.5, -2.5, 3.5, -3.5])
    assert rounding.round_to("e2m1", ties / 2, "rn").tolist() == [1.0, -1.0, 2.0, -2.0]
    assert rounding.round_to("e2m1", ties / 2, "rna").tolist() == [1.5, -1.5, 2.0, -2.0]


@pytest.mark.parametrize("direction", ["rn", "rz", "rm", "rp"])
def test_sums_and_fused_products_are_exact_until_they_are_rounded(direction: str) -> None:
    rng = np.random.default_rng(5)
    a, b, c = (rng.normal(size=3000).astype(np.float32).astype(np.float64) for _ in range(3))
    c *= np.exp2(rng.integers(-60, 60, 3000))
    c[::3] = -(a * b)[::3].astype(np.float32)
    got = rounding.round_to("f32", rounding.fused(a, b, c, direction), direction)
    for x, y, z, result in zip(a, b, c, got, strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        low, high = (np.nextafter(np.float32(result), np.float32(side)) for side in (-np.inf, np.inf))
        error = abs(Fraction(float(result)) - exact)
        if direction == "rn":
            assert error <= min(abs(Fraction(float(low)) - exact), abs(Fraction(float(high)) - exact))
        elif direction == "rz":
            assert abs(Fraction(float(result))) <= abs(exact)
        else:
            assert (Fraction(float(result)) <= exact) == (direction == "rm") or error == 0


def test_clamping_replaces_nan_and_negative_zero() -> None:
    values = np.array([np.nan, -0.0, -1.0, 0.5, 7.0])
    assert rounding.saturate(values).tolist() == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert np.signbit(rounding.saturate(values)).any() == np.False_
    assert np.isnan(rounding.rectify(values)[0])


@pytest.mark.parametrize(
    "case_id, target, ptx",
    [
        ("half.arithmetic:op=add,type=f16,rnd=default,ftz=no,sat=no", "sm_75", (4, 2)),
        ("half.bf16:op=mul,type=bf16x2,rnd=rn", "sm_90", (7, 8)),
        ("half.extreme:op=min,type=f16,ftz=no,NaN=no,xorsign_abs=yes", "sm_86", (7, 2)),
        ("half.fma_oob:op=fma,type=bf16,oob=yes,relu=no", "sm_90", (8, 1)),
        ("f32.pair:op=add,type=f32x2,rnd=rn,ftz=no", "sm_100", (8, 6)),
        ("f32.extreme3:op=max,inputs=3,type=f32,ftz=no,NaN=no,abs=no", "sm_100", (8, 8)),
        ("cvt.f8:to=e4m3x2,of=f32,rnd=rn,satfinite=yes,relu=no", "sm_89", (8, 1)),
        ("cvt.f6_f4:to=e2m1x2,of=f32,rnd=rn,satfinite=yes,relu=no", "sm_121a", (8, 8)),
        ("cvt.stochastic_pair:to=f16x2,of=f32,rnd=rs,relu=no,satfinite=no", "sm_103a", (8, 7)),
        ("integer.packed:op=add,type=u8x4,sat=no", "sm_120f", (9, 2)),
        ("integer.part:op=clmad,mode=lo,type=u64,sat=no", "sm_80", (9, 3)),
        ("warp.redux:op=add,type=u32", "sm_80", (7, 0)),
    ],
)
def test_claims_are_those_of_the_manual(case_id: str, target: str, ptx: tuple[int, int]) -> None:
    claim = CASES[case_id].claim
    wanted = targets.parse(target)
    assert claim.minimum(wanted) == ptx
    older = [one for one in targets.ALL if one.number < wanted.number]
    assert not older or wanted.number == 75 or wanted.suffix or not any(one in claim.targets for one in older)


def test_narrow_conversions_are_of_no_base_target() -> None:
    claim = CASES["cvt.f6_f4:to=e2m1x2,of=f32,rnd=rn,satfinite=yes,relu=no"].claim
    assert {target.suffix for target in claim.targets} == {"a", "f"}
    assert {target.number for target in claim.targets} == {100, 103, 107, 110, 120, 121}
    stochastic = CASES["cvt.stochastic_pair:to=f16x2,of=f32,rnd=rs,relu=no,satfinite=no"].claim
    assert {target.name for target in stochastic.targets} == {"sm_100a", "sm_103a", "sm_107a"}


# --- inputs that can fail: a machine that ignores or adds a modifier, or takes another rounding, is seen -------------

OTHERS = {
    "rnd": {"rn": "rz", "default": "rz", "rz": "rp", "rm": "rn", "rp": "rm", "rna": "rn"}
    | {"rni": "rmi", "rzi": "rpi", "rmi": "rzi", "rpi": "rni"},
    **{name: {"yes": "no", "no": "yes"} for name in ("sat", "relu", "NaN", "xorsign_abs", "abs", "ftz")},
    "op": {
        "add": "sub",
        "sub": "add",
        "min": "max",
        "max": "min",
        "neg": "abs",
        "abs": "neg",
        "and": "or",
        "or": "xor",
    },
    "mode": {"hi": "lo", "lo": "hi", "clamp": "wrap", "wrap": "clamp", "f4e": "b4e", "ecl": "ecr", "rc8": "rc16"},
    "second": {"none": "add", "add": "min", "min": "max", "max": "add"},
    "scale": {"none": "shr7", "shr7": "shr15", "shr15": "none"},
    "compare": {"eq": "ne", "lt": "le", "le": "lt", "gt": "ge", "ge": "gt"},
}
VOTES = {"up": "down", "down": "up", "bfly": "idx", "idx": "bfly", "all": "any", "any": "uni", "uni": "all"}


def mutants(case: Case) -> Iterator[tuple[str, Params]]:
    for key, other in OTHERS.items():
        value = case.params.get(key)
        if value in other and tells(case, key):
            yield f"{case.id} {key}={other[value]}", {**case.params, key: other[value]}
    if case.params["op" if "op" in case.params else "to"] in ("shfl", "vote") and case.params["mode"] in VOTES:
        yield f"{case.id} mode", {**case.params, "mode": VOTES[case.params["mode"]]}


def tells(case: Case, key: str) -> bool:
    """Tell whether a machine that errs in `key` could give other bits at all, on what the manual settles."""
    params, conversion = case.params, case.family.startswith("cvt")
    if key == "op":
        return case.family != "warp"
    if key == "ftz" and conversion:  # flushing shows where a direction keeps a subnormal from being rounded to zero
        return params["of"] == "f32" and params["rnd"] in ("rm", "rp", "rmi", "rpi")
    if key == "NaN":
        return bool(params.get("xorsign_abs") != "yes" or params["NaN"] == "yes")
    if key == "rnd" and conversion:
        return rounds(params)
    if key == "sat":
        adds = params.get("op") in ("add", "sub", "vadd", "vsub", "vshl") and params.get("pick_a", "none") == "none"
        return bool((conversion and "float_sat" not in case.id) or case.family in ("half", "f32") or adds)
    return key != "relu" or not str(params.get("type", "s")).startswith("u")


def rounds(params: Params) -> bool:
    """Tell whether a conversion has anything to round: narrow formats and integers within the mantissa have not."""
    mantissa = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}.get(params["to"], 0)
    if params["of"] in integer_conversions.INTEGERS:
        return bool(
            integer_conversions.width(params["of"]) - (params["of"][0] == "s") > mantissa and params["sat"] == "no"
        )
    wide = params["of"] in ("f16", "bf16", "f32", "f64", "f16x2", "bf16x2")
    return wide and params["to"] != "s2f6x2" and params.get("sat", "no") == "no"


def sample(family: str) -> list[Case]:
    """Return the cases whose oracles are held against mutants, spread over the family."""
    chosen = [case for case in CASES.values() if case.family == family and not case.probe.unlaunched]
    return chosen[:: 1 + len(chosen) // 60]


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_show_a_wrong_modifier(family: str) -> None:
    survivors = []
    for case in sample(family):
        if case.probe.template == "approximate.ptx.j2":
            continue
        arrays = verify.inputs(case)
        right = case.probe.oracle(case.params, arrays)
        for name, wrong in mutants(case):
            other = case.probe.oracle(wrong, arrays)
            if all(np.array_equal(right[key], other[key], equal_nan=False) for key in right):
                survivors.append(name)
    assert survivors == []


# --- the readable oracles of integers and warps against the manual's own examples ----------------------------------


@pytest.mark.parametrize(
    "params, operands, wanted",
    [
        ({"op": "fns", "type": "b32"}, (0xAAAAAAAA, 3, 1), 3),
        ({"op": "fns", "type": "b32"}, (0xAAAAAAAA, 3, -1), 3),
        ({"op": "fns", "type": "b32"}, (0xAAAAAAAA, 2, 1), 3),
        ({"op": "fns", "type": "b32"}, (0xAAAAAAAA, 2, -1), 1),
        ({"op": "bmsk", "type": "b32", "mode": "wrap"}, (1, 2), 6),
        ({"op": "szext", "type": "u32", "mode": "wrap"}, (0xFFFFFFFF, 0), 0),
        ({"op": "lop3", "type": "b32", "lut": 0x1A}, (0xF0, 0xCC, 0xAA), 0x1A),
        ({"op": "bfe", "type": "s32"}, (0x00000080, 4, 4), -8),
        ({"op": "bfe", "type": "s32"}, (-1, 40, 3), -1),
        ({"op": "prmt", "type": "b32", "mode": "b4e"}, (0x03020100, 0x07060504, 1), 0x06070001),
        ({"op": "prmt", "type": "b32", "mode": "default"}, (0x83020100, 0x07060504, 0x7B40), 0x07FF0400),
        ({"op": "dp4a", "type": "s32", "a": "u32", "b": "s32"}, (0xFF000002, 0xFF000003, 10), 10 + 6 - 255),
        ({"op": "clmad", "type": "u64", "mode": "lo"}, (3, 3, 0), 5),
    ],
)
def test_integer_oracles_are_the_manuals(params: Params, operands: tuple[int, ...], wanted: int) -> None:
    assert integers.FUNCTIONS[params["op"]](params, *operands) == wanted


@pytest.mark.parametrize(
    "mode, lane, b, c, wanted",
    [
        ("up", 5, 2, 0, (3, True)),
        ("up", 1, 2, 0, (-1, False)),
        ("down", 30, 1, 31, (31, True)),
        ("down", 7, 1, 0x1807, (8, False)),
        ("bfly", 3, 1, 31, (2, True)),
        ("idx", 9, 3, 0x181F, (11, True)),
    ],
)
def test_a_shuffles_source_lane(mode: str, lane: int, b: int, c: int, wanted: tuple[int, bool]) -> None:
    assert warps.source_lane(mode, lane, b, c) == wanted


@pytest.mark.parametrize(
    "changed, operands, wanted",
    [
        ({}, (0xFFFFFFFF, 1, 0), 0),
        ({"sat": "yes"}, (0xFFFFFFFF, 1, 0), 0xFFFFFFFF),
        ({"sat": "yes", "op": "vsub"}, (0, 1, 0), 0),
        ({"second": "max"}, (1, 1, 0x80000000), 0x80000000),
        ({"d": "s32", "second": "max"}, (1, 1, 0x80000000), 2),
        ({"d": "s32", "sat": "yes", "op": "vsub", "put": "h1"}, (0, 0xFFFF, 0x12345678), 0x80005678),
        ({"op": "vshl", "mode": "clamp", "sat": "yes"}, (1, 33, 0), 0xFFFFFFFF),
        ({"op": "vshl", "mode": "wrap", "sat": "yes"}, (2, 32, 0), 2),
        ({"op": "vshl", "mode": "clamp", "sat": "yes", "a": "u32"}, (2, 32, 0), 0),
        ({"op": "vset", "a": "s32", "compare": "lt", "second": "min"}, (0xFFFFFFFF, 0, 0xFFFFFFFF), 1),
    ],
)
def test_a_scalar_video_instruction_goes_through_the_manuals_stages(
    changed: Params, operands: tuple[int, int, int], wanted: int
) -> None:
    plain = {"op": "vadd", "d": "u32", "a": "u32", "b": "u32", "sat": "no", "second": "none"}
    assert video.result({**plain, **changed}, *operands) == (wanted, True)


@pytest.mark.parametrize(
    "changed, operands",
    [
        ({"second": "min"}, (0xFFFFFFFF, 1, 0)),
        ({"op": "vmad", "po": "no", "scale": "none", "negate": "c"}, (1, 1, 0x80000000)),
    ],
)
def test_what_the_manual_leaves_open_is_not_asked(changed: Params, operands: tuple[int, int, int]) -> None:
    plain = {"op": "vadd", "d": "u32", "a": "u32", "b": "u32", "sat": "no", "second": "none"}
    picks = {"pick_a": "none", "pick_b": "none"}
    assert not video.result({**plain, **picks, **changed}, *operands)[1]
