"""get and read: one version, every byte, and the digest that the service keeps."""

import contextlib
import hashlib

import pytest
from azure.storage.blob import ContentSettings

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, Digest
from plugins.azure.tests.answers import refusal
from plugins.azure.tests.test_puts import blob, patterned
from tests.servers.proxy import Response

MIB = 1024 * 1024
LARGE = 9 * MIB + 7
"""Bytes that need a second request."""


def content(backend, key):
    with backend.get(key) as reader:
        return reader.read()


def is_read(request):
    return request.method == "GET" and "comp" not in request.query


def reads(backend):
    return [request for request in backend.proxy.requests if is_read(request)]


class TestWhole:
    @pytest.mark.parametrize("size", [0, 1, 8 * MIB, LARGE])
    def test_every_byte_and_the_digest_come(self, proxied, size):
        data = patterned(size)
        proxied.put("object", Body(data))
        with proxied.get("object") as reader:
            assert reader.info.digests == (Digest("md5", hashlib.md5(data).hexdigest()),)
            assert reader.read() == data
        expected = {0: 2, LARGE: 2}.get(size, 1)
        assert len(reads(proxied)) == expected

    def test_what_follows_is_asked_of_the_version_that_began(self, proxied):
        proxied.put("object", Body(patterned(LARGE)))
        info = proxied.stat("object")
        content(proxied, "object")
        assert [request.headers.get("if-match") for request in reads(proxied)] == [None, f'"{info.version.etag}"']

    def test_a_hundred_mebibytes_up_and_down(self, azurite, open_azure):
        backend = open_azure(azurite, azurite.make_container())
        piece = patterned(MIB)
        pieces = [number.to_bytes(4, "big") + piece[4:] for number in range(100)]
        digest = hashlib.md5(b"".join(pieces)).hexdigest()
        written = backend.put("object", Body(iter(pieces), 100 * MIB))
        assert written.digests == (Digest("md5", digest),)
        hasher = hashlib.md5()
        with backend.get("object") as reader:
            for chunk in reader.chunks():
                hasher.update(chunk)
        assert (reader.size, hasher.hexdigest()) == (100 * MIB, digest)
        with backend.get("object", byte_range=ByteRange(50 * MIB - 3, 50 * MIB + 5)) as reader:
            assert reader.read() == pieces[49][-3:] + pieces[50][:5]


class TestDigests:
    def spoil(self, backend):
        settings = ContentSettings(content_md5=bytearray(16))
        blob(backend, "object").set_http_headers(settings)

    def test_content_of_another_digest_is_an_error(self, backend):
        backend.put("object", Body(b"content"))
        self.spoil(backend)
        with pytest.raises(IntegrityError, match=r"its store says 0{32}"):
            content(backend, "object")
        with pytest.raises(IntegrityError):
            backend.read("object", 100).read()

    def test_where_anybody_may_set_it_it_says_nothing(self, backend, azurite, open_azure):
        backend.put("object", Body(b"content"))
        self.spoil(backend)
        wary = open_azure(azurite, backend.place.address.container, "root", content_md5=False)
        assert content(wary, "object") == b"content"

    def test_D18_bytes_that_change_on_their_way_are_found_out(self, proxied):
        proxied.put("object", Body(b"content"))

        def spoil(request, forward):
            answer = forward()
            return Response(answer.status, b"C" + answer.body[1:], answer.headers) if is_read(request) else answer

        proxied.proxy.rule = spoil
        with pytest.raises(IntegrityError, match="the content has md5"):
            content(proxied, "object")


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "code", "reason"),
        [
            (409, "BlobArchived", "the object is archived and cannot be read"),
            (409, "BlobBeingRehydrated", "the object is being restored from the archive"),
        ],
    )
    def test_A22_D22_archived_objects_are_skipped(self, proxied, status, code, reason):
        proxied.put("object", Body(b"x"))
        proxied.proxy.answer(is_read, refusal(status, code), times=2)
        for attempt in (lambda: content(proxied, "object"), lambda: proxied.read("object", 10)):
            with pytest.raises(UnavailableError, match=reason) as caught:
                attempt()
            assert caught.value.disposition is Disposition.SKIP

    def test_D16_content_that_is_cut_short(self, proxied):
        proxied.put("object", Body(patterned(1000)))
        proxied.proxy.answer(is_read, Response(206, patterned(1000), _about(proxied, 1000), cut=500))
        with pytest.raises(IntegrityError, match="ended before the object did"):
            content(proxied, "object")

    def test_other_range_than_was_asked_for(self, proxied):
        proxied.put("object", Body(patterned(1000)))
        told = {**_about(proxied, 1000), "content-range": "bytes 1-1000/1000"}
        proxied.proxy.answer(is_read, Response(206, patterned(1000), told))
        with pytest.raises(UnexpectedBackendError, match="other bytes than the range"):
            content(proxied, "object")

    def test_D17_object_that_changes_while_it_is_read(self, proxied):
        proxied.put("object", Body(patterned(LARGE)))
        with proxied.get("object") as reader:
            chunks = reader.chunks()
            next(chunks)
            proxied.put("object", Body(b"another"))
            with pytest.raises(PreconditionFailedError, match="it changed while it was read") as caught:
                list(chunks)
        assert caught.value.disposition is Disposition.RETRY

    def test_server_that_ignores_the_condition_is_found_out(self, proxied):
        old = proxied.put("object", Body(b"old")).version
        proxied.put("object", Body(b"new"))
        signature = proxied.server.sas_token()

        def ignore(request, forward):
            headers = {
                name: value for name, value in request.headers.items() if name not in {"if-match", "authorization"}
            }
            return proxied.proxy.forward(type(request)(request.method, f"{request.target}?{signature}", headers, b""))

        proxied.proxy.rule = ignore
        with pytest.raises(PreconditionFailedError, match="another version"), proxied.get("object", if_match=old):
            pass

    def test_range_beyond_the_end(self, backend):
        backend.put("object", Body(b"123"))
        with (
            pytest.raises(UnexpectedBackendError, match="no such range"),
            backend.get("object", byte_range=ByteRange(5, 9)),
        ):
            pass

    def test_missing_permission_is_said_with_what_is_needed(self, azurite, open_azure, backend):
        backend.put("object", Body(b"x"))
        listing_only = open_azure(
            azurite, backend.place.address.container, "root", account_key=None, sas_token=azurite.sas_token("l")
        )
        assert [key for page in listing_only.list() for key in page.keys] == ["object"]
        with pytest.raises(AccessDeniedError, match=r"(?s)access.*documentation of cloudsync-azure"):
            listing_only.stat("object")

    def test_left_early_it_waits_for_nothing(self, backend):
        backend.put("object", Body(patterned(LARGE)))
        with contextlib.suppress(StopIteration), backend.get("object") as reader:
            next(reader.chunks())
        with pytest.raises(ObjectNotFoundError):
            backend.read("missing", 10)


def _about(backend, size):
    info = backend.stat("object")
    return {
        "etag": f'"{info.version.etag}"',
        "last-modified": "Fri, 20 Nov 2026 17:00:00 GMT",
        "content-length": str(size),
        "content-range": f"bytes 0-{size - 1}/{size}",
    }
