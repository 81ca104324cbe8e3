"""Watching from Python: a context in which a target follows a source, and what is told of it."""

import threading
import time

import pydantic
import pytest

import cloudsync_core
from cloudsync_core.api import watching
from cloudsync_core.engine.events import LookFinished, RunFinished
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, StateError, UnavailableError
from cloudsync_core.plugins import hookimpl
from cloudsync_core.plugins.facade import Plugins

QUICK = {"settle": 0.02, "grace": 0.1, "longest": 1.0, "delete": True, "max_delete": "100%", "lease": False}


def until(condition, seconds=8):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a source of two files; the user's state directory lies beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDSYNC_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_text("1")
    (tmp_path / "source/b").write_text("2")
    return tmp_path


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


@pytest.fixture
def watch(here):
    return lambda **rules: cloudsync_core.watch("source", "target", **{**QUICK, **rules})


class TestABlock:
    def test_is_followed_from_its_start_to_its_end(self, here, watch):
        outcomes, before = [], set(threading.enumerate())
        with watch(on_outcome=outcomes.append) as watched:
            until(lambda: contents(here / "target") == {"a": "1", "b": "2"})
            (here / "source/c").write_text("3")
            until(lambda: len(outcomes) == 3)
            (here / "source/a").unlink()
            until(lambda: len(outcomes) == 4)
            assert not watched.wait(0)
        (here / "source/late").write_text("4")
        assert sorted((outcome.action.kind, outcome.action.key) for outcome in outcomes) == [
            ("add", "a"), ("add", "b"), ("add", "c"), ("delete", "a"),
        ]  # fmt: skip
        assert {outcome.status for outcome in outcomes} == {"done"}
        assert (watched.report.status, watched.report.counts.added, watched.report.counts.deleted) == ("done", 3, 1)
        assert contents(here / "target") == {"b": "2", "c": "3"}
        assert set(threading.enumerate()) <= before

    def test_hears_of_what_is_changed_right_after_it_has_begun(self, here, watch):
        told = []
        with watch(on_outcome=lambda outcome: told.append(outcome.action.key)):
            (here / "source/c").write_text("3")
            until(lambda: "c" in told)
        assert contents(here / "target")["c"] == "3"

    def test_that_ends_by_an_error_raises_that_and_stops(self, watch):
        with pytest.raises(LookupError, match="mine"), watch() as watched:
            raise LookupError("mine")
        assert watched.report.status == "done"

    def test_tells_the_listener_of_looks(self, watch):
        events = []
        with watch(listener=events.append):
            until(lambda: any(isinstance(event, LookFinished) for event in events))
        assert isinstance(events[-1], RunFinished)

    def test_may_be_stopped_before_its_end_and_twice(self, watch):
        with watch() as watched:
            watched.stop()
            assert watched.wait()
            watched.stop()

    def test_once_ends_by_itself(self, here, watch):
        watched = watch(once=True)
        assert watched.wait(8)
        assert contents(here / "target") == {"a": "1", "b": "2"}


class TestState:
    def test_is_remembered_from_one_to_the_next(self, here, watch):
        watch(once=True).wait()
        again = watch(once=True)
        again.wait()
        assert again.report.counts.unchanged == 2
        assert len(list((here / "state").glob("*.db"))) == 1

    @pytest.mark.parametrize("state", [None, "my.db"])
    def test_of_a_watch_is_shown_while_it_goes_on_and_afterwards(self, watch, state):
        with watch(state=state) as watched:
            until(lambda: watched.status is not None and watched.status.reconciled is not None)
            assert (watched.status.source, watched.status.halted) == ("auto", None)
        assert watched.status.reconciled is not None
        assert not watched.resume()

    def test_a_second_watch_of_the_same_is_refused(self, watch):
        with watch(), pytest.raises(StateError):
            watch()

    def test_one_that_stands_still_says_why_and_can_be_resumed(self, here, watch):
        with watch(max_delete=1) as watched:
            until(lambda: contents(here / "target") == {"a": "1", "b": "2"})
            until(lambda: watched.status is not None and watched.status.reconciled is not None)
            (here / "source/c").write_text("3")
            until(lambda: "c" in contents(here / "target"))
            (here / "source/a").unlink()
            (here / "source/b").unlink()
            until(lambda: watched.status.halted is not None)
            assert "b" in contents(here / "target")
            assert watched.resume()
            until(lambda: contents(here / "target") == {"c": "3"})


class TestErrors:
    def test_a_missing_source_raises_at_once_or_in_wait(self, here, watch):
        (here / "source").rename(here / "elsewhere")
        with pytest.raises(ContainerNotFoundError), watch() as watched:
            watched.wait(8)
        assert not (here / "target").exists()

    def test_a_wrong_rule_is_named(self, here):
        with pytest.raises(pydantic.ValidationError, match="settel"):
            cloudsync_core.watch("source", "target", settel=1)

    def test_an_unknown_event_source_raises_at_once(self, watch):
        with pytest.raises(ConfigError, match="nowhere"):
            watch(events="nowhere")

    @pytest.mark.parametrize("error", [LookupError("mine"), UnavailableError("mine")])
    def test_what_a_callback_raises_ends_it_and_is_raised(self, watch, error):
        def fail(outcome):
            raise error

        with watch(on_outcome=fail) as watched, pytest.raises(type(error), match="mine"):
            watched.wait(8)


class Observer:
    def __init__(self):
        self.told = []

    @hookimpl
    def cloudsync_outcomes(self, run, outcomes):
        self.told.append([outcome.action.key for outcome in outcomes])


def test_plugins_are_told_of_the_outcomes_of_a_look_together_and_at_its_end(here, watch, monkeypatch):
    observer, looks = Observer(), []
    plugins = Plugins.load(extra=[observer])
    monkeypatch.setattr(watching.Plugins, "load", lambda: plugins)

    def listen(event):
        if isinstance(event, LookFinished):
            looks.append((event.report.counts.added, sum(map(len, observer.told)), len(observer.told)))

    with watch(listener=listen, settle=0.3):
        until(lambda: looks)
        for name in "cde":
            (here / "source" / name).write_text(name)
        until(lambda: sum(added for added, *_ in looks) == 5)
    assert looks[0] == (2, 2, 1), "two files, told together, when the look was over"
    added = [look for look in looks if look[0]]
    assert [told for _, told, _ in added] == [sum(look[0] for look in added[: n + 1]) for n in range(len(added))]
    assert added[-1][2] == len(added), "one call a look"
