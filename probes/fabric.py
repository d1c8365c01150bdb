"""Copies, reductions and atomic operations through a fabric handle. PTX ISA 9.3, 9.7.10.5.1 to 9.7.10.5.4.

A handle is a logical endpoint, which the host must create, and an offset: no kernel here is launched.

No edition of the manual at hand has the text of what PTX ISA 9.4 brought. Its table of contents names try_atom, which
is spelled here as NVIDIA's libcu++ spells it (cuda/__fabric/atom.h). Its release notes, as PTX.jl lists them in its
docs/PTX94_AUDIT.md, have cache hints with a policy for get, put and red, and createpolicy.range.fabric of a handle,
all from sm_100 on; the hint stands where NVSHMEM's logical_endpoint_device.cuh puts it in the syntax of get.
"""

from __future__ import annotations

from functools import partial

from suite import Buffer, Claim, Launch, Probe, family, only, product, rows, since
from suite.probe import Params

GET, PUT, RED, PULL = (f"9.7.10.5.{n}" for n in range(1, 5))
ATOM = "PTX ISA 9.4, 9.7.11.5.10, as libcu++ spells it"
GET_HINT, PUT_HINT, RED_HINT = (f"PTX ISA 9.4, 9.7.11.5.{n}, as PTX.jl lists it" for n in range(1, 4))
POLICY = "PTX ISA 9.4, 9.7.10.21, as PTX.jl lists it"
BITS, WHOLE = ("b32", "b64"), ("u32", "s32", "u64", "s64")
HALF, NARROW = ("f16", "bf16"), ("e4m3", "e5m2")
BYTES = "mbarrier::complete_tx::bytes.mbarrier::report::fabric.relaxed.sys"
BLOCKS = "mbarrier::complete_tx::16B.mbarrier::report::fabric"
COUNTED = ("no", "yes")
HINT, PACKED = ".L2::cache_hint", ("f16x2", "bf16x2")
PRIMARY = ("evict_last", "evict_normal", "evict_first", "evict_unchanged")


def everywhere(section: str) -> Claim:
    """Return the claim of all fabric operations."""
    return since("sm_100", ptx="9.3", section=section)


def newer(section: str) -> Claim:
    """Return the claim of what PTX ISA 9.4 added."""
    return since("sm_100", ptx="9.4", section=section)


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
        "secondary_": f".L2::{params['secondary']}" if params.get("secondary", "none") != "none" else "",
        "acc_": f".acc::{params['acc']}" if params.get("acc", "none") != "none" else "",
    }


fabric = partial(
    Probe,
    template="fabric.ptx.j2",
    native=lambda params: ("UBLKCP", "UBLKRED"),
    operands=lambda params: (Buffer("out", "out", "u32", (4,)), Buffer("handle", "in", "b64", (6,))),
    inputs=lambda params, rng: {"handle": rng.integers(0, 1 << 20, 6, dtype="uint64")},
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
    fabric(
        form="get_hint",
        opcode=f"fabric.try_get.async.shared::cta.{BYTES.replace('.relaxed', HINT + '.relaxed')}.b128",
        arguments="[%shared], [%endpoint, %offset], %size, [%bar], %policy",
        rows=product(of=("handle",)),
        claim=lambda params: newer(GET_HINT),
    ),
    fabric(
        form="put_hint",
        opcode=f"fabric.try_put.async.shared::cta.{BLOCKS}{HINT}.relaxed.sys.b128",
        arguments="[%endpoint, %offset], [%shared], %size, [%bar], %policy",
        rows=product(of=("handle",)),
        claim=lambda params: newer(PUT_HINT),
    ),
    fabric(
        form="red_hint",
        opcode=f"fabric.try_red.async.shared::cta.{BLOCKS}{HINT}.relaxed.sys.{{op}}.{{type}}",
        arguments="[%endpoint, %offset], [%shared], %size, [%bar], %policy",
        rows=rows("op type", ("add", "u32"), ("min", "bf16"), ("xor", "b64")),
        claim=lambda params: newer(RED_HINT),
    ),
    fabric(
        form="atom",
        opcode=f"fabric.try_atom.async.shared::cta.{BLOCKS}.relaxed.sys.{{op}}.{{type}}",
        arguments="[%endpoint, %offset], [%shared], [%operand], [%bar]",
        rows=product(op=("add",), type=("u32", "u64", "f32", "f64", *PACKED))
        + product(op=("min", "max"), type=("u32", "u64", *PACKED))
        + product(op=("and", "or", "xor"), type=BITS)
        + product(op=("exch", "cas"), type=(*BITS, "b128")),
        claim=lambda params: newer(ATOM),
    ),
    fabric(
        form="policy",
        opcode="createpolicy.range.fabric.L2::{primary}{secondary_}.b64",
        arguments="%policy, [%endpoint, %offset], %size, %total",
        rows=product(primary=PRIMARY, secondary=("none", "evict_first", "evict_unchanged")),
        native=lambda params: ("CREATEPOLICY",),
        claim=lambda params: newer(POLICY),
    ),
)
