"""What chips can do at most, as published: the denominators of every share that the check reports.

Each row was held against the document that it names, in a copy or as others quote it. Rates given with sparsity are
halved, those with f16 accumulation are left out; sheets of data centre chips name no accumulation and are taken as they
are. Where NVIDIA's documents differ, the row has what bus width and memory clock give: 320 for a T4 (its datasheet:
300), 2039 for an H100 PCIe (its product brief: 2000), 7700 for a B200 (an eighth of a DGX B200: 8000).

On an H200 no rate measured exceeds its row, and the best reach 99 % of theirs. A GeForce may exceed its own: its clock
goes beyond the boost clock that its whitepaper reckons with.
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


def _rates(f16: float, tf32: float = 0, int8: float = 0, fp8: float = 0, f64: float = 0) -> dict[str, float]:
    given = {"f16": f16, "bf16": f16, "tf32": tf32, "int8": int8, "fp8": fp8, "f64": f64}
    return {kind: value for kind, value in given.items() if value}


_A100 = _rates(312, 156, 624, f64=19.5)
_H100 = _rates(989.4, 494.7, 1978.9, 1978.9, 66.9)
_H_NVL = _rates(835.5, 417.5, 1670.5, 1670.5, 60)

_GA102 = "NVIDIA Ampere GA102 GPU architecture whitepaper 2, table 3 and appendix A"
_ADA = "NVIDIA Ada GPU architecture whitepaper 2.1, appendix A"
_HOPPER = "NVIDIA H100 GPU architecture whitepaper 1.04, table 3"
_H100_SXM = f"NVIDIA H100 product page; rates: {_HOPPER}"
_RTX_BLACKWELL = "NVIDIA RTX Blackwell GPU architecture whitepaper 1.1, table 3 and appendices A to C"
_RTX_PRO = "NVIDIA RTX PRO Blackwell GPU architecture whitepaper 1.0, table 4"
_COMPARISON = "NVIDIA GeForce comparison page"
_REFERENCE = "NVIDIA Exemplar Performance, reference architectures"
_SPARK = "NVIDIA DGX Spark user guide, hardware overview"
_THOR = "NVIDIA Jetson Thor modules datasheet DS-11945-001"


def _sheet(name: str) -> str:
    return f"NVIDIA {name} datasheet, rates without sparsity"


def _page(name: str) -> str:
    return f"NVIDIA {name} product page, rates without sparsity"


# By the name that the driver gives: for all but Thor it stands in the README of NVIDIA's open kernel modules.
# All matrix rates dense, with f32 accumulation where the input is floating point.
PEAKS: dict[str, Peak] = {
    # name                                 GB/s  matrix                                 source
    "Tesla T4":                       Peak(320,  {},                                    _page("T4")),
    "NVIDIA A100-SXM4-40GB":          Peak(1555, _A100,                                 _sheet("A100")),
    "NVIDIA A100-PCIE-40GB":          Peak(1555, _A100,                                 _sheet("A100")),
    "NVIDIA A100-SXM4-80GB":          Peak(2039, _A100,                                 _sheet("A100")),
    "NVIDIA A100 80GB PCIe":          Peak(1935, _A100,                                 _sheet("A100")),
    "NVIDIA A30":                     Peak(933,  _rates(165, 82, 330, f64=10.3),        _sheet("A30")),
    "NVIDIA A10":                     Peak(600,  _rates(125, 62.5, 250),                _sheet("A10")),
    "NVIDIA A40":                     Peak(696,  _rates(149.7, 74.8, 299.3),            _sheet("A40")),
    "NVIDIA RTX A6000":               Peak(768,  _rates(154.8, 77.4, 309.7),            _GA102),
    "NVIDIA GeForce RTX 3090":        Peak(936,  _rates(71, 35.6, 284),                 _GA102),
    "NVIDIA L4":                      Peak(300,  _rates(121, 60, 242.5, 242.5),         _page("L4")),
    "NVIDIA L40":                     Peak(864,  _rates(181.05, fp8=362.05),            _sheet("L40")),
    "NVIDIA L40S":                    Peak(864,  _rates(362.05, 183, 733, 733),         _page("L40S")),
    "NVIDIA RTX 6000 Ada Generation": Peak(960,  _rates(364),                           _RTX_PRO),
    "NVIDIA GeForce RTX 4090":        Peak(1008, _rates(165.2, 82.6, 660.6, 330.3),     _ADA),
    "NVIDIA H100 80GB HBM3":          Peak(3350, _H100,                                 _H100_SXM),
    "NVIDIA H100 PCIe":               Peak(2039, _rates(756, 378, 1513, 1513, 51.2),    _HOPPER),
    "NVIDIA H100 NVL":                Peak(3900, _H_NVL,                                _page("H100")),
    "NVIDIA H200":                    Peak(4800, _H100,                                 _sheet("H200 SXM")),
    "NVIDIA H200 NVL":                Peak(4800, _H_NVL,                                _page("H200")),
    "NVIDIA GH200 120GB":             Peak(4000, _H100,                                 _sheet("GH200, HBM3")),
    "NVIDIA GH200 480GB":             Peak(4000, _H100,                                 _sheet("GH200, HBM3")),
    "NVIDIA GH200 144G HBM3e":        Peak(4900, _H100,                                 _sheet("GH200, HBM3e")),
    "NVIDIA B200":                    Peak(7700, _rates(2250, 1100, 4500, 4500, 37),    _sheet("HGX B200")),
    "NVIDIA GB200":                   Peak(8000, _rates(2450, fp8=4900),                _REFERENCE),
    "NVIDIA B300 SXM6 AC":            Peak(7700, _rates(2250, fp8=4500),                _REFERENCE),
    "NVIDIA GB300":                   Peak(8000, _rates(2450, fp8=4900),                _REFERENCE),
    "NVIDIA GeForce RTX 5090":        Peak(1792, _rates(209.5, 104.8, 838, 419),        _RTX_BLACKWELL),
    "NVIDIA GeForce RTX 5080":        Peak(960,  _rates(112.6, int8=450.2, fp8=225.1),  _RTX_BLACKWELL),
    "NVIDIA GeForce RTX 5070 Ti":     Peak(896,  _rates(87.9, int8=351.5, fp8=175.8),   _RTX_BLACKWELL),
    "NVIDIA GeForce RTX 5070":        Peak(672,  _rates(61.7, int8=246.9, fp8=123.5),   _RTX_BLACKWELL),
    "NVIDIA GeForce RTX 5060 Ti":     Peak(448,  {},                                    _COMPARISON),
    "NVIDIA GeForce RTX 5060":        Peak(448,  {},                                    _COMPARISON),
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition":
                                      Peak(1792, _rates(503.8),                         _RTX_PRO),
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition":
                                      Peak(1792, {},                                    _sheet("RTX PRO 6000 Max-Q")),
    "NVIDIA RTX PRO 6000 Blackwell Server Edition":
                                      Peak(1597, {},                                    _sheet("RTX PRO 6000 Server")),
    "NVIDIA GB10":                    Peak(273,  {},                                    _SPARK),
    "NVIDIA Thor":                    Peak(273,  {},                                    _THOR),
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
