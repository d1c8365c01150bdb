"""`sanity`: is this machine fit for that workload?"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reports import cells
from suite import bundle, catalogue, pipeline, progress, selection, targets, toolchains
from suite.errors import UsageError
from suite.pipeline import Tally
from suite.record import Writer
from suite.sanity import check, instructions, offline, profiles, report
from suite.sanity.model import VERDICTS, Finding, Report
from suite.selection import Selection

HELP = "check whether this machine is fit: exit 0 fit, 1 not fit, 2 could not judge"
RECORD = Path("build") / "sanity.jsonl"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    known = ", ".join(profiles.names())
    parser.add_argument("--need", action="append", default=[], metavar="PROFILE|FILE", help=f"a workload: {known}")
    parser.add_argument("--level", choices=("quick", "full"), default="quick", help="full asks every case, in minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object: docs/sanity.schema.json")
    parser.add_argument("--arch", metavar="T", help="answer --need for this target without its GPU")
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="take what --pack packed: no assembler is needed")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="pack the cases for --arch, and end")
    parser.add_argument("--python", action="append", default=[], metavar="FILE", help="a Python whose PyTorch matters")
    parser.add_argument(
        "--record", type=Path, default=RECORD, metavar="FILE", help=f"default {RECORD}; gpu N has .gpuN"
    )


def execute(options: argparse.Namespace) -> int:
    """Check and print; exit 0 fit, 1 not fit, 2 could not judge."""
    needs = tuple(profiles.load(name) for name in options.need)
    if options.pack:
        return _pack(options, needs)
    if options.arch:
        return _print(_offline(options.arch, needs), as_json=options.json)
    request = check.Request(options.level, needs, options.bundle, tuple(options.python))
    done = check.check(request, lambda line: print(line, file=sys.stderr, flush=True))
    _record(done, options.record)
    return _print(done.report, as_json=options.json)


def _print(found: Report, *, as_json: bool) -> int:
    print(json.dumps(report.as_data(found), ensure_ascii=False) if as_json else "\n".join(report.lines(found)))
    return VERDICTS[found.verdict]


def _offline(arch: str, needs: tuple[profiles.Profile, ...]) -> Report:
    if not needs:
        raise UsageError(f"--arch answers --need, which names no profile; there is {', '.join(profiles.names())}")
    target = targets.parse(arch)
    (toolchain,) = toolchains.resolve(())
    committed = cells.committed()
    here = [cell for record in committed for cell in record.cells if cell.target == target.name]
    seen = offline.Seen(cells.validations(committed), here)
    return offline.check(needs, target, toolchain, seen, progress.for_terminal())


def _pack(options: argparse.Namespace, needs: tuple[profiles.Profile, ...]) -> int:
    """Pack the quick set, and what the profiles ask, for a machine without assembler."""
    if not options.arch:
        raise UsageError("--pack needs --arch: the target of the GPU that the bundle is for")
    (toolchain,) = toolchains.resolve(())
    wanted = selection.targets_of([options.arch])
    for target in wanted:
        toolchains.require_target(toolchain, target)
    chosen = Selection(check.Request(needs=needs).cases, wanted, (toolchain,))
    groups = pipeline.assembled(chosen, Tally(), progress.for_terminal(), lambda target: True)
    count = bundle.write(options.pack, list(groups))
    print(f"{options.pack}: {count} cells; there: python -m suite sanity --bundle {options.pack.name}")
    return 0


def _record(done: check.Checked, path: Path) -> None:
    """Write an ordinary record for each GPU that answered; one that cannot be written makes the machine unfit."""
    for index, seen in done.cells.items():
        if seen:
            place = path.with_name(f"{path.stem}.gpu{index}{path.suffix}") if index else path
            facts = done.devices[index]
            gpu = {name: facts[name] for name in ("name", "driver", "cuda", "memory", "sms")}
            gpu["capability"] = ".".join(map(str, facts["capability"]))
            header = {"gpu": gpu, "catalogue": catalogue.version(), "toolchains": list(done.assemblers)}
            try:
                writer = Writer(place, header)
                for cell in seen:
                    writer.add(cell)
                writer.close(instructions.not_asked(seen))
                done.report.records.append(str(place))
            except (UsageError, OSError) as error:
                done.report.findings.append(
                    Finding(
                        "unfit",
                        "record-not-written",
                        f"the record cannot be kept: {error}",
                        (),
                        "free space on the disk, or choose another --record",
                    )
                )
