"""Random histories over real stores: edits on both sides, faults, crashes, wrong clocks and old state databases.

Whatever happened before, an undisturbed run makes the target what the source is, but for what it reports; and no run,
however it ends, loses anything that it was not told to (`tests.histories.sandbox`).
"""

import random
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.equivalence.stores import STORES
from tests.histories.length import at_length, play
from tests.histories.sandbox import FILTERS, Sandbox
from tests.histories.sides import Bucket, Folder

HOUR = 3600.0

DICE = st.integers(0, 10**6)

COMPLETE = st.sampled_from(["auto", "auto", "auto", "checksum", "always"])


def memory(_):
    return Bucket.in_memory(f"memory://{uuid.uuid4()}")


def directory(side):
    return lambda folder: Folder(folder / side)


def history(source, target, secrets=()):
    """Return the state machine of a job between two kinds of sides."""

    class History(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            self.box = Sandbox(source(self.folder), target(self.folder), self.folder, secrets)

        def teardown(self):
            self.box.close()
            shutil.rmtree(self.folder)

        @initialize(dice=DICE)
        def begin(self, dice):
            self.box.work("source", dice, 12)
            self.box.work("target", dice + 1, 6)

        @rule(skew=st.sampled_from([0.0, HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 0.5, -0.5]))
        def the_clock_jumps(self, skew):
            self.box.set_clock(skew)

        @rule(name=st.sampled_from(list(FILTERS)))
        def the_filter_is_edited(self, name):
            self.box.filter = name

        @rule(number=st.integers(0, 2))
        def the_state_is_kept(self, number):
            self.box.keep_state(number)

        @rule(number=st.integers(0, 3))
        def an_old_state_is_restored(self, number):
            self.box.restore_state(number)

        @rule(
            dice=DICE,
            compare=COMPLETE,
            transfers=st.sampled_from([1, 4]),
            accept=st.booleans(),
            server_copy=st.booleans(),
            lease=st.booleans(),
        )
        def mirror(self, *, dice, compare, transfers, accept, server_copy, lease):
            self.box.let_pass(dice)
            self.box.mirror(
                delete=True,
                compare=compare,
                transfers=transfers,
                accept_filter_change=accept,
                server_copy=server_copy,
                lease=lease,
            )

        @rule(
            dice=DICE,
            compare=COMPLETE,
            delete=st.booleans(),
            limit=st.sampled_from(["0", "1", "25%", "50%", "100%"]),
            empty=st.booleans(),
        )
        def mirror_within_limits(self, dice, compare, delete, limit, empty):
            self.box.let_pass(dice)
            self.box.mirror(compare=compare, delete=delete, max_delete=limit, allow_empty_source=empty)

        @rule(delete=st.booleans())
        def rehearse(self, delete):
            self.box.run(dry_run=True, delete=delete)

        @rule(
            dice=DICE,
            moment=st.integers(1, 60),
            keep_base=st.booleans(),
            delete=st.booleans(),
            transfers=st.sampled_from([1, 3]),
        )
        def crash(self, dice, moment, keep_base, delete, transfers):
            self.box.let_pass(dice)
            self.box.crash(moment, keep_base=keep_base, delete=delete, transfers=transfers)

        @rule(
            dice=DICE,
            seed=st.integers(0, 999),
            rate=st.sampled_from([0.05, 0.2, 0.5]),
            retries=st.integers(1, 3),
            compare=COMPLETE,
            delete=st.booleans(),
        )
        def stumble(self, *, dice, seed, rate, retries, compare, delete):
            self.box.let_pass(dice)
            self.box.stumble(seed, rate, retries=retries, compare=compare, delete=delete, server_copy=dice % 2 == 0)

    return History


SECRETS = ("secret_access_key", "account_key")
"""Options of locations that hold one."""

PAIRS = {
    "memory to memory": (memory, memory, 25),
    "directory to memory": (directory("source"), memory, 15),
    "memory to directory": (memory, directory("target"), 15),
    "directory to directory": (directory("source"), directory("target"), 15),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_T4_no_history_loses_anything(pair, soak, seed):
    source, target, examples = PAIRS[pair]
    play(history(source, target), examples=examples, steps=30, soak=soak, seed=seed)


def in_store(name, server):
    """Return what makes a fresh place in a store, read there by the store's own client."""
    store = STORES[name]

    def fresh(_):
        place = store.place(server, Path())
        container = place.url.split("/")[2]

        def read():
            return {key.removeprefix("data/"): data for key, data in server.contents(container, "data/").items()}

        return Bucket(place.open, read)

    return fresh


@pytest.mark.parametrize("cloud", ["s3", "azure", "gcs"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_T4_no_history_of_a_cloud_loses_anything(way, cloud, request, soak, seed):
    server = request.getfixturevalue(STORES[cloud].fixture)
    there, here = in_store(cloud, server), directory("here")
    sides = (here, there) if way == "up" else (there, here)
    secrets = [server.options[name] for name in SECRETS if name in server.options]
    play(history(*sides, secrets), examples=2, steps=15, soak=soak, seed=seed)


def traces(folder, source, target, dice):
    """Return what the runs of a history did and told, each run in its order."""
    box = Sandbox(source(folder), target(folder), folder)
    chance = random.Random(dice)
    box.work("source", chance.random(), 12)
    box.work("target", chance.random(), 6)
    for _ in range(6):
        side, seed, rate = chance.choice(["source", "target"]), chance.random(), chance.choice([0.0, 0.1, 0.3])
        box.work(side, seed, 5)
        box.filter = chance.choice(list(FILTERS))
        box.stumble(seed, rate, retries=2, delete=chance.random() < 0.7, transfers=1)
    box.close()
    return [seen.trace for seen in box.seen]


@pytest.mark.parametrize("pair", PAIRS)
def test_T4_the_same_dice_bring_the_same_run(pair, soak, seed):
    source, target, _ = PAIRS[pair]

    def check(dice):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            assert traces(Path(first), source, target, dice) == traces(Path(second), source, target, dice)

    at_length(given(dice=DICE)(check), examples=4, soak=soak, seed=seed)
