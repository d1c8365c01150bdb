"""How many m16n8k16 of f16 into f32 the numeric model works out a second: `python benchmarks/bench_numerics.py`."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from suite.numerics.fdpa import Step
from suite.numerics.models import Fused, run
from suite.numerics.operation import Operation

TRIALS, ROUNDS = 1024, 8
HOPPER = Fused(Step(25, -133, "RZ-FP32"), 16)
OPERATION = Operation("f16", "f16", "f32", "f32", 16, 8, 16)


def work(seed: int) -> float:
    """Return the seconds that `ROUNDS` times `TRIALS` products take."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((TRIALS, 16, 16)).astype(np.float16).view(np.uint16).astype(np.uint64)
    b = rng.standard_normal((TRIALS, 16, 8)).astype(np.float16).view(np.uint16).astype(np.uint64)
    c = rng.standard_normal((TRIALS, 16, 8)).astype(np.float32).view(np.uint32).astype(np.uint64)
    arrays = {"a": a, "b": b, "c": c}
    run(HOPPER, OPERATION, arrays)
    started = time.perf_counter()
    for _ in range(ROUNDS):
        run(HOPPER, OPERATION, arrays)
    return time.perf_counter() - started


def main() -> None:
    """Print products a second on one core and on two."""
    print(f"one core:  {TRIALS * ROUNDS / work(0):>9,.0f} m16n8k16 a second")
    with ProcessPoolExecutor(2) as pool:
        print(f"two cores: {2 * TRIALS * ROUNDS / max(pool.map(work, (1, 2))):>9,.0f} m16n8k16 a second")


if __name__ == "__main__":
    main()
