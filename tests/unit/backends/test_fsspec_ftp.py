"""The fsspec backend on a real FTP server."""

import ftplib
import os
import time
import uuid
from typing import ClassVar

import pytest

from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.body import Body
from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract
from tests.servers.ftp import Line

SECOND_NS = 1_000_000_000


def ftp(server, path, **options):
    return FsspecBackend(Location.parse(server.url(path)), FsspecOptions(**server.options, **options))


class TestFsspecFtp(BackendContract):
    refuses: ClassVar = {
        "newline": "a line break ends an FTP command",
        "carriage-return": "a line break ends an FTP command",
        "every-control-character": "two of them are line breaks",
    }

    departures: ClassVar = {
        **dict.fromkeys(
            ("test_L4_keys_are_exact[name-of-256-bytes]", "test_L4_keys_are_exact[two-byte-name-of-256-bytes]"),
            "this server goes on to list a file under the name that its own file system refused",
        ),
        "test_P3_another_content_of_the_same_size_has_another_fingerprint": (
            "the server's times are whole seconds: only a change in another second shows"
        ),
    }

    @pytest.fixture
    def make_backend(self, ftp_server, monkeypatch):
        name = uuid.uuid4().hex
        self.line = Line()
        monkeypatch.setattr(ftplib, "socket", self.line)

        def make(root="first"):
            if root != "missing":
                ftp_server.make_folder(f"{name}/{root}")
            return ftp(ftp_server, f"{name}/{root}")

        self.directory = ftp_server.directory
        return make

    def leftovers(self, backend):
        root = self.directory / backend.identity.root.strip("/")
        return [name for _, _, names in os.walk(root) for name in names if name.startswith(".cs-")]

    def cut_off(self, backend):
        return self.line.cut()

    def test_P3_another_content_in_another_second_has_another_fingerprint(self, backend):
        seen = set()
        for turn in range(3):
            written = backend.put("object", Body(b"content %d" % turn))
            seen.add(written.fingerprint)
            while time.time_ns() // SECOND_NS <= written.modified_ns // SECOND_NS:
                time.sleep(0.05)
        assert len(seen) == 3

    def test_B07_a_file_that_changed_in_this_second_has_no_fingerprint_yet(self, backend):
        written = backend.put("object", Body(b"content"))
        found = backend.stat("object").fingerprint
        # The clock is looked at after the look at the object: nobody knows when in between the seconds were over.
        while time.time_ns() - written.modified_ns <= 2 * SECOND_NS:
            assert found == ""
            time.sleep(0.05)
            found = backend.stat("object").fingerprint
        assert backend.stat("object").fingerprint == written.fingerprint
