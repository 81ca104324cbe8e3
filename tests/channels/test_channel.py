"""`Channel`: what a Python program publishes with."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core import Channel, LocationConfig, Message
from cloudsync_core.channels import names
from cloudsync_core.channels.publisher import Publisher
from cloudsync_core.errors import ConfigError, ContainerNotFoundError
from cloudsync_core.layers.layer import Layer

MINUTE = 60 * 10**9


def test_what_is_published_is_there_for_another_program(tmp_path):
    (path := tmp_path / "table.csv").write_text("a;b")
    with Channel(str(tmp_path / "channel"), publisher="web1") as channel:
        first = channel.publish("a/b", {"n": 1}, {"lang": "en"})
        second = channel.publish("a/b", path, content_type="text/plain")
        batch = channel.publish_many([Message("c", number) for number in range(3)])
    with Channel(str(tmp_path / "channel")) as other:
        assert list(other.updates()) == [first, second, *batch]
    assert (first.publisher, first.content, first.metadata) == ("web1", {"n": 1}, {"lang": "en"})
    assert (second.content, second.content_type) == (b"a;b", "text/plain")


def test_the_name_is_that_of_the_host_unless_it_is_given():
    with Channel("memory://named") as channel:
        assert channel.publish("t", "x").publisher == names.host_name()
    with pytest.raises(ConfigError, match="the name of the publisher"):
        Channel("memory://named", publisher="a/b")


def test_a_missing_container_is_the_error_of_the_store(moto_s3):
    with Channel("s3://bucket-that-is-missing/x", **moto_s3.options) as channel, pytest.raises(ContainerNotFoundError):
        channel.publish("t", "x")


def test_options_are_those_of_the_backend(rclone_s3):
    bucket = rclone_s3.make_bucket()
    location = LocationConfig(url=f"s3://{bucket}/channel", options=rclone_s3.options)
    with Channel(location, ordered_listing=False) as channel:
        assert channel.publish("t", "x") in list(channel.updates())
        # What was found out before the first write leaves nothing beside the channel.
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: channel.publish("t", number), range(8)))
    assert all(key.startswith("channel/updates/") for key in rclone_s3.contents(bucket))
    assert len(rclone_s3.contents(bucket)) == 9


class TestLongUploads:
    """An upload that outlasts its id: what is published is there once, under an id of the moment."""

    def publish(self, backend, minutes):
        passed = [0]

        class Slow(Layer):
            def put(self, key, body, **options):
                if key.startswith("payloads/"):
                    passed[0] += minutes.pop(0) * MINUTE if minutes else 0
                return self.inner.put(key, body, **options)

            def can_copy_from(self, source):
                return self.copies and super().can_copy_from(source)

            copies = True

        slow = Slow(backend)
        return slow, Publisher(slow, "web1", clock=lambda: time.time_ns() + passed[0], inline_max=0)

    @pytest.mark.parametrize("copies", [True, False])
    def test_it_is_moved_where_the_store_can_copy_and_sent_again_where_not(self, memory_channel, copies):
        slow, by = self.publish(memory_channel, [5])
        slow.copies = copies
        update = by.publish(Message("t", "content"))
        assert update.content == "content"
        keys = [key for page in memory_channel.list() for key in page.keys]
        assert keys == [update.payload.key, update.key]


def test_who_publishes_in_a_thread_of_its_own_waits_for_nobody_once_the_clock_is_known(memory_channel):
    held, release = threading.Event(), threading.Event()

    class Holding(Layer):
        def put(self, key, body, **options):
            if body.size is not None and body.size > 100_000:
                held.set()
                release.wait(10)
            return self.inner.put(key, body, **options)

    by = Publisher(Holding(memory_channel), "web1", compress_above=10**9)
    by.publish(Message("t", "first"))
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(by.publish, Message("large", b"x" * 200_000))
        assert held.wait(10)
        small = by.publish(Message("small", "x"))
        assert not large.done()
        release.set()
        assert large.result(10).id < small.id
