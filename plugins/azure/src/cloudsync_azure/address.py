"""Where a container is: the account's blob service, and the container in the path of its URLs."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from cloudsync_core.backends.objectstore.server import Server, server_of

PUBLIC_SUFFIX = "core.windows.net"
"""What the hosts of accounts in the public cloud end with."""

_CONTAINER = re.compile(r"(?=.{3,63}\Z)(?:\$root|\$web|\$logs|[a-z0-9]+(?:-[a-z0-9]+)*)")
_ACCOUNT_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24}(?:-secondary)?)(?:\.z[0-9]+)?\.(?:blob|dfs)\.(?P<suffix>.+)")
_SERVICE_HOST = re.compile(
    r"(?P<account>[a-z0-9]{3,24})(?:-secondary)?(?P<zone>(?:\.z[0-9]+)?)\.(?:blob|dfs|queue)\.(?P<suffix>.+)"
)
_EMULATOR_PORTS = {10000: 10001}
"""Where Azurite has its queues when it has its blobs where nobody has said otherwise."""


def is_container(name: str) -> bool:
    """Tell whether a container can have this name.

    https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    """
    return _CONTAINER.fullmatch(name) is not None


def service_url(account: str, suffix: str = PUBLIC_SUFFIX, scheme: str = "https") -> str:
    """Return the URL of an account's blob service."""
    return f"{scheme}://{account}.blob.{suffix}"


def account_of(url: str) -> str | None:
    """Return the account that the URL of a service of it names: in its host, or for an address in its path."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if (match := _SERVICE_HOST.fullmatch(host)) is not None:
        return match["account"]
    first = unquote(parts.path.strip("/").partition("/")[0])
    return first if first and ("." not in host or _is_ip(host)) else None


def queue_url(url: str) -> str:
    """Return the URL of the queue service of the account whose blob service is at `url`.

    Raises:
        ValueError: nobody knows it, because the account has a name of its owner's for a host.
    """
    parts = urlsplit(url)
    if (match := _SERVICE_HOST.fullmatch(parts.hostname or "")) is not None:
        return f"{parts.scheme}://{match['account']}{match['zone']}.queue.{match['suffix']}"
    if parts.hostname in {"localhost", "127.0.0.1", "::1"} and parts.port in _EMULATOR_PORTS:
        netloc = parts.netloc.removesuffix(f":{parts.port}")
        return f"{parts.scheme}://{netloc}:{_EMULATOR_PORTS[parts.port]}{parts.path}"
    raise ValueError("it cannot be told where the account's queues are; name the URL of the queue service")


def split_host(container: str) -> tuple[str, str | None]:
    """Return the name of a container and the URL of the blob service that is written after it, if one is.

    `abfs://container@account.dfs.core.windows.net/prefix` is how Hadoop writes locations; the blob service of the same
    account holds the same objects.

    Raises:
        ValueError: what is written there is not the host of an account.
    """
    name, at, host = container.partition("@")
    if not at:
        return container, None
    match = _ACCOUNT_HOST.fullmatch(host)
    if match is None:
        raise ValueError(f"{host!r} is not the host of a storage account")
    return name, service_url(match["account"], match["suffix"])


def is_near(server: Server) -> bool:
    """Tell whether a server is on this machine."""
    return server.host in {"localhost", "127.0.0.1", "::1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """How the requests about one container are addressed.

    Attributes:
        server: which.
        base: the path of the endpoint, percent-encoded, without a slash at its end.
        account: the storage account.
        container: the container's name.
    """

    server: Server
    base: str
    account: str
    container: str

    @classmethod
    def of(cls, url: str, account: str, container: str) -> Self:
        """Return the address of a container.

        Args:
            url: of the account's blob service.
            account: its name.
            container: the container's.

        Raises:
            ValueError: the URL is none.
        """
        base = quote(urlsplit(url).path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
        return cls(server_of(url), base, account, container)

    def path(self, key: str | None) -> str:
        """Return the path of a request about an object, or about the container, percent-encoded."""
        container = f"{self.base}/{quote(self.container, safe='$-')}"
        return container if key is None else f"{container}/{quote(key, safe='/-._~')}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
