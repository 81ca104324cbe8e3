"""Listings read in stretches: the same keys in the same order as page by page, whatever the keys and the server."""

import concurrent.futures
import contextlib
import hashlib
import random
import threading
import time
from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore import ranges, splits
from cloudsync_core.backends.objectstore.listing import ListedPage
from cloudsync_core.backends.objectstore.ranges import (
    FAN_OUT,
    LONG,
    MOST_STRETCHES,
    PAGES_IN_MEMORY,
    Cutting,
    Listing,
)
from cloudsync_core.errors import ThrottledError, UnavailableError, UnexpectedBackendError


def rank(key):
    return key.encode("utf-8", "surrogateescape")


class Server:
    """Answers as an object store does, from a list of keys, out of a pool of threads.

    Attributes:
        size: keys in a page.
        latency: seconds before every answer.
        asked: each request: "page" or "folders", where it starts, its token.
        most: the most requests that were on their way at a time.
        waiting: called with each page when it is handed over.
    """

    def __init__(self, keys, *, size=10, latency=0.0):
        self.keys = sorted(keys, key=rank)
        self.size = size
        self.latency = latency
        self.asked = []
        self.most = self.flying = 0
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(16)

    def place(self, after, token):
        return (
            int(token) if token is not None else 0 if after is None else bisect_right(self.keys, rank(after), key=rank)
        )

    def tell(self, after, token):
        first = self.place(after, token)
        end = min(first + self.size, len(self.keys))
        return self.keys[first:end], str(end) if end < len(self.keys) else None

    def tell_folders(self, folder, after):
        inside = [key for key in self.keys if key.startswith(folder) and rank(key) > rank(after)]
        found = {key[: key.find("/", len(folder)) + 1] for key in inside if "/" in key[len(folder) :]}
        return sorted(found, key=rank)[:1000]

    def page(self, after, token):
        self.asked.append(("page", after, token))
        return self.answer(lambda: self.tell(after, token))

    def folders(self, folder, after):
        self.asked.append(("folders", folder, after))
        return self.answer(lambda: self.tell_folders(folder, after))

    def answer(self, make):
        with self.lock:
            self.flying += 1
            self.most = max(self.most, self.flying)

        def work():
            if self.latency:
                time.sleep(self.latency)
            return make()

        asked = self.pool.submit(work)
        asked.add_done_callback(self.landed)
        return asked

    def landed(self, _):
        with self.lock:
            self.flying -= 1

    def read_page(self, asked, previous):
        del previous
        names, token = asked.result()
        return ListedPage(
            list(names), [len(key) for key in names], [f"e-{key}" for key in names], ["t"] * len(names), token
        )

    def read_folders(self, asked):
        return asked.result()

    def starts(self):
        """Return where stretches were begun."""
        return [after for kind, after, token in self.asked if kind == "page" and token is None]

    def count(self, kind="page"):
        return sum(asked[0] == kind for asked in self.asked)


@pytest.fixture(autouse=True)
def always_slow(monkeypatch):
    """Cut whatever is long, however fast the server is."""
    monkeypatch.setattr(ranges, "SLOW", -1.0)


class Rounds(Server):
    """Answers everything that is on its way when somebody waits, so that time is counted in rounds."""

    def __init__(self, keys):
        super().__init__(keys)
        self.rounds = 0
        self.pending = []

    def answer(self, make):
        asked = concurrent.futures.Future()
        self.pending.append((asked, make))
        return asked

    def land(self, awaited, return_when):
        assert {asked for asked, _ in self.pending} >= set(awaited)
        assert awaited, "somebody waits for nothing"
        self.rounds += 1
        landing, self.pending = self.pending, []
        for asked, make in landing:
            if asked.set_running_or_notify_cancel():
                asked.set_result(make())


def listing(server, *, prefix="", after=None, cutting=None):
    return Listing(server, prefix, after, cutting or Cutting(allowed=True)).pages()


def listed(server, **options):
    found = []
    for page in listing(server, **options):
        assert page.keys, "an empty page was handed out"
        assert page.sizes == [len(key) for key in page.keys]
        assert page.etags == [f"e-{key}" for key in page.keys]
        assert len(page.modified) == len(page.keys)
        found += page.keys
    return found


def digests(count):
    return [hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest() for number in range(count)]


def skewed(count):
    chance = random.Random(1)
    return [
        f"{chance.choice(['logs', 'data', 'x'])}/{int(chance.paretovariate(0.7))}/{number}" for number in range(count)
    ]


SHAPES = {
    "counters": [f"object-{number:07}" for number in range(3000)],
    "counters of any length": [f"object-{number}" for number in range(3000)],
    "digests": digests(3000),
    "digests in folders": [f"{key[:2]}/{key[2:4]}/{key}" for key in digests(3000)],
    "folders of one page": [f"folder-{number // 10:04}/{number:06}" for number in range(3000)],
    "tiny folders": [f"user-{number // 3:05}/{number % 3}" for number in range(3000)],
    "days": [f"logs/2026/{1 + n // 280:02}/{1 + n // 10 % 28:02}/{n % 10}.gz" for n in range(3000)],
    "one giant folder": [*(f"giant/{number:06}" for number in range(2900)), *(f"z{number}/x" for number in range(100))],
    "deep": ["/".join(f"{number:04}") + f"/deep/er/{n}" for number in range(1000) for n in range(3)],
    "skewed": skewed(3000),
    "unicode": [f"\u00e9\u4e2d{chr(0x4E00 + number % 700)}/\U0001f600{number}" for number in range(3000)],
    "beside their folders": [
        f"a{chr(32 + n % 90)}{end}" for n in range(90) for end in ("", "/", "/x", "-y", ".z", "//")
    ],
    "markers": [f"folder-{number // 20:03}/{number % 20 or ''}" for number in range(3000)],
    "no text": [f"a{number:04}\udcff" for number in range(500)] + [f"a{number:04}\uffff" for number in range(500)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [7, 10, 100])
def test_every_shape_of_keys_is_told_once_and_in_order(shape, size):
    server, cutting = Server(set(SHAPES[shape]), size=size), Cutting(allowed=True)
    assert listed(server, cutting=cutting) == server.keys
    assert cutting.allowed, "a server that lists in order was taken for another"
    pages = -(-len(server.keys) // size)
    assert server.count() <= 2 * pages + 3 * FAN_OUT, "the stretches cost more requests than they may"


@pytest.mark.parametrize("shape", SHAPES)
def test_start_after_and_prefix_hold(shape):
    everything = Server(set(SHAPES[shape])).keys
    chance = random.Random(2)
    for after in (*chance.sample(everything, 3), everything[0] + "!", "zzzz"):
        server = Server(everything)
        assert listed(server, after=after) == [key for key in everything if rank(key) > rank(after)]
        assert all(start is not None and rank(start) >= rank(after) for start in server.starts())
    prefix = chance.choice(everything).rpartition("/")[0].partition("/")[0]
    inside = [key for key in everything if key.startswith(prefix)]
    server = Server(inside)
    assert listed(server, prefix=prefix) == inside
    assert all(folder.startswith(prefix) for kind, folder, _ in server.asked if kind == "folders")


KEYS = st.text(st.sampled_from("ab-./0129é\U00010000\ufffd"), min_size=1, max_size=7)


@given(keys=st.sets(KEYS, max_size=400), size=st.integers(1, 9), after=st.none() | KEYS)
@settings(max_examples=150, deadline=None)
def test_any_keys_are_told_once_and_in_order(keys, size, after):
    server = Server(keys, size=size)
    assert listed(server, after=after) == [key for key in server.keys if after is None or rank(key) > rank(after)]


class TestCosts:
    def test_small_listing_costs_no_other_request(self):
        server = Server(SHAPES["counters"][: LONG * 10])
        assert listed(server) == server.keys
        assert server.count() == LONG == len(server.asked)

    def test_fast_server_is_asked_page_by_page(self, monkeypatch):
        monkeypatch.setattr(ranges, "SLOW", 60.0)
        server = Server(SHAPES["folders of one page"])
        assert listed(server) == server.keys
        assert (server.count(), len(server.asked), server.starts()) == (300, 300, [None])

    def test_place_without_order_is_asked_page_by_page(self):
        server = Server(SHAPES["folders of one page"])
        assert listed(server, cutting=Cutting(allowed=False)) == server.keys
        assert (len(server.asked), server.starts()) == (300, [None])

    @pytest.mark.parametrize(
        ("shape", "gain"),
        [
            ("counters", 5),
            ("counters of any length", 2),
            ("digests", 3),
            ("digests in folders", 4),
            ("folders of one page", 4),
            ("tiny folders", 5),
            ("days", 2),
            ("one giant folder", 3),
            ("deep", 2),
            ("skewed", 1.5),
        ],
    )
    def test_slow_server_is_asked_for_several_stretches_at_a_time(self, shape, gain, monkeypatch):
        server = Rounds(SHAPES[shape])
        monkeypatch.setattr(ranges, "wait", server.land)
        assert listed(server) == server.keys
        assert server.rounds <= 300 / gain, f"{server.count()} pages in {server.rounds} rounds"

    @pytest.mark.parametrize("shape", ["counters", "skewed", "folders of one page"])
    def test_requests_on_their_way_are_few(self, shape):
        server = Server(SHAPES[shape], latency=0.002)
        listed(server)
        assert 2 < server.most <= FAN_OUT + ranges.FOLDERS_AT_A_TIME

    def test_pages_in_memory_are_few(self):
        server = Server(SHAPES["folders of one page"])
        reader = Listing(server, "", None, Cutting(allowed=True))
        most = 0
        for _ in reader.pages():
            time.sleep(0.001)
            most = max(most, sum(len(stretch.ready) + (stretch.crossing is not None) for stretch in reader._stretches))
            assert len(reader._stretches) <= MOST_STRETCHES
        assert FAN_OUT < most <= PAGES_IN_MEMORY + 1

    def test_one_who_starts_in_the_middle_may_want_one_page(self):
        server = Server(SHAPES["counters"])
        pages = listing(server, after="object-0000100")
        next(pages)
        pages.close()
        assert server.count() == 1


class Failing(Server):
    """Fails one request."""

    def __init__(self, keys, fails, error, **options):
        super().__init__(keys, **options)
        self.fails = fails
        self.error = error

    def read_page(self, asked, previous):
        page = super().read_page(asked, previous)
        if self.fails in page.keys:
            raise self.error
        return page


class TestTrouble:
    @pytest.mark.parametrize("number", [0, 1, 45, 1000, 2999])
    def test_L3_page_that_fails_raises_after_the_keys_before_it(self, number):
        keys = SHAPES["counters"]
        server = Failing(keys, keys[number], UnavailableError("down"))
        found = []
        with pytest.raises(UnavailableError):
            found.extend(key for page in listing(server) for key in page.keys)
        assert found == keys[: len(found)]
        assert number - 2 * server.size < len(found) <= number

    def test_folders_that_fail_cost_nothing_but_time(self):
        class Refusing(Server):
            def read_folders(self, asked):
                raise ThrottledError("slow down")

        server = Refusing(SHAPES["folders of one page"])
        assert listed(server) == server.keys
        assert (server.starts(), server.count()) == ([None], 300)

    def test_closing_cancels_what_is_on_its_way(self):
        server = Server(SHAPES["folders of one page"], latency=0.02)
        server.pool = concurrent.futures.ThreadPoolExecutor(1)
        pages = listing(server)
        for _ in range(10):
            next(pages)
        begun = server.flying
        pages.close()
        assert begun > 1
        assert server.flying <= 1
        asked = len(server.asked)
        time.sleep(0.1)
        assert len(server.asked) == asked

    def test_an_error_closes_it_too(self):
        server = Failing(SHAPES["counters"], "object-0001000", UnavailableError("down"), latency=0.005)
        server.pool = concurrent.futures.ThreadPoolExecutor(1)
        with pytest.raises(UnavailableError):
            listed(server)
        assert server.flying <= 1


def walked(keys):
    """Sort as a walk through directories does."""
    return sorted(keys, key=lambda key: key.split("/"))


class TestOddServers:
    def test_that_ignores_where_to_start_is_asked_page_by_page(self):
        class Deaf(Server):
            def place(self, after, token):
                return int(token or 0)

        server, cutting = Deaf(SHAPES["folders of one page"]), Cutting(allowed=True)
        assert listed(server, cutting=cutting) == server.keys
        assert not cutting.allowed
        again = Deaf(SHAPES["folders of one page"])
        assert listed(again, cutting=cutting) == again.keys
        assert again.starts() == [None]

    def test_that_starts_only_after_keys_that_it_has(self):
        class Exact(Server):
            def place(self, after, token):
                if token is None and after is not None and after not in self.keys:
                    return len(self.keys)
                return super().place(after, token)

        for shape in ("folders of one page", "counters", "digests"):
            server = Exact(SHAPES[shape])
            assert listed(server) == server.keys

    @pytest.mark.parametrize("skipped", [1, 5, 25])
    def test_that_starts_too_late(self, skipped):
        class Late(Server):
            def place(self, after, token):
                place = super().place(after, token)
                return place if token is not None or after is None else min(place + skipped, len(self.keys))

        for shape in ("folders of one page", "counters", "digests"):
            server = Late(SHAPES[shape])
            assert listed(server) == server.keys

    @pytest.mark.parametrize("shape", ["folders of one page", "counters", "digests"])
    @pytest.mark.parametrize("memory", [1, 4, PAGES_IN_MEMORY])
    def test_that_sends_empty_pages_in_between(self, shape, memory, monkeypatch):
        monkeypatch.setattr(ranges, "PAGES_IN_MEMORY", memory)
        chance = random.Random(4)

        class Halting(Server):
            def tell(self, after, token):
                if token is not None and token.endswith("+"):
                    return super().tell(after, token[:-1])
                if token is None and after is not None:
                    time.sleep(chance.choice([0, 0.02]))
                    return [], f"{self.place(after, None)}+"
                names, more = super().tell(after, token)
                return names, f"{more}+" if more and int(more) % 3 == 0 else more

            def place(self, after, token):
                return super().place(after, None) if token is None else int(token)

        server = Halting(SHAPES[shape])
        assert listed(server) == server.keys

    def test_A14_that_tells_folders_which_it_has_not(self):
        class Dreaming(Server):
            def tell_folders(self, folder, after):
                return [f"{folder}{name}/" for name in ("folder-0100", "folder-0100", "folder-9", "zz", "\0", "a")]

        server = Dreaming(SHAPES["folders of one page"])
        assert listed(server) == server.keys

    def test_that_walks_directories_is_caught_before_a_key_is_lost(self):
        """Its `a-b` comes after `a/…`, which a listing in order does not do."""

        class Walking(Server):
            def __init__(self, keys, **options):
                super().__init__(keys, **options)
                self.keys = walked(keys)

            def place(self, after, token):
                if token is not None or after is None:
                    return int(token or 0)
                return bisect_right([key.split("/") for key in self.keys], after.split("/"))

        keys = [name for number in range(300) for name in (*(f"f{number:03}/{n}" for n in range(9)), f"f{number:03}-x")]
        server, cutting = Walking(keys), Cutting(allowed=True)
        found, error = [], None
        try:
            for page in listing(server, cutting=cutting):
                found += page.keys
        except UnexpectedBackendError as caught:
            error = caught
        in_order = sorted(found[: found.index("f000-x") + 1]) == found[: found.index("f000-x") + 1]
        assert not in_order, "nobody could tell that the server is not in order"
        assert error is not None or found == server.keys
        assert not cutting.allowed
        assert listed(server, cutting=cutting) == server.keys

    @pytest.mark.parametrize("number", [20, *range(1500, 1600, 10), 2990])
    @pytest.mark.parametrize(
        "disorder",
        [lambda names: names[::-1], lambda names: [*names[1:-1], names[0], names[-1]]],
        ids=["backwards", "one is late"],
    )
    def test_that_loses_its_order_is_caught(self, number, disorder):
        lost = SHAPES["counters"][number + 5]

        class Losing(Server):
            def place(self, after, token):
                # Whatever the start, a page is one of the same three hundred.
                return (
                    super().place(after, token) // 10 * 10 if token is None and after is not None else int(token or 0)
                )

            def tell(self, after, token):
                names, more = super().tell(after, token)
                names = disorder(names) if lost in names else names
                return [name for name in names if after is None or name > after], more

        server, found, error = Losing(SHAPES["counters"]), [], None
        try:
            found.extend(key for page in listing(server) for key in page.keys)
        except UnexpectedBackendError as caught:
            error = caught
        assert found != sorted(found), "the disorder was hidden from whoever checks the order"
        assert set(found) >= set(SHAPES["counters"][:number])
        assert error is not None or set(found) == set(server.keys)

    def test_that_ends_a_listing_early_is_told_no_less_than_page_by_page(self):
        class Ending(Server):
            def tell(self, after, token):
                names, token = super().tell(after, token)
                return names, None if "object-0000505" in names else token

        server, found = Ending(SHAPES["counters"]), []
        with contextlib.suppress(UnexpectedBackendError):
            found.extend(key for page in listing(server) for key in page.keys)
        assert found == server.keys[: len(found)]
        assert len(found) >= 510

    def test_that_ends_a_listing_before_a_key_that_it_lists_is_caught(self):
        class Ending(Server):
            def tell(self, after, token):
                names, token = super().tell(after, token)
                if "object-0000045" not in names:
                    return names, token
                time.sleep(0.2)
                return names, None

        with pytest.raises(UnexpectedBackendError, match="before a key that it lists"):
            listed(Ending(SHAPES["counters"]))

    def test_that_ignores_where_to_start_may_come_to_its_end_first(self):
        class Deaf(Server):
            def tell(self, after, token):
                if token is None and after is not None:
                    time.sleep(0.2)
                return super().tell(None, token)

        server = Deaf(SHAPES["counters"][:60])
        assert listed(server) == server.keys

    @pytest.mark.parametrize("shape", ["folders of one page", "counters", "digests"])
    def test_that_changes_meanwhile_tells_what_is_there_all_the_time(self, shape):
        class Changing(Server):
            def __init__(self, keys, **options):
                super().__init__(keys, **options)
                self.lasting = self.keys[::2]
                self.passing = self.keys[1::2]
                self.chance = random.Random(3)

            def place(self, after, token):
                return bisect_right(self.keys, rank(token or after or ""), key=rank)

            def tell(self, after, token):
                with self.lock:
                    there = [key for key in self.passing if self.chance.random() < 0.7]
                    self.keys = sorted(self.lasting + there, key=rank)
                    names, more = super().tell(after, token)
                    return names, names[-1] if more else None

        server = Changing(SHAPES[shape])
        found = listed(server)
        assert sorted(set(found), key=rank) == found
        assert set(server.lasting) <= set(found)


class TestGuesses:
    def test_counters_are_counted_on(self):
        assert list(splits.beyond(["k-0007.bin", "k-0008.bin", "k-0011.bin"], 3)) == [
            "k-0015.bin",
            "k-0019.bin",
            "k-0023.bin",
        ]

    def test_digests_are_counted_on(self):
        assert list(splits.beyond(["00f", "08a", "10f"], 2)) == ["20f", "30f"]

    def test_end_where_the_numbers_do(self):
        assert list(splits.beyond(["k10", "k50"], 9)) == ["k90"]

    @given(st.lists(KEYS, min_size=1, max_size=30).map(sorted), st.integers(0, 9))
    def test_ascend(self, sample, count):
        found = list(splits.beyond(sample, count))
        assert len(found) <= count
        assert sorted(set(found)) == found

    def test_levels_are_those_whose_folders_are_large(self):
        sample = [f"logs/2026/{day:02}/{number:03}" for day in range(3) for number in range(50)]
        assert splits.levels(sample, "logs/") == [("logs/2026/", 1 / 3), ("logs/", 1.0)]
        assert splits.levels(sample, "logs/2026/") == [("logs/2026/", 1 / 3)]
        assert splits.levels([f"user-{number}/x" for number in range(50)], "") == []
