"""S1, G1, G2 and ranges: what stat and get promise."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import BackendError, ObjectNotFoundError, PreconditionFailedError, UnsupportedOperationError
from cloudsync_core.models import ByteRange, Version
from cloudsync_core.testing.clauses.setting import Setting, content, not_declared, store

SIZES = (0, 1, 4095, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 7)
"""Bytes: nothing, the least, and around the borders of the chunks that bodies come in."""

_PIECE = 300_000
"""Bytes of the chunks of a body, which fit none of the borders."""


def around(boundaries: Iterable[int]) -> list[int]:
    """Return the sizes to try: one byte less than each boundary, the boundary, and one byte more.

    The size of the chunks that content comes in is a boundary of every backend.
    """
    return sorted({size for boundary in (CHUNK_SIZE, *boundaries) for size in (boundary - 1, boundary, boundary + 1)})


def patterned(size: int) -> bytes:
    """Return `size` bytes, always the same ones, in which no two places look alike."""
    return random.Random(size).randbytes(size)  # noqa: S311 - nothing secret


class ReadingClauses(Setting):
    """Clauses about stat and get."""

    def test_S1_a_missing_object_raises(self, backend: Backend) -> None:
        store(backend, "folder/object")
        for key in ("missing", "folder", "folder/missing", "folder/object/below", "folder/objec", "folder/object2"):
            with pytest.raises(ObjectNotFoundError):
                backend.stat(key)
            with pytest.raises(ObjectNotFoundError), backend.get(key):
                pass
            with pytest.raises(ObjectNotFoundError):
                backend.read(key, CHUNK_SIZE)

    def test_S1_the_error_says_what_was_asked_of_whom(self, backend: Backend) -> None:
        with pytest.raises(ObjectNotFoundError) as caught:
            backend.stat("folder/missing")
        assert caught.value.operation == "stat"
        assert caught.value.location == backend.location
        assert caught.value.key == "folder/missing"

    @pytest.mark.parametrize("size", SIZES)
    def test_G2_every_byte_comes_back(self, backend: Backend, size: int) -> None:
        """Case B15."""
        data = patterned(size)
        written = backend.put("object", Body(data))
        assert written.size == size
        with backend.get("object") as reader:
            chunks = list(reader.chunks())
        assert reader.size == reader.info.size == size
        assert all(chunks), "a chunk is empty"
        assert b"".join(chunks) == data
        assert backend.stat("object").size == size

    @pytest.mark.parametrize("size", SIZES)
    def test_G2_chunks_of_unknown_number_are_stored_whole(self, backend: Backend, size: int) -> None:
        data = patterned(size)
        written = store(backend, "object", (data[at : at + _PIECE] for at in range(0, size, _PIECE)))
        assert written.size == size
        assert content(backend, "object") == data

    def test_G2_every_byte_comes_back_around_every_boundary(self, backend: Backend) -> None:
        for size in around(backend.boundaries):
            data = patterned(size)
            written = backend.put("object", Body(data))
            assert (written.size, backend.stat("object").size) == (size, size)
            assert content(backend, "object") == data, f"other bytes come back of {size}"

    def test_G2_chunks_of_unknown_number_are_stored_whole_around_every_boundary(self, backend: Backend) -> None:
        for size in around(backend.boundaries):
            data = patterned(size)
            written = store(backend, "object", (data[at : at + _PIECE] for at in range(0, size, _PIECE)))
            assert written.size == size
            assert content(backend, "object") == data, f"other bytes come back of {size}"

    def test_G1_a_range_across_every_boundary_is_exactly_those_bytes(self, backend: Backend) -> None:
        if not backend.capabilities.range_get:
            store(backend, "object")
            with pytest.raises(UnsupportedOperationError), backend.get("object", byte_range=ByteRange(0, 1)) as reader:
                reader.read()
            not_declared("range_get")
        for size in (CHUNK_SIZE, *backend.boundaries):
            data = patterned(size + 5)
            backend.put("object", Body(data))
            for start, end in ((size - 1, size), (size - 1, size + 1), (size, None), (1, size + 4)):
                with backend.get("object", byte_range=ByteRange(start, end)) as reader:
                    assert reader.read() == data[start:end], f"other bytes come back of {start} to {end}"

    @pytest.mark.parametrize("size", [0, 1, 4095, CHUNK_SIZE])
    def test_G2_read_returns_every_byte_of_a_small_object(self, backend: Backend, size: int) -> None:
        data = patterned(size)
        backend.put("object", Body(data))
        for limit in (size, size + 1, CHUNK_SIZE + 1):
            reader = backend.read("object", limit)
            assert reader is not None
            assert reader.size == reader.info.size == size
            assert reader.read() == data

    @pytest.mark.parametrize("size", [1, 4095, CHUNK_SIZE + 1])
    def test_G2_read_returns_nothing_of_a_larger_one(self, backend: Backend, size: int) -> None:
        backend.put("object", Body(patterned(size)))
        assert backend.read("object", size - 1) is None

    def test_G1_read_describes_what_get_describes(self, backend: Backend) -> None:
        store(backend, "object")
        with backend.get("object") as reader:
            info = reader.info
        read = backend.read("object", CHUNK_SIZE)
        assert read is not None
        assert dataclasses.replace(read.info, fingerprint=info.fingerprint) == info
        assert read.info.fingerprint in {info.fingerprint, ""}

    def test_G1_get_describes_the_version_that_it_reads(self, backend: Backend) -> None:
        written = store(backend, "object")
        with backend.get("object") as reader:
            info = reader.info
        assert (info.key, info.size, info.version) == ("object", written.size, written.version)
        assert info.fingerprint in {written.fingerprint, ""}
        assert info.attributes is not None, "get does not say what the object carries"

    def test_G1_if_match_reads_that_version_only(self, backend: Backend) -> None:
        old = store(backend, "object", b"old").version
        if old:
            with backend.get("object", if_match=old) as reader:
                assert reader.read() == b"old"
            store(backend, "object", b"new!")
            with pytest.raises(PreconditionFailedError), backend.get("object", if_match=old) as reader:
                reader.read()
        with pytest.raises(PreconditionFailedError), backend.get("object", if_match=Version(etag="stale")) as reader:
            reader.read()

    @pytest.mark.parametrize("size", [2, 4 * CHUNK_SIZE])
    def test_G1_an_object_overwritten_in_mid_read_is_one_version_or_an_error(self, backend: Backend, size: int) -> None:
        """Case D17."""
        old, new = b"o" * size, b"n" * size
        store(backend, "object", old)
        read = []
        try:
            with backend.get("object") as reader:
                chunks = reader.chunks()
                if size > CHUNK_SIZE:
                    read.append(next(chunks))
                store(backend, "object", new)
                read.extend(chunks)
        except BackendError:
            return
        assert b"".join(read) in {old, new}, "the bytes belong to two versions"

    def test_G1_an_object_deleted_in_mid_read_is_whole_or_an_error(self, backend: Backend) -> None:
        """Case D19."""
        data = patterned(4 * CHUNK_SIZE)
        store(backend, "object", data)
        read = []
        try:
            with backend.get("object") as reader:
                chunks = reader.chunks()
                read.append(next(chunks))
                backend.delete("object")
                read.extend(chunks)
        except BackendError:
            return
        assert b"".join(read) == data

    def test_G2_a_reader_may_be_left_early(self, backend: Backend) -> None:
        data = patterned(3 * CHUNK_SIZE)
        store(backend, "object", data)
        for _ in range(3):
            with backend.get("object") as reader:
                next(reader.chunks())
            with backend.get("object"):
                pass
        assert content(backend, "object") == data

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 1), (0, 10), (3, 4), (5, None), (99_999, None), (0, 100_000), (40_000, 90_001)]
    )
    def test_G1_a_range_is_exactly_those_bytes(self, backend: Backend, start: int, end: int | None) -> None:
        data = patterned(100_000)
        store(backend, "object", data)
        if not backend.capabilities.range_get:
            with (
                pytest.raises(UnsupportedOperationError),
                backend.get("object", byte_range=ByteRange(start, end)) as reader,
            ):
                reader.read()
            not_declared("range_get")
        with backend.get("object", byte_range=ByteRange(start, end)) as reader:
            assert reader.read() == data[start:end]
        assert reader.size == len(data[start:end])
        assert reader.info.size == len(data)
