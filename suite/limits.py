"""Limits of a chip that a launch runs into."""

from __future__ import annotations

# Most shared memory that a block can opt in to, bytes. Source: CUDA Programming Guide 13, 5.1.3, table "Memory
# Information per Compute Capability", read in a copy; CCCL 13.3 says the same (cuda/__device/arch_traits.h). 9.0 was
# also found by trial on an H200. The guide has no column for 8.8; of 10.7 it says 327 KB, and CCCL 227: no rows here.
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
