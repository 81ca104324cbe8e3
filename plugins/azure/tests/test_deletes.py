"""Deletes of many objects report every one (clause D3), and take nothing else along."""

import pytest
from cloudsync_azure.deletes import answers

from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    ContainerNotFoundError,
    InvalidKeyError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import Version
from plugins.azure.tests.answers import refusal
from plugins.azure.tests.test_puts import blob
from tests.servers.proxy import Response


def put(backend, *keys):
    return [backend.put(key, Body(b"x")).version for key in keys]


def names(backend):
    return [key for page in backend.list() for key in page.keys]


def errors(backend, *items):
    results = list(backend.delete_many([item if isinstance(item, tuple) else (item, None) for item in items]))
    return {result.key: None if result.error is None else type(result.error) for result in results}


def is_batch(request):
    return request.query.get("comp") == "batch"


class TestBatches:
    def test_A16_many_go_in_one_request(self, proxied):
        keys = [f"{number:03}" for number in range(20)]
        put(proxied, *keys, "kept")
        del proxied.proxy.requests[:]
        assert errors(proxied, *keys, "missing") == dict.fromkeys([*keys, "missing"])
        assert len(proxied.proxy.requests) == 1
        assert names(proxied) == ["kept"]

    def test_no_more_of_them_than_the_service_takes(self, proxied):
        found = errors(proxied, *(f"missing/{number}" for number in range(600)))
        assert set(found.values()) == {None}
        assert len(found) == 600
        counts = [request.body.count(b"content-id:") for request in proxied.proxy.requests if is_batch(request)]
        assert sorted(counts) == [88, 256, 256]

    def test_A17_A18_every_name_is_exact(self, backend):
        keys = ["a b", "a%20b", "ä?#&", "/lead", "a//b", "trail/", "\U0001f600", "it's", "<x>"]
        put(backend, *keys, "a")
        assert set(errors(backend, *keys).values()) == {None}
        assert names(backend) == ["a"]

    def test_a_name_may_occur_twice(self, backend):
        put(backend, "a")
        assert [result.error for result in backend.delete_many([("a", None), ("a", None)])] == [None, None]

    def test_conditions_are_honoured(self, backend):
        [current, *_] = put(backend, "current", "stale")
        found = errors(backend, ("current", current), ("stale", Version("0x1")), ("missing", Version("0x1")))
        assert found == {"current": None, "stale": PreconditionFailedError, "missing": None}
        assert names(backend) == ["stale"]

    def test_what_cannot_be_asked_is_reported_and_the_others_go(self, backend):
        put(backend, "a")
        found = errors(backend, "a", "no\\such", "", ("b", Version(id="1")))
        assert found == {"a": None, "no\\such": InvalidKeyError, "": InvalidKeyError, "b": UnsupportedOperationError}
        assert names(backend) == []

    def test_missing_container_is_said_for_every_one(self, azurite, open_azure):
        found = errors(open_azure(azurite, "no-such-container"), "a", "b")
        assert found == {"a": ContainerNotFoundError, "b": ContainerNotFoundError}

    def test_shared_access_signatures_do(self, azurite, open_azure, backend):
        put(backend, "a", "b")
        by_token = open_azure(
            azurite, backend.place.address.container, "root", account_key=None, sas_token=azurite.sas_token()
        )
        assert errors(by_token, "a") == {"a": None}
        reading = open_azure(
            azurite, backend.place.address.container, "root", account_key=None, sas_token=azurite.sas_token("rl")
        )
        assert errors(reading, "b") == {"b": AccessDeniedError}
        assert names(backend) == ["b"]


class TestFailures:
    @pytest.mark.parametrize(
        "answer", [refusal(400, "InvalidInput"), refusal(403, "AuthorizationFailure"), refusal(501, "NotImplemented")]
    )
    def test_server_that_takes_no_batches_is_asked_one_by_one_from_then_on(self, proxied, answer):
        keys = [f"{number}" for number in range(50)]
        put(proxied, *keys)
        proxied.proxy.answer(is_batch, answer, times=100)
        del proxied.proxy.requests[:]
        assert errors(proxied, *keys[:30]) == dict.fromkeys(keys[:30])
        assert errors(proxied, *keys[30:], "missing") == dict.fromkeys([*keys[30:], "missing"])
        assert sum(map(is_batch, proxied.proxy.requests)) == 1
        assert names(proxied) == []

    def test_one_by_one_each_is_reported_too(self, proxied):
        [version] = put(proxied, "a")
        proxied.proxy.answer(is_batch, refusal(501, "NotImplemented"))
        assert errors(proxied, ("a", Version("0x1")), ("b", None), ("a", version)) == {"a": None, "b": None}

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refusal(503, "ServerBusy"), ThrottledError),
            (refusal(500, "InternalError"), UnavailableError),
            (None, UnavailableError),
        ],
        ids=["busy", "broken", "lost"],
    )
    def test_batch_that_fails_is_reported_for_every_one(self, proxied, answer, kind):
        put(proxied, "a", "b")
        proxied.proxy.answer(is_batch, answer)
        assert errors(proxied, "a", "b") == {"a": kind, "b": kind}
        assert names(proxied) == ["a", "b"]

    def test_A15_what_the_answer_does_not_mention_is_not_taken_for_deleted(self, proxied):
        put(proxied, "a", "b")

        def forget(request, forward):
            answer = forward()
            if not is_batch(request):
                return answer
            return Response(answer.status, answer.body.replace(b"Content-ID: 1", b"Content-ID: 7"), answer.headers)

        proxied.proxy.rule = forget
        assert errors(proxied, "a", "b") == {"a": None, "b": UnexpectedBackendError}

    def test_answer_that_is_none_mentions_nothing(self):
        assert answers(Answer(202, {"content-type": "text/plain"}, b"fine")) == {}
        assert answers(Answer(202, {"content-type": "multipart/mixed; boundary=x"}, b"--x\r\n\r\nfine\r\n--x--")) == {}

    def test_answers_are_read_as_azure_writes_them(self):
        body = (
            b"--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 202 Accepted\r\n"
            b"x-ms-request-id: 1\r\n\r\n--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
            b"HTTP/1.1 404 The specified blob does not exist.\r\nx-ms-error-code: BlobNotFound\r\n\r\n"
            b"<Err>\r\n--batchresponse_1--"
        )
        found = answers(Answer(202, {"content-type": 'multipart/mixed; boundary="batchresponse_1"'}, body))
        assert {number: answer.status for number, answer in found.items()} == {0: 202, 1: 404}
        assert found[1].headers["x-ms-error-code"] == "BlobNotFound"


class TestSnapshots:
    def test_object_with_snapshots_is_left_alone(self, backend):
        put(backend, "a", "b")
        blob(backend, "a").create_snapshot()
        with pytest.raises(UnsupportedOperationError, match=r"has snapshots(?s:.*)Delete its snapshots first"):
            backend.delete("a")
        assert errors(backend, "a", "b") == {"a": UnsupportedOperationError, "b": None}
        assert names(backend) == ["a"]

    def test_it_can_be_overwritten(self, backend):
        put(backend, "a")
        snapshot = blob(backend, "a").create_snapshot()
        backend.put("a", Body(b"new"))
        container = backend.server.client.get_container_client(backend.place.address.container)
        kept = container.get_blob_client("root/a", snapshot=snapshot["snapshot"])
        assert kept.download_blob().readall() == b"x"
