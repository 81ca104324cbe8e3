"""What a put sends and a get brings: bytes that are counted and hashed while they pass.

Integrity is decided here, once, for every pair of backends: a `Body` raises before its last chunk is accepted
when the bytes are not the promised ones, so a put that consumes it never completes (clauses P2 and G2).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from cloudsync_core.beside import Beside
from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, ObjectInfo
from cloudsync_core.unfinished import Resumption

CHUNK_SIZE = 1024 * 1024
"""Bytes in a chunk where a backend is free to choose."""

_SMALL_CHUNK = 16 * 1024
_HASHED_AT_ONCE = 2047
"""Bytes of a small chunk that are hashed by one call: hashlib lets other threads run from 2,048 on, and to get the turn
back takes longer than to hash a small object."""

LARGE_BODY = 64 * CHUNK_SIZE
"""Bytes from which on a body that comes in chunks is hashed in a thread of its own: to hash takes as long as to read
and write, and both can be done at a time."""


class Hash(Protocol):
    """A digest of content that passes."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in lower-case hexadecimal."""


class _PartsHash:
    """The MD5 of the MD5s of parts of `part_size` bytes: what a multipart upload's change token holds."""

    def __init__(self, part_size: int) -> None:
        self._part_size = part_size
        self._part = hashlib.md5(usedforsecurity=False)
        self._filled = 0
        self._closed: list[bytes] = []

    def update(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            taken = view[: self._part_size - self._filled]
            self._part.update(taken)
            self._filled += len(taken)
            view = view[len(taken) :]
            if self._filled == self._part_size:
                self._close_part()

    def hexdigest(self) -> str:
        return hashlib.md5(b"".join(self.parts(whole=True)), usedforsecurity=False).hexdigest()

    def parts(self, *, whole: bool) -> list[bytes]:
        """Return the MD5s of the parts that have passed; of the last one, which may be shorter, if that was `whole`."""
        return [*self._closed, self._part.digest()] if whole and self._filled else self._closed

    def _close_part(self) -> None:
        self._closed.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)
        self._filled = 0


_ADDED: dict[str, Callable[[], Hash]] = {}


def add_algorithm(algorithm: str, new: Callable[[], Hash]) -> None:
    """Let bodies compute digests of one more algorithm; for backends whose stores tell such digests.

    It is computed of content for which somebody expects or requires it, and of no other. Adding it again changes
    nothing.

    Args:
        algorithm: see `Digest.algorithm`.
        new: begins the digest of one content.
    """
    _ADDED.setdefault(algorithm, new)


def _new_hash(algorithm: str) -> Hash:
    if algorithm in _ADDED:
        return _ADDED[algorithm]()
    name, _, part_size = algorithm.partition("/")
    if part_size:
        if name != "md5":
            raise ValueError(f"unknown digest algorithm {algorithm!r}")
        return _PartsHash(int(part_size))
    if name == "md5":
        return hashlib.md5(usedforsecurity=False)
    if name == "sha256":
        return hashlib.sha256()
    raise ValueError(f"unknown digest algorithm {algorithm!r}")


def computable(algorithm: str) -> bool:
    """Tell whether `Body` can compute digests of this algorithm."""
    try:
        _new_hash(algorithm)
    except ValueError:
        return False
    return True


class Body:
    """The content of one object on its way to a put.

    It is consumed once, by `chunks` or `read`, in one thread.

    Args:
        data: the bytes, or chunks of them.
        size: bytes in all. Known for `bytes`; `None` where nobody can tell before the end.
        expect: digests that the content must have; those of unknown algorithms are not checked.
        on_chunk: called with the number of bytes of each chunk before it is passed on; what it raises ends the
            transfer (progress, cancellation, bandwidth).
        starting_at: returns the chunks of the content from some byte on; needs `size`. See `go_on`.

    Raises:
        IntegrityError: while it is consumed, before the consumer has the end of the content: more or fewer bytes
            than `size`, or a digest of `expect` differs.

    Attributes:
        resumption: what is remembered of the put beyond this process, or `None`; for backends that can go on with what
            a crash has left. Others ignore it.
        bytes_passed: how many have been counted and hashed.
        bytes_held: those of them that the consumer had already.
    """

    def __init__(
        self,
        data: bytes | Iterable[bytes],
        size: int | None = None,
        *,
        expect: Iterable[Digest] = (),
        on_chunk: Callable[[int], None] | None = None,
        starting_at: Callable[[int], Iterable[bytes]] | None = None,
    ) -> None:
        self.size = len(data) if size is None and isinstance(data, bytes) else size
        self._data = data
        self._expected = tuple(digest for digest in expect if computable(digest.algorithm))
        self._hashes = {digest.algorithm: _new_hash(digest.algorithm) for digest in self._expected}
        self._at_least: str | None = None
        self._beside: Beside | None = None
        self._on_chunk = on_chunk
        self._started = False
        self._finished = False
        self._starting_at = starting_at
        self._held: Callable[[], Iterable[bytes]] | None = None
        self.resumption: Resumption | None = None
        self.bytes_passed = 0
        self.bytes_held = 0

    @property
    def expected(self) -> tuple[Digest, ...]:
        """The digests that are checked against the content."""
        return self._expected

    @property
    def is_held(self) -> bool:
        """Whether the whole content is in memory already."""
        return isinstance(self._data, bytes)

    @property
    def finished(self) -> bool:
        """Whether the whole content has been read and found right."""
        return self._finished

    def require(self, algorithm: str) -> None:
        """Ask for a digest of the content; call it before the body is consumed.

        Args:
            algorithm: see `Digest.algorithm`.
        """
        self._not_started()
        if algorithm not in self._hashes:
            self._hashes[algorithm] = _new_hash(algorithm)

    def require_any(self, default: str) -> None:
        """Ask for a digest of the content, whichever; call it before the body is consumed.

        Every digest costs a pass over the content: who consumes the body requires the one that its store can confirm,
        and only where nobody requires or expects one, `default` is computed.
        """
        self._not_started()
        if not computable(default):
            raise ValueError(f"unknown digest algorithm {default!r}")
        self._at_least = default

    def go_on(self, held: Callable[[], Iterable[bytes]], size: int) -> bool:
        """Go on with what the consumer of an earlier body has left; call it before the body is consumed.

        What is held is hashed first and not handed out by `chunks`; the rest is all that is read from the source. It is
        believed only where a digest proves the whole content in the end, and where the source can begin in the middle.

        Args:
            held: returns the first bytes of the content, as the consumer holds them.
            size: how many.

        Returns:
            Whether it goes on there; otherwise nothing has changed, and the consumer begins anew.
        """
        self._not_started()
        if self._starting_at is None or not self._expected or self.size is None or not 0 < size <= self.size:
            return False
        self._held, self.bytes_held = held, size
        self._data = self._starting_at(size) if size < self.size else ()
        return True

    def chunks(self) -> Iterator[bytes]:
        """Yield the content; chunks are never empty."""
        if self._started:
            raise RuntimeError("a body is consumed once")
        if self._at_least is not None and not self._hashes:
            self.require(self._at_least)
        self._started = True
        self._beside = self._hashed_beside()
        held: bytes | None = None
        try:
            self._take_in_held()
            for chunk in (self._data,) if isinstance(self._data, bytes) else self._data:
                if not chunk:
                    continue
                # One chunk is held back, so that every check comes before the consumer has as many bytes as were
                # promised: a server that has them takes the object for complete.
                self._pass(chunk)
                if held is not None:
                    yield held
                held = chunk
            self._check()
            self._finished = True
            if held is not None:
                yield held
        finally:
            if self._beside is not None:
                self._beside.close()

    def read(self) -> bytes:
        """Return the whole content; for small objects."""
        return b"".join(self.chunks())

    def digest(self, algorithm: str) -> Digest:
        """Return the digest of the content that has passed; for algorithms expected or required."""
        if not self._finished:
            raise RuntimeError("the digest of a body is known when it has been consumed")
        return Digest(algorithm, self._hashes[algorithm].hexdigest())

    def digests(self) -> tuple[Digest, ...]:
        """Return every digest that was expected or required, in that order, of the content that has passed."""
        return tuple(self.digest(algorithm) for algorithm in self._hashes)

    def part_md5(self, part_size: int, index: int) -> bytes:
        """Return the MD5 of one part of the content, where "md5/`part_size`" is expected or required.

        Args:
            part_size: bytes of each part but the last.
            index: of the part, from 0; known when all its bytes have been handed out.
        """
        if self._beside is not None:
            self._beside.settle()
        hasher = self._hashes[f"md5/{part_size}"]
        assert isinstance(hasher, _PartsHash)
        return hasher.parts(whole=self._finished)[index]

    def _not_started(self) -> None:
        if self._started:
            raise RuntimeError("digests are asked for before the body is consumed")

    def _take_in_held(self) -> None:
        """Count and hash what the consumer holds already."""
        if self._held is None:
            return
        for chunk in self._held():
            self._pass(chunk)
        if self.bytes_passed != self.bytes_held:
            raise IntegrityError(f"{self.bytes_passed} bytes are held instead of {self.bytes_held}")

    def _pass(self, chunk: bytes) -> None:
        if self._on_chunk is not None:
            self._on_chunk(len(chunk))
        self._take_in(chunk)

    def _take_in(self, chunk: bytes) -> None:
        self.bytes_passed += len(chunk)
        if self.size is not None and self.bytes_passed > self.size:
            raise IntegrityError(f"more bytes than the {self.size} that were promised")
        if self._beside is not None:
            self._beside.give(chunk)
        else:
            self._hash(chunk)

    def _hashed_beside(self) -> Beside | None:
        if not self._hashes or self.size is None or self.size < LARGE_BODY or isinstance(self._data, bytes):
            return None
        # Where the system allows no more threads, this one does it.
        with contextlib.suppress(RuntimeError):
            return Beside(self._hash)
        return None

    def _hash(self, chunk: bytes) -> None:
        for hasher in self._hashes.values():
            if len(chunk) <= _SMALL_CHUNK:
                for start in range(0, len(chunk), _HASHED_AT_ONCE):
                    hasher.update(chunk[start : start + _HASHED_AT_ONCE])
            else:
                hasher.update(chunk)

    def _check(self) -> None:
        if self._beside is not None:
            self._beside.settle()
        if self.size is not None and self.bytes_passed != self.size:
            raise IntegrityError(f"{self.bytes_passed} bytes of the {self.size} that were promised")
        for digest in self._expected:
            found = self._hashes[digest.algorithm].hexdigest()
            if found != digest.value:
                raise IntegrityError(f"the content has {digest.algorithm} {found}, its store says {digest.value}")


class ObjectReader:
    """One object that is being read: what it is, and its bytes.

    Attributes:
        info: the version that is read, with its attributes and digests.
        size: bytes that `chunks` yields: the object's size, or the length of the range asked for.
        resumption: see `Body`; who reads the object sets it.
        starting_at: likewise.
    """

    def __init__(self, info: ObjectInfo, chunks: bytes | Iterable[bytes], size: int | None = None) -> None:
        self.info = info
        self.size = info.size if size is None else size
        self.resumption: Resumption | None = None
        self.starting_at: Callable[[int], Iterable[bytes]] | None = None
        self._chunks = chunks

    def held(self) -> ObjectReader:
        """Return a reader of the same bytes, which are in memory from now on; for small objects."""
        data = self._chunks if isinstance(self._chunks, bytes) else b"".join(self._chunks)
        return ObjectReader(self.info, data, self.size)

    def body(self, *, on_chunk: Callable[[int], None] | None = None) -> Body:
        """Return the bytes as the body of a put, held to the digests that the store reports; once.

        An error of the store, or a change of the object in mid-read, raises while it is consumed (clauses G1, G2).

        Args:
            on_chunk: see `Body`.
        """
        digests = self.info.digests if self.size == self.info.size else ()
        body = Body(self._chunks, self.size, expect=digests, on_chunk=on_chunk, starting_at=self.starting_at)
        body.resumption = self.resumption
        return body

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, once, in chunks of some 1 MiB; raises as `body` does."""
        yield from self.body().chunks()

    def read(self) -> bytes:
        """Return all the bytes; for small objects."""
        return self.body().read()
