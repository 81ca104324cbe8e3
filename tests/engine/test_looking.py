"""A look at a part of the keys says of them what a listing would, and of no others anything."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.engine.base import PAGE_LENGTH
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.looking import look_at
from cloudsync_core.engine.part import Part
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.state import State
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    ContainerNotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Gap
from tests.engine.objects import NAMES
from tests.engine.stores import memory, store


class Counting(Layer):
    """A store that counts what it is asked, and answers some of it by errors."""

    def __init__(self, inner, **errors):
        super().__init__(inner)
        self.errors = errors
        self.stats = []
        self.listed = []

    def stat(self, key):
        self.stats.append(key)
        if key in self.errors:
            raise self.errors[key]
        return self.inner.stat(key)

    def list(self, prefix="", *, start_after=None, prune=None):
        self.listed.append(prefix)
        return self.inner.list(prefix, start_after=start_after, prune=prune)


def directory(path, *, create=True):
    return FileBackend(Location.parse(str(path)), FileOptions(create=create, fsync=False))


def look(backend, part, *, scope=None, include=None, stop=None):
    return look_at(
        backend,
        "source",
        part,
        scope or Filter(),
        sort=False,
        include=include,
        stop=stop or threading.Event(),
        progress=Progress(),
    )


def rows(pages):
    return [(info.key, info.size, info.fingerprint) for page in pages for info in page]


def gaps(pages):
    return [gap for page in pages for gap in page.gaps]


@given(
    names=st.sets(NAMES, max_size=8),
    part=st.builds(Part, st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=2)),
)
def test_it_finds_what_the_listing_has_of_the_part(names, part):
    backend = memory()
    for name in names:
        store(backend, name, name.encode())
    listed = list_side(
        backend,
        "source",
        Filter(),
        sort=False,
        include=None,
        stop=threading.Event(),
        progress=Progress(),
    )
    assert rows(look(backend, part)) == [row for row in rows(listed) if row[0] in part]


@given(
    names=st.sets(NAMES, max_size=8),
    part=st.builds(Part, st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=2)),
)
def test_the_base_has_the_same_part(names, part):
    with State(None) as state:
        base = state.open_job("job", "source", "target")
        for name in names:
            base.record(name, BaseRow(name, name, None))
        found = [key for page in base.pages(part) for key in page.keys]
        assert found == sorted(name for name in names if name in part)
        base.close()


def test_the_base_of_a_large_part_comes_in_pages():
    count = PAGE_LENGTH + 5
    with State(None) as state:
        base = state.open_job("job", "source", "target")
        for index in range(count):
            base.record(f"folder/{index:06}", BaseRow("1", "1", None))
            base.record(f"name-{index:06}", BaseRow("1", "1", None))
        part = Part([f"name-{index:06}" for index in range(count)], ["folder"])
        assert [len(page.keys) for page in base.pages(part)] == [PAGE_LENGTH, 5, PAGE_LENGTH, 5]
        base.close()


def test_what_is_outside_costs_no_request():
    backend = Counting(memory())
    for name in ("a", "b", "c/1", "d"):
        store(backend, name)
    assert [row[0] for row in rows(look(backend, Part(["a", "gone"], ["c"])))] == ["a", "c/1"]
    assert (sorted(backend.stats), backend.listed) == (["a", "gone"], ["c"])


def test_excluded_keys_are_not_asked_for():
    backend = Counting(memory())
    store(backend, "kept")
    store(backend, "left.tmp")
    pages = look(backend, Part(["kept", "left.tmp"]), scope=Filter(exclude=["*.tmp"]))
    assert [row[0] for row in rows(pages)] == ["kept"]
    assert backend.stats == ["kept"]


def test_plugins_have_their_say():
    backend = memory()
    store(backend, "a")
    store(backend, "b")
    assert [row[0] for row in rows(look(backend, Part(["a", "b"]), include=lambda info: info.key == "b"))] == ["b"]


class TestWhatCannotBeTold:
    def test_is_a_gap(self):
        backend = Counting(memory(), secret=AccessDeniedError("not allowed"))
        store(backend, "a")
        pages = list(look(backend, Part(["a", "secret"])))
        assert [row[0] for row in rows(pages)] == ["a"]
        assert gaps(pages) == [Gap("secret", "not allowed", kind="unknown")]

    def test_is_unknown_too_where_the_store_is_out_of_reach(self):
        backend = Counting(memory(), a=UnavailableError("no answer"))
        assert [gap.kind for gap in gaps(look(backend, Part(["a"])))] == ["unknown"]

    def test_a_symbolic_link_is_left_out_as_in_a_listing(self, tmp_path):
        backend = directory(tmp_path / "root")
        store(backend, "a")
        (tmp_path / "root/link").symlink_to("a")
        assert [(gap.key, gap.kind) for gap in gaps(look(backend, Part(["link"])))] == [("link", "skipped")]

    def test_ends_the_look_where_nothing_else_would_be_told(self):
        backend = Counting(memory(), a=UnauthenticatedError("no credentials"))
        with pytest.raises(UnauthenticatedError):
            list(look(backend, Part(["a", "b"])))

    def test_a_location_that_is_gone_is_no_empty_one(self, tmp_path):
        backend = directory(tmp_path / "root", create=False)
        with pytest.raises(ContainerNotFoundError):
            list(look(backend, Part(["a"])))


def test_it_stops_when_it_is_told_to():
    stop = threading.Event()
    stop.set()
    backend = memory()
    store(backend, "a")
    with pytest.raises(CancelledError):
        list(look(backend, Part(["a"]), stop=stop))


def test_a_folder_that_is_empty_is_its_marker(tmp_path):
    backend = directory(tmp_path / "root")
    (tmp_path / "root/empty").mkdir(parents=True)
    assert [row[0] for row in rows(look(backend, Part(["empty/"])))] == ["empty/"]
