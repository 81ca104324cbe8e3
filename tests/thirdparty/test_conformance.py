"""A backend that knows nothing of this repository keeps every clause of the contract."""

import importlib
import pathlib

import pytest

from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


@pytest.fixture
def sqlite_package(monkeypatch):
    monkeypatch.syspath_prepend(pathlib.Path(__file__).with_name("cloudsync-sqlite"))
    return importlib.import_module("cloudsync_sqlite")


def test_the_whole_package_has_fewer_than_100_lines():
    sources = pathlib.Path(__file__).with_name("cloudsync-sqlite").rglob("*.py")
    assert sum(len(source.read_text().splitlines()) for source in sources) < 100


class TestSqlite(BackendContract):
    @pytest.fixture
    def make_backend(self, sqlite_package, tmp_path):
        def make(root="first"):
            options = sqlite_package.Options(create=root != "missing")
            return sqlite_package.SqliteBackend(Location.parse(f"sqlite://{tmp_path}/{root}.db"), options)

        return make
