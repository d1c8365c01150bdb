"""Kernels that move memory as fast as it goes: fill with random words, read, write and copy, four 16-byte words a turn.

All walk a buffer in strides of the whole grid, so that neighbouring threads touch neighbouring words.
"""

from __future__ import annotations

from suite.sanity.kernels import entry

UNROLL = 4  # 16-byte words of a thread in one turn
BLOCK = 512

# Source of the constants: odd multipliers of xxHash32, which spread bits; any would do.
_HASH = (
    "mul.lo.u32 {0}, {1}, 2654435761;\nshr.u32 %h, {0}, 15;\nxor.b32 {0}, {0}, %h;\nmul.lo.u32 {0}, {0}, 2246822519;"
)
_START = """
mov.u32 %t, %ctaid.x;
mov.u32 %u, %ntid.x;
mov.u32 %v, %tid.x;
mad.lo.u32 %t, %t, %u, %v;
mul.wide.u32 %o, %t, 16;
cvt.u32.u64 %n, %turns;
LOOP:"""
_NEXT = """
sub.u32 %n, %n, 1;
setp.ne.u32 %q, %n, 0;
@%q bra LOOP;"""
_REGISTERS = ".reg .b32 %t, %u, %v, %n, %h, %x, %s; .reg .b64 %o, %p; .reg .pred %q; .reg .b32 %w<16>;"
_VECTOR = "{{%w{0}, %w{1}, %w{2}, %w{3}}}"


def fill() -> str:
    """Return `fill(to, turns, stride)`: every word is a hash of its place."""
    body = [_START]
    for i in range(UNROLL):
        body += [
            "cvt.u32.u64 %s, %o;",
            *(f"add.u32 %x, %s, {4 * j + 1};\n{_HASH.format(f'%w{4 * i + j}', '%x')}" for j in range(4)),
            *_store("to", i),
            "add.u64 %o, %o, %stride;",
        ]
    return entry("fill", ("to", "turns", "stride"), _REGISTERS, "\n".join([*body, _NEXT]))


def read() -> str:
    """Return `read(from, out, turns, stride)`: all words go into one checksum by exclusive or."""
    body = ["mov.u32 %s, 0;", _START]
    for i in range(UNROLL):
        body += [*_load("from", i), "add.u64 %o, %o, %stride;"]
    body += [f"xor.b32 %s, %s, %w{i};" for i in range(16)]
    return entry(
        "read",
        ("from", "out", "turns", "stride"),
        _REGISTERS,
        "\n".join([*body, _NEXT, "red.global.xor.b32 [%out], %s;"]),
    )


def write() -> str:
    """Return `write(to, turns, stride)`: words that change from thread to thread and turn to turn."""
    body = [_START, "mad.lo.u32 %x, %t, 747796405, %n;", _HASH.format("%w0", "%x")]
    body += [f"mad.lo.u32 %w{i}, %w{i - 1}, 1664525, 1013904223;" for i in range(1, 16)]
    for i in range(UNROLL):
        body += [*_store("to", i), "add.u64 %o, %o, %stride;"]
    return entry("write", ("to", "turns", "stride"), _REGISTERS, "\n".join([*body, _NEXT]))


def copy() -> str:
    """Return `copy(from, to, turns, stride)`."""
    body = [_START, "mov.u64 %back, %o;"]
    for i in range(UNROLL):
        body += [*_load("from", i), "add.u64 %o, %o, %stride;"]
    body += ["mov.u64 %o, %back;"]
    for i in range(UNROLL):
        body += [*_store("to", i), "add.u64 %o, %o, %stride;"]
    return entry("copy", ("from", "to", "turns", "stride"), _REGISTERS + " .reg .b64 %back;", "\n".join([*body, _NEXT]))


def _load(pointer: str, index: int) -> list[str]:
    return [f"add.u64 %p, %{pointer}, %o;", f"ld.global.v4.u32 {_vector(index)}, [%p];"]


def _store(pointer: str, index: int) -> list[str]:
    return [f"add.u64 %p, %{pointer}, %o;", f"st.global.v4.u32 [%p], {_vector(index)};"]


def _vector(index: int) -> str:
    return _VECTOR.format(*range(4 * index, 4 * index + 4))
