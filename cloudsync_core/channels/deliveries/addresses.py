"""Which addresses of a network a web server of others may have, so that no update reaches into the own network."""

from __future__ import annotations

import ipaddress
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses that a gateway turns into the IPv4 address which they end with (RFC 6052)."""

_TRANSLATED_HERE: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Likewise, as a network of its own has it arranged (RFC 8215)."""


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
    inner = _inner(address)
    # Of these the IPv6 form says nothing: on networks without IPv4 every IPv4 host has such an address.
    stands_for_inner = isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _TRANSLATED)
    judged = inner if stands_for_inner else (address, *inner)
    return next(filter(None, map(_kind, judged)), None)


def _inner(address: _Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses to which packets for an IPv6 one may go."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address in _TRANSLATED:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return tuple(one for one in found if one is not None)


def _kind(address: _Address) -> str | None:
    if address.is_loopback or address.is_unspecified:
        return "it is this machine"
    if address.is_link_local:
        return "it is link-local"
    if address.is_multicast:
        return "it is multicast"
    if address.is_private or (isinstance(address, ipaddress.IPv6Address) and _is_of_a_site(address)):
        return "it is private"
    return "it is reserved" if address.is_reserved or not address.is_global else None


def _is_of_a_site(address: ipaddress.IPv6Address) -> bool:
    return address.is_site_local or address in _TRANSLATED_HERE
