"""What could not be delivered is kept until somebody asks for it, or gives it up."""

import dataclasses

import pytest

from cloudsync_core.channels import parking
from cloudsync_core.channels.events import Skipped
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ChannelError, ConfigError, DeliveryError, IntegrityError
from tests.channels.writing import put
from tests.unit.layers.scripted import Fault, Scripted

NEVER = DeliveryError("never", retry=False)


@pytest.fixture
def state(receive):
    with State(receive.state) as found:
        yield found


@pytest.fixture
def subscribed(state):
    """Return the subscription as it is now."""

    def find():
        [found] = parking.subscriptions(state, "me")
        return found

    return find


def park(receive, *contents, channel=None):
    """Let updates of these contents be parked."""
    put(channel or receive.backend, *contents)
    receive.inbox.failures.update({content: [NEVER] for content in contents})
    receive.once()


class TestParked:
    def test_are_listed_in_order_with_their_errors(self, receive, state, subscribed):
        park(receive, "1", "2")
        found = list(parking.parked(state, subscribed()))
        assert [(one.topic, one.error, one.attempts, one.again) for one in found] == [("news", "never", 1, False)] * 2
        assert found[0].id < found[1].id
        assert subscribed().parked == 2

    def test_stay_until_they_are_asked_for(self, receive, subscribed):
        park(receive, "1")
        receive.once()
        assert (receive.inbox.contents, subscribed().parked) == ([], 1)

    def test_are_listed_a_few_at_a_time(self, receive, state, subscribed, monkeypatch):
        monkeypatch.setattr(parking, "PAGE_LENGTH", 2)
        park(receive, "1", "2", "3", "4", "5")
        assert len(list(parking.parked(state, subscribed()))) == 5

    def test_a_secret_in_an_error_is_not_saved(self, receive, state, subscribed):
        put(receive.backend, "1")
        receive.inbox.failures["1"] = [DeliveryError("the token t0ps3cret is wrong", retry=False)]
        receive.once(redact=lambda text: text.replace("t0ps3cret", "***"))
        [parked] = parking.parked(state, subscribed())
        assert parked.error == "the token *** is wrong"


class TestRetry:
    def test_the_next_pass_delivers_them_in_the_order_of_their_ids(self, receive, state, subscribed):
        park(receive, "1", "2", "3")
        put(receive.backend, "4")
        assert parking.retry(state, subscribed()) == 3
        assert receive.once().delivered == 4
        assert receive.inbox.contents == ["1", "2", "3", "4"]
        assert subscribed().parked == 0
        assert receive.once().delivered == 0

    def test_a_subscriber_that_runs_hears_of_it(self, receive, state, subscribed):
        park(receive, "1")
        with receive.open() as subscriber:
            subscriber.poll()
            parking.retry(state, subscribed())
            assert subscriber.poll().delivered == 1

    def test_only_those_that_are_named(self, receive, state, subscribed):
        park(receive, "1", "2")
        _, second = parking.parked(state, subscribed())
        assert parking.retry(state, subscribed(), [second.id]) == 1
        receive.once()
        assert receive.inbox.contents == ["2"]

    def test_each_is_tried_once_and_stays_parked_with_its_new_error(self, receive, state, subscribed):
        park(receive, "1")
        receive.inbox.failures["1"] = [RuntimeError("still not"), NEVER]
        parking.retry(state, subscribed())
        assert receive.once().parked == 1
        [parked] = parking.parked(state, subscribed())
        assert (parked.error, parked.attempts, parked.again) == ("RuntimeError: still not", 2, False)
        receive.once()
        assert receive.inbox.tries == ["1", "1"]

    def test_one_that_was_pruned_meanwhile_is_gone(self, receive, state, subscribed):
        park(receive, "1")
        [parked] = parking.parked(state, subscribed())
        receive.backend.delete(parked.key)
        parking.retry(state, subscribed())
        receive.once()
        assert [event.kind for event in receive.told(Skipped)] == ["gone"]
        assert subscribed().parked == 0

    def test_an_object_that_could_not_be_read_is_delivered_whole(self, receive, memory_channel, state, subscribed):
        put(memory_channel, ("a", "1"), ("b", "2"), ("c", "3"))
        watched = Scripted(memory_channel)
        watched.faults["get"] = [None, *[Fault(IntegrityError("cut short", location=memory_channel.location))] * 2]
        receive.once(backend=watched, topics=["a", "c"])
        parking.retry(state, subscribed())
        receive.inbox.failures["3"] = [NEVER]
        receive.once(topics=["a", "c"])
        assert receive.inbox.contents == ["1"]
        [parked] = parking.parked(state, subscribed())
        assert (parked.topic, parked.error) == ("c", "never")

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [("20261120T203540.123456Z-1a2b3c4d", ChannelError), ("no id", ConfigError), ("\0", ConfigError)],
    )
    def test_an_id_that_is_not_parked_is_refused_and_nothing_changes(self, receive, state, subscribed, wrong, error):
        park(receive, "1")
        [parked] = parking.parked(state, subscribed())
        with pytest.raises(error):
            parking.retry(state, subscribed(), [parked.id, wrong])
        assert list(parking.parked(state, subscribed())) == [parked]


class TestDrop:
    def test_gives_them_up(self, receive, state, subscribed):
        park(receive, "1", "2")
        first, _ = parking.parked(state, subscribed())
        assert parking.drop(state, subscribed(), [first.id]) == 1
        assert parking.drop(state, subscribed()) == 1
        assert subscribed().parked == 0
        receive.once()
        assert receive.inbox.contents == []


class TestSubscriptions:
    def test_are_told_of_every_channel_and_name(self, receive, state, memory_channel):
        receive.once()
        receive.once(name="other")
        found = parking.subscriptions(state)
        assert [(one.name, one.channel) for one in found] == [
            (name, str(memory_channel.identity)) for name in ("me", "other")
        ]
        assert all(one.looked for one in found)
        assert parking.subscriptions(state, "nobody") == []
        assert parking.subscriptions(state, channel="elsewhere") == []

    def test_say_up_to_where_everything_is_settled(self, receive, state):
        object_id = put(receive.backend, "1")
        receive.once()
        [found] = parking.subscriptions(state)
        assert found.newest == object_id
        assert found.floor < object_id
        assert dataclasses.asdict(found)["parked"] == 0
