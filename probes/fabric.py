"""Copies and reductions through a fabric handle. PTX ISA 9.3, 9.7.10.5.1 to 9.7.10.5.4.

A handle is a logical endpoint, which the host must create, and an offset: no kernel here is launched.
"""

from __future__ import annotations

from functools import partial

from suite import Buffer, Claim, Launch, Probe, family, only, product, since
from suite.probe import Params

GET, PUT, RED, PULL = (f"9.7.10.5.{n}" for n in range(1, 5))
BITS, WHOLE = ("b32", "b64"), ("u32", "s32", "u64", "s64")
HALF, NARROW = ("f16", "bf16"), ("e4m3", "e5m2")
BYTES = "mbarrier::complete_tx::bytes.mbarrier::report::fabric.relaxed.sys"
BLOCKS = "mbarrier::complete_tx::16B.mbarrier::report::fabric"
COUNTED = ("no", "yes")


def everywhere(section: str) -> Claim:
    """Return the claim of all fabric operations."""
    return since("sm_100", ptx="9.3", section=section)


def pulled(params: Params) -> Claim:
    """Return the claim of a pull-reduction; sums in another type, and narrow minima, are of some chips."""
    if params["acc"] == "none" and params["type"] not in NARROW:
        return everywhere(PULL)
    return only("sm_120a", "sm_121a", ptx="9.3", section=PULL) | family("sm_100f", "sm_110f", ptx="9.3", section=PULL)


def fields(params: Params) -> Params:
    """Return the dotted modifiers, and the counter of the endpoint where it has one."""
    counted = params.get("counted") == "yes"
    return {
        "multimem_": ".multimem" if params.get("multimem") == "yes" else "",
        "counted_": ".counted::bytes" if counted else "",
        "handle": "[%endpoint, %offset, %counter]" if counted else "[%endpoint, %offset]",
        "mask_": ".cp_mask" if params.get("mask") == "yes" else "",
        "bytemask_": ", %bytemask" if params.get("mask") == "yes" else "",
        "acc_": f".acc::{params['acc']}" if params.get("acc", "none") != "none" else "",
    }


fabric = partial(
    Probe,
    template="fabric.ptx.j2",
    native=lambda params: ("UBLKCP", "UBLKRED"),
    operands=lambda params: (Buffer("out", "out", "u32", (4,)), Buffer("handle", "in", "b64", (5,))),
    inputs=lambda params, rng: {"handle": rng.integers(0, 1 << 20, 5, dtype="uint64")},
    oracle=lambda params, arrays: {"out": arrays["handle"][:4]},
    launch=lambda params: Launch(block=(32, 1, 1)),
    fields=fields,
    unlaunched="it needs a logical endpoint of a fabric, which the host must create",
)

PROBES = (
    fabric(
        form="get",
        opcode=f"fabric.try_get.async.shared::cta.{BYTES}.b128",
        arguments="[%shared], [%endpoint, %offset], %size, [%bar]",
        rows=product(of=("handle",)),
        claim=lambda params: everywhere(GET),
    ),
    fabric(
        form="put",
        opcode=f"fabric.try_put.async{{multimem_}}.shared::cta.{BLOCKS}{{counted_}}{{mask_}}.relaxed.sys.b128",
        arguments="{handle}, [%shared], %size, [%bar]{bytemask_}",
        rows=product(multimem=COUNTED, counted=COUNTED, mask=("no",))
        + product(multimem=COUNTED, counted=("no",), mask=("yes",)),
        claim=lambda params: everywhere(PUT),
    ),
    fabric(
        form="red",
        opcode=f"fabric.try_red.async{{multimem_}}.shared::cta.{BLOCKS}{{counted_}}.relaxed.sys.{{op}}.{{type}}",
        arguments="{handle}, [%shared], %size, [%bar]",
        rows=product(multimem=("no",), counted=COUNTED, op=("and", "xor", "or"), type=BITS)
        + product(multimem=("no",), counted=COUNTED, op=("min", "max"), type=WHOLE + HALF)
        + product(multimem=("no",), counted=COUNTED, op=("add",), type=("u32", "u64", *HALF, "f32", "f64"))
        + product(multimem=("yes",), counted=COUNTED, op=("add",), type=("u32", "f16")),
        claim=lambda params: everywhere(RED),
    ),
    fabric(
        form="pullred",
        opcode=f"fabric.try_pullred.async.multimem.shared::cta.{BYTES}.{{op}}{{acc_}}.{{type}}.sync",
        arguments="[%shared], [%endpoint, %offset], %size, [%bar], 0xffffffff",
        rows=product(op=("and", "xor", "or"), type=BITS, acc=("none",))
        + product(op=("min", "max"), type=WHOLE + HALF + NARROW, acc=("none",))
        + product(op=("add",), type=("u32", "u64", *HALF, "f32"), acc=("none",))
        + product(op=("add",), type=NARROW, acc=("f16",))
        + product(op=("add",), type=HALF, acc=("f32",)),
        claim=pulled,
    ),
)
