"""What the refusals of Google Cloud Storage mean: the one place where they become errors of the contract.

Reasons: https://cloud.google.com/storage/docs/json_api/v1/status-codes. A reason that is not listed is judged by its
HTTP status. Where one reason means several things, the server's message tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from cloudsync_core.backends.objectstore import rules
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ContainerNotFoundError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)

NOT_FOUND = 404
UNAUTHORISED = 401


class Refusal(Exception):  # noqa: N818 - it is an answer, which only its judge makes an error of
    """The server answered, and did not do what was asked.

    Attributes:
        status: of HTTP.
        reason: Google's code, "" where the answer has none.
        message: the server's own words, "" where it has none.
        headers: by lower-case names.
        missing: for a status of 404: what is not there, where that is known.
        renewable: for a status of 401: whether the same request may succeed, with another token.
    """

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = headers
        self.missing = _missing(message) if status == NOT_FOUND else None
        self.renewable = False


class CredentialsError(Exception):
    """There is no access token to send: google-auth, which is asked for one, says why as the cause."""


class NoCredentialsError(CredentialsError):
    """There are no credentials."""


class TokenRefusedError(CredentialsError):
    """Google gives no token for the credentials."""


class TokenServerError(CredentialsError):
    """Who gives tokens cannot be reached, or cannot give one now."""


_CREDENTIALS_HINT = (
    "Set service_account_file, service_account_json or token, or GOOGLE_APPLICATION_CREDENTIALS; "
    "or run `gcloud auth application-default login`."
)
_PERMISSION_HINT = "The permissions that cloudsync needs are listed in the documentation of cloudsync-gcs."
_BILLED_HINT = "Set user_project to the project that is to be billed for the requests."

_REDUCE = Rule(ThrottledError, "the server asks for fewer requests")
_NOT_NOW = Rule(UnavailableError, "the server cannot serve the request now")
_TIMED_OUT = Rule(UnavailableError, "the server waited too long for the request")
_DENIED = Rule(AccessDeniedError, "access denied", _PERMISSION_HINT)
_EXPIRED = Rule(UnauthenticatedError, "the access token is not valid, or has expired", _CREDENTIALS_HINT)
_UNASKED = Rule(UnauthenticatedError, "the server wants credentials, and none were sent", _CREDENTIALS_HINT)
_NO_CREDENTIALS = Rule(UnauthenticatedError, "no credentials were found", _CREDENTIALS_HINT)
_NO_OBJECT = Rule(ObjectNotFoundError, "there is no such object")
_NO_BUCKET = Rule(ContainerNotFoundError, "there is no such bucket")
_STALE = Rule(PreconditionFailedError, "the object is another version than expected")
_HELD = Rule(AccessDeniedError, "a hold forbids to change or delete the object", "Release the hold, or exclude it.")
_RETAINED = Rule(
    AccessDeniedError,
    "the bucket's retention policy forbids to change or delete the object yet",
    "Wait for its end, or exclude the object.",
)
_NO_PAYER = Rule(
    AccessDeniedError, "whoever asks pays for requests to this bucket", _BILLED_HINT, disposition=Disposition.ABORT
)
_BAD_PAYER = Rule(
    AccessDeniedError, "the project of user_project cannot be billed", _BILLED_HINT, disposition=Disposition.ABORT
)
_KEY_UNUSABLE = Rule(AccessDeniedError, "the encryption key of the bucket or object cannot be used")
_KEY_MISSING = Rule(AccessDeniedError, "the encryption key of the bucket or object does not exist")
_OWN_KEY = Rule(
    UnsupportedOperationError,
    "the object is encrypted by a key that only its owner has",
    "Exclude it: cloudsync cannot be given such keys.",
    Disposition.SKIP,
)
_DAMAGED = Rule(IntegrityError, "the server did not receive the bytes that were sent")
_SESSION_LOST = Rule(UnavailableError, "the server lost the upload")
_TOO_LARGE = Rule(UnsupportedOperationError, "the object is larger than the server takes", disposition=Disposition.SKIP)
_POLICY = Rule(AccessDeniedError, "a policy of the organisation forbids it", disposition=Disposition.ABORT)
_UNUSABLE = Rule(AccessDeniedError, "the account or its billing is disabled", disposition=Disposition.ABORT)
_USED_UP = Rule(UnavailableError, "a quota of the project is used up", disposition=Disposition.ABORT)
_REFUSED = Rule(UnexpectedBackendError, "the server refused the request")
_NOT_IMPLEMENTED = Rule(UnsupportedOperationError, "the server does not implement this operation")

MESSAGES: tuple[tuple[str, Rule], ...] = (
    ("is a requester pays bucket", _NO_PAYER),
    ("doesn't match calculated", _DAMAGED),
    ("is under active temporary hold", _HELD),
    ("is under active event-based hold", _HELD),
    ("is subject to bucket's retention policy", _RETAINED),
    ("the billing account for the owning project is disabled", _UNUSABLE),
)
"""By what stands in the server's message, in lower case, of an answer of status 400 or 403."""

REASONS: Mapping[str, Rule] = {
    "authError": _EXPIRED,
    "expired": _EXPIRED,
    "lockedDomainExpired": _EXPIRED,
    "authenticationRequiredRequesterPays": _NO_PAYER,
    "userProjectMissing": _NO_PAYER,
    "userProjectInvalid": _BAD_PAYER,
    "userProjectInconsistent": _BAD_PAYER,
    "userProjectAccessDenied": _BAD_PAYER,
    "userProjectAccountProblem": _BAD_PAYER,
    "accountDisabled": _UNUSABLE,
    "countryBlocked": Rule(AccessDeniedError, "the server does not serve this country", None, Disposition.ABORT),
    "insufficientPermissions": _DENIED,
    "sslRequired": Rule(
        AccessDeniedError, "the server answers to https alone", "Check endpoint_url.", Disposition.ABORT
    ),
    "usageLimits.accessNotConfigured": Rule(
        AccessDeniedError,
        "the API of Google Cloud Storage is not enabled in the project",
        "Enable storage.googleapis.com there.",
        Disposition.ABORT,
    ),
    "objectUnderActiveHold": _HELD,
    "retentionPolicyNotMet": _RETAINED,
    "cloudKmsBadKey": _KEY_UNUSABLE,
    "cloudKmsDisabledKey": Rule(AccessDeniedError, "the encryption key is disabled"),
    "cloudKmsDecryptionKeyNotFound": _KEY_MISSING,
    "cloudKmsEncryptionKeyNotFound": _KEY_MISSING,
    "cloudKmsKeyLocationNotAllowed": _KEY_UNUSABLE,
    "cloudKmsCannotChangeKeyName": _KEY_UNUSABLE,
    "customerEncryptionKeyIsIncorrect": _OWN_KEY,
    "resourceIsEncryptedWithCustomerEncryptionKey": _OWN_KEY,
    "rateLimitExceeded": _REDUCE,
    "userRateLimitExceeded": _REDUCE,
    "usageLimits.rateLimitExceeded": _REDUCE,
    "quotaExceeded": _USED_UP,
    "conditionNotMet": _STALE,
    "orgPolicyConstraintFailed": _POLICY,
    "uploadTooLarge": _TOO_LARGE,
    "uploadBrokenConnection": _TIMED_OUT,
    "requestedRangeNotSatisfiable": Rule(UnexpectedBackendError, "the object has no such range of bytes"),
    "backendError": _NOT_NOW,
    "internalError": _NOT_NOW,
    "gatewayTimeout": _NOT_NOW,
    "notImplemented": _NOT_IMPLEMENTED,
}
"""By the reason in the body of an error response."""

STATUSES: Mapping[int, Rule] = {
    300: Rule(UnexpectedBackendError, "the server sends elsewhere", "Check endpoint_url.", Disposition.ABORT),
    304: _STALE,
    400: _REFUSED,
    401: _EXPIRED,
    403: _DENIED,
    404: _NO_OBJECT,
    405: Rule(UnsupportedOperationError, "the server does not allow this operation"),
    408: _TIMED_OUT,
    409: Rule(UnavailableError, "another operation on the object was under way"),
    410: _SESSION_LOST,
    412: _STALE,
    413: _TOO_LARGE,
    416: REASONS["requestedRangeNotSatisfiable"],
    429: _REDUCE,
    499: _SESSION_LOST,
    500: _NOT_NOW,
    501: _NOT_IMPLEMENTED,
}
"""By the HTTP status, where the reason is unknown or the answer has no body."""

CREDENTIALS: Mapping[type[CredentialsError], Rule] = {
    NoCredentialsError: _NO_CREDENTIALS,
    TokenRefusedError: Rule(
        UnauthenticatedError, "Google gives no access token for the credentials", _CREDENTIALS_HINT
    ),
    TokenServerError: Rule(UnavailableError, "the server of access tokens cannot be reached", "Check the network."),
}

FAILURES = (Refusal, CredentialsError, *rules.FAILURES)
"""What a request may raise; anything else is a defect of the program and stays as it is."""


def meaning(failure: BaseException, key: str | None) -> BackendError | None:
    """Return the error of the contract, without its place, for one of `FAILURES`; `None` for anything else.

    Args:
        failure: what the request raised.
        key: the object, or `None` where the request was about the bucket.
    """
    if isinstance(failure, Refusal):
        return _refused(failure, key)
    if isinstance(failure, CredentialsError):
        return CREDENTIALS[type(failure)].failure()
    rule = rules.transport_rule(failure)
    return None if rule is None else rule.failure()


def _refused(refusal: Refusal, key: str | None) -> BackendError:
    retry_after = rules.retry_after(refusal.headers)
    if refusal.status == NOT_FOUND:
        return (_NO_BUCKET if key is None or refusal.missing == "bucket" else _NO_OBJECT).failure()
    if refusal.status == UNAUTHORISED and refusal.renewable:
        reason = "the access token was refused, and another one is asked for"
        return Rule(UnauthenticatedError, reason, disposition=Disposition.RETRY).failure()
    rule = _told(refusal) or REASONS.get(refusal.reason)
    if rule is not None:
        return rule.failure(retry_after=retry_after)
    rule = rules.of_status(STATUSES, refusal.status)
    words = rules.own_words(refusal.reason, refusal.message) or f"status {refusal.status}"
    return rule.failure(f"{rule.reason} ({words})", retry_after=retry_after)


def _told(refusal: Refusal) -> Rule | None:
    """Return the rule for what the message says, where it says more than the reason."""
    if refusal.status == UNAUTHORISED:
        return _UNASKED if refusal.reason == "required" or refusal.message.startswith("Anonymous caller") else None
    if refusal.status not in {400, 403}:
        return None
    message = refusal.message.lower()
    return next((rule for words, rule in MESSAGES if words in message), None)


def _missing(message: str) -> Literal["bucket", "object"] | None:
    """Tell what is missing by Google's words, `None` of other words; the name of an object may hold any of them."""
    if message.startswith("No such object"):
        return "object"
    return "bucket" if message.startswith("The specified bucket does not exist") else None
