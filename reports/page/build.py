"""Records -> one HTML file that needs nothing else: template, style, scripts and compressed data in one."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reports.page.blocks import Block, blocks
from reports.page.pack import Recorded, pack
from reports.page.sass import sass_blocks
from reports.page.sources import Describe, describe
from suite.errors import UsageError

HERE = Path(__file__).resolve().parent
# Later ones use the names of earlier ones.
SCRIPTS = ("data", "state", "view", "grid", "controls", "panel", "words", "keys", "main")
VENDORED = ("virtual-core.min.js",)

TITLE = "ptxproof: what works where"


def build(
    records: Iterable[Recorded],
    known: Iterable[Recorded] = (),
    *,
    describe: Describe = describe,
    sass: Sequence[str] = (),
    title: str = TITLE,
) -> str:
    """Return the page of records, those `known` validating cases beside them.

    `describe` says what the catalogue knows of a case; `sass` names targets whose machine code is assembled anew and
    put in. Raises `UsageError` for records without a cell, and for a target of `sass` that no record has.
    """
    packed = pack(records, known)
    if not packed.columns:
        raise UsageError("these records hold no cells; a page needs one")
    about = {"title": title, "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    data = [*blocks(packed, describe, about), *sass_blocks(packed, sass)]
    return page(title, data)


def page(title: str, data: Iterable[Block]) -> str:
    """Return the HTML of a title and blocks."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "template"), autoescape=True)
    vendored = "\n".join(_text(HERE / "vendor" / name) for name in VENDORED)
    scripts = "\n".join(_text(HERE / "template" / f"{name}.js") for name in SCRIPTS)
    return environment.get_template("page.html").render(
        title=title,
        style=_text(HERE / "template" / "style.css"),
        vendored=vendored,
        script=scripts,
        blocks=[(name, _packed(content)) for name, content in data],
    )


def _text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{path} would end the element that holds it")
    return text


def _packed(content: bytes) -> str:
    """Return a block as it stands in the page: the same bytes for the same content."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
