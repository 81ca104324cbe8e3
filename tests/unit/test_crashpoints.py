"""Crash points: which one is meant, and what it costs to pass one."""

import os
import subprocess
import sys
import threading
import time

import pytest

from cloudsync_core import crashpoints
from cloudsync_core.crashpoints import EXIT_CODE, arm, hit


@pytest.fixture(autouse=True)
def watchers(monkeypatch):
    """Nobody watches after a test who did in it."""
    monkeypatch.setattr(crashpoints, "_watchers", [])


@pytest.fixture
def ended():
    """What the end of the process would have been called by."""
    return []


class TestArm:
    def test_a_name_is_its_first_passing(self, ended):
        arm("put.acked", end=lambda: ended.append("here"))
        hit("put.verified")
        assert not ended
        hit("put.acked")
        hit("put.acked")
        assert ended == ["here"]

    def test_a_name_and_a_number_are_that_passing(self, ended):
        arm("put.acked:2", end=lambda: ended.append("here"))
        hit("put.acked")
        hit("put.verified")
        assert not ended
        hit("put.acked")
        assert ended == ["here"]

    def test_a_number_counts_every_point(self, ended):
        arm("3", end=lambda: ended.append("here"))
        hit("put.acked")
        hit("put.verified")
        assert not ended
        hit("list.done")
        assert ended == ["here"]

    @pytest.mark.parametrize("wanted", ["", "nowhere", "put.acked:", "put.acked:x", "put.acked:-1", "x:1", "-3"])
    def test_what_is_no_point_is_an_error(self, wanted):
        with pytest.raises(ValueError, match=r"is no crash point: write a number, or one of .*put\.verified"):
            arm(wanted)

    def test_many_threads_pass_a_point_and_one_ends_the_process(self, ended):
        arm("op.claimed:500", end=lambda: ended.append("here"))
        threads = [threading.Thread(target=lambda: [hit("op.claimed") for _ in range(250)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended == ["here"]


def test_a_point_that_nobody_watches_costs_less_than_a_microsecond():
    def passing():
        began = time.thread_time()
        for _ in range(10_000):
            hit("put.verified")
        return (time.thread_time() - began) / 10_000

    assert min(passing() for _ in range(20)) < 1e-6


class TestTheCommand:
    def run(self, folder, at):
        (folder / "from").mkdir()
        (folder / "from/one").write_text("one")
        return subprocess.run(
            [sys.executable, "-m", "cloudsync_core", "mirror", "from", "to", "--state", "state.db"],
            cwd=folder,
            env={**os.environ, "CLOUDSYNC_CRASH_AT": at},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_ends_at_the_point_that_the_environment_names(self, tmp_path):
        finished = self.run(tmp_path, "get.rename:2")
        assert (finished.returncode, finished.stdout, finished.stderr) == (EXIT_CODE, "", "")
        assert (tmp_path / "to/one").read_text() == "one"

    def test_refuses_a_point_that_it_does_not_know(self, tmp_path):
        finished = self.run(tmp_path, "nowhere")
        assert finished.returncode == 2
        assert "Traceback" not in finished.stderr
        assert finished.stderr.startswith("error: CLOUDSYNC_CRASH_AT: 'nowhere' is no crash point")
        assert not (tmp_path / "to").exists()
