"""Publishers and subscribers that are killed at random and started again: nothing is lost, and order holds."""

import collections
import dataclasses
import random
import signal
import time
from pathlib import Path

import pytest

from cloudsync_core.channels.scan import fetch, scan
from tests.channels.process import Order, log_lines
from tests.equivalence.stores import Place

PUBLISHERS = SUBSCRIBERS = 4
SECONDS, SOAK_SECONDS = 4.0, 900.0
"""For how long they are killed."""

PATIENCE = 60.0
"""Seconds in which one that is asked to end has ended."""


def s3(server):
    return Place(f"s3://{server.make_bucket()}/channel", {**server.options, "conditional_writes": True})


def azure(server):
    return Place(f"az://{server.make_container()}/channel", dict(server.options))


class Crowd:
    """The processes, and what each of them has done.

    Attributes:
        kills: how often each subscriber was killed.
    """

    def __init__(self, processes, place, folder, rnd):
        self._processes = processes
        self._place = place
        self._rnd = rnd
        self.orders = {}
        self._running = {}
        self.kills = collections.Counter()
        for number in range(PUBLISHERS):
            self._add("publisher", f"pub{number}", folder)
        for number in range(SUBSCRIBERS):
            self._add("subscriber", f"sub{number}", folder)

    def _add(self, role, name, folder):
        (effects := folder / f"{name}-effects").mkdir()
        log, state = str(folder / f"{name}.log"), str(folder / f"{name}.db")
        self.orders[role, name] = Order(self._place.url, self._place.options, name, log, state, str(effects))

    def names(self, role):
        return [name for its_role, name in self.orders if its_role == role]

    def order(self, name):
        return next(order for order in self.orders.values() if order.name == name)

    def start(self, who, **changes):
        self._running[who] = self._processes.start(who[0], dataclasses.replace(self.orders[who], **changes))

    def kill_some(self, seconds):
        """Kill one after the other, each now and then, and start it again at once."""
        for who in self.orders:
            self.start(who)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._rnd.uniform(0.05, 0.3))
            who = self._rnd.choice(sorted(self.orders))
            process = self._running[who]
            assert process.wait(0) is None, f"{who} has ended by itself: {self._said(who)}"
            process.send(signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
            self.kills[who[1]] += 1
            self.start(who)

    def end(self):
        """End the publishers, and let the subscribers get what is left."""
        self._end_well("publisher")
        self._end_well("subscriber")
        for name in self.names("subscriber"):
            self.start(("subscriber", name), once=True)
        self._wait("subscriber")

    def close(self):
        for process in self._running.values():
            process.send(signal.SIGKILL)
            process.wait(PATIENCE)

    def _end_well(self, role):
        for who, process in self._running.items():
            if who[0] == role:
                process.send(signal.SIGTERM)
        self._wait(role)

    def _wait(self, role):
        for who, process in self._running.items():
            if who[0] == role:
                assert process.wait(PATIENCE) in (0, -signal.SIGTERM), self._said(who)

    def _said(self, who):
        return Path(f"{self.orders[who].log}.err").read_text()[-3000:]


@pytest.fixture(params=[("rclone_s3", s3), ("azurite", azure)], ids=["s3", "azure"])
def place(request):
    fixture, make = request.param
    return make(request.getfixturevalue(fixture))


@pytest.fixture
def crowd(processes, place, tmp_path, seed):
    crowd = Crowd(processes, place, tmp_path, random.Random(seed))
    yield crowd
    crowd.close()


def test_nothing_is_lost_and_order_holds_whoever_is_killed(crowd, place, soak, tmp_path):
    crowd.kill_some(SOAK_SECONDS if soak else SECONDS)
    crowd.end()

    with place.open() as backend:
        channel = [update for page, _ in scan(backend, None) for listed in page for update in fetch(backend, listed)]
        there = {update.id: update.content["number"] for update in channel}
    published = {
        name: [(words[2], int(words[1]), words[3]) for words in log_lines(crowd.order(name).log) if words[0] == "done"]
        for name in crowd.names("publisher")
    }
    acknowledged = {update_id for lines in published.values() for _, _, update_id in lines}
    assert acknowledged <= there.keys(), "what was published is not there"
    assert len(acknowledged) > 100, "too little was published to show anything"

    for name in crowd.names("subscriber"):
        lines = [words for words in log_lines(crowd.order(name).log) if len(words) == 5]
        ids = [words[3] for words in lines]
        effects = {path.name: int(path.read_text()) for path in (tmp_path / f"{name}-effects").glob("2*")}
        assert effects == there, f"{name} has not every effect exactly once"
        # The effect comes before its line, so that one line may be missing for each kill.
        assert len(there) - len(set(ids)) <= crowd.kills[name]
        assert len(ids) - len(set(ids)) <= crowd.kills[name], f"{name} got more again than it had in hand"

        got = collections.defaultdict(list)
        for _, number, topic, update_id, publisher in lines:
            if update_id in acknowledged and int(number) not in got[publisher, topic]:
                got[publisher, topic].append(int(number))
        for (publisher, topic), numbers in got.items():
            assert numbers == sorted(numbers), f"{name} got {publisher}'s {topic} in another order"
