"""`merge`: one record of many parts, as of a sweep that several machines shared."""

from __future__ import annotations

import argparse
import lzma
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reports.columns import Columns
from suite import catalogue, waivers
from suite.commands.diff import find_records
from suite.errors import UsageError
from suite.model import Observation
from suite.record import COMMITTED, Record, Writer
from suite.waivers import Waivers

HELP = "write one record of several of one catalogue and at most one GPU; of a cell asked twice the last stands"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="records, or folders of records")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the record; packed where it ends in .xz"
    )


def execute(options: argparse.Namespace) -> int:
    """Write the record, judged by the waivers of this checkout; exit 1 if a cell disagrees."""
    records = [record for path in options.records for record in find_records(path)]
    header = _header(records)
    _require_free(options.output, records)
    plain = options.output.with_name(f".{options.output.name}.part")
    writer = Writer(plain, header)
    known = waivers.load() if header["catalogue"] == catalogue.version() else Waivers(())
    agreements: Counter[str] = Counter()
    gaps: Counter[tuple[str, str]] = Counter()
    columns = Columns(records)
    sizes = set()
    for key in sorted(columns.keys):
        cells = [_judged(cell, known) for cell in columns.cells(key, None).values()]
        agreements.update(cell.agreement for cell in cells)
        gaps.update((cell.not_asked.stage, cell.not_asked.reason) for cell in cells if cell.not_asked)
        sizes.add(len(cells))
        _add(writer, cells)
    # Other parts may have what one was cut off.
    cut = (len(sizes) > 1 or len(records) == 1) and not all(record.complete for record in records)
    writer.close(gaps, interrupted=cut)
    _put(plain, options.output)
    print(*known.unneeded, sep="\n", end="\n" * bool(known.unneeded))
    print(f"{options.output}: {sum(agreements.values())} cells, {', '.join(f'{n} {w}' for w, n in agreements.items())}")
    return 1 if agreements["disagrees"] or known.unneeded else 0


def _header(records: Sequence[Record]) -> dict[str, object]:
    """Return the header of the whole: begun with the first part, with all toolchains and the GPU, if any had one."""
    first = min(records, key=lambda record: str(record.header.get("started", "")))
    alike = {"catalogue": records, "gpu": [record for record in records if record.header.get("gpu")]}
    for name, parts in alike.items():
        if any(part.header.get(name) != parts[0].header.get(name) for part in parts):
            raise UsageError(f"these records do not have the same {name}; what differs stays in records of its own")
    tools = {tool["name"]: tool for record in records for tool in record.header.get("toolchains", ())}
    kept = {name: first.header[name] for name in ("started", "machine", "gpu", "catalogue") if name in first.header}
    gpu = alike["gpu"][0].header["gpu"] if alike["gpu"] else None
    return kept | {"gpu": gpu, "toolchains": list(tools.values())}


def _judged(cell: Observation, known: Waivers) -> Observation:
    """Return the cell as this checkout's waivers have it, if they are of its catalogue."""
    if not known.entries:
        return cell
    return known.apply(replace(cell, agreement="disagrees", waiver="") if cell.agreement == "waived" else cell)


def _add(writer: Writer, cells: Sequence[Observation]) -> None:
    if any(cell.gpu for cell in cells):
        for cell in cells:
            writer.add(cell)
    else:
        writer.add_column(cells)


def _require_free(output: Path, records: Sequence[Record]) -> None:
    """Raise `UsageError` where the record would take the place of one of its parts or of a committed one."""
    if output.exists() and any(output.samefile(record.path) for record in records):
        raise UsageError(f"{output} is one of the parts, which stay as they are; choose another with -o")
    if output.exists() and output.resolve().is_relative_to(COMMITTED):
        raise UsageError(f"{output} is a committed record, which is never overwritten; choose another with -o")


def _put(plain: Path, output: Path) -> None:
    """Put the record in its place, packed where its name says so. Raises `UsageError` where the disk is full."""
    try:
        if output.suffix == ".xz":
            output.write_bytes(lzma.compress(plain.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
            plain.unlink()
        else:
            plain.replace(output)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}; the record is in {plain}") from None
