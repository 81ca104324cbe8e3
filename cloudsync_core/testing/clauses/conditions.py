"""P4 and server-side copies: what the conditions of a write promise."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.errors import (
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, IfMatch, Version
from cloudsync_core.testing.clauses.setting import MakeBackend, Setting, content, names, not_declared, store

_WRITERS = 6
_PATIENCE = 60.0
"""Seconds for so many threads to start."""


class ConditionClauses(Setting):
    """Clauses about conditional puts and copies."""

    def test_P4_if_absent_writes_what_is_not_there(self, backend: Backend) -> None:
        if not backend.capabilities.put_if_absent:
            with pytest.raises(UnsupportedOperationError):
                store(backend, "object", condition=IF_ABSENT)
            assert names(backend) == []
            not_declared("put_if_absent")
        store(backend, "folder/object", b"first", condition=IF_ABSENT)
        assert content(backend, "folder/object") == b"first"

    def test_P4_if_absent_that_meets_an_object_raises(self, backend: Backend) -> None:
        store(backend, "object", b"first")
        wanted = ObjectExistsError if backend.capabilities.put_if_absent else UnsupportedOperationError
        with pytest.raises(wanted):
            store(backend, "object", b"second", condition=IF_ABSENT)
        assert content(backend, "object") == b"first"
        assert list(self.leftovers(backend)) == []
        if not backend.capabilities.put_if_absent:
            not_declared("put_if_absent")

    def test_P4_of_many_writers_if_absent_lets_one_in(self, backend: Backend) -> None:
        """Case D21."""
        together = threading.Barrier(_WRITERS)

        def write(number: int) -> bytes | None:
            data = b"writer %d" % number
            together.wait(_PATIENCE)
            try:
                store(backend, "object", data, condition=IF_ABSENT)
            except (ObjectExistsError, UnsupportedOperationError):
                return None
            return data

        with ThreadPoolExecutor(_WRITERS) as pool:
            winners = [data for data in pool.map(write, range(_WRITERS)) if data is not None]
        if not backend.capabilities.put_if_absent:
            assert winners == []
            not_declared("put_if_absent")
        assert [content(backend, "object")] == winners

    def test_P4_of_many_writers_if_match_lets_one_in(self, backend: Backend) -> None:
        """Case D20."""
        version = store(backend, "object", b"the version that all of them know").version

        together = threading.Barrier(_WRITERS)

        def write(number: int) -> bytes | None:
            data = b"writer %d" % number
            together.wait(_PATIENCE)
            try:
                store(backend, "object", data, condition=IfMatch(version))
            except (PreconditionFailedError, UnsupportedOperationError):
                return None
            return data

        with ThreadPoolExecutor(_WRITERS) as pool:
            winners = [data for data in pool.map(write, range(_WRITERS)) if data is not None]
        if not backend.capabilities.put_if_match:
            assert winners == []
            not_declared("put_if_match")
        assert [content(backend, "object")] == winners

    def test_P4_if_match_replaces_that_version_only(self, backend: Backend) -> None:
        first = store(backend, "object", b"first").version
        if not backend.capabilities.put_if_match:
            with pytest.raises(UnsupportedOperationError):
                store(backend, "object", b"second", condition=IfMatch(first))
            assert content(backend, "object") == b"first"
            not_declared("put_if_match")
        store(backend, "object", b"second", condition=IfMatch(first))
        with pytest.raises(PreconditionFailedError):
            store(backend, "object", b"third", condition=IfMatch(first))
        assert content(backend, "object") == b"second"
        assert list(self.leftovers(backend)) == []

    def test_P4_if_match_of_an_object_that_is_gone_raises(self, backend: Backend) -> None:
        version = store(backend, "object").version
        backend.delete("object")
        wanted = PreconditionFailedError if backend.capabilities.put_if_match else UnsupportedOperationError
        with pytest.raises(wanted):
            store(backend, "object", condition=IfMatch(version))
        assert names(backend) == []
        if not backend.capabilities.put_if_match:
            not_declared("put_if_match")

    def test_C1_copy_needs_its_capability(self, backend: Backend) -> None:
        info = store(backend, "object")
        if backend.capabilities.server_copy:
            assert backend.can_copy_from(backend)
            return
        assert not backend.can_copy_from(backend)
        with pytest.raises(UnsupportedOperationError):
            backend.copy(backend, info, "copy")
        assert names(backend) == ["object"]
        not_declared("server_copy")

    def test_P3_a_copy_is_the_object_with_what_it_carries(self, backend: Backend, make_backend: MakeBackend) -> None:
        """Case D10."""
        given = Attributes(content_type="text/x-demo", mtime_ns=1_234_567_890_000_000_000, metadata={"owner": "me"})
        info = store(backend, "folder/object", b"copied", attributes=given)
        with make_backend("second") as other:
            if not other.can_copy_from(backend):
                with pytest.raises(UnsupportedOperationError):
                    other.copy(backend, info, "copy")
                not_declared("server_copy")
            written = other.copy(backend, info, "a copy + 1%")
            told = other.stat("a copy + 1%")
            assert content(other, "a copy + 1%") == b"copied"
            assert (written.key, written.size, written.version) == (told.key, told.size, told.version)
            assert told.attributes is not None
            if other.capabilities.user_metadata:
                assert dict(told.attributes.metadata) == {"owner": "me"}
                assert told.attributes.content_type == "text/x-demo"
            if other.capabilities.stores_mtime:
                assert told.attributes.mtime_ns == given.mtime_ns

    def test_P3_a_copy_can_carry_something_else(self, backend: Backend) -> None:
        info = store(backend, "object", attributes=Attributes(content_type="text/x-old", metadata={"old": "1"}))
        if not backend.can_copy_from(backend):
            with pytest.raises(UnsupportedOperationError):
                backend.copy(backend, info, "copy", attributes=Attributes(content_type="text/x-new"))
            not_declared("server_copy")
        backend.copy(backend, info, "copy", attributes=Attributes(content_type="text/x-new", metadata={"new": "1"}))
        told = backend.stat("copy").attributes
        assert told is not None
        if backend.capabilities.user_metadata:
            assert (told.content_type, dict(told.metadata)) == ("text/x-new", {"new": "1"})

    def test_G1_a_copy_of_another_version_raises(self, backend: Backend) -> None:
        """Case D17."""
        info = store(backend, "object", b"old")
        store(backend, "object", b"newer")
        copies = backend.can_copy_from(backend)
        with pytest.raises(PreconditionFailedError if copies else UnsupportedOperationError):
            backend.copy(backend, info, "copy")
        if not copies:
            assert names(backend) == ["object"]
            not_declared("server_copy")
        # A server that cannot be asked for a version has copied what was there: whole, and not what was listed.
        assert names(backend) in (["object"], ["copy", "object"])
        if "copy" in names(backend):
            assert content(backend, "copy") == b"newer"
        assert content(backend, "object") == b"newer"

    def test_S1_a_copy_of_a_missing_object_raises(self, backend: Backend) -> None:
        info = store(backend, "object")
        backend.delete("object")
        wanted = (ObjectNotFoundError, PreconditionFailedError)
        with pytest.raises(wanted if backend.can_copy_from(backend) else UnsupportedOperationError):
            backend.copy(backend, info, "copy")
        assert names(backend) == []
        if not backend.can_copy_from(backend):
            not_declared("server_copy")

    def test_P4_conditions_hold_for_a_copy(self, backend: Backend) -> None:
        info = store(backend, "object", b"copied")
        if not backend.can_copy_from(backend):
            with pytest.raises(UnsupportedOperationError):
                backend.copy(backend, info, "copy", condition=IF_ABSENT)
            not_declared("server_copy")
        store(backend, "copy", b"already there")
        caps = backend.capabilities
        with pytest.raises(ObjectExistsError if caps.put_if_absent else UnsupportedOperationError):
            backend.copy(backend, info, "copy", condition=IF_ABSENT)
        with pytest.raises(PreconditionFailedError if caps.put_if_match else UnsupportedOperationError):
            backend.copy(backend, info, "copy", condition=IfMatch(Version(etag="stale")))
        assert content(backend, "copy") == b"already there"
        for capability in ("put_if_absent", "put_if_match"):
            if not getattr(caps, capability):
                not_declared(capability)
