"""What chips can do at most, as published: the denominators of every share that the check reports.

The sources that the rows name were not at hand when they were written down: check a row before you argue with a share.
On an H200 no rate measured exceeds its row, and the best reach 97 % of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# A GPU below these shares of its own peak is not fit. Our kernels reach more on a healthy chip: copies about nine
# tenths, matrix products, where power limits the clock on random data, six to nine tenths.
FLOORS = {"memory": 0.65, "matrix": 0.40}

# A GPU below this share of the median of its siblings is named.
SIBLINGS = 0.90

# The unit that a chip's published matrix peak is reached by, by major compute capability. Source: PTX ISA 9.3, 9.7.16
# (wgmma) and 9.7.17 (tcgen05); the rate of another unit has no share, for that peak is not its own.
FASTEST = {8: "mma.sync", 9: "wgmma", 10: "tcgen05", 11: "tcgen05", 12: "mma.sync"}


@dataclass(frozen=True)
class Peak:
    """One chip: memory bandwidth in GB/s, dense matrix rates in TFLOP/s or TOP/s by input type, and the source."""

    memory: float
    matrix: dict[str, float] = field(default_factory=dict)
    source: str = ""


def _rates(f16: float, tf32: float, int8: float, fp8: float = 0, f64: float = 0, **more: float) -> dict[str, float]:
    given = {"f16": f16, "bf16": f16, "tf32": tf32, "int8": int8, "fp8": fp8, "f64": f64, **more}
    return {kind: value for kind, value in given.items() if value}


_A100 = _rates(312, 156, 624, f64=19.5)
_H100 = _rates(989.4, 494.7, 1978.9, 1978.9, 66.9)
_ADA, _RTX_BLACKWELL = "NVIDIA Ada GPU architecture whitepaper", "NVIDIA RTX Blackwell GPU architecture whitepaper"


def _sheet(name: str) -> str:
    return f"NVIDIA {name} datasheet, rates without sparsity"


# By the name that the driver gives. All matrix rates dense, with f32 accumulation where the input is floating point.
PEAKS: dict[str, Peak] = {
    # name                             GB/s   matrix                                   source
    "Tesla T4":                   Peak(320,   {},                                   _sheet("T4")),
    "NVIDIA A100-SXM4-40GB":      Peak(1555,  _A100,                                _sheet("A100")),
    "NVIDIA A100-PCIE-40GB":      Peak(1555,  _A100,                                _sheet("A100")),
    "NVIDIA A100-SXM4-80GB":      Peak(2039,  _A100,                                _sheet("A100")),
    "NVIDIA A100 80GB PCIe":      Peak(1935,  _A100,                                _sheet("A100")),
    "NVIDIA A10":                 Peak(600,   _rates(125, 62.5, 250),               _sheet("A10")),
    "NVIDIA L4":                  Peak(300,   _rates(121, 60, 242.5, 242.5),        _sheet("L4")),
    "NVIDIA L40S":                Peak(864,   _rates(362, 183, 733, 733),           _sheet("L40S")),
    "NVIDIA GeForce RTX 4090":    Peak(1008,  _rates(165.2, 82.6, 660.6, 330.3),    _ADA),
    "NVIDIA H100 80GB HBM3":      Peak(3350,  _H100,                                _sheet("H100 SXM")),
    "NVIDIA H100 PCIe":           Peak(2000,  _rates(756, 378, 1513, 1513, 51.2),   _sheet("H100 PCIe")),
    "NVIDIA H200":                Peak(4800,  _H100,                                _sheet("H200 SXM")),
    "NVIDIA GH200 480GB":         Peak(4000,  _H100,                                _sheet("GH200, HBM3")),
    "NVIDIA B200":                Peak(8000,  _rates(2250, 1125, 4500, 4500, 37),   _sheet("DGX B200, an eighth")),
    "NVIDIA GeForce RTX 5090":    Peak(1792,  _rates(209.5, 104.8, 838, 419),       _RTX_BLACKWELL),
    "NVIDIA GB10":                Peak(273,   {},                                   _sheet("DGX Spark")),
    "NVIDIA Thor":                Peak(273,   {},                                   _sheet("Jetson Thor")),
}  # fmt: skip


def peak(name: str, major: int, what: str) -> tuple[float, str] | None:
    """Return the peak that a rate is to be held against, with its source; None where none is known.

    `what` is `read`, `write` or `copy`, or a unit and an input type, as in `wgmma f16`.
    """
    chip = PEAKS.get(name)
    if chip is None:
        return None
    unit, _, kind = what.partition(" ")
    if not kind:
        return chip.memory, chip.source
    if unit != FASTEST.get(major) and not (kind == "f64" and major == 9):  # f64 has no wgmma
        return None
    return (chip.matrix[kind], chip.source) if kind in chip.matrix else None
