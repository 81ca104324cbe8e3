"""Opens the backend on the server that the fixtures of the repository start."""

import pytest
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions

from cloudsync_core.location import Location


@pytest.fixture
def open_azure():
    """Return a function that opens a prefix in a server's account and closes it with the test."""
    opened = []

    def open_backend(server, container, prefix="", **options):
        backend = AzureBackend(Location("az", f"{container}/{prefix}"), AzureOptions(**{**server.options, **options}))
        backend.server = server
        opened.append(backend)
        return backend

    yield open_backend
    for backend in opened:
        backend.close()
