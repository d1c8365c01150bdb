"""Tensor map specs become the driver call that they mean; the driver itself is not asked here."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from suite.gpu_calls import Refusal
from suite.model import TensorMapSpec

driver = pytest.importorskip("cuda.bindings.driver", reason="the Python package cuda-bindings is not installed")
tensormap = pytest.importorskip("suite.tensormap")

SPEC = TensorMapSpec("f16", 4096, (64, 32), (128,), (16, 8), (1, 1), "32B", "none", "zero")
SUCCESS = driver.CUresult.CUDA_SUCCESS


def changed(**fields: Any) -> TensorMapSpec:
    return altered(SPEC, fields)


def altered(spec: TensorMapSpec, fields: dict[str, Any]) -> TensorMapSpec:
    return dataclasses.replace(spec, **fields)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def encode(*arguments: Any) -> tuple[Any, ...]:
        calls.append(arguments)
        return (SUCCESS, driver.CUtensorMap())

    monkeypatch.setattr(driver, "cuTensorMapEncodeTiled", encode)
    return calls


def test_a_spec_becomes_the_call_it_means(asked: list[tuple[Any, ...]]) -> None:
    assert len(tensormap.encode(SPEC, 0x7000)) == 128
    ((kind, rank, address, dims, strides, box, steps, interleave, swizzle, _, fill),) = asked
    assert kind == driver.CUtensorMapDataType.CU_TENSOR_MAP_DATA_TYPE_FLOAT16
    assert (rank, address) == (2, 0x7000)
    assert [[int(x) for x in values] for values in (dims, strides, box, steps)] == [[64, 32], [128], [16, 8], [1, 1]]
    assert interleave == driver.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE
    assert swizzle == driver.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_32B
    assert fill == driver.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("fmt", "u8 s8 b8 e4m3 e5m2 u16 b16 u32 b32 s32 u64 b64 s64 f16 bf16 f32 f32_ftz tf32 tf32_ftz f64"),
        ("fmt", "b4x16 b4x16_p64 b6x16_p32"),
        ("swizzle", "none 32B 64B 128B 128B_atom_32B 128B_atom_32B_flip_8B 128B_atom_64B"),
        ("interleave", "none 16B 32B"),
        ("fill", "zero nan"),
    ],
)
def test_every_known_word_is_one_of_the_bindings(field: str, words: str, asked: list[tuple[Any, ...]]) -> None:
    for word in words.split():
        tensormap.encode(changed(**{field: word}), 0)
    assert len(asked) == len(words.split())


@pytest.mark.parametrize("field", ["fmt", "swizzle", "interleave", "fill"])
def test_an_unknown_word_is_our_mistake(field: str, asked: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match="'odd'; known: "):
        tensormap.encode(changed(**{field: "odd"}), 0)
    assert not asked


@pytest.mark.parametrize("field", ["dims", "strides", "box", "element_strides"])
def test_lists_of_unequal_rank_never_reach_the_driver(field: str, asked: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match="not of one rank"):
        tensormap.encode(changed(**{field: (16, 16, 16)}), 0)
    assert not asked


def test_what_the_driver_refuses_is_a_refusal_to_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    invalid = driver.CUresult.CUDA_ERROR_INVALID_VALUE
    monkeypatch.setattr(driver, "cuTensorMapEncodeTiled", lambda *_: (invalid, None))
    with pytest.raises(Refusal) as caught:
        tensormap.encode(SPEC, 0)
    assert (caught.value.code, caught.value.stage) == ("CUDA_ERROR_INVALID_VALUE", "encode")
    assert "box=(16, 8)" in caught.value.detail


# --- im2col -----------------------------------------------------------------------------------------------------------

IMAGES = TensorMapSpec(
    "f16",
    4096,
    (48, 9, 7, 4),
    (112, 1024, 7184),
    (16, 40),
    (1, 2, 3, 1),
    "none",
    "none",
    "nan",
    "im2col",
    (-1, -2),
    (1, 2),
)
WIDE = dataclasses.replace(IMAGES, mode="im2col_w", lower=(-1,), upper=(-3,), swizzle="64B")


def recorded(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def encode(*arguments: Any) -> tuple[Any, ...]:
        calls.append(arguments)
        return (SUCCESS, driver.CUtensorMap())

    monkeypatch.setattr(driver, name, encode)
    return calls


def test_an_im2col_spec_becomes_the_call_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = recorded(monkeypatch, "cuTensorMapEncodeIm2col")
    assert len(tensormap.encode(IMAGES, 0x7000)) == 128
    ((_, rank, address, dims, strides, lower, upper, channels, pixels, steps, _, _, _, fill),) = asked
    assert (rank, address, lower, upper, channels, pixels) == (4, 0x7000, [-1, -2], [1, 2], 16, 40)
    assert [[int(x) for x in values] for values in (dims, strides, steps)] == [
        [48, 9, 7, 4],
        [112, 1024, 7184],
        [1, 2, 3, 1],
    ]
    assert fill == driver.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA


@pytest.mark.parametrize(("mode", "member"), [("im2col_w", "W"), ("im2col_w128", "W128")])
def test_a_wide_im2col_spec_becomes_the_call_it_means(monkeypatch: pytest.MonkeyPatch, mode: str, member: str) -> None:
    asked = recorded(monkeypatch, "cuTensorMapEncodeIm2colWide")
    tensormap.encode(dataclasses.replace(WIDE, mode=mode), 0x7000)
    ((_, rank, _, _, _, lower, upper, channels, pixels, _, _, wide, swizzle, _, _),) = asked
    assert (rank, lower, upper, channels, pixels) == (4, -1, -3, 16, 40)
    assert wide == getattr(driver.CUtensorMapIm2ColWideMode, f"CU_TENSOR_MAP_IM2COL_WIDE_MODE_{member}")
    assert swizzle == driver.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_64B


@pytest.mark.parametrize("spec", [IMAGES, WIDE])
@pytest.mark.parametrize("field", ["lower", "upper", "box", "strides"])
def test_corners_of_another_rank_never_reach_the_driver(spec: TensorMapSpec, field: str) -> None:
    with pytest.raises(ValueError, match="of one rank"):
        tensormap.encode(altered(spec, {field: (1, 1, 1, 1)}), 0)
    with pytest.raises(ValueError, match="'im2col_x'"):
        tensormap.encode(dataclasses.replace(WIDE, mode="im2col_x"), 0)


def test_every_im2col_call_is_one_that_the_bindings_take() -> None:
    """The bindings convert every argument before they look for the driver, which may be missing here."""
    for spec in (SPEC, IMAGES, WIDE):
        try:
            tensormap.encode(spec, 0x7000)
        except (Refusal, RuntimeError):
            continue
