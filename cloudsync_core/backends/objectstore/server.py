"""Where a server is."""

from __future__ import annotations

import dataclasses
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks HTTP.

    Attributes:
        scheme: `http` or `https`.
        host: its name or address.
        port: its port.
    """

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Host and port as a Host header has them: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{self.scheme}://{self.netloc}"


def server_of(url: str) -> Server:
    """Return the server of a URL.

    Raises:
        ValueError: it is no URL of a server that speaks HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a server")
    return Server(parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])
