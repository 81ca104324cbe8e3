"""Azurite, Microsoft's emulator of Azure Blob Storage, and an independent client to judge by.

`azurite` is started once per test session (and per xdist worker), holds everything in memory, and checks signatures;
`azurite_with_tokens` is one behind TLS that also takes access tokens. Tests get containers of their own by
`AzureServer.make_container`, look at them with `AzureServer.client` (azure-storage-blob), and disturb requests with
`azurite_proxy`. `azurite_queues` is the queue service of the same account, a server of its own, which only the tests
start that need it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime as dt
import functools
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from tests.servers import install_azurite
from tests.servers.certificates import certificates
from tests.servers.process import running
from tests.servers.proxy import Proxy, proxy_before

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

Server = TypeVar("Server", bound="AzureServer")

_ACCOUNT_NAME = "cloudsynctests"
_ACCOUNT_KEY = base64.b64encode(b"account key of the test servers").decode()


@dataclasses.dataclass(frozen=True)
class AzureServer:
    """A running server, one account on it, and how to reach them.

    Attributes:
        endpoint_url: the server, without the account.
    """

    endpoint_url: str
    account_name: str
    account_key: str
    name: str

    @property
    def account_url(self) -> str:
        """Where the containers are. An emulator has the account in the path, Azure in the host's name."""
        return f"{self.endpoint_url}/{self.account_name}"

    @property
    def connection_string(self) -> str:
        """What `AZURE_STORAGE_CONNECTION_STRING` holds, for every tool that understands it."""
        return (
            f"DefaultEndpointsProtocol={self.endpoint_url.partition(':')[0]};AccountName={self.account_name};"
            f"AccountKey={self.account_key};BlobEndpoint={self.account_url};"
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of a location on this server, as a user writes them."""
        return {
            "endpoint_url": self.account_url,
            "account_name": self.account_name,
            "account_key": self.account_key,
        }

    @functools.cached_property
    def client(self) -> BlobServiceClient:
        """Microsoft's own client: the independent oracle, which retries.

        It cannot say keys with `.` or `..` for a segment.
        """
        from azure.storage.blob import BlobServiceClient, LinearRetry

        patience = LinearRetry(backoff=1, retry_total=5, random_jitter_range=0)
        return BlobServiceClient.from_connection_string(
            self.connection_string, retry_policy=patience, connection_verify=self._verify
        )

    @property
    def _verify(self) -> bool | str:
        """The certificates that a client trusts, as requests is told of them."""
        return True

    def make_container(self, name: str | None = None) -> str:
        """Create an empty container and return its name, by default one that nothing else uses."""
        container = name or f"container-{uuid.uuid4().hex[:16]}"
        self.client.create_container(container)
        return container

    def contents(self, container: str, prefix: str = "") -> dict[str, bytes]:
        """Return every object of the container under `prefix`, by its whole key."""
        blobs = self.client.get_container_client(container)
        keys = list(blobs.list_blob_names(name_starts_with=prefix))
        return {key: blobs.download_blob(key).readall() for key in keys}

    def sas_token(self, permissions: str = "racwdxltfmeop") -> str:
        """Return a shared access signature of the account, of one hour, without its question mark.

        Args:
            permissions: letters of the permissions, for instance "rl" for reading and listing.
        """
        from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

        token: str = generate_account_sas(
            self.account_name,
            self.account_key,
            resource_types=ResourceTypes(service=True, container=True, object=True),
            permission=AccountSasPermissions.from_string(permissions),
            expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
        )
        return token

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


@dataclasses.dataclass(frozen=True)
class SecureAzureServer(AzureServer):
    """A server behind TLS, with a certificate for 127.0.0.1, which also takes access tokens.

    Of a token it checks the form, the issuer, the audience and the time, and no signature.

    Attributes:
        authority: the file with the certificate of the authority that made the server's.
    """

    authority: Path

    @property
    def options(self) -> dict[str, Any]:
        return {**super().options, "ca_bundle": str(self.authority)}

    @property
    def _verify(self) -> bool | str:
        return str(self.authority)

    def token(self, *, seconds: float = 3600, audience: str = "https://storage.azure.com/") -> str:
        """Return an access token as Microsoft's identity platform issues them.

        Args:
            seconds: from now until it expires; negative for one that has.
            audience: whom it is for.
        """
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
            "iat": now - 7200,
            "nbf": now - 7200,
            "exp": now + int(seconds),
        }
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"unchecked"))


@pytest.fixture(scope="session", autouse=True)
def _no_ambient_azure() -> Iterator[None]:
    """Keep the credentials and settings of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AZURE_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """Azurite: block blobs, conditions, both kinds of signatures checked; up to 5,000 objects a page.

    Listings are in the order of UTF-16, which is that of bytes but for characters beyond U+FFFF.
    """
    with _running(tmp_path_factory.mktemp("azurite")) as url:
        yield from _served(AzureServer(url, _ACCOUNT_NAME, _ACCOUNT_KEY, "azurite"))


@pytest.fixture(scope="session")
def azurite_with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureAzureServer]:
    """Azurite behind TLS, which also takes access tokens."""
    folder = tmp_path_factory.mktemp("azurite-with-tokens")
    authority, pair = certificates(folder)
    with _running(folder, "--oauth", "basic", "--cert", str(pair), "--key", str(pair)) as url:
        yield from _served(SecureAzureServer(url, _ACCOUNT_NAME, _ACCOUNT_KEY, "azurite with tokens", authority))


@pytest.fixture
def azurite_proxy(azurite: AzureServer) -> Iterator[Proxy]:
    """A proxy before Azurite."""
    with proxy_before(azurite) as proxy:
        yield proxy


@dataclasses.dataclass(frozen=True)
class QueueServer:
    """The queue service of an account, looked at with nothing but HTTP and signatures that Microsoft's client makes.

    Attributes:
        endpoint_url: the server, without the account.
    """

    endpoint_url: str
    account_name: str
    account_key: str
    name: str

    @property
    def account_url(self) -> str:
        """Where the queues are."""
        return f"{self.endpoint_url}/{self.account_name}"

    def make_queue(self, name: str | None = None) -> str:
        """Create an empty queue and return its name, by default one that nothing else uses."""
        queue = name or f"queue-{uuid.uuid4().hex[:16]}"
        self._call("PUT", queue)
        return queue

    def delete_queue(self, queue: str) -> None:
        """Delete a queue, which can be made again at once here."""
        self._call("DELETE", queue)

    def put(self, queue: str, *texts: str) -> None:
        """Put messages into a queue."""
        for text in texts:
            body = f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>".encode()
            self._call("POST", f"{queue}/messages", body=body)

    def count(self, queue: str) -> int:
        """Return how many messages there are, hidden ones included."""
        return int(self._call("GET", queue, comp="metadata")[0]["x-ms-approximate-messages-count"])

    def metadata(self, queue: str) -> dict[str, str]:
        """Return the metadata of a queue."""
        headers, _ = self._call("GET", queue, comp="metadata")
        start = "x-ms-meta-"
        return {name.lower()[len(start) :]: text for name, text in headers.items() if name.lower().startswith(start)}

    def visible(self, queue: str) -> list[str]:
        """Return the texts of those of the first 32 messages that anybody could receive now."""
        _, body = self._call("GET", f"{queue}/messages", peekonly="true", numofmessages="32")
        return [one.findtext("MessageText") or "" for one in ET.fromstring(body).iter("QueueMessage")]

    def exists(self, queue: str) -> bool:
        """Tell whether there is a queue of that name."""
        try:
            self._call("GET", queue, comp="metadata")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def sas_token(self, permissions: str = "raup") -> str:
        """Return a shared access signature for the queues of the account, of one hour."""
        from azure.storage.blob import AccountSasPermissions, ResourceTypes, Services, generate_account_sas

        token: str = generate_account_sas(
            self.account_name,
            self.account_key,
            resource_types=ResourceTypes(service=True, container=True, object=True),
            permission=AccountSasPermissions.from_string(permissions),
            expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
            services=Services(queue=True),
        )
        return token

    @functools.cached_property
    def _everything(self) -> str:
        return self.sas_token("rwdlacup")

    def _call(self, method: str, path: str, *, body: bytes | None = None, **query: str) -> tuple[Message, bytes]:
        url = f"{self.account_url}/{path}?{urlencode(query)}&{self._everything}"
        headers = {"content-type": "application/xml"} if body else {}
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30) as answer:
            return answer.headers, answer.read()


@pytest.fixture(scope="session")
def azurite_queues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueueServer]:
    """The queue service of the account that `azurite` has; queues that are deleted can be made again at once."""
    with _running(tmp_path_factory.mktemp("azurite-queues"), service="queue") as url:
        yield QueueServer(url, _ACCOUNT_NAME, _ACCOUNT_KEY, "azurite queues")


@pytest.fixture
def azurite_queues_proxy(azurite_queues: QueueServer) -> Iterator[Proxy]:
    """A proxy before the queue service."""
    with proxy_before(azurite_queues) as proxy:
        yield proxy


def _running(folder: Path, *options: str, service: str = "blob") -> contextlib.AbstractContextManager[str]:
    command = [
        *_program(service=service),
        f"--{service}Host", "127.0.0.1",
        f"--{service}Port", "0",
        "--inMemoryPersistence",
        "--silent",
        "--disableTelemetry",
        # The name of the host does not tell the account: this one is always in the path.
        "--disableProductStyleUrl",
        # Microsoft's client speaks of versions of the interface that are younger than this emulator.
        "--skipApiVersionCheck",
        *options,
    ]  # fmt: skip
    announces = re.compile(r"successfully listens on (https?://127\.0\.0\.1:\d+)\s")
    env = {"AZURITE_ACCOUNTS": f"{_ACCOUNT_NAME}:{_ACCOUNT_KEY}"}
    return running("azurite", command, announces=announces, ready=_answers, log=folder / "log", env=env)


def _served(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.close()


def _program(folder: Path = install_azurite.FOLDER, service: str = "blob") -> list[str]:
    try:
        return install_azurite.command(folder, service)
    except install_azurite.NotInstalledError as error:
        pytest.fail(str(error), pytrace=False)


def _answers(url: str) -> None:
    """Raise unless the server answers a request: it refuses this one, which nobody has signed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    if parts.scheme == "https":
        # Whose certificate it is, the clients of the tests see to.
        connection = http.client.HTTPSConnection(parts.netloc, timeout=5, context=ssl._create_unverified_context())
    try:
        connection.request("GET", f"/{_ACCOUNT_NAME}?comp=list")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 403:
        raise ConnectionError(f"it answers an unsigned request with status {status}")
