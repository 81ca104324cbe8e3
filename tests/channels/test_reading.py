"""Looking into a channel from Python."""

import logging

import pytest

from cloudsync_core.api.reading import Readable
from cloudsync_core.channels import ids
from cloudsync_core.errors import ConfigError, UnavailableError
from tests.channels.writing import moment, put, put_newer, put_raw
from tests.unit.layers.scripted import Fault, Scripted


class Channel(Readable):
    """The half that reads of a channel that is open."""

    publisher = "me"

    def __init__(self, backend):
        self.url = backend.location
        self._backend = backend

    def _opened(self):
        return self._backend


@pytest.fixture
def readable(memory_channel):
    return Channel(memory_channel)


def contents(updates):
    return [update.content for update in updates]


class TestUpdates:
    def test_are_all_that_are_there_in_order(self, memory_channel, readable):
        put(memory_channel, "1", "2", object_id=moment(1))
        put(memory_channel, "0", object_id=moment(0), compress=True)
        assert contents(readable.updates()) == ["0", "1", "2"]
        assert contents(readable.updates()) == ["0", "1", "2"]

    def test_after_one_are_those_that_follow(self, memory_channel, readable):
        object_id = put(memory_channel, "1", "2", "3", object_id=moment(0))
        put(memory_channel, "4", object_id=moment(1))
        assert contents(readable.updates(after=object_id)) == ["2", "3", "4"]
        assert contents(readable.updates(after=ids.nth(object_id, 1))) == ["3", "4"]
        with pytest.raises(ConfigError, match="no id of an update"):
            readable.updates(after="yesterday")

    def test_what_is_none_is_left_out_and_logged(self, memory_channel, readable, caplog):
        keys = put_raw(memory_channel, b"damaged", moment(0)), put_newer(memory_channel, moment(1))
        put(memory_channel, "good", object_id=moment(2))
        with caplog.at_level(logging.WARNING):
            assert contents(readable.updates()) == ["good"]
        assert [any(key in message for message in caplog.messages) for key in keys] == [True, True]

    def test_trouble_is_not_hidden(self, memory_channel):
        put(memory_channel, "1")
        watched = Scripted(memory_channel)
        watched.faults["get"] = [Fault(UnavailableError("no answer"))]
        with pytest.raises(UnavailableError):
            list(Channel(watched).updates())

    def test_who_has_seen_enough_stops(self, memory_channel, readable):
        put(memory_channel, *(f"{number}" for number in range(100)))
        updates = readable.updates()
        assert next(updates).content == "0"
        updates.close()


class TestTheRest:
    def test_subscribing_remembers_by_channel_and_name(self, memory_channel, readable, tmp_path, monkeypatch):
        monkeypatch.setenv("CLOUDSYNC_STATE_DIR", str(tmp_path))
        put(memory_channel, "own", publisher="me")
        put(memory_channel, "other", publisher="other")
        with readable.subscribe(name="me", skip_own=True, once=True) as updates:
            assert contents(updates) == ["other"]
        with readable.subscribe(name="me", once=True) as updates:
            assert contents(updates) == []
        with readable.subscribe(name="me", once=True, register=False, state=tmp_path / "other.db") as updates:
            assert contents(updates) == ["own", "other"]

    def test_pruning_and_stats(self, memory_channel, readable):
        for number in range(3):
            put(memory_channel, f"{number}", object_id=moment(number))
        assert readable.prune(max_count=1, dry_run=True).updates == 2
        assert readable.stats().updates == 3
        assert readable.prune(max_count=1).updates == 2
        assert readable.stats().updates == 1
