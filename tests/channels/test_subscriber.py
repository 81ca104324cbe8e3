"""What a subscriber promises: everything, at least once; nothing twice after a clean stop; nothing holds up others."""

import dataclasses
import threading

import pytest

from cloudsync_core.body import Body
from cloudsync_core.channels import envelope, ids, names
from cloudsync_core.channels.events import Failed, ParkedAway, Skipped, Unreachable
from cloudsync_core.channels.failing import Backoff
from cloudsync_core.channels.payloads import Payload
from cloudsync_core.engine.state import State
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    ChannelError,
    ConfigError,
    ContainerNotFoundError,
    DeliveryError,
    IntegrityError,
    StateError,
    UnavailableError,
)
from tests.channels.receiving import LATER, Inbox
from tests.channels.writing import SECOND_NS, moment, put, put_newer, put_raw
from tests.engine.stores import Watched
from tests.unit.layers.scripted import Fault, Scripted


def lists(backend):
    """Return how many requests for a page of updates a scripted store has got."""
    return len(backend.called("list"))


class TestEveryStore:
    def test_delivers_everything_once_over_clean_stops(self, channel, receive_anywhere):
        for number in range(3):
            put(channel, f"one {number}")
        put(channel, *(f"batch {number}" for number in range(4)), compress=True)
        assert receive_anywhere.poll().delivered == 7
        assert receive_anywhere.poll().delivered == 0
        put(channel, "late")
        receive_anywhere.once()
        assert receive_anywhere.inbox.contents == [
            *(f"one {number}" for number in range(3)),
            *(f"batch {number}" for number in range(4)),
            "late",
        ]

    def test_one_that_starts_with_the_latest_gets_what_comes_from_then_on(self, channel, receive_anywhere):
        put(channel, "old")
        put(channel, "of a clock that is ahead", object_id=moment(120))
        with receive_anywhere.open(start="latest") as subscriber:
            subscriber.open()
            put(channel, "new")
            put(channel, "of a clock that is behind", object_id=moment(-240))
            subscriber.poll()
        assert sorted(receive_anywhere.inbox.contents) == ["new", "of a clock that is behind"]

    def test_an_empty_channel_is_none_to_worry_about(self, receive_anywhere):
        assert receive_anywhere.once().delivered == 0


class TestCost:
    def test_a_poll_that_finds_nothing_new_is_one_list_and_nothing_else(self, memory_channel, receive):
        for number in range(20):
            put(memory_channel, f"{number}")
        receive.poll()
        watched = Scripted(memory_channel)
        with receive.open(backend=watched) as subscriber:
            subscriber.open()
            watched.calls.clear()
            subscriber.poll()
        assert [verb for verb, _ in watched.calls] == ["list"]

    def test_the_cursor_moves_so_that_what_is_old_is_not_listed_again(self, memory_channel, receive):
        for minutes in range(100, 0, -1):
            put(memory_channel, f"{minutes}", object_id=moment(-60 * minutes))
        receive.poll()
        assert receive.poll().listed == 16
        with State(receive.state, read_only=True) as state, state.using() as connection:
            [(rows,)] = connection.execute("SELECT count(*) FROM seen")
        assert rows == 16

    def test_an_idle_subscriber_writes_nothing_into_the_channel(self, memory_channel, receive):
        put(memory_channel, "one")
        receive.poll()
        watched = Watched(memory_channel)
        receive.poll(backend=watched)
        assert watched.called("put") == []

    def test_own_updates_are_settled_without_being_read(self, memory_channel, receive):
        put(memory_channel, "own", publisher="me")
        put(memory_channel, "other", publisher="other")
        watched = Scripted(memory_channel)
        receive.poll(backend=watched, skip_own="me")
        assert receive.inbox.contents == ["other"]
        assert [key for key in watched.called("get") if "-me.json" in key] == []
        receive.poll()
        assert receive.inbox.contents == ["other"]


class TestStart:
    def test_a_time_leaves_out_what_the_store_got_before(self, memory_channel, receive):
        put(memory_channel, "before")
        [info] = [info for page in memory_channel.list("updates") for info in page]
        receive.once(start=info.modified_ns / SECOND_NS + 2)
        assert receive.inbox.contents == []

    def test_a_time_does_not_ask_publishers_clocks(self, memory_channel, receive):
        put(memory_channel, "behind", object_id=moment(-240))
        [info] = [info for page in memory_channel.list("updates") for info in page]
        receive.once(start=info.modified_ns / SECOND_NS - 60)
        assert receive.inbox.contents == ["behind"]

    def test_counts_only_for_a_subscription_that_is_new(self, memory_channel, receive):
        receive.once(start="latest")
        put(memory_channel, "one")
        receive.once(start="latest")
        assert receive.inbox.contents == ["one"]

    @pytest.mark.parametrize(
        "options",
        [{"start": "newest"}, {"start": float("nan")}, {"attempts": 0}, {"topics": ["a//b"]}, {"name": "a/b"}],
    )
    def test_what_makes_no_sense_is_refused(self, receive, options):
        with pytest.raises(ConfigError):
            receive.once(**options)


class TestTopics:
    def test_only_those_that_are_wanted_are_delivered(self, memory_channel, receive):
        put(memory_channel, ("a/x", "1"), ("b", "2"), ("a/y/z", "3"), ("a/z", "4"))
        receive.once(topics=["a/*"])
        assert receive.inbox.contents == ["1", "4"]
        assert receive.poll().delivered == 0


class TestFailures:
    def test_an_update_is_tried_again_and_what_follows_in_its_topic_waits(self, memory_channel, receive):
        put(memory_channel, ("a", "a1"), ("b", "b1"), ("a", "a2"))
        put(memory_channel, ("a", "a3"), ("b", "b2"))
        receive.inbox.failures["a1"] = [RuntimeError("no"), RuntimeError("no")]
        receive.once()
        assert receive.inbox.contents == ["b1", "b2", "a1", "a2", "a3"]
        assert [event.attempts for event in receive.told(Failed)] == [1, 2]
        assert receive.poll().delivered == 0

    def test_one_that_fails_every_time_is_parked_and_its_topic_goes_on(self, memory_channel, receive):
        put(memory_channel, "bad", "good")
        receive.inbox.failures["bad"] = [RuntimeError(f"no {number}") for number in range(1, 9)]
        result = receive.once(attempts=3)
        assert (result.delivered, result.parked) == (1, 1)
        assert receive.inbox.tries == ["bad", "bad", "bad", "good"]
        [parked] = receive.told(ParkedAway)
        assert (parked.error, parked.topic) == ("RuntimeError: no 3", "news")

    def test_one_that_nothing_can_mend_is_parked_at_once(self, memory_channel, receive):
        put(memory_channel, "bad", "good")
        receive.inbox.failures["bad"] = [DeliveryError("never", retry=False)]
        receive.once()
        assert receive.inbox.tries == ["bad", "good"]

    def test_deliverers_that_have_succeeded_are_not_asked_again(self, memory_channel, receive):
        put(memory_channel, "one")
        first, second = Inbox(), Inbox()
        second.failures["one"] = [RuntimeError("no"), RuntimeError("no")]
        receive.once(deliver=[first, second])
        assert (first.tries, second.tries) == (["one"], ["one"] * 3)

    def test_one_that_fails_keeps_the_update_from_no_other(self, memory_channel, receive):
        put(memory_channel, "one", "two")
        never, passing, right = Inbox(), Inbox(), Inbox()
        never.failures["one"] = [DeliveryError("never", retry=False)] * 9
        passing.failures["one"] = [RuntimeError("no")]
        receive.once(deliver=[never, passing, right])
        assert (never.contents, passing.contents, right.contents) == (["two"], ["one", "two"], ["one", "two"])
        assert right.tries == ["one", "two"]
        [parked] = receive.told(ParkedAway)
        assert parked.error == "never"

    def test_waits_grow_and_are_never_the_same(self):
        waits = [[Backoff(first=1.0, most=60.0)(failed) for _ in range(50)] for failed in range(1, 9)]
        for number, some in enumerate(waits):
            most = min(60.0, 2.0**number)
            assert all(most / 2 <= wait <= most for wait in some)
            assert len(set(some)) > 1

    @pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (1e9, 3600.0), (None, 0.0)])
    def test_who_asks_for_a_pause_gets_it_within_bounds(self, memory_channel, receive, asked, waited):
        put(memory_channel, "one")
        receive.inbox.failures["one"] = [DeliveryError("busy", retry_after=asked)]
        receive.poll()
        assert [event.wait for event in receive.told(Failed)] == [waited]

    def test_what_waits_is_not_read_again_and_again(self, memory_channel, receive):
        for number in range(10):
            put(memory_channel, f"{number}")
        receive.inbox.failures["0"] = [RuntimeError("no")]
        watched = Scripted(memory_channel)
        with receive.open(backend=watched, backoff=LATER) as subscriber:
            assert subscriber.poll().put_off == 10
            read = len(watched.called("get"))
            assert subscriber.poll().put_off == 10
            assert len(watched.called("get")) == read
        receive.once()
        assert receive.inbox.contents == [f"{number}" for number in range(10)]

    def test_nothing_of_it_moves_the_cursor(self, memory_channel, receive):
        put(memory_channel, "old", object_id=moment(-7200))
        put(memory_channel, "new", topic="other")
        receive.inbox.failures["old"] = [RuntimeError("no")]
        receive.poll(backoff=LATER)
        assert receive.inbox.contents == ["new"]
        receive.once()
        assert receive.inbox.contents == ["new", "old"]

    def test_many_topics_that_fail_do_not_fill_the_memory(self, memory_channel, receive, monkeypatch):
        monkeypatch.setattr("cloudsync_core.channels.subscriber.MANY", 5)
        for number in range(20):
            put(memory_channel, f"{number}", topic=f"topic-{number}")
            receive.inbox.failures[f"{number}"] = [RuntimeError("no")]
        with receive.open(backoff=LATER) as subscriber:
            subscriber.poll()
        assert len(receive.inbox.tries) == 5
        receive.inbox.failures.clear()
        receive.once()
        assert receive.inbox.contents == [f"{number}" for number in range(20)]


class TestStrangers:
    def test_what_is_damaged_or_foreign_is_told_by_its_key_and_holds_up_nothing(self, memory_channel, receive):
        damaged = put_raw(memory_channel, b"no envelope\n", moment(-60))
        memory_channel.put("updates/README.txt", Body(b"hello"))
        put(memory_channel, "good")
        with receive.open() as subscriber:
            assert subscriber.poll().skipped == 2
            assert subscriber.poll().skipped == 0
        told = {event.key: event.kind for event in receive.told(Skipped)}
        assert told == {damaged: "damaged", "updates/README.txt": "foreign"}
        assert receive.inbox.contents == ["good"]
        receive.events.clear()
        receive.poll()
        assert [event.kind for event in receive.told(Skipped)] == ["foreign"]

    def test_a_newer_format_is_left_to_a_newer_version(self, memory_channel, receive, monkeypatch):
        key = put_newer(memory_channel, moment(-60))
        put(memory_channel, "good")
        receive.once()
        [skipped] = receive.told(Skipped)
        assert (skipped.key, skipped.kind) == (key, "newer")
        assert "format 2" in skipped.reason
        assert receive.inbox.contents == ["good"]
        for again in (2, 3):
            receive.once()
            assert [event.key for event in receive.told(Skipped)] == [key] * again
        assert receive.told(Skipped)[-1].reason.endswith(": 1")
        monkeypatch.setattr(envelope, "FORMAT", 2)
        parsed = names.parse_update(key)
        memory_channel.delete(key)
        put(memory_channel, "of the newer format", object_id=parsed.id)
        receive.once()
        assert receive.inbox.contents == ["good", "of the newer format"]

    def test_what_is_pruned_before_it_is_read_is_settled(self, memory_channel, receive):
        put(memory_channel, "gone")
        [key] = [key for page in memory_channel.list("updates") for key in page.keys]

        class Pruned(Scripted):
            def read(self, wanted, limit):
                if wanted == key:
                    self.inner.delete(key)
                return self.inner.read(wanted, limit)

        assert receive.poll(backend=Pruned(memory_channel)).skipped == 1
        assert [event.kind for event in receive.told(Skipped)] == ["gone"]
        put(memory_channel, "next")
        assert receive.poll().delivered == 1

    def test_a_payload_that_is_not_what_was_published_is_refused_and_parked(self, memory_channel, receive):
        object_id = moment()
        payload = Payload(names.payload_key(object_id, "pub", compressed=False), 4, f"sha256:{'0' * 64}", False)
        memory_channel.put(payload.key, Body(b"evil"))
        put(memory_channel, "evil", object_id=object_id, payload=payload)
        put(memory_channel, "good", topic="other")
        contents = []
        receive.once(deliver=[lambda update: contents.append(update.read())], attempts=2)
        assert contents == [b"good"]
        [failed], [parked] = receive.told(Failed), receive.told(ParkedAway)
        assert isinstance(failed.error, IntegrityError)
        assert payload.key in parked.error

    def test_an_object_that_cannot_be_read_for_a_reason_of_its_own_is_parked(self, memory_channel, receive):
        put(memory_channel, "bad")
        watched = Scripted(memory_channel)
        watched.faults["get"] = [None, *[Fault(IntegrityError("cut short", location=memory_channel.location))] * 2]
        assert receive.once(backend=watched).parked == 1
        assert receive.poll().delivered == 0


class TestTrouble:
    def unavailable(self, backend):
        return Fault(UnavailableError("no answer", operation="list", location=backend.location))

    def test_a_channel_that_is_out_of_reach_is_asked_again_later(self, memory_channel, receive, monkeypatch):
        monkeypatch.setattr("cloudsync_core.channels.subscriber._UNREACHABLE", Backoff(first=0.01))
        put(memory_channel, "one")
        stop = threading.Event()
        watched = Scripted(memory_channel)

        def deliver(update):
            receive.inbox(update)
            stop.set()

        with receive.open(backend=watched, stop=stop, deliver=[deliver]) as subscriber:
            subscriber.open()
            watched.faults["list"] = [self.unavailable(memory_channel)] * 5
            subscriber.run(60)
        assert receive.inbox.contents == ["one"]
        assert len(receive.told(Unreachable)) == 2

    def test_once_ends_by_it(self, memory_channel, receive):
        watched = Scripted(memory_channel)
        watched.faults["list"] = [self.unavailable(memory_channel)] * 2
        with pytest.raises(UnavailableError):
            receive.once(backend=watched)

    def test_an_outage_while_a_payload_is_read_costs_no_attempt(self, memory_channel, receive):
        put(memory_channel, "one")
        outage = UnavailableError("no answer", operation="get", location=memory_channel.location)
        receive.inbox.failures["one"] = [outage]
        with pytest.raises(UnavailableError):
            receive.once(attempts=1)
        assert receive.once(attempts=1).delivered == 1

    @pytest.mark.parametrize("error", [ContainerNotFoundError, AccessDeniedError])
    def test_what_waiting_does_not_mend_ends_it(self, memory_channel, receive, error):
        put(memory_channel, "one")
        watched = Scripted(memory_channel)
        with receive.open(backend=watched) as subscriber:
            subscriber.open()
            watched.faults["list"] = [Fault(error("no", location=memory_channel.location))]
            with pytest.raises(error):
                subscriber.run(60)
            assert subscriber.run(60, once=True).delivered == 1


class TestStop:
    def test_ends_between_two_deliveries_and_nothing_comes_twice(self, memory_channel, receive):
        put(memory_channel, *(f"{number}" for number in range(5)))
        put(memory_channel, "5")
        stop = threading.Event()

        def deliver(update):
            receive.inbox(update)
            if update.content == "2":
                stop.set()

        with receive.open(stop=stop, deliver=[deliver]) as subscriber:
            subscriber.run(60)
        assert receive.inbox.contents == ["0", "1", "2"]
        receive.once()
        assert receive.inbox.contents == [f"{number}" for number in range(6)]

    def test_a_wait_ends_at_once(self, receive):
        stop = threading.Event()
        with receive.open(stop=stop) as subscriber:
            subscriber.open()
            threading.Timer(0.05, stop.set).start()
            subscriber.run(3600)

    def test_a_layer_that_hears_of_it_first_ends_it_as_well(self, memory_channel, receive):
        put(memory_channel, "one")
        stop = threading.Event()

        class Ended(Scripted):
            def read(self, key, limit):
                if key.startswith("updates"):
                    stop.set()
                    raise CancelledError("interrupted")
                return super().read(key, limit)

        with receive.open(backend=Ended(memory_channel), stop=stop) as subscriber:
            assert subscriber.run(60).delivered == 0
        assert receive.once().delivered == 1


class TestNames:
    def test_a_subscription_belongs_to_one_process_of_a_machine(self, receive):
        with receive.open() as subscriber:
            subscriber.open()
            with pytest.raises(StateError, match="subscription 'me' is already being run by process"):
                receive.poll()
        receive.poll()

    def test_another_state_has_not_the_name(self, receive, tmp_path):
        receive.poll()
        other = dataclasses.replace(receive, state=tmp_path / "other.db")
        with pytest.raises(ChannelError, match="another subscriber has the name 'me'") as raised:
            other.poll()
        assert "channel forget" in str(raised.value)

    def test_subscribers_of_other_names_share_a_state_and_nothing_else(self, memory_channel, receive):
        put(memory_channel, "one")
        assert receive.poll(name="a").delivered == 1
        assert receive.poll(name="b").delivered == 1
        assert receive.poll(name="a").delivered == 0

    def test_who_may_only_read_is_not_registered(self, memory_channel, receive):
        put(memory_channel, "one")
        watched = Watched(memory_channel)
        denied = Fault(AccessDeniedError("no", location=memory_channel.location))
        watched.faults["put"] = [denied] * 9
        with pytest.raises(AccessDeniedError, match="without being registered"):
            receive.poll(backend=watched)
        assert receive.poll(backend=watched, register=False).delivered == 1
        assert [key for page in memory_channel.list("subscribers") for key in page.keys] == []


def test_ids_of_one_object_are_settled_one_by_one(memory_channel, receive):
    object_id = put(memory_channel, "1", "2", "3")
    stop = threading.Event()

    def deliver(update):
        receive.inbox(update)
        stop.set()

    with receive.open(stop=stop, deliver=[deliver]) as subscriber:
        subscriber.poll()
    receive.poll()
    assert receive.inbox.ids == [ids.nth(object_id, number) for number in range(3)]
