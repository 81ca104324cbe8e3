"""A backend that knows nothing of this repository keeps every clause of the contract."""

from pathlib import Path

import cloudsync_sqlite
import pytest

from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


def test_the_whole_package_has_fewer_than_100_lines():
    assert len(Path(cloudsync_sqlite.__file__).read_text().splitlines()) < 100


class TestSqlite(BackendContract):
    @pytest.fixture
    def make_backend(self, tmp_path):
        def make(root="first"):
            options = cloudsync_sqlite.Options(create=root != "missing")
            return cloudsync_sqlite.SqliteBackend(Location.parse(f"sqlite://{tmp_path}/{root}.db"), options)

        return make
