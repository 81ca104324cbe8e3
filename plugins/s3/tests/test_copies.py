"""Copies inside the provider: exactly the version that was listed, with what it carries (D10-D12, D17)."""

import pytest
from cloudsync_s3.copies import Copier

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, Digest, IfMatch
from tests.servers.proxy import Response, error

CARRIED = Attributes("text/x-demo", "no-cache", mtime_ns=5_000_000_000, metadata={"owner": "me"})
P = 1000


def is_copy(request):
    return request.method == "PUT" and "x-amz-copy-source" in request.headers and "partNumber" not in request.query


def is_part(request):
    return request.method == "PUT" and "partNumber" in request.query


@pytest.fixture
def place(moto_proxy, open_s3):
    """Return a function that opens a root of one bucket with more options."""
    bucket = moto_proxy.server.make_bucket()

    def open_place(root="source", **options):
        return open_s3(moto_proxy.server, bucket, root, **options)

    return open_place


@pytest.fixture
def amazon(place):
    """A target that the backend takes for Amazon's."""
    backend = place("target", conditional_writes=True)
    backend._copier._is_amazon = True
    return backend


@pytest.fixture
def tiny_copies(monkeypatch):
    """Objects of more than a part are copied in parts."""
    monkeypatch.setattr(Copier, "largest_copy", P)
    monkeypatch.setattr(Copier, "copied_part", P)


@pytest.mark.parametrize("key", ["plain", "a b+c", "ü/%2F", "x?versionId=abc", "#&=;", "a//b", "*", "\U0001f600"])
def test_C18_names_are_copied_exactly(place, s3_server, key):
    source, target = place("so urce/ü"), place("target?x")
    info = source.put(key, Body(b"content"))
    assert target.copy(source, info, key + "+copy").key == key + "+copy"
    with target.get(key + "+copy") as reader:
        assert reader.read() == b"content"


class TestInOneRequest:
    def test_amazon_needs_one_request(self, place, amazon, moto_proxy):
        source = place()
        info = source.put("key", Body(b"content"), attributes=CARRIED)
        del moto_proxy.requests[:]
        written = amazon.copy(source, info, "copy")
        [request] = moto_proxy.requests
        assert request.headers["x-amz-copy-source-if-match"] == f'"{info.version.etag}"'
        assert (written.size, written.version, written.attributes) == (7, info.version, CARRIED)
        assert written.digests == info.digests != ()
        assert amazon.stat("copy").attributes == CARRIED

    def test_D17_an_etag_that_is_an_md5_shows_which_version_was_copied(self, place, moto_proxy):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"))
        del moto_proxy.requests[:]
        written = target.copy(source, info, "copy")
        assert [request.method for request in moto_proxy.requests] == ["PUT"]
        assert (written.version, written.digests) == (info.version, info.digests)

    @pytest.mark.parametrize("attempts", [1, 2], ids=["changed", "changed-and-changed-back"])
    def test_D17_server_that_ignores_the_version_is_found_out(self, place, moto_proxy, attempts):
        source, target = place(), place("target")
        info = source.put("key", Body(b"old"))
        source.put("key", Body(b"newer"))

        def ignores_the_version(request, forward):
            if not is_copy(request):
                return forward()
            del request.headers["x-amz-copy-source-if-match"]
            answer = forward()
            if attempts == 2:
                source.put("key", Body(b"old"))
            return answer

        moto_proxy.rule = ignores_the_version
        with pytest.raises(PreconditionFailedError, match=r"copy s3://.*/source/key: the object changed"):
            target.copy(source, info, "copy")

    @pytest.mark.parametrize("options", [{"etag_is_md5": False}, {"multipart_threshold": 3, "part_size": 5}])
    def test_D17_where_the_etag_is_none_other_servers_are_asked_for_the_version_before(
        self, place, moto_proxy, options
    ):
        source, target = place(**options), place("target")
        info = source.put("key", Body(b"old old"))
        source.put("key", Body(b"newer and newer"))
        del moto_proxy.requests[:]
        with pytest.raises(PreconditionFailedError, match=r"copy s3://.*/source/key: the object changed"):
            target.copy(source, info, "copy")
        assert [request.method for request in moto_proxy.requests] == ["HEAD"]

    @pytest.mark.parametrize("told", [b"", b"<ETag>0123456789abcdef0123456789abcdef</ETag>"], ids=["nothing", "opaque"])
    def test_B09_copy_whose_etag_tells_nothing_is_judged_by_the_source(self, place, moto_proxy, told):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"), attributes=CARRIED)

        def encrypts(request, forward):
            answer = forward()
            if is_copy(request):
                headers = {"x-amz-server-side-encryption": "aws:kms"}
                return Response(200, b"<CopyObjectResult>" + told + b"</CopyObjectResult>", headers)
            return answer

        moto_proxy.rule = encrypts
        written = target.copy(source, info, "copy")
        assert (written.digests, written.attributes) == ((), CARRIED)
        source.put("key", Body(b"changed"))
        with pytest.raises(PreconditionFailedError, match="the object changed"):
            target.copy(source, info, "copy")

    def test_B09_encrypted_source_is_copied_though_its_etag_is_no_md5(self, place, moto_proxy):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"))
        etag = b"0123456789abcdef0123456789abcdef"

        def encrypted(request, forward):
            if is_copy(request):
                return Response(200, b"<CopyObjectResult><ETag>" + etag + b"</ETag></CopyObjectResult>")
            answer = forward()
            answer.headers["x-amz-server-side-encryption"] = "aws:kms"
            return answer

        moto_proxy.rule = encrypted
        written = target.copy(source, info, "copy")
        assert written.digests == ()

    def test_attributes_replace_what_the_source_carries(self, place):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"), attributes=CARRIED)
        other = Attributes("text/x-other", metadata={"new": "1"})
        assert target.copy(source, info, "copy", attributes=other).attributes == other
        assert target.stat("copy").attributes == other

    @pytest.mark.parametrize("answer", [error(200, "InternalError"), error(500, "InternalError"), None])
    def test_D11_failure_within_a_success_is_a_failure(self, place, moto_proxy, answer):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"))
        moto_proxy.answer(is_copy, answer)
        with pytest.raises(UnavailableError, match=r"copy s3://.*/target/copy"):
            target.copy(source, info, "copy")

    def test_missing_source_is_not_found(self, place, amazon):
        source = place()
        info = source.put("key", Body(b"content"))
        source.delete("key")
        with pytest.raises(ObjectNotFoundError):
            amazon.copy(source, info, "copy")

    def test_refused_source_is_access_denied(self, place, moto_proxy):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"))
        moto_proxy.answer(is_copy, error(403, "AccessDenied"))
        with pytest.raises(AccessDeniedError):
            target.copy(source, info, "copy")


class TestInParts:
    @pytest.mark.parametrize("size", [P + 1, 2 * P, 5 * P + 1])
    def test_D10_content_and_attributes_come_along(self, place, tiny_copies, moto_proxy, size):
        source, target = place(), place("target")
        data = bytes(number % 251 for number in range(size))
        info = source.put("key", Body(data), attributes=CARRIED)
        written = target.copy(source, info, "copy")
        with target.get("copy") as reader:
            assert reader.read() == data
            assert reader.info.attributes == CARRIED
            assert reader.info.version == written.version
        for request in filter(is_part, moto_proxy.requests):
            assert request.headers["x-amz-copy-source-if-match"] == f'"{info.version.etag}"'
        assert sum(map(is_part, moto_proxy.requests)) == -(-size // P)

    def test_copy_of_parts_has_parts_of_the_same_size_and_is_verified(self, place, tiny_copies):
        source, target = place(multipart_threshold=700, part_size=700), place("target")
        info = source.put("key", Body(b"x" * 2000))
        [digest] = info.digests
        assert digest.algorithm == "md5/700"
        written = target.copy(source, info, "copy")
        assert written.digests == target.stat("copy").digests == (digest,)
        assert written.version.etag == info.version.etag

    def test_attributes_replace_what_the_source_carries(self, place, tiny_copies):
        source, target = place(), place("target")
        info = source.put("key", Body(b"x" * 3 * P), attributes=CARRIED)
        other = Attributes("text/x-other", metadata={"new": "1"})
        target.copy(source, info, "copy", attributes=other)
        assert target.stat("copy").attributes == other

    def test_part_that_fails_leaves_nothing(self, place, tiny_copies, moto_proxy):
        source, target = place(), place("target")
        info = source.put("key", Body(b"x" * 5 * P))
        moto_proxy.answer(lambda request: is_part(request) and request.query["partNumber"] == "3", error(500, "x"))
        with pytest.raises(UnavailableError, match=r"copy s3://.*/target/copy"):
            target.copy(source, info, "copy")
        uploads = target.server.client.list_multipart_uploads(Bucket=target.place.bucket)
        assert uploads.get("Uploads", []) == []
        assert [key for page in target.list() for key in page.keys] == []


class TestConditions:
    @pytest.mark.parametrize("size", [0, 5, 3 * P])
    def test_P4_if_absent_on_other_servers_goes_by_what_they_honour(self, place, moto_proxy, size):
        source, target = place(), place("target", conditional_writes="if-absent")
        info = source.put("key", Body(b"x" * size), attributes=CARRIED)
        target.copy(source, info, "copy", condition=IF_ABSENT)
        assert target.stat("copy").attributes == CARRIED
        assert not any(map(is_copy, moto_proxy.requests))
        other = source.put("other", Body(b"y" * size))
        with pytest.raises(ObjectExistsError):
            target.copy(source, other, "copy", condition=IF_ABSENT)
        with target.get("copy") as reader:
            assert reader.read() == b"x" * size

    def test_P4_one_part_of_known_content_is_verified(self, place):
        source, target = place(), place("target", conditional_writes="if-absent")
        info = source.put("key", Body(b"content"))
        [digest] = target.copy(source, info, "copy", condition=IF_ABSENT).digests
        assert digest.algorithm.startswith("md5/")
        assert digest in target.stat("copy").digests

    def test_P4_amazon_is_asked_by_the_copy_itself(self, place, amazon, moto_proxy):
        source = place()
        info = source.put("key", Body(b"content"))
        amazon.copy(source, info, "copy", condition=IF_ABSENT)
        assert moto_proxy.requests[-1].headers["if-none-match"] == "*"
        amazon.copy(source, info, "copy", condition=IfMatch(info.version))
        assert moto_proxy.requests[-1].headers["if-match"] == f'"{info.version.etag}"'

    @pytest.mark.parametrize(
        ("header", "kind"),
        [("If-None-Match", ObjectExistsError), ("x-amz-copy-source-If-Match", PreconditionFailedError)],
    )
    def test_P4_which_condition_did_not_hold_is_told_apart(self, place, amazon, moto_proxy, header, kind):
        source = place()
        info = source.put("key", Body(b"content"))
        body = f"<Error><Code>PreconditionFailed</Code><Condition>{header}</Condition></Error>".encode()
        moto_proxy.answer(is_copy, Response(412, body))
        with pytest.raises(BackendError) as caught:
            amazon.copy(source, info, "copy", condition=IF_ABSENT)
        assert type(caught.value) is kind

    def test_C1_condition_that_may_be_ignored_is_refused(self, place, moto_proxy):
        source, target = place(), place("target")
        info = source.put("key", Body(b"content"))
        del moto_proxy.requests[:]
        with pytest.raises(UnsupportedOperationError, match="conditional_writes"):
            target.copy(source, info, "copy", condition=IF_ABSENT)
        assert moto_proxy.requests == []


class TestWhereFrom:
    def test_same_server_and_credentials(self, place):
        assert place("a").can_copy_from(place("b"))

    def test_other_credentials(self, place):
        other = place("b", secret_access_key="another-secret")
        assert not place("a").can_copy_from(other)
        with pytest.raises(UnsupportedOperationError, match="other credentials"):
            place("a").copy(other, other.put("key", Body(b"x")), "copy")

    def test_other_server(self, place, rclone_s3, open_s3):
        assert not place("a").can_copy_from(open_s3(rclone_s3, rclone_s3.make_bucket()))

    def test_other_kind_of_backend(self, place):
        from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
        from cloudsync_core.location import Location

        with MemoryBackend(Location("memory", "name"), MemoryOptions()) as other:
            assert not place("a").can_copy_from(other)

    def test_other_bucket_of_the_same_server(self, place, moto_proxy, open_s3):
        source = place()
        info = source.put("key", Body(b"content"))
        target = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        target.copy(source, info, "copy")
        with target.get("copy") as reader:
            assert reader.read() == b"content"


def test_B09_encrypted_target_confirms_nothing(moto_s3, open_s3):
    source, target = (open_s3(moto_s3, moto_s3.make_bucket()) for _ in range(2))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    moto_s3.client.put_bucket_encryption(
        Bucket=target.place.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    info = source.put("key", Body(b"content"))
    assert info.digests == (Digest("md5", "9a0364b9e99bb480dd25e1f0284c8555"),)
    target.copy(source, info, "copy")
    with target.get("copy") as reader:
        assert reader.read() == b"content"
