"""A subscriber that dies at one of its steps loses nothing, and gets at most the update in hand once more."""

import dataclasses

import pytest

from cloudsync_core.api import open_backend
from cloudsync_core.channels import pruning
from cloudsync_core.channels.publisher import Message, Publisher
from cloudsync_core.crashpoints import EXIT_CODE
from tests.channels.process import Order, log_lines
from tests.channels.test_pruning import HOUR, a_day_later, payloads, put_payload, texts
from tests.channels.writing import moment, put

REFUSED = "refused"


@pytest.fixture
def order(tmp_path):
    """What a subscriber to a channel with a few updates in a directory is to do."""
    for folder in ("channel", "effects"):
        (tmp_path / folder).mkdir()
    with open_backend(str(tmp_path / "channel")) as backend:
        publisher = Publisher(backend, "pub")
        messages = [Message("a", {"number": number}) for number in range(4)]
        publisher.publish_many(messages[:3])
        publisher.publish(messages[3])
        publisher.publish(Message(REFUSED, {"number": 4}))
    return Order(
        str(tmp_path / "channel"),
        {},
        "me",
        str(tmp_path / "log"),
        str(tmp_path / "state.db"),
        str(tmp_path / "effects"),
        once=True,
        refused=REFUSED,
    )


@pytest.fixture
def run(order, processes):
    """Run the subscriber until it ends, or dies at a point, and return its exit code."""
    return lambda crash_at="": processes.start("subscriber", dataclasses.replace(order, crash_at=crash_at)).wait(60)


def delivered(order):
    return [int(words[1]) for words in log_lines(order.log)]


@pytest.mark.parametrize(
    ("point", "before", "again"),
    [
        ("subscription.registered:1", [], []),
        ("subscription.delivered:2", [0, 1], [1]),
        ("subscription.settled:2", [0, 1], []),
        ("subscription.delivered:4", [0, 1, 2, 3], [3]),
        ("subscription.parked:1", [0, 1, 2, 3], []),
        ("subscription.floor.moved:1", [0, 1, 2, 3], []),
        ("subscription.registered:2", [0, 1, 2, 3], []),
    ],
)
def test_only_what_was_in_hand_comes_again(order, run, point, before, again):
    assert run(point) == EXIT_CODE
    assert delivered(order) == before
    assert run() == 0
    rest = [number for number in range(4) if number not in before]
    assert delivered(order) == [*before, *again, *rest]


def test_pruning_that_dies_between_updates_and_payloads_is_finished_by_a_later_one(memory_channel, monkeypatch):
    put(memory_channel, "one", object_id=(old := moment(-2 * HOUR)))
    put(memory_channel, "two")
    put_payload(memory_channel, old)

    class DeadError(Exception):
        pass

    def die(_):
        raise DeadError

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "hit", die)
        with pytest.raises(DeadError):
            pruning.prune(memory_channel, max_age=HOUR)
    assert (len(texts(memory_channel)), len(payloads(memory_channel))) == (1, 1)
    assert pruning.prune(memory_channel, max_count=1).payloads == 0
    assert pruning.prune(memory_channel, max_count=1, clock=a_day_later).payloads == 1
