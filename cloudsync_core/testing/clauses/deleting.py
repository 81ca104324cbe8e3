"""D1-D3: what delete and delete_many promise."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError, PreconditionFailedError, UnsupportedOperationError
from cloudsync_core.models import Version
from cloudsync_core.testing.clauses.setting import Setting, content, names, not_declared, store, store_many

_RACES = 20


class DeletingClauses(Setting):
    """Clauses about deletes."""

    def test_D1_deleting_removes_the_object(self, backend: Backend) -> None:
        store(backend, "object")
        backend.delete("object")
        assert names(backend) == []

    def test_D1_deleting_a_missing_key_succeeds(self, backend: Backend) -> None:
        store(backend, "folder/object")
        for key in ("missing", "folder/missing", "nowhere/missing", "folder/object/below"):
            backend.delete(key)
        assert names(backend) == ["folder/object"]

    def test_D1_deleting_takes_exactly_that_key(self, backend: Backend) -> None:
        """Case A18."""
        kept = ["a*", "ab", "ab.txt", "abc/x", "folder/a", "folder/b"]
        for key in [*kept, "a?"]:
            store(backend, key)
        backend.delete("a?")
        assert names(backend) == kept
        backend.delete("a*")
        assert names(backend) == kept[1:]

    def test_D1_deleting_a_folders_name_or_marker_spares_what_is_below(self, backend: Backend) -> None:
        """Case A17."""
        store(backend, "folder/object")
        for key in ("folder", "folder/"):
            with contextlib.suppress(BackendError):
                backend.delete(key)
            assert names(backend) == ["folder/object"], f"after the delete of {key!r}"

    def test_D2_a_refused_delete_deletes_nothing(self, backend: Backend) -> None:
        old = store(backend, "object", b"old").version
        store(backend, "object", b"newer")
        wanted = PreconditionFailedError if backend.capabilities.delete_if_match else UnsupportedOperationError
        for version in (old, Version(etag="stale")):
            with pytest.raises(wanted):
                backend.delete("object", if_match=version)
        assert content(backend, "object") == b"newer"
        if not backend.capabilities.delete_if_match:
            not_declared("delete_if_match")

    def test_D2_a_delete_of_the_current_version_deletes(self, backend: Backend) -> None:
        version = store(backend, "object").version
        if not backend.capabilities.delete_if_match:
            with pytest.raises(UnsupportedOperationError):
                backend.delete("object", if_match=version)
            assert names(backend) == ["object"]
            not_declared("delete_if_match")
        backend.delete("object", if_match=version)
        assert names(backend) == []

    def test_D2_a_delete_of_a_version_never_takes_the_one_that_replaces_it(self, backend: Backend) -> None:
        """Whichever of the two comes first, the new object is there afterwards."""
        if not backend.capabilities.delete_if_match:
            with pytest.raises(UnsupportedOperationError):
                backend.delete("object", if_match=Version(etag="stale"))
            not_declared("delete_if_match")

        def delete(version: Version) -> None:
            with contextlib.suppress(PreconditionFailedError):
                backend.delete("object", if_match=version)

        with ThreadPoolExecutor(1) as pool:
            for turn in range(_RACES):
                old = store(backend, "object", b"old %d" % turn).version
                deleted = pool.submit(delete, old)
                store(backend, "object", b"new %d" % turn)
                deleted.result()
                assert content(backend, "object") == b"new %d" % turn

    def test_D3_a_bulk_delete_reports_every_key(self, backend: Backend) -> None:
        """Case A15."""
        there = [f"folder/{number}" for number in range(3)]
        for key in [*there, "kept"]:
            store(backend, key)
        # One more than a request takes; most are missing, which is no error.
        absent = [f"absent/{number}" for number in range(backend.capabilities.bulk_delete_max)]
        results = list(backend.delete_many([(key, None) for key in [*there, *absent]]))
        assert sorted(result.key for result in results) == sorted([*there, *absent])
        assert [result for result in results if result.error is not None] == []
        assert names(backend) == ["kept"]

    def test_D3_a_bulk_delete_of_many_objects_removes_them(self, backend: Backend) -> None:
        """Case A16."""
        there = [f"folder/{number:04}" for number in range(120)]
        store_many(backend, [*there, "kept"])
        results = list(backend.delete_many([(key, None) for key in there]))
        assert sorted(result.key for result in results) == there
        assert [result for result in results if result.error is not None] == []
        assert names(backend) == ["kept"]

    def test_D3_a_bulk_delete_of_nothing_reports_nothing(self, backend: Backend) -> None:
        assert list(backend.delete_many([])) == []

    def test_D3_a_bulk_delete_reports_what_was_refused(self, backend: Backend) -> None:
        version = store(backend, "current").version
        store(backend, "stale")
        store(backend, "any")
        results = list(
            backend.delete_many([("current", version), ("stale", Version(etag="stale")), ("any", None)]),
        )
        errors = {result.key: result.error for result in results}
        assert len(results) == len(errors) == 3
        assert errors["any"] is None
        if backend.capabilities.delete_if_match:
            assert errors["current"] is None
            assert isinstance(errors["stale"], PreconditionFailedError)
            assert names(backend) == ["stale"]
        else:
            assert isinstance(errors["current"], UnsupportedOperationError)
            assert isinstance(errors["stale"], UnsupportedOperationError)
            assert names(backend) == ["current", "stale"]
            not_declared("delete_if_match")
