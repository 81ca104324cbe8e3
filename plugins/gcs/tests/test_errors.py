"""Every failure that Google Cloud Storage knows becomes an error of the contract, of the right class."""

import json

import pytest
from cloudsync_gcs import errors, operations

from cloudsync_core import errors as core
from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore import transport
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import Disposition

DOCUMENTED = (
    *("accountDisabled", "authError", "authenticationRequiredRequesterPays", "backendError", "cloudKmsBadKey"),
    *("cloudKmsCannotChangeKeyName", "cloudKmsDecryptionKeyNotFound", "cloudKmsDisabledKey"),
    *("cloudKmsEncryptionKeyNotFound", "cloudKmsKeyLocationNotAllowed", "conditionNotMet", "countryBlocked"),
    *("customerEncryptionKeyIsIncorrect", "gatewayTimeout", "insufficientPermissions", "internalError"),
    *("lockedDomainExpired", "objectUnderActiveHold", "orgPolicyConstraintFailed", "quotaExceeded"),
    *("rateLimitExceeded", "requestedRangeNotSatisfiable", "resourceIsEncryptedWithCustomerEncryptionKey"),
    *("retentionPolicyNotMet", "sslRequired", "uploadBrokenConnection", "uploadTooLarge"),
    *("usageLimits.accessNotConfigured", "usageLimits.rateLimitExceeded", "userProjectAccessDenied"),
    *("userProjectAccountProblem", "userProjectInconsistent", "userProjectInvalid", "userProjectMissing"),
    "userRateLimitExceeded",
)
"""The reasons of Google's page that an object's requests may meet and that say more than their status."""


def answer(status, reason="", message="", headers=None):
    body = json.dumps({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})
    return Answer(status, headers or {}, body.encode())


def meaning(status, reason="", message="", headers=None, key="key"):
    return errors.meaning(operations.refusal(answer(status, reason, message, headers)), key)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "disposition"),
    [
        (401, "authError", core.UnauthenticatedError, Disposition.ABORT),
        (401, "required", core.UnauthenticatedError, Disposition.ABORT),
        (403, "forbidden", core.AccessDeniedError, Disposition.SKIP),
        (403, "insufficientPermissions", core.AccessDeniedError, Disposition.SKIP),
        (403, "objectUnderActiveHold", core.AccessDeniedError, Disposition.SKIP),
        (403, "retentionPolicyNotMet", core.AccessDeniedError, Disposition.SKIP),
        (403, "rateLimitExceeded", core.ThrottledError, Disposition.RETRY),
        (403, "userRateLimitExceeded", core.ThrottledError, Disposition.RETRY),
        (403, "quotaExceeded", core.UnavailableError, Disposition.ABORT),
        (403, "accountDisabled", core.AccessDeniedError, Disposition.ABORT),
        (400, "userProjectMissing", core.AccessDeniedError, Disposition.ABORT),
        (403, "userProjectAccessDenied", core.AccessDeniedError, Disposition.ABORT),
        (403, "usageLimits.accessNotConfigured", core.AccessDeniedError, Disposition.ABORT),
        (400, "cloudKmsDisabledKey", core.AccessDeniedError, Disposition.SKIP),
        (400, "resourceIsEncryptedWithCustomerEncryptionKey", core.UnsupportedOperationError, Disposition.SKIP),
        (404, "notFound", core.ObjectNotFoundError, Disposition.SKIP),
        (408, "uploadBrokenConnection", core.UnavailableError, Disposition.RETRY),
        (409, "conflict", core.UnavailableError, Disposition.RETRY),
        (410, "gone", core.UnavailableError, Disposition.RETRY),
        (412, "conditionNotMet", core.PreconditionFailedError, Disposition.SKIP),
        (412, "orgPolicyConstraintFailed", core.AccessDeniedError, Disposition.ABORT),
        (413, "uploadTooLarge", core.UnsupportedOperationError, Disposition.SKIP),
        (416, "requestedRangeNotSatisfiable", core.UnexpectedBackendError, Disposition.SKIP),
        (429, "rateLimitExceeded", core.ThrottledError, Disposition.RETRY),
        (429, "", core.ThrottledError, Disposition.RETRY),
        (499, "", core.UnavailableError, Disposition.RETRY),
        (500, "backendError", core.UnavailableError, Disposition.RETRY),
        (501, "notImplemented", core.UnsupportedOperationError, Disposition.ABORT),
        (502, "", core.UnavailableError, Disposition.RETRY),
        (503, "backendError", core.UnavailableError, Disposition.RETRY),
        (504, "gatewayTimeout", core.UnavailableError, Disposition.RETRY),
        (302, "temporaryRedirect", core.UnexpectedBackendError, Disposition.ABORT),
        (400, "noSuchReasonKnown", core.UnexpectedBackendError, Disposition.SKIP),
        (418, "", core.UnexpectedBackendError, Disposition.SKIP),
        (599, "", core.UnavailableError, Disposition.RETRY),
    ],
    ids=str,
)
def test_E09_answers_become_errors(status, reason, kind, disposition):
    error = meaning(status, reason)
    assert (type(error), error.disposition) == (kind, disposition)


@pytest.mark.parametrize("status", range(300, 600))
def test_no_status_is_left_out(status):
    assert isinstance(meaning(status), core.BackendError)


def test_every_documented_reason_that_says_more_than_its_status_is_known():
    assert set(DOCUMENTED) <= set(errors.REASONS)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Bucket is a requester pays bucket but no user project provided.", "Set user_project"),
        ("Object 'b/o' is under active Temporary hold and cannot be deleted.", "Release the hold"),
        ("Object 'b/o' is under active Event-Based hold and cannot be deleted.", "Release the hold"),
        (
            "Object 'b/o' is subject to bucket's retention policy or object retention and cannot be deleted until x",
            "retention policy forbids",
        ),
        ("The billing account for the owning project is disabled in state absent", "billing is disabled"),
    ],
)
def test_a_message_that_says_more_than_its_reason_is_heard(message, words):
    for status, reason in ((400, "required"), (403, "forbidden")):
        error = meaning(status, reason, message)
        assert type(error) is core.AccessDeniedError
        assert words in str(error)


@pytest.mark.parametrize(
    ("reason", "message"),
    [("required", "Login Required"), ("", "Anonymous caller does not have storage.objects.get access to the object.")],
)
def test_requests_without_credentials_are_told_from_those_with_wrong_ones(reason, message):
    assert "none were sent" in str(meaning(401, reason, message))
    assert "has expired" in str(meaning(401, "authError", "Invalid Credentials"))


def test_D18_bytes_that_were_damaged_on_their_way_are_sent_again():
    message = 'Provided MD5 hash "x" doesn\'t match calculated MD5 hash "y".'
    assert type(meaning(400, "invalid", message)) is core.IntegrityError


class TestMissing:
    """L2 and S1: a bucket and an object are told apart by Google's words, whatever an object is called."""

    def test_by_the_message(self):
        assert type(meaning(404, "notFound", "The specified bucket does not exist.")) is core.ContainerNotFoundError
        assert type(meaning(404, "notFound", "No such object: b/k")) is core.ObjectNotFoundError

    def test_a_name_that_looks_like_the_other_message_changes_nothing(self):
        found = meaning(404, "notFound", "No such object: b/The specified bucket does not exist.")
        assert type(found) is core.ObjectNotFoundError

    def test_without_a_key_it_is_the_bucket(self):
        assert type(meaning(404, key=None)) is core.ContainerNotFoundError

    def test_plain_text_is_a_message_too(self):
        refusal = operations.refusal(Answer(404, {"content-type": "text/html"}, b"No such object: b/k"))
        assert refusal.missing == "object"

    @pytest.mark.parametrize("body", [b"", b"<html>nothing here</html>", b"\xff\xfe", b'{"error": "invalid"}', b"[]"])
    def test_other_words_leave_it_open(self, body):
        assert operations.refusal(Answer(404, {}, body)).missing is None


def test_a_token_that_may_be_renewed_is_worth_another_attempt():
    refusal = operations.refusal(answer(401, "authError"))
    refusal.renewable = True
    error = errors.meaning(refusal, "key")
    assert (type(error), error.disposition) == (core.UnauthenticatedError, Disposition.RETRY)


@pytest.mark.parametrize("kind", errors.CredentialsError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_failure_of_credentials_is_translated(kind):
    assert isinstance(errors.meaning(kind(), None), core.BackendError)


def test_every_failure_on_the_way_is_translated():
    for kind in (transport.TlsError, transport.NoAnswerError, transport.DamagedAnswerError, ConnectionResetError):
        assert isinstance(errors.meaning(kind(), None), core.BackendError)


def test_defects_of_the_program_are_not_hidden():
    assert errors.meaning(TypeError(), None) is None
    assert not issubclass(KeyError, errors.FAILURES)


def test_errors_say_what_was_done_to_what():
    with (
        pytest.raises(core.AccessDeniedError, match="get gs://bucket/prefix/key: access denied"),
        naming(errors.meaning, "get", "gs://bucket/prefix", "key"),
    ):
        raise operations.refusal(answer(403, "forbidden"))


def test_retry_after_is_passed_on():
    assert meaning(429, "rateLimitExceeded", headers={"retry-after": "7"}).retry_after == 7.0
    assert meaning(503, headers={"retry-after": "3"}).retry_after == 3.0


def test_the_servers_own_words_are_kept_short_and_on_one_line():
    error = meaning(400, "odd", "line\nbreak \x1b[31m" + "x" * 5000)
    assert "odd: line\\nbreak \\x1b" in error.reason
    assert len(error.reason) < 400


RULES = [
    *errors.REASONS.values(),
    *errors.STATUSES.values(),
    *errors.CREDENTIALS.values(),
    *(rule for _, rule in errors.MESSAGES),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_reasons_are_whole_sentences_without_their_end(rule):
    assert rule.reason[0].islower() or rule.reason.startswith("Google")
    assert not rule.reason.endswith(".")
    assert rule.hint is None or rule.hint.endswith(".")
