"""Which objects are opened so that their puts can go on, and what becomes of what nobody can use."""

import pytest

from cloudsync_core.engine import resuming
from cloudsync_core.engine.resuming import Resuming
from cloudsync_core.engine.state import State
from cloudsync_core.engine.unfinished import Unfinished
from cloudsync_core.errors import ObjectNotFoundError, PreconditionFailedError, UnavailableError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.trace import RequestCounts, Trace
from tests.engine.stores import memory, store

LARGE = b"x" * 100


class Discarding(Layer):
    """Notes what is discarded."""

    def __init__(self, inner, error=None):
        super().__init__(inner)
        self.discarded = []
        self._error = error

    def discard(self, key, token):
        self.discarded.append((key, token))
        if self._error is not None:
            raise self._error


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    monkeypatch.setattr(resuming, "RESUMED_FROM", len(LARGE))
    with State(tmp_path / "state.db") as state:
        job = state.open_job("job", "source", "target")
        yield Unfinished(*job.place)
        job.close()


@pytest.fixture
def counts():
    return RequestCounts()


@pytest.fixture
def source(counts):
    return Trace(memory(), counts)


@pytest.fixture
def target():
    return Discarding(memory())


def opened(source, target, unfinished, size=100):
    return Resuming(source, target, unfinished).opened("key", size)


def test_a_large_object_is_recorded_when_its_put_says_so(source, target, unfinished):
    info = store(source, "key", LARGE)
    with opened(source, target, unfinished) as reader:
        assert unfinished.find("key") is None
        reader.resumption.save("token")
        assert reader.read() == LARGE
    assert (unfinished.find("key").source, unfinished.find("key").token) == (info.fingerprint, "token")


def test_a_smaller_one_is_not(source, target, unfinished, counts):
    store(source, "key", LARGE[:-1])
    with opened(source, target, unfinished, size=len(LARGE) - 1) as reader:
        assert reader.resumption is None
    with opened(source, target, None) as reader:
        assert reader.resumption is None


def test_what_is_recorded_is_read_from_wherever_its_put_wants(source, target, unfinished, counts):
    info = store(source, "key", LARGE)
    unfinished.save("key", info.fingerprint, "token")
    with opened(source, target, unfinished) as reader:
        assert counts.as_dict() == {"put": 1, "stat": 1}, "nothing is read before it is known what is wanted"
        assert (reader.info, reader.resumption.token) == (source.stat("key"), "token")
        body = reader.body()
        assert b"".join(reader.starting_at(60)) == LARGE[60:]
        assert body.read() == LARGE
    assert target.discarded == []


def test_H01_what_is_left_of_another_version_is_discarded(source, target, unfinished):
    store(source, "key", LARGE)
    unfinished.save("key", "another version", "token")
    with opened(source, target, unfinished) as reader:
        assert reader.resumption.token is None
        assert reader.read() == LARGE
    assert target.discarded == [("key", "token")]
    assert unfinished.find("key") is None


def test_what_cannot_be_discarded_stays_on_record(source, unfinished):
    store(source, "key", LARGE)
    unfinished.save("key", "another version", "token")
    failing = Discarding(memory(), UnavailableError("down"))
    with opened(source, failing, unfinished) as reader:
        assert reader.resumption.token is None
        assert reader.read() == LARGE
    assert unfinished.find("key").token == "token"


def test_D17_the_rest_is_of_the_version_that_was_recorded(source, target, unfinished):
    info = store(source, "key", LARGE)
    unfinished.save("key", info.fingerprint, "token")
    with opened(source, target, unfinished) as reader:
        store(source, "key", LARGE[::-1] + b"y")
        with pytest.raises(PreconditionFailedError):
            list(reader.starting_at(50))


def test_D19_an_object_that_is_gone_is_none(source, target, unfinished):
    unfinished.save("key", "version", "token")
    with pytest.raises(ObjectNotFoundError), opened(source, target, unfinished):
        pass
