"""What keeps the suite whole: a clause is weakened where everybody can read it, with a reason, or not at all.

A plugin's tests fill in what `DECLARED` names. Anything else of the suite that they replace, take away, skip or expect
to fail is found by `test_suite_is_whole`, which runs in the plugin's own test class. Two ways are open to say that a
clause is not kept, and both fail as soon as it is:

* `departures` of the class, which become strict expected failures;
* an override that is marked `@pytest.mark.xfail(strict=True, reason="…")` and calls `super()`.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from cloudsync_core.testing.corpus import CORPUS

GUARD = "test_suite_is_whole"
"""The test that looks for weaknesses."""

DECLARED = frozenset({"make_backend", "leftovers", "cut_off", "departures", "refuses", "no_missing_container"})
"""What of the suite a plugin's tests may say themselves."""

_SUITE = "cloudsync_core.testing."
_KEPT = (GUARD, "_kept_whole")


def keep_the_guard(cls: type) -> None:
    """Refuse a class of tests that replaces the guard itself.

    Raises:
        TypeError: it does.
    """
    if taken := [name for name in _KEPT if name in vars(cls) and not _is_ours(cls)]:
        raise TypeError(f"{cls.__name__} overrides {', '.join(taken)}, by which the conformance suite is kept whole")


def expect_departure(cls: type, item: pytest.Function) -> None:
    """Mark a test as an expected failure if the class declares it as a departure."""
    departures: Mapping[str, str] = getattr(cls, "departures", {})
    reason = departures.get(item.name) or departures.get(item.originalname)
    if reason:
        item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def never_excuse_the_guard(item: pytest.Function) -> None:
    """End the whole run when the guard itself is expected to fail: nothing less would be seen."""
    if item.originalname == GUARD and item.get_closest_marker("xfail") is not None:
        pytest.exit(f"{item.nodeid}: the suite is weakened: all of its tests are marked xfail", returncode=1)


def without_skipping(request: pytest.FixtureRequest, fixture: str) -> None:
    """Set a fixture up; one that skips the test fails it instead."""
    try:
        request.getfixturevalue(fixture)
    except pytest.skip.Exception as skipped:
        pytest.fail(
            f"the fixture {fixture} skips a clause ({skipped.msg}); let it fail, or deselect the whole class",
            pytrace=False,
        )


def weaknesses(cls: type) -> list[str]:
    """Return what is wrong with a class of tests, one line each; nothing of a class that is whole."""
    from cloudsync_core.testing.conformance import BackendContract  # noqa: PLC0415 - it is made of what uses this

    if not issubclass(cls, BackendContract):
        return [f"{cls.__name__} takes some of the clauses: subclass BackendContract, which has all of them"]
    return [
        *_overridden(cls, BackendContract),
        *_undeclared_reasons(cls, "departures", _names_of_tests(BackendContract)),
        *_undeclared_reasons(cls, "refuses", {case.name for case in CORPUS}),
    ]


def weaknesses_of_items(cls: type, items: Iterable[pytest.Item]) -> Iterator[str]:
    """Yield what a conftest, a module or a class does to the tests of a class that were collected."""
    departures = set(getattr(cls, "departures", {}))
    for item in items:
        if not isinstance(item, pytest.Function) or item.cls is not cls or not _is_of_the_suite(item):
            continue
        marks = {mark.name for mark in item.iter_markers() if mark not in _marks(item.function)}
        if departures.isdisjoint((item.name, item.originalname)):
            yield from (f"{item.name} is marked {name}" for name in sorted(marks & {"skip", "skipif", "xfail"}))


def missing_items(cls: type, session: pytest.Session) -> list[str]:
    """Return the tests of a class that somebody took out of the run without saying so.

    What was deselected, by `-k` or a plugin, is counted in pytest's last line. Where nothing was, all of them are here.
    """
    from cloudsync_core.testing.conformance import BackendContract  # noqa: PLC0415 - it is made of what uses this

    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    chosen = any("::" in str(argument) for argument in session.config.invocation_params.args)
    if reporter is None or chosen or reporter.stats.get("deselected"):
        return []
    here = Counter(item.originalname for item in session.items if isinstance(item, pytest.Function) and item.cls is cls)
    wanted = {name: len(case_names(getattr(cls, name))) or 1 for name in _tests(BackendContract)}
    return [
        f"{name}: {count - here[name]} of {count} were taken out of the run"
        for name, count in wanted.items()
        if here[name] < count
    ]


def case_names(test: Any) -> list[str]:
    """Return the names by which pytest tells the cases of a test apart; none for a test that has no cases."""
    names = [_argument_names(*mark.args, **mark.kwargs) for mark in _marks(test) if mark.name == "parametrize"]
    return ["-".join(parts) for parts in itertools.product(*names)] if names else []


def _overridden(cls: type, suite: type) -> Iterator[str]:
    for name in dir(suite):
        if name.startswith("__") or name in DECLARED:
            continue
        definer = next(base for base in cls.__mro__ if name in vars(base))
        if _is_ours(definer):
            continue
        found = vars(definer)[name]
        if not name.startswith("test_"):
            yield f"{definer.__name__}.{name} overrides what the suite works with"
        elif not inspect.isfunction(found):
            yield f"{definer.__name__}.{name} removes a clause"
        elif not _is_expected_to_fail(found, name):
            yield (
                f"{definer.__name__}.{name} overrides a clause: name it in `departures` with the reason, or mark it "
                f'@pytest.mark.xfail(strict=True, reason="…") and call super().{name}(…)'
            )


def _undeclared_reasons(cls: type, attribute: str, known: set[str]) -> Iterator[str]:
    declared: Mapping[str, str] = getattr(cls, attribute)
    for name, reason in declared.items():
        if name not in known:
            yield f"{attribute}: there is no {name!r}"
        if not str(reason).strip():
            yield f"{attribute}: {name} has no reason"


def _names_of_tests(suite: type) -> set[str]:
    tests = _tests(suite)
    return {*tests, *(f"{name}[{case}]" for name in tests for case in case_names(getattr(suite, name)))}


def _tests(suite: type) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_") and name != GUARD]


def _is_expected_to_fail(test: Any, name: str) -> bool:
    """Tell whether an override is the suite's own test, marked as an expected failure with a reason."""
    calls_super = {"super", name} <= set(test.__code__.co_names)
    return calls_super and any(mark.name == "xfail" and _is_unconditional(mark) for mark in _marks(test))


def _is_unconditional(mark: pytest.Mark) -> bool:
    given = dict(mark.kwargs)
    reason = given.pop("reason", None)
    given.pop("raises", None)
    return not mark.args and isinstance(reason, str) and bool(reason.strip()) and given == {"strict": True}


def _is_of_the_suite(item: pytest.Function) -> bool:
    return item.originalname != GUARD and item.function.__module__.startswith(_SUITE)


def _is_ours(cls: type) -> bool:
    """Tell whether a class is the suite's, or one that everything has (`object`)."""
    return cls.__module__.startswith(_SUITE) or cls is object


def _marks(test: Any) -> list[pytest.Mark]:
    return list(getattr(test, "pytestmark", []))


def _argument_names(names: Any, values: Iterable[Any], *, ids: Any = None) -> list[str]:
    """Return what pytest calls each set of values of one `parametrize`."""
    del names
    if callable(ids):
        return [ids(value) for value in values]
    if ids is not None:
        return list(ids)
    return [_case_name(value) for value in values]


def _case_name(value: Any) -> str:
    if isinstance(getattr(value, "id", None), str):  # pytest.param
        return str(value.id)
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
