"""Parts on their way: bounded over all uploads, and given up in their middle where the upload has failed."""

import threading
from concurrent.futures import Future

import pytest

from cloudsync_core.backends.objectstore import sending
from cloudsync_core.backends.objectstore.parts import Part
from cloudsync_core.backends.objectstore.sending import AbandonedError, Sender

PART = Part([b"abc", b"de"], 5, b"")


@pytest.fixture
def sender(monkeypatch):
    """A sender of two parts at a time."""
    monkeypatch.setattr(sending, "PARTS_IN_MEMORY", 2)
    return Sender()


def test_content_comes_in_pieces_as_often_as_it_is_needed(sender):
    contents = []

    def send(content):
        contents.append(content)
        return Future()

    sender.begin(PART, threading.Event(), send)
    assert [list(contents[0]) for _ in range(2)] == [[b"abc", b"de"]] * 2


def test_part_of_an_upload_that_failed_is_not_sent_to_its_end(sender):
    abandoned = threading.Event()
    contents = []

    def send(content):
        contents.append(content)
        return Future()

    sender.begin(PART, abandoned, send)
    pieces = iter(contents[0])
    assert next(pieces) == b"abc"
    abandoned.set()
    with pytest.raises(AbandonedError):
        next(pieces)


def test_no_more_parts_are_begun_than_there_is_room_for(sender):
    futures = [Future() for _ in range(3)]
    begun = threading.Semaphore(0)

    def work():
        for future in futures:
            sender.begin(PART, threading.Event(), lambda content, future=future: future)
            begun.release()

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(2):
        assert begun.acquire(timeout=10)
    assert not begun.acquire(timeout=0.1)
    futures[0].set_result(None)
    assert begun.acquire(timeout=10)
    thread.join()


def test_part_that_cannot_be_begun_takes_no_room(sender):
    def send(content):
        raise LookupError

    for _ in range(5):
        with pytest.raises(LookupError):
            sender.begin(PART, threading.Event(), send)
