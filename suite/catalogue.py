"""Stage 1, catalogue: probes -> Case. Expands every probe file; there is no registry."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import pkgutil
from collections import Counter
from fnmatch import fnmatchcase
from functools import cache

import probes
from suite.errors import UsageError
from suite.probe import Case, Params, Probe
from suite.store import store
from suite.version import of_checkout


@cache
def expand() -> tuple[Case, ...]:
    """Return every case of every probe file, in file and table order.

    Raises `ValueError` for two cases of one id.
    """
    cases = tuple(case for family in families() for case in _family_cases(family))
    twice = [case_id for case_id, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise ValueError(f"two cases are named {twice[0]}")
    return cases


def families() -> tuple[str, ...]:
    """Return the names of the families: the stems of the files in probes/."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(probes.__path__)))


def select(patterns: tuple[str, ...] = ()) -> tuple[Case, ...]:
    """Return the cases whose id matches any of the globs, all without a glob.

    Raises `UsageError` for a glob that matches nothing.
    """
    for pattern in patterns:
        if not any(_matches(case, pattern) for case in expand()):
            raise UsageError(
                f"--case {pattern!r} matches none of {len(expand())} cases; `python -m suite list` names them"
            )
    return tuple(case for case in expand() if not patterns or any(_matches(case, p) for p in patterns))


def find(case_id: str) -> Case:
    """Return the case of that id. Raises `UsageError` where there is none."""
    try:
        return _by_id()[case_id]
    except KeyError:
        near = difflib.get_close_matches(case_id, _by_id(), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else "`python -m suite list` names them"
        raise UsageError(f"no case is named {case_id!r}; {hint}") from None


@cache
def version() -> str:
    """Return a short hash of everything that the catalogue asks: ids, instructions, claims. Kept from run to run."""
    kept = store("catalogue", of_checkout())
    if "version" not in kept.rows:
        kept.keep({"version": _version()})
    return kept.rows["version"]


def _version() -> str:
    digest = hashlib.sha256()
    for case in expand():
        support = sorted((s.ptx, *sorted(t.name for t in s.targets)) for s in case.claim.supports)
        digest.update(f"{case.id}\n{case.instruction}\n{support}\n".encode())
    return digest.hexdigest()[:12]


@cache
def _by_id() -> dict[str, Case]:
    return {case.id: case for case in expand()}


def _family_cases(family: str) -> list[Case]:
    module = importlib.import_module(f"probes.{family}")
    return [_bind(family, probe, params) for probe in module.PROBES for params in probe.rows]


def _bind(family: str, probe: Probe, params: Params) -> Case:
    bound = ",".join(f"{key}={value}" for key, value in params.items())
    return Case(f"{family}.{probe.form}:{bound}", family, probe, params)


def _matches(case: Case, pattern: str) -> bool:
    return fnmatchcase(case.id, pattern)
