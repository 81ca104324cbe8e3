"""Retries have one owner, the core: here every request is sent once, whatever becomes of it (catalogue E08)."""

import subprocess
import sys
import threading

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response

FAILURES = {
    "500": gcs_error(500, "backendError", "no"),
    "503": gcs_error(503, "backendError", "no"),
    "429": gcs_error(429, "rateLimitExceeded", "no"),
    "408": gcs_error(408, "uploadBrokenConnection", "no"),
    "401": gcs_error(401, "authError", "no"),
    "502": Response(502, b"<html>bad gateway</html>"),
    "dropped": None,
}


def read(backend):
    with backend.get("key") as reader:
        reader.read()


VERBS = {
    "list": lambda backend: list(backend.list()),
    "stat": lambda backend: backend.stat("key"),
    "get": read,
    "read": lambda backend: backend.read("key", 10),
    "put": lambda backend: backend.put("key", Body(b"content")),
    "delete": lambda backend: backend.delete("key"),
    "bulk-delete": lambda backend: [result.error for result in backend.delete_many([("a", None), ("b", None)])],
    "begin-upload": lambda backend: backend.put("key", Body(b"x" * 2000)),
}


@pytest.fixture
def backend(gcs_proxy, open_gcs):
    opened = open_gcs(gcs_proxy.server, gcs_proxy.server.make_bucket(), resumable_threshold=1000)
    opened.put("key", Body(b"content"))
    read(opened)
    return opened


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_a_request_that_fails_is_sent_once(backend, gcs_proxy, verb):
    for name, failure in FAILURES.items():
        gcs_proxy.rule = lambda request, forward: forward()
        list(backend.list())
        backend.put("key", Body(b"content"))
        del gcs_proxy.requests[:]
        gcs_proxy.answer(lambda request: True, failure, times=1000)
        try:
            found = verb(backend)
        except BackendError:
            pass
        else:
            assert found, name
            assert all(isinstance(problem, BackendError) for problem in found), f"{name} was swallowed"
        assert gcs_proxy.count() == 1, name


def test_objects_are_not_looked_at_more_often_than_needed(backend, gcs_proxy):
    del gcs_proxy.requests[:]
    list(backend.list())
    backend.put("key", Body(b"content"))
    backend.delete("key")
    assert [request.method for request in gcs_proxy.requests] == ["GET", "POST", "DELETE"]


def test_T1_one_backend_serves_many_threads(gcs, open_gcs):
    backend = open_gcs(gcs, gcs.make_bucket(), resumable_threshold="300KiB", chunk_size="256KiB")
    failures = []

    def work(thread):
        try:
            for number in range(10):
                data = b"%d" % number * (200_000 if number == 9 else 1)
                backend.put(f"{thread}/{number}", Body(data + data))
                with backend.get(f"{thread}/{number}") as reader:
                    assert reader.read() == data + data
        except BaseException as failure:  # noqa: BLE001 - raised by the test below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(len(page) for page in backend.list()) == 160


def test_E04_use_after_a_fork_is_refused_at_once(gcs):
    code = f"""
import os, sys
from cloudsync_core.body import Body
from cloudsync_core.location import Location
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions
backend = GCSBackend(Location("gs", {gcs.make_bucket()!r}), GCSOptions(**{gcs.options!r}))
backend.put("key", Body(b"content"))
with backend.get("key") as reader:
    assert reader.read() == b"content"
child = os.fork()
if child == 0:
    refused = 0
    for verb in (
        lambda: list(backend.list()),
        lambda: backend.put("key", Body(b"content")),
        lambda: backend.get("key").__enter__(),
    ):
        try:
            verb()
        except RuntimeError as error:
            refused += 1
    backend.close()
    os._exit(refused)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.stdout == "3\n", finished.stderr
