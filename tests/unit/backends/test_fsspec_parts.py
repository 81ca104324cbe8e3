"""The parts of the fsspec backend: entries, errors, connections."""

import datetime as dt
import errno
import ftplib
import socket
import uuid

import pytest

from cloudsync_core.backends._fsspec_entry import Entry, as_object
from cloudsync_core.backends._fsspec_errors import translate
from cloudsync_core.backends._fsspec_ftp import FtpFiles
from cloudsync_core.backends._fsspec_pool import Pool
from cloudsync_core.backends._fsspec_temporary import Temporary
from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    InvalidKeyError,
    KeyBlockedError,
    ObjectNotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location

TIME = dt.datetime(2026, 11, 20, 12, 0, 0, 250_000, dt.UTC)


def entry(**facts):
    return Entry.of("name", {"type": "file", "size": 3, **facts})


class TestEntry:
    def test_a_size_alone_is_no_fingerprint(self):
        assert entry().stamp == ""
        assert entry(ino=12).stamp == "", "a file can be overwritten in place"
        assert as_object("name", entry()).fingerprint == ""
        assert not as_object("name", entry()).version

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"mtime": 1.5}, {"mtime": 1.25}),
            ({"mtime": TIME}, {"mtime": TIME + dt.timedelta(microseconds=1)}),
            ({"ETag": '"a"'}, {"ETag": '"b"'}),
            ({"LastModified": TIME, "ETag": '"a"'}, {"LastModified": TIME, "ETag": '"b"'}),
            ({"mtime": 1.5, "ino": 1}, {"mtime": 1.5, "ino": 2}),
            ({"mtime": 1.5, "created": 1.5}, {"mtime": 1.5, "created": 2.5}),
            ({"modificationTime": 1_700_000_000_001}, {"modificationTime": 1_700_000_000_002}),
            ({"mtime": 1.5, "size": 3}, {"mtime": 1.5, "size": 4}),
        ],
    )
    def test_whatever_the_filesystem_tells_changes_the_fingerprint(self, before, after):
        assert entry(**before).stamp != entry(**after).stamp

    def test_listing_and_info_may_tell_one_time_in_two_forms(self):
        assert entry(created=TIME).stamp == entry(created=TIME.timestamp()).stamp

    def test_reading_an_object_does_not_change_its_fingerprint(self):
        assert entry(mtime=TIME, time=TIME).stamp == entry(mtime=TIME, time=TIME + dt.timedelta(days=1)).stamp

    def test_times_are_nanoseconds(self):
        wanted = 1_795_176_000_250_000_000
        assert entry(mtime=TIME).modified_ns == wanted
        assert entry(mtime=TIME.timestamp()).modified_ns == wanted
        assert entry(modificationTime=1_795_176_000_250).modified_ns == wanted

    def test_B07_whole_seconds_say_nothing_of_a_file_that_is_young(self):
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        assert as_object("name", entry(mtime=now)).fingerprint == ""
        assert as_object("name", entry(mtime=now), written=True).fingerprint != ""
        assert as_object("name", entry(mtime=now - dt.timedelta(seconds=5))).fingerprint != ""
        assert as_object("name", entry(mtime=now, etag="a")).fingerprint != "", "an etag changes with the content"


class AnsweredError(Exception):
    def __init__(self, status, headers=None):
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers or {}


def named(module, name, base=Exception):
    return type(name, (base,), {"__module__": module})("text")


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (FileNotFoundError("x"), ObjectNotFoundError),
            (PermissionError(errno.EACCES, "Permission denied"), AccessDeniedError),
            (OSError(errno.EROFS, "Read-only file system"), AccessDeniedError),
            (NotADirectoryError("x"), KeyBlockedError),
            (IsADirectoryError("x"), KeyBlockedError),
            (FileExistsError("x"), KeyBlockedError),
            (OSError(errno.ENAMETOOLONG, "File name too long"), InvalidKeyError),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), InvalidKeyError),
            (TimeoutError("timed out"), UnavailableError),
            (ConnectionResetError("reset"), UnavailableError),
            (socket.gaierror(-2, "Name or service not known"), UnavailableError),
            (EOFError(), UnavailableError),
            (OSError(errno.EIO, "Input/output error"), UnavailableError),
            (OSError(errno.ENETUNREACH, "Network is unreachable"), UnavailableError),
            (NotImplementedError("x"), UnsupportedOperationError),
            (OSError("Failure"), UnexpectedBackendError),
            (KeyError("x"), UnexpectedBackendError),
            (ftplib.error_temp("421 Too many connections"), UnavailableError),
            (ftplib.error_perm("530 Login incorrect"), UnauthenticatedError),
            (ftplib.error_perm("550 Permission denied."), AccessDeniedError),
            (ftplib.error_perm("550 What a pity"), UnexpectedBackendError),
            (AnsweredError(401), UnauthenticatedError),
            (AnsweredError(403), AccessDeniedError),
            (AnsweredError(404), ObjectNotFoundError),
            (AnsweredError(429), ThrottledError),
            (AnsweredError(503), UnavailableError),
            (AnsweredError(418), UnexpectedBackendError),
            (named("paramiko.ssh_exception", "AuthenticationException"), UnauthenticatedError),
            (named("paramiko.ssh_exception", "SSHException"), UnavailableError),
            (named("aiohttp.client_exceptions", "ClientConnectionError"), UnavailableError),
            (named("requests.exceptions", "ConnectionError", OSError), UnavailableError),
            (named("elsewhere", "Whatever"), UnexpectedBackendError),
        ],
        ids=lambda value: repr(value) if isinstance(value, Exception) else value.__name__,
    )
    def test_E1_E09_each_error_has_one_meaning(self, error, kind):
        assert type(translate(error)) is kind

    def test_a_subclass_has_the_meaning_of_its_class(self):
        base = type("SSHException", (Exception,), {"__module__": "paramiko.ssh_exception"})
        assert type(translate(type("ChannelException", (base,), {})("x"))) is UnavailableError

    @pytest.mark.parametrize(
        "error", [OSError(errno.ENOSPC, "No space left"), ftplib.error_perm("552 Quota exceeded"), AnsweredError(507)]
    )
    def test_a_full_store_ends_the_run(self, error):
        assert translate(error).disposition is Disposition.ABORT

    def test_a_request_to_wait_is_passed_on(self):
        assert translate(AnsweredError(429, {"Retry-After": "7"})).retry_after == 7
        assert translate(AnsweredError(429, {"Retry-After": "Fri, 20 Nov 2026 12:00:00 GMT"})).retry_after is None

    def test_a_reason_is_one_line_without_secrets(self):
        told = translate(RuntimeError("bad key s3cr3t\nat ftp://me:pw@host/"), ["s3cr3t"])
        assert told.reason == "RuntimeError: bad key *** at ftp://host/"


class Connection:
    """Files that note what happens to them."""

    def __init__(self):
        self.broken = self.closed = False

    def close(self):
        self.closed = True


class TestPool:
    def test_T1_two_operations_at_once_have_two_connections(self):
        pool = Pool(Connection, shared=False)
        with pool.lend() as one, pool.lend() as two:
            assert one is not two

    def test_a_sound_connection_is_used_again(self):
        pool = Pool(Connection, shared=False)
        with pool.lend() as one:
            pass
        with pytest.raises(FileNotFoundError), pool.lend():
            raise FileNotFoundError
        with pool.lend() as two:
            assert one is two

    def test_a_connection_that_may_be_broken_is_closed(self):
        pool = Pool(Connection, shared=False)
        with pytest.raises(EOFError), pool.lend() as one:
            raise EOFError
        with pool.lend() as two:
            assert one is not two
        assert one.closed

    def test_one_that_is_made_for_many_is_shared(self):
        pool = Pool(Connection, shared=True)
        with pool.lend() as one, pool.lend() as two:
            assert one is two

    def test_a_shared_one_that_may_be_broken_is_replaced(self):
        pool = Pool(Connection, shared=True)
        with pytest.raises(EOFError), pool.lend() as one:
            raise EOFError
        with pool.lend() as two:
            assert one is not two

    def test_closing_closes_what_is_free(self):
        pool = Pool(Connection, shared=False)
        with pool.lend() as one:
            pass
        pool.close()
        assert one.closed


def test_P2_a_lost_connection_is_cleaned_up_after_by_another():
    removed = []

    class Lost(Connection):
        def writer(self, path):
            return self

        def abandon(self):
            pass

        def remove(self, path):
            raise EOFError

    class Sound(Connection):
        def remove(self, path):
            removed.append(path)

    with pytest.raises(ConnectionResetError), Temporary(Lost(), Pool(Sound, shared=False), "/folder", "/folder/final"):
        raise ConnectionResetError
    assert [path[:12] for path in removed] == ["/folder/.cs-"]


class FtpFilesystem:
    """fsspec's filesystem around a connection of a test's own."""

    def __init__(self, connection):
        self.ftp = connection

    def ls(self, path, **kwargs):
        raise AssertionError("what `ls -l` prints is not to be trusted")

    mv = ls


class TestFtp:
    @pytest.fixture
    def backend(self, ftp_server):
        folder = uuid.uuid4().hex
        ftp_server.make_folder(folder)
        with FsspecBackend(Location.parse(ftp_server.url(folder)), FsspecOptions(**ftp_server.options)) as opened:
            yield opened

    def test_a_dropped_connection_fails_one_operation(self, backend):
        backend.put("object", Body(b"content"))
        [files] = backend._pool._free
        files._ftp.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(UnavailableError):
            backend.stat("object")
        assert backend.stat("object").size == 7

    def test_one_connection_serves_one_operation_after_another(self, backend):
        for number in range(5):
            backend.put(f"{number}", Body(b"content"))
            with backend.get(f"{number}") as reader:
                reader.read()
        assert len(list(backend.list())) == 1
        assert len(backend._pool._free) == 1

    def test_a_server_without_exact_listings_is_refused(self):
        class Old:
            def mlsd(self, path):
                raise ftplib.error_perm("500 Unknown command.")

            def sendcmd(self, command):
                raise ftplib.error_perm("502 Command not implemented.")

        files = FtpFiles(FtpFilesystem(Old()))
        for asked in (files.entries, files.entry):
            with pytest.raises(UnsupportedOperationError, match="MLSD"):
                asked("/folder")

    @pytest.mark.parametrize(
        ("facts", "kind"),
        [
            ("Type=file;Size=3;Modify=20261120120000.250;", "file"),
            ("type=dir;modify=20261120120000;", "folder"),
            ("Type=OS.unix=slink:/etc;Size=3;", "other"),
        ],
    )
    def test_facts_of_RFC_3659_are_understood(self, facts, kind):
        class Server:
            def sendcmd(self, command):
                return f"250-Listing {command}\n {facts} /folder/a name; with=signs\n250 End"

        found = FtpFiles(FtpFilesystem(Server())).entry("/folder/a name; with=signs")
        assert (found.name, found.kind) == ("a name; with=signs", kind)
        if kind == "file":
            assert (found.size, found.modified_ns) == (3, 1_795_176_000_250_000_000)
