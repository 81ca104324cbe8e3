"""`cloudsync watch --check`: whether changes are heard of, tried by a probe of which nothing is left."""

import json
import threading
import uuid

import pytest

from cloudsync_core.config.model import WatchJob
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.state import State
from cloudsync_core.errors import AccessDeniedError, CancelledError, RunError
from cloudsync_core.event_source import EventSource, Hints
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.hearing import hear
from tests.cli.conftest import write_tree
from tests.engine.stores import contents, store
from tests.workflows.world import MemoryPlace, no_plugins


class TestTheCommand:
    @pytest.mark.parametrize(
        ("events", "options"), [("local", ()), ("poll", ("--events", "poll", "--event-option", "interval=0.05"))]
    )
    def test_says_what_has_told_of_the_probe_and_after_how_long(self, invoke, folder, events, options):
        write_tree(folder, {"site/a": "1"})
        result = invoke("watch", "site", "target", "--check", *options)
        assert result.out.startswith(f"{events} told of a change at file://{folder}/site after ")
        assert sorted(path.name for path in folder.rglob("*")) == ["a", "site"], "no probe, no target, no state"

    def test_gives_the_same_to_programs(self, invoke, folder):
        write_tree(folder, {"site/a": "1"})
        report = invoke("watch", "site", "target", "--check", "--json").report
        assert (report["event"], report["events"], report["heard"], report["exit_code"]) == ("report", "local", True, 0)
        assert 0 <= report["seconds"] < 60

    def test_says_what_to_look_at_when_no_event_comes(self, invoke):
        url = f"memory://{uuid.uuid4()}"
        result = invoke("watch", url, "target", "--check", "--check-timeout", "0.3", code=1)
        assert f"poll told of no change at {url} within 0.3 s" in result.err
        assert "its policy lets the store send" in result.err

    def test_of_no_event_is_exit_code_1_for_programs_too(self, invoke):
        args = ("watch", f"memory://{uuid.uuid4()}", "target", "--check", "--check-timeout", "0.1", "--json")
        report = invoke(*args, code=1).report
        assert (report["heard"], report["seconds"], report["exit_code"]) == (False, None, 1)

    def test_of_a_source_that_cannot_be_written_says_so(self, invoke, folder):
        write_tree(folder, {"site/.cloudsync": "in the way"})
        result = invoke("watch", "site", "target", "--check", code=4)
        assert f"error: no probe can be written to file://{folder}/site: " in result.err
        assert "use credentials that may do that for once" in result.err

    def test_of_a_missing_source_says_so_and_makes_none(self, invoke, folder):
        assert "nowhere" in invoke("watch", "nowhere", "target", "--check", code=4).err
        assert list(folder.iterdir()) == []


class Scripted(EventSource):
    """Tells what a test says, and remembers what was acknowledged."""

    def __init__(self, tell):
        self.tell = tell
        self.closed = False
        self.acknowledged = []

    def wait(self, timeout):
        threading.Event().wait(min(timeout, 0.01))
        return self.tell(self)

    def close(self):
        self.closed = True

    def hints(self, *keys, **rest):
        return Hints(keys=keys, done=lambda: self.acknowledged.append(keys), **rest)


class TestTheProbe:
    """By an event source that a test plays."""

    @pytest.fixture
    def place(self):
        place = MemoryPlace()
        store(place.open(), "a", b"1")
        return place

    def hear(self, place, tell, *, timeout=5.0, stop=None, backend=None):
        events = Scripted(tell)
        backend = backend or place.open()
        with State(None) as state:
            context = Context(
                plugins=no_plugins(),
                open=lambda side, create: {"source": backend}[side],
                open_events=lambda backend, prune: events,
                state=state,
                stop=stop or Stop(),
            )
            found = None
            try:
                found = hear(WatchJob(source=place.url, target="nowhere", retries=1), context, timeout=timeout)
            finally:
                assert contents(place.open()) == {"a": b"1"}, "the probe is removed however it ends"
                assert events.closed
        return found, events

    def probes(self, place):
        return [key for key in contents(place.open()) if key != "a"]

    def test_is_in_the_scope_of_no_job(self, place):
        found, _ = self.hear(place, lambda events: events.hints(*self.probes(place)))
        assert not Filter().wants(found.key)

    def test_is_acknowledged_where_nothing_else_is(self, place):
        _, events = self.hear(place, lambda events: events.hints(*self.probes(place)))
        assert len(events.acknowledged) == 1

    def test_leaves_the_events_of_others_to_who_watches(self, place):
        told = iter([("other",), ("other", "probe")])

        def tell(events):
            return events.hints(*(self.probes(place)[0] if key == "probe" else key for key in next(told)))

        found, events = self.hear(place, tell)
        assert found.seconds is not None
        assert events.acknowledged == []

    def test_is_heard_of_by_a_folder(self, place):
        found, _ = self.hear(place, lambda events: events.hints(folders=(".cloudsync/",)))
        assert found.seconds is not None

    def test_is_written_anew_where_the_first_may_have_been_missed(self, place):
        seen = []

        def tell(events):
            [key] = self.probes(place)
            seen.append(contents(place.open())[key])
            if seen[-1] != seen[0]:
                return events.hints(key)
            return events.hints(everything="some were lost")

        found, _ = self.hear(place, tell)
        assert (found.doubt, found.seconds is None) == ("some were lost", False)

    def test_is_waited_for_no_longer_than_is_said(self, place):
        found, _ = self.hear(place, lambda events: None, timeout=0.1)
        assert found.seconds is None

    def test_is_removed_when_the_user_wants_no_more(self, place):
        stop = Stop()
        with pytest.raises(CancelledError):
            self.hear(place, lambda events: stop.interrupt(), stop=stop)

    def test_is_removed_when_the_event_source_fails(self, place):
        def tell(events):
            raise AccessDeniedError("no such queue for you")

        with pytest.raises(AccessDeniedError):
            self.hear(place, tell)

    def test_that_cannot_be_written_is_an_error_of_its_own(self, place, monkeypatch):
        backend = place.open()

        def put(*_, **__):
            raise AccessDeniedError("you may not write")

        monkeypatch.setattr(backend, "put", put)
        with pytest.raises(RunError, match=r"no probe can be written .* you may not write"):
            self.hear(place, lambda events: None, backend=backend)


def test_sigint_ends_it_in_order(start, folder):
    process = start("watch", f"memory://{uuid.uuid4()}", "target", "--check", "--json")
    assert "its event is waited for" in process.stderr.readline()
    process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["error"] == "CancelledError"
