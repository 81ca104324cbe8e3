"""Opens the backend on the servers that the fixtures of the repository start."""

import ssl

import pytest
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions

from cloudsync_core.location import Location
from tests.servers.certificates import certificates
from tests.servers.proxy import proxy_before


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


@pytest.fixture
def behind_tls(tmp_path):
    """Return a function that runs a proxy behind TLS before a server, and the file of the authority to trust."""
    authority, certificate = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return lambda server: proxy_before(server, context), authority
