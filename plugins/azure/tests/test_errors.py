"""Every failure that Azure knows becomes an error of the contract, with the right class and disposition."""

import pytest
from azure.storage.blob import StorageErrorCode
from cloudsync_azure import errors
from cloudsync_azure.errors import RefusedError

from cloudsync_core import errors as core
from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.transport import TlsError, TransportError, UnreachableError
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import Disposition


def answer(status, code="", message="", **headers):
    body = f"<Error><Code>{code}</Code><Message>{message}\nRequestId:1</Message></Error>" if message else ""
    return RefusedError(Answer(status, {**({"x-ms-error-code": code} if code else {}), **headers}, body.encode()))


def judged(failure, key="key"):
    with pytest.raises(core.BackendError) as caught, naming(errors.meaning, "get", "az://box/prefix", key):
        raise failure
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind", "disposition"),
    [
        (404, "ContainerNotFound", core.ContainerNotFoundError, Disposition.ABORT),
        (409, "ContainerBeingDeleted", core.ContainerNotFoundError, Disposition.ABORT),
        (404, "BlobNotFound", core.ObjectNotFoundError, Disposition.SKIP),
        (404, "", core.ObjectNotFoundError, Disposition.SKIP),
        (403, "AuthenticationFailed", core.UnauthenticatedError, Disposition.ABORT),
        (401, "NoAuthenticationInformation", core.UnauthenticatedError, Disposition.ABORT),
        (401, "InvalidAuthenticationInfo", core.UnauthenticatedError, Disposition.ABORT),
        (403, "KeyBasedAuthenticationNotPermitted", core.UnauthenticatedError, Disposition.ABORT),
        (409, "PublicAccessNotPermitted", core.UnauthenticatedError, Disposition.ABORT),
        (403, "AuthorizationPermissionMismatch", core.AccessDeniedError, Disposition.SKIP),
        (403, "AuthorizationFailure", core.AccessDeniedError, Disposition.SKIP),
        (403, "", core.AccessDeniedError, Disposition.SKIP),
        (412, "ConditionNotMet", core.PreconditionFailedError, Disposition.SKIP),
        (412, "SourceConditionNotMet", core.PreconditionFailedError, Disposition.SKIP),
        (412, "LeaseIdMissing", core.UnavailableError, Disposition.SKIP),
        (412, "LeaseLost", core.UnavailableError, Disposition.SKIP),
        (409, "BlobAlreadyExists", core.ObjectExistsError, Disposition.SKIP),
        (409, "BlobArchived", core.UnavailableError, Disposition.SKIP),
        (409, "BlobBeingRehydrated", core.UnavailableError, Disposition.SKIP),
        (409, "SnapshotsPresent", core.UnsupportedOperationError, Disposition.SKIP),
        (409, "BlobImmutableDueToPolicy", core.AccessDeniedError, Disposition.SKIP),
        (409, "InvalidBlobType", core.UnsupportedOperationError, Disposition.SKIP),
        (409, "PathConflict", core.KeyBlockedError, Disposition.SKIP),
        (409, "ResourceTypeMismatch", core.KeyBlockedError, Disposition.SKIP),
        (409, "SomeNewConflict", core.UnavailableError, Disposition.RETRY),
        (400, "InvalidBlockList", core.UnavailableError, Disposition.RETRY),
        (400, "Md5Mismatch", core.IntegrityError, Disposition.RETRY),
        (400, "InvalidResourceName", core.InvalidKeyError, Disposition.SKIP),
        (400, "MetadataTooLarge", core.UnsupportedOperationError, Disposition.SKIP),
        (413, "RequestBodyTooLarge", core.UnsupportedOperationError, Disposition.SKIP),
        (503, "ServerBusy", core.ThrottledError, Disposition.RETRY),
        (500, "OperationTimedOut", core.UnavailableError, Disposition.RETRY),
        (500, "InternalError", core.UnavailableError, Disposition.RETRY),
        (502, "", core.UnavailableError, Disposition.RETRY),
        (429, "", core.ThrottledError, Disposition.RETRY),
        (501, "", core.UnsupportedOperationError, Disposition.ABORT),
        (404, "CannotVerifyCopySource", core.ObjectNotFoundError, Disposition.SKIP),
        (401, "CannotVerifyCopySource", core.AccessDeniedError, Disposition.SKIP),
        (403, "CannotVerifyCopySource", core.AccessDeniedError, Disposition.SKIP),
        (500, "CannotVerifyCopySource", core.UnavailableError, Disposition.RETRY),
        (400, "NoSuchCodeKnown", core.UnexpectedBackendError, Disposition.SKIP),
        (418, "", core.UnexpectedBackendError, Disposition.SKIP),
        (599, "", core.UnavailableError, Disposition.RETRY),
    ],
    ids=str,
)
def test_E09_answers_become_errors(status, code, kind, disposition):
    error = judged(answer(status, code))
    assert (type(error), error.disposition) == (kind, disposition)
    assert str(error).startswith("get az://box/prefix/key: ")


@pytest.mark.parametrize("status", range(300, 600))
def test_no_status_is_left_out(status):
    assert isinstance(judged(answer(status)), core.BackendError)


NEVER_ASKED = {
    *("AccountAlreadyExists", "ConditionHeadersNotSupported", "InvalidHeaderValue", "InvalidHttpVerb", "InvalidInput"),
    *("InvalidQueryParameterValue", "InvalidXmlDocument", "InvalidXmlNodeValue", "MissingRequiredQueryParameter"),
    *("MissingRequiredHeader", "MissingRequiredXmlNode", "MultipleConditionHeadersNotSupported"),
    *("OutOfRangeQueryParameterValue", "UnsupportedXmlNode", "InvalidOperation", "InvalidMarker", "InvalidSourceUri"),
    # Append and page blobs, snapshots, leases, tiers and copies that others begin.
    *("AppendPositionConditionNotMet", "SequenceNumberConditionNotMet", "SequenceNumberIncrementTooLarge"),
    *("InvalidPageRange", "InvalidVersionForPageBlobOperation", "PreviousSnapshotCannotBeNewer"),
    *("PreviousSnapshotNotFound", "PreviousSnapshotOperationNotSupported", "SnapshotCountExceeded"),
    *("IncrementalCopyBlobMismatch", "IncrementalCopyOfEarlierSnapshotNotAllowed"),
    *("IncrementalCopyOfEarlierVersionSnapshotNotAllowed", "IncrementalCopySourceMustBeSnapshot"),
    *("OperationNotAllowedOnIncrementalCopyBlob", "InfiniteLeaseDurationRequired", "LeaseAlreadyBroken"),
    *("LeaseIdMismatchWithLeaseOperation", "LeaseIsBreakingAndCannotBeAcquired", "LeaseIsBreakingAndCannotBeChanged"),
    *("LeaseIsBrokenAndCannotBeRenewed", "LeaseNotPresentWithLeaseOperation", "LeaseIsAlreadyBroken"),
    *("LeaseNameMismatch", "BlobAccessTierNotSupportedForAccountType", "CannotChangeToLowerTier", "InvalidBlobTier"),
    *("BlobNotArchived", "CopyIdMismatch", "NoPendingCopyOperation", "InvalidSourceBlobUrl"),
    *("ContainerAlreadyExists", "FilesystemAlreadyExists"),
    # Queues, files and the interface of Data Lake Storage.
    *("MessageNotFound", "MessageTooLarge", "PopReceiptMismatch", "ParentNotFound", "SharingViolation"),
    *("CannotDeleteFileOrDirectory", "ClientCacheFlushDelay", "ContainerQuotaDowngradeNotAllowed", "DeletePending"),
    *("FileLockConflict", "InvalidFileOrDirectoryPathName", "ReadOnlyAttribute", "ContentLengthMustBeZero"),
    *("InvalidFlushPosition", "InvalidPropertyName", "RenameDestinationParentPathNotFound", "SourcePathNotFound"),
    *("DestinationPathIsBeingDeleted", "InvalidDestinationPath", "InvalidRenameSourcePath"),
    *("InvalidSourceOrDestinationResourceType", "SourcePathIsBeingDeleted"),
}


def test_every_code_that_the_sdk_names_is_known_or_never_asked_for():
    named = {
        code.value
        for code in StorageErrorCode
        if not code.value.startswith(("Queue", "Share", "FileShare", "TotalShares"))
    }
    assert named - set(errors.CODES) - {errors.SOURCE_OF_COPY} - NEVER_ASKED == set()


def test_no_code_is_both_known_and_never_asked_for():
    assert NEVER_ASKED & set(errors.CODES) == set()


def test_code_may_stand_in_the_body_alone():
    failure = RefusedError(Answer(403, {}, b"\xef\xbb\xbf<Error><Code>AuthorizationFailure</Code></Error>"))
    assert failure.code == "AuthorizationFailure"


def test_words_of_an_unknown_error_are_shown_on_one_line():
    error = judged(answer(400, "Strange", "What a\x1bday"))
    assert error.reason == "the server refused the request (Strange: What a\\x1bday)"


def test_not_found_without_a_key_is_about_the_container():
    assert type(judged(answer(404), key=None)) is core.ContainerNotFoundError


@pytest.mark.parametrize(("headers", "seconds"), [({}, None), ({"retry-after": "7"}, 7.0)])
def test_retry_after_is_passed_on(headers, seconds):
    assert judged(answer(503, "ServerBusy", **headers)).retry_after == seconds


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (errors.NoTokenError(), core.UnauthenticatedError),
        (errors.TokenSourceError(), core.UnavailableError),
        (UnreachableError(), core.UnavailableError),
        (TlsError(), core.UnavailableError),
        (TransportError(), core.UnavailableError),
        (ConnectionResetError(), core.UnavailableError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_what_keeps_an_answer_away_is_judged_too(failure, kind):
    assert isinstance(failure, errors.FAILURES)
    assert type(judged(failure)) is kind


def test_defects_of_the_program_are_not_hidden():
    assert errors.meaning(TypeError(), None) is None
    assert not issubclass(KeyError, errors.FAILURES)
