"""Fetch assemblers of other releases from PyPI into the cache folder, keeping ptxas alone of each wheel."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from suite.errors import UsageError
from suite.places import cache_folder

# One ptxas of each minor release that knows a Blackwell. Source: PyPI, the newest patch of each on 2026-11-21.
#            release     package                   path in the wheel
RELEASES = {
    "12.8.93": ("nvidia-cuda-nvcc-cu12", "nvidia/cuda_nvcc/bin/ptxas"),
    "12.9.86": ("nvidia-cuda-nvcc-cu12", "nvidia/cuda_nvcc/bin/ptxas"),
    "13.0.88": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
    "13.1.115": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
    "13.2.86": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
    "13.3.73": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
    "13.4.92": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
    "13.5.37": ("nvidia-cuda-nvcc", "nvidia/cu13/bin/ptxas"),
}
_SECONDS = 900.0


def fetch(release: str) -> Path:
    """Return the ptxas of that release in the cache folder, fetched if it was not there.

    Raises `UsageError` for a release that is not in the table, and where pip cannot bring it.
    """
    if release not in RELEASES:
        raise UsageError(f"no ptxas {release} is known; there are {', '.join(RELEASES)}")
    home = cache_folder() / release / "bin" / "ptxas"
    if not home.exists():
        package, inside = RELEASES[release]
        with tempfile.TemporaryDirectory() as folder:
            _unpack(_download(package, release, Path(folder)), inside, home)
    return home


def _download(package: str, release: str, folder: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    done = subprocess.run(
        [*argv, f"{package}=={release}"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise UsageError(f"pip cannot fetch {package} {release} for {platform.machine()}: {last}")
    return wheels[0]


def _unpack(wheel: Path, inside: str, home: Path) -> None:
    """Take one file out of a wheel; it appears at its place whole or not at all."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        part = home.with_suffix(".part")
        with zipfile.ZipFile(wheel) as archive, archive.open(inside) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.chmod(0o755)
        part.rename(home)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"cannot take {inside} out of {wheel.name} into {home.parent}: {error}") from None
