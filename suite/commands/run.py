"""`run`: the pipeline over any number of cases, targets and toolchains, without pytest."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from pathlib import Path

from reports import cells, terminal
from suite import bundle, catalogue, pipeline, progress, prune, selection, store, waivers
from suite.commands import matrix
from suite.crew import processes
from suite.errors import UsageError
from suite.execute import Executor
from suite.gpu_device import Device
from suite.launch import GpuUnhealthy
from suite.pipeline import Group, Run, Tally
from suite.progress import Progress
from suite.record import Writer, read
from suite.session import header, local_device

ROWS_SHOWN = 2000  # cells up to which a run prints every one

HELP = "ask cases on targets with toolchains, through every stage that this machine allows"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    selection.add_options(parser)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write the record here (default build/record.jsonl)"
    )
    parser.add_argument("--matrix", type=Path, metavar="DIR", help="write record.jsonl and matrix.md, .csv, .json here")
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="run what `bundle` packed, without any assembler")


def execute(options: argparse.Namespace) -> int:
    """Run, print the matrix and what was not asked; exit 0 all agree, 1 something disagrees, 2 could not judge."""
    device, no_device = local_device()
    tally, known = Tally(), waivers.load()
    shown = progress.for_terminal()
    executor = Executor(device, processes()) if device else None
    path = options.record or (options.matrix or Path("build")) / "record.jsonl"
    groups, described = _groups(options, device, tally, shown)
    writer = Writer(path, {**header(device), "catalogue": catalogue.version(), "toolchains": described})
    run = Run(known, writer.add, shown, tally, executor, no_device, writer.add_column)
    cut_short = _ask(run, groups, writer)
    if kept := store.folder():
        prune.prune(kept)
    return _report(path, options.matrix, tally, known.unneeded, cut_short)


def _groups(
    options: argparse.Namespace, device: Device | None, tally: Tally, shown: Progress
) -> tuple[Iterator[Group], list[dict[str, str]]]:
    """Return the groups, from a bundle or as they are assembled, and the toolchains behind them."""
    if options.bundle:
        packed = bundle.read(options.bundle)
        return packed.groups(), packed.toolchains
    chosen = selection.resolve(options.arch, options.toolchain, options.case, device)
    described = [{"name": t.name, "ptx": f"{t.ptx[0]}.{t.ptx[1]}"} for t in chosen.toolchains]
    runs_here = (lambda target: target.runs_on(device.capability)) if device else (lambda target: False)
    return pipeline.assembled(chosen, tally, shown, runs_here), described


def _ask(run: Run, groups: Iterator[Group], writer: Writer) -> str:
    """Ask the groups and close the record whatever happens; return why it was cut short, empty if it was not."""
    reason = "something unexpected"
    gc.disable()  # a sweep makes millions of objects and no cycles: to look for them takes a third of its time
    try:
        pipeline.ask(run, groups)
        reason = ""
    except KeyboardInterrupt:
        reason = "interrupted"
    except GpuUnhealthy as error:
        reason = f"the GPU is not fit to be asked: {error}"
    finally:
        gc.enable()
        writer.close(run.tally.not_asked, interrupted=bool(reason))
    return reason


def _report(path: Path, folder: Path | None, tally: Tally, stale: list[str], cut_short: str) -> int:
    """Print the rows of a run that fits a screen or two, the summary, and what was not asked; write the matrix."""
    asked = sum(tally.words.values())
    if folder or asked <= ROWS_SHOWN:
        record = read(path)
        merged = cells.merge([record], cells.validations([*cells.committed(), record]))
        if asked <= ROWS_SHOWN:
            terminal.show_rows(merged)
        if folder:
            matrix.write(folder, merged)
    terminal.show_summary(tally.groups)
    for line in [*terminal.not_asked_lines(tally.not_asked), *stale]:
        print(line)
    print(f"record: {path}; " + ", ".join(f"{count} {word}" for word, count in tally.agreements.items()))
    if cut_short:
        raise UsageError(f"{cut_short}; {path} holds every cell that was finished")
    if asked > ROWS_SHOWN:
        print(f"rows: {folder / 'matrix.md' if folder else f'python -m suite matrix {path}'}")
    if tally.agreements["disagrees"] or stale:
        return 1
    return 0 if asked else 2
