"""Two listings that differ are hints; nothing of a listing is in memory, and idle locations are listed ever less."""

import threading
import time
import uuid

import pytest

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.body import Body
from cloudsync_core.errors import UnavailableError
from cloudsync_core.event_source import Watched
from cloudsync_core.eventsources.poll import PollEvents, PollOptions
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.options import NoOptions
from cloudsync_core.testing.faults import Faulty, Raise, at


@pytest.fixture
def backend():
    made = MemoryBackend(Location("memory", str(uuid.uuid4())), MemoryOptions(create=True))
    made.put("here", Body(b"x"))
    return made


def polling(backend, **options):
    watched = Watched(Location("memory", "x"), backend, NoOptions())
    return PollEvents(watched, PollOptions(**{"interval": 0.01, "slowest": 0.02, **options}))


def next_of(source):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if (hints := source.wait(0.5)) is not None:
            return hints
    raise AssertionError("there was no hint")


def test_H1_the_first_listing_asks_for_a_look_at_everything(backend):
    with polling(backend) as source:
        hints = next_of(source)
        assert (hints.keys, bool(hints.everything)) == ((), True)
        assert source.wait(0.1) is None


def test_H1_what_is_new_has_changed_or_is_gone_is_hinted_at_once(backend):
    with polling(backend) as source:
        next_of(source)
        backend.put("a//odd\0key", Body(b"x"))
        assert next_of(source).keys == ("a//odd\0key",)
        backend.put("here", Body(b"y"))
        assert next_of(source).keys == ("here",)
        backend.delete("here")
        assert next_of(source).keys == ("here",)
        assert source.wait(0.1) is None


def test_H4_many_changes_come_in_batches(backend):
    with polling(backend) as source:
        next_of(source)
        names = {f"{number:05}" for number in range(3000)}
        for name in names:
            backend.put(name, Body(b""))
        found, batches = set(), 0
        while found != names:
            found.update(next_of(source).keys)
            batches += 1
        assert batches > 1


def test_an_idle_location_is_listed_less_and_less(backend):
    counted = Counted(backend)
    with polling(counted, interval=0.02, slowest=10) as source:
        next_of(source)
        source.wait(1.0)
        assert 3 < counted.listings < 15


def test_H6_a_listing_that_fails_is_told_once_and_looked_at_again(backend, caplog):
    down = Raise(UnavailableError("the network is out", operation="list", location="memory://x"))
    with polling(Faulty(backend, at("list", down, times=3))) as source:
        assert next_of(source).everything == "it cannot be listed"
        assert "listed for the first time" in next_of(source).everything
    assert [record.getMessage() for record in caplog.records] == ["list memory://x: the network is out"]


def test_H7_it_is_closed_from_another_thread_while_it_waits(backend):
    source = polling(backend, interval=60, slowest=60)
    next_of(source)
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(source.wait(30)))
    waiting.start()
    time.sleep(0.05)
    source.close()
    source.close()
    waiting.join(5)
    assert heard == [None]


class Counted(Layer):
    """Counts its listings."""

    def __init__(self, inner):
        super().__init__(inner)
        self.listings = 0

    def list(self, *arguments, **how):
        self.listings += 1
        return super().list(*arguments, **how)
