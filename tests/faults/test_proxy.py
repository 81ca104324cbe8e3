"""The proxy: each fault reaches the client as it says, and disturbances add up."""

import email.utils
import http.client
import http.server
import threading
import time
from urllib.parse import urlsplit

import pytest

from cloudsync_core.testing.faults import (
    Proxy,
    Response,
    asking_to_wait,
    cut_answer,
    delay_answer,
    drop_request,
    flip_answer,
    flip_request,
    lose_answer,
    refuse,
    reset_answer,
    shorten_answer,
    stall_answer,
)

CONTENT = b"0123456789"


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.received.append((self.command, self.path, body))
        answer = body or CONTENT
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def upstream():
    """A server that answers with what it was sent."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.received = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream):
    del upstream.received[:]
    with Proxy(f"http://127.0.0.1:{upstream.server_address[1]}") as running:
        yield running


def ask(proxy, method="GET", body=None, path="/x", timeout=10):
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def always(request):
    return True


def test_passes_everything_on(proxy, upstream):
    assert ask(proxy, "PUT", b"sent", "/a%20b?c=d") == (200, b"sent")
    assert upstream.received == [("PUT", "/a%20b?c=d", b"sent")]
    [request] = proxy.requests
    assert (request.path, request.query, request.body) == ("/a%20b", {"c": "d"}, b"sent")
    assert (proxy.count(), proxy.count("PUT"), proxy.count("GET")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("fault", "expected", "asked"),
    [
        (refuse(Response(503, b"no")), (503, b"no"), 0),
        (flip_answer(1, 1), (200, b"0323456789"), 1),
        (flip_answer(-1), (200, b"0123456788"), 1),
        (shorten_answer(3), (200, b"0123456"), 1),
        (shorten_answer(30), (200, b""), 1),
        (delay_answer(0.01), (200, CONTENT), 1),
    ],
)
def test_answers(proxy, upstream, fault, expected, asked):
    done = proxy.disturb(always, fault)
    assert ask(proxy) == expected
    assert (done.met, len(upstream.received)) == (1, asked)


@pytest.mark.parametrize(
    ("fault", "error", "asked"),
    [
        (drop_request(), http.client.RemoteDisconnected, 0),
        (lose_answer(), http.client.RemoteDisconnected, 1),
        (cut_answer(4), http.client.IncompleteRead, 1),
        (reset_answer(), (ConnectionResetError, http.client.IncompleteRead), 1),
        (reset_answer(4), (ConnectionResetError, http.client.IncompleteRead), 1),
    ],
)
def test_connections_that_end(proxy, upstream, fault, error, asked):
    proxy.disturb(always, fault, times=1)
    with pytest.raises(error):
        ask(proxy)
    assert len(upstream.received) == asked
    assert ask(proxy) == (200, CONTENT)


@pytest.mark.parametrize("fault", [delay_answer(60), stall_answer(4, 60)])
def test_silence_lasts_until_the_client_has_enough_and_does_not_hold_up_the_end(upstream, fault):
    begun = time.monotonic()
    with Proxy(f"http://127.0.0.1:{upstream.server_address[1]}") as proxy:
        proxy.disturb(always, fault)
        with pytest.raises(TimeoutError):
            ask(proxy, timeout=0.2)
    assert time.monotonic() - begun < 30


def test_bits_flip_on_the_way_up(proxy, upstream):
    proxy.disturb(always, flip_request(2))
    assert ask(proxy, "PUT", b"aaaa") == (200, b"aa`a")
    assert upstream.received == [("PUT", "/x", b"aa`a")]
    assert ask(proxy) == (200, CONTENT)


def test_a_request_is_broken_off_after_so_many_bytes(proxy, upstream):
    proxy.breaks_off = lambda request: 4 if request.method == "PUT" else None
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(proxy, "PUT", b"x" * 1_000_000)
    assert upstream.received == []
    assert proxy.count("PUT") == 1
    proxy.calm()
    assert ask(proxy, "PUT", b"x") == (200, b"x")
    assert proxy.count() == 1


class TestChoosing:
    def test_by_the_request_and_its_number(self, proxy):
        done = proxy.disturb(lambda request: request.path == "/y", refuse(Response(500)), after=1, times=2)
        assert [ask(proxy, path=path)[0] for path in ("/y", "/x", "/y", "/y", "/x", "/y")] == [
            200,
            200,
            500,
            500,
            200,
            200,
        ]
        assert done.met == 2

    def test_disturbances_add_up(self, proxy):
        proxy.disturb(always, flip_answer(0))
        proxy.disturb(always, shorten_answer(8))
        assert ask(proxy) == (200, b"11")

    def test_what_a_fault_forwards_may_be_dropped_by_one_before_it(self, proxy):
        proxy.disturb(always, drop_request())
        proxy.disturb(always, shorten_answer(8))
        with pytest.raises(http.client.RemoteDisconnected):
            ask(proxy)

    def test_a_single_answer_replaces_what_was_before(self, proxy):
        proxy.disturb(always, drop_request())
        proxy.answer(always, Response(404), times=1)
        assert [ask(proxy)[0] for _ in range(2)] == [404, 200]


class TestAskingToWait:
    def test_for_seconds(self):
        assert asking_to_wait(Response(503), 7).headers == {"retry-after": "7"}

    def test_until_a_time(self):
        told = asking_to_wait(Response(503, headers={"a": "b"}), 7, by_date=True).headers
        until = email.utils.parsedate_to_datetime(told["retry-after"]).timestamp() - time.time()
        assert 5 < until <= 7
        assert told["retry-after"].endswith(" GMT")
        assert told["a"] == "b"
