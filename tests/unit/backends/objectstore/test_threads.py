"""Threads for requests: bounded, reused, and no reason for a program to wait."""

import gc
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError

import pytest

from cloudsync_core.backends.objectstore.threads import Threads


@pytest.fixture
def threads():
    made = Threads(3, "tests")
    yield made
    made.close()


def running():
    return sum(thread.name.startswith("tests-") for thread in threading.enumerate())


def test_results_and_errors_come_by_the_future(threads):
    assert threads.submit(lambda: 5).result(10) == 5
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10)


def test_there_are_never_more_than_allowed_and_all_work_is_done(threads):
    at_once, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.005)
        with lock:
            at_once -= 1

    for future in [threads.submit(work) for _ in range(50)]:
        future.result(10)
    assert most == 3
    assert running() == 3


def test_an_idle_thread_is_used_again(threads):
    for _ in range(20):
        threads.submit(lambda: None).result(10)
        time.sleep(0.001)
    assert running() <= 2


def test_what_waits_for_its_turn_can_be_cancelled(threads):
    over = threading.Event()
    first = [threads.submit(lambda: over.wait(10)) for _ in range(3)]
    waiting = [threads.submit(lambda: 5) for _ in range(2)]
    assert waiting[0].cancel()
    over.set()
    assert waiting[1].result(10) == 5
    assert all(future.result(10) for future in first)


def test_close_cancels_what_waits_and_ends_the_threads(threads):
    over = threading.Event()
    first = [threads.submit(lambda: over.wait(10)) for _ in range(3)]
    waiting = threads.submit(lambda: 5)
    threads.close()
    with pytest.raises(CancelledError):
        waiting.result(10)
    with pytest.raises(RuntimeError, match="closed"):
        threads.submit(lambda: 5)
    over.set()
    assert all(future.result(10) for future in first)
    gone(0)


def test_threads_end_with_what_they_are_for():
    made = Threads(3, "tests")
    made.submit(lambda: None).result(10)
    del made
    gc.collect()
    gone(0)


def gone(left):
    deadline = time.monotonic() + 10
    while running() > left and time.monotonic() < deadline:
        time.sleep(0.005)
    assert running() == left


def test_the_end_of_a_program_waits_for_none():
    code = """
import time
from cloudsync_core.backends.objectstore.threads import Threads
threads = Threads(2, "tests")
threads.submit(lambda: time.sleep(60))
"""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], timeout=50, check=True)
    assert time.monotonic() - started < 30
