"""Kernels planted to fail, each in one way, beside good ones: the PTX, the launch, and what must be said of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.claims import since
from suite.model import Kernel
from suite.operands import Buffer, Operand, TensorMap
from suite.probe import Arrays, Case, Launch, Params, Probe

THREADS = 32
CTAS = 16  # enough for one cluster of the largest size
BYTES = 4 * THREADS * CTAS
_GRID = (CTAS, 1, 1)
_PLAIN = Launch(_GRID)

# Each thread reads %value from its place in `x` and, where the body falls through, writes %value to its place in `d`.
_KERNEL = """.visible .entry {name}(.param .u64 param_x, .param .u64 param_d{more}){directive}
{{
    .reg .b64 %rd_x, %rd_d, %place, %address;
    .reg .b32 %lane, %cta, %value, %other;
    .reg .pred %skip;
    ld.param.u64 %rd_x, [param_x];
    ld.param.u64 %rd_d, [param_d];
    cvta.to.global.u64 %rd_x, %rd_x;
    cvta.to.global.u64 %rd_d, %rd_d;
    mov.u32 %lane, %tid.x;
    mov.u32 %cta, %ctaid.x;
    mad.lo.u32 %lane, %cta, 32, %lane;
    mul.wide.u32 %place, %lane, 4;
    add.u64 %address, %rd_x, %place;
    ld.global.u32 %value, [%address];
    add.u64 %address, %rd_d, %place;
    {body}
    st.global.u32 [%address], %value;
DONE:
    ret;
}}
"""


@dataclass(frozen=True)
class Planted:
    """One planted kernel: its body, how it is launched, and what must come of it.

    `word` is the observation word; `codes` are the driver's names for the error, any of which will do; `evidence` is a
    part of the evidence's text. Right is each input plus one, or `constant`; `stride` gives the kernel a tensor map.
    The code of a `patched` kernel begins with an opcode that no chip has.
    """

    name: str
    body: str
    word: str
    codes: tuple[str, ...] = ()
    evidence: str = ""
    launch: Launch = _PLAIN
    constant: int | None = None
    stride: int = 0
    patched: bool = False
    directive: str = ""

    @property
    def kernel(self) -> Kernel:
        """Return the kernel's text, which any target from sm_90 on takes."""
        more = ", .param .align 64 .b8 param_map[128]" if self.stride else ""
        directive = f"\n{self.directive}" if self.directive else ""
        body = self.body.replace("; ", ";\n    ")
        return Kernel(self.name, _KERNEL.format(name=self.name, body=body, more=more, directive=directive))

    def case(self, number: int) -> Case:
        """Return the case of that number, with inputs of its own."""
        return Case(f"planted.{self.name}:number={number}", "planted", self._probe(number), {"number": number})

    def _probe(self, number: int) -> Probe:
        inputs: Arrays = {"x": np.arange(THREADS * CTAS, dtype=np.uint32) * 3 + 1000 * number}
        return Probe(
            form=self.name,
            opcode="none",
            arguments="",
            rows=({"number": number},),
            claim=lambda params: since("sm_90", ptx="7.8", section="-"),
            template="none",
            native=lambda params: (),
            operands=lambda params: self._operands(),
            inputs=lambda params, rng: inputs,
            oracle=self._oracle,
            launch=lambda params: self.launch,
        )

    def _operands(self) -> tuple[Operand, ...]:
        shape = (THREADS * CTAS,)
        buffers = (Buffer("x", "in", "u32", shape), Buffer("d", "out", "u32", shape))
        if not self.stride:
            return buffers
        return (*buffers, TensorMap("map", "in", "u32", (8, 8), "x", (8, 8), (self.stride,), (8, 8), (1, 1)))

    def _oracle(self, params: Params, arrays: Arrays) -> Arrays:
        whole = arrays["x"] + np.uint32(1)
        return {"d": whole if self.constant is None else np.full_like(whole, self.constant)}


def _clusters(*sizes: int) -> tuple[Planted, ...]:
    """Return good kernels that report the size of the cluster they run in."""
    body = "mov.u32 %value, %cluster_nctaid.x;"
    return tuple(
        Planted(f"cluster{size}", body, "correct", launch=Launch(_GRID, cluster=(size, 1, 1)), constant=size)
        for size in sizes
    )


def _spoil(address: str) -> str:
    """Return the good body with one word inverted by one thread, so that each of its bytes differs."""
    read, write = f"ld.global.u32 %other, [{address}];", f"@!%skip st.global.u32 [{address}], %other;"
    return f"{_ADD} setp.ne.u32 %skip, %lane, {THREADS - 1}; {read} not.b32 %other, %other; {write}"


_ADD = "add.u32 %value, %value, 1;"
_SPIN = "SPIN: ld.volatile.global.u32 %other, [%rd_x]; setp.ne.u32 %skip, %other, 0xdeadbeef; @%skip bra SPIN;"
_LAST = THREADS * CTAS - 1

# Waits for a barrier of which somebody is missing.
_LONELY = """.shared .align 8 .b64 barrier; .reg .pred %complete;
    setp.eq.u32 %skip, %lane, 0; @%skip mbarrier.init.shared.b64 [barrier], 2; bar.sync 0;
WAIT:
    mbarrier.test_wait.parity.shared.b64 %complete, [barrier], 0; @!%complete bra WAIT;"""

GOOD = Planted("good", _ADD, "correct")

# What faults, in the words of the CUDA driver API (CUresult); what only goes wrong, in those of stage 7.
BAD = (
    Planted("trap", f"{_ADD} trap;", "faulted", ("CUDA_ERROR_LAUNCH_FAILED", "CUDA_ERROR_ILLEGAL_INSTRUCTION")),
    Planted("illegal_address", "mov.u64 %address, 16;", "faulted", ("CUDA_ERROR_ILLEGAL_ADDRESS",)),
    Planted("misaligned", "add.u64 %address, %address, 1;", "faulted", ("CUDA_ERROR_MISALIGNED_ADDRESS",)),
    Planted("endless", _SPIN, "hung", ("TIMEOUT",)),
    Planted("lonely_mbarrier", _LONELY, "hung", ("TIMEOUT",)),
    Planted(
        "past_shared",
        "mov.u32 %other, 0x400000; st.shared.u32 [%other], %value;",
        "faulted",
        ("CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED"),
    ),
    Planted("illegal_instruction", _ADD, "faulted", ("CUDA_ERROR_ILLEGAL_INSTRUCTION",), patched=True),
    Planted("changing", "mov.u32 %value, %clock;", "flaky", evidence="unstable"),
    Planted("past_the_end", _spoil(f"%rd_d+{BYTES}"), "wrong", evidence=f"byte {BYTES} of d"),
    Planted("before_the_start", _spoil("%rd_d+-4"), "wrong", evidence="byte -4 of d"),
    Planted("over_its_input", _spoil("%rd_x+8"), "wrong", evidence="byte 8 of x"),
    Planted("wrong_output", "add.u32 %value, %value, 2;", "wrong", evidence="mismatch"),
    Planted(
        "unwritten_output",
        f"{_ADD} setp.eq.u32 %skip, %lane, {_LAST}; @%skip bra DONE;",
        "wrong",
        evidence=f"'unwritten': {{'operand': 'd', 'index': [{_LAST}]",
    ),
    Planted("poisons_itself", "mov.u32 %value, 0xfffafffa;", "wrong", evidence="mismatch"),
    Planted(
        "too_much_shared", _ADD, "faulted", ("CUDA_ERROR_INVALID_VALUE",), "300000", launch=Launch(_GRID, shared=300000)
    ),
    Planted(
        "too_many_threads",
        _ADD,
        "faulted",
        ("CUDA_ERROR_INVALID_VALUE",),
        "refused",
        launch=Launch(_GRID, (2048, 1, 1)),
    ),
    Planted(
        "wrong_cluster",
        _ADD,
        "faulted",
        ("CUDA_ERROR_INVALID_CLUSTER_SIZE", "CUDA_ERROR_INVALID_VALUE"),
        "refused",
        launch=Launch(_GRID, cluster=(3, 1, 1)),
    ),
    Planted("bad_tensor_map", _ADD, "faulted", ("CUDA_ERROR_INVALID_VALUE",), "encode", stride=24),
)

# Good kernels that need what the launch must allow: clusters, past the portable size too, and shared memory.
ALLOWED = (
    *_clusters(2, 4, 8, 16),
    Planted(
        "much_shared",
        "mov.u32 %value, %dynamic_smem_size;",
        "correct",
        launch=Launch(_GRID, shared=200000),
        constant=200000,
    ),
    Planted("good_tensor_map", _ADD, "correct", stride=32),
)
