"""`diff`: what changed between two records, machines, drivers, toolchains or targets."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from reports import cells, diff, diff_text, tables
from reports.columns import Columns, Keep, Key, newest
from reports.diff import NO_LONGER_WORKS, Change, Side
from reports.diff_rows import fold
from suite.errors import UsageError
from suite.record import Record, read

HELP = "show what changed between two records or sets, two targets or two toolchains; exit 1 if something is lost"
FORMATS = ("table", "markdown", "json", "page")
_SIDES = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "records",
        nargs="*",
        type=Path,
        metavar="RECORD",
        help="A and B, each a record or a folder of records; with two --target or --toolchain any number, one set",
    )
    for name, what in (("target", "sm_121a"), ("toolchain", "13.5")):
        parser.add_argument(f"--{name}", action="append", metavar="NAME", help=f"{what}; given twice: before, after")
    parser.add_argument("--case", action="append", metavar="GLOB", help="only cases whose id matches, as 'mma_sync.*'")
    parser.add_argument("--format", choices=FORMATS, default="table", help="page: HTML, default build/diff.html")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write there instead of printing")


def execute(options: argparse.Namespace) -> int:
    """Print the changes; exit 1 if anything that worked no longer does."""
    before, after = _sides(options)
    if options.format == "page":
        return _page(options, before, after)
    return report(before, after, options.case, options.format, options.output)


def _page(options: argparse.Namespace, before: Side, after: Side) -> int:
    """Write the page of the records and print its address, which shows the two sides; return as `report` does."""
    from reports.page.build import build  # only a page needs the catalogue

    state = diff.address(before, after)
    records = {record.path: record for side in (before, after) for record in side.columns.records}
    path = options.output or Path("build/diff.html")
    write(path, build(records.values(), cells.committed(), title=f"{before.name} to {after.name}"))
    print(f"{path}#{state}")
    return int(any(change.kind in NO_LONGER_WORKS for change in diff.changes(before, after, matching(options.case))))


def report(before: Side, after: Side, case: Sequence[str] | None, style: str, output: Path | None = None) -> int:
    """Print or write the changes; return 1 if anything that worked no longer does. Raises `UsageError` for no pair."""
    if not diff.pairs(before, after):
        raise UsageError(f"{before.name} and {after.name} share no target and toolchain; name them with --target twice")
    lost: list[str] = []
    changes = _noting(diff.changes(before, after, matching(case)), lost)
    if style == "table" and not output:
        tables.show(diff_text.tables(before, after, fold(changes)))
    elif style == "json":
        _pour(diff_text.lines(before, after, changes), output)
    else:
        _pour([tables.to_markdown(diff_text.tables(before, after, fold(changes)))], output)
    return 1 if lost else 0


def _pour(lines: Iterable[str], output: Path | None) -> None:
    """Print or write lines as they come: there may be more than memory holds."""
    if output is None:
        for line in lines:
            print(line)
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None


def write(path: Path, text: str) -> None:
    """Write a text. Raises `UsageError` where it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def matching(globs: Sequence[str] | None) -> Keep | None:
    """Return the predicate of cases that any of the globs matches, None where there are no globs."""
    if not globs:
        return None
    return cache(lambda case: any(fnmatchcase(case, glob) for glob in globs))


def find_records(path: Path) -> list[Record]:
    """Return the record of a file, or all of a folder in name order. Raises `UsageError` for none."""
    if not path.is_dir():
        return [read(path)]
    found = [read(file) for file in sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.xz")])]
    if not found:
        raise UsageError(f"{path} holds no record (*.jsonl, *.jsonl.xz)")
    return found


def named(spelled: str, known: Sequence[str]) -> str:
    """Return the toolchain of that name, in full (`ptxas 13.5.37`) or in part (`13.5`).

    Raises `UsageError` naming those that are there.
    """
    found = [name for name in known if name == spelled]
    found = found or [name for name in known if f"{name}.".startswith((f"ptxas {spelled}.", f"{spelled}."))]
    if not found:
        raise UsageError(f"no cell of these records is from {spelled!r}; they are from {', '.join(known)}")
    return newest(found)


def _noting(changes: Iterator[Change], lost: list[str]) -> Iterator[Change]:
    for change in changes:
        if change.kind in NO_LONGER_WORKS:
            lost.append(change.kind)
        yield change


def _sides(options: argparse.Namespace) -> tuple[Side, Side]:
    targets, toolchains = options.target or [], options.toolchain or []
    if max(len(targets), len(toolchains)) > _SIDES:
        raise UsageError("two sides are compared: at most two --target and two --toolchain")
    if _SIDES in (len(targets), len(toolchains)):
        records = [record for path in options.records for record in find_records(path)] or cells.committed()
        columns = Columns(records)
        return _side("", columns, targets[:1], toolchains[:1], targets), _side(
            "", columns, targets[-1:], toolchains[-1:], targets
        )
    if len(options.records) != _SIDES:
        raise UsageError("name two records (or folders), or two --target, or two --toolchain")
    one, other = (Columns(find_records(path)) for path in options.records)
    names = [path.name for path in options.records]
    return _side(names[0], one, targets, toolchains, ()), _side(names[1], other, targets, toolchains, ())


def _side(
    name: str, columns: Columns, targets: Sequence[str], toolchains: Sequence[str], compared: Sequence[str]
) -> Side:
    """Return the side of the columns that the options leave; where targets are compared, of the newest toolchain."""
    keys = [key for key in columns.keys if not targets or key.target in targets]
    if not keys:
        there = ", ".join(dict.fromkeys(key.target for key in columns.keys))
        raise UsageError(f"no cell of these records is of {', '.join(targets)}; they are of {there}")
    known = list(dict.fromkeys(key.toolchain for key in keys))
    chosen = [named(spelled, known) for spelled in toolchains]
    if len(compared) == _SIDES and not chosen:
        chosen = [newest(_common(columns, compared))]
    kept = [key for key in keys if not chosen or key.toolchain in chosen]
    return Side(name or _name(kept), columns, kept)


def _common(columns: Columns, targets: Sequence[str]) -> set[str]:
    """Return the toolchains that have all the targets. Raises `UsageError` where none has."""
    by = [{key.toolchain for key in columns.keys if key.target == target} for target in targets]
    shared = set.intersection(*by)
    if not shared:
        raise UsageError(f"no toolchain of these records has both {' and '.join(targets)}")
    return shared


def _name(keys: Sequence[Key]) -> str:
    targets = dict.fromkeys(key.target for key in keys)
    toolchains = ", ".join(dict.fromkeys(key.toolchain for key in keys))
    return f"{next(iter(targets))} ({toolchains})" if len(targets) == 1 else toolchains
