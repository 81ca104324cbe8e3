"""What every backend has without writing it: bulk deletes, refused copies, key checks, an end."""

import uuid

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import InvalidKeyError, PreconditionFailedError, UnsupportedOperationError
from cloudsync_core.location import Location
from cloudsync_core.models import DeleteResult, Version
from cloudsync_core.testing.clauses.setting import names, store


class Plain(MemoryBackend):
    """The memory backend with the defaults of the base class."""

    delete_many = Backend.delete_many
    can_copy_from = Backend.can_copy_from
    copy = Backend.copy
    check_key = Backend.check_key
    capabilities = Capabilities(ordered_listing=True)


@pytest.fixture
def backend():
    return Plain(Location.parse(f"memory://{uuid.uuid4().hex}"))


class TestDeleteMany:
    def test_D3_every_key_is_reported_in_order_and_failures_stop_nothing(self, backend):
        for key in "abc":
            store(backend, key)
        results = list(backend.delete_many([("a", None), ("b", Version(etag="stale")), ("missing", None), ("c", None)]))
        assert [result.key for result in results] == ["a", "b", "missing", "c"]
        assert results[0] == DeleteResult("a")
        assert isinstance(results[1].error, PreconditionFailedError)
        assert names(backend) == ["b"]

    def test_deletes_happen_while_results_are_taken(self, backend):
        for key in "ab":
            store(backend, key)
        results = backend.delete_many([("a", None), ("b", None)])
        next(results)
        assert names(backend) == ["b"]

    def test_what_is_no_backend_error_is_not_swallowed(self, backend, monkeypatch):
        def broken(key, **how):
            raise ZeroDivisionError

        monkeypatch.setattr(backend, "delete", broken)
        with pytest.raises(ZeroDivisionError):
            list(backend.delete_many([("a", None)]))


class TestCopy:
    def test_C1_a_backend_without_server_side_copies_refuses_them(self, backend):
        info = store(backend, "a")
        assert not backend.can_copy_from(backend)
        with pytest.raises(UnsupportedOperationError, match=r"copy memory://.*/b: .*no server-side copy"):
            backend.copy(backend, info, "b")


class TestCheckKey:
    @pytest.mark.parametrize(
        ("capabilities", "key", "reason"),
        [
            (Capabilities(), "", "at least one character"),
            (Capabilities(), "a\udcff", "not valid Unicode"),
            (Capabilities(hierarchical=True), "a//b", "empty name"),
            (Capabilities(hierarchical=True), "../a", "another directory"),
            (Capabilities(max_key_bytes=3), "\u00e9\u00e9", "longer than 3 bytes"),
        ],
    )
    def test_P10_what_cannot_be_held_is_refused_with_the_reason(self, backend, capabilities, key, reason):
        backend.capabilities = capabilities
        with pytest.raises(InvalidKeyError, match=reason) as caught:
            backend.check_key(key)
        assert (caught.value.key, caught.value.location) == (key, backend.location)

    @pytest.mark.parametrize(
        ("capabilities", "key"),
        [(Capabilities(), "a//b"), (Capabilities(), ".."), (Capabilities(max_key_bytes=4), "\u00e9\u00e9")],
    )
    def test_what_can_be_held_passes(self, backend, capabilities, key):
        backend.capabilities = capabilities
        backend.check_key(key)


class TestEnd:
    def test_a_backend_is_closed_at_the_end_of_its_block(self, backend, monkeypatch):
        closed = []
        monkeypatch.setattr(backend, "close", lambda: closed.append(True))
        with backend as inside:
            assert inside is backend
            assert closed == []
        assert closed == [True]

    def test_a_backend_shows_its_location(self, backend):
        assert repr(backend) == f"<Plain {backend.location}>"
