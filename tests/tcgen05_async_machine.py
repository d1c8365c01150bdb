"""The machine of tests/tcgen05_machine.py with what copies, shifts and commits across a cluster need.

Shared memory addresses of other CTAs carry their rank above bit 24. Placement is written anew from the manual, lane by
lane; what the manual leaves open (direction of the shift, lanes of 4x256b) is a choice of the test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suite import verify
from suite.probe import Case
from suite.render import render
from tests import copy_kernels as kernels
from tests import tcgen05_unit as unit
from tests.tcgen05_machine import CTA, Machine, lay_out
from tests.tcgen05_unit import MachineError

WINDOW = 24  # bits of an address within one CTA's shared memory
ELEMENT = {"b6x16_p32": (6, 0), "b4x16_p64": (4, 2)}  # bits, and the place of the lowest in its byte


@dataclass
class Barrier:
    """An mbarrier object: arrivals that complete a phase, those still to come, and phases completed."""

    expected: int
    pending: int
    completed: int = 0

    def arrive(self) -> int:
        """Count an arrival; return what was pending before."""
        before, self.pending = self.pending, self.pending - 1
        if not self.pending:
            self.pending, self.completed = self.expected, self.completed + 1
        return before


@dataclass
class AsyncMachine(Machine):
    """A whole cluster of `group` CTAs.

    `down` is the way of a shift, `rows_at` the lanes of 4x256b's rows; with `whole_lane` ld.red goes over both parts
    of a lane.
    """

    down: int = 1
    rows_at: tuple[int, ...] = (31, 63, 95, 127)
    whole_lane: bool = False
    barriers: dict[tuple[int, int], Barrier] = field(default_factory=dict)

    # --- plain instructions

    def _op_bfind(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        self.put(args[0], np.array([int(v).bit_length() - 1 for v in self.get(args[1])], dtype=np.uint64), active)

    def _op_red(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        cta, at = self._memory("shared", args[0], 4, active)
        for c, place, value in zip(cta[:, 0], at, self.get(args[1])[active], strict=True):
            total = int.from_bytes(self.shared[c, place].tobytes(), "little") + int(value)
            self.shared[c, place] = list((total & 0xFFFFFFFF).to_bytes(4, "little"))

    def _op_mapa(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        rank = self.get(args[2]) % np.uint64(self.group) + np.uint64(1)
        self.put(args[0], self.get(args[1]) | rank << np.uint64(WINDOW), active)

    # --- barriers

    def _place(self, text: str, thread: int) -> tuple[int, int]:
        """Return CTA and offset of a shared memory address."""
        rank, offset = divmod(int(self._address(text)[thread]), 1 << WINDOW)
        return (rank - 1 if rank else thread // CTA), offset

    def _op_mbarrier(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        for thread in np.flatnonzero(active).tolist():
            alone = np.arange(self.threads) == thread
            if parts[1] == "init":
                count = int(args[1])
                self.barriers[self._place(args[0], thread)] = Barrier(count, count)
            elif parts[1] == "pending_count":
                self.put(args[0], self.get(args[1]), alone)
            elif parts[1] == "arrive":
                before = self.barriers[self._place(args[1], thread)].arrive()
                self.put(args[0], np.full(self.threads, before, dtype=np.uint64), alone)
            else:
                over = self.barriers[self._place(args[1], thread)].completed % 2 != int(args[2])
                if parts[1] == "try_wait" and not over:
                    raise MachineError("a barrier that nobody completes")
                self.put(args[0], np.full(self.threads, over), alone)

    def _op_tcgen05_commit(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        cta, offset = self._place(args[0], thread)
        mask = int(self.get(args[1])[thread]) if len(args) > 1 else 1 << cta
        for rank in range(self.group):
            if mask >> rank & 1:
                self.barriers[rank, offset].arrive()

    # --- tensor memory

    def _op_tcgen05_alloc(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        """Take the place and the count from registers, too."""
        thread = int(np.flatnonzero(active)[0])
        place, count = int(self._address(args[0])[thread]), int(self.get(args[1])[thread])
        name = next(name for name, at in self.symbols.items() if at == place)
        super()._op_tcgen05_alloc(parts, [name, str(count)], active)

    def _op_tcgen05_dealloc(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        count = int(self.get(args[1])[np.flatnonzero(active)[0]])
        super()._op_tcgen05_dealloc(parts, [args[0], str(count)], active)

    def _op_tcgen05_ld(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        if "spcompress" in parts:
            self._compressing(parts, args, active)
            return
        if parts[2] != "red":
            super()._op_tcgen05_ld(parts, args, active)
            return
        super()._op_tcgen05_ld(parts[:2] + parts[3:], [args[0], *args[2:]], active)
        words = np.stack([self.registers[name] for name in args[0].strip("{}").split(", ")], axis=1)
        if self.whole_lane and parts[5] == "16x32bx2":
            half = words.reshape(-1, 2, 16, words.shape[1])
            words = np.concatenate([half, half[:, ::-1]], axis=-1).reshape(self.threads, -1)
        self.put(args[1], np.array([reduced(line, parts[7:]) for line in words], dtype=np.uint64), active)

    def _compressing(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        """Load, keep two of each four words of a thread, and reduce all of them where `.red` stands."""
        how = [part for part in parts if part not in ("red", "spcompress")]
        loaded = [f"loaded{i}" for i in range(int(how[5][1:]))]
        super()._op_tcgen05_ld([*how[:6], "b32"], ["{" + ", ".join(loaded) + "}", args[-1]], active)
        words = np.stack([self.registers[name] for name in loaded], axis=1)
        indices, kept = (arg.strip("{}").split(", ") for arg in args[:2])
        if (len(indices), len(kept)) != (-(-len(loaded) // 32), len(loaded) // 2):
            raise MachineError("vectors of another size")
        lines = np.array([compressed(line, how[6:]) for line in words], dtype=np.uint64)
        for i, name in enumerate(indices + kept):
            self.put(name, lines[:, i], active)
        if "red" in parts:
            only = [part for part in how[6:] if part in ("min", "max", "abs", "NaN")]
            self.put(args[2], np.array([reduced(line, [*only, "f32"]) for line in words], dtype=np.uint64), active)

    def _group(self, parts: list[str], thread: int) -> list[int]:
        """Return the CTAs that an instruction of `.cta_group` touches."""
        size = int(next(part for part in parts if part.startswith("cta_group"))[-1])
        first = thread // CTA // size * size
        return list(range(first, first + size))

    def _target(self, address: int, columns: int) -> tuple[int, int]:
        lane, column = divmod(address, 1 << 16)
        if column < 512 - self.columns or column + columns > 512:
            raise MachineError("columns that were not allocated")
        return lane, column

    def _op_tcgen05_cp(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        rows, bits = (int(part) for part in parts[3].removesuffix("b").split("x"))
        lane, column = self._target(int(self._address(args[0])[thread]), bits // 32)
        if lane:
            raise MachineError("a copy that does not start in lane 0")
        for cta in self._group(parts, thread):
            raw = unit.tile(self.shared[cta], int(self.get(args[1])[thread]), rows)[:, : bits // 8]
            if parts[-1] in ELEMENT:
                raw = expand(raw, *ELEMENT[parts[-1]])
            words = np.ascontiguousarray(raw).view("<u4").astype(np.uint64)
            for row, lanes in enumerate(self._lanes(parts, rows)):
                for target in lanes:
                    self.tensor[cta][target, column : column + bits // 32] = words[row]

    def _lanes(self, parts: list[str], rows: int) -> list[list[int]]:
        """Return the lanes that each row goes to, by warps: lane = 32 * warp + row within the warp's part."""
        if rows == 4:
            return [[lane] for lane in self.rows_at]
        multicast = next((part for part in parts if part.startswith("warp")), "")
        warps = {
            "": [[0], [1], [2], [3]],
            "warpx2::02_13": [[0, 2], [1, 3]],
            "warpx2::01_23": [[0, 1], [2, 3]],
            "warpx4": [[0, 1, 2, 3]],
        }[multicast]
        if len(warps) * 32 != rows:
            raise MachineError(f"{rows} rows with {multicast or 'no multicast'}")
        return [[32 * warp + row % 32 for warp in warps[row // 32]] for row in range(rows)]

    def _op_tcgen05_shift(self, parts: list[str], args: list[str], active: np.ndarray) -> None:
        thread = self._single(active)
        lane, column = self._target(int(self._address(args[0])[thread]), 8)
        if lane % 32:
            raise MachineError("a lane that is not a multiple of 32")
        for cta in self._group(parts, thread):
            part = self.tensor[cta][lane : lane + 32, column : column + 8]
            if self.down > 0:
                part[self.down :] = part[: -self.down].copy()
            elif self.down < 0:
                part[: self.down] = part[-self.down :].copy()


def expand(raw: np.ndarray, bits: int, place: int) -> np.ndarray:
    """Return 16 bytes of one element each for every 16 bytes that hold 16 packed elements and padding."""
    out = np.zeros_like(raw)
    for row, line in enumerate(raw):
        for at in range(0, len(line), 16):
            number = int.from_bytes(line[at : at + 16].tobytes(), "little")
            for i in range(16):
                out[row, at + i] = (number >> bits * i & (1 << bits) - 1) << place
    return out


def reduced(words: np.ndarray, how: list[str]) -> int:
    """Return the reduction of a thread's words: `how` ends an opcode, such as min, abs, NaN, f32."""
    plain = words.astype("<u4")
    values = plain.view({"f32": "<f4", "s32": "<i4", "u32": "<u4"}[how[-1]]).tolist()
    if any(math.isnan(value) for value in values):
        if "NaN" not in how:
            raise MachineError("a NaN where the manual says nothing of NaN")
        return 0x7FFFFFFF
    if "abs" in how:
        values = [abs(value) for value in values]
    chosen = (min if how[0] == "min" else max)(values)
    return int(plain[values.index(chosen)]) & (0x7FFFFFFF if "abs" in how else 0xFFFFFFFF)


def compressed(words: np.ndarray, how: list[str]) -> list[int]:
    """Return the words of indices, then what is kept: of each four a NaN, then the greatest or least, in order."""
    values, sign = words.astype("<u4").view("<f4").tolist(), 1 if "min" in how else -1
    number, kept = 0, list[int]()
    for first in range(0, len(values), 4):
        four = [abs(value) if "abs" in how else value for value in values[first : first + 4]]
        plain = sorted((sign * value, i) for i, value in enumerate(four) if not math.isnan(value))
        if len({value for value, _ in plain}) < len(plain) or len(plain) < 2:
            raise MachineError("a group in which the manual leaves the choice open")
        chosen = [i for i, value in enumerate(four) if math.isnan(value)] + [i for _, i in plain]
        for i in sorted(chosen[:2]):
            number |= i << 2 * len(kept)
            kept.append(int(words[first + i]))
    return [number >> 32 * i & 0xFFFFFFFF for i in range(-(-len(values) // 32))] + kept


def play(case: Case, trial: int, text: str | None = None, **choices: Any) -> list[str]:
    """Run one CTA, pair or cluster of a case in the machine; return what is wrong with its outputs."""
    arrays, expected = verify.inputs(case), kernels.expected(case)
    images = {
        o.name: o.pack(arrays[o.name]) if o.role == "in" else np.full(o.nbytes, 0xA5, dtype=np.uint8)
        for o in case.operands
    }
    arena, places = lay_out(images)
    before, cluster = arena.copy(), case.launch.cluster[0]
    AsyncMachine(text or render(case).armed.text, arena, places, trial * cluster, cluster, **choices).run()
    wrong, written = [], np.zeros(len(arena), dtype=bool)
    mine = slice(trial * cluster, trial * cluster + cluster)
    for operand in (o for o in case.operands if o.role == "out"):
        at = places[f"param_{operand.name}"]
        written[at : at + operand.nbytes] = True
        if (operand.unpack(arena[at : at + operand.nbytes])[mine] != expected[operand.name][mine]).any():
            wrong.append(operand.name)
    return wrong + ["stray write"] * bool((arena != before)[~written].any())
