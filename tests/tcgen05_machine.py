"""A small machine that runs the tcgen05 kernels' own PTX text in numpy, so that they are tried without the hardware.

It knows the instructions that these kernels use, executes threads in step, and reads descriptors, tiles and tensor
memory by the manual's formulas, written anew here: nothing of suite/tcgen05.py is used. It models no timing and no
missing fence: what it shows is that addresses, layouts, loops, predicates and barriers fit together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.tcgen05_unit import ABOVE, MachineError, Multiply, cells

WORD = np.uint64(0xFFFFFFFF)
CTA = 128
Held = dict[tuple[int, int, int], tuple[int, int]]
COMPARE: dict[str, Callable[..., np.ndarray]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "ge": np.greater_equal,
}  # fmt: skip
LINE = re.compile(r"(?:@(!?)(%\w+)\s+)?([\w.:]+)\s*(.*?);")


@dataclass
class Machine:
    """One CTA, or one pair, with `arena` as global memory and parameters at the given addresses in it."""

    text: str
    arena: np.ndarray
    parameters: dict[str, int]
    first: int
    group: int = 1
    shared: np.ndarray = field(init=False)
    tensor: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.threads = CTA * self.group
        self.cta = np.arange(self.threads) // CTA
        self.shared = np.full((self.group, 1 << 18), 0xCC, dtype=np.uint8)
        self.tensor = np.full((self.group, CTA, 512), 0xBADCE11, dtype=np.uint64)
        self.registers: dict[str, np.ndarray] = {}
        self.symbols: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self.program: list[tuple[str, str, str, str]] = []
        self.phase: dict[tuple[int, int], int] = {}
        self.columns: int = 0
        self.exclusive = False
        self.relinquished = False
        self.issued = 0
        self._parse()

    def _parse(self) -> None:
        at = 0x400
        for line in self.text.splitlines():
            text = line.strip()
            if found := re.match(r"\.shared \.align (\d+) \.b(\d+) (\w+)(?:\[(\d+)\])?;", text):
                align, size = int(found[1]), int(found[2]) // 8 * int(found[4] or 1)
                at = -(-at // align) * align
                self.symbols[found[3]], at = at, at + size
            elif found := re.match(r"(\w+):$", text):
                self.labels[found[1]] = len(self.program)
            elif (found := LINE.match(text)) and not text.startswith("."):
                self.program.append((found[1] or "", found[2] or "", found[3], found[4]))

    def run(self) -> None:
        """Run until every thread has returned."""
        pc = np.zeros(self.threads, dtype=int)
        waiting = np.zeros(self.threads, dtype=bool)
        for _ in range(200_000):
            alive = pc < len(self.program)
            if not alive.any():
                if self.columns:
                    raise MachineError("tensor memory was not freed")
                return
            ready = alive & ~waiting
            if not ready.any():
                waiting, pc = self._release(waiting, pc)
                continue
            here = int(pc[ready].min())
            active = ready & (pc == here)
            pc, waiting = self._step(here, active, pc, waiting)
        raise MachineError("the kernel does not end")

    def _release(self, waiting: np.ndarray, pc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for cta in range(self.group):
            mine = self.cta == cta
            if len(set(pc[mine])) != 1 or not waiting[mine].all():
                raise MachineError("a barrier that not all threads reach")
        return np.zeros_like(waiting), pc + 1

    def _step(
        self, here: int, active: np.ndarray, pc: np.ndarray, waiting: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        negated, predicate, opcode, text = self.program[here]
        active_here = active & (self.get(predicate) ^ bool(negated)) if predicate else active
        pc = np.where(active, here + 1, pc)
        if opcode == "bra":
            return np.where(active_here, self.labels[text], pc), waiting
        if opcode == "ret":
            return np.where(active_here, len(self.program), pc), waiting
        if opcode in ("bar.sync", "barrier.cluster.wait.acquire.aligned"):
            return np.where(active, here, pc), waiting | active_here
        if active_here.any():
            self._execute(opcode, _operands(text), active_here)
        return pc, waiting

    def get(self, name: str) -> np.ndarray:
        """Return an operand's value in every thread."""
        if name == "%tid.x":
            return np.arange(self.threads, dtype=np.uint64) % np.uint64(CTA)
        if name == "%ctaid.x":
            return self.cta.astype(np.uint64) + np.uint64(self.first)
        if name in self.symbols:
            return np.full(self.threads, self.symbols[name], dtype=np.uint64)
        if re.match(r"-?(0x)?[0-9A-Fa-f]+$", name) and name[0] in "-0123456789":
            return np.full(self.threads, int(name, 0) & (1 << 64) - 1, dtype=np.uint64)
        if name not in self.registers:
            raise MachineError(f"{name} is read before it is written")
        return self.registers[name]

    def put(self, name: str, value: np.ndarray, active: np.ndarray) -> None:
        """Write a register in the active threads; others keep what they had, poison at first."""
        old = self.registers.get(name)
        if old is None:
            old = np.zeros(self.threads, dtype=value.dtype)
        self.registers[name] = np.where(active, value, old)

    def _address(self, text: str) -> np.ndarray:
        base, _, offset = text.strip("[]").partition("+")
        return self.get(base) + np.uint64(int(offset or 0))

    def _execute(self, opcode: str, args: list[str], active: np.ndarray) -> None:
        parts = opcode.split(".")
        name = "_op_" + parts[0]
        if parts[0] == "tcgen05":
            name += "_" + parts[1].replace("::", "_")
        if opcode.startswith(("fence.", "barrier.cluster.arrive", "bar.warp.sync", "tcgen05.fence")):
            return
        getattr(self, name)(parts, args, active)

    # --- plain instructions

    def _op_mov(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], self.get(args[1]), active)

    _op_cvta = _op_mov

    def _op_cvt(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(
            args[0], self.get(args[1]) & np.uint64((1 << int(parts[1][1:])) - 1 & (1 << int(parts[2][1:])) - 1), active
        )

    def _op_shr(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], self.get(args[1]) >> self.get(args[2]), active)

    def _op_shl(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], self.get(args[1]) << self.get(args[2]) & WORD, active)

    def _op_and(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], self.get(args[1]) & self.get(args[2]), active)

    def _op_not(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], ~self.get(args[1]), active)

    def _op_add(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        total = self.get(args[1]) + self.get(args[2])
        self.put(args[0], total & WORD if parts[1] == "u32" else total, active)

    def _op_mul(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], self.get(args[1]) * self.get(args[2]), active)

    def _op_mad(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        total = self.get(args[1]) * self.get(args[2]) + self.get(args[3])
        self.put(args[0], total & WORD if parts[1] == "lo" else total, active)

    def _op_setp(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], COMPARE[parts[1]](self.get(args[1]), self.get(args[2])), active)

    def _op_selp(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], np.where(self.get(args[3]), self.get(args[1]), self.get(args[2])), active)

    def _memory(self, space: str, args: str, size: int, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        address = self._address(args)[active]
        top = len(self.arena) if space == "global" else max(self.symbols.values()) + 8
        if (address + np.uint64(size) > top).any() or (address % np.uint64(size)).any():
            raise MachineError(f"{space} access outside or unaligned: {args}")
        return self.cta[active][:, None], address[:, None].astype(int) + np.arange(size)

    def _op_ld(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        if parts[1] == "param":
            self.put(args[0], np.full(self.threads, self.parameters[args[1].strip("[]")], dtype=np.uint64), active)
            return
        size = int(parts[2][1:]) // 8
        cta, at = self._memory(parts[1], args[1], size, active)
        raw = self.arena[at] if parts[1] == "global" else self.shared[cta, at]
        value = np.zeros(self.threads, dtype=np.uint64)
        value[active] = np.ascontiguousarray(raw).view(f"<u{size}").reshape(-1)
        self.put(args[0], value, active)

    def _op_st(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        size = int(parts[2][1:]) // 8
        cta, at = self._memory(parts[1], args[0], size, active)
        raw = self.get(args[1])[active].astype(f"<u{size}").reshape(-1, 1).view(np.uint8)
        if parts[1] == "global":
            self.arena[at] = raw
        else:
            self.shared[cta, at] = raw

    def _op_mbarrier(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        address = int(self._address(args[0] if parts[1] == "init" else args[1])[active][0])
        for cta in set(self.cta[active].tolist()):
            if parts[1] == "init":
                self.phase[cta, address] = 0
            elif not self.phase[cta, address]:
                raise MachineError("a barrier that nobody completes")
        if parts[1] == "try_wait":
            self.put(args[0], np.ones(self.threads, dtype=bool), active)

    def _op_elect(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self._warps(active)
        lowest = np.arange(self.threads) % 32 == 0
        self.put(args[0].partition("|")[2], lowest, active)

    # --- tensor memory

    def _warps(self, active: np.ndarray) -> list[int]:
        """Return the warps that take part, each of which must be whole."""
        warps = active.reshape(-1, 32)
        if not (warps.all(1) == warps.any(1)).all():
            raise MachineError("an aligned instruction without its whole warp")
        return np.flatnonzero(warps.any(1)).tolist()

    def _single(self, active: np.ndarray) -> int:
        if active.sum() != 1:
            raise MachineError(f"issued by {active.sum()} threads")
        return int(np.flatnonzero(active)[0])

    def _op_tcgen05_alloc(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        wanted = int(args[1])
        if len(self._warps(active)) != self.group or self.columns or self.relinquished:
            raise MachineError("not one warp a CTA, or columns that were not freed, or no permit")
        self.columns, self.exclusive = wanted, "exclusive" in parts
        if wanted % 32 or (wanted & (wanted - 1) and not self.exclusive):
            raise MachineError(f"{wanted} columns")
        address = self.symbols[args[0].strip("[]")]
        self.shared[:, address : address + 4] = np.array([512 - wanted], dtype="<u4").view(np.uint8)

    def _op_tcgen05_dealloc(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        if len(self._warps(active)) != self.group or self.columns != int(args[1]):
            raise MachineError("not one warp a CTA, or another number of columns than allocated")
        if self.exclusive != ("exclusive" in parts):
            raise MachineError("an allocation that is exclusive freed as one that is not, or the other way round")
        if (self.get(args[0])[active] != np.uint64(512 - self.columns)).any():
            raise MachineError("an address that alloc did not return")
        self.columns = 0

    def _op_tcgen05_relinquish_alloc_permit(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.relinquished = len(self._warps(active)) == self.group

    def _op_tcgen05_wait_ld(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self._warps(active)

    _op_tcgen05_wait_st = _op_tcgen05_wait_ld

    def _op_tcgen05_ld(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self._transfer(parts, args, active, load=True)

    def _op_tcgen05_st(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self._transfer(parts, args, active, load=False)

    def _transfer(self, parts: list[str], args: list[str], active: np.ndarray, *, load: bool) -> None:
        shape, num, half = parts[4], int(parts[5][1:]), parts[6] in ("pack::16b", "unpack::16b")
        vector = next(arg for arg in args if arg.startswith("{")).strip("{}").split(", ")
        split = int(args[-1] if load else args[1]) if shape == "16x32bx2" else 0
        address = self._address(args[1] if load else args[0])
        for warp in self._warps(active):
            base = set(address[32 * warp : 32 * warp + 32].tolist())
            if len(base) != 1:
                raise MachineError("an address that differs within the warp")
            lane0, column0 = divmod(base.pop(), 1 << 16)
            if lane0 // 32 != warp % 4 or lane0 % 16 or (shape == "32x32b" and lane0 % 32):
                raise MachineError(f"warp {warp} cannot reach lane {lane0}")
            held = cells(shape, num, split, 2 if half else 1)
            if len({r for r, _, _ in held}) != len(vector):
                raise MachineError(f"{len(vector)} registers for {shape}.x{num}")
            self._move(warp, held, vector, lane0, column0, load=load)

    def _move(self, warp: int, held: Held, vector: list[str], lane0: int, column0: int, *, load: bool) -> None:
        keys, places = np.array(list(held)), np.array(list(held.values())) + np.array([lane0, column0])
        if places[:, 1].max() >= 512 or column0 < 512 - self.columns:
            raise MachineError("columns that were not allocated")
        tensor = self.tensor[warp // 4]
        shift = (16 * keys[:, 2]).astype(np.uint64)
        width = np.uint64(0xFFFF if keys[:, 2].any() else 0xFFFFFFFF)
        file = np.stack([self.registers.get(r, np.zeros(self.threads, np.uint64)) for r in vector])
        if load:
            file[:, 32 * warp : 32 * warp + 32] = 0
            values = (tensor[places[:, 0], places[:, 1]] & width) << shift
            np.bitwise_or.at(file, (keys[:, 0], keys[:, 1] + 32 * warp), values)
            self.registers.update(zip(vector, file, strict=True))
        else:
            tensor[places[:, 0], places[:, 1]] = (
                file[keys[:, 0], keys[:, 1] + 32 * warp] >> shift & width | ABOVE[16 if keys[:, 2].any() else 32]
            )

    def _op_tcgen05_commit(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        self.phase[thread // CTA, int(self._address(args[0])[thread])] += 1

    def _op_tcgen05_mma(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        kind = parts[3].removeprefix("kind::")
        value = {arg: int(self.get(arg.strip("[]"))[thread]) for arg in args}
        unit = Multiply.decode(kind, value[args[3]], self.group)
        a = np.concatenate(
            [unit.multiplicand(self.tensor[c], self.shared[c], args[1], value[args[1]], "a") for c in range(self.group)]
        )
        b = np.concatenate(
            [unit.multiplicand(self.tensor[c], self.shared[c], args[2], value[args[2]], "b") for c in range(self.group)]
        )
        unit.accumulate(self.tensor, value[args[0]], a @ b.T, take=bool(value[args[4]]))
        self.issued += 1


def lay_out(images: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """Return an arena that holds the images, 1024 bytes and more apart, and the parameters' addresses in it."""
    arena, places = np.full(1024, 0xEE, dtype=np.uint8), {}
    for name, image in images.items():
        places[f"param_{name}"] = len(arena)
        arena = np.concatenate([arena, image, np.full(1024 + -len(image) % 1024, 0xEE, dtype=np.uint8)])
    return arena, places


def _operands(text: str) -> list[str]:
    return re.findall(r"\{[^}]*\}|[^,\s][^,]*", text)
