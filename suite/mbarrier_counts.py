"""Inputs and oracle of what is counted on a barrier: arrivals and transactions, by CTA of a cluster of one or two."""

from __future__ import annotations

import numpy as np

from suite.probe import Arrays, Params

THREADS = 64  # of a CTA
LIMIT = 4096  # arrivals or transactions after which counting gives up; ptx/mbarrier_harness.ptx.j2 has it too
TX_UNIT = 16  # bytes of the transactions that are counted

# Threads that issue, by CTA: unlike in the two, so that going to the wrong barrier shows.
ACTIVE = {False: (64,), True: (64, 40)}
MASKS = (0b10, 0b11)  # the CTAs that each CTA's operations with .multicast reach: the other one, and both


def remote(params: Params) -> bool:
    """Tell whether the instruction reaches the barrier of another CTA, which takes a cluster of two."""
    return params["space"] in ("shared::cluster", "generic_peer") or "multicast" in params


def arrives(params: Params) -> bool:
    """Tell whether the operation arrives, rather than only counting transactions."""
    return str(params["op"]).startswith("arrive")


def extra_of(params: Params) -> str:
    """Return what the operand counts: arrivals, transactions (expect_tx, complete_tx), or nothing (plain)."""
    return str(params.get("extra", params["op"]))


def ctas_of(params: Params) -> int:
    """Return the CTAs of the cluster."""
    return len(ACTIVE[remote(params)])


def _reached(ctas: int, arrays: Arrays) -> np.ndarray:
    """Return which CTA's barrier each CTA's operations reach, as (barrier, issuer) of 0 and 1."""
    if "masks" in arrays:
        return (arrays["masks"].astype(np.int64) >> np.arange(ctas)[:, np.newaxis]) & 1
    return np.eye(ctas, dtype=np.int64)[::-1]  # in a cluster of two the other CTA


def performed(params: Params, arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Return how many arrivals and how many bytes of transactions reach each CTA's barrier."""
    extra, reached = extra_of(params), _reached(ctas_of(params), arrays)
    active = np.arange(THREADS) < arrays["plan"][:, 3:]
    amounts = reached @ (arrays["amounts"].astype(np.int64) * active).sum(axis=1)
    arrivals = amounts if extra == "count" else reached @ active.sum(axis=1) * arrives(params)
    return arrivals, amounts * (extra in ("expect_tx", "complete_tx"))


def inputs(params: Params, rng: np.random.Generator) -> Arrays:
    """Return each thread's amount, the masks, and by CTA: expected arrivals, limit, pledged bytes, active threads."""
    ctas, extra = ctas_of(params), extra_of(params)
    amounts = rng.integers(1, 4, (ctas, THREADS), dtype=np.uint32) * np.uint32(1 if extra == "count" else TX_UNIT)
    plan = np.zeros((ctas, 4), dtype=np.uint32)
    plan[:, 3] = ACTIVE[remote(params)]
    arrays = {"plan": plan, "amounts": amounts}
    if "multicast" in params:
        arrays["masks"] = np.array(MASKS, dtype=np.uint32)
    arrivals, transactions = performed(params, arrays)
    spare = 3 + np.arange(ctas)
    plan[:, 0] = arrivals + spare
    plan[:, 1] = spare if extra in ("expect_tx", "complete_tx") else LIMIT
    plan[:, 2] = transactions + TX_UNIT * (5 + 2 * np.arange(ctas)) if extra == "complete_tx" else 0
    return arrays


def oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return the counts that measuring finds by CTA, and that every wait was answered late alone."""
    plan = arrays["plan"].astype(np.int64)
    arrivals, transactions = performed(params, arrays)
    pending = plan[:, 2] - transactions if extra_of(params) == "complete_tx" else transactions
    next_phase = plan[:, 0] - arrivals * (params["op"] == "arrive_drop")
    counts = np.stack([plan[:, 0] - arrivals, pending // TX_UNIT, next_phase], axis=1)
    return {"counts": counts.astype(np.uint32), "waits": np.full((ctas_of(params), THREADS), 2, dtype=np.uint32)}
