"""`needs`: the instructions that a kernel uses, and which targets have them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from suite.errors import DisassemblerError, UsageError
from suite.sanity import needs
from suite.sanity.needs import Need

HELP = "list the instructions of a PTX file or cubin, and which targets have them by the manual"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", type=Path, metavar="FILE.ptx|FILE.cubin")
    parser.add_argument("--arch", metavar="T", help="exit 1 where this target lacks any of them")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object an instruction")
    shown.add_argument("--profile", action="store_true", help="print a profile for `sanity --need`, of PTX alone")


def execute(options: argparse.Namespace) -> int:
    """Print; exit 0, 1 if --arch lacks an instruction, 2 if the catalogue knows none of them."""
    kind, own, found = _read(options.file)
    known = [need for need in found if need.cases]
    if options.profile:
        if kind == "cubin":
            raise UsageError("--profile needs PTX: behind a cubin's opcodes the instructions are a guess")
        print("\n".join(profile(options.file.stem, known)))
    elif options.json:
        for need in found:
            print(json.dumps(_data(need, kind)))
    else:
        print("\n".join(needs.lines(found, kind, own)))
    if not known:
        return 2
    return int(bool(options.arch and _lacking(found, options.arch)))


def profile(name: str, known: list[Need]) -> list[str]:
    """Return a profile's lines: for each instruction one case that asks it."""
    text = json.dumps(f"what {name} uses")  # TOML's basic strings are JSON's
    found = [f"name = {json.dumps(name)}", f"says = {text}"]
    for need in known:
        case = json.dumps(need.cases[0].id.replace("[", "[[]"))
        found += ["", "[[instruction]]", f"case = {case}", f"reason = {json.dumps(f'{need.count} of {need.opcode}')}"]
    return found


def _read(path: Path) -> tuple[str, str, list[Need]]:
    try:
        raw = path.read_bytes()
        if raw.startswith(b"\x7fELF"):
            own, found = needs.of_cubin(raw)
            return "cubin", own, found
        text = raw.decode()
    except (OSError, UnicodeDecodeError, DisassemblerError) as error:
        raise UsageError(f"{path} is neither PTX nor a cubin: {error}") from None
    if ".version" not in text:
        raise UsageError(f"{path} is neither PTX nor a cubin: it has no .version")
    return "ptx", "", needs.of_ptx(text)


def _lacking(found: list[Need], arch: str) -> list[Need]:
    from suite import targets

    return needs.missing(found, targets.parse(arch).name)


def _data(need: Need, kind: str) -> dict[str, object]:
    return {
        "opcode": need.opcode,
        "count": need.count,
        "evidence": "claims" if kind == "ptx" else "claims, of what the opcode may stand for",
        "targets": sorted(need.targets),
        "ptx": need.ptx,
        "cases": [case.id for case in need.cases[:20]],
    }
