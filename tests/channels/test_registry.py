"""A name belongs to one subscriber, and the channel knows how far that one is."""

import dataclasses
import json
import time

import pytest

from cloudsync_core.body import Body
from cloudsync_core.channels import names, registry
from cloudsync_core.channels.registry import Desk
from cloudsync_core.errors import ChannelError, ConfigError, DeliveryError
from tests.channels.writing import SECOND_NS, put
from tests.engine.stores import Shaped, plain

LATER_NS = int((registry.STALE_SECONDS + 5) * SECOND_NS)


def stored(backend, name="me"):
    return json.loads(backend.read(names.subscriber_key(name), 10_000).read())


class TestFormat:
    def test_a_subscriber_says_how_far_it_is(self, channel, receive_anywhere):
        object_id = put(channel, "one")
        receive_anywhere.once()
        found = stored(channel)
        assert found.keys() == {"format", "name", "instance", "floor", "newest", "at", "parked"}
        assert (found["format"], found["name"], found["newest"], found["parked"]) == (1, "me", object_id, [])
        assert found["floor"] < object_id
        [registration] = registry.registered(channel)
        assert (registration.name, registration.newest, registration.problem) == ("me", object_id, None)

    def test_what_is_parked_is_named(self, memory_channel, receive):
        object_id = put(memory_channel, "one")
        receive.inbox.failures["one"] = [DeliveryError("never", retry=False)]
        receive.once()
        assert stored(memory_channel)["parked"] == [object_id]

    @pytest.mark.parametrize(
        "content",
        [b"", b"{}", b"[]", b'{"format": 2}', b"[" * 100_000, b"x" * 2_000_000,
         b'{"format":1,"name":"me","instance":"i","floor":"zzz","newest":"","at":"","parked":[]}',
         b'{"format":1,"name":"other","instance":"i","floor":null,"newest":"","at":"","parked":[]}'],
        ids=["empty", "no-fields", "no-object", "newer", "deep", "large", "no-time", "other-name"],
    )  # fmt: skip
    def test_one_that_cannot_be_read_has_seen_nothing(self, memory_channel, content):
        memory_channel.put(names.subscriber_key("me"), Body(content))
        [found] = registry.registered(memory_channel)
        assert (found.name, found.floor, found.newest) == ("me", None, "")
        assert found.problem

    def test_what_is_no_registration_is_none(self, memory_channel):
        for key in ("subscribers/README", "subscribers/a/b.json", "subscribers/.hidden.json"):
            memory_channel.put(key, Body(b"{}"))
        assert list(registry.registered(memory_channel)) == []


class TestWriting:
    def test_is_not_done_more_than_once_a_minute(self, memory_channel, receive):
        with receive.open() as subscriber:
            for number in range(5):
                put(memory_channel, f"{number}")
                subscriber.poll()
            assert stored(memory_channel)["newest"] == ""
        assert stored(memory_channel)["newest"] != ""

    def test_is_done_after_a_minute(self, memory_channel, receive, monkeypatch):
        monkeypatch.setattr("cloudsync_core.channels.subscriber.REGISTERED_EVERY", 0.0)
        with receive.open() as subscriber:
            object_id = put(memory_channel, "one")
            subscriber.poll()
            assert stored(memory_channel)["newest"] == object_id


@pytest.mark.parametrize("conditions", [True, False], ids=["with-conditions", "without"])
class TestNames:
    @pytest.fixture
    def backend(self, memory_channel, conditions):
        return memory_channel if conditions else plain(memory_channel)

    def desk(self, backend, instance, *, after_ns=0):
        return Desk(backend, "me", instance, clock=lambda: time.time_ns() + after_ns)

    def claim(self, desk, *, anew=False):
        return desk.claim(None, "", (), anew=anew)

    def test_the_first_one_has_it(self, backend):
        self.claim(self.desk(backend, "a"))
        with pytest.raises(ChannelError, match="another subscriber has the name 'me', last heard of at 20"):
            self.claim(self.desk(backend, "b"))
        assert stored(backend)["instance"] == "a"

    def test_one_that_was_not_heard_of_for_long_loses_it(self, backend):
        first = self.desk(backend, "a")
        self.claim(first)
        self.claim(self.desk(backend, "b", after_ns=LATER_NS))
        assert stored(backend)["instance"] == "b"
        with pytest.raises(ChannelError):
            first.write("20261120T203540.123456Z", "", ())

    def test_one_that_was_forgotten_gives_it_free(self, backend):
        self.claim(self.desk(backend, "a"))
        assert registry.forget(backend, "me")
        assert not registry.forget(backend, "me")
        self.claim(self.desk(backend, "b"))
        assert stored(backend)["instance"] == "b"

    def test_the_same_one_has_it_again_and_writes_nothing(self, backend):
        self.claim(self.desk(backend, "a"))
        before = registry.read(backend, "me")
        assert self.claim(self.desk(backend, "a")) == before.modified_ns
        assert registry.read(backend, "me") == before

    def test_one_that_begins_anew_hears_what_the_stores_clock_says(self, backend):
        told = Shaped(backend, known=lambda info: dataclasses.replace(info, modified_ns=12345 * SECOND_NS))
        desk = Desk(told, "me", "a")
        assert self.claim(desk) == self.claim(desk, anew=True) == 12345 * SECOND_NS


def test_nothing_is_forgotten_under_what_is_no_name(memory_channel):
    with pytest.raises(ConfigError, match="the name of the subscriber"):
        registry.forget(memory_channel, "../updates")


def test_a_subscriber_that_has_lost_its_name_ends_and_says_so(memory_channel, receive, tmp_path, monkeypatch):
    put(memory_channel, "one")
    with receive.open() as subscriber:
        subscriber.poll()
        registry.forget(memory_channel, "me")
        dataclasses.replace(receive, state=tmp_path / "other.db").poll()
        monkeypatch.setattr("cloudsync_core.channels.subscriber.REGISTERED_EVERY", 0.0)
        put(memory_channel, "two")
        with pytest.raises(ChannelError, match="another subscriber has the name 'me'"):
            subscriber.poll()
