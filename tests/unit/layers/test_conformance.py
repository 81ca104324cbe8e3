"""Every layer keeps the contract of the backend that it wraps."""

import threading
import uuid

import pytest

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.layers.below import Below
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.throttle import Throttle
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


class LayeredMemory(BackendContract):
    def wrap(self, inner):
        raise NotImplementedError

    @pytest.fixture
    def make_backend(self):
        name = uuid.uuid4().hex

        def make(root="first"):
            options = MemoryOptions(create=root != "missing")
            return self.wrap(MemoryBackend(Location.parse(f"memory://{name}-{root}"), options))

        return make


class TestRetry(LayeredMemory):
    def wrap(self, inner):
        return Retry(inner, RetryPolicy(first_wait=0))


class TestTrace(LayeredMemory):
    def wrap(self, inner):
        return Trace(inner, RequestCounts())


class TestThrottle(LayeredMemory):
    def wrap(self, inner):
        return Throttle(inner, 1e6, threading.Event())


class TestBelow(LayeredMemory):
    def wrap(self, inner):
        return Below(inner, "folder/deeper")
