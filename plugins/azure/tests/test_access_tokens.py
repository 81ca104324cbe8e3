"""Access tokens on a server that reads them, behind TLS: from the machine's identity to the object and back."""

import contextlib
import http.server
import json
import threading
import time

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import AccessDeniedError, UnauthenticatedError


@contextlib.contextmanager
def identity(token):
    """A machine's own server of tokens, as App Service has one, that hands out this one; yields its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = {"access_token": token, "expires_on": str(int(time.time()) + 7200), "token_type": "Bearer"}
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer | {"resource": "https://storage.azure.com"}).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/token"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def open_by(azurite_with_tokens, open_azure, monkeypatch):
    """Return a function that opens a fresh container by an identity to which a token is given."""
    with contextlib.ExitStack() as stack:

        def opened(token, **options):
            monkeypatch.setenv("IDENTITY_ENDPOINT", stack.enter_context(identity(token)))
            monkeypatch.setenv("IDENTITY_HEADER", "header")
            container = azurite_with_tokens.make_container()
            return open_azure(azurite_with_tokens, container, account_key=None, managed_identity=True, **options)

        yield opened


def test_a_token_opens_every_verb(azurite_with_tokens, open_by):
    backend = open_by(azurite_with_tokens.token(), multipart_threshold="100KiB", part_size="70KiB")
    small = backend.put("small", Body(b"content"))
    backend.put("large", Body(bytes(300_000)))
    backend.copy(backend, small, "copy")
    assert [key for page in backend.list() for key in page.keys] == ["copy", "large", "small"]
    assert backend.read("copy", 100).read() == b"content"
    with backend.get("large") as reader:
        assert sum(map(len, reader.chunks())) == 300_000
    backend.delete("small")
    assert backend.stat("copy").size == 7


@pytest.mark.parametrize(
    "wrong", [{"seconds": -60}, {"audience": "https://management.azure.com/"}], ids=["expired", "for another service"]
)
def test_a_token_that_is_not_valid_opens_nothing(azurite_with_tokens, open_by, wrong):
    backend = open_by(azurite_with_tokens.token(**wrong))
    with pytest.raises((UnauthenticatedError, AccessDeniedError)):
        list(backend.list())
