"""What a server answers, and what happens on the way to it, has a meaning."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3
from cloudsync_core import errors
from cloudsync_core.errors import Disposition
from cloudsync_core.location import Location

from cloudsync_webdav.backend import WebdavBackend
from cloudsync_webdav.client import AnswerError
from cloudsync_webdav.config import WebdavOptions
from cloudsync_webdav.errors import FAILURES, STATUSES, translated

PLACE = "dav://host/folder"


def meaning(error):
    with pytest.raises(errors.BackendError) as caught, translated("put", PLACE, "key"):
        raise error
    return caught.value


def answered(status):
    return meaning(AnswerError("PUT", urllib3.HTTPResponse(status=status, reason="Why")))


class TestAStatus:
    @pytest.mark.parametrize(("status", "kind"), STATUSES.items())
    def test_in_the_table_means_what_it_says(self, status, kind):
        error = answered(status)
        assert type(error) is kind
        assert str(error) == f"put {PLACE}/key: the server answers PUT with {status} Why"

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
    def test_that_may_pass_is_tried_again(self, status):
        assert answered(status).disposition is Disposition.RETRY

    @pytest.mark.parametrize("status", [301, 400, 405, 418])
    def test_that_nobody_expects_skips_the_object(self, status):
        assert type(answered(status)) is errors.UnexpectedBackendError

    def test_of_a_server_that_is_full_ends_the_run(self):
        assert answered(507).disposition is Disposition.ABORT


class TestAFailure:
    @pytest.mark.parametrize(
        "error",
        [
            urllib3.exceptions.ConnectTimeoutError("https://user:hunter2@host"),
            urllib3.exceptions.ReadTimeoutError(None, None, "hunter2"),
            urllib3.exceptions.NewConnectionError(None, "hunter2"),
            urllib3.exceptions.ProtocolError("hunter2"),
            urllib3.exceptions.IncompleteRead(1, 2),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_is_tried_again_and_quotes_nothing(self, error):
        found = meaning(error)
        assert type(found) is errors.UnavailableError
        assert found.reason in FAILURES.values()
        assert "hunter2" not in str(found)

    def test_of_certificates_ends_the_run_with_a_way_out(self):
        error = meaning(urllib3.exceptions.SSLError(ssl.SSLError("bad")))
        assert error.disposition is Disposition.ABORT
        assert "ca_bundle" in error.hint

    def test_of_somebody_else_is_left_alone(self):
        with pytest.raises(ZeroDivisionError), translated("put", PLACE, "key"):
            raise ZeroDivisionError


class TestAServer:
    """What answers, and is no server that the backend can work with."""

    @pytest.fixture
    def open_server(self):
        """Open a backend on a server that answers every request alike."""
        started = []

        def start(status, headers, content=b""):
            class Handler(BaseHTTPRequestHandler):
                def answer(self):
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(content))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

                def log_message(self, *args):
                    pass

                do_OPTIONS = do_PROPFIND = do_GET = do_PUT = answer  # noqa: N815 - the names that http.server calls

            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            backend = WebdavBackend(Location.parse(f"dav://127.0.0.1:{server.server_port}/folder"), WebdavOptions())
            started.append((server, thread, backend))
            return backend

        yield start
        for server, thread, backend in started:
            backend.close()
            server.shutdown()
            server.server_close()
            thread.join()

    @pytest.mark.parametrize("headers", [{}, {"DAV": "1"}, {"DAV": "1, 3, 22"}])
    def test_without_locks_is_refused(self, open_server, headers):
        with pytest.raises(errors.UnsupportedOperationError, match="has no locks"):
            list(open_server(200, headers).list())

    @pytest.mark.parametrize(
        "content",
        [
            b"<html>Welcome</html>",
            b'<?xml version="1.0"?><multistatus xmlns="DAV:"><response><href>/folder/',
            b'<multistatus xmlns="DAV:"><response><href>/folder/</href></response></multistatus>',
            b'<multistatus xmlns="DAV:"/>',
            b"",
        ],
    )
    def test_that_does_not_speak_webdav_lists_nothing_and_says_so(self, open_server, content):
        with pytest.raises(errors.UnavailableError, match="the server's answer"):
            list(open_server(207, {"DAV": "1, 2"}, content).list())

    def test_that_lists_what_lies_elsewhere_is_not_believed(self, open_server):
        tells = (
            "<response><href>{}</href><propstat><prop><resourcetype><collection/></resourcetype></prop>"
            "<status>HTTP/1.1 200 OK</status></propstat></response>"
        )
        entries = "".join(map(tells.format, ["/folder/", "/folder/a/b/"]))
        content = f'<multistatus xmlns="DAV:">{entries}</multistatus>'.encode()
        with pytest.raises(errors.UnavailableError, match="does not lie in it"):
            list(open_server(207, {"DAV": "1, 2"}, content).list())

    @pytest.mark.parametrize("status", [401, 503])
    def test_that_refuses_is_not_empty(self, open_server, status):
        with pytest.raises(errors.BackendError, match=str(status)):
            list(open_server(status, {}).list())
