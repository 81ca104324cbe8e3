"""The servers that the other tests rely on."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.process import running
from tests.servers.s3 import S3Server, rclone_check


def test_each_server_stores_and_lists(s3_server: S3Server):
    bucket = s3_server.make_bucket()
    s3_server.client.put_object(Bucket=bucket, Key="a/b", Body=b"content")
    assert s3_server.contents(bucket) == {"a/b": b"content"}


def test_small_pages_hold_three_keys(moto_small_pages_s3: S3Server):
    bucket = moto_small_pages_s3.make_bucket()
    for number in range(4):
        moto_small_pages_s3.client.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
    page = moto_small_pages_s3.client.list_objects_v2(Bucket=bucket)
    assert [entry["Key"] for entry in page["Contents"]] == ["k0", "k1", "k2"]
    assert page["IsTruncated"]


def test_rclone_check_accepts_equal_trees(s3_server: S3Server, tmp_path):
    bucket = s3_server.make_bucket()
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir" / "ü.txt").write_bytes(b"content")
    s3_server.client.put_object(Bucket=bucket, Key="pre/sub dir/ü.txt", Body=b"content")
    rclone_check(tmp_path, s3_server, bucket, "pre")


@pytest.mark.parametrize(
    "objects", [{}, {"a": b"other!!"}, {"a": b"content", "b": b""}], ids=["missing", "differs", "surplus"]
)
def test_rclone_check_refuses_unequal_trees(s3_server: S3Server, tmp_path, objects):
    bucket = s3_server.make_bucket()
    (tmp_path / "a").write_bytes(b"content")
    for key, content in objects.items():
        s3_server.client.put_object(Bucket=bucket, Key=key, Body=content)
    with pytest.raises(AssertionError, match="differ"):
        rclone_check(tmp_path, s3_server, bucket)


def test_server_that_exits_fails_with_its_output(tmp_path):
    command = [sys.executable, "-c", "print('no licence found'); raise SystemExit(3)"]
    with (
        pytest.raises(pytest.fail.Exception, match=r"(?s)exited with status 3.*no licence found"),
        running("demo", command, announces=re.compile("at (.*)"), ready=print, log=tmp_path / "log"),
    ):
        pass


def test_server_is_ended_with_its_children(tmp_path):
    child = "import time; print('at', 'child', flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    pids = []
    with running(
        "demo", [sys.executable, "-c", parent], announces=re.compile("at (.*)"), ready=pids.append, log=tmp_path / "log"
    ) as address:
        assert address == "child"
        group = _group_members(tmp_path / "log")
        assert len(group) == 2
    assert not _group_members(tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's own")
def test_server_dies_with_a_killed_test_run(tmp_path):
    log = tmp_path / "log"
    server = "import time; print('at', 'server', flush=True); time.sleep(600)"
    run = f"""
import pathlib, re, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.servers.process import running
with running("demo", [sys.executable, "-c", {server!r}], announces=re.compile("at (.*)"), ready=print,
             log=pathlib.Path({str(log)!r})):
    print("running", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "server\n"
        assert _group_members(log)
        process.kill()
    deadline = time.monotonic() + 10
    while _group_members(log) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_members(log)


def _group_members(log):
    """The processes whose standard output is the log."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "fd" / "1").resolve() == log.resolve():
                found.append(process.name)
        except OSError:
            continue
    return found
