"""Proxies before a server: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, by the rules that Python's own library has."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is spoken to in plain HTTP.

    Attributes:
        host: its name or address.
        port: its port.
        headers: what it is told about who asks.
    """

    host: str
    port: int
    headers: Mapping[str, str] = dataclasses.field(repr=False)


class UnknownProxyError(Exception):
    """There is a proxy, of a kind that is not spoken to here."""


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy through which the environment wants a URL to be asked, if there is one.

    Raises:
        UnknownProxyError: it speaks TLS or another protocol than HTTP.
    """
    parts = urlsplit(url)
    text = getproxies().get(parts.scheme)
    if not text or proxy_bypass(parts.netloc):
        return None
    proxy = urlsplit(text if "://" in text else f"http://{text}")
    if proxy.scheme != "http" or proxy.hostname is None:
        raise UnknownProxyError
    headers = {}
    if proxy.username is not None:
        who = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["proxy-authorization"] = f"Basic {base64.b64encode(who.encode()).decode('ascii')}"
    return Proxy(proxy.hostname, proxy.port or 80, headers)
