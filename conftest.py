"""pytest glue: options, items, the record, and what was not asked. The work is done in suite/conformance.py."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from suite import selection
from suite.conformance import Conformance, Question, Recorder
from suite.errors import UsageError
from suite.record import from_json
from suite.sanity import quick

CELL = "cell"  # the user property in which a worker sends its observation to the controller
CONFORMANCE = pytest.StashKey[Conformance]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the conformance run."""
    group = parser.getgroup("ptxproof")
    group.addoption("--arch", action="append", help=f"targets, or native, local, all; default {selection.DEFAULT_ARCH}")
    group.addoption("--toolchain", action="append", help="assemblers by name; default the newest ptxas found")
    group.addoption("--case", action="append", help="only cases whose id matches this glob")
    group.addoption("--record", type=Path, help="write the record of the conformance run here")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the workers apart, and let the controller alone keep the record.

    `--strict` is pytest's own word, which every pytest takes; here it also fails what could not be judged for want of a
    device. The option's place in `config` differs between versions, so it is looked for in the arguments.
    """
    if "--strict" in config.invocation_params.args:
        config.option.ptxproof_strict = True  # xdist hands options on to its workers
    worker = getattr(config, "workerinput", {}).get("workerid", "gw0")
    config.stash[CONFORMANCE] = Conformance(int(worker.removeprefix("gw")))
    if not hasattr(config, "workerinput"):
        _check_selection(config)
        config.pluginmanager.register(Controller(config.getoption("--record")))


def _check_selection(config: pytest.Config) -> None:
    """Refuse a target, toolchain or glob that cannot be asked before anything is collected: pytest's exit code 4."""
    options = [config.getoption(name) for name in ("--arch", "--toolchain", "--case")]
    try:
        if any(options):
            Conformance().questions(*options)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each case, target and toolchain selected."""
    if "question" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    try:
        questions = metafunc.config.stash[CONFORMANCE].questions(
            option("--arch"), option("--toolchain"), option("--case")
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize("question", [pytest.param(q, id=q.id, marks=_marks(q)) for q in questions])


def _marks(question: Question) -> list[pytest.MarkDecorator]:
    """Return the marks of a question: its group for xdist, and `sanity` where the quick set has it."""
    group = pytest.mark.xdist_group(question.group)
    return [group, pytest.mark.sanity] if question.case.id in quick.ids() else [group]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let no search for reference cycles into tens of thousands of items, which stay to the end anyway."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the conformance run which of its questions are still selected, so that it asks no others."""
    specs = (getattr(item, "callspec", None) for item in session.items)
    found = (spec.params.get("question") for spec in specs if spec)
    session.config.stash[CONFORMANCE].selected = [question for question in found if isinstance(question, Question)]


@pytest.fixture(scope="session")
def conformance(request: pytest.FixtureRequest) -> Conformance:
    """Return what asks the questions of this worker, a group at a time."""
    return request.config.stash[CONFORMANCE]


class Controller:
    """Keeps the record, and says at the end what was not asked; lives in the controller alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._recorder = Recorder(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Open the record before the first item and close it after the last, or after an interruption."""
        try:
            self._recorder = Recorder(self._path)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        try:
            result = yield
        except BaseException:
            self._recorder.close(interrupted=True)
            raise
        self._recorder.close(interrupted=False)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a finished cell from the worker that asked it."""
        for name, value in report.user_properties if report.when == "call" else ():
            if name == CELL:
                self._recorder.add(from_json(cast(dict[str, Any], value)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for waivers that a cell did not need."""
        if self._recorder.unneeded and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Print what was not asked, by stage and reason, and waivers that are not needed."""
        lines = [*config.stash[CONFORMANCE].unknown, *self._recorder.summary()]
        if lines:
            terminalreporter.section("not asked, and waivers")
        for line in lines:
            terminalreporter.write_line(line)
