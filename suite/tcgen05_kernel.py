"""Probes of tcgen05.mma and its variants: from a case's parameters to the kernel that asks it.

Every form shares one template and one spelling of opcode and operands, as the manual's syntax does; a parameter that a
form has not leaves its part out. Source: PTX ISA 9.3, 9.7.17.10.9.1 to .4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from suite.claims import Claim
from suite.numerics import cases
from suite.numerics.operation import Numeric
from suite.operands import Operand
from suite.probe import Arrays, Launch, Params, Probe
from suite.tcgen05_forms import SCALED, Form
from suite.tcgen05_oracle import TRIALS, inputs, operands, oracle

OPCODE = "tcgen05.{variant}.cta_group::{cta_group}.kind::{kind}{scaling}{shifted}{collecting}"
ARGUMENTS = "[%d], {A_OPERAND}, %bdesc, {metadata}%idesc, {scales}{lane_masks}%accumulate{scale_input}{column_mask}"
FAILURE = "0x7A17F00D"  # what a kernel writes for D whose barrier did not complete within 65536 tries
THREADS = (128, 1, 1)

# D, A and B where a case names no types.
TYPES = {
    "f16": ("f32", "f16", "f16"),
    "tf32": ("f32", "tf32", "tf32"),
    "f8f6f4": ("f32", "e4m3", "e5m2"),
    "i8": ("s32", "s8", "u8"),
    "ti16": ("s32", "s1z4m11", "s1z4m11"),
    "mxf8f6f4": ("f32", "e5m2", "e4m3"),
    "mxf4": ("f32", "e2m1", "e2m1"),
    "mxf4nvf4": ("f32", "e2m1", "e2m1"),
}
SCALE = {"mxf8f6f4": "ue8m0", "mxf4": "ue8m0", "mxf4nvf4": "ue4m3"}
SECOND_SCALE = {("mxf4nvf4", "2X"): "ue8m0", ("mxf4nvf4", "block32"): "ue8m0"}  # ue4m3 has blocks of 16 alone

# Source: 9.7.17.10.9.1, syntax forms 1 and 2.
SCALING = {
    "": "", "default": ".block_scale", "block16": ".block_scale.block16", "block32": ".block_scale.block32",
    **{size: f".block_scale.scale_vec::{size}" for size in ("1X", "2X", "4X")},
}  # fmt: skip

# The unit of each kind. Source: ptxas 13.5.37 for sm_100a and, for ti16, sm_107a, read with nvdisasm.
NATIVE = {
    "f16": "UTCHMMA", "tf32": "UTCHMMA", "ti16": "UTCHMMA", "f8f6f4": "UTCQMMA", "mxf8f6f4": "UTCQMMA",
    "i8": "UTCIMMA", "mxf4": "UTCOMMA", "mxf4nvf4": "UTCOMMA",
}  # fmt: skip


def form_of(variant: str, params: Params) -> Form:
    """Return the instruction's geometry, with the defaults for what the case does not name."""
    kind, group, vec = params["kind"], params["cta_group"], params.get("vec", "")
    default = TYPES[kind]
    types = (params.get("dtype", default[0]), params.get("atype", default[1]), params.get("btype", default[2]))
    scale = params.get("scale", SECOND_SCALE.get((kind, vec), SCALE.get(kind, ""))) if kind in SCALED else ""
    collector = params.get("collector", "none")
    return _form(
        group=group,
        kind=kind,
        types=types,
        m=params.get("m", 128 * group),
        n=params.get("n", 64),
        a_in=params["a_in"],
        sparse=variant.endswith("sp"),
        ws=".ws" in variant,
        vec=vec,
        scale=scale,
        ids=(params.get("ida", 0), params.get("idb", 0)),
        selector=params.get("selector", 0),
        shift=params.get("shift", 0),
        negate=params.get("negate", ""),
        saturate=params.get("saturate", "no") == "yes",
        scratch=collector.endswith("use"),
        swizzled=params.get("swizzled", "no") == "yes",
    )


@cache
def _form(**values: Any) -> Form:
    return Form(**values)


def spelling(variant: str, params: Params) -> Params:
    """Return the parts of opcode and operands that the case has, empty where it has them not."""
    group, kind, vec = params["cta_group"], params["kind"], params.get("vec", "")
    collector, scale_d = params.get("collector", "none"), params.get("scale_d", "none")
    masks = ", ".join(f"m{i}" for i in range(4 * group))
    return {
        "variant": variant,
        "cta_group": group,
        "kind": kind,
        "scaling": SCALING[vec],
        "shifted": ".ashift" if params.get("ashift") == "yes" else "",
        "collecting": "" if collector == "none" else "".join(f".collector::{part}" for part in collector.split("+")),
        "A_OPERAND": "%adesc" if params["a_in"] == "smem" else "[%a]",
        "metadata": "[%e], " if variant.endswith("sp") else "",
        "scales": "[%sfa], [%sfb], " if kind in SCALED else "",
        "lane_masks": f"{{{masks}}}, " if params.get("lanes") == "some" else "",
        "scale_input": "" if scale_d == "none" else f", {scale_d}",
        "column_mask": ", %mask" if params.get("mask") == "some" else "",
    }


def fields(variant: str, params: Params) -> Params:
    """Return the template's values and the parts of the instruction's text."""
    form, parts = form_of(variant, params), spelling(variant, params)
    in_shared, columns = params["a_in"] == "smem", form.columns
    a_bytes = form.tile_a.nbytes if in_shared else 0
    shared = [("a", a_bytes, 0)] * in_shared + [("b", form.tile_b.nbytes, a_bytes)]
    return {
        **parts,
        "asked": "",
        "idesc": f"0x{form.descriptor:08X}",
        "failure": FAILURE,
        "width": form.width,
        "allocation": form.allocation,
        "shared": shared,
        "tile_bytes": a_bytes + form.tile_b.nbytes,
        "filled": [(name, *place) for name, place in columns.items() if name != "scratch"],
        "addresses": [("d" if name == "c" else name, at) for name, (at, _) in columns.items()],
        "a_descriptor": f"0x{form.tile_a.descriptor:016X}" if in_shared else "0",
        "b_descriptor": f"0x{form.tile_b.descriptor + (a_bytes >> 4):016X}",
        "lane_words": 4 * form.group if params.get("lanes") == "some" else 0,
        "masked": params.get("mask") == "some",
        "before": _filling(parts) if form.scratch else "",
    }


def _filling(parts: Params) -> str:
    """Return the instruction that fills the collector buffers which the one in question reuses."""
    collecting = ".".join(_filled(part) for part in parts["collecting"].split("."))
    opcode = OPCODE.format(**{**parts, "collecting": collecting, "shifted": ""})
    return f"{opcode} {ARGUMENTS.format(**parts)};".replace("[%d]", "[%scratch]")


def _filled(part: str) -> str:
    return part.rpartition("::")[0] + "::fill" if part.endswith("use") else part


def _operands(variant: str, params: Params) -> tuple[Operand, ...]:
    lanes, masked = params.get("lanes") == "some", params.get("mask") == "some"
    return operands(form_of(variant, params), lanes=lanes, masked=masked)


def _scale_d(params: Params) -> int:
    return int(params.get("scale_d", "none").replace("none", "0"))


def native(variant: str, params: Params) -> tuple[str, ...]:
    """Return the opcode of the kind's unit, for one CTA or a pair."""
    pair = ".2CTA" if params["cta_group"] == 2 else ""
    return (NATIVE[params["kind"]] + pair + (".WS" if ".ws" in variant else ""),)


def _numeric(variant: str, params: Params) -> Numeric | None:
    """Return how a dense product is fed with any codes; None where masks, shifts or a scaled D take part."""
    form = form_of(variant, params)
    more = [params.get(name, "none") for name in ("lanes", "mask", "scale_d", "ashift")]
    plain = not (form.sparse or form.ws or form.kind == "ti16") and set(more) <= {"none", "no"}
    return cases.tcgen05_form(form) if plain else None


def even_inputs(variant: str, params: Params, rng: np.random.Generator) -> Arrays:
    """Return inputs in which all rows of A and of its metadata are the same, so that shifting rows changes nothing."""
    form = form_of(variant, params)
    arrays = dict(inputs(form, operands(form), rng))
    for name in ("a", "e")[: 1 + form.sparse]:
        arrays[name] = np.broadcast_to(arrays[name][:, :1], arrays[name].shape).copy()
    return arrays


def probe(form: str, variant: str, rows: tuple[Params, ...], claim: Callable[[Params], Claim], **rest: Any) -> Probe:
    """Return a probe of one form of tcgen05.mma."""
    return Probe(
        **{
            "form": form,
            "opcode": OPCODE,
            "arguments": ARGUMENTS,
            "rows": rows,
            "claim": claim,
            "template": "tcgen05_form.ptx.j2",
            "native": partial(native, variant),
            "operands": partial(_operands, variant),
            "inputs": lambda params, rng: inputs(
                form_of(variant, params), _operands(variant, params), rng, _scale_d(params)
            ),
            "oracle": lambda params, arrays: oracle(form_of(variant, params), arrays, _scale_d(params)),
            "launch": lambda params: Launch((params["cta_group"] * TRIALS, 1, 1), THREADS, (params["cta_group"], 1, 1)),
            "fields": partial(fields, variant),
            "numeric": None if {"inputs", "oracle", "fields"} & rest.keys() else partial(_numeric, variant),
            **rest,
        }
    )
