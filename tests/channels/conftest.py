"""Channels in every store, and what receives from them."""

import pytest

from tests.channels.process import forks
from tests.channels.receiving import Receiver
from tests.engine.stores import memory
from tests.equivalence.stores import STORES


@pytest.fixture(params=STORES)
def channel(request, tmp_path):
    """An empty channel in each store."""
    store = STORES[request.param]
    (folder := tmp_path / "channel").mkdir()
    place = store.place(request.getfixturevalue(store.fixture) if store.fixture else None, folder)
    with place.open() as backend:
        yield backend


@pytest.fixture
def memory_channel():
    """An empty channel in memory."""
    return memory()


@pytest.fixture
def receive(memory_channel, tmp_path):
    """What receives from the channel in memory."""
    return Receiver(memory_channel, tmp_path / "state.db")


@pytest.fixture
def receive_anywhere(channel, tmp_path):
    """What receives from the channel in each store."""
    return Receiver(channel, tmp_path / "state.db")


@pytest.fixture(scope="session")
def processes():
    """What starts publishers and subscribers that may be killed."""
    with forks() as running:
        yield running
