"""Uploads that were cut short: blocks that are there are known by content (H03, D13)."""

import pytest

from cloudsync_core.errors import ContainerNotFoundError, ThrottledError
from plugins.azure.tests.answers import refusal
from tests.engine.remembered import ProcessDiesError, Remembered, body_of, dying

BLOCK = 1000
DATA = bytes(number * 31 % 251 for number in range(10 * BLOCK + 7))
BLOCKS = 11


def is_block(request):
    return request.method == "PUT" and request.query.get("comp") == "block"


def is_list_of_blocks(request):
    return request.method == "GET" and request.query.get("comp") == "blocklist"


class Cut:
    """A backend, an upload that was cut short, and what is remembered of it."""

    def __init__(self, backend, proxy):
        self.backend = backend
        self.proxy = proxy
        self.remembered = Remembered()
        self.container = backend.place.address.container
        self.die("key", self.remembered)
        self.there = self.held("key")
        proxy.requests.clear()

    def die(self, key, remembered):
        chunks = iter(DATA[start : start + BLOCK] for start in range(0, 6 * BLOCK, BLOCK))
        body = dying(chunks, len(DATA))
        body.resumption = remembered
        with pytest.raises(ProcessDiesError):
            self.backend.put(key, body)

    def blob(self, key):
        return self.backend.server.client.get_blob_client(self.container, f"root/{key}")

    def held(self, key):
        return len(self.blob(key).get_block_list("uncommitted")[1])

    def put(self, data=DATA):
        return self.backend.put("key", body_of(data, self.remembered))

    @property
    def sent(self):
        return sum(map(is_block, self.proxy.requests))

    @property
    def stored(self):
        return self.backend.server.contents(self.container).get("root/key")


@pytest.fixture
def cut(azurite, azurite_proxy, open_azure):
    options = {"multipart_threshold": BLOCK, "part_size": BLOCK}
    backend = open_azure(azurite_proxy.server, azurite.make_container(), "root", **options)
    return Cut(backend, azurite_proxy)


def test_H03_blocks_that_are_there_are_not_sent_again(cut):
    assert 1 <= cut.there < BLOCKS
    written = cut.put()
    assert cut.stored == DATA
    assert cut.sent == BLOCKS - cut.there
    assert cut.remembered.bytes_kept == cut.there * BLOCK
    assert [digest.algorithm for digest in written.digests] == ["md5"]
    assert (cut.remembered.token, cut.held("key")) == (None, 0)


def test_H03_what_is_there_is_known_by_its_content(cut):
    cut.put(DATA[::-1])
    assert (cut.stored, cut.sent, cut.remembered.bytes_kept) == (DATA[::-1], BLOCKS, 0)
    assert cut.held("key") == 0


def test_H03_blocks_that_are_gone_are_sent_again(cut):
    cut.blob("key").commit_block_list([])
    cut.put()
    assert (cut.stored, cut.sent, cut.remembered.bytes_kept) == (DATA, BLOCKS, 0)


def test_H03_blocks_of_another_size_are_left_to_expire(cut, open_azure):
    options = {"multipart_threshold": BLOCK, "part_size": 2 * BLOCK}
    cut.backend = open_azure(cut.proxy.server, cut.container, "root", **options)
    cut.put()
    assert (cut.stored, cut.sent, cut.remembered.bytes_kept) == (DATA, 6, 0)


def test_H03_a_server_that_does_not_answer_is_asked_again_later(cut):
    cut.proxy.answer(is_list_of_blocks, refusal(503, "ServerBusy"))
    with pytest.raises(ThrottledError):
        cut.put()
    cut.put()
    assert (cut.stored, cut.sent) == (DATA, BLOCKS - cut.there)


def test_what_expires_by_itself_is_told(cut):
    cut.die("other", Remembered())
    cut.backend.put("empty", body_of(b"", None))
    cut.blob("bare").upload_blob(b"")
    found = {one.key: one for one in cut.backend.leftovers([("key", cut.remembered.token), ("gone", "00 1")])}
    assert {key: (one.recorded, one.ours) for key, one in found.items()} == {
        "key": (True, True), "other": (False, False)
    }  # fmt: skip
    assert found["key"].size == cut.there * BLOCK
    assert all("a week" in one.expiry for one in found.values())
    cut.backend.discard("key", cut.remembered.token)
    assert cut.held("key") == cut.there


def test_a_container_that_is_missing_is_told(open_azure, azurite):
    with pytest.raises(ContainerNotFoundError):
        list(open_azure(azurite, "no-such-container", "root").leftovers([("key", "00 1")]))
