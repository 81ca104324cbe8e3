"""A bucket is watched by the installed command, from its queue's setup to the queue's end."""

import os
import signal
import subprocess
import sys
import time

import pytest
from cloudsync_s3.source import default_queue

CLOUDSYNC = [sys.executable, "-m", "cloudsync_core"]


@pytest.fixture
def environment(moto_s3, tmp_path):
    """What a user has in the environment."""
    return {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "AWS_ENDPOINT_URL": moto_s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": moto_s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": moto_s3.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def appears(path, log, seconds=30):
    """Wait for a file; return the seconds that it took."""
    began = time.monotonic()
    while not path.exists():
        assert time.monotonic() - began < seconds, log.read_text()
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_new_object_is_pulled_and_still_is_when_the_queue_is_gone(queues, environment, tmp_path):
    bucket = queues.server.make_bucket()
    client = queues.server.client
    client.put_object(Bucket=bucket, Key="before", Body=b"x")
    subprocess.run([*CLOUDSYNC, "s3", "setup", bucket, "--yes"], env=environment, check=True, capture_output=True)
    log = tmp_path / "log"
    command = [
        *CLOUDSYNC,
        "watch",
        f"s3://{bucket}",
        str(tmp_path / "dir"),
        "--events",
        "sqs",
        "--event-option",
        "wait=1",
    ]
    command += [
        "--settle",
        "0.1",
        "--reconcile",
        "4",
        "--delete",
        "--grace",
        "0.1",
        "--state",
        str(tmp_path / "state.db"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        appears(tmp_path / "dir/before", log)
        client.put_object(Bucket=bucket, Key="a b/new", Body=b"x")
        assert appears(tmp_path / "dir/a b/new", log) < 3
        url = queues.sqs.get_queue_url(QueueName=default_queue(bucket, ""))["QueueUrl"]
        until = time.monotonic() + 10
        while queues.left(url):
            assert time.monotonic() < until, "the messages were not deleted"
            time.sleep(0.05)
        queues.sqs.delete_queue(QueueUrl=url)
        client.put_object(Bucket=bucket, Key="later", Body=b"x")
        appears(tmp_path / "dir/later", log)
        until = time.monotonic() + 20
        while "No events come from the queue" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert f"cloudsync s3 setup {bucket}" in log.read_text()
