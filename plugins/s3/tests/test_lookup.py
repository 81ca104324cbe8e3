"""Listings of real servers, which are asked for several stretches of them at a time."""

import concurrent.futures
import dataclasses

import pytest

from cloudsync_core.backends.objectstore import ranges
from cloudsync_core.testing.clauses.setting import store


@pytest.fixture(autouse=True)
def always_slow(monkeypatch):
    """Cut whatever is long, however fast the server is."""
    monkeypatch.setattr(ranges, "SLOW", -1.0)


class Telling:
    """Passes requests on to a connection with a few keys to a page, and remembers what was asked."""

    def __init__(self, connection, size):
        self._connection = connection
        self._size = size
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def list_page(self, **parameters):
        self.asked.append(parameters)
        return self._connection.list_page(**parameters, MaxKeys=self._size)


class TestServers:
    """What moto and rclone tell, who both take keys as bounds that they do not have."""

    KEYS = (  # of the shapes that a wrong order, or a name decoded twice, would show
        *(f"counter-{number:03}" for number in range(60)),
        *(f"day/{month:02}/{day:02}/{number}" for month in range(3) for day in range(9) for number in range(4)),
        *(f"beside{end}" for end in ("-x", ".y", "/a", "/b", "0")),
        *(f"\u00e9 +%20{number}&<" for number in range(30)),
        *(f"\ufffd{number}" for number in range(10)),
        *(f"\U0001f600/{number}" for number in range(10)),
    )

    @pytest.fixture
    def backend(self, s3_server, open_s3):
        backend = open_s3(s3_server, s3_server.make_bucket(), "root")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            # rclone answers 500 now and then when folders are made at the same time.
            list(pool.map(lambda key: store(backend, key, b"x"), self.KEYS))
        backend.place = dataclasses.replace(backend.place, connection=Telling(backend.place.connection, 5))
        return backend

    def test_A14_tell_the_same_in_stretches_as_page_by_page(self, backend):
        whole = [info for page in backend.list() for info in page]
        assert [info.key for info in whole] == sorted(self.KEYS)
        asked = backend.place.connection.asked
        assert len({parameters.get("StartAfter") for parameters in asked}) > 5, "the listing was not cut"
        backend._cutting.allowed = False
        assert [info for page in backend.list() for info in page] == whole

    def test_tell_what_is_under_a_prefix_and_after_a_key(self, backend):
        wanted = [key for key in sorted(self.KEYS) if key.startswith("day/") and key > "day/00/03/2"]
        assert [key for page in backend.list("day", start_after="day/00/03/2") for key in page.keys] == wanted
        assert all(asked["Prefix"].startswith("root/day/") for asked in backend.place.connection.asked)
        assert all(asked["StartAfter"] >= "root/day/00/03/2" for asked in backend.place.connection.asked)
