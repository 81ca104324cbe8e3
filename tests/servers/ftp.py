"""An FTP server over a directory, started once per test session (and per xdist worker)."""

from __future__ import annotations

import contextlib
import dataclasses
import ftplib
import os
import re
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import running
from tests.servers.s3 import rclone_binary

_USER = "tester"
_PASSWORD = "secret-of-the-ftp-server"


@dataclasses.dataclass(frozen=True)
class FtpServer:
    """A running server and how to reach it.

    Attributes:
        port: on 127.0.0.1.
        directory: what it serves as `/`, for tests to look at. The server keeps a cache of folders, which with a
            lifetime of 0 doubles the time of each operation, so what tests put there by themselves it may not show.
    """

    port: int
    directory: Path

    @property
    def options(self) -> dict[str, str]:
        """The options of a location on this server, as a user writes them."""
        return {"username": _USER, "password": _PASSWORD}

    def make_folder(self, path: str) -> None:
        """Make `path`, which has no leading slash, and the folders above it."""
        with self.client() as client:
            parts = path.split("/")
            for depth in range(len(parts)):
                client.mkd("/" + "/".join(parts[: depth + 1]))

    def client(self) -> ftplib.FTP:
        """Return a connection of the standard library's client."""
        client = ftplib.FTP(timeout=10, encoding="utf-8")
        client.connect("127.0.0.1", self.port)
        client.login(_USER, _PASSWORD)
        return client

    def url(self, path: str) -> str:
        """Return the location of `path`, which has no leading slash."""
        return f"ftp://127.0.0.1:{self.port}/{path}"


class Line:
    """Stands for the module `socket` in ftplib: every connection, of commands and of content, can be cut."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._is_cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)

    def create_connection(self, *arguments: Any, **named: Any) -> socket.socket:
        """Connect, unless the line is cut."""
        if self._is_cut:
            raise ConnectionRefusedError("the line is cut")
        connected = socket.create_connection(*arguments, **named)
        self._open.add(connected)
        return connected

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Let no byte through for the length of the block, and end what is connected."""
        self._is_cut = True
        for connected in list(self._open):
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self._is_cut = False


@pytest.fixture(scope="session")
def ftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServer]:
    """`rclone serve ftp`: MLSD with times of whole seconds, renames that replace."""
    directory = tmp_path_factory.mktemp("ftp-data")
    # It cannot choose a port by itself: it takes 0 for its default.
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    command = [
        rclone_binary(), "serve", "ftp", directory,
        "--addr", f"127.0.0.1:{port}", "--user", _USER, "--pass", _PASSWORD,
        "--vfs-cache-mode", "off",
    ]  # fmt: skip
    announces = re.compile(r"Serving FTP on 127\.0\.0\.1:(\d+)")
    log = tmp_path_factory.mktemp("ftp") / "log"
    with running("ftp", command, announces=announces, ready=_answers, log=log, env={"RCLONE_CONFIG": os.devnull}):
        yield FtpServer(port, directory)


def _answers(port: str) -> None:
    FtpServer(int(port), Path()).client().close()
