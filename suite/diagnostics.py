"""What assemblers print: a log into messages, and a message into one of the classes of `suite.model`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from suite.model import DIAGNOSTIC_CLASSES

REFUSING = ("error", "fatal")


@dataclass(frozen=True)
class Message:
    """One message of a log: `line` is that of the PTX file, from 1; `severity` is empty for text of no known form."""

    severity: str
    text: str
    line: int | None = None

    @property
    def refuses(self) -> bool:
        """Tell whether the module was refused for this."""
        return self.severity in REFUSING


# Programs and libraries print `ptxas FILE, line N; error   : TEXT` or, where no line is known, `ptxas error   : TEXT`;
# nvJitLink's finalizer leaves the program out; Triton's is `ptxas-blackwell`. FILE may be `<macro util>`, whose lines
# are of a text within ptxas. Source: logs of ptxas 12.0.76 to 13.5.37 and nvJitLink 13.5.37.
_MESSAGE = re.compile(
    r"(?:[\w-]+ )?(?:(?P<file>[^;]*), line (?P<line>\d+); )?(?P<severity>error|fatal|warning|info)\s*: (?P<text>.*)"
)

# Lines that only sum up the messages before them.
_SUMMARY = re.compile(r".*Ptx assembly aborted due to errors|ERROR (?:NVJITLINK_ERROR_\w+|\d+): .*")

# Classes by text, the first that matches wins. Wordings differ by release: what a new ptxas says is not supported or
# requires something, an old one does not know. Source: logs of ptxas 12.0.76, 12.4.131, 12.8.93, 13.0.88, 13.1.80 and
# 13.5.37, and the table of messages within the last.
_TABLE = (
    # class                      text
    ("advisory",                 r"Advisory: "),
    ("advisory",                 r"\(C\d+\) |Potential Performance Loss"),
    ("unknown_target",           r"Unsupported \.target '"),
    ("unknown_target",           r"Value '\w+' is not defined for option 'gpu-name'"),
    ("unknown_target",           r"target '\w+'(?:: ERROR_UN\w+_ARCH| is not defined)"),
    ("family_mismatch",          r"(?:PTX|Program) with \.target '[^']*' cannot be compiled (?:for|to)"),
    ("family_mismatch",          r"SM version specified by \.target is higher than default SM version assumed"),
    ("needs_newer_ptx",          r"PTX \.version \S+ does not support \.target"),
    ("needs_newer_ptx",          r"Unsupported \.version |refused: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
    ("needs_newer_ptx",          r".*requires PTX ISA \.version \S+ or later"),
    ("unsupported_instruction",  r"Instruction '[^']*' (?:not supported on \.target|cannot be compiled for)"),
    ("unsupported_instruction",  r"Instruction '[^']*' requires \.target"),
    ("unsupported_instruction",  r"Instruction '[^']*' .*is not supported (?:on \.target|starting)"),
    ("unsupported_instruction",  r"Illegal target for instruction|Unsupported instruction '[^']*' used when"),
    ("unsupported_feature",      r"Feature '[^']*' (?:not supported on|cannot be compiled for|requires \.target)"),
    ("unsupported_feature",      r"Modifier '[^']*' .*requires \.target"),
    ("unsupported_feature",      r"Modifier '[^']*' on instruction .* is not supported starting"),
    ("unsupported_feature",      r"Illegal modifier '[^']*' for instruction '[^']*', for arch"),
    ("unsupported_feature",      r"Support for feature '[^']*' is not yet implemented"),
    ("unsupported_feature",      r"(?:Directive|Construct|Pragma|Type) .*(?:not supported on|requires \.target)"),
    ("unknown_to_assembler",     r"Not a name of any known instruction"),
    ("unknown_to_assembler",     r"Unknown (?:modifier|pragma|field|directive|name)"),
    ("resource",                 r"(?:Entry function|File|Function) .*uses too much"),
    ("resource",                 r".*(?:requires more registers|Insufficient registers|Register allocation failed)"),
    ("resource",                 r"Out Of Resources|Constant register limit exceeded|Code Size Limit"),
    ("resource",                 r"GMMA sequence has too many active live ranges"),
    ("malformed",                r"Parsing error near|.*syntax error"),
    ("malformed",                r".*[Mm]ismatch"),
    ("malformed",                r"Un(?:expected|known symbol|defined reference)|Undefined "),
    ("malformed",                r"(?:Illegal|Invalid|Duplicate|Missing|Inconsistent|Unsupported modifier|Geometry) ?"),
    ("malformed",                r"Argument \d+ of|Value .* out of range|Too (?:many|few) |.* expected"),
    ("malformed",                r"(?:Instruction|Modifier|Operation) .*requires|.*must be "),
    ("malformed",                r"Type .* may only be used|Vector type too large"),
    ("malformed",                r"Modifier .* cannot be applied|State space incorrect"),
    ("crash",                    r"Internal (?:compiler )?error|.*core dumped|Segmentation fault"),
)  # fmt: skip
_CLASSES = tuple((kind, re.compile(pattern)) for kind, pattern in _TABLE)
assert {kind for kind, _ in _TABLE} <= set(DIAGNOSTIC_CLASSES)


def messages(log: str) -> list[Message]:
    """Return the messages of a log in order.

    An indented line of no known form belongs to the message before it; lines that only sum up are left out.
    """
    found: list[Message] = []
    for message in _lines(log):
        if found and message.text.startswith((" ", "\t")):
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n{message.text}")
        else:
            found.append(message)
    return found


def classify(text: str) -> str:
    """Return the class of a message, `other` for one that no row of the table knows."""
    return next((kind for kind, pattern in _CLASSES if pattern.match(text)), "other")


def _lines(log: str) -> Iterator[Message]:
    for line in log.replace("\0", "").splitlines():
        match = _MESSAGE.fullmatch(line)
        if not line.strip() or _SUMMARY.fullmatch(line):
            continue
        if match:
            number = int(match["line"]) if match["line"] and not match["file"].endswith(">") else None
            yield Message(match["severity"], match["text"].rstrip(), number)
        else:
            yield Message("", line.rstrip())
