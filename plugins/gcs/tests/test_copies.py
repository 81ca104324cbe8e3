"""Copies inside the provider: the version that was listed, with what it carries, whatever its size (G1, P4, D10)."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    ContainerNotFoundError,
    Disposition,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, IfMatch
from tests.servers.gcs import gcs_error, running_gcs
from tests.servers.proxy import Response, proxy_before

CARRIED = Attributes(content_type="text/x-demo", mtime_ns=5_000_000_000, metadata={"owner": "Zoë"})
MIB = 1024 * 1024


@pytest.fixture
def backend(gcs, gcs_proxy, open_gcs):
    return open_gcs(gcs_proxy.server, gcs.make_bucket())


def stored(backend):
    return backend.server.contents(backend.place.address.bucket)


class TestCopied:
    def test_P3_with_what_it_carries(self, gcs, gcs_proxy, backend, open_gcs):
        info = backend.put("folder/a b", Body(b"content"), attributes=CARRIED)
        target = open_gcs(gcs_proxy.server, gcs.make_bucket(), "prefix")
        del gcs_proxy.requests[:]
        written = target.copy(backend, info, "c/d#1")
        assert [request.method for request in gcs_proxy.requests] == ["POST"]
        assert stored(target) == {"prefix/c/d#1": b"content"}
        told = target.stat("c/d#1")
        assert told.attributes == CARRIED
        assert (written.version, written.modified_ns, written.size) == (told.version, told.modified_ns, 7)
        assert set(written.digests) == set(info.digests)

    def test_P3_with_something_else(self, backend):
        info = backend.put("key", Body(b"content"), attributes=CARRIED)
        other = Attributes(cache_control="no-store", metadata={"new": "1"})
        assert backend.copy(backend, info, "copy", attributes=other).attributes == other
        told = backend.stat("copy").attributes
        assert (told.cache_control, told.metadata, told.mtime_ns) == ("no-store", {"new": "1"}, None)
        assert told.content_type != CARRIED.content_type

    def test_D10_in_as_many_requests_as_the_server_wants(self, open_gcs):
        with running_gcs(rewrite_bytes=MIB) as server, proxy_before(server) as proxy:
            bucket = server.make_bucket()
            backend = open_gcs(proxy.server, bucket)
            info = backend.put("key", Body(bytes(5 * MIB + 1)), attributes=CARRIED)
            del proxy.requests[:]
            backend.copy(backend, info, "copy")
            assert len(proxy.requests) == 6
            tokens = [request.query.get("rewriteToken") for request in proxy.requests]
            assert tokens[0] is None
            assert all(tokens[1:])
            assert server.contents(bucket)["copy"] == bytes(5 * MIB + 1)
            assert backend.stat("copy").attributes == CARRIED

    def test_D10_what_changes_in_the_middle_is_not_copied(self, open_gcs):
        with running_gcs(rewrite_bytes=MIB) as server, proxy_before(server) as proxy:
            bucket = server.make_bucket()
            backend = open_gcs(proxy.server, bucket)
            info = backend.put("key", Body(bytes(3 * MIB)))

            def replaced(request, forward):
                if "rewriteToken" in request.query:
                    server.put(bucket, "key", b"another")
                return forward()

            proxy.rule = replaced
            with pytest.raises(BackendError):
                backend.copy(backend, info, "copy")
            assert list(server.contents(bucket)) == ["key"]

    def test_B11_a_composite_object_keeps_its_crc(self, gcs, backend):
        gcs.compose(backend.place.address.bucket, "key", [b"con", b"tent"])
        info = backend.stat("key")
        written = backend.copy(backend, info, "copy")
        assert set(info.digests) <= set(written.digests)


class TestConditions:
    def test_G1_another_version_is_not_copied(self, backend):
        info = backend.put("key", Body(b"old"))
        backend.put("key", Body(b"new"))
        for condition in ({}, {"condition": IF_ABSENT}, {"condition": IfMatch(info.version)}):
            with pytest.raises(PreconditionFailedError):
                backend.copy(backend, info, "copy", **condition)
        assert stored(backend) == {"key": b"new"}

    def test_P4_of_the_target(self, backend):
        info = backend.put("key", Body(b"content"))
        first = backend.copy(backend, info, "copy", condition=IF_ABSENT)
        with pytest.raises(ObjectExistsError, match=r"copy gs://.*/copy: there is an object of that name"):
            backend.copy(backend, info, "copy", condition=IF_ABSENT)
        second = backend.copy(backend, info, "copy", condition=IfMatch(first.version))
        with pytest.raises(PreconditionFailedError):
            backend.copy(backend, info, "copy", condition=IfMatch(first.version))
        assert backend.stat("copy").version == second.version

    def test_of_two_that_do_not_hold_the_source_is_told(self, backend):
        """Whoever meets `ObjectExistsError` may conclude that the copy is there already."""
        info = backend.put("key", Body(b"old"))
        backend.put("copy", Body(b"there"))
        backend.put("key", Body(b"new"))
        with pytest.raises(PreconditionFailedError):
            backend.copy(backend, info, "copy", condition=IF_ABSENT)

    def test_S1_a_source_that_is_gone(self, backend):
        info = backend.put("key", Body(b"content"))
        backend.delete("key")
        with pytest.raises((ObjectNotFoundError, PreconditionFailedError)):
            backend.copy(backend, info, "copy")
        with pytest.raises((ObjectNotFoundError, PreconditionFailedError)):
            backend.copy(backend, info, "copy", condition=IF_ABSENT)
        assert stored(backend) == {}

    def test_L2_a_target_bucket_that_is_not_there(self, gcs, backend, open_gcs):
        info = backend.put("key", Body(b"content"))
        with pytest.raises(ContainerNotFoundError):
            open_gcs(backend.server, "no-such-bucket").copy(backend, info, "copy")

    def test_C1_a_server_of_which_nothing_is_known_is_looked_at_first(self, gcs, gcs_proxy, open_gcs):
        backend = open_gcs(gcs_proxy.server, gcs.make_bucket(), preconditions=False)

        def without_conditions(request, forward):
            target = request.target.replace("ifSourceGenerationMatch", "ignored")
            return gcs_proxy.forward(type(request)(request.method, target, request.headers, request.body))

        gcs_proxy.rule = without_conditions
        info = backend.put("key", Body(b"old"))
        backend.copy(backend, info, "good")
        backend.put("key", Body(b"new"))
        with pytest.raises(PreconditionFailedError, match="changed after it was listed"):
            backend.copy(backend, info, "copy")
        backend.delete("key")
        with pytest.raises(PreconditionFailedError, match="is gone"):
            backend.copy(backend, info, "copy")
        with pytest.raises(UnsupportedOperationError):
            backend.copy(backend, info, "copy", condition=IF_ABSENT)
        assert stored(backend) == {"good": b"old"}

    def test_G1_a_copy_of_other_bytes_is_not_taken_for_what_was_listed(self, gcs_proxy, backend):
        info = backend.stat(backend.put("key", Body(b"content")).key)
        told = '{"done": true, "resource": {"generation": "1", "size": "7", "md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}}'
        gcs_proxy.rule = lambda request, forward: Response(200, told.encode())
        with pytest.raises(PreconditionFailedError):
            backend.copy(backend, info, "copy")


class TestWhoCopies:
    def test_the_same_server_and_the_same_credentials(self, gcs, gcs_guarded, open_gcs):
        bucket = gcs.make_bucket()
        backend = open_gcs(gcs, bucket)
        assert backend.can_copy_from(open_gcs(gcs, gcs.make_bucket(), "prefix"))
        for other in (open_gcs(gcs_guarded, "bucket"), open_gcs(gcs, bucket, user_project="payer")):
            assert not backend.can_copy_from(other)
            with pytest.raises(UnsupportedOperationError, match="other credentials"):
                backend.copy(other, backend.put("key", Body(b"content")), "copy")


@pytest.mark.parametrize("answer", [b"{}", b'{"done": false}', b'{"done": true}', b'{"done": true, "resource": 5}'])
def test_an_answer_that_says_neither_done_nor_how_it_goes_on(gcs_proxy, backend, answer):
    info = backend.put("key", Body(b"content"))
    gcs_proxy.rule = lambda request, forward: Response(200, answer)
    with pytest.raises(UnexpectedBackendError, match="does not say that the copy is done"):
        backend.copy(backend, info, "copy")


def test_a_copy_that_is_not_allowed_now_may_be_tried_again(gcs_proxy, backend):
    info = backend.put("key", Body(b"content"))
    gcs_proxy.answer(lambda request: True, gcs_error(503, "backendError", "no"))
    with pytest.raises(BackendError) as caught:
        backend.copy(backend, info, "copy")
    assert caught.value.disposition is Disposition.RETRY
