"""One side's listing: in order or an error, in scope, ahead of its reader, and nothing left running."""

import itertools
import threading
import time

import pytest

from cloudsync_core.engine import listing
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.progress import Progress
from cloudsync_core.errors import CancelledError, ListingOrderError, UnavailableError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import Gap, Page
from tests.engine.objects import entry
from tests.engine.stores import Shaped, memory


class Listing(Layer):
    """A store whose listing is what a test says: pages, and errors to raise at their places."""

    def __init__(self, *pages, **capabilities):
        super().__init__(Shaped(memory("listing"), **capabilities))
        self.pages = pages
        self.pulled = 0
        self.closed = threading.Event()
        self.pruned = None

    def list(self, prefix="", *, start_after=None, prune=None):
        self.pruned = prune
        try:
            for page in self.pages:
                self.pulled += 1
                if isinstance(page, Exception):
                    raise page
                yield page if isinstance(page, Page) else Page.of([entry(key) for key in page])
        finally:
            self.closed.set()


def start(backend, *, scope=None, sort=False, include=None, stop=None, progress=None, side="source"):
    return list_side(
        backend,
        side,
        scope or Filter(),
        sort=sort,
        include=include,
        stop=stop or threading.Event(),
        progress=progress or Progress(),
    )


def names(pages):
    return [key for page in pages for key in page.keys]


class TestOrder:
    @pytest.mark.parametrize(
        ("pages", "message"),
        [
            ([["b", "a"]], "a came after b"),
            ([["a", "c"], ["b"]], "b came after c"),
            ([["a", "a"]], "a came twice"),
            ([["a"], [], ["a"]], "a came twice"),
            ([["a/b", "a-b"]], "a-b came after a/b"),
            ([["x\ny"], ["a"]], r"a came after x\\ny"),
        ],
    )
    def test_L1_disorder_is_an_error_that_names_the_keys(self, pages, message):
        with pytest.raises(ListingOrderError, match=f"list memory://listing: .*{message}") as caught:
            names(start(Listing(*pages), side="target"))
        assert caught.value.side == "target"

    def test_A12_byte_order_is_order(self):
        keys = ["A", "a-b", "a.b", "a/b", "é", "\ufffd", "\U00010000"]
        assert names(start(Listing(keys))) == keys

    def test_a_store_that_admits_disorder_is_sorted(self):
        assert names(start(Listing(["b", "a"], ["c", "B"], ordered_listing=False))) == ["B", "a", "b", "c"]

    def test_a_store_that_was_caught_is_sorted(self):
        assert names(start(Listing(["b", "a"]), sort=True)) == ["a", "b"]

    @pytest.mark.parametrize("sort", [True, False])
    def test_A21_a_key_that_comes_twice_is_an_error_even_when_sorted(self, sort):
        backend = Listing(["b", "a"], ["b"], ordered_listing=False)
        with pytest.raises(ListingOrderError, match="b came twice"):
            names(start(backend, sort=sort))


class TestErrors:
    def test_L3_come_after_the_pages_before_them(self):
        pages = start(Listing(["a"], ["b"], UnavailableError("cut off"), ["c"]))
        assert [next(pages).keys, next(pages).keys] == [["a"], ["b"]]
        with pytest.raises(UnavailableError, match="cut off"):
            next(pages)

    @pytest.mark.parametrize("sort", [True, False])
    def test_A25_a_listing_that_fails_never_just_ends(self, sort):
        with pytest.raises(UnavailableError):
            names(start(Listing(["a"], UnavailableError("cut off")), sort=sort))

    def test_of_any_kind_reach_the_reader(self):
        with pytest.raises(ZeroDivisionError):
            names(start(Listing(["a"], ZeroDivisionError())))


class TestThread:
    def test_lists_a_few_pages_ahead_and_no_more(self):
        backend = Listing(*([f"{number:03}"] for number in range(100)))
        pages = start(backend)
        next(pages)
        deadline = time.monotonic() + 5
        while backend.pulled < listing.PAGES_AHEAD and time.monotonic() < deadline:
            time.sleep(0.005)
        assert listing.PAGES_AHEAD <= backend.pulled <= listing.PAGES_AHEAD + 2
        pages.close()

    def test_both_sides_are_listed_at_once(self):
        both = threading.Barrier(2, timeout=10)

        class Meeting(Listing):
            def list(self, prefix="", *, start_after=None, prune=None):
                both.wait()
                yield from super().list(prefix)

        sides = [start(Meeting(["a"])), start(Meeting(["a"]))]
        readers = [threading.Thread(target=names, args=(side,)) for side in sides]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(10)
        assert not both.broken

    def test_ends_and_closes_the_listing_when_the_reader_goes(self):
        backend = Listing(*([f"{number:03}"] for number in range(100)))
        pages = start(backend)
        next(pages)
        pages.close()
        assert backend.closed.wait(10)
        assert backend.pulled < 100
        assert_no_listing_thread()

    def test_ends_when_the_reader_goes_before_the_first_page(self):
        start(Listing(["a"])).close()
        assert_no_listing_thread()

    def test_ends_at_the_end(self):
        names(start(Listing(["a"])))
        assert_no_listing_thread()

    @pytest.mark.parametrize("sort", [True, False])
    def test_a_stop_interrupts_a_listing_that_hangs(self, sort):
        stop, hang = threading.Event(), threading.Event()

        class Hanging(Listing):
            def list(self, prefix="", *, start_after=None, prune=None):
                yield Page.of([entry("a")])
                stop.set()
                hang.wait(10)
                yield Page.of([entry("b")])

        pages = start(Hanging(), stop=stop, sort=sort)
        with pytest.raises(CancelledError):
            names(pages)
        hang.set()
        assert_no_listing_thread()

    def test_a_stop_ends_a_listing_that_flows(self):
        """Nobody but the listing may look for the stop: where nothing has changed, nothing comes out of the merge."""
        stop = threading.Event()

        class Endless(Listing):
            def list(self, prefix="", *, start_after=None, prune=None):
                for number in itertools.count():
                    yield Page.of([entry(f"{number:09}")])

        pages = start(Endless(), stop=stop)
        next(pages)
        stop.set()
        with pytest.raises(CancelledError):
            names(pages)
        assert_no_listing_thread()

    def test_a_stop_ends_a_sort_under_way(self):
        stop = threading.Event()
        backend = Listing(*([f"{number}"] for number in range(10)))
        stop.set()
        with pytest.raises(CancelledError):
            names(start(backend, sort=True, stop=stop))
        assert backend.pulled <= 1


def assert_no_listing_thread():
    deadline = time.monotonic() + 10
    while any(thread.name == "cloudsync-list" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread of a listing is left behind"
        time.sleep(0.01)


class TestScope:
    def test_P9_excluded_objects_do_not_come(self):
        backend = Listing(["a", "a.tmp", "b/c.tmp", "b/d"])
        assert names(start(backend, scope=Filter(exclude=["*.tmp"]))) == ["a", "b/d"]

    def test_the_store_is_told_what_it_need_not_enter(self):
        backend = Listing(["a"])
        names(start(backend, scope=Filter(exclude=["cache/"])))
        assert backend.pruned("cache")
        assert not backend.pruned("a")

    @pytest.mark.parametrize(
        ("gap", "stays"),
        [
            (Gap("a", "why"), True),
            (Gap("cache", "why", subtree=True), False),
            (Gap("cache/x", "why"), False),
            (Gap("x.tmp", "why"), False),
            (Gap("docs", "why", subtree=True), True),
        ],
    )
    def test_a_gap_in_an_excluded_place_is_no_trouble(self, gap, stays):
        scope = Filter(include=["docs/", "a"], exclude=["cache/", "*.tmp"])
        found = [gap for page in start(Listing(Page.of((), (gap,))), scope=scope) for gap in page.gaps]
        assert found == [gap] * stays

    @pytest.mark.parametrize(
        "scope", [Filter(exclude_regex=[r"\.bak$"]), Filter(exclude=["*.bak", "!old.bak/"])], ids=["regex", "pattern"]
    )
    def test_A07_an_unreadable_folder_counts_whose_name_alone_is_excluded(self, scope):
        assert scope.wants("old.bak/kept")
        gap = Gap("old.bak", "cannot be listed", subtree=True)
        found = [gap for page in start(Listing(Page.of((), (gap,))), scope=scope) for gap in page.gaps]
        assert found == [gap]

    def test_pages_that_are_wholly_excluded_are_left_out(self):
        backend = Listing(["a.tmp"], ["b"], ["c.tmp"])
        assert [page.keys for page in start(backend, scope=Filter(exclude=["*.tmp"]))] == [["b"]]

    def test_a_page_that_is_wholly_wanted_passes_untouched(self):
        page = Page.of([entry("a"), entry("b")])
        assert next(start(Listing(page), scope=Filter(exclude=["*.tmp"]))) is page


class TestInclude:
    def test_plugins_are_asked_about_what_the_filter_lets_through(self):
        asked = []

        def include(info):
            asked.append(info)
            return info.key != "b"

        backend = Listing(["a", "a.tmp", "b", "c"])
        pages = start(backend, scope=Filter(exclude=["*.tmp"]), include=include)
        assert names(pages) == ["a", "c"]
        assert asked == [entry("a"), entry("b"), entry("c")]

    def test_plugins_are_asked_in_the_readers_thread(self):
        threads = set()
        names(start(Listing(["a"], ["b"]), include=lambda _: bool(threads.add(threading.get_ident()))))
        assert threads == {threading.get_ident()}

    def test_gaps_stay(self):
        backend = Listing(Page.of([entry("a")], (Gap("b", "why"),)))
        assert [page.gaps for page in start(backend, include=lambda _: False)] == [(Gap("b", "why"),)]


@pytest.mark.parametrize("side", ["source", "target"])
def test_everything_that_is_listed_is_counted_excluded_or_not(side):
    progress = Progress()
    names(start(Listing(["a", "a.tmp"], ["b"]), scope=Filter(exclude=["*.tmp"]), progress=progress, side=side))
    assert getattr(progress, f"{side}_listed") == 3


def test_the_pages_of_two_readers_do_not_mix():
    sides = [start(Listing(*([f"{side}{number}"] for number in range(8)))) for side in "ab"]
    mixed = list(itertools.chain.from_iterable(zip(*sides, strict=True)))
    assert [page.keys[0][0] for page in mixed] == ["a", "b"] * 8
