"""Pages are whole and consistent, or they raise; long listings come through every page (L1-L4, A13)."""

import json
import time

import pytest
from cloudsync_gcs import listing

from cloudsync_core.backends.objectstore.listing import ListingError
from cloudsync_core.errors import ContainerNotFoundError, Disposition, UnexpectedBackendError
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response, proxy_before

ITEM = {"name": "a", "size": "1", "generation": "17", "timeCreated": "2026-01-01T00:00:00.123Z", "md5Hash": "x"}


def document(items=(ITEM,), **fields):
    return json.dumps({"kind": "storage#objects", "items": list(items), **fields}).encode()


def test_a_page_is_columns():
    page = listing.parse(document([ITEM, {**ITEM, "name": "b\n\u2028\U0001f600", "size": "0"}], nextPageToken="next"))
    assert page.keys == ["a", "b\n\u2028\U0001f600"]
    assert page.sizes == [1, 0]
    assert page.etags == ["17", "17"]
    assert page.others == (["x", "x"], ["", ""])
    assert page.token == "next"


def test_an_empty_page_may_have_a_token():
    assert listing.parse(b'{"kind": "storage#objects"}').token is None
    assert listing.parse(b'{"kind": "storage#objects", "nextPageToken": "t"}').token == "t"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>hello</html>",
        document()[:-10],
        b'{"kind": "storage#buckets"}',
        b'{"kind": "storage#objects", "items": {"name": "a"}}',
        b'{"kind": "storage#objects", "items": ["a"]}',
        document(nextPageToken=5),
        document(nextPageToken=""),
        document([{**ITEM, "size": "many"}]),
        document([{**ITEM, "generation": "new"}]),
        document([{**ITEM, "generation": 17}]),
        document([{**ITEM, "name": ""}]),
        document([{**ITEM, "name": 5}]),
        document([{**ITEM, "timeCreated": None}]),
        *(document([{name: value for name, value in ITEM.items() if name != field}]) for field in list(ITEM)[:4]),
    ],
)
def test_L3_a_damaged_page_raises(damaged):
    with pytest.raises(ListingError):
        listing.parse(damaged)


def test_A14_folders_are_those_of_the_answer():
    assert listing.folders(b'{"kind": "storage#objects", "prefixes": ["b/", "a/"]}') == ["a/", "b/"]
    assert listing.folders(b'{"kind": "storage#objects"}') == []
    for damaged in (b"{}", b'{"kind": "storage#objects", "prefixes": "a/"}'):
        with pytest.raises(ListingError):
            listing.folders(damaged)


def keys(backend, *arguments, **named):
    return [key for page in backend.list(*arguments, **named) for key in page.keys]


class TestLong:
    """Listings of many pages."""

    @pytest.fixture
    def bucket(self, gcs):
        bucket = gcs.make_bucket()
        for number in range(5_300):
            gcs.put(bucket, f"first/{number % 7}/{number:05}", b"")
        for name in ("first", "first-", "first0", "firs"):
            gcs.put(bucket, name, b"beside")
        return bucket

    @pytest.fixture
    def names(self, gcs, bucket):
        found = (name.removeprefix("first/") for name in gcs.contents(bucket, "first/"))
        return sorted(found, key=str.encode)

    def test_L1_every_object_comes_once_and_in_order(self, gcs, open_gcs, bucket, names):
        backend = open_gcs(gcs, bucket, "first")
        assert keys(backend) == names
        assert keys(backend, "3") == [name for name in names if name.startswith("3/")]

    def test_L1_a_listing_can_start_anywhere(self, gcs, open_gcs, bucket, names):
        backend = open_gcs(gcs, bucket, "first")
        for after in (names[0], names[999], names[1000], names[2500], names[-2], names[-1], "2", "2/99999"):
            assert keys(backend, start_after=after) == [name for name in names if name > after]

    @pytest.mark.parametrize("after", ["2\n", "2\r9", "2/\n/\r", "\n"])
    def test_L1_also_after_a_text_that_no_object_can_have_as_its_name(self, gcs_proxy, open_gcs, bucket, names, after):
        backend = open_gcs(gcs_proxy.server, bucket, "first")
        assert keys(backend, start_after=after) == [name for name in names if name > after]
        assert not any(set("\r\n") & set(request.query["startOffset"]) for request in gcs_proxy.requests)

    def test_no_more_is_asked_than_is_needed(self, gcs_proxy, open_gcs, bucket):
        backend = open_gcs(gcs_proxy.server, bucket, "first")
        assert len(keys(backend)) == 5_300
        pages = [request for request in gcs_proxy.requests if "delimiter" not in request.query]
        assert len(pages) <= 8
        assert all(request.query["fields"].startswith("kind,nextPageToken,items(") for request in pages)


def test_L1_pages_of_three_come_together(gcs_small_pages, open_gcs):
    bucket = gcs_small_pages.make_bucket()
    names = [f"{number:03}" for number in range(100)]
    for name in names:
        gcs_small_pages.put(bucket, name, b"x")
    assert keys(open_gcs(gcs_small_pages, bucket)) == names


def test_L1_a_slow_server_is_asked_for_several_stretches_at_once(gcs_small_pages, open_gcs):
    bucket = gcs_small_pages.make_bucket()
    names = [f"{number % 7}/{number:03}" for number in range(400)]
    for name in names:
        gcs_small_pages.put(bucket, name, b"x")

    def slowly(request, forward):
        time.sleep(0.015)
        return forward()

    with proxy_before(gcs_small_pages) as proxy:
        proxy.rule = slowly
        assert keys(open_gcs(proxy.server, bucket)) == sorted(names)
        pages = [request for request in proxy.requests if "delimiter" not in request.query]
    assert len({request.query.get("startOffset") for request in pages}) > 2, "nothing was cut"


def test_A13_a_token_that_comes_again_is_a_circle(gcs_proxy, gcs, open_gcs):
    bucket = gcs.make_bucket()
    backend = open_gcs(gcs_proxy.server, bucket)
    gcs_proxy.rule = lambda request, forward: Response(200, document(nextPageToken="again"))
    with pytest.raises(UnexpectedBackendError, match="circle"):
        keys(backend)


@pytest.mark.parametrize(
    "broken", [gcs_error(503, "backendError", "no"), None, Response(200, b"{}"), Response(200, document(), cut=20)]
)
def test_L3_a_second_page_that_fails_raises(gcs_small_pages, open_gcs, broken):
    bucket = gcs_small_pages.make_bucket()
    for number in range(10):
        gcs_small_pages.put(bucket, str(number), b"x")
    with proxy_before(gcs_small_pages) as proxy:
        backend = open_gcs(proxy.server, bucket)
        proxy.answer(lambda request: "pageToken" in request.query, broken, times=1000)
        with pytest.raises(Exception, match="list gs://") as caught:
            keys(backend)
        assert caught.value.disposition is Disposition.RETRY


def test_L2_a_missing_bucket_raises(gcs, open_gcs):
    with pytest.raises(ContainerNotFoundError):
        keys(open_gcs(gcs, "no-such-bucket"))


def test_rows_tell_all_that_the_page_tells(gcs, open_gcs):
    bucket = gcs.make_bucket()
    gcs.put(bucket, "plain", b"content")
    gcs.compose(bucket, "composed", [b"con", b"tent"])
    backend = open_gcs(gcs, bucket)
    composed, plain = (entry for page in backend.list() for entry in page)
    assert [digest.algorithm for digest in composed.digests] == ["crc32c"]
    assert [digest.algorithm for digest in plain.digests] == ["md5", "crc32c"]
    assert composed.digests[0] == plain.digests[1]
    assert plain.version == backend.stat("plain").version
    assert plain.modified_ns == backend.stat("plain").modified_ns > 1_700_000_000_000_000_000


def test_what_is_deleted_or_replaced_is_not_listed(gcs, open_gcs):
    """Soft-deleted objects and noncurrent generations stay where they are, and are none of ours."""
    bucket = gcs.make_bucket(versioning={"enabled": True})
    for content in (b"one", b"two"):
        gcs.put(bucket, "kept", content)
        gcs.put(bucket, "gone", content)
    backend = open_gcs(gcs, bucket)
    backend.delete("gone")
    [entry] = [entry for page in backend.list() for entry in page]
    assert (entry.key, entry.version) == ("kept", backend.stat("kept").version)
    versions = [blob.name for blob in gcs.client.list_blobs(bucket, versions=True)]
    assert sorted(versions) == ["gone", "gone", "kept", "kept"]
