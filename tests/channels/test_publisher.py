"""Publishing: exactly once each, in order, under ids by the clock of the store, in every store."""

import functools
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core import Message
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.body import Body
from cloudsync_core.channels import ids, names, publisher
from cloudsync_core.channels.publisher import Publisher, StaleIdError
from cloudsync_core.channels.scan import fetch, scan
from cloudsync_core.errors import (
    AccessDeniedError,
    ConfigError,
    ContainerNotFoundError,
    IntegrityError,
    ObjectNotFoundError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.location import Location
from cloudsync_core.testing.faults import Faulty, LoseAnswer, Raise, at

AT_ONCE = RetryPolicy(first_wait=0)
MINUTE = 60 * 10**9
LARGE = 70_000


def in_channel(backend):
    """Return all updates that a channel holds, in the order in which a subscriber finds them."""
    return [update for page, _ in scan(backend, None) for listed in page for update in fetch(backend, listed)]


def objects(backend, folder="updates"):
    return [key for page in backend.list(folder) for key in page.keys]


def off_by(nanoseconds):
    """Return a clock that is off."""
    return lambda: time.time_ns() + nanoseconds


class TestEveryStore:
    def test_every_kind_of_content_is_received_as_it_was_published(self, channel, tmp_path):
        (path := tmp_path / "table.csv").write_bytes(b"a;b\n" * 30_000)
        contents = [
            "text ü", "", {"a": [1, 2.5, None, True, "x"]}, [], 7, None, b"\0\xff", b"", "x" * LARGE,
            {"long": "y" * LARGE}, os.urandom(LARGE), path,
        ]  # fmt: skip
        published = Publisher(channel, "web1").publish_many([Message("t", content) for content in contents])
        received = in_channel(channel)
        assert [update.content for update in received] == [*contents[:-1], path.read_bytes()]
        assert received == published
        assert [update.size for update in received] == [len(update.read()) for update in received]
        assert [update.digest for update in received] == [update.digest for update in published]
        assert received[-1].content_type == "text/csv"
        assert len(objects(channel, "payloads")) == 4
        assert sum(key.endswith(".zst") for key in objects(channel, "payloads")) == 3

    def test_a_batch_is_in_order_and_in_few_objects(self, channel):
        by = Publisher(channel, "web1")
        first = by.publish(Message("t", "first"))
        batch = by.publish_many(Message("t", index, {"n": str(index)}) for index in range(2100))
        assert [update.content for update in in_channel(channel)] == ["first", *range(2100)]
        assert in_channel(channel)[1:] == batch
        assert len(objects(channel)) == 4
        assert first.id < batch[0].id

    @pytest.mark.parametrize("minutes", [-120, -5, 0, 5, 120])
    def test_ids_are_near_the_stores_clock_and_ascend_whatever_the_hosts_clock_says(self, channel, minutes, caplog):
        by = Publisher(channel, "web1", clock=off_by(minutes * MINUTE))
        published = [by.publish(Message("t", index)) for index in range(3)]
        assert in_channel(channel) == published
        now = time.time_ns()
        assert all(abs(ids.time_ns(update.id) - now) < ids.OVERLAP_NS // 2 for update in published)
        assert all(abs(update.created * 1e9 - now) < MINUTE for update in published[1:])
        assert [record.levelno for record in caplog.records] == ([logging.WARNING] if abs(minutes) > 60 else [])

    def test_an_answer_that_was_lost_leaves_exactly_one_update(self, channel):
        faulty = Faulty(channel, at("put", LoseAnswer()))
        update = Publisher(faulty, "web1", policy=AT_ONCE).publish(Message("t", "once"))
        assert len(faulty.met) == 1
        assert in_channel(channel) == [update]

    def test_a_payload_whose_answer_was_lost_is_there_once_and_right(self, channel, tmp_path):
        (path := tmp_path / "big").write_bytes(data := os.urandom(300_000))
        faulty = Faulty(channel, at("put", LoseAnswer(), times=2))
        Publisher(faulty, "web1", policy=AT_ONCE).publish(Message("t", path))
        assert [update.content for update in in_channel(channel)] == [data]
        assert len(objects(channel, "payloads")) == 1

    def test_a_remembered_id_is_published_once(self, channel):
        by = Publisher(channel, "web1")
        reserved = by.reserve()
        assert not by.published(reserved)
        messages = [Message("t", "a" * 2000), Message("t", b"z" * LARGE)]
        assert [update.content for update in by.publish_as(messages, reserved)] == ["a" * 2000, b"z" * LARGE]
        assert by.published(reserved)
        again = Publisher(channel, "web1").publish_as(messages, reserved)
        assert in_channel(channel) == again
        assert again[0].id == reserved


class TestClock:
    def test_a_publisher_whose_payload_told_it_of_its_clock_publishes_once(self, memory_channel):
        by = Publisher(memory_channel, "web1", clock=off_by(-120 * MINUTE), inline_max=0)
        by.publish(Message("t", "content"))
        assert [update.content for update in in_channel(memory_channel)] == ["content"]
        assert len(objects(memory_channel, "payloads")) == len(objects(memory_channel)) == 1

    def test_who_may_not_take_back_publishes_twice_rather_than_never(self, memory_channel, caplog):
        refusing = Faulty(memory_channel, at("delete", Raise(AccessDeniedError("no")), times=None))
        Publisher(refusing, "web1", clock=off_by(-120 * MINUTE)).publish(Message("t", "x"))
        assert len(in_channel(memory_channel)) == 2
        assert "stays in the channel" in caplog.text

    def test_a_clock_that_stands_still_or_steps_back_gives_ascending_ids(self, memory_channel):
        now = time.time_ns()
        ticks = iter([now, now, now - MINUTE])
        by = publisher.IdSource(lambda: next(ticks))
        given = [by.reserve() for _ in range(3)]
        assert given == sorted(given)
        assert [ids.time_ns(one) - ids.time_ns(given[0]) for one in given] == [0, 1000, 2000]

    def test_a_clock_that_jumps_while_the_program_runs_is_noticed(self, memory_channel):
        offset = [0]
        by = Publisher(memory_channel, "web1", clock=lambda: time.time_ns() + offset[0])
        first = by.publish(Message("t", 1))
        offset[0] = 120 * MINUTE
        second = by.publish(Message("t", 2))
        offset[0] = 0
        third = by.publish(Message("t", 3))
        assert in_channel(memory_channel) == [first, second, third]
        assert abs(ids.time_ns(third.id) - time.time_ns()) < MINUTE

    def test_a_stale_id_is_refused_and_nothing_is_visible(self, memory_channel):
        by = Publisher(memory_channel, "web1")
        with pytest.raises(StaleIdError, match="450 seconds"):
            by.publish_as([Message("t", "x")], ids.new(time.time_ns() - 10 * MINUTE))
        late = Publisher(memory_channel, "web2", clock=off_by(-120 * MINUTE))
        reserved = late.reserve()
        with pytest.raises(StaleIdError):
            late.publish_as([Message("t", "x")], reserved)
        assert objects(memory_channel) == []
        assert late.publish_as([Message("t", "x")], late.reserve()) == in_channel(memory_channel)

    def test_who_cannot_write_in_time_fails_and_says_that_nobody_knows(self, memory_channel):
        offset = [0]

        class Slow(Layer):
            def put(self, *args, **options):
                offset[0] += 10 * MINUTE
                raise UnavailableError("timed out")

        by = Publisher(Slow(memory_channel), "web1", clock=lambda: time.time_ns() + offset[0], policy=AT_ONCE)
        with pytest.raises(UnavailableError, match=r"within 450 seconds; whether it is in the channel"):
            by.publish(Message("t", "x"))


class TestFailures:
    def test_an_update_that_may_be_there_or_not_says_so(self, memory_channel):
        down = Faulty(memory_channel, at("put", Raise(UnavailableError("down")), times=None))
        with pytest.raises(UnavailableError, match="whether the update is in the channel is not known"):
            Publisher(down, "web1", policy=AT_ONCE).publish(Message("t", "x"))

    def test_what_was_published_before_a_failure_is_told(self, memory_channel):
        fails = Faulty(memory_channel, at("put", Raise(AccessDeniedError("no")), after=1))
        with pytest.raises(AccessDeniedError, match="the 1000 updates before it were published"):
            Publisher(fails, "web1").publish_many([Message("t", index) for index in range(1500)])
        assert len(in_channel(memory_channel)) == 1000

    def test_a_missing_container_is_an_error(self):
        nowhere = MemoryBackend(Location.parse("memory://nowhere"), MemoryOptions(create=False))
        with pytest.raises(ContainerNotFoundError):
            Publisher(nowhere, "web1").publish(Message("t", "x"))

    def test_what_the_store_has_wrong_is_replaced(self, memory_channel):
        class Wrong(Layer):
            spoilt = False

            def put(self, key, body, **options):
                if self.spoilt:
                    return self.inner.put(key, body, **options)
                self.spoilt = True
                body.read()
                error = IntegrityError("the store has other bytes")
                error.written = self.inner.put(key, Body(b"other"))
                raise error

        update = Publisher(Wrong(memory_channel), "web1", policy=AT_ONCE).publish(Message("t", "x"))
        assert in_channel(memory_channel) == [update]

    @pytest.mark.parametrize(
        "message",
        [
            Message("", "x"), Message("a//b", "x"), Message("t", float("nan")), Message("t", {1: 2}),
            Message("t", object()), Message("t", "\ud800"), Message("t", "x", {"a": "b" * 17_000}),
            Message("t", "x", {"": "b"}), Message("t", "x", {"a": 1}), Message("t", "x", content_type="a\nb"),
            Message("t", functools.reduce(lambda inner, _: [inner], range(100_000), [])),
        ],
    )  # fmt: skip
    def test_what_cannot_be_published_is_refused_before_anything_is_written(self, memory_channel, message):
        with pytest.raises(ConfigError):
            Publisher(memory_channel, "web1").publish_many([Message("t", "fine"), message])
        assert objects(memory_channel) == []

    def test_a_file_that_cannot_be_read_is_named(self, memory_channel, tmp_path):
        by = Publisher(memory_channel, "web1")
        os.mkfifo(tmp_path / "pipe")
        for name, reason in (("gone", "No such file"), ("pipe", "is no file"), (".", "is no file|Is a directory")):
            with pytest.raises(ConfigError, match=reason) as caught:
                by.publish(Message("t", tmp_path / name))
            assert str(tmp_path) in str(caught.value)

    def test_a_name_or_a_bound_that_makes_no_sense_is_refused(self, memory_channel):
        with pytest.raises(ConfigError, match="publisher"):
            Publisher(memory_channel, "a/b")
        with pytest.raises(ValueError, match="inline_max"):
            Publisher(memory_channel, "web1", inline_max=2 * 1024 * 1024)
        with pytest.raises(ValueError, match="one to a thousand"):
            Publisher(memory_channel, "web1").publish_as([], ids.new(time.time_ns()))


class TestPayloads:
    def test_another_locations_object_is_streamed(self, memory_channel):
        memory_channel.put("elsewhere", Body(b"z" * LARGE))
        opened = functools.partial(memory_channel.get, "elsewhere")
        update = Publisher(memory_channel, "web1").publish(Message("t", opened))
        assert (update.kind, update.content) == ("bytes", b"z" * LARGE)

    @pytest.mark.parametrize("damage", [b"?" * LARGE, b"short", b"?" * (LARGE + 1)])
    def test_a_payload_with_other_bytes_is_refused(self, memory_channel, damage):
        update = Publisher(memory_channel, "web1", compress_above=10**9).publish(Message("t", b"z" * LARGE))
        memory_channel.put(update.payload.key, Body(damage))
        with pytest.raises(IntegrityError) as caught:
            update.read()
        assert update.payload.key in str(caught.value)

    def test_a_compressed_payload_that_is_damaged_or_expands_to_more_is_refused(self, memory_channel):
        update = Publisher(memory_channel, "web1").publish(Message("t", b"z" * LARGE))
        other = Publisher(memory_channel, "web1").publish(Message("t", b"z" * (64 * LARGE)))
        with memory_channel.get(other.payload.key) as reader:
            bomb = reader.read()
        for damage in (b"no zstd", bomb):
            memory_channel.put(update.payload.key, Body(damage))
            with pytest.raises(IntegrityError):
                update.read()

    def test_a_payload_that_is_gone_says_so(self, memory_channel):
        update = Publisher(memory_channel, "web1").publish(Message("t", b"z" * LARGE))
        memory_channel.delete(update.payload.key)
        with pytest.raises(ObjectNotFoundError):
            update.read()


def test_many_threads_publish_with_one_publisher(memory_channel):
    by = Publisher(Retry(memory_channel, AT_ONCE), "web1", clock=off_by(-120 * MINUTE))
    together = threading.Barrier(8)

    def publish(thread):
        together.wait()
        return [by.publish(Message(f"t{thread}", number)) for number in range(25)]

    with ThreadPoolExecutor(8) as pool:
        published = [update for updates in pool.map(publish, range(8)) for update in updates]
    found = in_channel(memory_channel)
    assert sorted(published, key=lambda update: update.id) == found
    assert len({update.id for update in found}) == 200
    for thread in range(8):
        assert [update.content for update in found if update.topic == f"t{thread}"] == list(range(25))


def test_a_large_file_is_never_in_memory_as_a_whole(memory_channel, tmp_path):
    class Devouring(Layer):
        largest = 0

        def put(self, key, body, **options):
            if not key.startswith(names.PAYLOADS):
                return self.inner.put(key, body, **options)
            for chunk in body.chunks():
                Devouring.largest = max(Devouring.largest, len(chunk))
            return self.inner.put(key, Body(b""))

    with (path := tmp_path / "large").open("wb") as file:
        file.truncate(32 * 1024 * 1024)
    update = Publisher(Devouring(memory_channel), "web1", compress_above=10**9).publish(Message("t", path))
    assert update.size == 32 * 1024 * 1024
    assert Devouring.largest <= 1024 * 1024
