"""What is being written is left alone until it is quiet; what is remembered of it is bounded."""

import pytest

from cloudsync_core.event_source import Hints
from cloudsync_core.models import ObjectInfo, Version
from cloudsync_core.workflows import unsettled
from cloudsync_core.workflows.unsettled import Unsettled

SECOND = 1_000_000_000


class Clock:
    def __init__(self):
        self.now = 1000.0

    def ns(self):
        return int(self.now * SECOND)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(clock):
    return Unsettled(2.0, clock=lambda: clock.now, now_ns=clock.ns)


def file(clock, version="1", age=0.0, key="a"):
    return ObjectInfo(key, 1, version, int((clock.now - age) * SECOND), Version(version))


def test_each_hint_puts_the_look_off(clock, known):
    for _ in range(5):
        known.hint(Hints(keys=("a",)))
        clock.now += 1.9
        assert known.take() is None
    clock.now += 0.2
    assert list(known.take().names) == ["a"]
    assert known.take() is None


def test_what_has_not_changed_for_so_long_is_quiet(clock, known):
    assert known.settled(file(clock, age=2.0))
    assert not known.settled(file(clock, age=1.9))
    assert known.due == pytest.approx(clock.now + 0.1)


def test_what_is_hinted_at_while_it_is_looked_at_is_not(clock, known):
    known.hint(Hints(keys=("a",)))
    assert not known.settled(file(clock, age=100))


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_comes_from_the_future_is_quiet_when_it_is_seen_twice(clock, known, version):
    assert not known.settled(file(clock, age=-100))
    clock.now += 2.0
    assert list(known.take().names) == ["a"]
    assert known.settled(file(clock, version, age=-100)) == (version == "1")


def test_what_has_no_version_and_comes_from_the_future_is_never_taken_for_quiet(clock, known):
    entry = ObjectInfo("a", 1, "", int((clock.now + 100) * SECOND))
    for _ in range(3):
        assert not known.settled(entry)
        clock.now += 2.0
        known.take()


def test_folders_are_looked_at_as_a_whole(clock, known):
    known.hint(Hints(keys=("a", "folder/x"), folders=("folder/",)))
    clock.now += 2
    part = known.take()
    assert (list(part.names), list(part.folders)) == (["a"], ["folder"])


def test_a_look_at_everything_is_one_at_the_rest_too(clock, known):
    known.hint(Hints(keys=("a",)))
    known.everything_within(5)
    known.everything_within(10)
    assert not known.take_everything()
    clock.now += 5
    assert known.take_everything()
    assert not known.take_everything()
    assert known.take() is None


def test_more_than_can_be_remembered_becomes_a_look_at_everything(clock, known, monkeypatch):
    monkeypatch.setattr(unsettled, "MOST", 10)
    known.hint(Hints(keys=tuple(map(str, range(11)))))
    assert len(known) <= 10
    clock.now += 2
    assert known.take_everything()
    known.again(["x"], 30)
    assert known.due == clock.now + 30
