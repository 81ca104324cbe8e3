"""L3, G2, P2 and E1 where the store cannot be reached any more: what fails ends by an error, and never early.

For backends whose tests can arrange it; see `Setting.cut_off`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import BackendError
from cloudsync_core.testing.clauses.reading import patterned
from cloudsync_core.testing.clauses.setting import MakeBackend, Setting, content, names, store, store_many

_MANY = 1001
_VERBS: dict[str, Callable[[Backend], object]] = {
    "list": names,
    "stat": lambda backend: backend.stat("object"),
    "get": lambda backend: backend.get("object").__enter__().read(),
    "read": lambda backend: backend.read("object", CHUNK_SIZE),
    "put": lambda backend: backend.put("other", Body(b"content")),
    "delete": lambda backend: backend.delete("object"),
}


class FailingClauses(Setting):
    """Clauses about a store that is out of reach."""

    def test_L3_a_listing_that_is_cut_off_raises(self, backend: Backend, make_backend: MakeBackend) -> None:
        """Cases A01, A25."""
        cut = self._needed(backend)
        wanted = [f"{number:05}" for number in range(_MANY)]
        store_many(backend, wanted)
        pages = iter(backend.list())
        found: list[str] | None = list(next(pages).keys)
        try:
            with cut:
                found = [*(found or []), *(key for page in pages for key in page.keys)]
        except BackendError:
            found = None
        assert found is None or sorted(found) == wanted, "the listing ended early, without an error"
        with self._needed(backend), pytest.raises(BackendError):
            names(backend)
        with make_backend() as later:
            assert names(later) == wanted

    def test_G2_a_get_that_is_cut_off_raises(self, backend: Backend) -> None:
        """Case D16."""
        cut = self._needed(backend)
        data = patterned(6 * CHUNK_SIZE)
        store(backend, "object", data)
        read: list[bytes] | None = []
        try:
            with backend.get("object") as reader:
                chunks = reader.chunks()
                read = [next(chunks)]
                with cut:
                    read.extend(chunks)
        except BackendError:
            read = None
        assert read is None or b"".join(read) == data, "a part of the object was taken for all of it"

    @pytest.mark.parametrize("existing", [["object"], []], ids=["overwrite", "new"])
    def test_P2_a_put_that_is_cut_off_leaves_what_was_there(
        self, backend: Backend, make_backend: MakeBackend, existing: list[str]
    ) -> None:
        """Case D08."""
        cut = self._needed(backend)
        for key in existing:
            store(backend, key, b"old")
        size = 6 * CHUNK_SIZE

        def chunks() -> Iterator[bytes]:
            yield b"x" * CHUNK_SIZE
            cut.__enter__()
            for _ in range(5):
                yield b"x" * CHUNK_SIZE

        try:
            with pytest.raises(BackendError):
                backend.put("object", Body(chunks(), size))
        finally:
            cut.__exit__(None, None, None)
        with make_backend() as later:
            assert names(later) == existing
            for key in existing:
                assert content(later, key) == b"old"

    @pytest.mark.parametrize("verb", list(_VERBS))
    def test_E1_what_cannot_reach_the_store_raises(self, backend: Backend, verb: str) -> None:
        cut = self._needed(backend)
        store(backend, "object")
        with cut, pytest.raises(BackendError):
            _VERBS[verb](backend)

    def _needed(self, backend: Backend) -> AbstractContextManager[object]:
        cut = self.cut_off(backend)
        if cut is None and backend.capabilities.local_reads:
            pytest.skip("the capability local_reads is declared: there is no way to the store that could be cut off")
        if cut is None:
            pytest.skip("the tests of this backend cannot cut it off from its store (cut_off)")
        return cut
