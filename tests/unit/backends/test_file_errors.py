"""Every error of the operating system has a meaning in the contract."""

import errno
import os

import pytest

from cloudsync_core.backends._file_errors import MEANINGS, meaning_of, naming
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    Disposition,
    InvalidKeyError,
    ObjectNotFoundError,
    UnavailableError,
    UnexpectedBackendError,
)

# What the manual pages of Linux list for open, openat, read, pread, write, fsync, close, stat, mkdir, rmdir, unlink,
# rename, link, utimensat, fchmod and getdents; EFAULT, which only a wrong pointer gives, left out.
DOCUMENTED = """
EACCES EAGAIN EBADF EBUSY EDQUOT EEXIST EFBIG EINTR EINVAL EIO EISDIR ELOOP EMFILE EMLINK ENAMETOOLONG ENFILE ENODEV
ENOENT ENOMEM ENOSPC ENOTDIR ENOTEMPTY ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ESTALE ETXTBSY EXDEV
"""


class TestTable:
    @pytest.mark.parametrize("name", DOCUMENTED.split())
    def test_E1_every_documented_error_has_a_meaning(self, name):
        assert getattr(errno, name) in MEANINGS

    @pytest.mark.parametrize("number", sorted(errno.errorcode))
    def test_E1_every_error_becomes_one_of_the_contract(self, number):
        meaning = meaning_of(OSError(number, os.strerror(number)))
        assert isinstance(meaning, BackendError)
        assert meaning.reason.lower() == os.strerror(number).lower()

    @pytest.mark.parametrize(
        ("number", "kind", "disposition"),
        [
            (errno.ENOENT, ObjectNotFoundError, Disposition.SKIP),
            (errno.EACCES, AccessDeniedError, Disposition.SKIP),
            (errno.EROFS, AccessDeniedError, Disposition.ABORT),
            (errno.ENOSPC, UnexpectedBackendError, Disposition.ABORT),
            (errno.EDQUOT, UnexpectedBackendError, Disposition.ABORT),
            (errno.EIO, UnavailableError, Disposition.RETRY),
            (errno.ESTALE, UnavailableError, Disposition.RETRY),
            (errno.ENAMETOOLONG, InvalidKeyError, Disposition.SKIP),
            (99999, UnexpectedBackendError, Disposition.SKIP),
            (None, UnexpectedBackendError, Disposition.SKIP),
        ],
    )
    def test_what_the_engine_does_next_follows(self, number, kind, disposition):
        meaning = meaning_of(OSError(number, "why") if number else OSError())
        assert type(meaning) is kind
        assert meaning.disposition is disposition


class TestNaming:
    def test_an_error_says_what_was_done_to_which_object(self):
        with pytest.raises(AccessDeniedError) as caught, naming("put", "file:///root", "a/b"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        assert str(caught.value) == "put file:///root/a/b: permission denied"
        assert isinstance(caught.value.__cause__, PermissionError)

    def test_an_error_of_ours_gets_its_place(self):
        with pytest.raises(InvalidKeyError) as caught, naming("get", "file:///root", "a"):
            raise InvalidKeyError("no")
        assert str(caught.value) == "get file:///root/a: no"

    def test_an_error_that_has_a_place_keeps_it(self):
        with pytest.raises(InvalidKeyError) as caught, naming("get", "file:///root", "a"):
            raise InvalidKeyError("no", operation="put", location="memory://x", key="b")
        assert str(caught.value) == "put memory://x/b: no"

    def test_other_errors_pass(self):
        with pytest.raises(ZeroDivisionError), naming("get", "file:///root", "a"):
            raise ZeroDivisionError
