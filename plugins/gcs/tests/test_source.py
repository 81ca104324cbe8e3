"""`pubsub`: hints for what changes in a bucket, and no message acknowledged before its effect is durable."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.source import PubSubEvents, PubSubOptions, default_name

from cloudsync_core.body import Body
from cloudsync_core.errors import ConfigError
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from tests.servers.gcs_tokens import PROJECT, Tokens
from tests.servers.pubsub import notify, running_pubsub

SOON = 10.0


@pytest.fixture
def bucket(gcs):
    return gcs.make_bucket()


@pytest.fixture
def queue(pubsub, gcs, bucket):
    """A queue that is told of what changes in the bucket."""
    made = pubsub.make_queue()
    notify(gcs, bucket, made)
    return made


@pytest.fixture
def watching(open_gcs, gcs):
    """Return a function that watches a place by a queue, until the test ends."""
    opened = []

    def watch(queue, bucket, prefix="", **options):
        backend = open_gcs(gcs, bucket, prefix)
        watched = Watched(Location("gs", f"{bucket}/{prefix}"), backend, GCSOptions(**gcs.options))
        made = {"endpoint_url": queue.server.endpoint_url, "subscription": queue.subscription, **options}
        source = PubSubEvents(watched, PubSubOptions(**made))
        opened.append(source)
        return source

    yield watch
    for source in opened:
        source.close()


def next_of(source):
    hints = source.wait(SOON)
    assert hints is not None, "there was no hint"
    return hints


def heard(source, *, until):
    """The keys that are hinted at until they are those; every hint is settled."""
    keys, end = set(), time.monotonic() + SOON
    while keys < until and time.monotonic() < end:
        if (hints := source.wait(0.5)) is not None:
            keys.update(hints.keys)
            hints.done()
    return keys


class TestHints:
    def test_H1_what_is_new_has_changed_or_is_gone_is_hinted_at(self, watching, queue, bucket, open_gcs, gcs):
        source, backend = watching(queue, bucket, "site"), open_gcs(gcs, bucket, "site")
        for change in (
            lambda: backend.put("a b/%2F+ü", Body(b"x")),
            lambda: backend.put("a b/%2F+ü", Body(b"y")),
            lambda: backend.delete("a b/%2F+ü"),
        ):
            change()
            assert heard(source, until={"a b/%2F+ü"}) == {"a b/%2F+ü"}

    @pytest.mark.parametrize("form", ["JSON_API_V1", "NONE"])
    def test_H1_whatever_the_payload(self, watching, pubsub, bucket, gcs, form):
        queue = pubsub.make_queue()
        notify(gcs, bucket, queue, payload_format=form)
        gcs.put(bucket, "a", b"x")
        assert next_of(watching(queue, bucket)).keys == ("a",)

    def test_H1_what_changed_before_it_was_opened_is_still_there(self, watching, queue, bucket, gcs):
        gcs.put(bucket, "a", b"x")
        assert next_of(watching(queue, bucket)).keys == ("a",)

    def test_H4_returns_when_the_time_is_over(self, watching, queue, bucket):
        begun = time.monotonic()
        assert watching(queue, bucket).wait(0.1) is None
        assert time.monotonic() - begun < 2

    def test_H4_a_backlog_comes_in_batches_and_stays_with_the_server_meanwhile(self, watching, queue, bucket, gcs):
        names = {f"{number:03}" for number in range(60)}
        for name in sorted(names):
            gcs.put(bucket, name, b"x")
        source = watching(queue, bucket, batch=10)
        first = next_of(source)
        assert len(first.keys) == 10

        def delivered(queue):
            return sum(1 for message in queue.state.messages.values() if message.attempts)

        # One batch is in hand, one waits for whoever asks next, and one for its place.
        queue.until(lambda queue: delivered(queue) == 30, "three batches are pulled")
        time.sleep(0.1)
        assert delivered(queue) == 30
        assert set(first.keys) | heard(source, until=names - set(first.keys)) == names

    def test_what_is_elsewhere_is_acknowledged_without_a_hint(self, watching, queue, bucket, gcs):
        for name in ("sitemap/x", "other"):
            gcs.put(bucket, name, b"x")
        queue.send(bucketId="other", objectId="site/x", eventType="OBJECT_FINALIZE")
        source = watching(queue, bucket, "site")
        queue.until(lambda queue: not queue.waiting, "nothing waits")
        assert source.wait(0) is None

    def test_a_notification_may_choose_a_prefix(self, watching, pubsub, bucket, gcs):
        queue = pubsub.make_queue()
        notify(gcs, bucket, queue, object_name_prefix="site/")
        gcs.put(bucket, "sitemap/x", b"x")
        gcs.put(bucket, "site/x", b"x")
        assert queue.waiting == 1
        assert next_of(watching(queue, bucket, "site")).keys == ("x",)


class TestAcknowledging:
    def test_H5_nothing_is_acknowledged_before_it_is_done(self, watching, queue, bucket, gcs):
        gcs.put(bucket, "a", b"x")
        hints = next_of(watching(queue, bucket))
        assert queue.waiting == 1
        hints.done()
        hints.done()
        queue.until(lambda queue: not queue.waiting, "it is acknowledged")
        assert len(queue.state.acknowledged) == 1

    def test_H5_what_takes_long_is_held_on_to_and_comes_once(self, watching, queue, bucket, gcs, monkeypatch):
        monkeypatch.setattr("cloudsync_gcs.keeping._FIRST_EXTENSION", 0.1)
        queue.state.resource["ackDeadlineSeconds"] = 0.4
        gcs.put(bucket, "a", b"x")
        source = watching(queue, bucket)
        hints = next_of(source)
        assert source.wait(1.0) is None
        assert queue.state.extended
        hints.done()
        queue.until(lambda queue: not queue.waiting, "it is acknowledged")

    def test_H5_what_is_not_done_at_the_end_is_given_back_at_once(self, watching, queue, bucket, gcs):
        queue.state.resource["ackDeadlineSeconds"] = 600
        for name in "ab":
            gcs.put(bucket, name, b"x")
        first = watching(queue, bucket, batch=1)
        done, undone = next_of(first), next_of(first)
        done.done()
        first.close()
        assert queue.waiting == 1
        assert next_of(watching(queue, bucket)).keys == undone.keys

    def test_H5_after_a_crash_it_comes_again(self, watching, queue, bucket, gcs):
        gcs.put(bucket, "a", b"x")
        queue.state.resource["ackDeadlineSeconds"] = 0.5
        code = (
            "import sys, time\n"
            "from cloudsync_gcs.config import GCSOptions\n"
            "from cloudsync_gcs.source import PubSubEvents, PubSubOptions\n"
            "from cloudsync_core.event_source import Watched\n"
            "from cloudsync_core.location import Location\n"
            "endpoint, subscription, bucket = sys.argv[1:]\n"
            "watched = Watched(Location('gs', bucket), None, GCSOptions(anonymous=True))\n"
            "options = PubSubOptions(endpoint_url=endpoint, subscription=subscription)\n"
            "print(PubSubEvents(watched, options).wait(30).keys, flush=True)\n"
            "time.sleep(60)\n"
        )
        arguments = [queue.server.endpoint_url, queue.subscription, bucket]
        with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "('a',)\n"
            os.kill(process.pid, signal.SIGKILL)
        assert queue.waiting == 1
        assert next_of(watching(queue, bucket)).keys == ("a",)

    def test_an_acknowledgement_that_fails_is_made_again(self, watching, queue, bucket, gcs, pubsub_calm):
        gcs.put(bucket, "a", b"x")
        source = watching(queue, bucket)
        hints = next_of(source)
        pubsub_calm.service.unavailable = True
        hints.done()
        assert source.wait(0.2) is None
        pubsub_calm.service.unavailable = False
        queue.until(lambda queue: not queue.waiting, "it is acknowledged")

    def test_no_more_is_pulled_than_can_be_held(self, watching, queue, bucket, gcs, monkeypatch):
        monkeypatch.setattr("cloudsync_gcs.keeping.HELD_AT_ONCE", 2)
        for name in "abcd":
            gcs.put(bucket, name, b"x")
        source = watching(queue, bucket, batch=1)
        held = [next_of(source), next_of(source)]
        assert source.wait(0.3) is None
        for hints in held:
            hints.done()
        assert heard(source, until={"c", "d"}) == {"c", "d"}

    def test_where_too_much_is_held_for_long_a_look_at_everything_is_asked_for_once(
        self, watching, queue, bucket, gcs, monkeypatch
    ):
        monkeypatch.setattr("cloudsync_gcs.keeping.HELD_AT_ONCE", 1)
        monkeypatch.setattr("cloudsync_gcs.source._FULL_FOR_LONG", 0.1)
        gcs.put(bucket, "a", b"x")
        source = watching(queue, bucket)
        next_of(source)
        assert "more messages wait" in next_of(source).everything
        assert source.wait(0.6) is None


class TestTrouble:
    def test_duplicates_other_orders_and_delays_are_harmless(self, watching, queue, bucket, gcs, pubsub_calm):
        pubsub_calm.disturb(duplicate=0.5, shuffle=True, delay=0.05)
        names = {f"{number:03}" for number in range(40)}
        for name in names:
            gcs.put(bucket, name, b"x")
        source = watching(queue, bucket, batch=7)
        found, end = set(), time.monotonic() + SOON
        while queue.waiting and time.monotonic() < end:
            if (hints := source.wait(0.1)) is not None:
                found.update(hints.keys)
                hints.done()
        assert (found, queue.waiting) == (names, 0)

    def test_a_late_message_of_what_was_overwritten_is_no_hint(self, watching, queue, bucket, gcs):
        old = gcs.put(bucket, "a", b"x")
        new = gcs.put(bucket, "a", b"y")
        source = watching(queue, bucket)
        heard(source, until={"a"})
        queue.until(lambda queue: not queue.waiting, "nothing waits")
        for generation in (old, new):
            queue.send(bucketId=bucket, objectId="a", eventType="OBJECT_FINALIZE", objectGeneration=str(generation))
        queue.until(lambda queue: not queue.waiting, "both are acknowledged")
        assert source.wait(0) is None
        gcs.put(bucket, "a", b"z")
        assert next_of(source).keys == ("a",)

    def test_what_cannot_be_understood_is_left_to_the_dead_letter_topic_and_said_once(
        self, watching, queue, bucket, gcs, caplog
    ):
        pubsub = queue.server
        dead = pubsub.make_queue()
        agent = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
        pubsub.service.store.topics[dead.topic].policy["bindings"] = [
            {"role": "roles/pubsub.publisher", "members": [agent]}
        ]
        queue.state.policy["bindings"] = [{"role": "roles/pubsub.subscriber", "members": [agent]}]
        queue.state.resource |= {
            "ackDeadlineSeconds": 0.02,
            "deadLetterPolicy": {"deadLetterTopic": dead.topic, "maxDeliveryAttempts": 5},
        }
        queue.send(b"not ours")
        queue.send(b"nor this")
        source = watching(queue, bucket)
        dead.until(lambda dead: dead.waiting == 2, "both are dead letters")
        assert source.unreadable == 10
        gcs.put(bucket, "a", b"x")
        assert next_of(source).keys == ("a",)
        [record] = [record for record in caplog.records if "cannot be understood" in record.message]
        assert "no JSON document" in record.message

    def test_H6_a_subscription_that_is_deleted_and_made_again_asks_for_a_look_at_everything(
        self, watching, queue, bucket, gcs, caplog
    ):
        source, pubsub = watching(queue, bucket), queue.server
        pubsub.service.store.remove_subscription(queue.subscription)
        assert source.wait(1.0) is None
        pubsub.make_queue(queue.name)
        assert "there is no such subscription" in next_of(source).everything
        notify(gcs, bucket, queue)
        gcs.put(bucket, "a", b"x")
        assert next_of(source).keys == ("a",)
        said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
        assert [("no events come" in said[0]), said[1:]] == [True, [f"gs://{bucket}/: events come again"]]

    def test_H6_a_subscription_that_may_not_be_used_does(self, watching, queue, bucket, pubsub_calm, caplog):
        pubsub_calm.service.denied.add("pubsub.subscriptions.consume")
        source = watching(queue, bucket)
        assert source.wait(0.3) is None
        assert "access denied" in caplog.text
        pubsub_calm.service.denied.clear()
        assert "access denied" in next_of(source).everything

    def test_H6_what_the_server_keeps_meanwhile_needs_no_look_at_everything(
        self, watching, queue, bucket, gcs, pubsub_calm
    ):
        pubsub_calm.service.unavailable = True
        source = watching(queue, bucket)
        gcs.put(bucket, "a", b"x")
        assert source.wait(0.3) is None
        pubsub_calm.service.unavailable = False
        hints = next_of(source)
        assert (hints.keys, hints.everything) == (("a",), None)

    def test_H6_a_server_that_cannot_be_reached_is_waited_for_and_said_once(self, watching, queue, bucket, gcs, caplog):
        with running_pubsub() as server:
            source = watching(server.make_queue(), bucket)
            assert source.wait(0.1) is None
        assert source.wait(1.2) is None
        begun = time.monotonic()
        source.close()
        assert time.monotonic() - begun < 2
        assert [record.levelname for record in caplog.records if "cannot be reached" in record.message] == ["WARNING"]


class TestClosing:
    def test_H7_a_wait_that_is_under_way_ends_and_no_thread_is_left(self, watching, queue, bucket):
        before, pulls = set(threading.enumerate()), queue.server.service.pulls
        source = watching(queue, bucket)
        found = []
        waiting = threading.Thread(target=lambda: found.append(source.wait(60)))
        waiting.start()
        queue.until(lambda queue: queue.server.service.pulls > pulls, "it pulls")
        begun = time.monotonic()
        source.close()
        waiting.join(5)
        assert found == [None]
        assert time.monotonic() - begun < 2
        source.close()
        assert source.wait(1) is None
        assert [thread.name for thread in set(threading.enumerate()) - before if "cloudsync" in thread.name] == []

    def test_H7_with_more_found_than_anybody_has_asked_for(self, watching, queue, bucket, gcs):
        for number in range(5):
            gcs.put(bucket, str(number), b"x")
        source = watching(queue, bucket, batch=1)
        next_of(source)
        source.close()
        assert queue.waiting == 5

    def test_an_idle_source_asks_for_nothing_again_and_again(self, watching, queue, bucket):
        before = queue.server.service.pulls
        source = watching(queue, bucket)
        assert source.wait(1.2) is None
        assert queue.server.service.pulls - before == 1

    def test_a_server_that_does_not_wait_is_not_asked_without_a_pause(self, watching, bucket):
        with running_pubsub(wait=0.0) as server:
            source = watching(server.make_queue(), bucket)
            assert source.wait(1.2) is None
            source.close()
            assert server.service.pulls <= 4


class TestNames:
    def opened(self, options=None, location=None, bucket="bucket"):
        watched = Watched(Location("gs", f"{bucket}/x"), None, GCSOptions(**(location or {"anonymous": True})))
        return PubSubEvents(watched, PubSubOptions(**(options or {})))

    def test_the_subscription_is_that_of_the_bucket_in_the_project_of_the_environment(
        self, pubsub, bucket, gcs, monkeypatch
    ):
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
        queue = pubsub.make_queue(default_name(bucket, "x"))
        notify(gcs, bucket, queue)
        gcs.put(bucket, "x/a", b"x")
        with self.opened(bucket=bucket) as source:
            assert next_of(source).keys == ("a",)

    def test_without_a_project_it_says_so(self):
        with pytest.raises(ConfigError, match=r"cloudsync-bucket-[0-9a-f]{8}: nothing names its project"):
            self.opened()

    def test_what_is_no_name_is_refused(self):
        with pytest.raises(ConfigError, match="no name of a subscription"):
            self.opened({"subscription": "topics/x"})

    def test_an_emulator_that_is_no_address_is_named(self, monkeypatch):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "ftp://x")
        with pytest.raises(ConfigError, match="PUBSUB_EMULATOR_HOST"):
            self.opened({"project": "p"})

    def test_a_service_account_gets_a_token_for_pubsub_and_names_the_project(self, gcs_guarded, bucket, tmp_path):
        import json

        tokens: Tokens = gcs_guarded.tokens
        key = json.dumps(tokens.service_account)
        with running_pubsub(tokens=tokens) as server:
            queue = server.make_queue(f"q-{uuid.uuid4().hex[:8]}")
            queue.send(bucketId=bucket, objectId="x/a")
            options = {"endpoint_url": server.endpoint_url, "subscription": queue.name}
            with self.opened(options, {"service_account_json": key}, bucket) as source:
                assert next_of(source).keys == ("a",)
