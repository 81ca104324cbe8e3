"""Every failure that S3 and its SDK know becomes an error of the contract, with the right class and disposition."""

import inspect

import botocore.exceptions
import botocore.session
import pytest
from botocore.parsers import ResponseParserError
from cloudsync_s3 import errors

from cloudsync_core import errors as core
from cloudsync_core.errors import Disposition

PLACE = {"operation": "get", "location": "s3://bucket/prefix", "key": "key"}


def answer(status, code="", message="", headers=None, **fields):
    response = {
        "Error": {"Code": code or str(status), "Message": message, **fields},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return botocore.exceptions.ClientError(response, "GetObject")


def translated(failure, **place):
    return errors.translate(failure, **{**PLACE, **place})


@pytest.mark.parametrize(
    ("status", "code", "kind", "disposition"),
    [
        (404, "NoSuchBucket", core.ContainerNotFoundError, Disposition.ABORT),
        (404, "NoSuchKey", core.ObjectNotFoundError, Disposition.SKIP),
        (403, "AccessDenied", core.AccessDeniedError, Disposition.SKIP),
        (403, "InvalidAccessKeyId", core.UnauthenticatedError, Disposition.ABORT),
        (403, "SignatureDoesNotMatch", core.UnauthenticatedError, Disposition.ABORT),
        (400, "ExpiredToken", core.UnauthenticatedError, Disposition.ABORT),
        (403, "RequestTimeTooSkewed", core.UnauthenticatedError, Disposition.ABORT),
        (503, "SlowDown", core.ThrottledError, Disposition.RETRY),
        (503, "RequestLimitExceeded", core.ThrottledError, Disposition.RETRY),
        (429, "", core.ThrottledError, Disposition.RETRY),
        (500, "InternalError", core.UnavailableError, Disposition.RETRY),
        (502, "", core.UnavailableError, Disposition.RETRY),
        (504, "", core.UnavailableError, Disposition.RETRY),
        (400, "RequestTimeout", core.UnavailableError, Disposition.RETRY),
        (412, "PreconditionFailed", core.PreconditionFailedError, Disposition.SKIP),
        (409, "ConditionalRequestConflict", core.UnavailableError, Disposition.RETRY),
        (409, "OperationAborted", core.UnavailableError, Disposition.RETRY),
        (403, "InvalidObjectState", core.UnavailableError, Disposition.SKIP),
        (400, "EntityTooLarge", core.UnsupportedOperationError, Disposition.SKIP),
        (400, "KeyTooLongError", core.InvalidKeyError, Disposition.SKIP),
        (301, "PermanentRedirect", core.UnexpectedBackendError, Disposition.ABORT),
        (400, "AuthorizationHeaderMalformed", core.UnexpectedBackendError, Disposition.ABORT),
        (400, "BadDigest", core.IntegrityError, Disposition.RETRY),
        (501, "NotImplemented", core.UnsupportedOperationError, Disposition.ABORT),
        (507, "XMinioStorageFull", core.UnavailableError, Disposition.ABORT),
        (400, "NoSuchCodeKnown", core.UnexpectedBackendError, Disposition.SKIP),
        (418, "", core.UnexpectedBackendError, Disposition.SKIP),
        (599, "", core.UnavailableError, Disposition.RETRY),
    ],
    ids=str,
)
def test_E09_answers_become_errors(status, code, kind, disposition):
    error = translated(answer(status, code))
    assert (type(error), error.disposition) == (kind, disposition)
    assert str(error).startswith("get s3://bucket/prefix/key: ")


@pytest.mark.parametrize("status", range(300, 600))
def test_no_status_is_left_out(status):
    assert isinstance(translated(answer(status)), core.BackendError)


OPERATIONS = (
    *("ListObjectsV2", "HeadObject", "GetObject", "PutObject", "DeleteObject", "DeleteObjects", "CopyObject"),
    *("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload"),
)
ABOUT_WHAT_IS_NEVER_ASKED = {"EncryptionTypeMismatch", "InvalidRequest", "InvalidWriteOffset", "TooManyParts"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_error_that_an_operation_declares_is_known(operation):
    model = botocore.session.get_session().get_service_model("s3").operation_model(operation)
    declared = {shape.name for shape in model.error_shapes} - ABOUT_WHAT_IS_NEVER_ASKED
    assert declared <= set(errors.CODES)


def _sdk_failures():
    for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass):
        if issubclass(kind, botocore.exceptions.BotoCoreError):
            yield kind
    yield from (ResponseParserError, TimeoutError, ConnectionResetError, OSError)


@pytest.mark.parametrize("kind", list(_sdk_failures()), ids=lambda kind: kind.__name__)
def test_every_failure_of_the_sdk_is_translated(kind):
    failure = kind.__new__(kind)
    assert isinstance(failure, errors.FAILURES)
    error = translated(failure)
    assert isinstance(error, core.BackendError)
    if issubclass(kind, (botocore.exceptions.ConnectionError, ConnectionResetError)):
        assert error.disposition is Disposition.RETRY


def test_connection_failures_are_unavailable():
    for failure in (
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
        botocore.exceptions.ConnectTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.ConnectionClosedError(endpoint_url="http://x"),
        ConnectionResetError(),
        TimeoutError(),
    ):
        assert type(translated(failure)) is core.UnavailableError


def test_defects_of_the_program_are_not_hidden():
    assert not issubclass(TypeError, errors.FAILURES)
    assert not issubclass(KeyError, errors.FAILURES)


def test_not_found_without_a_key_is_about_the_bucket():
    assert type(translated(answer(404), key=None)) is core.ContainerNotFoundError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"retry-after": "7"}, 7.0), ({"retry-after": "soon"}, None)],
)
def test_retry_after_is_passed_on(headers, seconds):
    assert translated(answer(503, "SlowDown", headers=headers)).retry_after == seconds


def test_retry_after_may_be_a_date():
    past = translated(answer(503, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})).retry_after
    future = translated(answer(503, headers={"retry-after": "Wed, 21 Oct 2415 07:28:00 GMT"})).retry_after
    assert past == 0.0
    assert future > 1e9


def test_wrong_region_names_the_right_one():
    error = translated(answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-north-1"}))
    assert "Set the option region to eu-north-1." in str(error)
    assert "region" in str(translated(answer(301)))


def test_the_servers_own_words_are_kept_short_and_on_one_line():
    error = translated(answer(400, "Odd", "line\nbreak \x1b[31m" + "x" * 1000))
    assert "Odd: line\\nbreak \\x1b" in error.reason
    assert len(error.reason) < 400


@pytest.mark.parametrize("rule", [*errors.CODES.values(), *errors.STATUSES.values()], ids=str)
def test_reasons_are_whole_sentences_without_their_end(rule):
    assert rule.reason[0].islower()
    assert not rule.reason.endswith(".")
    assert rule.hint is None or rule.hint.endswith(".")


def test_code_of_a_bulk_delete_is_judged_alike():
    assert type(errors.of_code("AccessDenied")) is core.AccessDeniedError
    assert type(errors.of_code("InternalError")) is core.UnavailableError
    assert "Strange" in str(errors.of_code("Strange"))
