"""Listings across pages and faults, and gets of exactly one version."""

import contextlib
import threading

import pytest

from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import (
    BackendError,
    ContainerNotFoundError,
    Disposition,
    IntegrityError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, Digest, Version
from tests.servers.dialects import S3
from tests.servers.proxy import Request, Response, error, proxy_before


def keys(backend, *args, **options):
    return [key for page in backend.list(*args, **options) for key in page.keys]


@pytest.fixture
def paged(moto_small_pages_s3, open_s3):
    """A backend before a server of three keys a page, the proxy between, and the ten keys there."""
    server = moto_small_pages_s3
    bucket = server.make_bucket()
    wanted = [f"key-{number}" for number in range(10)]
    for key in wanted:
        server.client.put_object(Bucket=bucket, Key=f"root/{key}")
    with proxy_before(server) as proxy:
        backend = open_s3(proxy.server, bucket, "root")
        yield backend, proxy, wanted
        backend.close()


class TestPages:
    def test_listing_goes_on_over_pages(self, paged):
        backend, proxy, wanted = paged
        assert [list(page.keys) for page in backend.list()] == [wanted[0:3], wanted[3:6], wanted[6:9], wanted[9:]]
        assert proxy.count() == 4

    def test_listing_starts_after_a_key(self, paged):
        backend, _, wanted = paged
        assert keys(backend, start_after="key-4") == wanted[5:]

    def test_listing_that_is_left_early_asks_one_page_ahead_at_most(self, paged):
        backend, proxy, wanted = paged
        listing = backend.list()
        assert list(next(listing).keys) == wanted[:3]
        listing.close()
        assert proxy.count() <= 2

    def test_row_says_what_the_server_says(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"hello")
        moment = moto_s3.client.head_object(Bucket=bucket, Key="key")["LastModified"]
        [[row]] = open_s3(moto_s3, bucket).list()
        assert (row.key, row.size) == ("key", 5)
        assert row.fingerprint == row.version.etag == "5d41402abc4b2a76b9719d911017c592"
        assert row.modified_ns // 1_000_000_000 == int(moment.timestamp())
        assert row.digests == (Digest("md5", "5d41402abc4b2a76b9719d911017c592"),)

    def test_B09_digests_of_listings_can_be_switched_off(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"hello")
        backend = open_s3(moto_s3, bucket, etag_is_md5=False)
        [[row]] = backend.list()
        assert row.digests == backend.stat("key").digests == ()

    def test_name_that_is_no_unicode_is_a_gap(self, moto_proxy, open_s3):
        bucket = moto_proxy.server.make_bucket()
        for key in ("a", "b", "c"):
            moto_proxy.server.client.put_object(Bucket=bucket, Key=key)

        def rule(request, forward):
            answer = forward()
            return (
                Response(200, answer.body.replace(b"<Key>b</Key>", b"<Key>b%FF</Key>"))
                if S3().is_listing(request)
                else answer
            )

        moto_proxy.rule = rule
        [page] = open_s3(moto_proxy.server, bucket).list()
        assert list(page.keys) == [row.key for row in page] == ["a", "c"]
        [gap] = page.gaps
        assert gap.key == "b\\udcff"
        assert gap.kind == "unknown"


class TestBrokenListings:
    """L3 and A13: what does not end as it must raises, after whatever was listed before."""

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (error(500, "InternalError"), UnavailableError),
            (error(503, "SlowDown"), ThrottledError),
            (error(404, "NoSuchBucket"), ContainerNotFoundError),
            (Response(404, b"<html>not here</html>"), ContainerNotFoundError),
            (Response(200, b"<Error><Code>InternalError</Code></Error>"), UnexpectedBackendError),
            (Response(200, b""), UnexpectedBackendError),
            (Response(200, b"<ListBucketResult><IsTruncated>true</IsTruncated>"), UnexpectedBackendError),
            (None, UnavailableError),
        ],
        ids=["500", "503", "bucket-gone", "404-of-somebody-else", "error-in-200", "empty", "cut", "dropped"],
    )
    @pytest.mark.parametrize("number", [0, 1, 3])
    def test_L3_failure_of_any_page_raises(self, paged, answer, kind, number):
        backend, proxy, wanted = paged
        seen = []

        def rule(request, forward):
            seen.append(request)
            return answer if len(seen) == number + 1 else forward()

        proxy.rule = rule
        found = []
        with pytest.raises(kind, match=r"list s3://.*/root: "):  # noqa: PT012 - what came before counts
            for page in backend.list():
                found.extend(page.keys)
        assert found == wanted[: 3 * number]
        assert len(seen) == number + 1

    def test_L3_page_that_is_cut_in_half_raises(self, paged):
        backend, proxy, _ = paged
        whole = proxy.forward(
            Request("GET", f"/{backend.place.bucket}?list-type=2&encoding-type=url", {"host": "h"}, b"")
        )
        for length in (len(whole.body) // 2, len(whole.body) - 1):
            proxy.answer(S3().is_listing, Response(200, whole.body, cut=length))
            with pytest.raises((UnavailableError, IntegrityError)) as caught:
                keys(backend)
            assert caught.value.disposition is Disposition.RETRY

    @pytest.mark.parametrize(
        ("change", "into", "complaint"),
        [
            (b"<NextContinuationToken>", b"<Other>", "damaged"),
            (b"NextContinuationToken>", b"Other>", "where the next begins"),
            (b"IsTruncated>", b"Other>", "whether it is the last one"),
            (b"<KeyCount>3<", b"<KeyCount>1000<", "says that it holds 1000 keys and holds 3"),
            (b"<Key>root/", b"<Key>other/", "'other/key-0', which is not under the prefix"),
        ],
    )
    def test_A13_page_that_contradicts_itself_raises(self, paged, change, into, complaint):
        backend, proxy, _ = paged

        def rule(request, forward):
            return Response(200, forward().body.replace(change, into))

        proxy.rule = rule
        with pytest.raises(UnexpectedBackendError, match=complaint) as caught:
            keys(backend)
        assert proxy.count() == 1
        if "not under the prefix" not in complaint:
            assert caught.value.disposition is Disposition.RETRY

    def test_A13_token_that_repeats_raises(self, paged):
        backend, proxy, _ = paged
        first = []

        def rule(request, forward):
            first.append(forward())
            return first[0]

        proxy.rule = rule
        with pytest.raises(UnexpectedBackendError, match="circle"):
            keys(backend)
        assert len(first) == 2

    def test_empty_page_that_is_not_the_last_does_not_end_the_listing(self, paged):
        backend, proxy, wanted = paged
        seen = []

        def rule(request, forward):
            seen.append(request)
            if len(seen) > 1:
                return forward() if "continuation-token" not in request.query else proxy.forward(seen[0])
            return Response(
                200,
                b"<ListBucketResult><IsTruncated>true</IsTruncated><KeyCount>0</KeyCount>"
                b"<NextContinuationToken>x</NextContinuationToken></ListBucketResult>",
            )

        proxy.rule = rule
        with contextlib.suppress(BackendError):
            assert keys(backend)[:3] == wanted[:3]
        assert len(seen) > 1


class TestMissingContainer:
    def test_L2_head_is_told_apart_by_one_request_on_the_way_of_errors_only(self, moto_proxy, open_s3):
        bucket = moto_proxy.server.make_bucket()
        backend = open_s3(moto_proxy.server, bucket)
        backend.put("key", Body(b""))
        del moto_proxy.requests[:]
        backend.stat("key")
        assert moto_proxy.count() == 1
        with pytest.raises(BackendError):
            backend.stat("missing")
        assert [request.method for request in moto_proxy.requests] == ["HEAD", "HEAD", "GET"]

    def test_object_that_appears_between_the_two_is_still_an_error(self, moto_proxy, open_s3):
        bucket = moto_proxy.server.make_bucket()
        backend = open_s3(moto_proxy.server, bucket)
        backend.put("key", Body(b"content"))
        moto_proxy.answer(lambda request: request.method == "HEAD", Response(404))
        with pytest.raises(BackendError, match="no such object"):
            backend.stat("key")


class TestGet:
    def test_G1_get_is_one_request(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        backend.put("key", Body(b"x" * (3 * CHUNK_SIZE)))
        del moto_proxy.requests[:]
        with backend.get("key") as reader:
            assert sum(map(len, reader.chunks())) == 3 * CHUNK_SIZE
        assert [request.method for request in moto_proxy.requests] == ["GET"]

    @pytest.mark.parametrize("size", [100, 3 * CHUNK_SIZE])
    def test_G2_body_that_is_cut_short_is_an_error(self, moto_proxy, open_s3, size):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        backend.put("key", Body(b"x" * size))
        moto_proxy.rule = lambda request, forward: _cut(forward(), size - 1)
        wanted = pytest.raises((IntegrityError, UnavailableError), match=r"get s3://.*/key")
        with wanted as caught, backend.get("key") as reader:
            list(reader.chunks())
        assert caught.value.disposition is Disposition.RETRY

    def test_G1_server_that_ignores_if_match_is_found_out(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        backend.put("key", Body(b"content"))

        def rule(request, forward):
            request.headers.pop("if-match", None)
            return forward()

        moto_proxy.rule = rule
        with pytest.raises(PreconditionFailedError), backend.get("key", if_match=Version(etag="0" * 32)):
            pass

    def test_G1_server_that_ignores_a_range_is_found_out(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        backend.put("key", Body(b"0123456789"))

        def rule(request, forward):
            request.headers.pop("range", None)
            return forward()

        moto_proxy.rule = rule
        with (
            pytest.raises(UnexpectedBackendError, match="other bytes than the range"),
            backend.get("key", byte_range=ByteRange(2, 5)),
        ):
            pass

    def test_B09_encrypted_object_has_no_digest(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"hello", ServerSideEncryption="aws:kms")
        backend = open_s3(moto_s3, bucket)
        assert backend.stat("key").digests == ()
        with backend.get("key") as reader:
            assert reader.info.digests == ()

    def test_B09_encrypted_object_among_others_is_read_by_the_second_attempt(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="plain", Body=b"hello")
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"secret", ServerSideEncryption="aws:kms")
        tag = moto_s3.client.head_object(Bucket=bucket, Key="key")["ETag"]
        opaque = {"etag": '"' + "0" * 32 + '"'}
        with proxy_before(moto_s3) as proxy, open_s3(proxy.server, bucket) as backend:
            proxy.rule = lambda request, forward: _retagged(forward(), tag, opaque)
            for _ in range(2):
                with backend.get("plain") as reader:
                    assert reader.read() == b"hello"
            contents = []
            for _ in range(2):
                with contextlib.suppress(IntegrityError), backend.get("key") as reader:
                    contents.append(reader.read())
        assert contents in ([b"secret"], [b"secret"] * 2)

    def test_A22_D22_archived_object_is_skipped_with_a_clear_word(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"hello", StorageClass="GLACIER")
        with pytest.raises(UnavailableError, match="archived") as caught, open_s3(moto_s3, bucket).get("key"):
            pass
        assert caught.value.disposition is Disposition.SKIP

    def test_versions_are_reported(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        backend = open_s3(moto_s3, bucket)
        first, second = (backend.put("key", Body(content)) for content in (b"1", b"2"))
        assert first.version.id != second.version.id
        assert backend.stat("key").version == second.version
        backend.delete("key")
        assert keys(backend) == []

    def test_T1_many_gets_at_once_and_left_early(self, moto_s3, open_s3):
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        data = b"x" * (4 * CHUNK_SIZE)
        backend.put("key", Body(data))
        failures = []

        def read():
            try:
                with backend.get("key") as reader:
                    next(reader.chunks())
                with backend.get("key") as reader:
                    assert reader.read() == data
            except BaseException as failure:  # noqa: BLE001 - raised by the test below
                failures.append(failure)

        threads = [threading.Thread(target=read) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def _retagged(answer, tag, headers):
    """Give an object an ETag that is not its MD5, as Amazon does when it encrypts by KMS."""
    if tag not in answer.headers.values():
        return answer
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
    return Response(answer.status, answer.body, {**kept, **headers})


def _cut(answer, length):
    return Response(answer.status, answer.body, answer.headers, cut=length)
