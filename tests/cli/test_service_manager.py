"""What a service manager is told of a process: on a real socket, as systemd would hear it."""

import os
import signal
import socket
import uuid

import pytest

from cloudsync_core.config.service_manager import ServiceManager
from tests.cli.conftest import read_tree, wait_for, write_tree

JOB = "one: {workflow: watch, source: ./a, target: ./one, settle: 0.05}"
DELIVERING = "inbox: {workflow: watch, source: {channel: ./channel}, deliver: {callback: 'held:up'}, interval: 0.1}"
HELD = """
import pathlib, time

def up(update):
    pathlib.Path("held").touch()
    while not pathlib.Path("let go").exists():
        time.sleep(0.01)
"""


class Listener:
    """Hears what is told on a datagram socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.told = []

    def hear(self, seconds=20.0):
        """Return the next message, as a mapping; `None` when there is none in time."""
        self.socket.settimeout(seconds)
        try:
            message = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in message.splitlines())

    def next(self, name):
        """Wait for a message of a name, and return it."""
        return wait_for(lambda: (found := self.hear()) and name in found and found)


@pytest.fixture
def listener(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    found = Listener(str(tmp_path / "notify"))
    yield found
    found.socket.close()


@pytest.fixture
def running(start, folder):
    write_tree(folder, {"a/1": "1", "channel/.keep": ""})

    def started(*jobs):
        (folder / "cloudsync.yaml").write_text("version: 1\njobs:\n" + "".join(f"  {job}\n" for job in jobs))
        return start("run", "cloudsync.yaml")

    return started


def ended(process):
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


class TestAProcess:
    def test_is_ready_reloads_and_stops(self, listener, running, folder):
        process = running(JOB)
        assert listener.hear() == {"READY": "1", "STATUS": "1 job until stopped"}
        process.send_signal(signal.SIGHUP)
        reloading = listener.hear()
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert listener.hear()["READY"] == "1"
        ended(process)
        assert listener.hear()["STOPPING"] == "1"

    def test_shows_life_while_its_jobs_go_on(self, listener, running, monkeypatch):
        monkeypatch.setenv("WATCHDOG_USEC", "800000")
        process = running(JOB)
        assert [listener.next("WATCHDOG") for _ in range(6)] == [{"WATCHDOG": "1"}] * 6
        ended(process)

    def test_shows_none_while_one_of_its_jobs_hangs(self, listener, running, folder, monkeypatch, cloudsync):
        (folder / "held.py").write_text(HELD)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setenv("WATCHDOG_USEC", "800000")
        process = running(JOB, DELIVERING)
        listener.next("WATCHDOG")
        monkeypatch.delenv("NOTIFY_SOCKET")
        cloudsync("publish", "./channel", "--topic", "topic", "--content", "text")
        wait_for((folder / "held").exists)
        while listener.hear(1.6) is not None:
            pass
        assert process.poll() is None, "it would be systemd that ends it"
        (folder / "let go").touch()
        assert listener.next("WATCHDOG"), "a job that goes on after all is no longer taken for hung"
        ended(process)

    def test_of_jobs_that_end_by_themselves_is_ready_too(self, listener, running, folder):
        process = running("copy: {source: ./a, target: ./copy}")
        assert listener.hear()["READY"] == "1"
        assert process.wait(30) == 0
        assert read_tree("copy") == {"1": "1"}


class TestTelling:
    def test_an_abstract_socket_is_told(self):
        name = f"cloudsync-{uuid.uuid4()}"
        listener = Listener(f"\0{name}")
        try:
            ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready("well")
            assert listener.hear() == {"READY": "1", "STATUS": "well"}
        finally:
            listener.socket.close()

    @pytest.mark.parametrize("place", ["", "/nowhere/at/all", "no\0path"])
    def test_nobody_who_listens_is_no_error(self, place):
        manager = ServiceManager({"NOTIFY_SOCKET": place})
        manager.ready("well")
        manager.alive()
        manager.stopping()

    def test_a_manager_that_does_not_read_holds_nobody_up(self, listener):
        manager = ServiceManager()
        for _ in range(10_000):
            manager.alive()
        assert listener.hear() == {"WATCHDOG": "1"}

    @pytest.mark.parametrize(
        ("more", "patience"),
        [
            ({}, None),
            ({"WATCHDOG_USEC": "3000000"}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
        ],
    )
    def test_life_is_shown_only_to_whoever_looks_at_this_process(self, more, patience):
        assert ServiceManager({"NOTIFY_SOCKET": "/run/notify", **more}).patience == patience
        assert ServiceManager(more).patience is None
