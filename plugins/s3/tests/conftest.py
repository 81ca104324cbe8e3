"""Opens the backend on the servers that the fixtures of the repository start."""

import contextlib
import dataclasses
import socket
import socketserver
import ssl
import threading
from pathlib import Path

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options

from cloudsync_core.location import Location
from tests.servers.certificates import certificates
from tests.servers.proxy import proxy_before
from tests.servers.s3 import S3Server
from tests.servers.sqs import Queues


@dataclasses.dataclass(frozen=True)
class SecureServer(S3Server):
    """A server behind TLS, with a certificate for 127.0.0.1.

    Attributes:
        authority: the file with the certificate of the authority that made it.
    """

    authority: Path


@pytest.fixture
def secure_moto(moto_s3, tmp_path):
    """Moto behind TLS."""
    authority, certificate = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with proxy_before(moto_s3, context) as proxy:
        fields = dataclasses.asdict(proxy.server)
        yield SecureServer(**fields, authority=authority)


@pytest.fixture
def tunnels():
    """A proxy that opens tunnels; `heads` are the requests for them, `port` is its own."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.rfile.readline()
            self.server.heads.append(head.decode())
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as upstream:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, self.connection))
                back.start()
                _pump(self.connection, upstream)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.heads = []
        server.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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


def _pump(source, target):
    """Pass on what comes, to its end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def queues(moto_s3):
    """The queues of moto."""
    found = Queues(moto_s3)
    yield found
    found.close()
