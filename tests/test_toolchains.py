"""The assemblers of a machine: found, measured, named, and reported where they are broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from suite import gpu_device, places, targets, toolchains
from suite.assembler_process import assemble_text, command
from suite.errors import UsageError
from suite.render import header
from suite.toolchains import Inventory, Toolchain, discover, identify, require_target, resolve
from tests.assemblers import inventory, real, script


def stub(name: str, *known: str) -> Toolchain:
    kind, version = name.split()
    return Toolchain(name, kind, version, f"/{name}", (9, 0), frozenset(known), "PATH")


STUBS = Inventory(
    (
        stub("ptxas 13.10.1", "sm_90", "sm_121a"),
        stub("ptxas 13.1.80", "sm_90"),
        stub("ptxas 13.0.88", "sm_90"),
        stub("nvjitlink 13.5.37", "sm_90"),
        stub("driver 580.159", "sm_90"),
    ),
    (("/old/ptxas", "not executable; `chmod +x /old/ptxas`"),),
)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide every ptxas of this machine but what a test puts into `tmp_path/bin`."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setattr(places, "_WHEEL_LAYOUTS", ())
    monkeypatch.setattr(places, "_SYSTEM", tmp_path / "usr")
    monkeypatch.setattr(toolchains, "_nvjitlink", _absent)
    monkeypatch.setattr(toolchains, "_driver", _absent)
    return tmp_path / "bin" / "ptxas"


def _absent() -> Toolchain:
    raise toolchains.Absent("hidden")


def test_ceiling_is_what_the_assembler_takes_and_no_more() -> None:
    toolchain = real()
    major, minor = toolchain.ptx
    program = command(toolchain.kind, toolchain.path)
    assert assemble_text(program, header("sm_90", (major, minor)), "sm_90", limit=20).accepted
    above = assemble_text(program, header("sm_90", (major, minor + 1)), "sm_90", limit=20)
    assert not above.accepted
    assert "Unsupported .version" in above.log


def test_targets_are_those_that_assemble() -> None:
    toolchain = real()
    assert {"sm_90a", "sm_100f", "sm_121a"} <= toolchain.targets
    assert not any(name.startswith("compute") or name == "sm_999a" for name in toolchain.targets)


def test_nvjitlink_is_found_with_its_release_and_targets() -> None:
    found = real("nvjitlink")
    assert found.kind == "nvjitlink"
    assert found.version.count(".") == 2
    assert found.ptx == real(f"ptxas {found.version}").ptx
    assert found.targets == real(f"ptxas {found.version}").targets


def test_newest_ptxas_comes_first() -> None:
    versions = [toolchains._age(t) for t in inventory().toolchains if t.kind == "ptxas"]
    assert versions == sorted(versions, reverse=True)
    assert inventory().toolchains[0].kind == "ptxas"


def test_releases_are_ordered_as_numbers() -> None:
    found = [stub(name) for name in ("nvjitlink 13.5.1", "ptxas 13.9.5", "ptxas 13.10.1", "ptxas 9.2.88")]
    ordered = ["ptxas 13.10.1", "ptxas 13.9.5", "ptxas 9.2.88", "nvjitlink 13.5.1"]
    assert [t.name for t in toolchains._distinct(found)] == ordered


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ptxas", "ptxas 13.10.1"),
        ("13", "ptxas 13.10.1"),
        ("13.1", "ptxas 13.1.80"),
        ("13.1.80", "ptxas 13.1.80"),
        ("ptxas 13.0.88", "ptxas 13.0.88"),
        ("ptxas-13.0.88", "ptxas 13.0.88"),
        ("ptxas-13.0", "ptxas 13.0.88"),
        ("nvjitlink", "nvjitlink 13.5.37"),
        ("nvjitlink-13.5", "nvjitlink 13.5.37"),
        ("driver", "driver 580.159"),
    ],
)
def test_name_resolves(name: str, expected: str) -> None:
    assert [t.name for t in resolve([name], STUBS)] == [expected]


def test_no_name_is_the_newest_ptxas_and_a_name_twice_is_one() -> None:
    assert [t.name for t in resolve([], STUBS)] == ["ptxas 13.10.1"]
    assert [t.name for t in resolve(["13.0", "ptxas 13.0.88", "driver"], STUBS)] == ["ptxas 13.0.88", "driver 580.159"]


@pytest.mark.parametrize("name", ["12.9", "ptxas 13.5.37", "ptx", "13.1.8", "nvjitlink 12", "driver 999"])
def test_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(
        UsageError, match=r"no toolchain is named .*ptxas 13\.10\.1, .*driver 580\.159.*/old/ptxas is broken"
    ):
        resolve([name], STUBS)


def test_no_ptxas_at_all_names_the_package() -> None:
    with pytest.raises(UsageError, match=r"no ptxas .*nvidia-cuda-nvcc"):
        resolve([], Inventory((), ()))


def test_driver_without_a_gpu_says_so() -> None:
    with pytest.raises(UsageError, match=r"'driver' needs an NVIDIA driver"):
        resolve(["driver"], Inventory(STUBS.toolchains[:3]))


def test_path_of_an_executable_resolves(tmp_path: Path) -> None:
    wrapper = script(tmp_path / "my-ptxas", f'exec {real().path} "$@"')
    (found,) = resolve([str(wrapper)], STUBS)
    assert (found.name, found.path, found.ptx, found.targets) == (
        real().name,
        str(wrapper),
        real().ptx,
        real().targets,
    )


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("exit 0", 0o755, "names no release"),
        ("exit 3", 0o755, "exit status 3"),
        ("kill -SEGV $$", 0o755, "signal 11"),
        ("exit 0", 0o644, "not executable"),
    ],
)
def test_path_of_something_else_is_one_line(tmp_path: Path, text: str, mode: int, reason: str) -> None:
    path = script(tmp_path / "ptxas", text, mode=mode)
    with pytest.raises(UsageError, match=reason) as caught:
        resolve([str(path)], STUBS)
    assert "\n" not in str(caught.value)


def test_path_of_nothing_is_one_line() -> None:
    with pytest.raises(UsageError, match="no such file"):
        resolve(["/nowhere/ptxas"], STUBS)


def test_target_that_the_toolchain_does_not_know_names_one_that_does() -> None:
    require_target(STUBS.toolchains[0], targets.parse("sm_121a"), STUBS)
    with pytest.raises(UsageError, match=r"13\.0\.88 does not know sm_121a; use --toolchain 'ptxas 13\.10\.1'"):
        require_target(STUBS.toolchains[2], targets.parse("sm_121a"), STUBS)
    with pytest.raises(UsageError, match=r"no toolchain found here does"):
        require_target(STUBS.toolchains[0], targets.parse("sm_110a"), STUBS)


def test_nothing_is_found_where_nothing_is(nothing: Path) -> None:
    assert discover() == Inventory(())


def test_places_of_one_release_are_one_toolchain(nothing: Path, tmp_path: Path) -> None:
    script(nothing, f'exec {real().path} "$@"')
    cached = script(tmp_path / "cache" / "new" / "nvidia" / "cu13" / "bin" / "ptxas", f'exec {real().path} "$@"')
    (found,) = discover().toolchains
    assert (found.path, found.origin, found.also) == (str(nothing), "PATH", (str(cached),))


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("sleep 60", 0o755, "did not end within 0.5 s"),
        ("kill -SEGV $$", 0o755, "signal 11"),
        ("exit 0", 0o644, "chmod +x"),
        ('case $1 in --*) exec REAL "$@";; esac; echo nonsense >&2; exit 255', 0o755, "which .version it takes"),
    ],
)
def test_broken_ptxas_is_reported_and_not_fatal(
    nothing: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int, reason: str
) -> None:
    monkeypatch.setattr(toolchains, "SECONDS", 0.5)
    script(nothing, text.replace("REAL", real().path), mode=mode)
    good = script(places.cache_folder() / "good" / "ptxas", f'exec {real().path} "$@"')
    found = discover()
    assert [t.path for t in found.toolchains] == [str(good)]
    ((path, why),) = found.broken
    assert path == str(nothing)
    assert reason in why


def test_crash_after_naming_the_highest_version_is_an_answer(tmp_path: Path) -> None:
    """Ptxas 12.0 dies so, when asked for an impossible `.version`."""
    text = f'case $1 in --*) exec {real().path} "$@";; esac\necho "current version is \'8.0\'" >&2; kill -SEGV $$'
    assert identify(script(tmp_path / "ptxas", text), "PATH").ptx == (8, 0)


def test_driver_that_is_not_there_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[gpu_device.Device, ...]:
        raise gpu_device.NoDevice("the driver shows no CUDA device")

    monkeypatch.setattr(gpu_device, "devices", none)
    assert toolchains._attempt(toolchains._driver) is None


def test_library_whose_process_fails_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains, "command", lambda kind, path: [sys.executable, "-c", "raise SystemExit(7)"])
    answer = toolchains._attempt(toolchains._nvjitlink)
    assert isinstance(answer, str)
    assert "status 7" in answer


def test_importing_the_module_imports_no_cuda() -> None:
    code = (
        "import sys, suite.toolchains, suite.assemble; sys.exit(any(name.startswith('cuda') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
