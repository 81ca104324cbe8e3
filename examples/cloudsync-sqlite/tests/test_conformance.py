"""A backend that knows nothing of this repository keeps every clause of the contract."""

import functools
import sqlite3
from pathlib import Path

import cloudsync_sqlite
import pytest

from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


def test_the_whole_package_has_fewer_than_100_lines():
    assert len(Path(cloudsync_sqlite.__file__).read_text().splitlines()) < 100


class Hasty(sqlite3.Connection):
    """A connection that leaves it to the system when the disk has what was written: no test ends in a power failure."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA synchronous = OFF")


class TestSqlite(BackendContract):
    @pytest.fixture
    def make_backend(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Hasty))

        def make(root="first"):
            options = cloudsync_sqlite.Options(create=root != "missing")
            return cloudsync_sqlite.SqliteBackend(Location.parse(f"sqlite://{tmp_path}/{root}.db"), options)

        return make
