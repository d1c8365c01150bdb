"""What the bulk copies share: where they begin, what memory holds before, what it must hold afterwards, and the claims.

All arrays are bytes, all offsets and sizes are in bytes and multiples of 16, as the manual demands of bulk copies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from suite import memory, rounding
from suite.claims import Claim, family, only, since
from suite.formats import FORMATS, decode
from suite.operands import Buffer, Operand
from suite.probe import Arrays, Params
from suite.tma_oracle import DONE, prefilled

Bytes = NDArray[np.uint8]

COPY, REDUCE, PREFETCH = "9.7.9.26.4.1", "9.7.9.26.4.2", "9.7.9.26.4.3"
MULTIMEM_COPY, MULTIMEM_REDUCE = "9.7.9.26.4.4", "9.7.9.26.4.5"
COMMIT, WAIT = "9.7.9.26.6.1", "9.7.9.26.6.2"
NEWER = "PTX ISA 9.4, "  # stands before a section that 9.3 has not, or not with that modifier

MBARRIER = "mbarrier::complete_tx::bytes"
FROM, TO = 48, 144  # offsets of source and destination, no two alike; the destination's is also room before it
GUARD = 112  # bytes after a destination
CHUNK = 16  # bytes that one byte mask covers
BLANK = 0x5B  # stored over bytes whose content the manual leaves open

SCOPES = ("cta", "cluster", "gpu", "sys")
RELAXED = tuple(f"relaxed.{scope}" for scope in SCOPES)

# How machine code spells a scope. Source: nvdisasm 13.5.37 of kernels that ptxas 13.5.37 made for sm_90a, 100a, 107a
# and 120a.
STRENGTHS = {"cta": "STRONG.SM", "cluster": "STRONG.GPU", "gpu": "STRONG.GPU", "sys": "STRONG.SYS"}


def semantics(section: str, ptx: str = "9.3") -> Claim:
    """Claim .weak and .relaxed with their scope and type. Source: PTX ISA 9.3, 9.7.9.26.4.1, Target ISA Notes."""
    return only("sm_90a", ptx=ptx, section=section) | family("sm_100f", "sm_110f", ptx=ptx, section=section)


def rubin(section: str) -> Claim:
    """Claim what PTX ISA 9.4 brought for the family of sm_107f."""
    return family("sm_107f", ptx="9.4", section=section)


def is_sem(params: Params) -> bool:
    """Tell whether the case spells its memory semantics."""
    return bool(params.get("sem", "none") != "none")


def copy_claim(params: Params) -> Claim:
    """Claim a copy by the newest of its modifiers. Source: PTX ISA 9.3, 9.7.9.26.4.1, both notes."""
    if is_sem(params):  # .cp_mask needs sm_100, which leaves sm_90a out
        return family("sm_100f", "sm_110f", ptx="9.3", section=COPY) if "mask" in params else semantics(COPY)
    if "mask" in params:
        return since("sm_100", ptx="8.6", section=COPY)
    if "left" in params:
        return since("sm_90", ptx="9.2", section=COPY)
    return since("sm_90", ptx="8.6" if params.get("space") == "cta" else "8.0", section=COPY)


def fields(params: Params) -> Params:
    """Return the parts of the spelling that the families share; `kind` is the type that .relaxed copies carry."""
    hinted = params.get("hint", "none") == "cache_hint"
    relaxed = "relaxed" in params.get("sem", "none")
    return {
        "sem_": memory.dotted(params.get("sem", "none")),
        "hint_": ".L2::cache_hint" if hinted else "",
        "kind": ".b128" if relaxed else "",
        "policy": ", %policy" if hinted else "",
        "hinted": hinted,
        "source": FROM,
        "target": TO,
        "window": TO + params["bytes"] + GUARD,
    }


def strength(params: Params) -> str:
    """Return the tokens of machine code for the case's scope, with the dot before them."""
    scope = params.get("sem", "none").rpartition(".")[2]
    return f".{STRENGTHS[scope]}" if scope in STRENGTHS else ""


def quiet_bytes(count: int) -> Bytes:
    """Return `count` even bytes that no validity check matches: no nibble is 0, 8 or 0xf; at most 882."""
    low, high = np.array([2, 4, 6]), np.arange(1, 8) * 16
    values = (high[:, None] + low).reshape(-1)
    pair = np.arange(-(-count // 2))
    content = np.stack([values[pair % 21], values[pair // 21]], axis=-1).astype(np.uint8)
    return np.asarray(content.reshape(-1)[:count])


def masked(before: Bytes, source: Bytes, mask: int) -> Bytes:
    """Return `before` with those bytes of `source` whose place in their chunk of 16 has its bit in the mask."""
    chosen = (mask >> (np.arange(source.size) % CHUNK)) & 1
    return np.where(chosen, source, before).astype(np.uint8)


def window(size: int, at: int, content: Bytes) -> Bytes:
    """Return a window of odd bytes with a content in its middle."""
    image: Bytes = prefilled(1, size)[0].copy()
    image[at : at + content.size] = content
    return image


# --- reductions ------------------------------------------------------------------------------------------------------

# Types and operations. Source: PTX ISA 9.3, 9.7.9.26.4.2, table of valid combinations.
TO_SHARED = (
    *(("add", kind) for kind in ("u32", "s32", "u64")),
    *((op, kind) for op in ("min", "max") for kind in ("u32", "s32")),
    *((op, "u32") for op in ("inc", "dec")),
    *((op, "b32") for op in ("and", "or", "xor")),
)
TO_GLOBAL = (
    *(("add", kind) for kind in ("u32", "s32", "u64", "f32", "f64", "f16", "bf16")),
    *((op, kind) for op in ("min", "max") for kind in ("u32", "s32", "u64", "s64", "f16", "bf16")),
    *((op, "u32") for op in ("inc", "dec")),
    *((op, kind) for op in ("and", "or", "xor") for kind in ("b32", "b64")),
)

# How machine code spells types, 32 bits without sign not at all. Source: as of STRENGTHS.
TYPES = {
    "s32": ".S32",
    "u64": ".U64",
    "s64": ".S64",
    "b64": ".U64",
    "f16": ".F16.RN",
    "bf16": ".BF16.RN",
    "f32": ".F32.RN",
    "f64": ".F64.RN",
}


def machine_reduction(direction: str, params: Params) -> tuple[str, ...]:
    """Return the opcode pattern of a reduction; `direction` is S.S or G.S."""
    return (f"UBLKRED.{direction}.{params['op'].upper()}{TYPES.get(params['type'], '')}{strength(params)}",)


def operation(params: Params) -> str:
    """Return operation and type as the opcode ends: 16-bit sums need .noftz, f32 ones may have it."""
    wanted = params["op"] == "add" and ("16" in params["type"] or params.get("ftz") == "noftz")
    return f"{params['op']}{'.noftz' if wanted else ''}.{params['type']}"


def reduce_bytes(params: Params, old: Bytes, value: Bytes) -> Bytes:
    """Return the bytes after one reduction of every element; float sums are rounded to nearest even."""
    facts = FORMATS[memory.element_format(params["type"])]
    if params["op"] != "add" or facts.kind != "float" or facts.bits == 64:
        return memory.reduce_bytes(params["op"], params["type"], old, value)
    word = np.dtype(f"<u{facts.bits // 8}")
    a, b = (decode(facts, raw.view(word)) for raw in (old, value))
    codes = rounding.codes_of(facts.name, rounding.round_to(facts.name, rounding.add(a, b)))
    return codes.astype(word).view(np.uint8)


def pairs(params: Params, rng: np.random.Generator, nbytes: int) -> tuple[Bytes, Bytes]:
    """Return what lies in memory and what is reduced into it.

    Of 16-bit floats a quarter are subnormals on both sides; of all floats a quarter have random significands, and a
    quarter nearly cancel. f32 has subnormals where `ftz` is `noftz` alone: PTX ISA 9.3 and 9.4
    differ about them.
    """
    op, kind = params["op"], params["type"]
    facts = FORMATS[memory.element_format(kind)]
    if facts.kind == "float":
        old, value = _float_pairs(params, rng, nbytes)
    else:
        old, value = (memory.operand_bytes(op, kind, rng, nbytes) for _ in range(2))
    return _ranked(params, old, value) if op in ("min", "max") else (old, value)


def _ranked(params: Params, old: Bytes, value: Bytes) -> tuple[Bytes, Bytes]:
    """Return operands of a minimum or maximum: by turns equal, one that wins, one that loses."""
    facts = FORMATS[memory.element_format(params["type"])]
    a, b = (raw.view(f"<u{facts.bits // 8}") for raw in (old, value))
    replaces = (decode(facts, a) > decode(facts, b)) == (params["op"] == "min")
    turn = np.arange(a.size) % 3
    swapped = replaces != (turn == 1)
    first, second = np.where(swapped, b, a), np.where(swapped, a, b)
    return first.view(np.uint8), np.where(turn == 0, first, second).view(np.uint8)


def _float_pairs(params: Params, rng: np.random.Generator, nbytes: int) -> tuple[Bytes, Bytes]:
    facts = FORMATS[params["type"]]
    word = np.dtype(f"<u{facts.bits // 8}")
    old, value = (memory.operand_bytes("add", params["type"], rng, nbytes).view(word).copy() for _ in range(2))
    for codes in (old, value):
        if facts.bits == 16 or params.get("ftz") == "noftz":
            count = codes[1::4].size
            codes[1::4] = rng.integers(1, 1 << facts.mantissa, count) | _signs(rng, facts.bits, count)
        codes[2::4] = _ordinary(facts.name, rng, codes[2::4].size)
    old[3::4] = _ordinary(facts.name, rng, old[3::4].size)
    near = old[3::4] ^ rng.integers(0, 8, old[3::4].size).astype(word)
    value[3::4] = near ^ word.type(1 << (facts.bits - 1)) if params["op"] == "add" else near
    return old.view(np.uint8), value.view(np.uint8)


def _signs(rng: np.random.Generator, bits: int, count: int) -> NDArray[np.int64]:
    return rng.integers(0, 2, count) << (bits - 1)


def _ordinary(fmt: str, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Return codes of values between 2^-2 and 2^6, either sign, with any significand."""
    facts = FORMATS[fmt]
    exponent = rng.integers(facts.bias - 2, facts.bias + 6, count) << facts.mantissa
    return exponent | rng.integers(0, 1 << facts.mantissa, count) | _signs(rng, facts.bits, count)


def addends(params: Params, rng: np.random.Generator, shape: tuple[int, ...]) -> Bytes:
    """Return operands that any number of threads up to 8 may reduce in any order: floats are small integers."""
    op, kind = params["op"], params["type"]
    facts = FORMATS[memory.element_format(kind)]
    if facts.kind != "float":
        return memory.operand_bytes(op, kind, rng, *shape)
    inner = (*shape[:-1], shape[-1] * 8 // facts.bits)
    values = rng.integers(-16, 17, inner).astype(np.float64)
    return np.ascontiguousarray(rounding.codes_of(facts.name, values).astype(f"<u{facts.bits // 8}")).view(np.uint8)


# --- between CTAs ----------------------------------------------------------------------------------------------------


def exchange_window(params: Params) -> int:
    """Return the bytes of a CTA's window, which holds source, destination and room around both."""
    return TO + 2 * int(params["bytes"]) + GUARD


def exchange_fields(params: Params) -> Params:
    """Return the fields of a case between CTAs: the destination lies beyond the source."""
    return {**fields(params), "target": TO + params["bytes"], "window": exchange_window(params)}


def exchange_operands(ctas: int, size: int) -> tuple[Operand, ...]:
    """Return the operands of a case between CTAs; `size` is the window's."""
    return (
        Buffer("out", "out", "b8", (ctas, size)),
        Buffer("status", "out", "b32", (ctas,)),
        Buffer("init", "in", "b8", (ctas, size)),
        Buffer("peers", "in", "u32", (ctas,)),
        Buffer("expected", "in", "u32", (ctas,)),
        Buffer("facts", "in", "u32", (1,)),
    )


def _routed(peers: NDArray[np.uint32], size: int) -> Arrays:
    sends = peers != np.arange(len(peers))
    expected = np.bincount(peers[sends], minlength=len(peers)) * size
    return {"peers": peers, "expected": expected.astype(np.uint32), "facts": np.array([size], dtype=np.uint32)}


def ring(ctas: int, size: int) -> Arrays:
    """Return the routing by which every CTA sends to the next."""
    return _routed(((np.arange(ctas) + 1) % ctas).astype(np.uint32), size)


def fan_in(ctas: int, size: int) -> Arrays:
    """Return the routing by which all CTAs send to CTA 1, which sends to none."""
    return _routed(np.ones(ctas, dtype=np.uint32), size)


def exchanged(arrays: Arrays, size: int, merge: Callable[[Bytes, Bytes], Bytes]) -> Arrays:
    """Return the windows after every CTA's source was merged into the destination of its peer, and all waits done."""
    out, place = arrays["init"].copy(), slice(TO + size, TO + 2 * size)
    for cta, peer in enumerate(arrays["peers"].tolist()):
        if peer != cta:
            out[peer, place] = merge(out[peer, place], arrays["init"][cta, FROM : FROM + size])
    return {"out": out, "status": np.full(len(out), DONE, dtype=np.uint32)}
