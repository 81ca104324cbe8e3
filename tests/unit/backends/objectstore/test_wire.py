"""Requests over plain connections: each is sent once, whatever becomes of it, and answers are whole or an error."""

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from cloudsync_core.backends.objectstore import pool
from cloudsync_core.backends.objectstore.pool import Pool, secure_context
from cloudsync_core.backends.objectstore.server import server_of
from cloudsync_core.backends.objectstore.transport import (
    ConnectionLostError,
    DamagedAnswerError,
    IncompleteAnswerError,
    NoAnswerError,
    TransportError,
    UnreachableError,
    UnsayableRequestError,
)
from cloudsync_core.backends.objectstore.wire import Request, Wire, anonymous, query_string

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = Request("HEAD", "/bucket/key")
GET = Request("GET", "/bucket/key", {"a": "b c"}, {"range": "bytes=0-1"})


class Scripted:
    """A server that answers the n-th request with the n-th of some answers, and closes the connection on `None`.

    Attributes:
        url: of the server.
        heads: the requests that came, without their content.
        connections: how many there were.
    """

    def __init__(self):
        self.heads = []
        self.connections = 0
        self.answers = []
        scripted = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                scripted.connections += 1
                with contextlib.suppress(OSError):
                    while scripted.serve(self.rfile, self.wfile):
                        pass

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, rfile, wfile):
        lines = []
        while (line := rfile.readline()).strip():
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        if not lines:
            return False
        lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
        self.heads.append(lines)
        answer = self.answers.pop(0)
        if answer is None:
            return False
        if callable(answer):
            return answer(rfile, wfile)
        rfile.read(sum(lengths))
        wfile.write(answer)
        return True

    @contextlib.contextmanager
    def running(self):
        with self._server:
            thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield self
            finally:
                self._server.shutdown()
                thread.join()


@pytest.fixture
def server():
    with Scripted().running() as scripted:
        yield scripted


@pytest.fixture
def wire(server):
    """A wire to the server."""
    with contextlib.closing(wire_to(server.url)) as opened:
        yield opened


def wire_to(url, *, authorise=anonymous, connect_timeout=5, read_timeout=5):
    server = server_of(url)
    connections = Pool(
        server,
        lambda: secure_context(None, verify=True),
        None,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )
    return Wire(server, connections, authorise=authorise, proxy=None, user_agent="tests")


def closes(answer):
    """Answer, and close the connection without a word of it."""

    def serve(rfile, wfile):
        wfile.write(answer)
        return False

    return serve


class TestRequests:
    def test_anonymous_request_is_as_it_was_asked(self, server, wire):
        server.answers = [OK]
        answer = wire.request(GET)
        assert (answer.status, answer.body, answer.headers) == (200, b"ok", {"content-length": "2"})
        [head] = server.heads
        assert head[0] == "GET /bucket/key?a=b%20c HTTP/1.1"
        assert set(head[1:]) == {
            f"host: {server.url.removeprefix('http://')}",
            "range: bytes=0-1",
            "user-agent: tests",
            "accept-encoding: identity",
        }

    def test_who_asks_is_said_by_query_and_headers(self, server):
        given = []

        def authorise(request, headers):
            given.append((request, headers))
            return "a=b%20c&sig=1", {**headers, "authorization": "me"}

        server.answers = [OK]
        with contextlib.closing(wire_to(server.url, authorise=authorise)) as wire:
            wire.request(GET)
        assert given == [(GET, {"host": server.url.removeprefix("http://"), "range": "bytes=0-1"})]
        assert server.heads[0][0] == "GET /bucket/key?a=b%20c&sig=1 HTTP/1.1"
        assert "authorization: me" in server.heads[0]

    def test_what_authorising_raises_is_raised_and_nothing_sent(self, server):
        def authorise(request, headers):
            raise LookupError

        with contextlib.closing(wire_to(server.url, authorise=authorise)) as wire, pytest.raises(LookupError):
            wire.request(GET)
        assert server.connections == 0

    def test_another_encoding_can_be_accepted(self, server, wire):
        server.answers = [OK]
        wire.request(Request("GET", "/key", headers={"accept-encoding": "gzip"}))
        assert [line for line in server.heads[0] if line.startswith("accept")] == ["accept-encoding: gzip"]

    def test_content_may_come_in_pieces(self, server, wire):
        got = []

        def reads(rfile, wfile):
            got.append(rfile.read(6))
            wfile.write(OK)
            return True

        server.answers = [reads]
        wire.request(Request("PUT", "/key", {}, {}, iter([b"abc", memoryview(b"def")]), 6))
        assert got == [b"abcdef"]

    def test_put_without_content_says_so(self, server, wire):
        server.answers = [OK]
        wire.request(Request("PUT", "/key"))
        assert "content-length: 0" in server.heads[0]

    def test_header_that_cannot_be_sent_is_an_error_and_sends_nothing(self, server, wire):
        with pytest.raises(UnsayableRequestError):
            wire.request(Request("GET", "/key", {}, {"if-match": '"a\r\nx-injected: 1"'}))
        assert server.heads == []


class TestAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
            closes(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdef"),
            closes(b"HTTP/1.0 200 OK\r\n\r\nabcdef"),
        ],
        ids=["chunked", "sized", "after-a-continue", "closed", "old"],
    )
    def test_content_is_read_whole(self, server, wire, answer):
        server.answers = [answer, OK]
        assert wire.request(GET).body == b"abcdef"
        assert wire.request(GET).body == b"ok"
        assert len(server.heads) == 2

    def test_answer_to_a_head_has_no_content(self, server, wire):
        server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"] * 2
        assert [wire.request(HEAD).headers["content-length"] for _ in range(2)] == ["5000", "5000"]
        assert server.connections == 1

    def test_headers_are_utf_8(self, server, wire):
        server.answers = ["HTTP/1.1 200 OK\r\nX-Amz-Meta-Who: Zoë \x85\r\nContent-Length: 0\r\n\r\n".encode()]
        assert wire.request(GET).headers["x-amz-meta-who"] == "Zoë \x85"

    def test_refusal_is_an_answer(self, server, wire):
        server.answers = [b"HTTP/1.1 503 Slow\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy"]
        answer = wire.request(GET)
        assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"why")

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (closes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), IncompleteAnswerError),
            (
                closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"),
                IncompleteAnswerError,
            ),
            (None, ConnectionLostError),
            (closes(b"HTTP/1.1 200 OK\r\nContent-Le"), ConnectionLostError),
            (closes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), ConnectionLostError),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", DamagedAnswerError),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", DamagedAnswerError),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", DamagedAnswerError),
        ],
        ids=["cut", "cut-chunk", "dropped", "cut-header", "cut-head", "no-http", "too-many-headers", "too-long-header"],
    )
    def test_G2_answer_that_is_not_whole_is_an_error(self, server, wire, answer, kind):
        server.answers = [answer, OK]
        with pytest.raises(kind):
            wire.request(GET)
        assert len(server.heads) == 1
        assert wire.request(GET).body == b"ok"
        assert server.connections == 2


class TestConnections:
    def test_connection_serves_one_request_after_another(self, server, wire):
        server.answers = [OK] * 50
        for _ in range(50):
            wire.request(GET)
        assert server.connections == 1

    def test_T1_threads_have_each_their_own(self, server, wire):
        together = threading.Barrier(8, timeout=10)

        def waits(rfile, wfile):
            together.wait()
            wfile.write(OK)
            return True

        server.answers = [waits] * 8
        threads = [threading.Thread(target=wire.request, args=(GET,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.connections == 8
        server.answers = [OK] * 8
        for _ in range(8):
            wire.request(GET)
        assert server.connections == 8

    def test_E08_connection_that_the_server_has_closed_is_not_used(self, server, wire):
        server.answers = [closes(OK), OK]
        wire.request(GET)
        time.sleep(0.1)
        assert wire.request(GET).body == b"ok"
        assert len(server.heads) == 2

    def test_connection_that_was_idle_for_long_is_not_used(self, server, wire, monkeypatch):
        server.answers = [OK, OK]
        wire.request(GET)
        monkeypatch.setattr(pool, "IDLE_SECONDS", 0)
        wire.request(GET)
        assert server.connections == 2

    def test_refusal_before_the_content_was_read_is_heard(self, server, wire):
        server.answers = [closes(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy")]
        piece = bytes(1 << 20)
        try:
            answer = wire.request(Request("PUT", "/key", {}, {}, (piece for _ in range(64)), 64 << 20))
        except ConnectionLostError:
            # What the system drops with a connection that was reset, nobody can read.
            pass
        else:
            assert (answer.status, answer.body) == (403, b"why")

    def test_close_ends_a_request_that_waits(self, server, wire):
        arrived, over = threading.Event(), threading.Event()

        def waits(rfile, wfile):
            arrived.set()
            return over.wait(10)

        server.answers = [waits]
        failures = []

        def work():
            try:
                wire.request(GET)
            except TransportError as failure:
                failures.append(failure)

        thread = threading.Thread(target=work)
        thread.start()
        arrived.wait(10)
        started = time.monotonic()
        wire.close()
        thread.join()
        over.set()
        assert time.monotonic() - started < 3
        assert [type(failure) for failure in failures] == [ConnectionLostError]


class TestUnreachable:
    def test_nobody_listens(self):
        with pytest.raises(UnreachableError):
            wire_to("http://127.0.0.1:9").request(GET)

    @pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid"])
    def test_no_such_host(self, host):
        with pytest.raises(UnreachableError):
            wire_to(f"http://{host}").request(GET)

    def test_nothing_comes(self, server):
        server.answers = [lambda rfile, wfile: time.sleep(0.5)]
        with pytest.raises(NoAnswerError):
            wire_to(server.url, read_timeout=0.1).request(GET)
        assert len(server.heads) == 1

    def test_secure_connection_takes_too_long(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            pytest.raises(UnreachableError),
        ):
            wire_to(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.1).request(GET)


def test_queries_are_sorted_and_encoded():
    assert query_string({}) == ""
    assert query_string({"b": "1", "a": "x y/ü~", "c": ""}) == "a=x%20y%2F%C3%BC~&b=1&c="
