"""Channels in every store, and what receives from them."""

import pytest

from tests.channels.process import forks
from tests.channels.receiving import Receiver
from tests.engine.stores import memory
from tests.releases.places import ALL, place


@pytest.fixture(params=ALL)
def channel(request, tmp_path):
    """An empty channel in each store."""
    with place(request.param, request, tmp_path / "channel").open() as backend:
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
