"""Which addresses of a network a web server of others may have, so that no update reaches into the own network."""

from __future__ import annotations

import ipaddress
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED: Final = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""IPv6 addresses that a gateway turns into the IPv4 address which they end with (RFC 6052, RFC 8215)."""


def problem(text: str) -> str | None:
    """Say why an address may not be connected to, or return `None` when it is one of the public Internet.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) counts as what it leads to. The registries are
    https://www.iana.org/assignments/iana-ipv4-special-registry/ and its IPv6 sister, as far as Python knows them.

    Args:
        text: an IPv4 or IPv6 address, as `socket.getaddrinfo` returns it.
    """
    try:
        address: _Address = ipaddress.ip_address(text)
    except ValueError:
        return "it is no address"
    return next(filter(None, map(_kind, (address, *_inner(address)))), None)


def _inner(address: _Address) -> tuple[_Address, ...]:
    """Return the IPv4 addresses to which packets for an IPv6 one may go."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    teredo = address.teredo or ()
    found = [address.ipv4_mapped, address.sixtofour, *teredo]
    if any(address in network for network in _TRANSLATED):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(one for one in found if one is not None)


def _kind(address: _Address) -> str | None:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return None  # what is inside decides
    if address.is_loopback or address.is_unspecified:
        return "it is this machine"
    if address.is_link_local:
        return "it is link-local"
    if address.is_multicast:
        return "it is multicast"
    if address.is_private or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local):
        return "it is private"
    return "it is reserved" if address.is_reserved or not address.is_global else None
