"""Retries have one owner, the core: here every request is sent once, whatever becomes of it (catalogue E08)."""

import subprocess
import sys
import threading

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError
from tests.servers.proxy import Response, error

FAILURES = {
    "500": error(500, "InternalError"),
    "503": error(503, "SlowDown", **{"retry-after": "0"}),
    "429": error(429, "TooManyRequests"),
    "408": error(400, "RequestTimeout"),
    "502": Response(502, b"<html>bad gateway</html>"),
    "digest": error(400, "XAmzContentSHA256Mismatch"),
    "dropped": None,
}


def read(backend):
    with backend.get("key") as reader:
        reader.read()


VERBS = {
    "list": lambda backend: list(backend.list()),
    "get": read,
    "put": lambda backend: backend.put("key", Body(b"content")),
    "delete": lambda backend: backend.delete("key"),
    "bulk-delete": lambda backend: [result.error for result in backend.delete_many([("a", None), ("b", None)])],
    "create-upload": lambda backend: backend.put("key", Body(b"x" * 2000)),
}


@pytest.fixture
def backend(moto_proxy, open_s3):
    opened = open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), multipart_threshold=1000, part_size=1000)
    opened.put("key", Body(b"content"))
    read(opened)
    return opened


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_a_request_that_fails_is_sent_once(backend, moto_proxy, verb):
    for name, failure in FAILURES.items():
        moto_proxy.rule = lambda request, forward: forward()
        # The connections that follow are used ones, on which aiohttp would repeat what is lost.
        list(backend.list())
        backend.put("key", Body(b"content"))
        del moto_proxy.requests[:]
        moto_proxy.answer(lambda request: True, failure, times=1000)
        try:
            found = verb(backend)
        except BackendError:
            pass
        else:
            assert found, name
            assert all(isinstance(problem, BackendError) for problem in found), f"{name} was swallowed"
        assert moto_proxy.count() == 1, name


def test_the_environment_does_not_switch_them_on(monkeypatch, moto_proxy, open_s3):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
    for verb in (VERBS["list"], VERBS["put"], VERBS["get"]):
        del moto_proxy.requests[:]
        moto_proxy.answer(lambda request: True, error(503, "SlowDown"), times=1000)
        with pytest.raises(BackendError):
            verb(backend)
        assert moto_proxy.count() == 1


def test_objects_are_not_looked_at_one_by_one(backend, moto_proxy):
    """A listing, a put and a get ask nothing beside themselves."""
    del moto_proxy.requests[:]
    list(backend.list())
    backend.put("key", Body(b"content"))
    read(backend)
    assert [request.method for request in moto_proxy.requests] == ["GET", "PUT", "GET"]


def test_T1_one_backend_serves_many_threads(moto_s3, open_s3):
    backend = open_s3(moto_s3, moto_s3.make_bucket())
    failures = []

    def work(thread):
        try:
            for number in range(10):
                backend.put(f"{thread}/{number}", Body(b"%d" % number))
                with backend.get(f"{thread}/{number}") as reader:
                    assert reader.read() == b"%d" % number
        except BaseException as failure:  # noqa: BLE001 - raised by the test below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(len(page) for page in backend.list()) == 160


def test_E04_use_after_a_fork_is_refused_at_once(moto_s3):
    code = f"""
import os, sys
from cloudsync_core.body import Body
from cloudsync_core.location import Location
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
backend = S3Backend(Location("s3", {moto_s3.make_bucket()!r}), S3Options(**{moto_s3.options!r}))
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
    os._exit(refused)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.stdout == "3\n", finished.stderr
