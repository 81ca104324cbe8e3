"""What a server that is not Amazon's honours is found out by trying, before the first write (E11)."""

import json

import pytest
from cloudsync_s3.conditions import Honoured
from cloudsync_s3.probing import NAMES

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    ContainerNotFoundError,
    Disposition,
    ObjectExistsError,
    PreconditionFailedError,
    ThrottledError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, IfMatch
from tests.servers.proxy import error

ALL = {"writes": ["if-absent", "if-match"], "deletes": ["if-match"]}
NONE = {"writes": [], "deletes": []}


def conditions(backend):
    capabilities = backend.capabilities
    return capabilities.put_if_absent, capabilities.put_if_match, capabilities.delete_if_match


def is_conditional(request):
    return "if-match" in request.headers or "if-none-match" in request.headers


def ignoring(name, method="PUT"):
    """Return the rule of a server that does not look at a header of such requests."""

    def rule(request, forward):
        if request.method == method:
            request.headers.pop(name, None)
        return forward()

    return rule


@pytest.fixture
def opened(moto_proxy, open_s3):
    """Return a function that opens a backend behind the proxy, whose bucket is empty."""
    bucket = moto_proxy.server.make_bucket()
    del moto_proxy.requests[:]
    return lambda **options: open_s3(moto_proxy.server, bucket, "root", **options)


def left(backend):
    backend.close()
    return backend.server.contents(backend.place.bucket)


class TestWhatIsFound:
    def test_E11_nothing_is_taken_for_granted_before(self, opened):
        assert conditions(opened()) == (False, False, False)

    def test_E11_moto_honours_every_condition(self, opened):
        backend = opened()
        assert json.loads(backend.probe()) == ALL
        assert conditions(backend) == (True, True, True)
        old = backend.put("key", Body(b"old"), condition=IF_ABSENT)
        with pytest.raises(ObjectExistsError):
            backend.put("key", Body(b"new"), condition=IF_ABSENT)
        new = backend.put("key", Body(b"new"), condition=IfMatch(old.version))
        with pytest.raises(PreconditionFailedError):
            backend.put("key", Body(b"newer"), condition=IfMatch(old.version))
        with pytest.raises(PreconditionFailedError):
            backend.delete("key", if_match=old.version)
        backend.delete("key", if_match=new.version)
        assert left(backend) == {}

    def test_E11_rclone_ignores_every_condition(self, rclone_s3, open_s3):
        backend = open_s3(rclone_s3, rclone_s3.make_bucket())
        assert json.loads(backend.probe()) == NONE
        assert conditions(backend) == (False, False, False)
        with pytest.raises(UnsupportedOperationError):
            backend.put("key", Body(b""), condition=IF_ABSENT)
        assert left(backend) == {}

    @pytest.mark.parametrize(
        ("rule", "found"),
        [
            (ignoring("if-none-match"), (False, True, True)),
            (ignoring("if-match"), (True, False, True)),
            (ignoring("if-match", "DELETE"), (True, True, False)),
        ],
        ids=["if-none-match", "if-match", "if-match of deletes"],
    )
    def test_E11_each_condition_is_found_by_itself(self, opened, moto_proxy, rule, found):
        moto_proxy.rule = rule
        backend = opened()
        backend.probe()
        assert conditions(backend) == found
        assert left(backend) == {}

    @pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")])
    def test_E11_a_server_that_refuses_to_know_them_honours_none(self, opened, moto_proxy, status, code):
        moto_proxy.rule = lambda request, forward: error(status, code) if is_conditional(request) else forward()
        backend = opened()
        assert json.loads(backend.probe()) == NONE
        assert left(backend) == {}

    def test_E11_a_server_that_never_lets_a_condition_hold_honours_none(self, opened, moto_proxy):
        """Else no update and no delete would ever succeed."""
        moto_proxy.rule = lambda request, forward: (
            error(412, "PreconditionFailed") if is_conditional(request) else forward()
        )
        backend = opened()
        assert json.loads(backend.probe()) == NONE

    @pytest.mark.parametrize(
        ("options", "about"),
        [
            ({"conditional_writes": False}, {"deletes"}),
            ({"conditional_deletes": True}, {"writes"}),
        ],
    )
    def test_what_is_said_is_not_tried(self, opened, options, about):
        backend = opened(**options)
        assert json.loads(backend.probe()).keys() == about
        assert (conditions(backend)[0], conditions(backend)[2]) == ("writes" in about, True)

    def test_where_all_is_said_nothing_is_asked(self, opened, moto_proxy):
        backend = opened(conditional_writes="if-absent", conditional_deletes=False)
        assert backend.probe() is None
        assert moto_proxy.requests == []
        assert conditions(backend) == (True, False, False)

    def test_of_amazon_all_is_known(self, open_s3, moto_s3):
        backend = open_s3(moto_s3, "bucket", endpoint_url="https://s3.us-east-1.amazonaws.com")
        assert conditions(backend) == (True, True, True)
        assert backend.probe() is None


class TestLargeObjects:
    """Moto honours If-Match in PutObject and ignores it in CompleteMultipartUpload: that was not tried."""

    def test_E11_what_was_found_of_small_puts_is_not_believed_of_large_ones(self, opened):
        backend = opened(multipart_threshold=1000, part_size=1000)
        backend.probe()
        assert (backend.capabilities.conditional_put_max, backend.capabilities.conditional_copy) == (1000, False)
        written = backend.put("key", Body(b"x" * 1000), condition=IF_ABSENT)
        for condition in (IF_ABSENT, IfMatch(written.version)):
            with pytest.raises(UnsupportedOperationError, match="conditional_writes") as caught:
                backend.put("key", Body(b"x" * 1001), condition=condition)
            assert caught.value.disposition is Disposition.SKIP
            with pytest.raises(UnsupportedOperationError, match="conditional_writes"):
                backend.put("key", Body([b"x" * 1001]), condition=condition)
        with pytest.raises(UnsupportedOperationError, match="conditional_writes"):
            backend.copy(backend, written, "copy", condition=IF_ABSENT)
        assert left(backend).keys() == {"root/key"}
        assert "Uploads" not in backend.server.client.list_multipart_uploads(Bucket=backend.place.bucket)

    def test_what_the_options_say_is_believed_of_all(self, opened):
        capabilities = opened(conditional_writes=True).capabilities
        assert (capabilities.conditional_put_max, capabilities.conditional_copy) == (None, True)


class TestWhatIsKnown:
    def test_what_was_found_needs_no_trying(self, opened, moto_proxy):
        with opened() as first:
            known = first.probe()
        del moto_proxy.requests[:]
        backend = opened()
        assert backend.probe(known) == known
        assert conditions(backend) == (True, True, True)
        assert moto_proxy.requests == []

    @pytest.mark.parametrize("known", ["", "{", "[]", "7", "{}", '{"writes": 7}', '{"deletes": ["if-match"]}'])
    def test_what_tells_too_little_is_tried(self, opened, known):
        backend = opened()
        assert json.loads(backend.probe(known)) == ALL

    def test_what_a_later_version_may_tell_besides_is_passed_over(self, opened, moto_proxy):
        backend = opened()
        backend.probe('{"writes": ["if-absent", "if-older"], "deletes": [], "reads": []}')
        assert conditions(backend) == (True, False, False)
        assert moto_proxy.requests == []


class TestFailures:
    def test_nothing_is_written_by_who_may_not_delete(self, opened, moto_proxy):
        moto_proxy.rule = lambda request, forward: (
            error(403, "AccessDenied") if request.method == "DELETE" else forward()
        )
        backend = opened()
        with pytest.raises(AccessDeniedError):
            backend.probe()
        assert [request.method for request in moto_proxy.requests] == ["DELETE"]
        assert conditions(backend) == (False, False, False)

    def test_who_may_not_write_finds_out_nothing(self, opened, moto_proxy):
        moto_proxy.rule = lambda request, forward: error(403, "AccessDenied") if request.method == "PUT" else forward()
        backend = opened()
        with pytest.raises(AccessDeniedError):
            backend.probe()
        assert conditions(backend) == (False, False, False)

    def test_L2_without_a_bucket_nothing_is_found_out(self, moto_s3, open_s3):
        with pytest.raises(ContainerNotFoundError):
            open_s3(moto_s3, "no-such-bucket-anywhere").probe()

    @pytest.mark.parametrize("number", range(11))
    def test_what_fails_in_passing_is_tried_again_and_leaves_nothing(self, opened, moto_proxy, number):
        seen = []

        def rule(request, forward):
            seen.append(request)
            return error(503, "SlowDown") if len(seen) == number + 1 else forward()

        moto_proxy.rule = rule
        backend = opened()
        try:
            found = backend.probe()
        except ThrottledError:
            assert conditions(backend) == (False, False, False)
            found = backend.probe()
        assert json.loads(found) == ALL
        assert left(backend) == {}

    def test_what_cannot_be_removed_is_told_and_found_by_gc(self, opened, moto_proxy, caplog):
        deletes = []

        def rule(request, forward):
            if request.method == "DELETE" and not is_conditional(request):
                deletes.append(request)
                return forward() if len(deletes) == 1 else error(503, "SlowDown")
            return forward()

        moto_proxy.rule = rule
        backend = opened(conditional_deletes=False)
        backend.probe()
        backend.close()
        assert "cloudsync gc" in caplog.text
        moto_proxy.rule = lambda _, forward: forward()
        backend = opened()
        found = list(backend.leftovers())
        assert len(found) == 3
        assert all(leftover.ours and leftover.key.startswith(NAMES) for leftover in found)
        assert all(leftover.modified_ns is not None for leftover in found)
        backend.put("kept", Body(b"kept"))
        for leftover in found:
            backend.discard(leftover.key, leftover.token)
            backend.discard(leftover.key, leftover.token)
        assert left(backend) == {"root/kept": b"kept"}


def test_it_takes_the_time_of_three_requests(opened, moto_proxy):
    """Side by side: no request of a step waits for another of it, and the removal is not waited for."""
    backend = opened()
    backend.probe()
    backend.close()
    methods = [(request.method, is_conditional(request)) for request in moto_proxy.requests]
    assert methods[0] == ("DELETE", False)
    assert len(methods) == 1 + 5 + 5 + 5


def test_conditions_honoured_are_none_by_default():
    assert Honoured() == Honoured((), (), deletes=False)
