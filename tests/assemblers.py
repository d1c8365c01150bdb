"""Kernels by hand, the ptxas of this environment, and fakes of it that misbehave."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from suite.model import Kernel
from suite.toolchains import Inventory, Toolchain, discover, resolve

# Bodies of kernels, and the class of the error that each is refused for on sm_121a; None where it is accepted.
BODIES = {
    "good":        ("    mov.b32 r0, 1;\n", None),
    "advised":     ("    st.shared.b32 [r0], r1;\n    setmaxnreg.inc.sync.aligned.u32 40;\n", None),
    "warned":      (
        "    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"
        " [r0], [rd0], 16, [r1], h0;\n", None,
    ),
    "unsupported": ("    tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [r0], 32;\n", "unsupported_instruction"),
    "unknown":     ("    mov.b32 r1, 2;\n    foo.bar r0, r1;\n    add.zzz r0, r1, r1;\n", "unknown_to_assembler"),
    "mismatch":    ("    add.u32 r0, r1;\n", "malformed"),
    "late":        ("    bra NOWHERE;\n", "malformed"),
    "syntax":      ("    st.shared.b32 [[r0], r1;\n", "malformed"),
    "greedy":      (
        "    .shared .b8 room[600000];\n    mov.b32 r0, room;\n    st.shared.b32 [r0], r1;\n", "resource",
    ),
}  # fmt: skip


def kernel(name: str, body: str) -> Kernel:
    """Return a kernel that declares a few registers, and then does what `body` says."""
    registers = ".reg .b16 h<2>; .reg .b32 r<4>; .reg .b64 rd<2>;"
    return Kernel(name, f".visible .entry {name}(.param .u64 p)\n{{\n    {registers}\n{body}    ret;\n}}\n")


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


PYTHON = sys.executable
