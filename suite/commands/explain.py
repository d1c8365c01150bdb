"""`explain`: the cause that an error names, and what the matrix says of it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reports import cells
from suite import targets
from suite.errors import UsageError
from suite.explain import Answer, explain
from suite.explain.rules import load
from suite.record import Record, read

HELP = "explain an error of ptxas, the driver, Triton, PyTorch, vLLM …: its cause, the rows that bear on it, what to do"
MOST_BYTES = 1_000_000  # of a log: the last of it, where the error stands
EXIT_UNKNOWN = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "text", nargs="*", metavar="TEXT|FILE|-", help="the error, a file that holds it, or - for stdin"
    )
    parser.add_argument("--target", action="append", metavar="T", help="the GPU's target where the text names none")
    parser.add_argument(
        "--record", action="append", type=Path, metavar="RECORD", help="also look here for observations"
    )
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object")
    parser.add_argument("--causes", action="store_true", help="print the table of causes as Markdown and end")


def execute(options: argparse.Namespace) -> int:
    """Print the answer; exit 0 if the text is explained, 2 if no cause is known for it."""
    if options.causes:
        print("\n".join(causes_table()))
        return 0
    given = [targets.parse(name) for name in options.target or ()]
    answer = explain(_text(options.text), given, _records(options.record or []))
    print(json.dumps(as_data(answer), ensure_ascii=False) if options.json else "\n".join(answer.lines()))
    return 0 if answer.cause else EXIT_UNKNOWN


def as_data(answer: Answer) -> dict[str, object]:
    """Return the answer as plain data; `cause` is null where none is known."""
    known = answer.cause
    return {
        "cause": known.id if known else None,
        "says": known.says if known else "",
        "means": known.means if known else "",
        "do": known.do if known else "",
        "targets": list(answer.targets),
        "opcodes": list(answer.opcodes),
        "codes": [*answer.codes, *answer.echoes],
        "facts": [{"kind": kind, "text": text} for kind, text in answer.facts],
        "more": answer.more,
    }


def causes_table() -> list[str]:
    """Return all causes as a Markdown table."""
    rows = [f"| `{cause.id}` | {cause.says} | {cause.do} |" for cause in load().causes.values()]
    return ["| cause | what it is | what to do |", "| --- | --- | --- |", *rows]


def _text(words: list[str]) -> str:
    """Return the text of the arguments: one that names a file stands for what is in it, `-` or none for stdin.

    Raises `UsageError` for a file that cannot be read, and where nothing was given.
    """
    if not words and sys.stdin.isatty():
        raise UsageError("give the error as text, as a file, or on standard input")
    text = sys.stdin.read() if words in ([], ["-"]) else _file(words[0]) if len(words) == 1 else " ".join(words)
    if not text.strip():
        raise UsageError("the text is empty")
    return text[-MOST_BYTES:]


def _file(word: str) -> str:
    """Return what is in the file of that name, the word itself where there is none."""
    try:
        path = Path(word)
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else word
    except OSError as error:  # too long for a name: it is a text; else the file is there and cannot be read
        if Path(word[:200]).exists():
            raise UsageError(f"cannot read {word[:200]}: {error.strerror}") from None
        return word


def _records(more: list[Path]) -> list[Record]:
    return [*cells.committed(), *(read(path) for path in more)]
