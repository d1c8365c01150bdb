"""Rendered kernels, kept from run to run: Jinja takes a millisecond a case, and the text is this checkout's alone."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from suite import catalogue, version
from suite.model import Kernel, Source
from suite.probe import Case
from suite.render import render
from suite.store import Store, seal, store


@lru_cache(maxsize=4)  # a run asks the same cases on many targets
def sources(cases: tuple[Case, ...]) -> list[Source]:
    """Return the kernels of each case, in order. Raises `TemplateError` as `render` does."""
    kept = store("sources", version.of_checkout())
    found: dict[str, Source] = {}
    for family in dict.fromkeys(case.family for case in cases):
        found |= _of_family(kept, family, [case for case in cases if case.family == family])
    return [found[case.id] for case in cases]


def _of_family(kept: Store, family: str, cases: Sequence[Case]) -> Mapping[str, Source]:
    """Return the sources of a family's cases; those of a whole family are kept."""
    packed = kept.blob(kept.rows.get(family, ""))
    if packed:
        return _unpack(packed)
    made = {case.id: render(case) for case in cases}
    if len(cases) == sum(case.family == family for case in catalogue.expand()):
        packed = _pack(made.values())
        kept.keep({family: seal(packed)}, [packed])
    return made


def _pack(made: Iterable[Source]) -> bytes:
    """Return the texts of the kernels, and of each case their names with the lines marked.

    Cases may share a text and mark other lines of it: one that asks `alloc` and one that asks `dealloc`.
    """
    texts: dict[str, str] = {}
    parts: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for source in made:
        three = (source.armed, source.scaffold, source.control)
        texts |= {kernel.name: kernel.text for kernel in three}
        parts[source.case] = [(kernel.name, kernel.marked) for kernel in three]
    data = {"texts": texts, "cases": parts}
    return zlib.compress(json.dumps(data).encode(), 1)


def _unpack(packed: bytes) -> dict[str, Source]:
    data: dict[str, Any] = json.loads(zlib.decompress(packed))
    texts = data["texts"]
    return {
        case: Source(case, *(Kernel(name, texts[name], tuple(marked)) for name, marked in parts))
        for case, parts in data["cases"].items()
    }
