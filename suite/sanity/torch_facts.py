"""Asks one Python what GPU packages it has; run by that Python itself, alone, so it imports nothing of ptxproof's.

Prints one JSON object: `torch` (version, cuda, archs), `paths` (where packages lie), `distributions` (names, versions).
With the argument `paths` it imports no torch.
"""

import importlib.util
import json
import os
import sys
from importlib import metadata

PACKAGES = ("torch", "triton", "vllm", "sglang", "flash_attn", "jax", "cupy")
LIBRARIES = ("nvidia-cuda-runtime", "nvidia-cuda-nvrtc", "nvidia-nvjitlink", "nvidia-cuda-nvcc")


def paths() -> "dict[str, str]":
    """Return the folder of each package that is there, without importing it."""
    specs = {name: importlib.util.find_spec(name) for name in PACKAGES}
    return {name: os.path.dirname(spec.origin) for name, spec in specs.items() if spec and spec.origin}  # noqa: PTH120


def torch_facts() -> "dict[str, object]":
    """Return what torch says of itself; the import is why this runs in a process of its own."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    archs = torch._C._cuda_getArchFlags().split() if torch.version.cuda else []
    return {"version": torch.__version__, "cuda": torch.version.cuda, "archs": archs}


def main() -> None:
    """Print the facts."""
    found = paths()
    named = ((d.metadata["Name"] or "", d.version) for d in metadata.distributions())
    kept = {n: v for n, v in named if n.startswith(LIBRARIES) or n.replace("-", "_") in PACKAGES}
    facts = {"python": sys.executable, "paths": found, "distributions": kept, "folders": [p for p in sys.path if p]}
    if "torch" in found and "paths" not in sys.argv[1:]:
        try:
            facts["torch"] = torch_facts()
        except Exception as error:  # noqa: BLE001  (whatever an import raises is the answer)
            facts["torch_error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
