"""The event source `azure-queue`, on Azurite's queue service; the messages are such as Event Grid writes."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import Environment
from cloudsync_azure.source import AzureQueueEvents, AzureQueueOptions

from cloudsync_core.errors import ConfigError, OptionsError
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins
from plugins.azure.tests.answers import refusal
from tests.servers.event_grid import created, event, message
from tests.servers.proxy import Response

PATIENCE = 30.0
"""Seconds until something that has to happen has not."""


class Rig:
    """A container with a queue, and what puts messages there."""

    def __init__(self, azurite, queues, proxy=None):
        self.azurite, self.queues, self.proxy = azurite, queues, proxy
        self.container = "a-container"
        self.name = queues.make_queue()
        self._open = contextlib.ExitStack()

    def watched(self, prefix="", prune=None, **options):
        location = Location("az", f"{self.container}/{prefix}")
        checked = AzureOptions(**{**self.azurite.options, **options})
        backend = self._open.enter_context(contextlib.closing(AzureBackend(location, checked)))
        return Watched(location, backend, checked, prune)

    def options(self, **options):
        server = self.proxy.server if self.proxy else self.queues
        given = {"queue": self.name, "endpoint_url": server.account_url, "interval": 0.02, "slowest": 0.1}
        return {**given, **options}

    def open(self, prefix="", prune=None, location=None, **options):
        watched = self.watched(prefix, prune, **(location or {}))
        source = Plugins.load().event_source("azure-queue", watched, self.options(**options))
        return self._open.enter_context(source)

    def change(self, *names, kind="BlobCreated", **more):
        if more:
            told = [event(kind, self.azurite.account_name, self.container, name, **more) for name in names]
            self.queues.put(self.name, *map(message, told))
        else:
            self.queues.put(self.name, *created(self.azurite, self.container, *names, kind=kind))

    def count(self):
        return self.queues.count(self.name)

    def close(self):
        self._open.close()


@pytest.fixture
def rig(azurite, azurite_queues):
    with contextlib.closing(Rig(azurite, azurite_queues)) as made:
        yield made


@pytest.fixture
def proxied(azurite, azurite_queues, azurite_queues_proxy):
    with contextlib.closing(Rig(azurite, azurite_queues, azurite_queues_proxy)) as made:
        yield made


def eventually(check, seconds=PATIENCE):
    """Wait until something is so, and return it."""
    until = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)
    return found


def heard(source, number):
    """The keys of so many hints at objects, each acknowledged."""
    keys = []
    while len(keys) < number:
        hints = source.wait(PATIENCE)
        assert hints is not None, f"only {keys} was heard of"
        keys += hints.keys
        hints.done()
    return sorted(keys)


class TestHints:
    def test_H1_changes_are_heard_of_in_every_form(self, rig):
        names = ["a", "b/c d", "b/ü%20+", "b/💎"]
        source = rig.open()
        rig.change(*names)
        assert heard(source, 4) == sorted(names)

    def test_H2_keys_are_relative_and_other_places_are_dropped_and_deleted(self, rig):
        source = rig.open("root", prune=lambda folder: folder == "cache")
        rig.change("root/a", "other/b", "rooted/c", "root/cache/d", "root")
        rig.queues.put(rig.name, message(event("BlobCreated", "elsewhere", rig.container, "root/e")))
        rig.queues.put(rig.name, message(event("BlobCreated", rig.azurite.account_name, "elsewhere", "root/f")))
        hints = source.wait(PATIENCE)
        assert hints.keys == ("a",)
        eventually(lambda: rig.count() == 1)  # all but the one that is not settled
        hints.done()
        eventually(lambda: rig.count() == 0)

    def test_H3_directories_of_a_hierarchical_namespace_are_folders(self, rig):
        source = rig.open("root")
        rig.change("root/gone", kind="DirectoryDeleted", schema="cloud-events")
        rig.change("root/new", kind="DirectoryRenamed", source="root/old")
        found = set()
        while len(found) < 3:
            found.update(source.wait(PATIENCE).folders)
        assert found == {"gone/", "new/", "old/"}

    def test_H3_a_directory_above_the_root_is_a_doubt(self, rig):
        source = rig.open("root/inner")
        rig.change("root", kind="DirectoryDeleted")
        hints = source.wait(PATIENCE)
        assert (hints.keys, hints.folders) == ((), ())
        assert "moved or removed" in hints.everything

    def test_H4_more_than_one_batch(self, rig):
        names = [f"file-{number:02}" for number in range(40)]
        rig.change(*names)
        source = rig.open()
        first = source.wait(PATIENCE)
        assert len(first.keys) == 32
        assert sorted([*first.keys, *heard(source, 8)]) == names

    def test_H4_without_news_the_time_passes(self, rig):
        source = rig.open()
        began = time.monotonic()
        assert source.wait(0) is None
        assert source.wait(0.3) is None
        assert 0.3 <= time.monotonic() - began < 5

    def test_H4_news_end_the_wait(self, rig):
        source = rig.open()
        timer = threading.Timer(0.2, rig.change, ["a"])
        timer.start()
        began = time.monotonic()
        assert source.wait(60).keys == ("a",)
        assert time.monotonic() - began < 10
        timer.join()

    def test_duplicates_and_events_that_are_late_are_dropped_once_they_are_settled(self, rig):
        source = rig.open()
        rig.change("a", number=7)
        source.wait(PATIENCE).done()
        rig.change("a", number=7)
        rig.change("a", number=5, kind="BlobDeleted")
        rig.change("a", number=8)
        rig.change("b", number=5)
        assert heard(source, 2) == ["a", "b"]
        eventually(lambda: rig.count() == 0)

    def test_events_in_any_order_are_heard_of_as_long_as_none_is_settled(self, rig):
        source = rig.open()
        rig.change("a", number=9, kind="BlobDeleted")
        first = source.wait(PATIENCE)
        rig.change("a", number=3)
        second = source.wait(PATIENCE)
        assert first.keys == second.keys == ("a",)


class TestAcknowledging:
    def test_H5_nothing_is_deleted_before_it_is_settled(self, rig):
        source = rig.open()
        rig.change("a")
        hints = source.wait(PATIENCE)
        assert source.wait(0.3) is None
        assert rig.count() == 1
        hints.done()
        hints.done()
        eventually(lambda: rig.count() == 0)

    def test_H5_what_is_settled_last_is_deleted_before_the_end(self, rig):
        rig.change("a")
        with rig.open() as source:
            source.wait(PATIENCE).done()
        assert rig.count() == 0

    def test_H5_what_is_not_settled_is_there_for_the_next_at_once(self, rig):
        rig.change("a", "b")
        with rig.open(visibility=3600) as source:
            assert len(source.wait(PATIENCE).keys) == 2
            assert rig.queues.visible(rig.name) == []
        assert heard(rig.open(), 2) == ["a", "b"]

    def test_H5_a_message_stays_hidden_while_it_is_worked_on(self, rig):
        rig.change("a")
        source = rig.open(visibility=2)
        hints = source.wait(PATIENCE)
        assert source.wait(2.6) is None
        assert rig.queues.visible(rig.name) == []
        hints.done()
        eventually(lambda: rig.count() == 0)

    def test_H5_a_crash_brings_everything_back(self, rig):
        rig.change("a", "b", "c")
        code = (
            "import os, sys, time, logging\n"
            "from cloudsync_azure.source import AzureQueueEvents, AzureQueueOptions\n"
            "from cloudsync_azure.config import AzureOptions\n"
            "from cloudsync_core.event_source import Watched\n"
            "from cloudsync_core.location import Location\n"
            "place = Watched(Location('az', sys.argv[1]), None, AzureOptions(**eval(sys.argv[2])))\n"
            "source = AzureQueueEvents(place, AzureQueueOptions(**eval(sys.argv[3])))\n"
            "print(len(source.wait(30).keys), flush=True)\n"
            "time.sleep(60)\n"
        )
        arguments = [rig.container, repr(rig.azurite.options), repr(rig.options(visibility=2))]
        with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "3\n"
            os.kill(process.pid, signal.SIGKILL)
        assert rig.count() == 3
        assert heard(rig.open(), 3) == ["a", "b", "c"]

    def test_H5_no_more_is_received_than_can_be_held(self, rig, monkeypatch):
        monkeypatch.setattr("cloudsync_azure.source.HINTED_AT_ONCE", 32)
        rig.change(*[f"file-{number:02}" for number in range(40)])
        source = rig.open()
        first = source.wait(PATIENCE)
        assert source.wait(0.3) is None
        assert len(rig.queues.visible(rig.name)) == 8
        first.done()
        assert len(heard(source, 8)) == 8

    def test_H1_a_doubt_is_told_once_when_there_is_no_room_for_long(self, rig, monkeypatch):
        monkeypatch.setattr("cloudsync_azure.source.HINTED_AT_ONCE", 1)
        monkeypatch.setattr("cloudsync_azure.source._FULL_SECONDS", 0.1)
        rig.change("a")
        source = rig.open()
        first = source.wait(PATIENCE)
        assert "1 events wait to be settled" in source.wait(PATIENCE).everything
        assert source.wait(0.3) is None
        first.done()
        rig.change("b")
        assert heard(source, 1) == ["b"]


class TestMessagesOfOthers:
    def test_are_left_and_told_of_once_a_kind(self, rig, caplog, monkeypatch):
        monkeypatch.setattr("cloudsync_azure.source.POISONED", 2)
        source = rig.open(visibility=2)
        rig.queues.put(rig.name, "hello", "bye", message({"eventType": "Microsoft.Compute.Done", "subject": "a"}))
        rig.change("a")
        assert heard(source, 1) == ["a"]
        assert "cannot be read" not in caplog.text
        until = time.monotonic() + PATIENCE
        while source.unreadable < 3 * 2:
            assert source.wait(0.5) is None
            assert time.monotonic() < until
        told = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
        assert len(told) == 2
        assert "it is no JSON" in told[0]
        assert "something else than a storage account" in told[1]
        assert rig.count() == 3


class TestTrouble:
    def test_H6_a_queue_that_is_deleted_and_made_again(self, rig, caplog):
        source = rig.open()
        rig.change("a")
        kept = source.wait(PATIENCE)
        rig.queues.delete_queue(rig.name)
        eventually(lambda: source.wait(0.1) is None and "there is no such queue" in caplog.text)
        assert source.wait(0.5) is None
        kept.done()
        rig.queues.make_queue(rig.name)
        rig.change("b")
        hints = source.wait(PATIENCE)
        assert hints.everything == "the queue of the events could not be read for a while"
        assert hints.keys == ("b",)
        assert source.wait(0.3) is None
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(warnings) == 1
        assert "Events are missing" in warnings[0].getMessage()

    def test_H6_a_queue_that_is_not_there_yet(self, rig):
        rig.queues.delete_queue(rig.name)
        source = rig.open()
        assert source.wait(0.1) is None
        rig.queues.make_queue(rig.name)
        assert source.wait(PATIENCE).everything is not None

    def test_H6_a_service_that_is_not_there_for_a_while_loses_nothing(self, proxied, caplog):
        source = proxied.open()
        proxied.proxy.rule = lambda request, forward: refusal(503, "ServerBusy")
        proxied.change("a")
        assert source.wait(0.3) is None
        proxied.proxy.rule = lambda request, forward: forward()
        hints = source.wait(PATIENCE)
        assert (hints.keys, hints.everything) == (("a",), None)
        assert caplog.text.count("the server asks for fewer requests") == 1

    @pytest.mark.parametrize(
        "answer", [Response(200, b"<not xml"), Response(200, b"<QueueMessagesList><QueueMessage/></QueueMessagesList>")]
    )
    def test_H6_an_answer_that_is_damaged_is_asked_for_again(self, proxied, caplog, answer):
        source = proxied.open()
        proxied.proxy.rule = lambda request, forward: answer
        assert source.wait(0.2) is None
        assert "the server's answer is damaged" in caplog.text
        proxied.proxy.rule = lambda request, forward: forward()
        proxied.change("a")
        assert source.wait(PATIENCE).keys == ("a",)

    def test_H6_who_is_not_let_in_is_told_what_is_needed(self, rig, caplog):
        key = "c29tZSBvdGhlciBrZXk="
        source = rig.open(location={"account_key": key})
        assert source.wait(0.3) is None
        assert "credentials are not accepted" in caplog.text
        assert key not in caplog.text

    def test_messages_that_may_not_be_hidden_for_longer_are_heard_of_again(self, rig, caplog):
        rig.change("a")
        source = rig.open(sas_token=rig.queues.sas_token("p"), visibility=2)
        hints = source.wait(PATIENCE)
        assert source.wait(PATIENCE).keys == hints.keys
        assert caplog.text.count("cannot be hidden for longer") == 1
        hints.done()
        eventually(lambda: rig.count() == 0)

    def test_a_lease_outlives_a_short_trouble(self, proxied):
        refused = []

        def rule(request, forward):
            if request.method == "PUT" and not refused:
                refused.append(request)
                return refusal(500, "InternalError")
            return forward()

        proxied.change("a")
        source = proxied.open(visibility=2)
        hints = source.wait(PATIENCE)
        proxied.proxy.rule = rule
        assert source.wait(2.6) is None
        assert refused
        hints.done()
        eventually(lambda: proxied.count() == 0)


class TestClosing:
    def test_H7_ends_a_wait_that_is_under_way(self, rig):
        source = rig.open(slowest=20)
        found = []
        thread = threading.Thread(target=lambda: found.append(source.wait(60)))
        thread.start()
        time.sleep(0.2)
        began = time.monotonic()
        source.close()
        thread.join()
        assert time.monotonic() - began < 1.5
        assert found == [None]
        assert source.wait(5) is None
        source.close()

    def test_H7_does_not_wait_for_a_server_that_does_not_answer(self, proxied):
        source = proxied.open()
        proxied.change("a")
        source.wait(PATIENCE)
        hang, asked = threading.Event(), threading.Event()

        def rule(request, forward):
            asked.set()
            hang.wait(PATIENCE)
            return forward()

        proxied.proxy.rule = rule
        found = []
        thread = threading.Thread(target=lambda: found.append(source.wait(60)))
        thread.start()
        asked.wait(PATIENCE)
        began = time.monotonic()
        source.close()
        thread.join()
        took = time.monotonic() - began
        hang.set()
        assert took < 3
        assert found == [None]

    def test_H7_leaves_no_thread(self, rig):
        with rig.open() as source:
            rig.change("a", "b")
            heard(source, 2)
        eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("cloudsync-azure")])


class TestCredentials:
    def test_a_shared_access_signature_of_the_queue(self, rig):
        rig.change("a")
        source = rig.open(location={"account_key": None, "anonymous": True}, sas_token=rig.queues.sas_token("up"))
        assert heard(source, 1) == ["a"]
        eventually(lambda: rig.count() == 0)

    def test_a_connection_string_of_the_queue(self, rig):
        queues = rig.queues
        text = (
            f"AccountName={queues.account_name};AccountKey={queues.account_key};QueueEndpoint={queues.account_url};"
            f"BlobEndpoint={rig.azurite.account_url}"
        )
        rig.change("a")
        source = rig.open(location={"account_key": None, "anonymous": True}, endpoint_url=None, connection_string=text)
        assert heard(source, 1) == ["a"]

    def test_the_connection_string_of_the_location_tells_where_the_queues_are(self, rig):
        text = f"{rig.azurite.connection_string}QueueEndpoint={rig.queues.account_url}"
        none = dict.fromkeys(rig.azurite.options)
        rig.change("a")
        assert heard(rig.open(location={**none, "connection_string": text}, endpoint_url=None), 1) == ["a"]

    @pytest.mark.parametrize(
        ("blobs", "queues"),
        [
            ("https://one.blob.core.windows.net", "https://one.queue.core.windows.net"),
            ("https://one-secondary.blob.core.windows.net", "https://one.queue.core.windows.net"),
            ("https://one.z01.blob.storage.azure.net", "https://one.z01.queue.storage.azure.net"),
            ("https://one.dfs.core.usgovcloudapi.net", "https://one.queue.core.usgovcloudapi.net"),
            ("http://127.0.0.1:10000/one", "http://127.0.0.1:10001/one"),
        ],
    )
    def test_the_queues_are_beside_the_blobs(self, blobs, queues):
        environment = Environment(Location("az", "box"), AzureOptions(endpoint_url=blobs, account_key="a2V5"))
        found = environment.at_queue("events").address
        assert f"{found.server.url}{found.base}" == queues
        assert (found.account, found.path(None)) == ("one", f"{found.base}/events")

    def test_an_account_of_another_name_has_to_say_where_they_are(self, rig):
        options = {"endpoint_url": "https://files.example.com", "account_name": "one", "account_key": "a2V5"}
        with pytest.raises(ConfigError, match="name the URL of the queue service"):
            rig.open(location=options, endpoint_url=None)

    def test_the_key_of_one_account_is_not_used_for_another(self, rig):
        with pytest.raises(ConfigError, match="the queue is in the account two"):
            rig.open(endpoint_url="https://two.queue.core.windows.net")

    def test_no_token_goes_over_plain_http(self, rig):
        with pytest.raises(ConfigError, match="not sent over plain HTTP"):
            rig.open(
                location={**dict.fromkeys(rig.azurite.options), "account_name": "one"},
                endpoint_url="http://one.queue.core.windows.net",
            )

    def test_an_identity_asks_with_its_token(self, proxied):
        """Azurite's own check of tokens wants TLS; here it is seen that one comes, to the queue service."""
        proxied.change("a")
        seen = []
        signature = proxied.queues.sas_token("up")

        def rule(request, forward):
            del forward
            seen.append(request.headers.get("authorization"))
            headers = {name: value for name, value in request.headers.items() if name != "authorization"}
            target = request.target + ("&" if "?" in request.target else "?") + signature
            return proxied.proxy.forward(type(request)(request.method, target, headers, request.body))

        proxied.proxy.rule = rule
        account = proxied.azurite.options | {"account_key": None}
        watched = proxied.watched(**account)
        environment = Environment(watched.location, watched.options)
        environment.authorise.token = lambda: "the-token"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cloudsync_azure.queue.Environment", lambda *_: environment)
            with AzureQueueEvents(watched, AzureQueueOptions(**proxied.options())) as source:
                assert heard(source, 1) == ["a"]
        assert set(seen) == {"Bearer the-token"}


class TestOptions:
    @pytest.mark.parametrize("wrong", [{"queue": "Upper"}, {"queue": "ab"}, {"visibility": 0}, {"slowest": 60}])
    def test_that_are_wrong_are_refused(self, rig, wrong):
        with pytest.raises(OptionsError, match=next(iter(wrong))):
            rig.open(**wrong)

    def test_only_locations_of_azure_can_be_watched(self, rig):
        watched = Watched(Location("file", "/tmp"), None, None)
        with pytest.raises(ConfigError, match="az://, abfs://"):
            Plugins.load().event_source("azure-queue", watched, rig.options())
