"""What the operating system's errors mean for an object: the one table of the `file` backend."""

from __future__ import annotations

import errno
import os
from typing import Final

from cloudsync_core.backends import judging
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    Disposition,
    InvalidKeyError,
    KeyBlockedError,
    ObjectExistsError,
    ObjectNotFoundError,
    UnavailableError,
    UnexpectedBackendError,
)

_FULL = "EDQUOT ENOSPC"
_GONE_FOR_NOW = (
    "EAGAIN EBUSY ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH EINTR EIO EMFILE ENETDOWN ENETUNREACH "
    "ENFILE ENOBUFS ENODEV ENOLCK ENOMEDIUM ENOMEM ENONET ENOTCONN ENXIO EREMOTEIO ESHUTDOWN ESTALE ETIMEDOUT ETXTBSY"
)
_NO_SUCH_NAME = "EILSEQ ELOOP ENAMETOOLONG"
_IN_THE_WAY = "EISDIR ENOTDIR"
_OTHER = "EBADF EFBIG EINVAL EMLINK ENOSYS ENOTEMPTY ENOTSUP EOPNOTSUPP EOVERFLOW EXDEV"

_CLASSES: Final[dict[str, type[BackendError]]] = {
    "EACCES EPERM EROFS": AccessDeniedError,
    "ENOENT": ObjectNotFoundError,
    "EEXIST": ObjectExistsError,
    _NO_SUCH_NAME: InvalidKeyError,
    _IN_THE_WAY: KeyBlockedError,
    _GONE_FOR_NOW: UnavailableError,
    _FULL: UnexpectedBackendError,
    _OTHER: UnexpectedBackendError,
}

# Not every system has every name.
MEANINGS: Final[dict[int, type[BackendError]]] = {
    getattr(errno, name): kind for names, kind in _CLASSES.items() for name in names.split() if hasattr(errno, name)
}
"""The class of error, by the operating system's number."""

# A file system that is full or read-only takes no other object either.
_ABORTING: Final = {getattr(errno, name) for name in [*_FULL.split(), "EROFS"] if hasattr(errno, name)}


def meaning_of(error: OSError) -> BackendError:
    """Return the error of the contract for an error of the operating system; unknown ones are unexpected."""
    number = error.errno or 0
    reason = error.strerror or type(error).__name__
    if reason == os.strerror(number):
        reason = reason[:1].lower() + reason[1:]
    return MEANINGS.get(number, UnexpectedBackendError)(
        reason,
        disposition=Disposition.ABORT if number in _ABORTING else None,
    )


def naming(
    operation: str, location: str, key: str | None = None
) -> judging.judging[judging.Meaning, str, str, str | None]:
    """Let only `BackendError`s out of a block (clause E1), and let each say what was done to which object."""
    return judging.naming(_meaning, operation, location, key)


def _meaning(failure: BaseException, key: str | None) -> BackendError | None:
    del key
    return meaning_of(failure) if isinstance(failure, OSError) else None
