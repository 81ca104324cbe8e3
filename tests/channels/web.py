"""A web server of the tests: it answers as it is told, and keeps what it was sent."""

import contextlib
import dataclasses
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Sent:
    """One request."""

    path: str
    headers: dict
    body: bytes


class Server:
    """A server on 127.0.0.1.

    Attributes:
        url: of it, with a path and a query that are nobody's business.
        got: the requests, in order.
        answers: what it says next: `(status, headers, body)` each, or a function of the connection that says it;
            200 when there is nothing more.
    """

    def __init__(self, certificate=None):
        self.got = []
        self.answers = []
        self.ended = threading.Event()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._httpd.handle_error = lambda *_: None  # clients that hang up are what some tests are about
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._httpd.socket = context.wrap_socket(
                self._httpd.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.port = self._httpd.server_port
        self.origin = f"{scheme}://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/hooks/token-in-the-path?key=token-in-the-query"
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                answer = server.answers.pop(0) if server.answers else (200, {}, b"")
                if callable(answer):
                    with contextlib.suppress(OSError):
                        answer(self)
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.got.append(Sent(self.path, dict(self.headers), body))
                status, headers, content = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler
