"""Deletes: exactly that key, exactly that version, and a result for each (D1-D3, A15-A18)."""

import threading

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ContainerNotFoundError,
    InvalidKeyError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IfMatch, Version
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response


@pytest.fixture
def bucket(gcs):
    return gcs.make_bucket()


@pytest.fixture
def backend(gcs_proxy, open_gcs, bucket):
    return open_gcs(gcs_proxy.server, bucket)


def is_batch(request):
    return request.path == "/batch/storage/v1"


def errors(results):
    return {result.key: type(result.error) if result.error else None for result in results}


class TestOne:
    def test_D2_another_version_stays(self, gcs, backend, bucket):
        first = backend.put("key", Body(b"one")).version
        second = backend.put("key", Body(b"two")).version
        for stale in (first, Version("stale"), Version("1"), Version()):
            with pytest.raises(PreconditionFailedError):
                backend.delete("key", if_match=stale)
        assert gcs.contents(bucket) == {"key": b"two"}
        backend.delete("key", if_match=second)
        assert gcs.contents(bucket) == {}

    @pytest.mark.parametrize("version", [Version("17"), Version("stale")])
    def test_D1_what_is_gone_is_gone_whatever_its_version(self, backend, version):
        backend.delete("missing", if_match=version)

    @pytest.mark.parametrize("status", [404, 412])
    def test_D1_however_the_server_says_so(self, gcs_proxy, backend, status):
        gcs_proxy.answer(lambda request: request.method == "DELETE", gcs_error(status, "odd", "words"))
        backend.delete("missing", if_match=Version("17"))

    def test_F04_in_a_bucket_with_versions_the_content_stays(self, gcs, open_gcs):
        bucket = gcs.make_bucket(versioning={"enabled": True})
        backend = open_gcs(gcs, bucket)
        backend.put("key", Body(b"content"))
        backend.delete("key")
        assert gcs.contents(bucket) == {}
        assert [blob.name for blob in gcs.client.list_blobs(bucket, versions=True)] == ["key"]

    def test_D2_of_many_one_deletes_a_version(self, gcs, open_gcs, bucket):
        """Writers and deleters of one version: one of them wins, and what it did stays."""
        backend = open_gcs(gcs, bucket)
        version = backend.put("key", Body(b"content")).version
        start = threading.Barrier(6)
        outcomes = []

        def act(number):
            start.wait()
            try:
                if number % 2:
                    backend.delete("key", if_match=version)
                    outcomes.append("deleted")
                else:
                    backend.put("key", Body(b"new"), condition=IfMatch(version))
                    outcomes.append("written")
            except PreconditionFailedError:
                outcomes.append("refused")

        threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if outcomes.count("written"):
            assert outcomes.count("written") == 1
            assert outcomes.count("refused") == 5
            assert gcs.contents(bucket) == {"key": b"new"}
        else:
            # The other deletes found nothing, which is what they wanted.
            assert outcomes.count("refused") >= 3
            assert gcs.contents(bucket) == {}


class TestMany:
    def test_D3_a_hundred_share_a_request(self, gcs, gcs_proxy, backend, bucket):
        names = [f"folder/{number} ü#?" for number in range(250)]
        for name in names:
            gcs.put(bucket, name, b"x")
        gcs.put(bucket, "kept", b"x")
        results = list(backend.delete_many([(name, None) for name in names]))
        assert [result.key for result in results] == names
        assert set(errors(results).values()) == {None}
        assert gcs.contents(bucket) == {"kept": b"x"}
        assert [request.path for request in gcs_proxy.requests] == ["/batch/storage/v1"] * 3

    def test_one_goes_alone(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"x")
        assert errors(backend.delete_many([("key", None)])) == {"key": None}
        assert [request.method for request in gcs_proxy.requests] == ["DELETE"]

    @pytest.mark.parametrize("knows_batches", [True, False])
    def test_D3_every_key_has_its_own_result(self, gcs, gcs_proxy, backend, bucket, knows_batches):
        version = backend.put("current", Body(b"x")).version
        old = backend.put("replaced", Body(b"x")).version
        backend.put("replaced", Body(b"y"))
        gcs.put(bucket, "held", b"x", temporaryHold=True)
        gcs.put(bucket, "any", b"x")
        if not knows_batches:
            gcs_proxy.answer(is_batch, gcs_error(404, "notFound", "Not Found"), times=100)
        results = backend.delete_many(
            [
                ("current", version),
                ("replaced", old),
                ("a\nb", None),
                ("held", None),
                ("missing", None),
                ("gone", Version("17")),
                ("nowhere", Version("stale")),
                ("held", Version("stale")),
                ("any", None),
            ]
        )
        found = [(result.key, type(result.error) if result.error else None) for result in results]
        assert found == [
            ("current", None),
            ("replaced", PreconditionFailedError),
            ("a\nb", InvalidKeyError),
            ("held", AccessDeniedError),
            ("missing", None),
            ("gone", None),
            ("nowhere", None),
            ("held", PreconditionFailedError),
            ("any", None),
        ]
        assert sorted(gcs.contents(bucket)) == ["held", "replaced"]

    def test_a_server_without_batches_is_asked_for_one_once(self, gcs, gcs_proxy, backend, bucket):
        names = [f"{number:03}" for number in range(250)]
        for name in names:
            gcs.put(bucket, name, b"x")
        gcs_proxy.answer(is_batch, gcs_error(404, "notFound", "Not Found"), times=100)
        for _ in range(2):
            results = list(backend.delete_many([(name, None) for name in names]))
            assert [result.key for result in results] == names
            assert set(errors(results).values()) == {None}
        assert gcs.contents(bucket) == {}
        asked = sum(map(is_batch, gcs_proxy.requests))
        assert 1 <= asked <= 4

    def test_they_are_deleted_side_by_side_then(self, gcs, gcs_proxy, backend, bucket):
        gcs_proxy.answer(is_batch, gcs_error(501, "notImplemented", "no"), times=100)
        list(backend.delete_many([("a", None), ("b", None)]))
        together = threading.Barrier(4)

        def rule(request, forward):
            together.wait(20)
            return forward()

        gcs_proxy.rule = rule
        assert set(errors(backend.delete_many([(str(number), None) for number in range(8)])).values()) == {None}

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (gcs_error(503, "backendError", "no"), UnavailableError),
            (gcs_error(429, "rateLimitExceeded", "no"), ThrottledError),
            (None, UnavailableError),
            (Response(200, b"{}", {"content-type": "application/json"}), UnexpectedBackendError),
            (Response(200, b"", {"content-type": "multipart/mixed; boundary=x"}), UnexpectedBackendError),
            (
                Response(
                    200,
                    b"--x\r\nContent-ID: <response-0>\r\n\r\nHTTP/1.1 429 Slow\r\n\r\n\r\n"
                    b"--x\r\nContent-ID: <response-1>\r\n\r\nHTTP/1.1 429 Slow\r\n\r\n\r\n--x--",
                    {"content-type": 'multipart/mixed; boundary="x"'},
                ),
                ThrottledError,
            ),
        ],
        ids=["503", "429", "dropped", "no-batch", "no-parts", "parts-refused"],
    )
    def test_A15_a_batch_that_fails_fails_every_key(self, gcs_proxy, backend, bucket, answer, kind):
        gcs_proxy.answer(is_batch, answer, times=100)
        results = list(backend.delete_many([("a", None), ("b", None)]))
        assert errors(results) == {"a": kind, "b": kind}
        assert all(str(result.error).startswith(f"delete gs://{bucket}/{result.key}: ") for result in results)

    def test_A15_an_answer_that_leaves_one_out_does_not_delete_it(self, gcs, gcs_proxy, backend, bucket):
        partly = b"--x\r\nContent-ID: <response-1>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n--x--"
        gcs_proxy.answer(is_batch, Response(200, partly, {"content-type": "multipart/mixed; boundary=x"}))
        results = list(backend.delete_many([("a", None), ("b", None)]))
        assert errors(results) == {"a": UnexpectedBackendError, "b": None}
        assert "does not mention the object" in str(results[0].error)

    def test_L2_of_a_missing_bucket(self, gcs_proxy, open_gcs):
        backend = open_gcs(gcs_proxy.server, "no-such-bucket")
        assert set(errors(backend.delete_many([("a", None), ("b", None)])).values()) == {ContainerNotFoundError}

    def test_C1_versions_need_a_server_that_honours_them(self, gcs, open_gcs, bucket):
        backend = open_gcs(gcs, bucket, preconditions=False)
        version = backend.put("key", Body(b"x")).version
        assert errors(backend.delete_many([("key", version), ("other", None)])) == {
            "key": UnsupportedOperationError,
            "other": None,
        }
        with pytest.raises(UnsupportedOperationError):
            backend.delete("key", if_match=version)
        assert gcs.contents(bucket) == {"key": b"x"}

    def test_whoever_does_not_want_the_rest_waits_for_nothing(self, gcs, backend, bucket):
        results = backend.delete_many([(str(number), None) for number in range(1000)])
        assert next(results).error is None
        results.close()
        with pytest.raises(StopIteration):
            next(results)


def test_E1_a_delete_of_what_is_no_name_is_an_error(backend):
    with pytest.raises(BackendError):
        backend.delete("a\nb")
