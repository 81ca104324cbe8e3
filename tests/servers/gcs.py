"""Google Cloud Storage, as its JSON API is documented, in this process and in memory; and independent clients.

`gcs` is the usual server, `gcs_small_pages` answers listings in small pages, `gcs_guarded` wants access tokens, and
`gcs_proxy` counts and disturbs requests. `running_gcs` starts any other. Tests get buckets of their own by
`GcsServer.make_bucket`, look at them with `contents` and `resource`, or through `client` and `filesystem`.

The rooms: `gcs_http` the wire, `gcs_service` the paths, `gcs_store` and `gcs_objects` what is kept, and a module for
each thing that is done to it. No emulator that can be installed has preconditions, pages, rewrites and compositions as
Google documents them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import urllib.parse
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.servers.gcs_errors import error_body
from tests.servers.gcs_http import HttpServer
from tests.servers.gcs_objects import Hashes
from tests.servers.gcs_service import Service
from tests.servers.gcs_tokens import PROJECT, Tokens
from tests.servers.proxy import Proxy, Response, proxy_before

__all__ = ["PROJECT", "Answer", "GcsServer", "Tokens", "gcs_error", "running_gcs"]

_SMALL_PAGE = 3


@dataclasses.dataclass(frozen=True)
class Answer:
    """What `GcsServer.ask` got. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Google's code of an error in JSON."""
        found: str = self.json["error"]["errors"][0]["reason"]
        return found


@dataclasses.dataclass(frozen=True)
class GcsServer:
    """A running server and how to reach it.

    Attributes:
        endpoint_url: where.
        name: for messages.
        service: what answers.
    """

    endpoint_url: str
    name: str
    service: Service = dataclasses.field(repr=False, compare=False)

    @property
    def options(self) -> dict[str, Any]:
        """The options of a location on this server, as a user writes them."""
        # Of a server that is not Google's own, nobody can know that it judges conditions unless they are told.
        common = {"endpoint_url": self.endpoint_url, "project": PROJECT, "preconditions": True}
        if self.tokens is None:
            return {**common, "anonymous": True}
        token = f"token-{uuid.uuid4().hex}"
        self.tokens.accept(token)
        return {**common, "token": token}

    @property
    def tokens(self) -> Tokens | None:
        """What is known of access tokens, or `None` where they are not asked for."""
        return self.service.tokens

    def make_bucket(self, name: str | None = None, **settings: Any) -> str:
        """Create an empty bucket and return its name, by default one that nothing else uses.

        Args:
            name: of the bucket.
            settings: as in Google's resource of a bucket, for instance `versioning={"enabled": True}`,
                `billing={"requesterPays": True}` or `retentionPolicy={"retentionPeriod": "3600"}`.
        """
        bucket = name or f"bucket-{uuid.uuid4().hex[:16]}"
        self.service.store.make_bucket(bucket, settings)
        return bucket

    def put(self, bucket: str, key: str, content: bytes, **fields: Any) -> int:
        """Write an object without a request, and return its generation.

        Args:
            bucket: where.
            key: its name, which is not checked.
            content: what is stored.
            fields: as in Google's resource of an object, for instance `contentType`, `contentEncoding="gzip"`,
                `metadata={…}` or `temporaryHold=True`.
        """
        store = self.service.store
        return store.add(store.bucket(bucket), key, content, fields, Hashes.of(content)).generation

    def compose(self, bucket: str, key: str, parts: Sequence[bytes], **fields: Any) -> int:
        """Write a composite object, which has no MD5, without a request; return its generation."""
        store, whole = self.service.store, b"".join(parts)
        return store.add(store.bucket(bucket), key, whole, fields, Hashes.of(whole), components=len(parts)).generation

    def contents(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return every live object of the bucket under `prefix`, as it is stored, by its whole key."""
        with self.service.store.lock:
            live = self.service.store.bucket(bucket).live
            return {key: stored.content for key, stored in sorted(live.items()) if key.startswith(prefix)}

    def resource(self, bucket: str, key: str) -> dict[str, Any]:
        """Return what the API says of a live object.

        Raises:
            KeyError: there is none.
        """
        with self.service.store.lock:
            return self.service.store.bucket(bucket).live[key].resource(self.service.url)

    def open_uploads(self, bucket: str | None = None) -> list[str]:
        """Return the names of resumable uploads that were begun, and neither finished nor cancelled."""
        sessions = list(self.service.uploads.sessions.values())
        return [
            session.name
            for session in sessions
            if session.made is None and not session.cancelled and bucket in {None, session.bucket}
        ]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | dict[str, Any] = b"",
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Answer:
        """Make one request with nothing added to it, for what no client says.

        Args:
            method: of HTTP.
            path: percent-encoded; one that begins with `b/` is below `/storage/v1/`.
            body: a dictionary goes as JSON.
            headers: all but `Host` and `Content-Length`.
            query: parameters; an underscore at the end of a name is dropped.
        """
        whole = path if path.startswith("/") else f"/storage/v1/{path}"
        if query:
            whole += "?" + urllib.parse.urlencode({name.rstrip("_"): value for name, value in query.items()})
        text = json.dumps(body) if isinstance(body, dict) else body
        sent = text.encode() if isinstance(text, str) else text
        connection = http.client.HTTPConnection(self.endpoint_url.removeprefix("http://"), timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, whole, skip_accept_encoding=True)
            for name, value in {"Content-Length": str(len(sent)), **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders(sent)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    @functools.cached_property
    def client(self) -> Any:
        """A client of google-cloud-storage: the independent oracle."""
        with warnings.catch_warnings():
            # Some of Google's libraries say a year ahead which Python they will give up.
            warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
            from google.auth.credentials import AnonymousCredentials
            from google.cloud.storage import Client

        return Client(PROJECT, AnonymousCredentials(), client_options={"api_endpoint": self.endpoint_url})

    def filesystem(self, **options: Any) -> Any:
        """Return a new gcsfs that keeps nothing in mind."""
        from gcsfs import GCSFileSystem

        fresh = {"skip_instance_cache": True, "use_listings_cache": False, "token": "anon", "project": PROJECT}
        return GCSFileSystem(endpoint_url=self.endpoint_url, **{**fresh, **options})

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


@contextlib.contextmanager
def running_gcs(
    *, page_size: int = 1000, tokens: Tokens | None = None, rewrite_bytes: int | None = None, name: str = "gcs"
) -> Iterator[GcsServer]:
    """Run a server for the length of the block.

    Args:
        page_size: entries of a listing's page at most; the service's own limit is the default.
        tokens: which access tokens are valid; without any, nobody is asked.
        rewrite_bytes: what one call of a rewrite does at most, as between places; by default everything.
        name: for messages.
    """
    service = Service(page_size=page_size, tokens=tokens, rewrite_bytes=rewrite_bytes)
    listener = HttpServer(service.answer)
    service.url = listener.url
    if tokens is not None:
        tokens.url = listener.url
    server = GcsServer(listener.url, name, service)
    listener.start()
    try:
        yield server
    finally:
        server.close()
        listener.stop()


def gcs_error(status: int, reason: str, message: str = "", **headers: str) -> Response:
    """Return an answer for `Proxy.answer` in the form of Google's errors."""
    return Response(status, error_body(status, reason, message), {"content-type": "application/json", **headers})


@pytest.fixture(scope="session", autouse=True)
def _no_ambient_google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the credentials and settings of whoever runs the tests out of them, and gcsfs from asking by gRPC."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GCSFS_", "CLOUDSDK_", "GCE_"))]:
            patch.delenv(name)
        patch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        patch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.mktemp("no-gcloud")))
        patch.setenv("NO_GCE_CHECK", "true")
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        yield


@pytest.fixture(scope="session")
def gcs() -> Iterator[GcsServer]:
    """The usual server: nobody is asked who they are."""
    with running_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_small_pages() -> Iterator[GcsServer]:
    """A server that answers a listing with three entries a page."""
    with running_gcs(page_size=_SMALL_PAGE, name="gcs-small-pages") as server:
        yield server


@pytest.fixture
def gcs_guarded() -> Iterator[GcsServer]:
    """A server of its own for each test, which wants access tokens."""
    with running_gcs(tokens=Tokens(), name="gcs-guarded") as server:
        yield server


@pytest.fixture
def gcs_proxy(gcs: GcsServer) -> Iterator[Proxy]:
    """A proxy before the usual server."""
    with proxy_before(gcs) as proxy:
        yield proxy
