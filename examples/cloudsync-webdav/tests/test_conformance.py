"""The backend keeps every clause of the contract, on a real server."""

from typing import ClassVar

import pytest
from cloudsync_core.testing import BackendContract

from .conftest import Connection


class TestWebdav(BackendContract):
    refuses: ClassVar = {
        **dict.fromkeys(
            ("tab", "newline", "carriage-return", "u0001", "backspace", "escape", "delete", "every-control-character"),
            "rclone's servers keep control characters as others, so none is sent to any server",
        ),
        "encoder-quote": "rclone's servers keep the character twice",
        "name-of-256-bytes": "the file systems under servers take 255",
        "two-byte-name-of-256-bytes": "the file systems under servers take 255",
    }

    @pytest.fixture
    def make_backend(self, server, folder):
        for root in ("first", "second"):
            server.make_folder(f"{folder}/{root}")
        self.directory = server.directory / folder
        return lambda root="first": server.open(f"{folder}/{root}")

    def leftovers(self, backend):
        return [path.name for path in self.directory.rglob(".cs-*")]

    def cut_off(self, backend):
        return Connection.cut()
