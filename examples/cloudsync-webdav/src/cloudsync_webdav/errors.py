"""What the answers of a server, and failures on the way to it, mean to cloudsync: one table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

import urllib3
from cloudsync_core import errors
from cloudsync_core.errors import Disposition

from cloudsync_webdav.client import AnswerError
from cloudsync_webdav.multistatus import NotWebdavError

STATUSES: Final[Mapping[int, type[errors.BackendError]]] = {
    401: errors.UnauthenticatedError,
    403: errors.AccessDeniedError,
    404: errors.ObjectNotFoundError,
    408: errors.UnavailableError,
    409: errors.UnavailableError,  # a folder was removed a moment ago
    412: errors.PreconditionFailedError,
    414: errors.InvalidKeyError,
    423: errors.UnavailableError,  # locked by somebody else
    429: errors.ThrottledError,
}
"""Other statuses from 500 on may pass, and are tried again; what is none of these skips the object."""

FAILURES: Final[Mapping[type[Exception], str]] = {
    urllib3.exceptions.TimeoutError: "the server did not answer in time",
    urllib3.exceptions.NewConnectionError: "the server cannot be reached",
    urllib3.exceptions.HTTPError: "the connection broke",
}
"""Failures on the way, the more special first. The messages of urllib3 are left out: they may quote what was sent."""

_SERVER_ERRORS: Final = 500
_NO_ROOM: Final = 507


@contextlib.contextmanager
def translated(operation: str, location: str, key: str | None = None) -> Iterator[None]:
    """Let only `BackendError`s out, each with what was done to which object (clause E1).

    What names nothing yet, because it was raised here without saying so, is given the names too.

    Args:
        operation: the verb of the contract.
        location: the backend's.
        key: of the object; `None` for an operation on the whole location.
    """
    try:
        yield
    except (AnswerError, NotWebdavError, urllib3.exceptions.HTTPError) as error:
        meaning = _meaning(error)
        meaning.operation, meaning.location, meaning.key = operation, location, key
        raise meaning from error
    except errors.BackendError as error:
        if not error.operation:
            error.operation, error.location, error.key = operation, location, key
        raise


def _meaning(error: Exception) -> errors.BackendError:
    if isinstance(error, AnswerError):
        default = errors.UnavailableError if error.status >= _SERVER_ERRORS else errors.UnexpectedBackendError
        meaning = STATUSES.get(error.status, default)(str(error))
        if error.status == _NO_ROOM:
            meaning.disposition = Disposition.ABORT
        return meaning
    if isinstance(error, urllib3.exceptions.SSLError):
        return errors.UnavailableError(
            "the server's certificate is not trusted, or its TLS is none",
            disposition=Disposition.ABORT,
            hint="set ca_bundle, or write dav:// for a server without TLS",
        )
    return errors.UnavailableError(
        next((reason for kind, reason in FAILURES.items() if isinstance(error, kind)), str(error))
    )
