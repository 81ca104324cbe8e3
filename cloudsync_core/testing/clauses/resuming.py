"""P5 and D4: what a put that was cut short has left is gone on with or discarded, and never mistaken for another thing.

Backends in which a put leaves nothing keep both by themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import BackendError
from cloudsync_core.models import Digest
from cloudsync_core.testing.clauses.reading import patterned
from cloudsync_core.testing.clauses.setting import MakeBackend, Setting, content, names, store

_TOKENS = {
    "nothing": "",
    "a word": "no-such-token",
    "a path": "../object",
    "a temporary file": ".cs-0123456789ab.tmp",
    "a document": "[]",
    "numbers": "00 1 00",
}


class Remembered:
    """What is remembered of one put; see `cloudsync_core.unfinished.Resumption`.

    Attributes:
        token: what was saved last and not forgotten.
        seen: everything that was ever saved.
        bytes_kept: how many did not have to be sent again.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.seen: list[str] = []
        self.bytes_kept = 0

    def save(self, token: str) -> None:
        """Remember a token."""
        self.token = token
        self.seen.append(token)

    def forget(self) -> None:
        """Forget it."""
        self.token = None

    def kept(self, size: int) -> None:
        """Count bytes that are not sent again."""
        self.bytes_kept += size


class ResumingClauses(Setting):
    """Clauses about what is left of puts."""

    @pytest.mark.parametrize("changed", [False, True], ids=["same", "changed"])
    def test_P5_a_put_after_one_that_broke_off_stores_its_own_content(
        self, backend: Backend, make_backend: MakeBackend, *, changed: bool
    ) -> None:
        """Cases H01, H03."""
        data = patterned(max((*backend.boundaries, 4 * CHUNK_SIZE)) + 1)
        remembered = Remembered()

        def broken() -> Iterator[bytes]:
            yield from _chunks(data, 0, len(data) // 2)
            raise _ProcessDiesError

        with pytest.raises(_ProcessDiesError):
            backend.put("object", _body(broken(), data, remembered))
        wanted = data[::-1] if changed else data
        with make_backend() as later:
            later.put("object", _body(_chunks(wanted, 0, len(wanted)), wanted, remembered))
            assert content(later, "object") == wanted
            assert list(later.leftovers(_recorded(remembered))) == []
        assert remembered.token is None, "what is whole is remembered as if it were not"

    @pytest.mark.parametrize("token", list(_TOKENS))
    def test_P5_a_token_that_means_nothing_is_not_believed(self, backend: Backend, token: str) -> None:
        data = patterned(max((*backend.boundaries, CHUNK_SIZE)) + 1)
        backend.put("object", _body(_chunks(data, 0, len(data)), data, Remembered(_TOKENS[token])))
        assert content(backend, "object") == data
        assert names(backend) == ["object"]

    def test_D4_discarding_touches_no_object(self, backend: Backend) -> None:
        remembered = Remembered()
        data = patterned(max((*backend.boundaries, CHUNK_SIZE)) + 1)
        backend.put("object", _body(_chunks(data, 0, len(data)), data, remembered))
        store(backend, "other")
        for token in (*remembered.seen, *_TOKENS.values(), "object", "other", "../other"):
            for key in ("object", "missing", "folder/missing"):
                with contextlib.suppress(BackendError):
                    backend.discard(key, token)
        assert content(backend, "object") == data
        assert names(backend) == ["object", "other"]

    def test_D4_what_is_gone_already_is_no_error(self, backend: Backend) -> None:
        remembered = Remembered()
        data = patterned(max((*backend.boundaries, CHUNK_SIZE)) + 1)
        backend.put("object", _body(_chunks(data, 0, len(data)), data, remembered))
        for token in remembered.seen:
            backend.discard("object", token)
        assert list(backend.leftovers([("object", token) for token in remembered.seen])) == []


class _ProcessDiesError(Exception):
    """Stands for the end of the process, as far as a backend can see it."""


def _chunks(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from (data[at : min(at + CHUNK_SIZE, end)] for at in range(start, end, CHUNK_SIZE))


def _body(chunks: Iterator[bytes], data: bytes, remembered: Remembered) -> Body:
    """Return content as the engine hands it over: its digest is known, and its source can begin anywhere."""
    told = Digest("md5", hashlib.md5(data, usedforsecurity=False).hexdigest())
    body = Body(chunks, len(data), expect=(told,), starting_at=lambda start: _chunks(data, start, len(data)))
    body.resumption = remembered
    return body


def _recorded(remembered: Remembered) -> list[tuple[str, str]]:
    return [("object", token) for token in remembered.seen]
