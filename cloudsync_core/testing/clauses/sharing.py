"""E1 and T1: errors and threads, over every verb."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError, InvalidKeyError
from cloudsync_core.testing.clauses.setting import MakeBackend, Setting, content, names, store

_THREADS = 8
_OBJECTS = 6

_NO_KEYS = {"empty": "", "half-a-surrogate-pair": "a\udcffb"}


class SharingClauses(Setting):
    """Clauses about every verb."""

    @pytest.mark.parametrize("key", _NO_KEYS.values(), ids=list(_NO_KEYS))
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda backend, key: backend.stat(key), id="stat"),
            pytest.param(content, id="get"),
        ],
    )
    def test_E1_what_is_no_key_is_no_object(
        self, backend: Backend, operation: Callable[[Backend, str], object], key: str
    ) -> None:
        with pytest.raises(BackendError):
            operation(backend, key)

    @pytest.mark.parametrize("key", _NO_KEYS.values(), ids=list(_NO_KEYS))
    def test_E1_what_is_no_key_is_refused_by_put(self, backend: Backend, key: str) -> None:
        with pytest.raises(InvalidKeyError):
            backend.check_key(key)
        with pytest.raises(InvalidKeyError):
            store(backend, key)
        assert names(backend) == []

    @pytest.mark.parametrize("key", _NO_KEYS.values(), ids=list(_NO_KEYS))
    def test_E1_deleting_what_is_no_key_harms_nothing(self, backend: Backend, key: str) -> None:
        store(backend, "object")
        with contextlib.suppress(BackendError):
            backend.delete(key)
        assert names(backend) == ["object"]

    def test_T1_one_instance_serves_many_threads(self, backend: Backend) -> None:
        def work(thread: int) -> None:
            for number in range(_OBJECTS):
                key = f"shared/{thread}/{number}"
                data = f"{thread}-{number}".encode() * 100
                assert store(backend, key, data).size == len(data)
                assert backend.stat(key).size == len(data)
                assert content(backend, key) == data
                if number % 2:
                    backend.delete(key)

        with ThreadPoolExecutor(_THREADS) as pool:
            for finished in [pool.submit(work, thread) for thread in range(_THREADS)]:
                finished.result()
        assert names(backend) == [f"shared/{thread}/{number}" for thread in range(_THREADS) for number in (0, 2, 4)]

    def test_T1_two_instances_of_one_root_see_the_same(self, backend: Backend, make_backend: MakeBackend) -> None:
        with make_backend() as twin:
            assert twin.identity == backend.identity
            store(backend, "object", b"written by one")
            assert content(twin, "object") == b"written by one"
            twin.delete("object")
        assert names(backend) == []

    def test_T1_two_roots_are_apart(self, backend: Backend, make_backend: MakeBackend) -> None:
        with make_backend("second") as other:
            assert not backend.identity.overlaps(other.identity)
            assert backend.identity.overlaps(backend.identity)
            store(backend, "object")
            assert names(other) == []

    def test_T1_a_listing_lives_through_writes(self, backend: Backend) -> None:
        for number in range(5):
            store(backend, f"folder/{number}")
        found: list[str] = []
        for page in backend.list():
            found.extend(page.keys)
            store(backend, "folder/2", b"overwritten")
            store(backend, "later")
        assert {key for key in found if key != "later"} == {f"folder/{number}" for number in range(5)}
