"""Deletes: exactly those keys, each reported (A15-A18, C10, D1-D3)."""

import pytest
from cloudsync_s3.deletes import MOST_KEYS, batches

from cloudsync_core.body import Body
from cloudsync_core.engine.removal import is_looked_up_in_listings, remove_listed
from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import Version
from cloudsync_core.runs import Action
from tests.servers.proxy import Response, error


def is_bulk(request):
    return request.method == "POST" and "delete" in request.query


@pytest.fixture
def backend(moto_proxy, open_s3):
    opened = open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), "root")
    del moto_proxy.requests[:]
    return opened


def fill(backend, *keys):
    for key in keys:
        backend.put(key, Body(b"content"))


def left(backend):
    return [key for page in backend.list() for key in page.keys]


def outcomes(results):
    return {result.key: result.error if result.error is None else type(result.error) for result in results}


class TestBulk:
    def test_A16_a_thousand_keys_share_a_request(self, backend, moto_proxy):
        fill(backend, "key-3", "key-2003")
        keys = [f"key-{number}" for number in range(2 * MOST_KEYS + 5)]
        results = list(backend.delete_many([(key, None) for key in keys]))
        assert [result.key for result in results] == keys
        assert {result.error for result in results} == {None}
        assert sum(map(is_bulk, moto_proxy.requests)) == 3
        assert left(backend) == []

    def test_every_server_finds_the_checksum_that_it_knows(self, backend, moto_proxy):
        import base64
        import hashlib

        list(backend.delete_many([("a", None), ("b", None)]))
        [request] = filter(is_bulk, moto_proxy.requests)
        digest = base64.b64encode(hashlib.md5(request.body).digest()).decode()
        assert request.headers["content-md5"] == digest

    def test_A15_refused_keys_within_a_success_are_errors(self, backend, moto_proxy):
        body = (
            b"<DeleteResult><Deleted><Key>root/a</Key></Deleted>"
            b"<Error><Key>root/b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
            b"<Error><Key>root/c</Key><Code>InternalError</Code></Error>"
            b"<Error><Key>root/d</Key><Code>Odd</Code></Error>"
            b"<Error><Key>root/e</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
        )
        moto_proxy.answer(is_bulk, Response(200, body))
        results = list(backend.delete_many([(key, None) for key in "abcdef"]))
        assert outcomes(results) == {
            "a": None,
            "b": AccessDeniedError,
            "c": UnavailableError,
            "d": UnexpectedBackendError,
            "e": None,
            "f": UnexpectedBackendError,
        }
        messages = {result.key: str(result.error) for result in results}
        assert messages["b"].startswith(f"delete {backend.location}/b: access denied")
        assert "does not mention the object" in messages["f"]

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (error(503, "SlowDown"), ThrottledError),
            (None, UnavailableError),
            (Response(200, b"<DeleteResult>"), UnavailableError),
            (Response(200, b"<html/>"), UnexpectedBackendError),
        ],
        ids=["503", "dropped", "cut", "nonsense"],
    )
    def test_D3_request_that_fails_reports_every_key(self, backend, moto_proxy, answer, kind):
        fill(backend, "a", "b")
        moto_proxy.answer(is_bulk, answer)
        results = list(backend.delete_many([("a", None), ("b", None)]))
        assert outcomes(results) == {"a": kind, "b": kind}
        assert all(result.error.key == result.key for result in results)

    def test_A17_A18_names_are_literal(self, backend):
        kept = ["a", "a/b", "ab", "folder/x"]
        gone = ["a*", "a/", "folder/", "x?versionId=1", "&<>\"'", "%2F", "a b+", "ü"]
        fill(backend, *kept, *gone)
        assert set(outcomes(backend.delete_many([(key, None) for key in gone])).values()) == {None}
        assert left(backend) == kept


class TestAlone:
    def test_C10_names_that_XML_cannot_say_go_by_themselves(self, backend, moto_proxy):
        odd = ["a\x01b", "a\tb", "a\rb", "a\x7fb", "a\ufffeb"]
        fill(backend, *odd, "a", "b", "ab")
        del moto_proxy.requests[:]
        results = list(backend.delete_many([(key, None) for key in ["a", *odd, "b"]]))
        assert set(outcomes(results).values()) == {None}
        assert len(results) == len(odd) + 2
        assert [request.method for request in moto_proxy.requests].count("DELETE") == len(odd)
        assert sum(map(is_bulk, moto_proxy.requests)) == 1
        assert left(backend) == ["ab"]

    def test_key_that_occurs_twice_is_reported_twice(self, backend):
        fill(backend, "a", "b")
        results = list(backend.delete_many([("a", None), ("b", None), ("a", None)]))
        assert sorted(result.key for result in results) == ["a", "a", "b"]
        assert left(backend) == []

    def test_what_is_no_key_is_reported_and_harms_nothing(self, backend):
        fill(backend, "a", "b")
        results = outcomes(backend.delete_many([("a", None), ("", None), ("\udcff", None)]))
        assert results.pop("a") is None
        assert None not in results.values()
        assert left(backend) == ["b"]

    def test_conditions_go_by_themselves(self):
        version = Version("etag")
        items = [("a", None), ("b", version), ("c", None)]
        assert sorted(map(len, batches(items))) == [1, 2]
        assert [("b", version)] in list(batches(items))


class TestConditions:
    @pytest.fixture
    def conditional(self, moto_proxy, open_s3):
        return open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), conditional_deletes=True)

    def test_D2_stale_versions_are_kept(self, conditional):
        fresh = [(key, conditional.put(key, Body(key.encode())).version) for key in ("a", "b", "c")]
        conditional.put("b", Body(b"changed"))
        assert outcomes(conditional.delete_many(fresh)) == {"a": None, "b": PreconditionFailedError, "c": None}
        assert left(conditional) == ["b"]

    def test_D1_missing_object_is_deleted_already(self, conditional):
        version = conditional.put("a", Body(b"x")).version
        conditional.delete("a", if_match=version)
        conditional.delete("a", if_match=version)
        assert outcomes(conditional.delete_many([("a", version)])) == {"a": None}

    def test_condition_that_http_cannot_say_fails_at_once_and_deletes_nothing(self, conditional, moto_proxy):
        fill(conditional, "key")
        del moto_proxy.requests[:]
        with pytest.raises(UnexpectedBackendError, match="a line break where HTTP can have none") as caught:
            conditional.delete("key", if_match=Version(etag="a\r\nx-injected: 1"))
        assert caught.value.disposition is Disposition.SKIP
        assert moto_proxy.requests == []
        assert left(conditional) == ["key"]

    def test_many_conditional_deletes_run_side_by_side(self, conditional, moto_proxy):
        items = [(f"key-{number:03}", conditional.put(f"key-{number:03}", Body(b"x")).version) for number in range(80)]
        assert set(outcomes(conditional.delete_many(items)).values()) == {None}
        assert left(conditional) == []

    def test_C1_condition_that_may_be_ignored_is_refused(self, backend, moto_proxy):
        version = backend.put("a", Body(b"x")).version
        del moto_proxy.requests[:]
        with pytest.raises(UnsupportedOperationError, match="conditional_deletes"):
            backend.delete("a", if_match=version)
        assert moto_proxy.requests == []


class TestRecheck:
    """What the engine asks of this backend before it deletes, on both dialects."""

    @pytest.fixture
    def filled(self, s3_server, open_s3):
        backend = open_s3(s3_server, s3_server.make_bucket(), "root")
        fill(
            backend, "a!/x", "a-b", "a.b", "a/b", "a/c", "a0", "b c", "b%20c", "b+c", "x/é", "x/\ufffd", "x/\U00010000"
        )
        return backend

    def planned(self, backend):
        return [Action("delete", info.key, "test", target=info) for page in backend.list() for info in page]

    def test_A24_one_listing_tells_what_is_still_the_same(self, filled):
        assert is_looked_up_in_listings(filled.capabilities)
        planned = self.planned(filled)
        filled.put("a/b", Body(b"somebody else's"))
        filled.put("a1", Body(b"appeared"))
        filled.delete("a-b")
        outcomes, unseen = remove_listed(filled, planned)
        failures = {outcome.action.key: outcome.cause for outcome in outcomes if outcome.status != "done"}
        assert failures == {"a/b": "PreconditionFailedError"}
        assert [action.key for action in unseen] == ["a-b"]
        assert left(filled) == ["a/b", "a1"]

    def test_C10_keys_that_are_hard_to_say_are_told_too(self, moto_s3, open_s3):
        odd = ["a\x01b", "a\tb", "a\rb", "a b", "a\x7fb", "a\ufffeb", "/lead", "trail/", "a//b", "."]
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        fill(backend, *odd)
        outcomes, unseen = remove_listed(backend, self.planned(backend))
        assert ({outcome.status for outcome in outcomes}, unseen, left(backend)) == ({"done"}, [], [])


def test_F04_delete_in_a_bucket_with_versions_keeps_the_versions(moto_s3, open_s3):
    bucket = moto_s3.make_bucket()
    moto_s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    backend = open_s3(moto_s3, bucket)
    fill(backend, "a", "b", "c")
    backend.delete("a")
    list(backend.delete_many([("b", None), ("c", None)]))
    assert left(backend) == []
    versions = moto_s3.client.list_object_versions(Bucket=bucket)["Versions"]
    assert [version["Key"] for version in versions] == ["a", "b", "c"]
