"""`sqs` on a real S3 and SQS: hints at what changed, and no message is lost, or deleted before it is settled."""

import json
import logging
import random
import subprocess
import sys
import threading
import time

import cloudsync_s3.source
import pytest
from cloudsync_s3.config import S3Options
from cloudsync_s3.queue import Name
from cloudsync_s3.source import SqsEvents, SqsOptions, default_queue

from cloudsync_core.errors import ConfigError, OptionsError
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins
from tests.servers.proxy import Response, proxy_before
from tests.servers.sqs import Courier

HEARS = """
import json, sys, time
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from cloudsync_s3.config import S3Options
from cloudsync_s3.queue import Name
from cloudsync_s3.source import SqsEvents, SqsOptions

bucket, options, own = json.loads(sys.argv[1])
with SqsEvents(Watched(Location("s3", bucket), None, S3Options(**options)), SqsOptions(**own)) as source:
    while (hints := source.wait(20)) is None:
        pass
    print(hints.keys, flush=True)
    time.sleep(60)
"""
"""A process that hears of something, and never gets round to it."""

PARTLY = json.dumps({"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}).encode()


class Place:
    """A bucket, and a queue that it tells of everything.

    The server may be reached through a proxy.
    """

    def __init__(self, queues, **attributes):
        self.queues = queues
        self.bucket = queues.server.make_bucket()
        self.queue = queues.make(**attributes)
        queues.tell(self.bucket, self.queue)

    @property
    def name(self):
        return self.queue.rpartition("/")[2]

    def put(self, *keys):
        for key in keys:
            self.queues.server.client.put_object(Bucket=self.bucket, Key=key, Body=b"x")

    def delete(self, key):
        self.queues.server.client.delete_object(Bucket=self.bucket, Key=key)

    def watch(self, prefix="", server=None, **options):
        location = Location("s3", f"{self.bucket}/{prefix}".rstrip("/"))
        backend_options = S3Options(**(server or self.queues.server).options)
        return SqsEvents(Watched(location, None, backend_options), SqsOptions(**{"queue": self.name, **options}))

    def left(self):
        return self.queues.left(self.queue)


@pytest.fixture
def place(queues):
    return Place(queues)


def received(request):
    return request.headers.get("x-amz-target") == "AmazonSQS.ReceiveMessage"


def deleted(request):
    return request.headers.get("x-amz-target") == "AmazonSQS.DeleteMessageBatch"


def next_of(source, seconds=20):
    until = time.monotonic() + seconds
    while (hints := source.wait(1)) is None:
        assert time.monotonic() < until, "there was no hint"
    return hints


def gather(source, wanted, seconds=20):
    """Hints until all of these keys were hinted at; the keys, in the order in which they came, and the hints."""
    found, batches = [], []
    until = time.monotonic() + seconds
    while not set(wanted) <= set(found):
        assert time.monotonic() < until, f"no hint at {set(wanted) - set(found)}"
        if (hints := source.wait(1)) is not None:
            found += hints.keys
            batches.append(hints)
    return found, batches


def settled(place, seconds=10):
    until = time.monotonic() + seconds
    while place.left():
        assert time.monotonic() < until, f"{place.left()} messages are left"
        time.sleep(0.02)


class TestHints:
    def test_H1_what_is_put_and_deleted_is_hinted_at(self, place):
        with place.watch() as source:
            place.put("new", "a b+c%/é\u2028")
            gather(source, {"new", "a b+c%/é\u2028"})
            place.delete("new")
            assert gather(source, {"new"})[0] == ["new"]

    def test_H2_keys_are_relative_to_the_prefix_and_others_are_settled_at_once(self, place):
        with place.watch("site") as source:
            place.put("site/in", "sitemap", "other/out", "site/")
            assert gather(source, {"in"})[0] == ["in"]
            assert source.wait(0) is None
            while place.left() > 1:
                time.sleep(0.02)

    def test_H2_what_is_no_key_is_told_once_and_is_no_hint(self, place, caplog):
        with place.watch() as source:
            for name in ("a%FF", "b%FE"):
                text = {
                    "Records": [
                        {"eventSource": "aws:s3", "s3": {"bucket": {"name": place.bucket}, "object": {"key": name}}}
                    ]
                }
                place.queues.send(place.queue, json.dumps(text))
            assert source.wait(0) is None
            settled(place)
        assert caplog.text.count("names what is no key") == 1

    def test_H4_a_wait_returns_as_soon_as_there_is_something(self, place):
        with place.watch() as source:
            timer = threading.Timer(0.5, place.put, ["late"])
            timer.start()
            began = time.monotonic()
            hints = source.wait(20)
            timer.join()
            assert hints.keys == ("late",)
            assert time.monotonic() - began < 8

    def test_H4_a_wait_without_anything_ends(self, place):
        with place.watch() as source:
            began = time.monotonic()
            assert source.wait(1) is None
            assert time.monotonic() - began < 5

    def test_many_messages_come_in_batches(self, place):
        names = {f"{number:03}" for number in range(35)}
        with place.watch() as source:
            place.put(*names)
            _, batches = gather(source, names)
            assert len(batches) >= 4
            assert all(len(hints.keys) <= 10 for hints in batches)

    def test_events_of_another_bucket_are_settled_at_once(self, place):
        other = place.queues.server.make_bucket()
        place.queues.tell(other, place.queue)
        place.queues.server.client.put_object(Bucket=other, Key="k", Body=b"")
        with place.watch() as source:
            assert source.wait(0) is None
            settled(place)

    @pytest.mark.parametrize("raw", ["true", "false"])
    def test_events_come_by_way_of_a_topic(self, place, raw):
        sns = place.queues.sns
        topic = sns.create_topic(Name=place.name)["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=place.queues.arn(place.queue),
            Attributes={"RawMessageDelivery": raw},
        )
        place.queues.server.client.put_bucket_notification_configuration(
            Bucket=place.bucket,
            NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
        )
        with place.watch() as source:
            place.put("a b")
            for hints in gather(source, {"a b"})[1]:
                hints.done()
            settled(place)

    def test_events_of_eventbridge_are_read(self, place):
        detail = {"bucket": {"name": place.bucket}, "object": {"key": "100%25 a+b"}}
        place.queues.send(place.queue, json.dumps({"source": "aws.s3", "detail": detail}))
        with place.watch() as source:
            gather(source, {"100%25 a+b"})

    def test_the_test_of_a_new_notification_is_ignored(self, place):
        place.queues.send(place.queue, json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
        with place.watch() as source:
            assert source.wait(0) is None
            settled(place)


class TestMessages:
    def test_H5_are_deleted_only_when_done_is_called(self, place):
        with place.watch() as source:
            place.put("k")
            _, [hints] = gather(source, {"k"})
            assert place.left() == 1
            hints.done()
            settled(place)
            hints.done()

    def test_H5_are_kept_from_others_while_work_is_under_way(self, place):
        with place.watch(visibility=3) as source, place.watch(visibility=3) as other:
            place.put("slow")
            _, [hints] = gather(source, {"slow"})
            assert other.wait(4) is None
            hints.done()
            settled(place)

    def test_H5_come_again_when_a_process_dies_before_it_has_done(self, place):
        place.put("k")
        given = json.dumps([place.bucket, place.queues.server.options, {"queue": place.name, "visibility": 2}])
        process = subprocess.Popen([sys.executable, "-c", HEARS, given], stdout=subprocess.PIPE, text=True)
        with process, place.watch() as source:
            assert process.stdout.readline() == "('k',)\n"
            assert source.wait(0) is None
            process.kill()
            gather(source, {"k"})

    def test_what_is_not_settled_is_let_go_at_the_end(self, place):
        place.put(*(f"{number}" for number in range(12)))
        with place.watch() as source:
            _, batches = gather(source, {f"{number}" for number in range(12)})
            batches[0].done()
        left = 12 - len(batches[0].keys)
        assert place.left() == left
        with place.watch() as source:
            began = time.monotonic()
            found = set()
            while len(found) < left:
                found.update(source.wait(1).keys)
            assert time.monotonic() - began < 10
        batches[-1].done()

    def test_that_nobody_can_read_are_left_counted_and_told_once_a_kind(self, place, caplog):
        place.queues.send(place.queue, "hello", "you", "{}", '{"Records": [{"eventSource": "aws:s3"}]}')
        with place.watch() as source:
            until = time.monotonic() + 10
            while source.unreadable.total() < 4 and time.monotonic() < until:
                assert source.wait(0) is None
            place.put("k")
            gather(source, {"k"})[1][0].done()
            while place.left() > 4:
                time.sleep(0.02)
            assert source.unreadable.total() == 4
        assert place.left() == 4
        assert caplog.text.count("it is not JSON") == caplog.text.count("no event of S3's") == 1

    def test_that_nobody_can_read_end_in_the_queue_for_such(self, queues):
        dead = queues.make()
        redrive = json.dumps({"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": 1})
        place = Place(queues, RedrivePolicy=redrive)
        queues.send(place.queue, "hello")
        with place.watch(visibility=2) as source:
            until = time.monotonic() + 20
            while not queues.left(dead):
                assert source.wait(1) is None
                assert time.monotonic() < until

    def test_that_are_late_are_no_hints(self, place):
        def event(sequencer):
            about = {"key": "k", "sequencer": sequencer}
            record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": place.bucket}, "object": about}}
            place.queues.send(place.queue, json.dumps({"Records": [record]}))

        with place.watch() as source:
            event("0B")
            gather(source, {"k"})[1][0].done()
            event("0A")
            assert source.wait(0) is None
            settled(place)
            event("0C")
            gather(source, {"k"})

    def test_that_come_twice_late_or_in_disorder_lose_nothing(self, queues, seed):
        place = Place(queues)
        outer = queues.make()
        dice = random.Random(seed)
        names = [f"{number % 15}" for number in range(40)]
        expected = {}
        with (
            Courier(queues, place.queue, outer, dice, repeat=0.5, delay=0.5) as courier,
            place.watch(queue=outer.rpartition("/")[2]) as source,
        ):
            for name in names:
                expected[name] = None
                place.put(name)
            # Whoever looks at what is hinted at sees the last state: every key is hinted at after its last change.
            _, batches = gather(source, expected)
            for hints in batches:
                hints.done()
            while place.left() or queues.left(outer):
                if (hints := source.wait(0)) is not None:
                    hints.done()
            assert courier.repeated > 0


class TestTrouble:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch):
        monkeypatch.setattr(cloudsync_s3.source, "_FIRST_PAUSE", 0.1)

    def test_H6_a_queue_that_is_deleted_in_mid_run_is_told_once_and_waited_for(self, place, caplog):
        caplog.set_level(logging.INFO)
        with place.watch() as source:
            place.put("before")
            gather(source, {"before"})
            place.queues.sqs.delete_queue(QueueUrl=place.queue)
            until = time.monotonic() + 4
            while time.monotonic() < until and caplog.text.count("no such queue") < 1:
                assert source.wait(1) is None
            assert source.wait(1) is None
            assert caplog.text.count("there is no such queue") == 1
            assert "found when everything is looked at" in caplog.text
            place.queues.make(place.name)
            place.queues.tell(place.bucket, place.queue)
            assert "no events came from the queue" in next_of(source).everything
            place.put("after")
            gather(source, {"after"})
        assert "come from the queue" in caplog.text

    def test_H6_a_queue_that_is_missing_says_how_to_make_it(self, place, caplog):
        with place.watch("a/b", queue=None) as source:
            assert source.wait(0) is None
        assert f"cloudsync s3 setup {place.bucket} --prefix a/b" in caplog.text
        assert default_queue(place.bucket, "a/b") in caplog.text

    def test_H6_without_permission_it_waits_and_then_looks_at_everything(self, place, caplog):
        body = json.dumps({"__type": "com.amazonaws.sqs#AccessDenied", "message": "secret-token"}).encode()
        with proxy_before(place.queues.server) as proxy, place.watch(server=proxy.server) as source:
            refused = proxy.disturb(received, lambda *_: Response(403, body, {}))
            while refused.met < 2:
                assert source.wait(1) is None
            proxy.calm()
            assert next_of(source).everything
        assert caplog.text.count("No events come") == 1
        assert "secret-token" not in caplog.text

    def test_H6_a_server_that_is_away_for_a_moment_loses_nothing(self, place, caplog):
        with proxy_before(place.queues.server) as proxy, place.watch(server=proxy.server) as source:
            away = proxy.disturb(lambda _: True, lambda *_: None, times=2)
            place.put("k")
            [hints] = gather(source, {"k"})[1]
            assert hints.everything is None
            assert away.met == 2
        assert caplog.text.count("No events come") == 1

    def test_H5_a_message_that_cannot_be_deleted_at_first_is_deleted_later(self, place):
        with proxy_before(place.queues.server) as proxy, place.watch(server=proxy.server) as source:
            failing = proxy.disturb(deleted, lambda *_: Response(500, b"", {}), times=1)
            partly = proxy.disturb(deleted, lambda *_: Response(200, PARTLY, {}), after=1, times=1)
            place.put("k")
            gather(source, {"k"})[1][0].done()
            settled(place)
            assert (failing.met, partly.met) == (1, 1)

    def test_H5_a_message_that_may_not_be_deleted_comes_again_and_that_is_told_once(self, place, caplog):
        with proxy_before(place.queues.server) as proxy, place.watch(server=proxy.server) as source:
            denied = proxy.disturb(deleted, lambda *_: Response(403, b"{}", {}))
            place.put("a", "b")
            for hints in gather(source, {"a", "b"})[1]:
                hints.done()
            while not denied.met:
                time.sleep(0.02)
        assert place.left() == 2
        assert caplog.text.count("The messages come again") == 1

    def test_too_many_unsettled_messages_stop_it_until_some_are_settled(self, place, monkeypatch):
        monkeypatch.setattr(cloudsync_s3.source, "MOST_UNSETTLED", 10)
        monkeypatch.setattr(cloudsync_s3.source, "_FULL_SECONDS", 0.5)
        place.put(*(f"{number:02}" for number in range(15)))
        with place.watch() as source:
            batches = []
            while sum(len(hints.keys) for hints in batches) < 10:
                batches.append(next_of(source))
            # Something holds them up; so that nothing waits for it alone, everything is to be looked at.
            assert "more messages are in hand" in next_of(source).everything
            for hints in batches:
                hints.done()
            assert next_of(source).keys

    def test_the_address_and_the_name_are_looked_at_first(self, place):
        with pytest.raises(OptionsError, match="queue"):
            Plugins.load().event_source("sqs", watched(place), {"queue": "ftp://x/y"})
        with pytest.raises(ConfigError, match="no location of file"):
            Plugins.load().event_source("sqs", Watched(Location("file", "/x"), None, S3Options()), {})


class TestTheEnd:
    def test_H7_a_wait_that_is_under_way_returns_within_a_second(self, place):
        before = set(threading.enumerate())
        source = place.watch()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(source.wait(20)))
        thread.start()
        time.sleep(0.3)
        began = time.monotonic()
        source.close()
        thread.join()
        assert time.monotonic() - began < 2
        assert answers == [None]
        source.close()
        assert source.wait(1) is None
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("form", ["name", "url", "arn"])
def test_a_queue_is_named_in_three_ways(place, form):
    texts = {"name": place.name, "url": place.queue, "arn": place.queues.arn(place.queue)}
    with place.watch(queue=texts[form]) as source:
        place.put("k")
        gather(source, {"k"})


def test_the_default_name_differs_for_each_bucket_and_prefix():
    places = [("a.b", ""), ("a-b", ""), ("a-b", "x"), ("a-b", "y"), ("c" * 63, ""), ("c" * 62 + "d", "")]
    names = {default_queue(*place) for place in places}
    assert len(names) == len(places)
    assert max(map(len, names)) <= 75
    assert default_queue("b", "x") == default_queue("b", "x/")


def watched(place):
    return Watched(Location("s3", place.bucket), None, S3Options(**place.queues.server.options))


@pytest.mark.parametrize("host", ["sqs.eu-west-1.amazonaws.com", "eu-west-1.queue.amazonaws.com"])
def test_the_url_of_a_queue_tells_its_region(host):
    assert Name.parse(f"https://{host}/1/q") == Name("q", f"https://{host}/1/q", None, "eu-west-1")


def test_the_arn_of_a_queue_tells_its_region_and_its_account():
    assert Name.parse("arn:aws-cn:sqs:cn-north-1:1:q") == Name("q", None, "1", "cn-north-1")
