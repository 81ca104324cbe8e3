"""Reading a channel: everything from a floor on, in the order of the ids, and nothing that is not ours stops it."""

import dataclasses
import itertools
import time

import pytest

from cloudsync_core import Message, open_backend
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.body import Body
from cloudsync_core.channels import compression, ids, names, scan
from cloudsync_core.channels.publisher import Publisher
from cloudsync_core.errors import AccessDeniedError, ContainerNotFoundError, DamagedUpdateError, ObjectNotFoundError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Gap, Page
from tests.channels.writing import put
from tests.engine.stores import memory

HOUR = 3600 * 10**9
NOW = time.time_ns()


class Unordered(Layer):
    """A store that lists in no order, and counts its listings."""

    def __init__(self, inner):
        super().__init__(inner)
        self.asked = []

    @property
    def capabilities(self):
        return dataclasses.replace(self.inner.capabilities, ordered_listing=False)

    def list(self, prefix="", *, start_after=None, prune=None):
        assert start_after is None
        self.asked.append(prefix)
        entries = [entry for page in self.inner.list(prefix) for entry in page]
        yield Page.of(entries[::-1])


def found(backend, floor=None, **options):
    """Return the ids and the foreign keys that a scan finds."""
    pages = list(scan.scan(backend, floor, **options))
    listed = [listed.id for page, _ in pages for listed in page]
    return listed, [foreign.key for _, page in pages for foreign in page]


class TestEveryStore:
    def test_a_channel_without_updates_has_none(self, channel):
        assert found(channel) == ([], [])
        assert found(channel, ids.stamp(NOW)) == ([], [])

    def test_everything_from_a_floor_on_comes_in_order(self, channel):
        moments = [NOW - 30 * HOUR, NOW - HOUR, NOW - 1000, NOW, NOW + 1000, NOW + HOUR]
        given = [put(channel, "x", object_id=ids.new(moment)) for moment in moments]
        assert found(channel) == (given, [])
        for index, object_id in enumerate(given):
            assert found(channel, object_id) == (given[index:], [])
            assert found(channel, ids.stamp(ids.time_ns(object_id) + 1000)) == (given[index + 1 :], [])

    def test_what_is_not_ours_is_told_and_stops_nothing(self, channel):
        ours = put(channel, "x", object_id=ids.new(NOW))
        folder = f"updates/{ids.hour(ours)}"
        others = [f"{folder}/note.txt", f"updates/2026-01-01T00/{ours}-pub.json", "updates/readme"]
        for key in others:
            channel.put(key, Body(b"?"))
        channel.put("elsewhere", Body(b"?"))
        assert found(channel) == ([ours], sorted(others))

    def test_what_a_listing_tells_is_right(self, channel):
        object_id = put(channel, "some text" * 200, compress=True)
        ((listed,), ()) = next(iter(scan.scan(channel, None)))
        info = channel.stat(listed.key)
        assert listed == scan.Listed(listed.key, object_id, "pub", True, info.size, listed.modified_ns)
        assert abs(listed.modified_ns - time.time_ns()) < 60 * 10**9
        assert [update.content for update in scan.fetch(channel, listed)] == ["some text" * 200]

    @pytest.mark.parametrize("compressed", [False, True])
    def test_damage_is_named_and_something_gone_is_gone(self, channel, compressed):
        key = names.update_key(ids.new(NOW), "pub", compressed=compressed)
        for damage in (b"", b"\0damage\n", compression.compressed(b"{}\n")):
            channel.put(key, Body(damage))
            ((listed,), ()) = next(iter(scan.scan(channel, None)))
            with pytest.raises(DamagedUpdateError, match=ids.object_of(listed.id)):
                scan.fetch(channel, listed)
        channel.delete(key)
        with pytest.raises(ObjectNotFoundError):
            scan.fetch(channel, listed)


class TestBounds:
    def test_a_missing_container_is_an_error(self):
        nowhere = MemoryBackend(Location.parse("memory://nowhere"), MemoryOptions(create=False))
        with pytest.raises(ContainerNotFoundError):
            found(nowhere)

    def test_a_bomb_and_what_is_too_large_are_damage(self, memory_channel):
        for content, compressed in ((compression.compressed(bytes(2**28)), True), (bytes(2**23 + 1), False)):
            key = names.update_key(ids.new(NOW), "pub", compressed=compressed)
            memory_channel.put(key, Body(content))
            listed = scan.Listed(key, *names.parse_update(key), len(content), NOW)
            with pytest.raises(DamagedUpdateError, match=r"8388608 bytes|expands to too much"):
                scan.fetch(memory_channel, listed)

    def test_a_page_comes_before_the_next_is_listed(self):
        channel, asked = memory(), []
        for _ in range(3):
            put(channel, "x")

        class Paged(Layer):
            def list(self, prefix="", *, start_after=None, prune=None):
                for page in self.inner.list(prefix, start_after=start_after):
                    for entry in page:
                        asked.append(entry.key)
                        yield Page.of([entry])

        pages = scan.scan(Paged(channel), None)
        next(pages)
        assert len(asked) == 1

    @pytest.mark.parametrize(
        ("gap", "hides"),
        [
            (Gap("updates/2026-11-20T20", "no permission", subtree=True), True),
            (Gap("updates/2026-11-20T20/20261120T203540.123456Z-1a2b3c4d-web1.json", "no permission"), True),
            (Gap("updates/x", "no permission"), False),
            (Gap("updates/link", "a symbolic link", subtree=True, kind="skipped"), False),
        ],
    )
    def test_what_may_hide_updates_raises_and_what_cannot_is_foreign(self, memory_channel, gap, hides):
        class Hiding(Layer):
            def list(self, prefix="", *, start_after=None, prune=None):
                yield Page.of([], (gap,))

        if hides:
            with pytest.raises(AccessDeniedError, match="updates may be hidden there"):
                found(Hiding(memory_channel))
        else:
            assert found(Hiding(memory_channel)) == ([], [gap.key])


def test_a_server_that_lists_in_no_order_brings_them_in_order(rclone_s3):
    options = {**rclone_s3.options, "ordered_listing": False}
    with open_backend(f"s3://{rclone_s3.make_bucket()}/channel", **options) as channel:
        by = Publisher(channel, "web1")
        published = [by.publish(Message("t", "x" * size)) for size in (1, 2000, 100_000, 1)]
        old = put(channel, "old", object_id=ids.new(NOW - 100 * HOUR))
        assert found(channel) == ([old, *(update.id for update in published)], [])
        assert found(channel, published[1].id) == ([update.id for update in published[1:]], [])
        assert [update.content for update in by.publish_many([Message("t", 1), Message("t", b"z" * 70_000)])] == [
            1,
            b"z" * 70_000,
        ]


class TestUnordered:
    def test_a_recent_floor_costs_a_listing_for_each_hour_up_to_two_after_now(self, memory_channel):
        channel = Unordered(memory_channel)
        given = [put(channel, "x", object_id=ids.new(NOW + offset)) for offset in (-HOUR, -5000, -1000, 0)]
        floor = ids.stamp(NOW - 2 * HOUR)
        assert found(channel, floor, clock=lambda: NOW) == (given, [])
        assert len(channel.asked) == 5
        assert len(set(channel.asked)) == 5

    def test_who_is_far_behind_or_begins_costs_one_listing(self, memory_channel):
        channel = Unordered(memory_channel)
        given = sorted(put(channel, "x", object_id=ids.new(NOW - age * HOUR)) for age in (100, 60, 20, 0))
        for floor, expected in ((None, given), (ids.stamp(NOW - 70 * HOUR), given[1:])):
            channel.asked.clear()
            assert found(channel, floor, clock=lambda: NOW) == (expected, [])
            assert channel.asked == ["updates"]

    def test_a_clock_that_is_behind_hears_from_the_store_how_late_it_is(self, memory_channel):
        channel = Unordered(memory_channel)
        given = [put(channel, "x", object_id=ids.new(NOW + offset * HOUR)) for offset in (-10, -8, 1)]
        assert found(channel, given[0], clock=lambda: NOW - 10 * HOUR) == (given, [])

    def test_an_object_of_the_far_future_does_not_cost_a_listing_for_each_hour_until_then(self, memory_channel):
        class Future(Unordered):
            def list(self, prefix="", *, start_after=None, prune=None):
                for page in super().list(prefix):
                    yield Page.of([dataclasses.replace(entry, modified_ns=2**62) for entry in page])

        channel = Future(memory_channel)
        given = put(channel, "x", object_id=ids.new(NOW))
        assert found(channel, given, clock=lambda: NOW) == ([given], [])
        assert len(channel.asked) <= 52

    def test_both_ways_of_listing_find_the_same(self, memory_channel):
        offsets = itertools.product(range(0, 30, 7), (0, 1000, 2000))
        given = sorted(put(memory_channel, "x", object_id=ids.new(NOW - age * HOUR + more)) for age, more in offsets)
        for floor in given:
            assert found(Unordered(memory_channel), floor) == found(memory_channel, floor)
