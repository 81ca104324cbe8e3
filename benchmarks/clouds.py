"""The servers of other clouds than S3: Azurite, and the Cloud Storage of the tests; each a process of its own."""

from __future__ import annotations

import abc
import base64
import contextlib
import hashlib
import http.client
import json
import re
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.servers import Server, running
from benchmarks.trees import Tree
from tests.servers.install_azurite import NotInstalledError, command

_ROOT = Path(__file__).parents[1]
_ACCOUNT = "cloudsyncbench"
_ACCOUNT_KEY = base64.b64encode(b"account key of the benchmarks").decode()
_THREADS = 8


class NoServerError(Exception):
    """A server is not installed; the message says how to get it."""


class FilesystemServer(Server):
    """A server for whose cloud fsspec has a filesystem of its own."""

    @property
    @abc.abstractmethod
    def filesystem(self) -> dict[str, str]:
        """What that filesystem is told."""


class AzuriteServer(FilesystemServer):
    """Azurite, in memory. It checks signatures."""

    scheme = "az"

    @property
    def options(self) -> dict[str, str]:
        return {}

    @property
    def environment(self) -> dict[str, str]:
        return {"AZURE_STORAGE_CONNECTION_STRING": self._connection}

    @property
    def filesystem(self) -> dict[str, str]:
        return {"connection_string": self._connection}

    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        with self._client() as client, ThreadPoolExecutor(_THREADS) as threads:
            container = client.create_container(name)
            keys = tree.digests if tree is not None else ()

            def upload(key: str) -> None:
                assert tree is not None
                container.upload_blob(key, (tree.root / key).read_bytes())

            list(threads.map(upload, keys))

    def contents(self, bucket: str) -> Mapping[str, str]:
        # What the service says of an object's MD5 is what the client has said of it: the bytes are what counts.
        with self._client() as client, ThreadPoolExecutor(_THREADS) as threads:
            container = client.get_container_client(bucket)
            keys = list(container.list_blob_names())

            def digest(key: str) -> str:
                return hashlib.md5(container.download_blob(key).readall(), usedforsecurity=False).hexdigest()

            return dict(zip(keys, threads.map(digest, keys), strict=True))

    @property
    def _connection(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_ACCOUNT_KEY};"
            f"BlobEndpoint={self.url}/{_ACCOUNT};"
        )

    def _client(self) -> Any:
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - no other case needs it

        return BlobServiceClient.from_connection_string(self._connection)


class GcsServer(FilesystemServer):
    """The Cloud Storage of the tests, in memory. It asks nobody who they are."""

    scheme = "gs"

    @property
    def options(self) -> dict[str, str]:
        return {"endpoint_url": self.url, "anonymous": "true"}

    @property
    def environment(self) -> dict[str, str]:
        # Else gcsfs asks by gRPC what kind of bucket it has before it, and waits a minute for the answer.
        return {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}

    @property
    def filesystem(self) -> dict[str, str]:
        return {"endpoint_url": self.url, "token": "anon", "project": "benchmarks"}

    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.url.removeprefix("http://"))) as connection:
            _call(connection, "POST", "/storage/v1/b?project=benchmarks", json.dumps({"name": name}).encode())
            for key in tree.digests if tree is not None else ():
                assert tree is not None
                query = urllib.parse.urlencode({"uploadType": "media", "name": key})
                _call(connection, "POST", f"/upload/storage/v1/b/{name}/o?{query}", (tree.root / key).read_bytes())

    def contents(self, bucket: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        asked = {"fields": "items(name,md5Hash),nextPageToken"}
        with contextlib.closing(http.client.HTTPConnection(self.url.removeprefix("http://"))) as connection:
            while True:
                page = _call(connection, "GET", f"/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(asked)}")
                for item in page.get("items", ()):
                    found[item["name"]] = base64.b64decode(item["md5Hash"]).hex()
                if "nextPageToken" not in page:
                    return found
                asked["pageToken"] = page["nextPageToken"]


@contextlib.contextmanager
def serve_azurite(work: Path) -> Iterator[Server]:
    """Run Azurite.

    Raises:
        NoServerError: it is not installed.
    """
    try:
        program = command()
    except NotInstalledError as error:
        raise NoServerError(f"{error}\n`nox -s bench` does, too") from error
    options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry"]
    options += ["--disableProductStyleUrl", "--skipApiVersionCheck"]
    announces = re.compile(r"successfully listens on (http://127\.0\.0\.1:\d+)\s")
    accounts = f"{_ACCOUNT}:{_ACCOUNT_KEY}"
    with running([*program, *options], announces, work, AZURITE_ACCOUNTS=accounts) as (url, process):
        yield AzuriteServer(url, process)


@contextlib.contextmanager
def serve_gcs(work: Path) -> Iterator[Server]:
    """Run the Cloud Storage of the tests."""
    command = [sys.executable, "-m", "tests.servers.gcs_main"]
    with running(command, re.compile(r"(http://127\.0\.0\.1:\d+)\s"), work, PYTHONPATH=str(_ROOT)) as (url, process):
        yield GcsServer(url, process)


def _call(connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b"") -> dict[str, Any]:
    connection.request(method, target, body)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{method} {target}: {answer.status} {content!r}")
    found: dict[str, Any] = json.loads(content)
    return found
