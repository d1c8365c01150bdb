"""Kernels that keep the tensor cores busy, one an input type: facts of each instruction, and the PTX text made of them.

Operands are random and lie in a bounded range (an exponent near one), never zeros: zeros draw less power and so run
faster. Every accumulator goes into one checksum, which is the same on every chip of a kind.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from suite.sanity.kernels import entry

WARPS = 8  # a block of mma.sync
CHAINS = 4  # accumulators of a warp that do not wait for each other
STEPS = 4  # wgmma instructions between two waits: one shared-memory row of 128 bytes
WGMMA_SHARED = (64 + 256) * 128 + 1024  # bytes: A of 64 rows, B of 256, and room to align them
_ROW_SWIZZLE = (
    (1 << 62) | (64 << 32) | (1 << 16)
)  # 128-byte swizzle, 8 rows of 128 bytes apart. PTX ISA 9.3, 9.7.16.5.1


@dataclass(frozen=True)
class Rate:
    """One instruction whose rate is measured.

    `unit` is `mma.sync` or `wgmma`; `kind` is the input type; `shape` is (m, n, k); `a`, `b`, `d` count registers and
    `word` is their PTX type (that of the accumulator: `f32`, `b32`, `f64`); `target` is the base target from which on
    it is there, or the very target if it has a suffix; `keep` and `put` bound the random operands' bits.
    """

    unit: str
    kind: str
    opcode: str
    shape: tuple[int, int, int]
    a: int
    b: int
    d: int
    word: str
    target: str
    keep: int
    put: int
    tail: str = ""

    @property
    def operations(self) -> int:
        """Return the operations of one instruction: a multiplication and an addition an element."""
        m, n, k = self.shape
        return 2 * m * n * k


_MX8, _ONE8 = "kind::mxf8f6f4.block_scale", "0x7f7f7f7f"  # and scales of one: ue8m0
_NV4, _ONE4 = "kind::mxf4nvf4.block_scale.scale_vec::4X", "0x38383838"  # ue4m3

# Source of shapes, registers and targets: PTX ISA 9.3, 9.7.15.5.14 (mma) and 9.7.16.5.2 (wgmma.mma_async).
# `keep` and `put` leave sign and mantissa, and set the exponent to that of one.
_MMA = "mma.sync.aligned.{}.row.col."
_WGMMA = "wgmma.mma_async.sync.aligned.m64n256{}."
_F16, _BF16, _TF32 = (0x83FF83FF, 0x3C003C00), (0x807F807F, 0x3F803F80), (0x807FE000, 0x3F800000)
_E4M3, _F64, _ANY = (0x87878787, 0x38383838), (0x800FFFFF, 0x3FF00000), (0xFFFFFFFF, 0)
_W8, _W16, _W32 = (64, 256, 8), (64, 256, 16), (64, 256, 32)
_M8, _M16, _M32, _M64 = (16, 8, 8), (16, 8, 16), (16, 8, 32), (16, 8, 64)
_MS, _WG = "mma.sync", "wgmma"
_TWO, _FOUR = "1, 1", "1, 1, 0, 0"  # no negation; and neither matrix transposed
_TABLE = (
    # unit, input, shape, types, (m, n, k), registers of a, b and d, their type, target, operand bits, tail
    (_MS, "f16",   "m16n8k16", "f32.f16.f16.f32",                 _M16,      4, 2, 4,   "f32", "sm_80",   _F16,  ""),
    (_MS, "bf16",  "m16n8k16", "f32.bf16.bf16.f32",               _M16,      4, 2, 4,   "f32", "sm_80",   _BF16, ""),
    (_MS, "tf32",  "m16n8k8",  "f32.tf32.tf32.f32",               _M8,       4, 2, 4,   "f32", "sm_80",   _TF32, ""),
    (_MS, "int8",  "m16n8k32", "s32.s8.s8.s32",                   _M32,      4, 2, 4,   "b32", "sm_80",   _ANY,  ""),
    (_MS, "fp8",   "m16n8k32", "f32.e4m3.e4m3.f32",               _M32,      4, 2, 4,   "f32", "sm_89",   _E4M3, ""),
    (_MS, "f64",   "m8n8k4",   "f64.f64.f64.f64",                 (8, 8, 4), 1, 1, 2,   "f64", "sm_80",   _F64,  ""),
    (_MS, "f64",   "m16n8k16", "f64.f64.f64.f64",                 _M16,      8, 4, 4,   "f64", "sm_90",   _F64,  ""),
    (_MS, "mxfp8", "m16n8k32", f"{_MX8}.f32.e4m3.e4m3.f32.ue8m0", _M32,      4, 2, 4,   "f32", "sm_120f", _E4M3, _ONE8),
    (_MS, "nvfp4", "m16n8k64", f"{_NV4}.f32.e2m1.e2m1.f32.ue4m3", _M64,      4, 2, 4,   "f32", "sm_120f", _ANY,  _ONE4),
    (_WG, "f16",   "k16",      "f32.f16.f16",                     _W16,      0, 0, 128, "f32", "sm_90a",  _F16,  _FOUR),
    (_WG, "bf16",  "k16",      "f32.bf16.bf16",                   _W16,      0, 0, 128, "f32", "sm_90a",  _BF16, _FOUR),
    (_WG, "tf32",  "k8",       "f32.tf32.tf32",                   _W8,       0, 0, 128, "f32", "sm_90a",  _TF32, _TWO),
    (_WG, "fp8",   "k32",      "f32.e4m3.e4m3",                   _W32,      0, 0, 128, "f32", "sm_90a",  _E4M3, _TWO),
    (_WG, "int8",  "k32",      "s32.s8.s8",                       _W32,      0, 0, 128, "b32", "sm_90a",  _ANY,  ""),
)  # fmt: skip
_BEGINNINGS = {"mma.sync": _MMA, "wgmma": _WGMMA}

RATES = tuple(
    Rate(unit, kind, _BEGINNINGS[unit].format(shape) + types, size, a, b, d, word, target, *bits, tail)
    for unit, kind, shape, types, size, a, b, d, word, target, bits, tail in _TABLE
)


def text(rate: Rate) -> str:
    """Return the kernel `rate(data, out, loops)`: `data` is random words, `out` one word that takes the checksum."""
    return _wgmma(rate) if rate.unit == "wgmma" else _mma(rate)


def block(rate: Rate) -> int:
    """Return the threads of a block."""
    return 128 if rate.unit == "wgmma" else 32 * WARPS


def shared(rate: Rate) -> int:
    """Return the dynamic shared memory of a block in bytes."""
    return WGMMA_SHARED if rate.unit == "wgmma" else 0


def issued(rate: Rate) -> int:
    """Return how many of the instruction a block issues in one turn of its loop."""
    return STEPS if rate.unit == "wgmma" else WARPS * CHAINS


# Each thread takes its words from its place in 64 KiB of random data. The checksum is by exclusive or, which knows no
# order.
_PLACE = """
mov.u32 %t, %tid.x;
mov.u32 %c, %ctaid.x;
mad.lo.u32 %t, %c, 97, %t;
and.b32 %t, %t, 1023;
mul.wide.u32 %p, %t, 16;
add.u64 %p, %data, %p;
cvt.u32.u64 %n, %loops;"""
_LOOP_END = """
sub.u32 %n, %n, 1;
setp.ne.u32 %q, %n, 0;
@%q bra LOOP;"""
_COMMON = ".reg .b32 %t, %c, %n, %x, %y; .reg .b64 %p; .reg .pred %q;"


def _mma(rate: Rate) -> str:
    wide = rate.word == "f64"
    kind = "b64" if wide else "b32"
    names = [f"%a{i}" for i in range(rate.a)] + [f"%b{i}" for i in range(rate.b)]
    loads = [line for i, name in enumerate(names) for line in _bounded(rate, name, i, wide=wide)]
    accumulators = [f"%d{c}_{i}" for c in range(CHAINS) for i in range(rate.d)]
    # Each chain begins with another value, or an assembler may see that all do the same and keep one.
    sets = [f"mov.{rate.word} %d{c}_{i}, {_first(rate.word, c)};" for c in range(CHAINS) for i in range(rate.d)]
    scale = f", %s, {{0, 0}}, %s, {{0, 0}}" if rate.tail else ""  # noqa: F541
    turns = [_mma_line(rate, chain, scale) for chain in range(CHAINS)]
    body = [_PLACE, *loads, *([f"mov.b32 %s, {rate.tail};"] if rate.tail else []), *sets, "LOOP:", *turns, _LOOP_END]
    registers = " ".join(
        [
            _COMMON,
            ".reg .b32 %s;",
            *(f".reg .{kind} {name};" for name in names),
            *(f".reg .{rate.word} {name};" for name in accumulators),
        ]
    )
    return entry("rate", ("data", "out", "loops"), registers, "\n".join([*body, *_checksum(accumulators, rate.word)]))


def _first(word: str, number: int) -> str:
    """Return a small number as a constant of a register type."""
    if word == "b32":
        return str(number)
    packed = struct.pack(">d" if word == "f64" else ">f", number)
    return f"0{word[0] if word == 'f32' else 'd'}{packed.hex()}"


def _mma_line(rate: Rate, chain: int, scale: str) -> str:
    def vector(letter: str, count: int) -> str:
        listed = ", ".join(f"%{letter}{i}" for i in range(count))
        return f"{{{listed}}}"

    d = vector(f"d{chain}_", rate.d)
    return f"{rate.opcode} {d}, {vector('a', rate.a)}, {vector('b', rate.b)}, {d}{scale};"


def _bounded(rate: Rate, name: str, index: int, *, wide: bool) -> list[str]:
    """Return what loads one operand register with random bits of a bounded range."""
    lines = [
        f"ld.global.u32 %x, [%p+{4 * index}];",
        f"and.b32 %x, %x, {rate.keep:#x};",
        f"or.b32 %x, %x, {rate.put:#x};",
    ]
    return [*lines, f"mov.b64 {name}, {{%x, %x}};"] if wide else [*lines, f"mov.b32 {name}, %x;"]


def _wgmma(rate: Rate) -> str:
    accumulators = [f"%d{i}" for i in range(rate.d)]
    zero = "0f00000000" if rate.word == "f32" else "0"
    tail = f", {rate.tail}" if rate.tail else ""
    vector = "{" + ", ".join(accumulators) + "}"
    turns = [f"{rate.opcode} {vector}, %da{s}, %db{s}, %one{tail};" for s in range(STEPS)]
    body = [
        _PLACE,
        _fill(rate),
        *(f"mov.{rate.word} {name}, {zero};" for name in accumulators),
        "setp.eq.u32 %one, 0, 0;",
        *_descriptors(),
        "LOOP:",
        "wgmma.fence.sync.aligned;",
        *turns,
        "wgmma.commit_group.sync.aligned;",
        "wgmma.wait_group.sync.aligned 0;",
        _LOOP_END,
    ]
    registers = (
        f"{_COMMON} .reg .pred %one; .reg .b32 %base, %i; .reg .b64 %w, %da<{STEPS}>, %db<{STEPS}>; "
        + " ".join(f".reg .{rate.word} {name};" for name in accumulators)
    )
    lines = "\n".join([*body, *_checksum(accumulators, rate.word)])
    return entry("rate", ("data", "out", "loops"), registers, lines, before=".extern .shared .align 1024 .b8 room[];\n")


def _fill(rate: Rate) -> str:
    """Return what fills both tiles in shared memory with the random data, and makes it seen by the tensor cores."""
    return f"""
mov.u32 %base, room;
mov.u32 %i, %tid.x;
FILL:
shl.b32 %y, %i, 2;
mul.wide.u32 %w, %i, 4;
and.b64 %w, %w, 65532;
add.u64 %w, %data, %w;
ld.global.u32 %x, [%w];
and.b32 %x, %x, {rate.keep:#x};
or.b32 %x, %x, {rate.put:#x};
add.u32 %y, %base, %y;
st.shared.u32 [%y], %x;
add.u32 %i, %i, 128;
setp.lt.u32 %q, %i, {(64 + 256) * 32};
@%q bra FILL;
fence.proxy.async.shared::cta;
bar.sync 0;"""


def _descriptors() -> list[str]:
    """Return what makes the matrix descriptors: each step is 32 bytes further along the rows of 128 bytes."""
    lines = []
    for letter, start in (("a", 0), ("b", 64 * 128)):
        for step in range(STEPS):
            lines += [
                f"add.u32 %x, %base, {start + 32 * step};",
                "and.b32 %x, %x, 0x3ffff;",
                "shr.u32 %x, %x, 4;",
                "cvt.u64.u32 %w, %x;",
                f"or.b64 %d{letter}{step}, %w, {_ROW_SWIZZLE:#x};",
            ]
    return lines


def _checksum(accumulators: list[str], word: str) -> list[str]:
    lines = ["mov.u32 %y, 0;"]
    for name in accumulators:
        if word == "f64":
            lines += [f"mov.b64 {{%x, %t}}, {name};", "xor.b32 %y, %y, %t;", "xor.b32 %y, %y, %x;"]
        else:
            lines += [f"mov.b32 %x, {name};", "xor.b32 %y, %y, %x;"]
    # Lanes and blocks with equal data would cancel, so each turns its word by its place.
    return [
        *lines,
        "mov.u32 %t, %tid.x;",
        "mov.u32 %c, %ctaid.x;",
        "mad.lo.u32 %t, %c, 131, %t;",
        "mul.lo.u32 %y, %y, 2654435761;",
        "mad.lo.u32 %y, %t, 2246822519, %y;",
        "xor.b32 %y, %y, %t;",
        "red.global.xor.b32 [%out], %y;",
    ]
