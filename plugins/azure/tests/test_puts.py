"""put: whole, in blocks, and nothing that can be seen when it fails."""

import base64
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudsync_azure import uploads
from cloudsync_azure.config import MIB

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    ObjectExistsError,
    PreconditionFailedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, Digest, IfMatch, Version
from plugins.azure.tests.answers import refusal
from tests.servers.proxy import Response

THRESHOLD, BLOCK = 100 * 1024, 70 * 1024
SIZES = (0, 1, BLOCK, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK + 3)


def patterned(size):
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def blob(backend, key):
    """Return Microsoft's client for an object."""
    return backend.server.client.get_blob_client(backend.place.address.container, f"root/{key}")


def unfinished(backend, key):
    """Return how many blocks of an object wait to be listed."""
    return len(blob(backend, key).get_block_list("uncommitted")[1])


def blocks(backend):
    """Return the requests that brought blocks."""
    return [request for request in backend.proxy.requests if request.query.get("comp") == "block"]


def is_block(request):
    return request.query.get("comp") == "block"


def is_list(request):
    return request.query.get("comp") == "blocklist"


@pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
@pytest.mark.parametrize("size", SIZES)
def test_D09_every_size_is_stored_with_its_digest(proxied, size, known):
    data = patterned(size)
    chunks = (data[start : start + 30_000] for start in range(0, size, 30_000))
    written = proxied.put("object", Body(data) if known else Body(chunks))
    told = blob(proxied, "object").get_blob_properties()
    md5 = hashlib.md5(data).digest()
    assert (written.size, written.digests) == (size, (Digest("md5", md5.hex()),))
    assert bytes(told.content_settings.content_md5) == md5
    assert proxied.server.contents(proxied.place.address.container) == {"root/object": data}
    assert len(blocks(proxied)) == (0 if size <= THRESHOLD else -(-size // BLOCK))
    assert unfinished(proxied, "object") == 0
    stat = proxied.stat("object")
    assert (stat.version, stat.fingerprint, stat.digests) == (written.version, written.fingerprint, written.digests)
    assert abs(stat.modified_ns - written.modified_ns) <= 10**9


def test_source_that_knows_the_digest_of_other_parts_gets_them(proxied):
    """An object of S3 in parts of 80 KiB is verified by them, and needs no second digest of the parts."""
    data, part = patterned(300_000), 80 * 1024
    md5s = b"".join(hashlib.md5(data[at : at + part]).digest() for at in range(0, len(data), part))
    expected = Digest(f"md5/{part}", hashlib.md5(md5s).hexdigest())
    written = proxied.put("object", Body(data, expect=(expected,)))
    assert [len(request.body) for request in blocks(proxied)].count(part) == 3
    assert written.digests == (Digest("md5", hashlib.md5(data).hexdigest()),)


def test_every_byte_goes_with_a_digest(proxied):
    proxied.put("small", Body(b"x"))
    proxied.put("large", Body(patterned(300_000)))
    sent = [request for request in proxied.proxy.requests if request.method == "PUT"]
    assert len(sent) == 7
    for request in sent:
        assert request.headers["content-md5"] == base64.b64encode(hashlib.md5(request.body).digest()).decode()


@pytest.mark.parametrize("size", [10, 300_000])
def test_D18_bytes_that_change_on_their_way_are_not_stored(proxied, size):
    def spoil(request, forward):
        if not request.body or is_list(request):
            return forward()
        return proxied.proxy.forward(
            type(request)(request.method, request.target, request.headers, b"?" + request.body[1:])
        )

    proxied.proxy.rule = spoil
    with pytest.raises(BackendError):
        proxied.put("object", Body(patterned(size)))
    assert proxied.server.contents(proxied.place.address.container) == {}


@pytest.mark.parametrize("size", [10, 300_000])
def test_D18_server_that_stored_something_else_is_found_out(proxied, size):
    def lie(request, forward):
        answer = forward()
        told = (
            {**answer.headers, "content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
            if request.body and not is_list(request)
            else {}
        )
        return Response(answer.status, answer.body, told or answer.headers)

    proxied.proxy.rule = lie
    with pytest.raises(IntegrityError, match=r"0{32}"):
        proxied.put("object", Body(patterned(size)))


class TestBlocks:
    def test_D13_names_are_of_one_length_and_never_those_of_another_upload(self, proxied):
        for _ in range(3):
            proxied.put("object", Body(patterned(300_000)))
        names = [request.query["blockid"] for request in blocks(proxied)]
        assert len(set(names)) == len(names) == 15
        assert {len(name) for name in names} == {44}

    def test_D13_writers_at_the_same_time_never_mix_their_blocks(self, proxied):
        """One list wins, and the service drops the blocks of the others, whose lists are refused: they try again."""
        contents = [bytes([letter]) * 300_000 for letter in b"abcd"]
        refused = []
        begin = threading.Barrier(len(contents))

        def write(data):
            begin.wait()
            for _ in range(10):
                try:
                    return proxied.put("object", Body(data))
                except UnavailableError as error:
                    refused.append((error.disposition, error.reason))
            raise AssertionError("ten times in a row")

        with ThreadPoolExecutor(len(contents)) as pool:
            written = list(pool.map(write, contents))
        assert len({info.version for info in written}) == len(contents)
        [(_, data)] = proxied.server.contents(proxied.place.address.container).items()
        assert data in contents
        lost = "the server lost the upload, most likely to another writer of the object"
        assert set(refused) <= {(Disposition.RETRY, lost)}

    def test_a_few_are_on_their_way_at_a_time(self, proxied):
        busy, most, lock = [0], [0], threading.Lock()

        def count(request, forward):
            if not is_block(request):
                return forward()
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            answer = forward()
            with lock:
                busy[0] -= 1
            return answer

        proxied.proxy.rule = count
        proxied.put("object", Body(patterned(20 * BLOCK)))
        assert 2 <= most[0] <= 4

    def test_D09_there_are_no_more_than_the_service_takes(self, proxied, monkeypatch):
        monkeypatch.setattr(uploads, "MOST_BLOCKS", 3)
        chunks = (b"x" * BLOCK for _ in range(5))
        with pytest.raises(UnsupportedOperationError, match=r"longer than 3 blocks(?s:.*)part_size") as caught:
            proxied.put("object", Body(chunks))
        assert caught.value.disposition is Disposition.SKIP
        assert proxied.server.contents(proxied.place.address.container) == {}


class TestFailures:
    """P2: what fails leaves the old object or none, and no upload that anybody sees."""

    @pytest.mark.parametrize("number", [0, 2, 4])
    @pytest.mark.parametrize("old", [b"old", None], ids=["overwrite", "new"])
    def test_D08_block_that_is_refused(self, proxied, number, old):
        if old:
            proxied.put("object", Body(old))
        seen = []

        def refuse_one(request, forward):
            if is_block(request):
                seen.append(request)
                if len(seen) == number + 1:
                    return refusal(503, "ServerBusy")
            return forward()

        proxied.proxy.rule = refuse_one
        with pytest.raises(BackendError, match="fewer requests"):
            proxied.put("object", Body(patterned(5 * BLOCK)))
        assert proxied.server.contents(proxied.place.address.container) == ({"root/object": old} if old else {})
        assert [key for page in proxied.list() for key in page.keys] == (["object"] if old else [])

    @pytest.mark.parametrize("answer", [refusal(500, "InternalError"), None], ids=["refused", "lost"])
    def test_list_that_fails(self, proxied, answer):
        proxied.proxy.answer(is_list, answer)
        with pytest.raises(UnavailableError):
            proxied.put("object", Body(patterned(300_000)))
        assert proxied.server.contents(proxied.place.address.container) == {}

    def test_what_was_left_does_not_hinder_the_next_upload(self, proxied):
        proxied.proxy.answer(is_list, refusal(500, "InternalError"))
        with pytest.raises(UnavailableError):
            proxied.put("object", Body(patterned(300_000)))
        assert unfinished(proxied, "object") == 5
        proxied.put("object", Body(patterned(200_000)))
        assert unfinished(proxied, "object") == 0
        assert proxied.server.contents(proxied.place.address.container) == {"root/object": patterned(200_000)}

    def test_D06_D08_body_that_breaks_off(self, proxied):
        def broken():
            yield b"x" * 3 * BLOCK
            raise ValueError("the source broke")

        with pytest.raises(ValueError, match="the source broke"):
            proxied.put("object", Body(broken(), 5 * BLOCK))
        assert proxied.server.contents(proxied.place.address.container) == {}


class TestConditions:
    @pytest.mark.parametrize("size", [10, 300_000])
    @pytest.mark.parametrize(
        ("status", "code"), [(409, "BlobAlreadyExists"), (412, "ConditionNotMet"), (412, "TargetConditionNotMet")]
    )
    def test_P4_if_absent_is_refused_in_more_than_one_way(self, proxied, size, status, code):
        proxied.proxy.answer(lambda request: "if-none-match" in request.headers, refusal(status, code))
        with pytest.raises(ObjectExistsError, match="there is an object of that name"):
            proxied.put("object", Body(patterned(size)), condition=IF_ABSENT)

    @pytest.mark.parametrize("size", [10, 300_000])
    @pytest.mark.parametrize(("status", "code"), [(404, "BlobNotFound"), (412, "ConditionNotMet")])
    def test_P4_if_match_of_what_is_gone_too(self, proxied, size, status, code):
        proxied.proxy.answer(lambda request: "if-match" in request.headers, refusal(status, code))
        with pytest.raises(PreconditionFailedError):
            proxied.put("object", Body(patterned(size)), condition=IfMatch(Version("0x1")))

    def test_version_without_an_etag_cannot_be_asked_for(self, proxied):
        with pytest.raises(UnsupportedOperationError, match="by their ETag"):
            proxied.put("object", Body(b"x"), condition=IfMatch(Version(id="2026")))
        assert proxied.proxy.requests == []


class TestRefusals:
    def test_leased_object_is_said_and_is_no_failed_condition(self, backend):
        backend.put("object", Body(b"old"))
        lease = blob(backend, "object").acquire_lease()
        for attempt in (
            lambda: backend.put("object", Body(b"new")),
            lambda: backend.delete("object"),
            lambda: backend.put("object", Body(b"new"), condition=IfMatch(backend.stat("object").version)),
        ):
            with pytest.raises(UnavailableError, match=r"the object is leased(?s:.*)lease break") as caught:
                attempt()
            assert caught.value.disposition is Disposition.SKIP
        lease.release()
        backend.put("object", Body(b"new"))

    def test_append_blob_cannot_be_overwritten_in_blocks(self, azurite, open_azure):
        backend = open_azure(azurite, azurite.make_container(), "root", multipart_threshold=10, part_size=10)
        blob(backend, "object").create_append_blob()
        with pytest.raises(UnsupportedOperationError, match="append or a page blob") as caught:
            backend.put("object", Body(b"x" * 25))
        assert caught.value.disposition is Disposition.SKIP

    def test_metadata_that_is_too_large_fails_this_object_alone(self, proxied):
        proxied.proxy.answer(lambda request: True, refusal(400, "MetadataTooLarge"))
        with pytest.raises(UnsupportedOperationError) as caught:
            proxied.put("object", Body(b"x"), attributes=Attributes(metadata={"a": "x" * 9000}))
        assert caught.value.disposition is Disposition.SKIP


def test_memory_of_a_put_is_told(open_azure, azurite):
    small = open_azure(azurite, "box", multipart_threshold="1MiB", part_size="1MiB")
    large = open_azure(azurite, "box", multipart_threshold="1MiB", part_size="100MiB")
    assert small.capabilities.put_memory == 5 * 16 * MIB
    assert large.capabilities.put_memory == 3 * 100 * MIB
