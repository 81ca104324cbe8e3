"""Uploads that were cut short: the session goes on from what the server has, and the digest proves all (H03)."""

import pytest
from cloudsync_gcs import uploads
from cloudsync_gcs.config import UNIT

from cloudsync_core.errors import IntegrityError, UnavailableError
from cloudsync_core.models import IF_ABSENT, Attributes
from tests.engine.remembered import ProcessDiesError, Remembered, body_of, dying
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response

DATA = bytes(number * 31 % 251 for number in range(1000)) * 1600
SEGMENT = 2 * UNIT


def is_cancel(request):
    return request.method == "DELETE"


def is_question(request):
    return request.method == "PUT" and request.headers["content-range"].startswith("bytes */")


def is_begin(request):
    return request.method == "POST" and request.query.get("uploadType") == "resumable"


class Cut:
    """A backend, a session that nobody could cancel, and what is remembered of it."""

    def __init__(self, backend, proxy, sessions):
        self.backend = backend
        self.proxy = proxy
        self.remembered = Remembered()
        self.bucket = backend.place.address.bucket
        chunks = iter(DATA[start : start + UNIT] for start in range(0, 5 * UNIT, UNIT))
        body = dying(chunks, len(DATA))
        body.resumption = self.remembered
        proxy.answer(is_cancel, gcs_error(500, "backendError"), times=9)
        with pytest.raises(ProcessDiesError):
            backend.put("key", body)
        proxy.answer(lambda _: False, None)
        proxy.requests.clear()
        [self.session] = sessions.values()
        self.sessions = sessions

    def put(self, data=DATA, **options):
        return self.backend.put("key", body_of(data, self.remembered), **options)

    @property
    def sent(self):
        return sum(len(request.body) for request in self.proxy.requests if request.method == "PUT")

    @property
    def begun(self):
        return sum(map(is_begin, self.proxy.requests))

    @property
    def stored(self):
        return self.backend.server.contents(self.bucket).get("root/key")


@pytest.fixture
def cut(gcs, gcs_proxy, open_gcs, monkeypatch):
    monkeypatch.setattr(uploads, "SEGMENT", SEGMENT)
    backend = open_gcs(gcs_proxy.server, gcs.make_bucket(), "root", resumable_threshold=1000, chunk_size=UNIT)
    sessions = gcs.service.uploads.sessions
    sessions.clear()
    return Cut(backend, gcs_proxy, sessions)


def test_H03_what_the_server_has_is_not_sent_again(cut):
    held = len(cut.session.data)
    assert held == 2 * SEGMENT
    cut.put()
    assert (cut.stored, cut.sent, cut.begun) == (DATA, len(DATA) - held, 0)
    assert cut.remembered.bytes_kept == held
    assert cut.remembered.token is None


@pytest.mark.parametrize("held", [0, 1, UNIT - 1, UNIT + 1, 3 * UNIT, len(DATA) - 1])
def test_D15_wherever_it_ends(cut, held):
    cut.session.data[:] = DATA[:held]
    cut.put()
    assert (cut.stored, cut.sent, cut.begun) == (DATA, len(DATA) - held, 0)


def test_D14_a_server_that_claims_more_than_there_is(cut):
    cut.proxy.answer(is_question, Response(308, b"", {"range": f"bytes=0-{len(DATA)}"}))
    cut.put()
    assert (cut.stored, cut.sent, cut.begun, cut.remembered.bytes_kept) == (DATA, len(DATA), 1, 0)
    assert cut.session.cancelled


def test_H03_other_bytes_than_were_sent_do_not_become_an_object(cut):
    cut.session.data[7] ^= 1
    with pytest.raises(IntegrityError):
        cut.put()
    assert cut.stored is None
    assert (cut.session.cancelled, cut.remembered.token) == (True, None)
    cut.put()
    assert cut.stored == DATA


@pytest.mark.parametrize(
    "options", [{"attributes": Attributes(cache_control="no-cache")}, {"condition": IF_ABSENT}], ids=str
)
def test_H03_a_session_that_was_begun_otherwise_is_cancelled(cut, options):
    cut.put(**options)
    assert (cut.stored, cut.sent, cut.begun) == (DATA, len(DATA), 1)
    assert cut.session.cancelled


@pytest.mark.parametrize("status", [404, 410, 499])
def test_H03_a_session_that_is_gone_is_begun_anew(cut, status):
    cut.proxy.answer(is_question, gcs_error(status, "notFound"))
    cut.put()
    assert (cut.stored, cut.sent, cut.begun) == (DATA, len(DATA), 1)


def test_H03_a_server_that_does_not_answer_is_asked_again_later(cut):
    cut.proxy.answer(is_question, gcs_error(503, "backendError"))
    with pytest.raises(UnavailableError):
        cut.put()
    assert cut.remembered.token is not None
    cut.put()
    assert (cut.stored, cut.begun) == (DATA, 0)


def test_recorded_sessions_are_found_and_cancelled(cut):
    recorded = [
        ("key", cut.remembered.token),
        ("gone", cut.remembered.token.replace(next(iter(cut.sessions)), "none")),
        ("x", ""),
    ]
    [found] = cut.backend.leftovers(recorded)
    assert (found.key, found.token, found.size, found.recorded, found.ours) == (
        "key", cut.remembered.token, 2 * SEGMENT, True, True
    )  # fmt: skip
    for _ in range(2):
        cut.backend.discard(found.key, found.token)
    cut.backend.discard("x", "")
    assert cut.session.cancelled
    assert list(cut.backend.leftovers(recorded)) == []
