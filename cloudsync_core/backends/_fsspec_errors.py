"""What the exceptions of fsspec's filesystems mean for an object: the one table of the `fsspec` backend.

fsspec prescribes only that a missing path is a `FileNotFoundError`. Everything else comes from whichever library the
filesystem uses, so the table knows classes of the standard library by themselves, other libraries' by name (without
importing them), HTTP errors by their status, and calls the rest unexpected.
"""

from __future__ import annotations

import errno
import ftplib
import re
import socket
from collections.abc import Sequence
from typing import Any, Final

from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    Disposition,
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

_BY_CLASS: Final[tuple[tuple[type[Exception], type[BackendError]], ...]] = (
    (FileNotFoundError, ObjectNotFoundError),
    (FileExistsError, KeyBlockedError),
    (NotADirectoryError, KeyBlockedError),
    (IsADirectoryError, KeyBlockedError),
    (PermissionError, AccessDeniedError),
    (TimeoutError, UnavailableError),
    (ConnectionError, UnavailableError),
    (EOFError, UnavailableError),
    (socket.gaierror, UnavailableError),
    (ftplib.error_temp, UnavailableError),
    (NotImplementedError, UnsupportedOperationError),
    (UnicodeError, InvalidKeyError),
)

_BY_NAME: Final[dict[str, type[BackendError]]] = {
    "aiohttp.client_exceptions.ClientConnectionError": UnavailableError,
    "aiohttp.client_exceptions.ClientPayloadError": UnavailableError,
    "httpx.TransportError": UnavailableError,
    "paramiko.ssh_exception.AuthenticationException": UnauthenticatedError,
    "paramiko.ssh_exception.BadHostKeyException": UnauthenticatedError,
    "paramiko.ssh_exception.NoValidConnectionsError": UnavailableError,
    "paramiko.ssh_exception.SSHException": UnavailableError,
    "requests.exceptions.ConnectionError": UnavailableError,
    "requests.exceptions.Timeout": UnavailableError,
    "smbprotocol.exceptions.LogonFailure": UnauthenticatedError,
    "smbprotocol.exceptions.SMBAuthenticationError": UnauthenticatedError,
    "smbprotocol.exceptions.SMBConnectionClosed": UnavailableError,
}

_BY_STATUS: Final[dict[int, type[BackendError]]] = {
    401: UnauthenticatedError,
    403: AccessDeniedError,
    404: ObjectNotFoundError,
    408: UnavailableError,
    409: ObjectExistsError,
    410: ObjectNotFoundError,
    412: PreconditionFailedError,
    423: UnavailableError,
    429: ThrottledError,
    500: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}

_BY_NUMBER: Final[dict[int, type[BackendError]]] = {
    errno.ENAMETOOLONG: InvalidKeyError,
    errno.EILSEQ: InvalidKeyError,
    errno.ELOOP: InvalidKeyError,
    errno.EROFS: AccessDeniedError,
    errno.EAGAIN: UnavailableError,
    errno.EBUSY: UnavailableError,
    errno.EHOSTUNREACH: UnavailableError,
    errno.EIO: UnavailableError,
    errno.EMFILE: UnavailableError,
    errno.ENETDOWN: UnavailableError,
    errno.ENETUNREACH: UnavailableError,
    errno.ESTALE: UnavailableError,
}

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_STORAGE_EXCEEDED: Final = 507

_FTP_NOT_LOGGED_IN: Final = "530"
_FTP_STORAGE_EXCEEDED: Final = ("452", "552")
_FTP_REFUSED: Final = re.compile(r"permission|denied|not allowed|forbidden|read.?only", re.IGNORECASE)

_USER_OF_URL: Final = re.compile(r"//[^/@\s]+@")


def translate(error: Exception, secrets: Sequence[str] = ()) -> BackendError:
    """Return the error of the contract for what a filesystem raised; without operation, location and key.

    Args:
        error: what was raised; the caller chains it.
        secrets: texts that the reason must not show.
    """
    if isinstance(error, BackendError):
        return error
    reason = _reason(error, secrets)
    if _is_full(error):
        return UnexpectedBackendError(reason, disposition=Disposition.ABORT)
    kind = _class_of(error)
    return kind(reason, retry_after=_retry_after(error)) if kind is ThrottledError else kind(reason)


def _class_of(error: Exception) -> type[BackendError]:
    if isinstance(error, ftplib.error_perm):
        return _class_of_ftp(str(error))
    for base in type(error).__mro__:
        named = _BY_NAME.get(f"{base.__module__}.{base.__qualname__}")
        if named is not None:
            return named
    for known, kind in _BY_CLASS:
        if isinstance(error, known):
            return kind
    status = _status(error)
    if status is not None:
        return _BY_STATUS.get(status, UnexpectedBackendError)
    return _BY_NUMBER.get(getattr(error, "errno", None) or 0, UnexpectedBackendError)


def _class_of_ftp(reply: str) -> type[BackendError]:
    if reply.startswith(_FTP_NOT_LOGGED_IN):
        return UnauthenticatedError
    return AccessDeniedError if _FTP_REFUSED.search(reply) else UnexpectedBackendError


def _is_full(error: Exception) -> bool:
    if isinstance(error, ftplib.Error):
        return str(error).startswith(_FTP_STORAGE_EXCEEDED)
    return getattr(error, "errno", None) in _FULL or _status(error) == _STORAGE_EXCEEDED


def _status(error: Exception) -> int | None:
    """Return the HTTP status that the error carries, as aiohttp, requests and httpx do."""
    response = getattr(error, "response", None)
    for holder, name in ((error, "status"), (error, "status_code"), (response, "status_code")):
        status = getattr(holder, name, None)
        if isinstance(status, int):
            return status
    return None


def _retry_after(error: Exception) -> float | None:
    headers: Any = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
    try:
        return float(headers["Retry-After"])
    except (KeyError, TypeError, ValueError):
        return None


def _reason(error: Exception, secrets: Sequence[str]) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    elif isinstance(error, FileNotFoundError):
        text = "there is no such path"  # the message is the path, which the caller names anyway
    elif not isinstance(error, (OSError, ftplib.Error)):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    for secret in secrets:
        text = text.replace(secret, "***")
    return _USER_OF_URL.sub("//", text)
