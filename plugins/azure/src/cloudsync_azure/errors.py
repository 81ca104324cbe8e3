"""What the errors of Azure mean: the one place where they become errors of the contract.

Codes: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes. A code that is not listed is judged by
its HTTP status. Reasons are our own words: the service's messages hold request ids and times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudsync_core.backends.objectstore import rules
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ContainerNotFoundError,
    Disposition,
    IntegrityError,
    InvalidKeyError,
    KeyBlockedError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)

_CODE = re.compile(r"<Code>([^<]{1,200})</Code>")
_MESSAGE = re.compile(r"<Message>([^<\n]{1,500})")


class RefusedError(Exception):
    """The service answered with an error.

    Args:
        answer: which.

    Attributes:
        answer: which.
        code: Azure's name of the error, "" where the answer tells none.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        code = answer.headers.get("x-ms-error-code")
        if code is None:
            code = self._told(_CODE)
        self.code = code
        super().__init__(f"{answer.status} {code}")

    @property
    def message(self) -> str:
        """The first line of what the service says of it."""
        return self._told(_MESSAGE)

    def _told(self, what: re.Pattern[str]) -> str:
        match = what.search(self.answer.body[:4096].decode("utf-8", "replace"))
        return match[1].strip() if match else ""


class NoTokenError(Exception):
    """Nobody gives the identity a token."""


class TokenSourceError(Exception):
    """Who gives tokens cannot be asked now."""


_CREDENTIALS_HINT = (
    "Check account_name with account_key, sas_token or connection_string, the service principal, or the "
    "AZURE_… environment variables."
)
_PERMISSION_HINT = "The permissions that cloudsync needs are listed in the documentation of cloudsync-azure."
_LEASE_HINT = "Whoever holds the lease has to give it up; `az storage blob lease break` ends one."
_REDUCE = Rule(ThrottledError, "the server asks for fewer requests")
_NOT_NOW = Rule(UnavailableError, "the server cannot serve the request now")
_DENIED = Rule(AccessDeniedError, "access denied", _PERMISSION_HINT)
_OUTSIDE = Rule(AccessDeniedError, "the shared access signature does not allow this", _PERMISSION_HINT)
_NETWORK = Rule(AccessDeniedError, "the account does not allow requests from this network or by this protocol")
_WRONG_KEY = Rule(
    UnauthenticatedError,
    "the credentials are not accepted: wrong, expired, or this machine's clock is off",
    _CREDENTIALS_HINT,
)
_NO_CREDENTIALS = Rule(UnauthenticatedError, "no credentials were found", _CREDENTIALS_HINT)
_ACCOUNT = Rule(UnauthenticatedError, "the account cannot be used")
_CHANGED = Rule(PreconditionFailedError, "the object is another version than expected")
_LEASED = Rule(UnavailableError, "the object is leased", _LEASE_HINT, Disposition.SKIP)
_LEASED_CONTAINER = Rule(UnavailableError, "the container is leased", _LEASE_HINT, Disposition.ABORT)
_DAMAGED = Rule(IntegrityError, "the server did not receive the bytes that were sent")
_NO_CONTAINER = Rule(ContainerNotFoundError, "there is no such container")
_NO_OBJECT = Rule(ObjectNotFoundError, "there is no such object")
_EXISTS = Rule(ObjectExistsError, "there is an object of that name")
_BAD_NAME = Rule(InvalidKeyError, "the server cannot hold an object of this name")
_BLOCKED = Rule(KeyBlockedError, "a directory of this name, or an object where a directory must be, is in the way")
_TOO_LARGE = Rule(UnsupportedOperationError, "the object is larger than the server takes", disposition=Disposition.SKIP)
_BAD_METADATA = Rule(
    UnsupportedOperationError, "the server cannot store the object's metadata", disposition=Disposition.SKIP
)
_NOT_IMPLEMENTED = Rule(UnsupportedOperationError, "the server does not implement this operation")
_OTHER_KIND = Rule(
    UnsupportedOperationError,
    "the object there is an append or a page blob, which cannot be written like this",
    "Delete it first, or exclude it.",
    Disposition.SKIP,
)
_ARCHIVED = Rule(
    UnavailableError,
    "the object is archived and cannot be read",
    "Restore it first, or exclude it.",
    Disposition.SKIP,
)
_IMMUTABLE = Rule(AccessDeniedError, "the object may not be changed, by a policy or a legal hold")
_LOST_BLOCKS = Rule(UnavailableError, "the server lost the upload, most likely to another writer of the object")
_IN_COPY = Rule(UnavailableError, "another operation on the object was under way")
_REFUSED = Rule(UnexpectedBackendError, "the server refused the request")
_SOURCE_DENIED = Rule(AccessDeniedError, "the server may not read the source of the copy", _PERMISSION_HINT)

CODES: Mapping[str, Rule] = {
    # Who asks, and what that one may.
    "AuthenticationFailed": _WRONG_KEY,
    "InvalidAuthenticationInfo": _WRONG_KEY,
    "NoAuthenticationInformation": _NO_CREDENTIALS,
    "AccountIsDisabled": _ACCOUNT,
    "AccountBeingCreated": _ACCOUNT,
    "AuthorizationFailure": Rule(
        AccessDeniedError, "access denied: by the credentials, or by the account's firewall", _PERMISSION_HINT
    ),
    "AuthorizationPermissionMismatch": _DENIED,
    "AuthorizationServiceMismatch": _OUTSIDE,
    "AuthorizationResourceTypeMismatch": _OUTSIDE,
    "AuthorizationProtocolMismatch": _NETWORK,
    "AuthorizationSourceIPMismatch": _NETWORK,
    "InsufficientAccountPermissions": _DENIED,
    "KeyBasedAuthenticationNotPermitted": Rule(
        UnauthenticatedError,
        "the account takes no account keys",
        "Use an identity: a service principal, managed_identity, or the default credentials.",
    ),
    "PublicAccessNotPermitted": Rule(
        UnauthenticatedError, "the account lets nobody in without credentials", _CREDENTIALS_HINT
    ),
    "UnauthorizedBlobOverwrite": Rule(AccessDeniedError, "the credentials do not allow to overwrite", _PERMISSION_HINT),
    # Containers.
    "ContainerNotFound": _NO_CONTAINER,
    "FilesystemNotFound": _NO_CONTAINER,
    "ContainerDisabled": Rule(ContainerNotFoundError, "the container is disabled"),
    "ContainerBeingDeleted": Rule(ContainerNotFoundError, "the container is being deleted"),
    "FilesystemBeingDeleted": Rule(ContainerNotFoundError, "the container is being deleted"),
    # Objects.
    "BlobNotFound": _NO_OBJECT,
    "ResourceNotFound": _NO_OBJECT,
    "PathNotFound": _NO_OBJECT,
    "BlobAlreadyExists": _EXISTS,
    "ResourceAlreadyExists": _EXISTS,
    "PathAlreadyExists": _BLOCKED,
    "PathConflict": _BLOCKED,
    "DirectoryNotEmpty": _BLOCKED,
    "ResourceTypeMismatch": _BLOCKED,
    "InvalidResourceName": _BAD_NAME,
    "InvalidUri": _BAD_NAME,
    "RequestUrlFailedToParse": _BAD_NAME,
    "OutOfRangeInput": _BAD_NAME,
    "BlobArchived": _ARCHIVED,
    "BlobBeingRehydrated": Rule(
        UnavailableError, "the object is being restored from the archive", "Run again later.", Disposition.SKIP
    ),
    "SnapshotsPresent": Rule(
        UnsupportedOperationError,
        "the object has snapshots, which would go with it",
        "Delete its snapshots first, or exclude it.",
        Disposition.SKIP,
    ),
    "BlobImmutableDueToPolicy": _IMMUTABLE,
    "BlobImmutableDueToLegalHold": _IMMUTABLE,
    "InvalidBlobType": _OTHER_KIND,
    "BlobOperationNotSupported": _OTHER_KIND,
    "InvalidSourceBlobType": _OTHER_KIND,
    "BlobUsesCustomerSpecifiedEncryption": Rule(
        UnsupportedOperationError,
        "the object is encrypted with a key that its writer holds",
        disposition=Disposition.SKIP,
    ),
    # Conditions.
    "ConditionNotMet": _CHANGED,
    "TargetConditionNotMet": _CHANGED,
    "SourceConditionNotMet": _CHANGED,
    # Leases: HTTP's status says "precondition", and nothing about versions is meant.
    "LeaseIdMissing": _LEASED,
    "LeaseAlreadyPresent": _LEASED,
    "LeaseLost": _LEASED,
    "LeaseIdMismatchWithBlobOperation": _LEASED,
    "LeaseNotPresentWithBlobOperation": _LEASED,
    "LeaseIdMismatchWithContainerOperation": _LEASED_CONTAINER,
    "LeaseNotPresentWithContainerOperation": _LEASED_CONTAINER,
    # What was sent.
    "Md5Mismatch": _DAMAGED,
    "Crc64Mismatch": _DAMAGED,
    "InvalidMd5": _DAMAGED,
    "MissingContentLengthHeader": _DAMAGED,
    "InvalidBlockList": _LOST_BLOCKS,
    "InvalidBlobOrBlock": _LOST_BLOCKS,
    "InvalidBlockId": Rule(
        UnavailableError, "another writer has begun to upload the object in another way", None, Disposition.SKIP
    ),
    "BlockCountExceedsLimit": Rule(
        UnavailableError,
        "too many blocks of unfinished uploads wait at this object",
        "The service removes them a week after the last one came.",
        Disposition.SKIP,
    ),
    "BlockListTooLong": _TOO_LARGE,
    "RequestBodyTooLarge": _TOO_LARGE,
    "ContentLengthLargerThanTierLimit": _TOO_LARGE,
    "BlobTierInadequateForContentLength": _TOO_LARGE,
    "MaxBlobSizeConditionNotMet": _TOO_LARGE,
    "EmptyMetadataKey": _BAD_METADATA,
    "InvalidMetadata": _BAD_METADATA,
    "MetadataTooLarge": Rule(
        UnsupportedOperationError, "the object's metadata is larger than the server takes", None, Disposition.SKIP
    ),
    # The server's own state.
    "ServerBusy": _REDUCE,
    "TooManyRequests": _REDUCE,
    "InternalError": _NOT_NOW,
    "OperationTimedOut": Rule(UnavailableError, "the server did not finish the request in time"),
    "PendingCopyOperation": _IN_COPY,
    "BlobOverwritten": _IN_COPY,
    "SystemInUse": _IN_COPY,
    "SnapshotOperationRateExceeded": _REDUCE,
    # What this server or account does not know.
    "InvalidRange": Rule(UnexpectedBackendError, "the object has no such range of bytes"),
    "CopyAcrossAccountsNotSupported": _NOT_IMPLEMENTED,
    "FeatureVersionMismatch": _NOT_IMPLEMENTED,
    "NotImplemented": _NOT_IMPLEMENTED,
    "APINotImplemented": _NOT_IMPLEMENTED,
    "UnsupportedHeader": _NOT_IMPLEMENTED,
    "UnsupportedHttpVerb": _NOT_IMPLEMENTED,
    "UnsupportedQueryParameter": _NOT_IMPLEMENTED,
    "UnsupportedRestVersion": _NOT_IMPLEMENTED,
}
"""By Azure's name of the error."""

SOURCE_OF_COPY = "CannotVerifyCopySource"
"""Azure's name of every error about the source of a copy: the status says which."""

STATUSES: Mapping[int, Rule] = {
    400: _REFUSED,
    401: _WRONG_KEY,
    403: _DENIED,
    404: _NO_OBJECT,
    405: Rule(UnsupportedOperationError, "the server does not allow this operation on the object"),
    408: CODES["OperationTimedOut"],
    409: _IN_COPY,
    412: _CHANGED,
    413: _TOO_LARGE,
    416: CODES["InvalidRange"],
    429: _REDUCE,
    500: _NOT_NOW,
    501: _NOT_IMPLEMENTED,
    502: _NOT_NOW,
    503: _REDUCE,
    504: _NOT_NOW,
}
"""By the HTTP status, where the code is unknown or there is none."""

TOKENS: Mapping[type[Exception], Rule] = {
    NoTokenError: Rule(UnauthenticatedError, "no token was given to this identity", _CREDENTIALS_HINT),
    TokenSourceError: Rule(UnavailableError, "who gives the tokens cannot be asked now"),
}
"""By what kept a token away."""

FAILURES = (RefusedError, NoTokenError, TokenSourceError, *rules.FAILURES)
"""What a request may raise; anything else is a defect of the program and stays as it is."""


def meaning(failure: BaseException, key: str | None) -> BackendError | None:
    """Return what one of `FAILURES` means, without its place; `None` of anything else.

    Args:
        failure: what the request raised.
        key: the object that it was about, or `None`.
    """
    if isinstance(failure, RefusedError):
        return _of_answer(failure, key)
    for kind, rule in TOKENS.items():
        if isinstance(failure, kind):
            return rule.failure()
    found = rules.transport_rule(failure)
    return None if found is None else found.failure()


def _of_answer(failure: RefusedError, key: str | None) -> BackendError:
    answer = failure.answer
    retry_after = rules.retry_after(answer.headers)
    rule = CODES.get(failure.code)
    if failure.code == SOURCE_OF_COPY and answer.status in {401, 403}:
        rule = _SOURCE_DENIED
    if rule is None and answer.status in STATUSES and not failure.code:
        rule = STATUSES[answer.status]
    if rule is _NO_OBJECT and key is None:
        rule = _NO_CONTAINER
    if rule is not None:
        return rule.failure(retry_after=retry_after)
    rule = rules.of_status(STATUSES, answer.status)
    said = rules.own_words(failure.code, failure.message) or f"status {answer.status}"
    return rule.failure(f"{rule.reason} ({said})", retry_after=retry_after)
