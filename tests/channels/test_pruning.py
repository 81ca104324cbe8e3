"""Pruning removes what it is told to, and never what a subscriber has yet to see."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.channels import ids, names, pruning
from cloudsync_core.channels.pruning import prune
from cloudsync_core.channels.stats import stats
from cloudsync_core.errors import ConfigError, DeliveryError, UnavailableError
from tests.channels.writing import NOW_NS, SECOND_NS, moment, put, put_newer, put_raw
from tests.engine.stores import Shaped, plain
from tests.unit.layers.scripted import Fault, Scripted

HOUR = 3600


def texts(backend):
    return [key for page in backend.list("updates") for key in page.keys]


def payloads(backend):
    return [key for page in backend.list("payloads") for key in page.keys]


def object_ids(backend):
    return [names.parse_update(key).id for key in texts(backend)]


def put_payload(backend, object_id, number=0, content=b"large"):
    key = names.payload_key(ids.nth(object_id, number), "pub", compressed=False)
    backend.put(key, Body(content))
    return key


def a_day_later():
    return NOW_NS + 25 * HOUR * SECOND_NS


class TestAge:
    def test_what_is_older_goes_with_its_payloads(self, channel):
        old, young = moment(-2 * HOUR), moment(-60)
        for object_id in (old, young):
            put(channel, "one", "two", object_id=object_id)
        gone = [put_payload(channel, old, 0), put_payload(channel, old, 1)]
        kept = put_payload(channel, young)
        report = prune(channel, max_age=HOUR)
        assert (report.updates, report.payloads, report.failed) == (1, 2, 0)
        assert report.bytes > 10
        assert object_ids(channel) == [young]
        assert payloads(channel) == [kept] != gone
        assert prune(channel, max_age=HOUR).updates == 0

    def test_an_update_goes_before_its_payload(self, memory_channel):
        watched = Scripted(memory_channel)
        put(watched, "one", object_id=(old := moment(-2 * HOUR)))
        put_payload(watched, old)
        prune(watched, max_age=HOUR)
        first, second = (keys for _, keys in [call for call in watched.calls if call[0] == "delete_many"])
        assert (first[0].split("/")[0], second[0].split("/")[0]) == ("updates", "payloads")

    def test_what_could_not_be_removed_keeps_its_payloads(self, memory_channel):
        stuck, gone = moment(-2 * HOUR), moment(-3 * HOUR)
        for object_id in (stuck, gone):
            put(memory_channel, "one", object_id=object_id)
            put_payload(memory_channel, object_id)
        watched = Scripted(memory_channel)
        key = names.update_key(stuck, "pub", compressed=False)
        watched.faults["delete_many"] = [Fault(UnavailableError("no answer"), keys=frozenset([key]))]
        report = prune(watched, max_age=HOUR)
        assert (report.updates, report.payloads, report.failed, report.problem) == (1, 1, 1, "no answer")
        assert payloads(memory_channel) == [names.payload_key(stuck, "pub", compressed=False)]


class TestCount:
    def test_the_newest_stay(self, memory_channel):
        all_ids = [put(memory_channel, "x", object_id=moment(number)) for number in range(10)]
        assert prune(memory_channel, max_count=3).updates == 7
        assert object_ids(memory_channel) == all_ids[-3:]
        assert prune(memory_channel, max_count=3).updates == 0

    def test_either_rule_is_enough(self, memory_channel):
        put(memory_channel, "x", object_id=moment(-2 * HOUR))
        all_ids = [put(memory_channel, "x", object_id=moment(-number)) for number in range(3)]
        assert prune(memory_channel, max_age=HOUR, max_count=1).updates == 3
        assert object_ids(memory_channel) == [all_ids[0]]


class TestLatest:
    def test_of_each_topic_the_latest_stay(self, memory_channel):
        first = put(memory_channel, ("a", "1"), ("b", "1"), object_id=moment(-4))
        put(memory_channel, ("a", "2"), object_id=moment(-3))
        third = put(memory_channel, ("a", "3"), object_id=moment(-2))
        assert prune(memory_channel, keep_latest=1).updates == 1
        assert object_ids(memory_channel) == [first, third]

    def test_of_each_topic_as_many_as_are_wanted(self, memory_channel):
        all_ids = [put(memory_channel, "x", object_id=moment(number)) for number in range(5)]
        prune(memory_channel, keep_latest=2)
        assert object_ids(memory_channel) == all_ids[-2:]

    def test_they_stay_however_old_they_are(self, memory_channel):
        put(memory_channel, ("a", "1"), object_id=moment(-4 * HOUR))
        kept = [
            put(memory_channel, ("a", "2"), object_id=moment(-3 * HOUR)),
            put(memory_channel, ("b", "1"), object_id=moment(-2 * HOUR)),
            put(memory_channel, ("b", "2"), object_id=moment(-60)),
        ]
        assert prune(memory_channel, max_age=HOUR, keep_latest=1).updates == 2
        assert object_ids(memory_channel) == [kept[0], kept[2]]

    def test_what_nobody_can_read_yet_stays(self, memory_channel):
        newer = put_newer(memory_channel, moment(-4))
        put_raw(memory_channel, b"damaged", moment(-3))
        latest = put(memory_channel, "x", object_id=moment(-2))
        prune(memory_channel, keep_latest=1)
        assert texts(memory_channel) == [newer, names.update_key(latest, "pub", compressed=False)]

    def test_what_comes_meanwhile_stays(self, memory_channel):
        put(memory_channel, "1", object_id=moment(-4))
        put(memory_channel, "2", object_id=moment(-3))

        class Busy(Scripted):
            def list(self, prefix="", **options):
                yield from super().list(prefix, **options)
                if prefix == "updates" and len(self.called("list")) == 1:
                    put(self.inner, "3", object_id=moment(-2))

        prune(Busy(memory_channel), keep_latest=1)
        assert len(object_ids(memory_channel)) == 2


class TestSubscribers:
    def test_what_one_has_not_seen_stays_and_it_is_named(self, memory_channel, receive):
        for hours in (5, 4, 3, 2):
            put(memory_channel, f"{hours}", object_id=moment(-hours * HOUR))
        receive.poll(name="fast")
        with receive.open(name="slow") as subscriber:
            subscriber.open()
        report = prune(memory_channel, max_age=HOUR)
        assert (report.updates, report.held) == (0, {"slow": 4})
        receive.poll(name="slow")
        report = prune(memory_channel, max_age=HOUR)
        # The last ones before the newest are not certainly seen, as late ones may come there.
        assert (report.updates, sum(report.held.values())) == (3, 1)

    def test_what_one_has_parked_stays(self, memory_channel, receive):
        parked = put(memory_channel, "bad", object_id=moment(-5 * HOUR))
        put(memory_channel, "good", object_id=moment(-4 * HOUR))
        put(memory_channel, "new", object_id=moment(-60))
        receive.inbox.failures["bad"] = [DeliveryError("never", retry=False)]
        receive.once()
        report = prune(memory_channel, max_age=HOUR)
        assert (report.updates, report.held) == (1, {"me": 1})
        assert object_ids(memory_channel)[0] == parked

    def test_one_that_cannot_be_read_holds_everything(self, memory_channel):
        memory_channel.put(names.subscriber_key("me"), Body(b"damaged"))
        put(memory_channel, "x", object_id=moment(-2 * HOUR))
        assert prune(memory_channel, max_age=HOUR).held == {"me": 1}

    def test_force_asks_nobody(self, memory_channel, receive):
        with receive.open() as subscriber:
            subscriber.open()
        put(memory_channel, "x", object_id=moment(-2 * HOUR))
        assert prune(memory_channel, max_age=HOUR, force=True).updates == 1
        assert receive.poll().delivered == 0


class TestOrphans:
    def test_a_payload_that_never_got_an_update_goes_after_a_day(self, memory_channel):
        orphan = put_payload(memory_channel, moment(-60))
        put(memory_channel, "x", object_id=(with_update := moment(-30)))
        used = put_payload(memory_channel, with_update)
        memory_channel.put("payloads/README", Body(b"not ours"))
        assert prune(memory_channel, max_count=1).payloads == 0
        assert payloads(memory_channel) == sorted([orphan, used, "payloads/README"])
        assert prune(memory_channel, max_count=1, clock=a_day_later).payloads == 1
        assert payloads(memory_channel) == sorted([used, "payloads/README"])

    def test_one_that_was_written_just_now_stays_whatever_its_id_says(self, memory_channel):
        put_payload(memory_channel, moment(-50 * HOUR))
        assert prune(memory_channel, max_count=1).payloads == 0


class TestRules:
    @pytest.mark.parametrize("rules", [{}, {"max_age": -1}, {"max_count": -1}, {"keep_latest": 0}])
    def test_those_that_make_no_sense_are_refused(self, memory_channel, rules):
        with pytest.raises(ConfigError):
            prune(memory_channel, **rules)

    def test_a_dry_run_tells_the_same_and_removes_nothing(self, memory_channel):
        for number in range(5):
            put(memory_channel, "x", object_id=(object_id := moment(-2 * HOUR - number)))
            put_payload(memory_channel, object_id)
        before = texts(memory_channel), payloads(memory_channel)
        dry = prune(memory_channel, max_count=2, dry_run=True)
        assert (texts(memory_channel), payloads(memory_channel)) == before
        wet = prune(memory_channel, max_count=2)
        assert {**dry.to_dict(), "dry_run": False} == wet.to_dict()
        assert wet.updates == 3

    @pytest.mark.parametrize("ordered", [True, False])
    def test_batches_and_unordered_listings_make_no_difference(self, memory_channel, monkeypatch, ordered):
        monkeypatch.setattr(pruning, "BATCH", 3)
        backend = Shaped(plain(memory_channel), ordered_listing=ordered)
        for number in range(10):
            put(backend, "x", object_id=(object_id := moment(-60 * number)))
            for index in range(number % 5):
                put_payload(backend, object_id, index)
        report = prune(backend, max_count=4)
        assert (report.updates, report.payloads, report.kept) == (6, 4 + 0 + 1 + 2 + 3 + 4, 4)
        assert len(payloads(memory_channel)) == 0 + 1 + 2 + 3

    def test_what_is_foreign_is_left_alone(self, memory_channel):
        memory_channel.put("updates/README", Body(b"not ours"))
        prune(memory_channel, max_count=0)
        assert texts(memory_channel) == ["updates/README"]


class TestStats:
    def test_tell_what_is_there_and_who_is_behind(self, channel, receive_anywhere):
        oldest = put(channel, "one", "two", object_id=moment(-60))
        put_payload(channel, oldest)
        channel.put("updates/README", Body(b"not ours"))
        receive_anywhere.once()
        newest = put(channel, "three")
        found = stats(channel)
        assert (found.updates, found.payloads, found.payload_bytes, found.foreign) == (2, 1, 5, 1)
        assert (found.oldest, found.newest) == (oldest, newest)
        [standing] = found.subscribers
        assert (standing.name, standing.behind, standing.parked, standing.problem) == ("me", 1, 0, None)
        assert found.to_dict()["subscribers"][0]["name"] == "me"

    def test_an_empty_channel_has_nothing(self, memory_channel):
        found = stats(memory_channel)
        assert (found.updates, found.oldest, found.newest, found.subscribers) == (0, None, None, ())
