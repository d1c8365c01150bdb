"""Many cases said in few words: a form with the parameters that tell its cases apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

MOST_VALUES = 6  # of a parameter that are named; of more only their number is


def form_of(case: str) -> str:
    """Return a case's family and form: `mma_sync.f16` of `mma_sync.f16:shape=m16n8k8`."""
    return case.partition(":")[0]


def parameters(case: str) -> dict[str, str]:
    """Return the parameters that a case's id spells."""
    parts = (part.partition("=") for part in case.partition(":")[2].split(",") if part)
    return {name: value for name, _, value in parts}


def describe(cases: Sequence[str], among: Collection[str]) -> str:
    """Return what tells `cases` from the others of their form: `all 12`, `8 of 12: a=e2m1|e3m2`.

    `some of` stands before parameters that other cases have too.
    """
    if len(cases) >= len(among):
        return f"all {len(cases)}"
    ours, theirs = _values(cases), _values(among)
    telling = {name: values for name, values in ours.items() if values != theirs.get(name)}
    inside = sum(all(own.get(n) in v for n, v in telling.items()) for own in map(parameters, among))
    said = ", ".join(_spell(name, values) for name, values in telling.items())
    vague = "" if inside == len(cases) else "some of "
    return f"{len(cases)} of {len(among)}" + (f": {vague}{said}" if said else "")


def _values(cases: Collection[str]) -> dict[str, dict[str, None]]:
    found: dict[str, dict[str, None]] = {}
    for case in cases:
        for name, value in parameters(case).items():
            found.setdefault(name, {})[value] = None
    return {name: dict.fromkeys(sorted(values)) for name, values in found.items()}


def _spell(name: str, values: Mapping[str, None]) -> str:
    return f"{name}={'|'.join(values)}" if len(values) <= MOST_VALUES else f"{len(values)} values of {name}"
