"""Order per publisher and topic, and nothing lost, whatever the publishers' clocks say and when listings meet them."""

import dataclasses
import random

import pytest

from cloudsync_core.channels import ids
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import Page
from tests.channels.receiving import AT_ONCE
from tests.channels.writing import NOW_NS, SECOND_NS, moment, put
from tests.engine.stores import Shaped


class Simulated(Shaped):
    """A store whose clock a test moves.

    Attributes:
        now_ns: what the clock says.
    """

    def __init__(self, inner, **capabilities):
        self.now_ns = NOW_NS
        self._written = {}
        super().__init__(inner, listed=self._told, known=self._told, **capabilities)

    def put(self, key, body, **options):
        self._written[key] = self.now_ns
        return super().put(key, body, **options)

    def _told(self, info):
        # As most stores do, in whole seconds.
        return dataclasses.replace(info, modified_ns=self._written[info.key] // SECOND_NS * SECOND_NS)


class Publishing:
    """Publishers whose clocks differ from the store's by some seconds, each with topics of its own and a common one.

    Attributes:
        published: the contents of each publisher and topic, in order.
    """

    def __init__(self, store, skews, rnd):
        self._store = store
        self._skews = skews
        self._rnd = rnd
        self._last_ns = dict.fromkeys(skews, 0)
        self.published = {}

    def publish(self):
        name = self._rnd.choice(sorted(self._skews))
        topic = self._rnd.choice(["common", f"of-{name}"])
        now_ns = self._store.now_ns + int(self._skews[name] * SECOND_NS)
        self._last_ns[name] = max(now_ns, self._last_ns[name] + 1000)
        mine = self.published.setdefault((name, topic), [])
        text = f"{name} {topic} {len(mine)}"
        put(self._store, text, object_id=ids.new(self._last_ns[name]), publisher=name, topic=topic)
        mine.append(text)


def received(updates):
    """Return the contents of each publisher and topic, in the order in which they were delivered."""
    found = {}
    for update in updates:
        found.setdefault((update.publisher, update.topic), []).append(update.content)
    return found


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
@pytest.mark.parametrize("number", range(3))
def test_nothing_is_lost_or_comes_twice_while_clocks_differ_by_five_minutes(
    memory_channel, receive, number, ordered, seed
):
    rnd = random.Random(f"{seed} {number}")
    store = receive.backend = Simulated(memory_channel, ordered_listing=ordered)
    publishing = Publishing(store, {"behind": -300, "right": 0, "ahead": 300}, rnd)
    with receive.open(clock=lambda: store.now_ns) as subscriber:
        # Two hours and a half, several times the overlap.
        for _ in range(300):
            for _ in range(rnd.choice([0, 0, 1, 3])):
                publishing.publish()
                store.now_ns += rnd.randrange(SECOND_NS)
            subscriber.poll()
            store.now_ns += 30 * SECOND_NS
        listed = subscriber.poll().listed
    assert received(receive.inbox.updates) == publishing.published
    assert len(receive.inbox.ids) == len(set(receive.inbox.ids))
    assert listed < sum(map(len, publishing.published.values())) // 3, "the cursor does not move"


def test_a_publisher_that_is_a_day_ahead_hides_nobody(memory_channel, receive, seed):
    store = receive.backend = Simulated(memory_channel)
    publishing = Publishing(store, {"right": 0, "tomorrow": 86400, "behind": -300}, random.Random(seed))
    with receive.open() as subscriber:
        for _ in range(200):
            publishing.publish()
            subscriber.poll()
            store.now_ns += 60 * SECOND_NS
    assert received(receive.inbox.updates) == publishing.published


def test_a_store_that_tells_no_times_is_followed_by_the_hosts_clock(memory_channel, receive):
    receive.backend = Shaped(memory_channel, listed=lambda info: dataclasses.replace(info, modified_ns=0))
    for minutes in range(100, -100, -5):
        put(memory_channel, f"{minutes}", object_id=moment(-60 * minutes - 20))
    assert receive.once(start=NOW_NS / SECOND_NS - 1800).delivered == 25
    # What is from fifteen minutes before this moment on.
    assert receive.poll().listed == 22


class Meanwhile(Layer):
    """A store that tells one object a page, and lets something happen between the pages of some listing.

    Attributes:
        happens: by the number of the listing and of the page after which it happens, what does.
    """

    def __init__(self, inner):
        super().__init__(inner)
        self.happens = {}
        self._listings = 0

    def list(self, prefix="", *, start_after=None, prune=None):
        if prefix != "updates":
            yield from self.inner.list(prefix, start_after=start_after, prune=prune)
            return
        self._listings += 1
        listing, page, reached = self._listings, 0, start_after
        while True:
            found = next((one for p in self.inner.list(prefix, start_after=reached) for one in p), None)
            if found is None:
                return
            yield Page.of([found])
            page, reached = page + 1, found.key
            self.happens.pop((listing, page), lambda: None)()


@pytest.mark.parametrize("listing", [1, 2])
def test_what_is_published_while_a_listing_goes_on_keeps_its_order(memory_channel, receive, listing):
    put(memory_channel, "before", object_id=moment(-100), publisher="other")
    put(memory_channel, "between", object_id=moment(-10), publisher="other")

    def publish():
        # Where the listing has been already, and where it has yet to come.
        put(memory_channel, "first", object_id=moment(-50))
        put(memory_channel, "second", object_id=moment(-1))

    store = Meanwhile(memory_channel)
    store.happens = {(listing, 2): publish}
    with receive.open(backend=store) as subscriber:
        subscriber.poll()
        subscriber.poll()
    assert [text for text in receive.inbox.contents if text in {"first", "second"}] == ["first", "second"]
    assert len(receive.inbox.contents) == 4


@pytest.mark.parametrize("number", range(10))
def test_order_of_a_topic_holds_whatever_fails(memory_channel, receive, number, seed):
    rnd = random.Random(f"{seed} {number}")
    store = receive.backend = Simulated(memory_channel)
    publishing = Publishing(store, {"one": 0, "two": 3}, rnd)
    with receive.open(backoff=AT_ONCE, attempts=100) as subscriber:
        for _ in range(30):
            for _ in range(rnd.randrange(6)):
                publishing.publish()
                store.now_ns += SECOND_NS
            for texts in publishing.published.values():
                receive.inbox.failures[rnd.choice(texts)] = [RuntimeError("no")] * rnd.randrange(4)
            subscriber.poll()
        receive.inbox.failures.clear()
        subscriber.run(60, once=True)
    assert received(receive.inbox.updates) == publishing.published
