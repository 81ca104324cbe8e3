"""FTP below fsspec's filesystem: its connection is used, its listing and its files are not.

fsspec's FTP listing falls back to parsing what `ls -l` prints, which takes an unreadable directory for an empty one
and a link for a file; its files send every block as a transfer of its own and abort one per block read. RFC 3659
has what is needed: MLSD and MLST list and describe exactly, one STOR or RETR moves a whole file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ftplib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cloudsync_core.backends._fsspec_entry import Entry
from cloudsync_core.backends._fsspec_files import Files, Writer
from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import UnsupportedOperationError

_UNKNOWN_COMMAND = ("500", "502")


class FtpFiles(Files):
    """The primitives over one FTP connection, which serves one transfer at a time."""

    inexact: ClassVar = re.compile(r"[\r\n]")

    def __init__(self, filesystem: Any) -> None:
        super().__init__(filesystem)
        self._ftp: ftplib.FTP = filesystem.ftp

    def entries(self, path: str) -> list[Entry]:
        """Return what the folder holds, in no order."""
        try:
            listed = list(self._ftp.mlsd(path))
        except ftplib.error_perm as error:
            self._require_mlst(error)
            # The reply to a missing folder and to a forbidden one is the same.
            self.entry(path)
            raise PermissionError(str(error)) from error
        return [_entry(name, facts) for name, facts in listed if facts.get("type", "").lower() not in {"cdir", "pdir"}]

    def entry(self, path: str) -> Entry:
        """Return what is at `path`; raises `FileNotFoundError` where there is nothing."""
        try:
            reply = self._ftp.sendcmd(f"MLST {path}")
        except ftplib.error_perm as error:
            self._require_mlst(error)
            raise FileNotFoundError(path) from error
        described = next((line for line in reply.splitlines()[1:] if line.startswith(" ")), "")
        facts = dict(fact.partition("=")[::2] for fact in described[1:].partition(" ")[0].split(";") if fact)
        return _entry(path.rstrip("/").rpartition("/")[2], {name.lower(): value for name, value in facts.items()})

    def is_folder(self, path: str) -> bool:
        """Tell whether `path` is a folder; raises `FileNotFoundError` where there is nothing."""
        return self.entry(path).kind == "folder"

    def read(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes from `start` on, or fewer where the file ends earlier."""
        self._ftp.voidcmd("TYPE I")
        with self._refusing(path):
            connection = self._ftp.transfercmd(f"RETR {path}", start or None)
        whole = False
        try:
            with connection.makefile("rb", CHUNK_SIZE) as source:
                while size > 0 and (chunk := source.read(min(CHUNK_SIZE, size))):
                    size -= len(chunk)
                    yield chunk
                whole = not source.read(1)
        finally:
            # The server answers when its side of the transfer has ended, which closing ours brings about.
            connection.close()
            try:
                self._settle(strict=whole)
            except ftplib.error_perm as error:
                # What began and then failed may succeed another time, whatever the server calls it.
                raise ftplib.error_temp(str(error)) from error  # noqa: S321 - the protocol is the user's choice

    def writer(self, path: str) -> Writer:
        """Start a new file."""
        self._ftp.voidcmd("TYPE I")
        return _FtpWriter(self, self._ftp.transfercmd(f"STOR {path}"))

    def replace(self, old: str, new: str) -> None:
        """Give the file `old` the name `new`, in place of a file that has it, where the server does that."""
        self._require_replaceable(new)
        self._ftp.rename(old, new)

    def remove(self, path: str) -> None:
        """Remove one file."""
        with self._refusing(path):
            self._ftp.delete(path)

    def make_folder(self, path: str) -> None:
        """Make a folder with its parents; one that exists is no error."""
        try:
            self._ftp.mkd(path)
        except ftplib.error_perm:
            # It may be there, another connection may have been faster, or a folder above it is missing.
            if self._is_there(path):
                return
            parent = path.rstrip("/").rpartition("/")[0]
            if not parent or self._is_there(parent):
                raise
            self.make_folder(parent)
            self._ftp.mkd(path)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder; raises where it holds something."""
        self._ftp.rmd(path)

    def close(self) -> None:
        """Close the connection."""
        self._ftp.close()

    def _is_there(self, path: str) -> bool:
        try:
            return self.entry(path).kind == "folder"
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def _refusing(self, path: str) -> Iterator[None]:
        """Tell a missing file from another refusal, which the replies of servers do not."""
        try:
            yield
        except ftplib.error_perm:
            self.entry(path)
            raise

    def _settle(self, *, strict: bool) -> None:
        """Read the server's answer to a transfer; one that was cut short may well be called a failure."""
        try:
            self._ftp.voidresp()
        except ftplib.Error:
            if strict:
                raise
        except (OSError, EOFError):
            self.broken = True
            if strict:
                raise

    def _require_mlst(self, error: ftplib.error_perm) -> None:
        if str(error).startswith(_UNKNOWN_COMMAND):
            raise UnsupportedOperationError(
                "the server has no MLSD (RFC 3659), and the listings that it has cannot be trusted",
                hint="use SFTP, or a server that offers MLSD",
            ) from error


class _FtpWriter(Writer):
    """A running STOR."""

    def __init__(self, files: FtpFiles, connection: socket.socket) -> None:
        self._files = files
        self._connection = connection

    def write(self, chunk: bytes) -> None:
        try:
            self._connection.sendall(chunk)
        except OSError:
            # A server that refuses closes the transfer and says why in its answer.
            self._connection.close()
            self._files._settle(strict=True)  # noqa: SLF001 - the two are one connection
            raise

    def close(self) -> None:
        if isinstance(self._connection, ssl.SSLSocket):
            self._connection.unwrap()
        self._connection.close()
        self._files._settle(strict=True)  # noqa: SLF001 - the two are one connection

    def abandon(self) -> None:
        if self._connection.fileno() != -1:
            self._connection.close()
            self._files._settle(strict=False)  # noqa: SLF001 - the two are one connection


def _entry(name: str, facts: Mapping[str, str]) -> Entry:
    kind = facts.get("type", "").lower()
    info: dict[str, Any] = {
        "type": {"file": "file", "dir": "directory", "cdir": "directory", "pdir": "directory"}.get(kind, "other"),
        "size": facts.get("size"),
        "unique": facts.get("unique"),
        "modify": _time(facts.get("modify", "")),
    }
    return Entry.of(name, info)


def _time(text: str) -> dt.datetime | None:
    """Return a time of RFC 3659, which is UTC: YYYYMMDDHHMMSS with or without a fraction."""
    whole, _, fraction = text.partition(".")
    try:
        return dt.datetime.strptime(f"{whole}.{fraction[:6] or 0}+0000", "%Y%m%d%H%M%S.%f%z")
    except ValueError:
        return None
