"""Limits of a chip that a launch runs into."""

from __future__ import annotations

# Most shared memory that a block can opt in to, bytes. Source: CUDA C++ Programming Guide, Technical Specifications per
# Compute Capability, not at hand when this was written down. 9.0 was found by trial on an H200 (232,448); 99 KiB on
# 12.x stands in messages of Triton and CUTLASS ("101376").
SHARED_OPT_IN: dict[tuple[int, int], int] = {
    (7, 5): 64 * 1024,
    (8, 0): 163 * 1024,
    (8, 6): 99 * 1024,
    (8, 7): 163 * 1024,
    (8, 9): 99 * 1024,
    (9, 0): 227 * 1024,
    (10, 0): 227 * 1024,
    (10, 3): 227 * 1024,
    (11, 0): 227 * 1024,
    (12, 0): 99 * 1024,
    (12, 1): 99 * 1024,
}
