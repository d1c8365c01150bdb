"""Reading an error as people paste it: targets, chips, opcodes, versions, sizes, codes and assembler messages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from suite import targets
from suite.claims import PtxVersion, ptx_version
from suite.diagnostics import classify
from suite.targets import Target

Capability = tuple[int, int]

# Of a log, as many different lines are read, half of them from its beginning, half from its end.
MOST_LINES = 600
LONGEST_LINE = 500

# How products are named in logs. Source: NVIDIA, "CUDA GPU compute capability".
_PRODUCTS = tuple(
    (re.compile(pattern, re.IGNORECASE), capability)
    for pattern, capability in (
        (r"\bGB10\b|DGX[ _-]?Spark|\bSpark\b",                                         (12, 1)),
        (r"\bRTX[ _-]?(?:PRO|50)|\bGeForce (?:Blackwell|50)|consumer Blackwell|\b50[5-9]0(?: Ti)?\b", (12, 0)),
        (r"\b(?:AGX )?Thor\b",                                                         (11, 0)),
        (r"\bVR200\b|\bRubin\b",                                                       (10, 7)),
        (r"\bG?B300\b",                                                                (10, 3)),
        (r"\bG?B200\b|datacenter Blackwell",                                           (10, 0)),
        (r"\bG?H[128]00\b|\bGH200\b|\bH20\b|\bHopper\b",                               (9, 0)),
        (r"\bL40S?\b|\bL4\b|RTX[ _-]?40[5-9]0|\b40[5-9]0\b|RTX 6000 Ada|\bAda\b",      (8, 9)),
        (r"\bOrin\b",                                                                  (8, 7)),
        (r"\bA10G?\b|\bA40\b|RTX[ _-]?30[5-9]0|\b30[5-9]0\b|\bA[2456]000\b",           (8, 6)),
        (r"\bA[138]00\b|\bAmpere\b",                                                   (8, 0)),
        (r"\bT4\b|RTX[ _-]?20[678]0|\bTuring\b",                                       (7, 5)),
    )
)  # fmt: skip

_NAME = re.compile(
    r"(?:(?<![A-Za-z0-9_])(?:sm|compute|lto)|(?<=[a-z_])Sm|(?<=_)sm)[_ ]?"
    r"(?P<number>\d{2,3})(?P<suffix>[af]?)(?![\dA-Za-z])",
    re.IGNORECASE,
)
# Compute capabilities in words. The last is llama.cpp's hundredfold form.
_CAPABILITIES = (
    re.compile(r"(?:capabilit(?:y|ies)|\bcc)[^\d\n(\[]{0,24}[(\[]?(?P<major>\d{1,2})[.,] ?(?P<minor>\d)(?![\d])", re.I),
    re.compile(r"capability[^\d\n(\[]{0,16}(?P<major>\d{1,2})(?P<minor>\d)(?![\d.])", re.I),
    re.compile(r"\b(?P<major>\d{1,2})\.(?P<minor>\d)\+? architectures?\b", re.I),
    re.compile(r"(?:CUDA arch |compiled for: |(?<=\d0),)(?P<major>\d{1,2})(?P<minor>\d)0\b"),
)
_PTX = re.compile(r"(?:\.version|PTX(?: ISA)?(?: \.?version)?|current version is)\s*'?(\d{1,2}\.\d)\b", re.IGNORECASE)
_PTX_SHORT = re.compile(r"\+?\bptx([6-9])([0-9])\b", re.IGNORECASE)
_DRIVER = re.compile(r"\bdriver\D{0,12}([4-6]\d\d)\b", re.IGNORECASE)
_SIZE = re.compile(r"(?P<number>\d[\d,]*)(?:\.\d+)? ?(?P<unit>KiB|KB|kB|bytes|B)\b|Required: (?P<bare>\d+)")
_UNITS = {"KiB": 1024, "KB": 1024, "kB": 1024, "bytes": 1, "B": 1, None: 1}

_MESSAGE = re.compile(r"\b(?:error|fatal|warning|info)\s*:\s*(?P<text>[A-Z(].*)")
_MESSAGE_STARTS = re.compile(
    r"\b(?:(?:Instruction|Feature|Modifier|Value) '|Unsupported \.|Unknown modifier|Unexpected instruction"
    r"|Not a name of).*"
)
_QUOTED = re.compile(r"(?:Instruction|instruction|Feature|[Mm]odifier|types specified for)\s+'([^']+)'")
_BARE = re.compile(
    r"\b(?:(?:tcgen05|wgmma|ldmatrix|stmatrix|cp\.async|setmaxnreg|mapa|griddepcontrol|createpolicy|movmatrix)"
    r"(?:\.[a-z]\w*(?:::\w+)*)*"
    r"|(?:mma|wmma|cp|tensormap|multimem|mbarrier|cvt|redux|elect|barrier|clusterlaunchcontrol)(?:\.[a-z]\w*(?:::\w+)*)+)"
)


@dataclass(frozen=True)
class Code:
    """One error code of the driver or runtime, and the cause that it names by itself."""

    number: int
    cause: str
    names: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Reading:
    """What was found in one text, each in order of appearance.

    `names` are all spelled targets, also those of no kept chip (`sm_20`); `subjects` the chips it is about, the most
    telling first, and `wanted` those that a check asks for; `spelled` the words that stand for PTX opcodes or
    modifiers; `sizes` are bytes.
    """

    text: str
    names: tuple[str, ...]
    wanted: tuple[Target, ...]
    subjects: tuple[Target, ...]
    spelled: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    codes: tuple[Code, ...]
    ptx: tuple[PtxVersion, ...]
    sizes: tuple[int, ...]
    drivers: tuple[int, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """Return the classes of the assembler messages in the text."""
        return frozenset(kind for kind, _ in self.messages)


def read(text: str, given: Iterable[Target] = ()) -> Reading:
    """Return what stands in the text; `given` are targets that the user names beside it, and come first."""
    clean = _shortened(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text.replace("\0", "")))
    subjects = tuple(dict.fromkeys([*given, *_subjects(clean)]))
    return Reading(
        clean,
        tuple(dict.fromkeys(names(clean))),
        tuple(
            dict.fromkeys(chip for segment in _WANTED.findall(clean) for chip in (*chips(segment), *_listed(segment)))
        ),
        subjects,
        _spelled(clean),
        tuple(dict.fromkeys(_messages(clean))),
        tuple(_codes(clean)),
        tuple(dict.fromkeys(_versions(clean))),
        tuple(_sizes(clean)),
        tuple(int(number) for number in _DRIVER.findall(clean)),
    )


def _shortened(text: str) -> str:
    """Return a log without repeated lines and without what is too long to be read, in the same order."""
    lines = list(dict.fromkeys(line[:LONGEST_LINE] for line in text.splitlines()))
    return "\n".join(lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES // 2], *lines[-MOST_LINES // 2 :]])


def names(text: str) -> Iterator[str]:
    """Yield every target spelled in the text, as assemblers spell it."""
    for match in _NAME.finditer(text):
        yield f"sm_{match['number']}{match['suffix'].lower()}"


def chips(text: str, *, whole: bool = False) -> Iterator[Target]:
    """Yield the chips that a text names in any form, as targets: spelled, as capability, then as product.

    A capability or product is no target: it stands for the base one, or, as a `whole` chip, for that with most.
    """
    known = {target.name: target for target in targets.ALL}
    yield from (known[name] for name in names(text) if name in known)
    for pattern in _CAPABILITIES:
        for match in pattern.finditer(text):
            name = f"sm_{match['major']}{match['minor']}"
            if name in known:
                yield targets.native(known[name].capability) if whole else known[name]
    for product, capability in _PRODUCTS:
        if product.search(text):
            yield targets.native(capability) if whole else Target(*capability)


def _listed(segment: str) -> Iterator[Target]:
    """Yield the chips of a bare list of capabilities: `[100, 103]`, or of majors: `[9, 10]`."""
    known = {target.name: target for target in targets.ALL}
    bare = re.findall(r"(?<![\w.])\d{1,3}(?![\w.])", segment) if "capabilit" in segment else []
    for number in (*bare, *(text.replace(".", "") for text in re.findall(r"\((\d{1,2}\.\d)\)", segment))):
        for name in (f"sm_{number}", f"sm_{number}0"):
            if name in known:
                yield known[name]
                break


@cache
def all_codes() -> tuple[Code, ...]:
    """Return the table of error codes."""
    table = tomllib.loads((Path(__file__).parent / "codes.toml").read_text(encoding="utf-8"))
    return tuple(Code(number, cause, tuple(names), text) for number, cause, names, text in table["codes"])


# What names the targets that a check or a binary wants, not the one that is there.
_WANTED = re.compile(
    r"\bis_sm\d+[af]?|(?<=[a-z_])Sm\d{2,3}[af]?"
    r"|(?:\bonly (?:supports?|supported|applicable|available|works?)|\brequires?|\bone of|\bcapabilit(?:y|ies) \["
    r"|supported (?:compute )?capabilities|supports CUDA capabilities|[Mm]inimum (?:required )?(?:compute )?capability"
    r"|\bexcept (?:on|for)|\bat least|\badmissible\w*|compiled for|\bbuilt for|ships only"
    r"|(?<![Nn]ot )(?<!NOT )\bsupported (?:only )?(?:on|for)"
    r"|supported by this version of \w+ is\s*|compute capability (?:of |>=|≥))"
    r"(?:\[[^\]]*\]|(?!,? (?:but|and )?(?:but|got|found|current|[Yy]our)\b|\. |[;\n]).)*"
)

# What says of a target that it is the one that was refused or is there. Ordered: the first that is found tells most.
_TELLING = (
    re.compile(r"\.target\s+'(sm_\w+)'"),
    re.compile(r"(?:for architecture|cannot be compiled (?:for|to))\D*'?(sm_\w+)"),
    re.compile(r"(?:but got|got)\s+(?:Arch\.)?(sm_\w+)"),
    re.compile(r"(?:gpu-name|-arch|gpu-architecture)[= ]'?(sm_\w+)"),
    re.compile(r"[Cc]urrent (?:compute )?capability(?:\:| is)? *(\d+)"),
    re.compile(r"(?:GPU has|GPU's|[Yy]our \S+(?: \S+)? GPU has)[^.;]{0,30}(?:compute )?capability(?: is)? (\d+\.\d)"),
    re.compile(r"does not support compute capability (\d+)"),
)


def _subjects(text: str) -> Iterator[Target]:
    known = {target.name: target for target in targets.ALL}
    for pattern in _TELLING:
        for match in pattern.finditer(text):
            name = match[1] if match[1].startswith("sm_") else f"sm_{match[1].replace('.', '')}"
            if name in known:
                yield known[name] if match[1] == name else targets.native(known[name].capability)
    yield from chips(_WANTED.sub(" ", text), whole=True)


def _spelled(text: str) -> tuple[str, ...]:
    quoted = _QUOTED.findall(text)
    bare = [opcode for opcode in _BARE.findall(text) if not any(opcode in longer for longer in quoted)]
    return tuple(dict.fromkeys([*quoted, *bare]))


def _messages(text: str) -> Iterator[tuple[str, str]]:
    """Yield the class and text of what assemblers say; a message may stand in the middle of a line."""
    for line in text.splitlines():
        found = _MESSAGE.search(line)
        starts = [found["text"]] if found else []
        starts += [match[0] for match in _MESSAGE_STARTS.finditer(line)]
        for said in starts:
            kind = classify(said)
            if kind != "other":
                yield kind, said.strip()
                break


# Without one of these, a number or a short text such as "out of memory" is anybody's.
_CUDA = re.compile(r"cuda|gpu|nvidia|nccl|cublas|cudnn|\bcu[A-Z]\w+|\bCUresult", re.IGNORECASE)

# Where a number is an error code: "error 700", "code=209(...)", "CUresult 222", "(716)" after a name, "try1=300".
_NUMBER = (
    r"(?:(?:error|code|status|CUresult|cudaError_t|cudaError|try\d|rc|err)\s*[:=]?\s*[(\[]?|: [(\[]|\[)"
    r"0*{number}\b(?!\.\d)"
)
_TELLING_WORDS = 4  # a text of as many words is no accident


def _codes(text: str) -> Iterator[Code]:
    """Yield the codes named or worded in the text, by their place in it; of two texts at one place the longer."""
    about_cuda = bool(_CUDA.search(text))
    found = []
    for code in all_codes():
        places = [match.start() for pattern in _patterns(code, about_cuda) for match in pattern.finditer(text)]
        if places:
            found.append((min(places), -len(code.text), code.number, code))
    places_taken: set[int] = set()
    for place, _, _, code in sorted(found, key=lambda item: item[:3]):
        if place not in places_taken:
            places_taken.add(place)
            yield code


@cache
def _patterns(code: Code, about_cuda: bool) -> tuple[re.Pattern[str], ...]:
    patterns = [re.compile(rf"\b{name}\b") for name in code.names]
    words = len(code.text.split())
    if about_cuda and code.number >= 98:  # smaller numbers are everywhere
        patterns.append(re.compile(_NUMBER.format(number=code.number), re.IGNORECASE))
    if words >= _TELLING_WORDS or (about_cuda and words > 1 and code.text != "unknown error"):
        patterns.append(re.compile(re.escape(code.text), re.IGNORECASE))
    return tuple(patterns)


def _versions(text: str) -> Iterator[PtxVersion]:
    yield from (ptx_version(match) for match in _PTX.findall(text))
    yield from ((int(major), int(minor)) for major, minor in _PTX_SHORT.findall(text))


def _sizes(text: str) -> Iterator[int]:
    for match in _SIZE.finditer(text):
        yield int((match["number"] or match["bare"]).replace(",", "")) * _UNITS[match["unit"]]
