"""Runs the suite on a container of a user's, under a fresh prefix, in a pytest session that knows nothing else.

No configuration, conftest or plugin of the surroundings takes part, and nothing is printed: every test's result is told
to a function. See `cloudsync_core.cli.commands.testremote`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest

from cloudsync_core.backend import Backend

_SUITE = "cloudsync_core.testing.remote_suite"
_ABSENT = ("terminal", "cacheprovider", "faulthandler", "warnings", "logging", "doctest", "junitxml")
"""Plugins of pytest that print, write files, or change how this process reports what it does."""

_CLAUSE = re.compile(r"test_([A-Z]\d)_")


class OpenRoot(Protocol):
    """Opens a root below the fresh prefix."""

    def __call__(self, name: str, /) -> Backend:
        """Return a backend on the root of that name, which may be made by the first put."""


@dataclasses.dataclass(slots=True)
class Remote:
    """Where the suite runs.

    Attributes:
        open_root: opens roots; every test has its own.
        open_missing: returns a backend whose container does not exist.
        no_missing: why clauses about missing containers cannot be tried, or "".
        tests: how many there are; known when the first one ends.
        refusals: names of the key corpus that the store refused, with its reason; filled by the run.
        numbers: of the tests.
    """

    open_root: OpenRoot
    open_missing: Callable[[], Backend]
    no_missing: str = ""
    tests: int = 0
    refusals: dict[str, str] = dataclasses.field(default_factory=dict)
    numbers: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(1))


@dataclasses.dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test.

    Attributes:
        clause: of the contract, for instance "L1".
        test: its name.
        outcome: "skipped" where it does not apply.
        reason: why it failed, or does not apply; "" where it passed.
        details: where it failed, with everything that is known; else "".
    """

    __test__ = False

    clause: str
    test: str
    outcome: Literal["passed", "failed", "skipped"]
    reason: str = ""
    details: str = ""


def run(remote: Remote, told: Callable[[TestResult], None], clauses: Collection[str] = ()) -> bool:
    """Run the suite and tell each result as soon as it is known; return whether it ran to its end.

    Args:
        remote: where.
        told: is called after every test, in this thread.
        clauses: only these; all of them when there are none.

    Raises:
        RuntimeError: pytest itself failed.
    """
    session = _Session(remote, told, frozenset(clauses))
    with tempfile.TemporaryDirectory() as folder, _without_surroundings():
        settings = Path(folder, "pytest.ini")
        settings.write_text("[pytest]\n")
        arguments = ["-c", str(settings), "--rootdir", folder, "--noconftest", "--capture=no", "--pyargs", _SUITE]
        absent = [part for name in _ABSENT for part in ("-p", f"no:{name}")]
        code = pytest.main([*arguments, *absent], plugins=[session])
    if code == pytest.ExitCode.INTERRUPTED:
        return False
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"pytest ended with {code!r}{session.trouble}")
    return True


@contextlib.contextmanager
def _without_surroundings() -> Iterator[None]:
    """Keep what the environment tells pytest out of the session."""
    before = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    loading = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        if loading is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(before)


class _Session:
    """The plugin by which pytest gets to know the place, and tells what happens."""

    def __init__(self, remote: Remote, told: Callable[[TestResult], None], clauses: frozenset[str]) -> None:
        self._remote = remote
        self._told = told
        self._clauses = clauses
        self.trouble = ""

    def pytest_configure(self) -> None:
        # Once more, because the package may have been imported before there was anything to rewrite it.
        pytest.register_assert_rewrite("cloudsync_core.testing.clauses")

    @pytest.fixture
    def remote(self) -> Remote:
        """Where the suite runs."""
        return self._remote

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._clauses:
            items[:] = [item for item in items if _clause(item.name) in self._clauses]
        self._remote.tests = sum(_clause(item.name) is not None for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.trouble = f"\n{report.longreprtext}"

    def pytest_internalerror(self, excrepr: object) -> None:
        self.trouble = f"\n{excrepr}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        clause = _clause(name)
        if clause is None:  # the guard of the suite
            return
        if report.failed:
            self._told(TestResult(clause, name, "failed", _message(report), report.longreprtext))
        elif report.skipped:
            self._told(TestResult(clause, name, "skipped", _skipped(report)))
        elif report.when == "call":
            self._told(TestResult(clause, name, "passed"))


def _clause(test: str) -> str | None:
    found = _CLAUSE.match(test)
    return found and found[1]


def _message(report: pytest.TestReport) -> str:
    """Return why a test failed, in a line or a few."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext


def _skipped(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")
