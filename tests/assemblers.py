"""Kernels by hand, the ptxas of this environment, and fakes of it that misbehave."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from suite.model import Kernel
from suite.toolchains import Inventory, Toolchain, discover, resolve

_MULTICAST = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"

# Bodies of kernels, and the class of the error that each is refused for on sm_121a; None where it is accepted.
BODIES = {
    "good":        ("mov.b32 r0, 1;", None),
    "advised":     ("st.shared.b32 [r0], r1; setmaxnreg.inc.sync.aligned.u32 40;", None),
    "warned":      (f"{_MULTICAST} [r0], [rd0], 16, [r1], h0;", None),
    "unsupported": ("tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [r0], 32;", "unsupported_instruction"),
    "unknown":     ("mov.b32 r1, 2; foo.bar r0, r1; add.zzz r0, r1, r1;", "unknown_to_assembler"),
    "mismatch":    ("add.u32 r0, r1;", "malformed"),
    "late":        ("bra NOWHERE;", "malformed"),
    "syntax":      ("st.shared.b32 [[r0], r1;", "malformed"),
    "greedy":      (".shared .b8 room[600000]; mov.b32 r0, room; st.shared.b32 [r0], r1;", "resource"),
}  # fmt: skip


def kernel(name: str, body: str) -> Kernel:
    """Return a kernel that declares a few registers, and then has the statements of `body` on a line each."""
    registers = ".reg .b16 h<2>; .reg .b32 r<4>; .reg .b64 rd<2>;"
    lines = "".join(f"    {statement.strip()};\n" for statement in body.split(";") if statement.strip())
    return Kernel(name, f".visible .entry {name}(.param .u64 p)\n{{\n    {registers}\n{lines}    ret;\n}}\n")


def kernels(*kinds: str) -> list[Kernel]:
    """Return one kernel of each kind of BODIES, named after kind and place."""
    return [kernel(f"{kind}_{place}", BODIES[kind][0]) for place, kind in enumerate(kinds)]


@cache
def inventory() -> Inventory:
    """Return the assemblers of this environment."""
    return discover()


def real(name: str = "ptxas") -> Toolchain:
    """Return an assembler of this environment."""
    return resolve([name], inventory())[0]


def script(path: Path, text: str, *, mode: int = 0o755) -> Path:
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def on_comment(path: Path, comment: str, action: str) -> Toolchain:
    """Return a ptxas that does `action` for a module with the comment in it, and otherwise all that ptxas does."""
    genuine = real()
    script(path, f'if grep -q "{comment}" "$1"; then {action}; fi\nexec {genuine.path} "$@"')
    return replace(genuine, path=str(path))
