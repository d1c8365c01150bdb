"""The small kernels of the sanity check as PTX text, compiled by the driver itself, so that no assembler is needed."""

from __future__ import annotations

from collections.abc import Sequence

MARK_FACTOR, MARK_TERM = 2654435761, 12345  # what `mark` writes: lane * factor + term, modulo 2^32
TOUCHED = 0x5A
LIVE = 200  # values that `live` holds at once


def entry(name: str, parameters: Sequence[str], registers: str, body: str, *, before: str = "") -> str:
    """Return a kernel whose parameters are 64 bits wide, each in the register of its name."""
    declared = ", ".join(f".param .u64 param_{name}" for name in parameters)
    loads = "\n".join(f"    ld.param.u64 %{name}, [param_{name}];" for name in parameters)
    own = " ".join(f".reg .b64 %{name};" for name in parameters)
    lines = "\n".join(f"    {line}" if not line.endswith(":") else line for line in body.strip().splitlines())
    return f"{before}.visible .entry {name}({declared})\n{{\n    {own} {registers}\n{loads}\n{lines}\n    ret;\n}}\n"


def empty() -> str:
    """Return a kernel that does nothing."""
    return ".visible .entry empty()\n{\n    ret;\n}\n"


def mark() -> str:
    """Return a kernel `mark(out)`: thread i writes i * factor + term to word i."""
    body = f"""
mov.u32 %lane, %tid.x;
mul.wide.u32 %place, %lane, 4;
add.u64 %place, %out, %place;
mad.lo.u32 %value, %lane, {MARK_FACTOR}, {MARK_TERM};
st.global.u32 [%place], %value;"""
    return entry("mark", ("out",), ".reg .b32 %lane, %value; .reg .b64 %place;", body)


def touch() -> str:
    """Return a kernel `touch(out, bytes)`: it writes and reads the last byte of so much dynamic shared memory."""
    body = f"""
cvt.u32.u64 %size, %bytes;
mov.u32 %base, room;
add.u32 %base, %base, %size;
mov.u32 %value, {TOUCHED};
st.shared.u8 [%base+-1], %value;
bar.sync 0;
ld.shared.u8 %value, [%base+-1];
st.global.u32 [%out], %value;"""
    return entry(
        "touch",
        ("out", "bytes"),
        ".reg .b32 %size, %base, %value;",
        body,
        before=".extern .shared .align 16 .b8 room[];\n",
    )


def live() -> str:
    """Return a kernel `live(out)` that holds many values at once, so that its registers are many."""
    loads = "\n".join(f"ld.volatile.global.u32 %v{i}, [%out+{4 * i}];" for i in range(LIVE))
    stores = "\n".join(f"st.volatile.global.u32 [%out+{4 * i}], %v{LIVE - 1 - i};" for i in range(LIVE))
    return entry("live", ("out",), f".reg .b32 %v<{LIVE}>;", f"{loads}\nbar.sync 0;\n{stores}")
