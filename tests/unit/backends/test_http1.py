"""One exchange of HTTP/1.1: every form of answer is read whole, and whatever is none raises."""

import itertools
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.backends import http1
from cloudsync_core.backends.http1 import Answer, CutShortError, NotHttpError


class Pieces:
    """A socket on which given pieces come in; `sent` is what went out."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)
        self.sent = b""

    def sendall(self, data):
        self.sent += bytes(data)

    def recv(self, size):
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]


def answer(*pieces, method="GET", at_once=None):
    found = Answer(Pieces(*pieces), method)
    body = found.read() if at_once is None else b"".join(iter(lambda: found.read(at_once), b""))
    return found, body, found.reusable


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


WHOLE = {
    "with-a-length": (b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "x"\r\n\r\nhello', b"hello", True),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
    "without-a-reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x", True),
    "in-chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"hello",
        True,
    ),
    "in-no-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b"", True),
    "after-provisional-ones": (
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
            b"Content-Length: 2\r\n\r\nok"
        ),
        b"ok",
        True,
    ),
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "not-modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", b"", True),
    "closing": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "until-the-end": (b"HTTP/1.1 200 OK\r\n\r\nwhatever comes", b"whatever comes", False),
    "of-an-old-server": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "of-an-old-server-that-keeps": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
        True,
    ),
    "with-both-lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"ok",
        False,
    ),
    "with-more-than-was-asked": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1", b"ok", False),
}


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_is_read_whole(case):
    data, body, keeps = WHOLE[case]
    head, found, kept = answer(data)
    assert (found, kept) == (body, keeps)
    assert head.status in {200, 204, 304}


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(sorted(WHOLE)),
    places=st.lists(st.integers(0, 500), max_size=6),
    at_once=st.none() | st.integers(1, 9),
)
def test_however_it_comes_and_is_read_in_pieces(case, places, at_once):
    data, body, keeps = WHOLE[case]
    _, found, reusable = answer(*cut(data, places), at_once=at_once)
    assert found == body
    # Whether there is more behind it shows only when that has come.
    assert reusable == keeps or case == "with-more-than-was-asked"


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(sorted(set(WHOLE) - {"until-the-end", "with-more-than-was-asked"})), short=st.integers(1, 99)
)
def test_one_that_is_cut_short_raises(case, short):
    data = WHOLE[case][0]
    with pytest.raises(CutShortError):
        answer(data[: max(0, len(data) - short)])


def test_what_was_promised_and_what_came_are_told():
    with pytest.raises(CutShortError) as caught:
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"de")
    assert (caught.value.received, caught.value.expected) == (5, 10)


def test_one_that_is_not_read_to_its_end_leaves_a_connection_that_nobody_can_use():
    found = Answer(Pieces(WHOLE["with-a-length"][0]), "GET")
    assert found.read(4) == b"hell"
    assert not found.reusable
    assert found.read(1) == b"o"
    assert found.reusable
    assert found.read(1) == b""


def test_the_answer_to_a_head_has_no_content():
    head, body, keeps = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", method="HEAD")
    assert (head.headers["content-length"], body, keeps) == ("1000", b"", True)


def test_headers_are_found_by_lower_case_names_and_joined():
    head, _, _ = answer(
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2\r\nX-Name:\t caf\xc3\xa9 \r\nX-Raw: \xff\r\nContent-Length: 0\r\n\r\n"
    )
    assert head.headers["x-a"] == "1, 2"
    assert head.headers["x-name"] == "café"
    assert head.headers["x-raw"].encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
    ],
)
def test_what_is_no_http_raises(data):
    with pytest.raises(NotHttpError):
        answer(data)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
def test_a_request_goes_out_as_it_is(size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for body in (data, [data[: size // 2], memoryview(data)[size // 2 :]]):
        sock = Pieces()
        http1.send(sock, b"PUT / HTTP/1.1\r\n\r\n", body)
        assert sock.sent == b"PUT / HTTP/1.1\r\n\r\n" + data


def test_a_small_request_is_one_write():
    writes = []
    sock = Pieces()
    sock.sendall = writes.append
    http1.send(sock, b"PUT / HTTP/1.1\r\n\r\n", b"small")
    assert writes == [b"PUT / HTTP/1.1\r\n\r\nsmall"]


def test_on_a_real_connection_several_answers_follow_each_other():
    mine, theirs = socket.socketpair()
    bodies = [b"first", b"x" * 500_000, b""]

    def serve():
        for body in bodies:
            theirs.recv(1000)
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with mine, theirs:
        serving = threading.Thread(target=serve)
        serving.start()
        for body in bodies:
            http1.send(mine, b"GET / HTTP/1.1\r\n\r\n")
            found = Answer(mine, "GET")
            assert (found.read(), found.reusable) == (body, True)
        serving.join()
