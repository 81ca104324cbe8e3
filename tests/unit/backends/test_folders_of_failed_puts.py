"""A put that fails leaves no folder behind that it has made: in a listing it would be an object (clause P2)."""

import threading

import pytest

from cloudsync_core.api import open_backend
from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError, IntegrityError, InvalidKeyError
from cloudsync_core.models import ALWAYS, IF_ABSENT
from tests.engine.stores import contents, store

TOO_LONG = "n" * 256


@pytest.fixture(params=["", "local://"], ids=["file", "fsspec"])
def backend(request, tmp_path):
    (tmp_path / "root").mkdir()
    with open_backend(f"{request.param}{tmp_path / 'root'}") as opened:
        yield opened


def short(size):
    """Return a body that breaks its promise after `size` bytes."""
    return Body([b"x" * size], size=size + 1)


@pytest.fixture
def conditions(backend):
    return [ALWAYS, IF_ABSENT] if backend.capabilities.put_if_absent else [ALWAYS]


def test_P2_the_folders_go(backend, conditions):
    for condition in conditions:
        with pytest.raises(IntegrityError):
            backend.put("a/b/c", short(10), condition=condition)
    with pytest.raises(InvalidKeyError):
        store(backend, f"a/b/{TOO_LONG}")
    assert contents(backend) == {}
    store(backend, "a/b/c", b"content")
    assert contents(backend) == {"a/b/c": b"content"}


def test_P2_what_was_there_stays(backend, conditions):
    store(backend, "empty/", b"")
    store(backend, "full/file", b"content")
    for condition in conditions:
        for folder in ("empty", "full", "empty/inner", "full/inner"):
            with pytest.raises(IntegrityError):
                backend.put(f"{folder}/new", short(10), condition=condition)
    assert contents(backend) == {"empty/": b"", "full/file": b"content"}


def test_P2_a_marker_that_is_put_meanwhile_stays(backend):
    def chunks():
        yield b"x"
        store(backend, "a/b/", b"")

    with pytest.raises(IntegrityError):
        backend.put("a/b/c", Body(chunks(), size=2))
    assert contents(backend) == {"a/b/": b""}


def test_P2_nobody_else_loses_by_it(backend):
    """A put into a folder that another one takes back either succeeds or says that it may be tried again."""
    rounds, failures = 40, []

    def fail(number):
        with pytest.raises(BackendError):
            backend.put(f"{number}/in/side/short", short(10))

    def succeed(number):
        for _ in range(20):
            try:
                store(backend, f"{number}/in/side/whole", b"content")
            except BackendError as error:
                if error.disposition.name != "RETRY":
                    failures.append(error)
                    return
            else:
                return

    for number in range(rounds):
        threads = [threading.Thread(target=work, args=(number,)) for work in (fail, succeed, fail)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert contents(backend) == {f"{number}/in/side/whole": b"content" for number in range(rounds)}
