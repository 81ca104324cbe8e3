"""Every cloud behind a proxy that disturbs it, and the command as users have it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from cloudsync_core.api import open_backend
from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.testing.faults import Forward, Request, Response
from tests.cli.conftest import cloudsync, folder, invoke
from tests.servers.dialects import S3, Azure, Gcs
from tests.servers.proxy import Proxy, proxy_before

__all__ = ["cloudsync", "folder", "invoke"]

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
    """

    name: str
    proxy: Proxy
    dialect: Any
    url: str
    options: Mapping[str, Any]
    direct: Mapping[str, Any]
    paged: Callable[[Request, int], Request]

    def open(self, **options: Any) -> Backend:
        """Open the place through the proxy."""
        return open_backend(self.url, **{**self.options, **options})

    def fill(self, objects: Mapping[str, bytes]) -> None:
        """Write objects past the proxy."""
        with open_backend(self.url, **self.direct) as backend:
            for key, content in objects.items():
                backend.put(key, Body(content))

    def contents(self) -> dict[str, bytes]:
        """Return what is really there."""
        with open_backend(self.url, **self.direct) as backend:
            return {key: content_of(backend, key) for page in backend.list() for key in page.keys}

    def list_in_pages_of(self, size: int) -> None:
        """Let the server tell its listings in small pages."""

        def rule(request: Request, forward: Forward) -> Response:
            return forward(self.paged(request, size)) if self.dialect.is_listing(request) else forward()

        self.proxy.rule = rule


def content_of(backend: Backend, key: str) -> bytes:
    with backend.get(key) as reader:
        return reader.read()


def _s3(server: Any, proxy: Proxy) -> Cloud:
    # As Amazon's, which honours every condition, and of which `auto` would say so.
    ours = {"conditional_writes": True, "conditional_deletes": True, "multipart_threshold": PART, "part_size": PART}
    return Cloud(
        "s3",
        proxy,
        S3(),
        f"s3://{server.make_bucket()}/data",
        {**proxy.server.options, **ours},
        {**server.options, **ours},
        lambda request, size: with_query(request, {"max-keys": str(size)}),
    )


def _azure(server: Any, proxy: Proxy) -> Cloud:
    ours = {"multipart_threshold": PART, "part_size": PART}
    # The parameters are signed: what is changed has to be signed anew.
    signature = dict(parse_qsl(server.sas_token()))

    def paged(request: Request, size: int) -> Request:
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        return with_query(dataclasses.replace(request, headers=headers), {**signature, "maxresults": str(size)})

    options, direct = {**proxy.server.options, **ours}, {**server.options, **ours}
    return Cloud("azure", proxy, Azure(), f"az://{server.make_container()}/data", options, direct, paged)


def _gcs(server: Any, proxy: Proxy) -> Cloud:
    ours = {"resumable_threshold": PART, "chunk_size": PART}
    return Cloud(
        "gcs",
        proxy,
        Gcs(),
        f"gs://{server.make_bucket()}/data",
        {**proxy.server.options, **ours},
        {**server.options, **ours},
        lambda request, size: with_query(request, {"maxResults": str(size)}),
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


def random_bytes(size: int) -> bytes:
    """Return content that no other has."""
    return (uuid.uuid4().bytes * (size // 16 + 1))[:size]
