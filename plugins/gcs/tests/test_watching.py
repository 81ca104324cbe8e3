"""The whole chain: a bucket that was set up, its notifications, and a directory that follows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cloudsync_gcs.source import default_name

from tests.servers.gcs_tokens import PROJECT


@pytest.fixture
def bucket(gcs, pubsub, monkeypatch):
    """A bucket that was set up."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint_url)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    name = gcs.make_bucket()
    subprocess.run([*CLOUDSYNC, "gcs", "setup", f"gs://{name}/site", "--yes"], check=True, stdout=subprocess.DEVNULL)
    return name


CLOUDSYNC = (sys.executable, "-m", "cloudsync_core")


def test_what_changes_in_the_bucket_is_in_the_directory_at_once_and_then_acknowledged(gcs, pubsub, bucket, tmp_path):
    target = tmp_path / "copy"
    state = pubsub.service.store.subscriptions[f"projects/{PROJECT}/subscriptions/{default_name(bucket, 'site')}"]
    gcs.put(bucket, "site/there", b"x")
    arguments = ["watch", f"gs://{bucket}/site", str(target), "--events", "pubsub"]
    log = tmp_path / "log"
    with log.open("w") as output, subprocess.Popen([*CLOUDSYNC, *arguments], stdout=output, stderr=output) as process:

        def until(condition, what):
            end = time.monotonic() + 30
            while not condition():
                ended = process.poll() is not None or time.monotonic() > end
                assert not ended, f"{what}: it never was\n{log.read_text()}"
                time.sleep(0.01)

        try:
            until((target / "there").exists, "what was there is copied")
            until(lambda: not state.messages, "what was there is acknowledged")
            gcs.put(bucket, "site/a b/%2F+ü", b"new")
            path = Path(target, "a b/%2F+ü")
            until(path.exists, "the new object is there")
            assert path.read_bytes() == b"new"
            until(lambda: not state.messages, "it is acknowledged")
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


def test_the_chain_can_be_tried(bucket, tmp_path):
    arguments = ["watch", f"gs://{bucket}/site", str(tmp_path), "--events", "pubsub", "--check"]
    found = subprocess.run([*CLOUDSYNC, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
