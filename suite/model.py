"""The frozen values that pass between the stages, and the closed lists of result words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Observation words in order of progress. Source: docs/terms.md.
WORDS = ("unaskable", "rejected", "assembled", "unloadable", "faulted", "hung", "flaky", "wrong", "correct")
REALIZATIONS = ("native", "emulated", "call", "elided")
AGREEMENTS = ("agrees", "disagrees", "waived")

# Classes of assembler diagnostics, most telling first. Source: docs/terms.md.
DIAGNOSTIC_CLASSES = (
    "unknown_target",
    "family_mismatch",
    "unsupported_instruction",
    "unsupported_feature",
    "needs_newer_ptx",
    "unknown_to_assembler",
    "malformed",
    "resource",
    "crash",
    "timeout",
    "advisory",
    "other",
)


@dataclass(frozen=True)
class Kernel:
    """One rendered `.entry`: its text without header, and the lines (0-based) on which the instruction stands.

    `name` is the entry's name and holds the hash of the text, so that equal kernels have equal names.
    """

    name: str
    text: str = field(repr=False)
    marked: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """Stage 2's value: the kernel with the instruction, the scaffold without it, and the bare control.

    `armed` holds the instruction; `scaffold` is `armed` without exactly the instruction; `control` lacks the family's
    own supporting instructions too, and must assemble everywhere. Where a kernel needs none, the last two are equal.
    """

    case: str
    armed: Kernel
    scaffold: Kernel
    control: Kernel


@dataclass(frozen=True)
class Diagnostic:
    """One message of an assembler: its class, severity (error, fatal, warning, info, or empty), text and line."""

    kind: str
    severity: str
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Stage 3's value: whether one kernel was accepted, what was said of it, and the module that holds its code."""

    accepted: bool
    diagnostics: tuple[Diagnostic, ...] = ()
    cubin: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Sass:
    """Stage 4's value: a kernel's machine code as (opcode, whole line) pairs, and the symbols it calls."""

    instructions: tuple[tuple[str, str], ...]
    calls: tuple[str, ...] = ()

    @property
    def opcodes(self) -> Mapping[str, int]:
        """Return each opcode with its count."""
        return Counter(opcode for opcode, _ in self.instructions)


@dataclass(frozen=True)
class Code:
    """A kernel's machine code in short: a hash of it, registers a thread, and how many instructions it has.

    Kernels of one architecture with one `digest` run the same code. NOPs are not counted. `opcodes`, with counts, and
    the symbols called are there until the realization is read from them.
    """

    digest: str
    registers: int
    instructions: int
    opcodes: Mapping[str, int] = field(default_factory=dict)
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Realization:
    """What the machine code does for the instruction: one word, with the opcodes and counts that it is read from."""

    word: str
    opcodes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TensorMapSpec:
    """What the host must encode for one tensor map: format, geometry and modes; `buffer` is an offset in the arena.

    `mode` is `tile`, `im2col`, `im2col_w` or `im2col_w128`. In all but the first, `box` is (channels per pixel, pixels
    per column), and `lower` and `upper` are the corners of the bounding box, in pixels, W before H before D.
    """

    fmt: str
    buffer: int
    dims: tuple[int, ...]
    strides: tuple[int, ...]
    box: tuple[int, ...]
    element_strides: tuple[int, ...]
    swizzle: str
    interleave: str
    fill: str
    mode: str = "tile"
    lower: tuple[int, ...] = ()
    upper: tuple[int, ...] = ()


@dataclass(frozen=True)
class Job:
    """One launch as the GPU child gets it: code, geometry, the arena's image, and where outputs lie in it.

    `arguments` are ("pointer", offset in the arena) or ("tensormap", TensorMapSpec). `image` is the arena's content
    with red zones filled; `outputs` are (offset, size) in bytes, each filled with the poison before each of two runs.
    `expected` is the SHA-256 of the arena if all is right, empty where nobody knows.
    """

    case: str
    module: str
    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    cluster: tuple[int, int, int]
    shared: int
    arguments: tuple[tuple[str, Any], ...]
    image: bytes = field(repr=False)
    outputs: tuple[tuple[int, int], ...]
    expected: bytes = b""


@dataclass(frozen=True)
class GpuResult:
    """Stage 5 and 6's value: how far the launch came, and the arena after each of the two poisoned runs.

    Where both arenas are the expected one, `matched` says so and they stay behind. Where the runs differ, a third arena
    is that of the first run once more.

    `stage` is where it ended: `load`, `encode` (of a tensor map), `launch` or `done`; `outcome` is `ok`, `unloadable`,
    `faulted` or `hung`; `code` is the driver's name for the error, such as `CUDA_ERROR_ILLEGAL_ADDRESS`.
    """

    case: str
    outcome: str
    stage: str
    code: str = ""
    detail: str = ""
    arenas: tuple[bytes, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    matched: bool = False


@dataclass(frozen=True)
class NotAsked:
    """A stage that a cell did not reach, and why: `("load", "no sm_121 device")`."""

    stage: str
    reason: str


@dataclass(frozen=True)
class Observation:
    """One cell: how far a case got on a target with a toolchain, with its evidence.

    `observed` is empty where memory shows the instruction's effect, else what shows it: then `correct` says that the
    kernel around it ran rightly, and validates nothing.
    """

    case: str
    family: str
    opcode: str
    target: str
    toolchain: str
    ptx: str
    word: str
    agreement: str
    kernel: str
    realization: str | None = None
    opcodes: dict[str, int] = field(default_factory=dict)
    code: str = ""
    registers: int = 0
    instructions: int = 0
    observed: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    not_asked: NotAsked | None = None
    gpu: dict[str, Any] = field(default_factory=dict)
    waiver: str = ""
