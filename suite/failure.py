"""What a failed cell prints: everything that is needed to argue about it, and files to look into."""

from __future__ import annotations

import re
from pathlib import Path

from suite import catalogue, targets
from suite.evidence import Evidence, gather
from suite.model import Observation
from suite.toolchains import Toolchain

FOLDER = Path("build") / "evidence"


def explain(cell: Observation, toolchain: Toolchain) -> str:
    """Return the failure's text, and keep its .ptx, .cubin and .sass in build/evidence/."""
    case, target = catalogue.find(cell.case), targets.parse(cell.target)
    minimum = case.claim.minimum(target)
    claimed = f"supported from PTX {minimum[0]}.{minimum[1]}" if minimum else "not supported"
    lines = [
        f"{cell.case} on {cell.target} with {cell.toolchain}: {cell.word}, and the manual disagrees",
        f"instruction: {case.instruction}",
        f"claim: {claimed} on {cell.target} ({case.claim.cited}); asked at .version {cell.ptx}",
        *(f"{entry.kind}: {entry.text}" for entry in cell.diagnostics),
        *(f"gpu {key}: {value}" for key, value in cell.gpu.items()),
        f"kept: {_keep(gather(case, target, toolchain))}",
        f"repeat: python -m suite show '{cell.case}@{cell.target}' --toolchain '{cell.toolchain}'",
    ]
    return "\n".join(lines)


def _keep(evidence: Evidence) -> str:
    stem = FOLDER / re.sub(r"[^\w.=-]+", "_", f"{evidence.case.id}@{evidence.target}")
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        stem.with_name(stem.name + ".ptx").write_text(evidence.ptx)
        if evidence.cubin:
            stem.with_name(stem.name + ".cubin").write_bytes(evidence.cubin)
            stem.with_name(stem.name + ".sass").write_text("\n".join(evidence.sass_lines()) + "\n")
    except OSError as error:
        return f"nothing ({error.strerror})"
    return f"{stem}.*"
