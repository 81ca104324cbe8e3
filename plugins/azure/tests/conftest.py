"""Opens the backend on the server that the fixtures of the repository start, and what that server leaves to a proxy."""

import dataclasses
import ssl
from urllib.parse import urlsplit

import pytest
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions

from cloudsync_core.location import Location
from plugins.azure.tests.answers import refusal
from tests.servers.certificates import certificates
from tests.servers.proxy import Request, proxy_before


@pytest.fixture
def open_azure():
    """Return a function that opens a prefix in a server's account and closes it with the test."""
    opened = []

    def open_backend(server, container, prefix="", **options):
        backend = AzureBackend(Location("az", f"{container}/{prefix}"), AzureOptions(**{**server.options, **options}))
        backend.server = server
        opened.append(backend)
        return backend

    yield open_backend
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(azurite, open_azure):
    """A prefix of a fresh container on Azurite."""
    return open_azure(azurite, azurite.make_container(), "root")


@pytest.fixture
def proxied(azurite_proxy, open_azure):
    """The same through `azurite_proxy`, which it has as `proxy`, with small blocks."""
    container = azurite_proxy.server.make_container()
    backend = open_azure(azurite_proxy.server, container, "root", multipart_threshold="100KiB", part_size="70KiB")
    backend.proxy = azurite_proxy
    del azurite_proxy.requests[:]
    return backend


@pytest.fixture
def bringing_proxy(azurite, azurite_proxy):
    """A proxy before Azurite that can make blocks of another object's bytes, as Microsoft documents it.

    https://learn.microsoft.com/rest/api/storageservices/put-block-from-url: the source is read by what its URL and
    `x-ms-copy-source-authorization` allow, under the conditions on it.
    """
    token = azurite.sas_token()

    def rule(request, forward):
        if request.query.get("comp") != "block" or "x-ms-copy-source" not in request.headers:
            return forward()
        source = urlsplit(request.headers["x-ms-copy-source"])
        wanted = {"host": source.netloc, "x-ms-version": request.headers["x-ms-version"]}
        wanted["x-ms-range"] = request.headers["x-ms-source-range"]
        wanted["if-match"] = request.headers["x-ms-source-if-match"]
        found = azurite_proxy.forward(Request("GET", f"{source.path}?{source.query}", wanted, b""))
        if found.status == 412:
            return refusal(412, "SourceConditionNotMet")
        if found.status >= 300:
            return refusal(found.status, "CannotVerifyCopySource")
        return azurite_proxy.forward(
            Request(
                "PUT",
                request.target if "sig=" in request.target else f"{request.target}&{token}",
                {
                    "host": source.netloc,
                    "x-ms-version": request.headers["x-ms-version"],
                    "content-length": str(len(found.body)),
                },
                found.body,
            )
        )

    azurite_proxy.rule = rule
    return azurite_proxy


@pytest.fixture
def token_proxy(azurite, azurite_proxy):
    """A proxy before Azurite that lets in who has one of `tokens`, and nobody else: Azurite itself checks none."""
    azurite_proxy.tokens = {"the-token"}
    signature = azurite.sas_token()

    def rule(request, forward):
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or token not in azurite_proxy.tokens:
            return refusal(401, "InvalidAuthenticationInfo")
        target = request.target + ("&" if "?" in request.target else "?") + signature
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        return azurite_proxy.forward(dataclasses.replace(request, target=target, headers=headers))

    azurite_proxy.rule = rule
    return azurite_proxy


@pytest.fixture
def secure(azurite, tmp_path):
    """Azurite behind TLS: a running proxy, with the certificate of its authority as `authority`."""
    authority, certificate = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with proxy_before(azurite, context) as proxy:
        proxy.authority = authority
        yield proxy
