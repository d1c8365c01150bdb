"""Tensor maps: TensorMapSpec -> the 128 bytes that a kernel takes as a `__grid_constant__` parameter."""

from __future__ import annotations

import ctypes
from typing import Any

from cuda.bindings import driver

from suite.gpu_calls import attempt
from suite.model import TensorMapSpec

NBYTES = 128

# Element formats as PTX and the formats table spell them, and the member of CUtensorMapDataType. Formats that the
# copy engine does not know travel as unsigned integers of their width. Source: CUDA driver API, cuTensorMapEncodeTiled.
_DATA_TYPES = {
    # format      CU_TENSOR_MAP_DATA_TYPE_…
    "u8": "UINT8",
    "s8": "UINT8",
    "b8": "UINT8",
    "e4m3": "UINT8",
    "e5m2": "UINT8",
    "u16": "UINT16",
    "b16": "UINT16",
    "u32": "UINT32",
    "b32": "UINT32",
    "s32": "INT32",
    "u64": "UINT64",
    "b64": "UINT64",
    "s64": "INT64",
    "f16": "FLOAT16",
    "bf16": "BFLOAT16",
    "f32": "FLOAT32",
    "f32_ftz": "FLOAT32_FTZ",
    "tf32": "TFLOAT32",
    "tf32_ftz": "TFLOAT32_FTZ",
    "f64": "FLOAT64",
    "b4x16": "16U4_ALIGN8B",
    "b4x16_p64": "16U4_ALIGN16B",
    "b6x16_p32": "16U6_ALIGN16B",
}

# Modes. Source: the same.
_SWIZZLES = {
    "none": "NONE",
    "32B": "32B",
    "64B": "64B",
    "128B": "128B",
    "128B_atom_32B": "128B_ATOM_32B",
    "128B_atom_32B_flip_8B": "128B_ATOM_32B_FLIP_8B",
    "128B_atom_64B": "128B_ATOM_64B",
}
_INTERLEAVES = {"none": "NONE", "16B": "16B", "32B": "32B"}
_FILLS = {"zero": "NONE", "nan": "NAN_REQUEST_ZERO_FMA"}
_WIDE = {"im2col_w": "W", "im2col_w128": "W128"}

_NO_STRIDES = (16,)  # of one dimension there are none, and the driver refuses a null pointer all the same


def encode(spec: TensorMapSpec, address: int) -> bytes:
    """Return the tensor map over the buffer at `address`.

    Raises `Refusal` of stage `encode` where the driver refuses it, `ValueError` for a spec that names no known mode or
    whose lists are not of one rank: the driver would read past their ends.
    """
    _require_one_rank(spec)
    answer = {"tile": _tiled, "im2col": _im2col}.get(spec.mode, _wide)(spec, _tensor(spec, address))
    encoded = attempt(answer, "encode", f"encoding {spec}")  # named, or it would be gone before its bytes are read
    return ctypes.string_at(encoded.getPtr(), NBYTES)


def _tensor(spec: TensorMapSpec, address: int) -> tuple[Any, ...]:
    return (
        _member("CUtensorMapDataType", "DATA_TYPE", _DATA_TYPES, spec.fmt),
        len(spec.dims),
        address,
        [driver.cuuint64_t(size) for size in spec.dims],
        [driver.cuuint64_t(stride) for stride in spec.strides or _NO_STRIDES],
    )


def _tiled(spec: TensorMapSpec, tensor: tuple[Any, ...]) -> Any:
    box = [driver.cuuint32_t(size) for size in spec.box]
    return driver.cuTensorMapEncodeTiled(*tensor, box, *_layout(spec), *_modes(spec))


def _im2col(spec: TensorMapSpec, tensor: tuple[Any, ...]) -> Any:
    corners = (list(spec.lower), list(spec.upper))
    return driver.cuTensorMapEncodeIm2col(*tensor, *corners, *spec.box, *_layout(spec), *_modes(spec))


def _wide(spec: TensorMapSpec, tensor: tuple[Any, ...]) -> Any:
    mode = _member("CUtensorMapIm2ColWideMode", "IM2COL_WIDE_MODE", _WIDE, spec.mode)
    corners = (spec.lower[0], spec.upper[0])
    return driver.cuTensorMapEncodeIm2colWide(*tensor, *corners, *spec.box, *_layout(spec), mode, *_modes(spec))


def _layout(spec: TensorMapSpec) -> tuple[Any, ...]:
    steps = [driver.cuuint32_t(stride) for stride in spec.element_strides]
    return (steps, _member("CUtensorMapInterleave", "INTERLEAVE", _INTERLEAVES, spec.interleave))


def _modes(spec: TensorMapSpec) -> tuple[Any, ...]:
    return (
        _member("CUtensorMapSwizzle", "SWIZZLE", _SWIZZLES, spec.swizzle),
        driver.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_NONE,
        _member("CUtensorMapFloatOOBfill", "FLOAT_OOB_FILL", _FILLS, spec.fill),
    )


def _require_one_rank(spec: TensorMapSpec) -> None:
    rank = len(spec.dims)
    corners = {"tile": 0, "im2col": rank - 2}.get(spec.mode, 1)
    if {len(spec.strides) + 1, len(spec.element_strides)} != {rank}:
        raise ValueError(f"a tensor map's dims, strides and element strides are not of one rank: {spec}")
    if len(spec.box) != (rank if spec.mode == "tile" else 2) or {len(spec.lower), len(spec.upper)} != {corners}:
        raise ValueError(f"a tensor map's box or corners are not of one rank with its dims: {spec}")


def _member(enum: str, prefix: str, table: dict[str, str], word: str) -> Any:
    if word not in table:
        kind = prefix.lower().replace("_", " ")
        raise ValueError(f"no tensor map has the {kind} {word!r}; known: {', '.join(table)}")
    return getattr(getattr(driver, enum), f"CU_TENSOR_MAP_{prefix}_{table[word]}")
