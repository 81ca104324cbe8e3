"""Every transfer ends with a digest of what was sent, and computes no more than the one that proves it (P4)."""

import dataclasses
import hashlib

import pytest

from cloudsync_core.layers.layer import Layer
from tests.engine.stores import content, memory, plain, store
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
