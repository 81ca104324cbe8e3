"""Opens the backend on the servers that the fixtures of the repository start."""

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options

from cloudsync_core.location import Location


@pytest.fixture
def open_s3():
    """Return a function that opens a prefix on a server and closes it with the test."""
    opened = []

    def open_backend(server, bucket, prefix="", **options):
        backend = S3Backend(Location("s3", f"{bucket}/{prefix}"), S3Options(**{**server.options, **options}))
        backend.server = server
        opened.append(backend)
        return backend

    yield open_backend
    for backend in opened:
        backend.close()
