"""Opens the backend on the servers that the fixtures of the repository start."""

import pytest
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions

from cloudsync_core.location import Location


@pytest.fixture
def open_gcs():
    """Return a function that opens a prefix on a server and closes it with the test."""
    opened = []

    def open_backend(server, bucket, prefix="", **options):
        backend = GCSBackend(Location("gs", f"{bucket}/{prefix}"), GCSOptions(**{**server.options, **options}))
        backend.server = server
        opened.append(backend)
        return backend

    yield open_backend
    for backend in opened:
        backend.close()
