"""Parts: how large, how many at a time, and cut from content of any shape."""

import hashlib

import pytest

from cloudsync_core.backends.objectstore import parts
from cloudsync_core.body import Body
from cloudsync_core.models import Digest

P = 1000
MOST = 10_000
MIB = 1024 * 1024
GIB = 1024 * MIB


def data_of(size):
    return bytes(number * 31 % 251 for number in range(size))


def cut(data, chunk, size=P):
    body = Body(data[start : start + chunk] for start in range(0, len(data), chunk))
    body.require(f"md5/{size}")
    return list(parts.cut(body, size))


class TestSizes:
    @pytest.mark.parametrize(
        ("size", "wanted", "part"),
        [
            (0, 8, 8),
            (10_000 * 8, 8, 8),
            (10_000 * 8 + 1, 8, MIB),
            (100 * MIB, 8 * MIB, 8 * MIB),
            (256 * MIB - 1, 8 * MIB, 8 * MIB),
            (256 * MIB, 8 * MIB, 16 * MIB),
            (256 * MIB, 100 * MIB, 100 * MIB),
            (10_000 * 16 * MIB, 8 * MIB, 16 * MIB),
            (10_000 * 16 * MIB + 1, 8 * MIB, 17 * MIB),
            (5 * 1024 * GIB, 8 * MIB, 525 * MIB),
        ],
    )
    def test_D09_parts_grow_with_the_object_so_that_there_are_never_too_many(self, size, wanted, part):
        assert parts.part_size(size, wanted, MOST) == part
        assert -(-size // part) <= MOST

    @pytest.mark.parametrize("size", [1, 8 * MIB, 16 * MIB, 17 * MIB, 32 * MIB, 100 * MIB, 525 * MIB])
    def test_parts_on_their_way_are_bounded_by_their_bytes(self, size):
        count = parts.in_flight(size)
        assert 2 <= count <= 4
        assert count == 2 or count * size <= parts.BYTES_IN_FLIGHT
        assert parts.memory(size) == (count + 1) * size


class TestSizesOfContent:
    def test_content_of_unknown_length_has_the_parts_that_are_wanted(self):
        assert parts.part_size_of(Body(iter([b"x"])), 8, MOST) == 8

    @pytest.mark.parametrize("size", [8 * MIB, 10 * MIB, 16 * MIB])
    def test_parts_are_those_that_the_sources_digest_is_about(self, size):
        body = Body(iter([]), 100 * MIB, expect=[Digest("md5", "0" * 32), Digest(f"md5/{size}", "0" * 32)])
        assert parts.part_size_of(body, 8 * MIB, MOST) == size

    @pytest.mark.parametrize(
        ("size", "of_parts", "part"),
        [
            (100 * MIB, 7 * MIB, 8 * MIB),
            (100 * MIB, 17 * MIB, 8 * MIB),
            (100_000 * MIB, 8 * MIB, 16 * MIB),
            (256 * MIB, 4 * MIB, 16 * MIB),
        ],
        ids=["too-small", "too-large", "too-many", "of-a-large-object"],
    )
    def test_but_only_where_they_will_do(self, size, of_parts, part):
        body = Body(iter([]), size, expect=[Digest(f"md5/{of_parts}", "0" * 32)])
        assert parts.part_size_of(body, 8 * MIB, MOST) == part


class TestUntil:
    @pytest.mark.parametrize(("limit", "taken"), [(0, 1), (P - 1, 1), (P, 2), (2 * P + 1, 3), (9 * P, 3)])
    def test_content_is_held_back_until_it_is_too_long(self, limit, taken):
        coming = iter(cut(data_of(2 * P + 5), 100))
        held = list(parts.until(coming, limit))
        assert len(held) == taken
        assert len(held) + len(list(coming)) == 3


class TestCut:
    @pytest.mark.parametrize("chunk", [1, 333, P - 1, P, P + 1, 2 * P, 10 * P])
    @pytest.mark.parametrize("size", [1, P - 1, P, P + 1, 5 * P, 5 * P + 1])
    def test_every_part_but_the_last_has_the_size_and_knows_its_md5(self, size, chunk):
        data = data_of(size)
        found = cut(data, chunk)
        contents = [b"".join(part.pieces) for part in found]
        assert contents == [data[start : start + P] for start in range(0, size, P)]
        assert [part.size for part in found] == [len(content) for content in contents]
        assert [part.md5 for part in found] == [hashlib.md5(content).digest() for content in contents]

    def test_of_nothing_there_is_no_part(self):
        assert cut(b"", 1) == []

    def test_large_chunks_are_not_copied(self):
        data = data_of(3 * P)
        body = Body(data)
        body.require(f"md5/{P}")
        assert all(piece.obj is data for part in parts.cut(body, P) for piece in part.pieces)

    def test_many_small_chunks_are_put_together(self):
        [part] = cut(data_of(P), 1)
        assert len(part.pieces) == 1

    def test_the_body_has_the_digest_of_the_parts(self):
        body = Body(data_of(2 * P + 1))
        body.require(f"md5/{P}")
        found = list(parts.cut(body, P))
        whole = hashlib.md5(b"".join(part.md5 for part in found)).hexdigest()
        assert body.digest(f"md5/{P}") == Digest(f"md5/{P}", whole)
