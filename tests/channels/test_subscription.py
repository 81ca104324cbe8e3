"""Receiving from Python: by a callback in the background, or as an iterator."""

import threading

import pytest

from cloudsync_core.api.subscribing import Subscription, Wanted, subscriber_state
from cloudsync_core.channels.registry import read
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, StateError
from tests.channels.writing import put
from tests.unit.layers.scripted import Fault, Scripted

SOON = 0.05


@pytest.fixture
def subscribe(memory_channel, tmp_path):
    """Subscribe to the channel in memory."""

    def start(callback=None, backend=None, **wanted):
        options = {"name": "me", "interval": SOON, "state": tmp_path / "state.db", **wanted}
        return Subscription(backend or memory_channel, callback, Wanted(**options))

    return start


async def later(update):
    """Do nothing when it is called."""


class TestCallback:
    def test_gets_what_is_there_and_what_comes(self, memory_channel, subscribe):
        put(memory_channel, "there")
        got, changed = [], threading.Condition()

        def handle(update):
            with changed:
                got.append(update.content)
                changed.notify()

        with subscribe(handle):
            put(memory_channel, "comes")
            with changed:
                assert changed.wait_for(lambda: got == ["there", "comes"], 10)
        with subscribe(handle, once=True) as again:
            assert again.wait(10)
        assert got == ["there", "comes"]

    def test_what_is_published_after_subscribing_to_the_latest_is_received(self, memory_channel, subscribe):
        put(memory_channel, "old")
        got = threading.Event()
        contents = []

        def handle(update):
            contents.append(update.content)
            got.set()

        with subscribe(handle, cursor="latest"):
            put(memory_channel, "new")
            assert got.wait(10)
        assert contents == ["new"]

    def test_stopping_lets_the_one_in_hand_end(self, memory_channel, subscribe):
        put(memory_channel, "one", "two")
        begun, go_on, contents = threading.Event(), threading.Event(), []

        def handle(update):
            begun.set()
            go_on.wait(10)
            contents.append(update.content)

        subscription = subscribe(handle)
        assert begun.wait(10)
        assert not subscription.wait(0)
        threading.Timer(0.05, go_on.set).start()
        subscription.close()
        assert contents == ["one"]
        with subscribe(handle, once=True) as rest:
            rest.wait()
        assert contents == ["one", "two"]

    def test_it_tells_the_channel_how_far_it_was(self, memory_channel, subscribe):
        object_id = put(memory_channel, "one")
        with subscribe(lambda _: None, once=True) as subscription:
            subscription.wait()
        assert read(memory_channel, "me").newest == object_id

    def test_is_no_iterator(self, subscribe):
        with subscribe(print) as subscription, pytest.raises(TypeError, match="callback"):
            iter(subscription)


def _stumble_at(content, updates):
    for update in updates:
        if update.content == content:
            raise RuntimeError("stumbled")


class TestIterator:
    def test_an_update_is_done_when_the_next_one_is_asked_for(self, memory_channel, subscribe):
        put(memory_channel, "1", "2", "3", "4")
        with pytest.raises(RuntimeError, match="stumbled"), subscribe() as updates:
            _stumble_at("3", updates)
        with subscribe(once=True) as updates:
            assert [update.content for update in updates] == ["3", "4"]
        with subscribe(once=True) as updates:
            assert list(updates) == []

    def test_or_when_it_is_closed_well(self, memory_channel, subscribe):
        put(memory_channel, "1", "2", "3")
        with subscribe() as updates:
            assert next(updates).content == "1"
            assert next(updates).content == "2"
        with subscribe(once=True) as updates:
            assert [update.content for update in updates] == ["3"]

    def test_waits_for_what_comes(self, memory_channel, subscribe):
        threading.Timer(0.1, lambda: put(memory_channel, "late")).start()
        with subscribe() as updates:
            assert next(updates).content == "late"

    def test_nothing_that_was_not_asked_for_is_lost(self, memory_channel, subscribe):
        put(memory_channel, "1")
        with subscribe():
            pass
        with subscribe(once=True) as updates:
            assert [update.content for update in updates] == ["1"]

    def test_a_thousand_are_handed_over_in_order(self, memory_channel, subscribe):
        put(memory_channel, *(f"{number}" for number in range(1000)))
        with subscribe(once=True) as updates:
            assert [update.content for update in updates] == [f"{number}" for number in range(1000)]


class TestErrors:
    def test_what_keeps_it_from_beginning_is_raised_at_once(self, memory_channel, subscribe):
        with subscribe(print), pytest.raises(StateError, match="already being run"):
            subscribe(print)
        with pytest.raises(ConfigError):
            subscribe(print, name="a/b")

    @pytest.mark.parametrize(
        ("callback", "said"),
        [(5, "the callback: it cannot be called, it is a int"), (later, "before it has done anything")],
    )
    def test_a_callback_that_could_deliver_nothing_is_refused(self, memory_channel, subscribe, callback, said):
        put(memory_channel, "1")
        with pytest.raises(ConfigError, match=said):
            subscribe(callback)
        with subscribe(once=True) as updates:
            assert [update.content for update in updates] == ["1"]

    def test_what_ends_it_is_raised_when_it_is_closed_and_by_the_iterator(self, memory_channel, subscribe):
        watched = Scripted(memory_channel)
        gone = Fault(ContainerNotFoundError("no such container"))
        watched.faults["list"] = [gone]
        with pytest.raises(ContainerNotFoundError), subscribe(print, backend=watched) as subscription:
            assert not subscription.wait(10), "it raises"
        watched.faults["list"] = [gone]
        with pytest.raises(ContainerNotFoundError), subscribe(backend=watched) as updates:
            next(updates)

    def test_an_error_of_the_block_is_not_hidden_by_its_own(self, memory_channel, subscribe):
        watched = Scripted(memory_channel)
        watched.faults["list"] = [Fault(ContainerNotFoundError("no such container"))]
        with pytest.raises(RuntimeError, match="mine"), subscribe(print, backend=watched):
            raise RuntimeError("mine")


class TestState:
    def test_belongs_to_channel_and_name_and_to_no_working_directory(self, tmp_path, monkeypatch):
        found = subscriber_state("s3://bucket/channel", "me")
        monkeypatch.chdir(tmp_path)
        assert subscriber_state("s3://bucket/channel", "me") == found
        assert subscriber_state("s3://bucket/channel", "other") != found
        assert subscriber_state("s3://bucket/other", "me") != found
        assert subscriber_state("./here", "me") == subscriber_state(str(tmp_path / "here"), "me")
        with pytest.raises(ConfigError):
            subscriber_state("s3://bucket", "../me")

    def test_may_be_none_to_remember_nothing(self, memory_channel, subscribe, tmp_path):
        put(memory_channel, "1")
        with subscribe(once=True, state=None, register=False) as updates:
            assert [update.content for update in updates] == ["1"]
        assert list(tmp_path.iterdir()) == []
