"""The memory backend keeps the contract, and containers live as long as the process."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.backends.memory import PAGE_SIZE, MemoryBackend, MemoryOptions
from cloudsync_core.errors import ContainerNotFoundError, ObjectNotFoundError, UnsupportedOperationError
from cloudsync_core.location import Location
from cloudsync_core.models import Digest
from cloudsync_core.testing import BackendContract
from cloudsync_core.testing.clauses.setting import content, entries, names, store


def memory(place, *, create=True):
    return MemoryBackend(Location.parse(f"memory://{place}"), MemoryOptions(create=create))


@pytest.fixture
def name():
    """Return a container's name that nobody has used."""
    return uuid.uuid4().hex


class TestMemory(BackendContract):
    @pytest.fixture
    def make_backend(self, name):
        return lambda root="first": memory(f"{name}-{root}", create=root != "missing")


class TestMemoryUnderAPrefix(BackendContract):
    @pytest.fixture
    def make_backend(self, name):
        return lambda root="first": memory(f"{name}-{root}/some/prefix", create=root != "missing")


class TestContainers:
    def test_L2_a_container_is_made_by_the_first_put_and_seen_by_all(self, name):
        strict = memory(name, create=False)
        with pytest.raises(ContainerNotFoundError, match="create: true"):
            names(strict)
        lenient = memory(name)
        assert names(lenient) == []
        with pytest.raises(ObjectNotFoundError):
            lenient.stat("key")
        lenient.delete("key")
        with pytest.raises(ContainerNotFoundError):
            names(strict)
        store(lenient, "key")
        assert names(strict) == ["key"]
        lenient.delete("key")
        assert names(strict) == []

    def test_T1_first_puts_of_many_threads_make_one_container(self, name):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store(memory(name), f"{number:03}"), range(100)))
        assert names(memory(name)) == [f"{number:03}" for number in range(100)]

    def test_a_prefix_is_a_place_of_its_own(self, name):
        outer, inner = memory(name), memory(f"{name}/folder")
        store(outer, "folder/key", b"seen from both")
        store(outer, "folder2/key")
        assert names(inner) == ["key"]
        assert content(inner, "key") == b"seen from both"
        assert outer.identity.overlaps(inner.identity)
        assert not memory(f"{name}/folder2").identity.overlaps(inner.identity)

    def test_the_marker_of_the_root_is_no_object_of_it(self, name):
        outer, inner = memory(name), memory(f"{name}/folder")
        store(outer, "folder/", b"")
        assert names(inner) == []
        with pytest.raises(ObjectNotFoundError):
            inner.stat("")
        inner.delete("")
        assert names(outer) == ["folder/"]


class TestListing:
    def test_L1_a_large_container_comes_in_pages(self, name):
        backend = memory(name)
        keys = [f"{number:05}" for number in range(2 * PAGE_SIZE + 5)]
        for key in reversed(keys):
            store(backend, key, b"")
        pages = list(backend.list())
        assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 5]
        assert [key for page in pages for key in page.keys] == keys
        assert names(backend, start_after=keys[999]) == keys[1000:]

    def test_L1_a_last_page_that_is_full_is_the_last(self, name):
        backend = memory(name)
        for number in range(PAGE_SIZE):
            store(backend, f"a/{number:05}", b"")
        store(backend, "b")
        assert [len(page) for page in backend.list("a")] == [PAGE_SIZE]

    def test_F03_a_listing_goes_on_behind_keys_that_vanish(self, name):
        backend = memory(name)
        keys = [f"{number:05}" for number in range(PAGE_SIZE + 10)]
        for key in keys:
            store(backend, key, b"")
        pages = backend.list()
        first = next(pages)
        for key in first.keys:
            backend.delete(key)
        assert [key for page in pages for key in page.keys] == keys[PAGE_SIZE:]


class TestVersions:
    def test_every_put_is_a_version_with_the_contents_md5(self, name):
        backend = memory(name)
        versions = [store(backend, "key", b"abc") for _ in range(2)]
        assert versions[0].version.etag == versions[1].version.etag == "900150983cd24fb0d6963f7d28e17f72"
        assert versions[0].version.id != versions[1].version.id
        assert versions[0].fingerprint != versions[1].fingerprint
        [listed] = entries(backend)
        assert listed == versions[1]
        assert listed.digests == (Digest("md5", "900150983cd24fb0d6963f7d28e17f72"),)

    def test_C1_only_memory_copies_to_memory(self, name, tree):
        tree.write("key")
        backend = memory(name)
        other = tree.open()
        assert not backend.can_copy_from(other)
        with pytest.raises(UnsupportedOperationError, match="no way to copy from file://"):
            backend.copy(other, other.stat("key"), "key")
