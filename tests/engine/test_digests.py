"""Every transfer ends with a digest of what was sent, and computes no more than the one that proves it (P4)."""

import dataclasses
import hashlib
from typing import ClassVar

import pytest

from cloudsync_core.body import Body
from cloudsync_core.engine.compare import Auto
from cloudsync_core.engine.diff import Pair
from cloudsync_core.engine.digests import alike, in_algorithm
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import Digest
from tests.engine.stores import Shaped, content, listed, memory, plain, store
from tests.engine.transfers import blind, write

CONTENT = b"new content"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
_PARTS = b"".join(hashlib.md5(CONTENT[start : start + 4]).digest() for start in (0, 4, 8))
MD5_OF_PARTS = f"md5/4:{hashlib.md5(_PARTS).hexdigest()}"


class Confirming(Layer):
    """A store that confirms content by the digest of its parts alone."""

    def put(self, key, body, **options):
        body.require("md5/4")
        written = super().put(key, body, **options)
        return dataclasses.replace(written, digests=(body.digest("md5/4"),))


class Taking(Layer):
    """A store that asks for no digest of what it takes and tells none."""

    def put(self, key, body, **options):
        chunks = list(body.chunks())
        written = store(self.inner, key, b"".join(chunks), **options)
        return dataclasses.replace(written, digests=())


@pytest.fixture
def silent():
    """A source that knows no digest of its object."""
    inner = memory()
    store(inner, "k", CONTENT)
    return blind(inner)


def test_a_target_that_confirms_parts_makes_the_digest_of_parts_the_one(silent):
    target = memory()
    outcome = write(silent, Confirming(target))
    assert (outcome.status, outcome.verified) == ("done", "md5")
    assert outcome.digest == MD5_OF_PARTS
    assert content(target, "k") == CONTENT


def test_a_target_that_asks_for_none_leaves_the_default(silent):
    outcome = write(silent, Taking(plain()))
    assert (outcome.status, outcome.verified, outcome.digest) == ("done", "readback", MD5)


def test_what_the_source_vouches_for_is_not_hashed_in_another_way():
    source = memory()
    store(source, "k", CONTENT)
    outcome = write(source, Taking(memory()))
    assert (outcome.status, outcome.verified, outcome.digest) == ("done", "md5", MD5)


class TestAlike:
    """Content that is a single part is known by its MD5 to a store that tells the digest of parts, and conversely."""

    DIGESTS: ClassVar = {
        algorithm: Digest.parse(text)
        for algorithm, text in {
            "md5": MD5,
            "md5/4": MD5_OF_PARTS,
            "crc32c": "crc32c:00000000",
            "md5/": "md5/:00",
        }.items()
    }

    @pytest.mark.parametrize("part", [len(CONTENT), 100])
    def test_an_md5_tells_the_digest_of_one_part(self, part):
        body = Body(CONTENT)
        body.require(f"md5/{part}")
        body.read()
        of_part = body.digest(f"md5/{part}")
        assert in_algorithm(self.DIGESTS["md5"], of_part.algorithm, len(CONTENT)) == of_part
        assert alike(self.DIGESTS["md5"], of_part, len(CONTENT)) == (of_part, of_part)
        assert alike(of_part, self.DIGESTS["md5"], len(CONTENT)) == (of_part, of_part)
        assert alike(of_part, Digest("md5/50", of_part.value), len(CONTENT)) == (
            Digest("md5/50", of_part.value),
            Digest("md5/50", of_part.value),
        )

    @pytest.mark.parametrize(
        ("first", "second"), [("md5", "md5/4"), ("md5", "crc32c"), ("md5/4", "crc32c"), ("md5", "md5/")]
    )
    def test_others_tell_nothing_of_each_other(self, first, second):
        assert alike(self.DIGESTS[first], self.DIGESTS[second], len(CONTENT)) is None

    def test_nothing_has_no_parts(self):
        assert alike(Digest("md5", hashlib.md5(b"").hexdigest()), Digest("md5/4", "00"), 0) is None

    @pytest.mark.parametrize("data", [CONTENT, b"new  ontent"])
    def test_a_store_that_knows_one_part_is_compared_with_one_that_knows_the_whole(self, data):
        first, second = memory(), memory()
        store(first, "k", CONTENT)
        store(second, "k", data)
        single = Shaped(second, known=of_one_part, listed=of_one_part)
        found = Pair("k", listed(first)["k"], listed(single)["k"], None)
        same = data == CONTENT
        assert Auto().quick(found).same == Auto().quick(Pair("k", found.target, found.source, None)).same == same


def of_one_part(info):
    return dataclasses.replace(
        info, digests=tuple(in_algorithm(digest, "md5/1000", info.size) for digest in info.digests)
    )
