"""Every cloud behind a proxy that disturbs it, and the command as users have it."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.body import Body
from cloudsync_core.config.model import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import RunReport
from cloudsync_core.testing.faults import Forward, Request, Response
from tests.cli.conftest import cloudsync, folder, forked, invoke
from tests.pauses import leave_out
from tests.servers.dialects import S3, Azure, Gcs
from tests.servers.proxy import Proxy, proxy_before
from tests.workflows.world import World

__all__ = ["cloudsync", "folder", "forked", "invoke"]

KIB = 1024
PART = 256 * KIB
"""Bytes above which every store is told to write in parts, and bytes of a part."""


@dataclasses.dataclass
class Cloud:
    """An empty place in a store, and the proxy by which it is reached.

    Attributes:
        name: of the store.
        proxy: stands before its server.
        dialect: what the faults have to know of its protocol.
        url: of the place.
        options: of the location, as it is reached through the proxy.
        direct: the same past the proxy.
        paged: returns a request for a page of a listing that asks for fewer objects.
        unfinished: returns the keys of uploads that were begun, and neither finished nor given up.
    """

    name: str
    proxy: Proxy
    dialect: Any
    url: str
    options: Mapping[str, Any]
    direct: Mapping[str, Any]
    paged: Callable[[Request, int], Request]
    unfinished: Callable[[], list[str]]

    def open(self, **options: Any) -> Backend:
        """Open the place through the proxy."""
        return opened(self.url, {**self.options, **options})

    def fill(self, objects: Mapping[str, bytes]) -> None:
        """Write objects past the proxy."""
        with opened(self.url, self.direct) as backend:
            for key, content in objects.items():
                backend.put(key, Body(content))

    def contents(self) -> dict[str, bytes]:
        """Return what is really there."""
        with opened(self.url, self.direct) as backend:
            return {key: content_of(backend, key) for page in backend.list() for key in page.keys}

    def list_in_pages_of(self, size: int) -> None:
        """Let the server tell its listings in small pages."""

        self.proxy.disturb(self.dialect.is_listing, lambda request, forward: forward(self.paged(request, size)))


@functools.cache
def plugins() -> Plugins:
    return Plugins.load()


def opened(url: str, options: Mapping[str, Any]) -> Backend:
    """Open a location as `cloudsync_core.open_backend` does, with plugins that are loaded once."""
    resolver = Resolver(directory=Path.cwd(), hook=plugins().resolve_secret)
    where = LocationConfig(url=url, options=dict(options))
    return open_location(where, plugins=plugins(), loaded=None, resolver=resolver, create=False)


def content_of(backend: Backend, key: str) -> bytes:
    with backend.get(key) as reader:
        return reader.read()


def _s3(server: Any, proxy: Proxy) -> Cloud:
    # As Amazon's, which honours every condition, and of which `auto` would say so.
    ours = {"conditional_writes": True, "conditional_deletes": True, "multipart_threshold": PART, "part_size": PART}
    bucket = server.make_bucket()

    def unfinished() -> list[str]:
        return [upload["Key"] for upload in server.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    def amazon(request: Request, forward: Forward) -> Response:
        # Moto ignores this condition when it completes an upload.
        key = unquote(request.path.removeprefix(f"/{bucket}/"))
        found = server.client.head_object(Bucket=bucket, Key=key)["ETag"]
        return forward() if found == request.headers["if-match"] else S3().refusal(412)

    proxy.disturb(lambda request: request.method == "POST" and "if-match" in request.headers, amazon)
    return Cloud(
        "s3",
        proxy,
        S3(),
        f"s3://{bucket}/data",
        {**proxy.server.options, **ours},
        {**server.options, **ours},
        lambda request, size: with_query(request, {"max-keys": str(size)}),
        unfinished,
    )


def _azure(server: Any, proxy: Proxy) -> Cloud:
    ours = {"multipart_threshold": PART, "part_size": PART}
    # The parameters are signed: what is changed has to be signed anew.
    signature = dict(parse_qsl(server.sas_token()))

    def paged(request: Request, size: int) -> Request:
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        return with_query(dataclasses.replace(request, headers=headers), {**signature, "maxresults": str(size)})

    def microsoft(request: Request, forward: Forward) -> Response:
        # Azurite has another word for it than Azure.
        answer = forward()
        return Azure().refusal(400, "Md5Mismatch") if b"contentMD5 doesn't match" in answer.body else answer

    proxy.disturb(lambda request: "content-md5" in request.headers, microsoft)
    options, direct = {**proxy.server.options, **ours}, {**server.options, **ours}
    url = f"az://{server.make_container()}/data"
    # Blocks that nobody commits cannot be removed, and disappear by themselves after a week.
    return Cloud("azure", proxy, Azure(), url, options, direct, paged, list)


def _gcs(server: Any, proxy: Proxy) -> Cloud:
    ours = {"resumable_threshold": PART, "chunk_size": PART}
    bucket = server.make_bucket()
    return Cloud(
        "gcs",
        proxy,
        Gcs(),
        f"gs://{bucket}/data",
        {**proxy.server.options, **ours},
        {**server.options, **ours},
        lambda request, size: with_query(request, {"maxResults": str(size)}),
        lambda: server.open_uploads(bucket),
    )


def with_query(request: Request, parameters: Mapping[str, str]) -> Request:
    """Return a request with these parameters, instead of those of the same names."""
    path, query = urlsplit(request.target).path, dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))
    return dataclasses.replace(request, target=f"{path}?{urlencode({**query, **parameters})}")


CLOUDS = {"s3": (_s3, "moto_s3"), "azure": (_azure, "azurite"), "gcs": (_gcs, "gcs")}


@pytest.fixture(params=CLOUDS)
def cloud(request):
    """Each cloud in turn, or the one that a test asks for by `indirect`."""
    make, fixture = CLOUDS[request.param]
    server = request.getfixturevalue(fixture)
    with proxy_before(server) as proxy:
        yield make(server, proxy)


ATTEMPTS = 3

SILENT = {"no-answer", "no-end-of-the-answer"}
"""Faults that only end because somebody has waited long enough."""

IMPATIENT = 0.3
"""Seconds for which an answer is waited for then."""

MARK, WRONG = b"MARK", b"MARJ"
"""Something that a test recognises on its way, and the same with one bit turned round."""


def marked(size: int) -> bytes:
    """Return content that no other has, with a mark near its end."""
    content = (uuid.uuid4().bytes * (size // 16 + 1))[:size]
    return content[:-100] + MARK + content[-96:]


class Uploads:
    """A directory with one file, `key`, which is to be mirrored to a cloud.

    Attributes:
        cloud: where to.
        folder: the directory.
        content: of the file.
        wrap: puts a layer around the directory.
    """

    def __init__(self, cloud: Cloud, folder: Path, size: int) -> None:
        self.cloud, self.proxy, self.dialect = cloud, cloud.proxy, cloud.dialect
        self.folder = folder
        self.content = marked(size)
        self.wrap: Callable[[Backend], Backend] = lambda backend: backend
        folder.mkdir()
        (folder / "key").write_bytes(self.content)

    def mirror(self, **rules: Any) -> RunReport:
        """Run a mirror of the directory to the cloud."""
        directory = Location.parse(str(self.folder))
        world = World(lambda: self.wrap(FileBackend(directory)), self.cloud.open, rules={"retries": ATTEMPTS, **rules})
        return world.mirror()

    def commits(self, request: Request) -> bool:
        """Tell whether a request makes the file's object visible."""
        return bool(self.dialect.commits(request)) and not of_the_run(request)


class Downloads:
    """An object, `key`, of a cloud, which is to be mirrored to a directory.

    Attributes:
        cloud: where from.
        folder: the directory.
        content: of the object.
        size: of it, in bytes.
        read_timeout: seconds.
    """

    read_timeout = 60.0

    def __init__(self, cloud: Cloud, folder: Path, size: int) -> None:
        self.cloud, self.proxy, self.dialect = cloud, cloud.proxy, cloud.dialect
        self.folder, self.size = folder, size
        self.content = marked(size)
        folder.mkdir()
        cloud.fill({"key": self.content})

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files into the directory."""
        for key, content in files.items():
            (self.folder / key).write_bytes(content)

    def contents(self) -> dict[str, bytes]:
        """Return every file of the directory."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def mirror(self, **rules: Any) -> RunReport:
        """Run a mirror of the cloud to the directory."""
        directory = Location.parse(str(self.folder))
        return World(
            lambda: self.cloud.open(read_timeout=self.read_timeout),
            lambda: FileBackend(directory, FileOptions(fsync=False)),
            rules={"retries": ATTEMPTS, **rules},
        ).mirror()


class Removals(Uploads):
    """A directory with one file that the cloud has, too, beside some objects that are to be deleted."""

    def __init__(self, cloud: Cloud, folder: Path, count: int) -> None:
        super().__init__(cloud, folder, KIB)
        (folder / "key").unlink()
        (folder / "kept").write_bytes(b"kept")
        cloud.fill({"kept": b"kept", **{f"old-{number}": b"old" for number in range(count)}})

    def deletes(self, request: Request) -> bool:
        """Tell whether a request deletes objects of the mirror."""
        return bool(self.dialect.deletes(request)) and not of_the_run(request)

    def mirror(self, **rules: Any) -> RunReport:
        """Run a mirror that deletes."""
        return super().mirror(delete=True, max_delete="100%", **rules)


class Copies:
    """An object, `from/key` of a cloud, which is to be mirrored to another place there without passing through here."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.proxy, self.dialect = cloud, cloud.proxy, cloud.dialect
        self.content = marked(KIB)
        cloud.fill({"from/key": self.content})

    def contents(self) -> dict[str, bytes]:
        """Return what is at the other place, by its key there."""
        found = self.cloud.contents()
        return {key.removeprefix("to/"): content for key, content in found.items() if key.startswith("to/")}

    def mirror(self) -> RunReport:
        """Run the mirror."""
        source, target = (dataclasses.replace(self.cloud, url=f"{self.cloud.url}/{name}") for name in ("from", "to"))
        return World(source.open, target.open, rules={"retries": ATTEMPTS}).mirror()


def of_the_run(request: Request) -> bool:
    """Tell whether a request is about what a run writes for itself."""
    return b"lease" in request.target.encode() + request.body[:KIB]


def carries_mark(request: Request) -> bool:
    return MARK in request.body


def flip_mark(request: Request, forward: Forward) -> Response:
    """Turn one bit of the content round on its way to the server."""
    return forward(dataclasses.replace(request, body=request.body.replace(MARK, WRONG)))


@pytest.fixture
def without_pauses(monkeypatch):
    """Let attempts follow each other at once."""
    leave_out(monkeypatch)
