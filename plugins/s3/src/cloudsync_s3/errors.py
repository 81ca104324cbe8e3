"""What the errors of S3 and botocore mean: the one place where they become errors of the contract.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. A code that is not listed is judged by its
HTTP status. Reasons are our own words: the SDK's messages may hold URLs and header values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from cloudsync_core.backends.judging import named
from cloudsync_core.backends.objectstore import rules
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ContainerNotFoundError,
    Disposition,
    IntegrityError,
    InvalidKeyError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
    printable,
)

_CREDENTIALS_HINT = (
    "Check access_key_id, secret_access_key and session_token, the profile, or the AWS_… environment variables."
)
_REGION_HINT = "Set the option region to the bucket's own region."
_PERMISSION_HINT = "The permissions that cloudsync needs are listed in the documentation of cloudsync-s3."
_REDUCE = Rule(ThrottledError, "the server asks for fewer requests")
_NOT_NOW = Rule(UnavailableError, "the server cannot serve the request now")
_DENIED = Rule(AccessDeniedError, "access denied", _PERMISSION_HINT)
_UNKNOWN_KEY = Rule(UnauthenticatedError, "the server does not know this access key", _CREDENTIALS_HINT)
_BAD_TOKEN = Rule(UnauthenticatedError, "the session token is not valid", _CREDENTIALS_HINT)
_EXPIRED = Rule(UnauthenticatedError, "the credentials have expired", _CREDENTIALS_HINT)
_NO_CREDENTIALS = Rule(UnauthenticatedError, "no credentials were found", _CREDENTIALS_HINT)
_DAMAGED = Rule(IntegrityError, "the server did not receive the bytes that were sent")
_WRONG_REGION = Rule(UnexpectedBackendError, "the bucket is in another region", _REGION_HINT, Disposition.ABORT)
_NOT_IMPLEMENTED = Rule(UnsupportedOperationError, "the server does not implement this operation")
_NO_QUEUE = Rule(ContainerNotFoundError, "there is no such queue")
_DELETED_RECENTLY = Rule(UnavailableError, "a queue of this name was deleted less than a minute ago")
_TOO_LARGE = Rule(UnsupportedOperationError, "the object is larger than the server takes", disposition=Disposition.SKIP)
_ARCHIVED = Rule(
    UnavailableError,
    "the object is archived and cannot be read",
    "Restore it first, or exclude it.",
    Disposition.SKIP,
)

CODES: Mapping[str, Rule] = {
    "NoSuchBucket": Rule(ContainerNotFoundError, "there is no such bucket"),
    "InvalidBucketName": Rule(ContainerNotFoundError, "this is not the name of a bucket"),
    "NoSuchKey": Rule(ObjectNotFoundError, "there is no such object"),
    "NoSuchVersion": Rule(ObjectNotFoundError, "there is no such version of the object"),
    "NoSuchUpload": Rule(UnavailableError, "the server lost the upload"),
    "PreconditionFailed": Rule(PreconditionFailedError, "the object is another version than expected"),
    # A concurrent write, not an object that exists: the same request may succeed at once (F02).
    "ConditionalRequestConflict": Rule(UnavailableError, "another write to the object was under way"),
    "OperationAborted": Rule(UnavailableError, "another operation on the object was under way"),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "Forbidden": _DENIED,
    "KMS.DisabledException": Rule(AccessDeniedError, "the encryption key is disabled"),
    "KMS.InvalidStateException": Rule(AccessDeniedError, "the encryption key cannot be used in its state"),
    "KMS.NotFoundException": Rule(AccessDeniedError, "the encryption key does not exist"),
    "AccountProblem": Rule(UnauthenticatedError, "the account cannot be used"),
    "NotSignedUp": Rule(UnauthenticatedError, "the account is not signed up for S3"),
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": Rule(
        UnauthenticatedError, "the signature is wrong, most likely because of a wrong secret key", _CREDENTIALS_HINT
    ),
    "InvalidToken": _BAD_TOKEN,
    "InvalidSecurity": _BAD_TOKEN,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "CredentialsNotSupported": Rule(UnauthenticatedError, "the server does not take credentials here"),
    "MissingSecurityHeader": _NO_CREDENTIALS,
    "RequestTimeTooSkewed": Rule(
        UnauthenticatedError, "this machine's clock differs too much from the server's", "Set the clock."
    ),
    "RequestExpired": Rule(
        UnauthenticatedError, "the request was too old when the server got it", "Check this machine's clock."
    ),
    "SlowDown": _REDUCE,
    "SlowDownRead": _REDUCE,
    "SlowDownWrite": _REDUCE,
    "ServiceUnavailable": _REDUCE,
    "RequestLimitExceeded": _REDUCE,
    "Throttling": _REDUCE,
    "ThrottlingException": _REDUCE,
    "TooManyRequests": _REDUCE,
    "BandwidthLimitExceeded": _REDUCE,
    "Busy": _REDUCE,
    "InternalError": _NOT_NOW,
    "RequestTimeout": Rule(UnavailableError, "the server waited too long for the request"),
    "IncompleteBody": _DAMAGED,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "InvalidPart": Rule(IntegrityError, "the server lost a part of the upload"),
    "InvalidPartOrder": Rule(IntegrityError, "the server lost the order of the parts"),
    "EntityTooSmall": Rule(
        UnsupportedOperationError, "the parts are smaller than the server takes", "Set part_size to 5MiB or more."
    ),
    "EntityTooLarge": _TOO_LARGE,
    "MaxMessageLengthExceeded": _TOO_LARGE,
    "MetadataTooLarge": Rule(
        UnsupportedOperationError, "the object's metadata is larger than the server takes", None, Disposition.SKIP
    ),
    "KeyTooLongError": Rule(InvalidKeyError, "the name is longer than the server takes"),
    "XMinioInvalidObjectName": Rule(InvalidKeyError, "the server cannot hold an object of this name"),
    "XMinioStorageFull": Rule(UnavailableError, "the server's storage is full", disposition=Disposition.ABORT),
    "QuotaExceeded": Rule(UnavailableError, "the quota of the bucket is used up", disposition=Disposition.ABORT),
    "InvalidObjectState": _ARCHIVED,
    "ObjectNotInActiveTierError": _ARCHIVED,
    "QueueDoesNotExist": _NO_QUEUE,
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDeletedRecently": _DELETED_RECENTLY,
    "AWS.SimpleQueueService.QueueDeletedRecently": _DELETED_RECENTLY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "AccessDeniedException": _DENIED,
    "KmsAccessDenied": Rule(AccessDeniedError, "the encryption key of the queue may not be used"),
    "RequestThrottled": _REDUCE,
    "OverLimit": Rule(ThrottledError, "more messages of the queue are under way than the server allows"),
    "InvalidRange": Rule(UnexpectedBackendError, "the object has no such range of bytes"),
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "AuthorizationQueryParametersError": _WRONG_REGION,
    "NotImplemented": _NOT_IMPLEMENTED,
    "MethodNotAllowed": Rule(UnsupportedOperationError, "the server does not allow this operation on the object"),
}
"""By the code in the body of an error response."""

STATUSES: Mapping[int, Rule] = {
    301: _WRONG_REGION,
    307: _WRONG_REGION,
    400: Rule(UnexpectedBackendError, "the server refused the request"),
    401: _NO_CREDENTIALS,
    403: _DENIED,
    404: Rule(ObjectNotFoundError, "there is no such object"),
    405: CODES["MethodNotAllowed"],
    408: CODES["RequestTimeout"],
    409: Rule(UnavailableError, "another operation on the object was under way"),
    412: CODES["PreconditionFailed"],
    413: _TOO_LARGE,
    416: CODES["InvalidRange"],
    429: _REDUCE,
    500: _NOT_NOW,
    501: _NOT_IMPLEMENTED,
    502: _NOT_NOW,
    503: _REDUCE,
    504: _NOT_NOW,
    507: CODES["XMinioStorageFull"],
}
"""By the HTTP status, where the code is unknown or the response has no body."""

EXCEPTIONS: tuple[tuple[tuple[type[BaseException], ...], Rule], ...] = (
    (
        (
            botocore_errors.NoCredentialsError,
            botocore_errors.PartialCredentialsError,
            botocore_errors.CredentialRetrievalError,
            botocore_errors.MetadataRetrievalError,
            botocore_errors.TokenRetrievalError,
            botocore_errors.NoAuthTokenError,
            botocore_errors.SSOError,
            botocore_errors.UnknownCredentialError,
        ),
        _NO_CREDENTIALS,
    ),
    ((botocore_errors.SSLError,), rules.NO_TLS),
    ((botocore_errors.IncompleteReadError, botocore_errors.ResponseStreamingError), rules.CUT_SHORT),
    (
        (botocore_errors.ChecksumError, botocore_errors.FlexibleChecksumError),
        Rule(IntegrityError, "the bytes are not those that the server promised"),
    ),
    ((botocore_errors.ReadTimeoutError,), rules.NO_ANSWER),
    ((ResponseParserError,), rules.DAMAGED),
    # The names of objects are checked before; what is left for the SDK to find fault with is that of the bucket.
    ((botocore_errors.ParamValidationError,), CODES["InvalidBucketName"]),
    ((botocore_errors.ProxyConnectionError,), rules.PROXY_UNREACHABLE),
    ((botocore_errors.ConnectionError, botocore_errors.HTTPClientError), rules.UNREACHABLE),
    *rules.TRANSPORT,
)
"""By the exception; the first row that fits. The wire's own failures follow those that botocore has for the same."""

FAILURES = (
    botocore_errors.ClientError,
    botocore_errors.BotoCoreError,
    ResponseParserError,
    *rules.FAILURES,
)
"""What a request may raise; anything else is a defect of the program and stays as it is."""


def meaning(failure: BaseException, key: str | None) -> BackendError | None:
    """Return the error of the contract, without its place, for one of `FAILURES`; `None` for anything else.

    Args:
        failure: what the request raised.
        key: the object, or `None` where the request was about the bucket.
    """
    return _error(failure, key) if isinstance(failure, FAILURES) else None


def translate(failure: BaseException, *, operation: str, location: str, key: str | None) -> BackendError:
    """Return the error of the contract for one of `FAILURES`.

    Args:
        failure: what the request raised.
        operation: the verb of the contract.
        location: the backend's location.
        key: the object, or `None`.
    """
    return named(_error(failure, key), operation, location, key)


def of_code(code: str) -> BackendError:
    """Return the error, without its place, for the code that a bulk delete gives for one key."""
    rule = CODES.get(code, Rule(UnexpectedBackendError, f"the server refused the request ({printable(code)})"))
    return rule.failure()


def is_bodiless(failure: BaseException) -> bool:
    """Tell whether `failure` is the answer to a HEAD: a status, and no word of what it is about."""
    return isinstance(failure, botocore_errors.ClientError) and _code(failure).isdecimal()


def is_code(failure: BaseException, code: str) -> bool:
    """Tell whether `failure` is an answer of the server with that code."""
    return isinstance(failure, botocore_errors.ClientError) and _code(failure) == code


def is_elsewhere(failure: botocore_errors.ClientError) -> bool:
    """Tell whether an answer may mean that the bucket is in another region, by the signs that botocore goes by."""
    code, error = _code(failure), failure.response.get("Error", {})
    return (
        failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {301, 302, 307}
        or code in {"PermanentRedirect", "IllegalLocationConstraintException"}
        or (code == "AuthorizationHeaderMalformed" and "Region" in error)
        or (code == "400" and failure.operation_name == "HeadObject")
    )


def _error(failure: BaseException, key: str | None) -> BackendError:
    rule, reason, retry_after, hint = _judged(failure)
    if key is None and rule.error is ObjectNotFoundError:
        rule, reason = CODES["NoSuchBucket"], CODES["NoSuchBucket"].reason
    return rule.failure(reason, hint=hint, retry_after=retry_after)


def _judged(failure: BaseException) -> tuple[Rule, str, float | None, str | None]:
    if isinstance(failure, botocore_errors.ClientError):
        return _judged_response(failure)
    for kinds, rule in EXCEPTIONS:
        if isinstance(failure, kinds):
            return rule, rule.reason, None, rule.hint
    rule = Rule(UnexpectedBackendError, f"the request could not be made ({type(failure).__name__})")
    return rule, rule.reason, None, None


def _judged_response(failure: botocore_errors.ClientError) -> tuple[Rule, str, float | None, str | None]:
    code = _code(failure)
    metadata = failure.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", int(code) if code.isdecimal() else 0)
    headers: Mapping[str, str] = metadata.get("HTTPHeaders", {})
    rule = CODES.get(code)
    reason = "" if rule is None else rule.reason
    if rule is None:
        rule = rules.of_status(STATUSES, status)
        reason = f"{rule.reason} ({_own_words(failure) or f'status {status}'})"
    hint = rule.hint
    if rule is _WRONG_REGION:
        region = headers.get("x-amz-bucket-region") or failure.response.get("Error", {}).get("Region")
        hint = f"Set the option region to {printable(str(region))}." if region else hint
    return rule, reason, rules.retry_after(headers), hint


def _code(failure: botocore_errors.ClientError) -> str:
    error: Mapping[str, Any] = failure.response.get("Error", {})
    return str(error.get("Code") or "")


def _own_words(failure: botocore_errors.ClientError) -> str:
    error: Mapping[str, Any] = failure.response.get("Error", {})
    return rules.own_words(*(str(error[part]) for part in ("Code", "Message") if error.get(part)))
