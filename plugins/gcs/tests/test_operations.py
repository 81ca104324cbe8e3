"""Requests and answers, as data: what is sent is what Google documents, and what comes is read strictly."""

import email
import json

import pytest
from cloudsync_gcs import operations
from cloudsync_gcs.address import GOOGLE, Address
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.models import Digest

ADDRESS = Address.of("bucket", GOOGLE)


def body_of(request):
    return request.body if isinstance(request.body, bytes) else b"".join(request.body)


@given(st.builds(lambda data, times: data * times, st.binary(max_size=300), st.sampled_from([1, 1, 500])))
def test_an_insert_is_a_multipart_of_the_resource_and_the_content(data):
    request = operations.insert(ADDRESS, {"name": "ü", "contentType": "text/x-demo"}, data, {"ifGenerationMatch": "0"})
    body = body_of(request)
    assert request.size == len(body)
    assert request.query["uploadType"] == "multipart"
    assert request.query["ifGenerationMatch"] == "0"
    boundary = b"--" + request.headers["content-type"].partition("boundary=")[2].encode()
    before, resource, content, end = body.split(boundary)
    assert (before, end) == (b"", b"--\r\n")
    head, _, text = resource.strip().partition(b"\r\n\r\n")
    assert json.loads(text) == {"name": "ü", "contentType": "text/x-demo"}
    head, _, held = content.partition(b"\r\n\r\n")
    assert head.strip() == b"content-type: text/x-demo"
    assert held.removesuffix(b"\r\n") == data or held == data + b"\r\n"


def test_no_two_inserts_share_a_boundary():
    kinds = {operations.insert(ADDRESS, {}, b"", {}).headers["content-type"] for _ in range(100)}
    assert len(kinds) == 100


def test_a_chunk_says_where_it_belongs():
    upload = operations.Session("/upload", {"upload_id": "x"})
    middle = operations.chunk(upload, b"abc", (256, 259), None)
    assert (middle.headers, middle.size) == ({"content-range": "bytes 256-258/*"}, 3)
    last = operations.chunk(upload, b"abc", (256, 259), 259, (Digest("md5", "00" * 16),))
    assert last.headers == {"content-range": "bytes 256-258/259", "x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA=="}


@pytest.mark.parametrize(("text", "held"), [("bytes=0-99", 100), ("", 0), ("bytes=5-99", 0), ("0-99", 0), ("x", 0)])
def test_what_a_server_holds_of_an_upload(text, held):
    assert operations.held(Answer(308, {"range": text}, b"")) == held


def test_a_batch_is_a_multipart_of_requests():
    requests = [operations.remove(ADDRESS, name, {"userProject": "a b"}) for name in ("a/b", "ü?")]
    batch = operations.batch(ADDRESS, requests)
    message = email.message_from_bytes(f"content-type: {batch.headers['content-type']}\r\n\r\n".encode() + batch.body)
    parts = message.get_payload()
    assert [part.get_content_type() for part in parts] == ["application/http"] * 2
    assert [part["content-id"] for part in parts] == ["<0>", "<1>"]
    assert [part.get_payload().splitlines()[0] for part in parts] == [
        "DELETE /storage/v1/b/bucket/o/a%2Fb?userProject=a%20b HTTP/1.1",
        "DELETE /storage/v1/b/bucket/o/%C3%BC%3F?userProject=a%20b HTTP/1.1",
    ]


def test_the_answer_to_a_batch_is_read_in_the_form_that_google_documents():
    text = (
        "--batch_pK7JBAk73-E=_AA5eFwv4m2Q=\r\n"
        "Content-Type: application/http\r\nContent-ID: <response-1>\r\n\r\n"
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        '{"error": {"code": 404, "message": "No such object: b/o"}}\r\n\r\n'
        "--batch_pK7JBAk73-E=_AA5eFwv4m2Q=\r\n"
        "Content-Type: application/http\r\nContent-ID: <response-0>\r\n\r\n"
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n\r\n"
        "--batch_pK7JBAk73-E=_AA5eFwv4m2Q=--"
    )
    headers = {"content-type": "multipart/mixed; boundary=batch_pK7JBAk73-E=_AA5eFwv4m2Q="}
    found = operations.batched(Answer(200, headers, text.encode()))
    assert found[0] == Answer(204, {"content-length": "0"}, b"")
    assert operations.refusal(found[1]).missing == "object"


@pytest.mark.parametrize("body", [b"", b"--x", b"--x--", b"--x\r\n\r\nHTTP/1.1 204\r\n--x--", b"\xff\xfe"])
def test_what_a_batch_does_not_answer_is_not_there(body):
    assert operations.batched(Answer(200, {"content-type": "multipart/mixed; boundary=x"}, body)) == {}


def test_an_answer_that_is_no_batch_raises():
    with pytest.raises(DamagedAnswerError):
        operations.batched(Answer(200, {"content-type": "application/json"}, b"{}"))


def test_of_packed_objects_alone_gzip_is_accepted():
    packed = operations.media(ADDRESS, "a", {"generation": "5"}, span="bytes=0-1", packed=True)
    assert packed == Request(
        "GET",
        "/storage/v1/b/bucket/o/a",
        {"alt": "media", "generation": "5"},
        {"accept-encoding": "gzip", "range": "bytes=0-1"},
    )
    assert operations.media(ADDRESS, "a", {}, span=None, packed=False).headers == {}
