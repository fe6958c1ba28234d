"""Which addresses a tenant's webhook may reach: public ones, and nothing of ours.

Names are resolved once, every address of the answer is judged, and the connection is made to an address that was
judged: a name that answers differently a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beyond what `ipaddress` calls not global (private, loopback, link-local, shared, reserved, documentation): ranges that
# carry an IPv4 address inside an IPv6 one, as what is inside decides and a gateway may be anywhere (RFC 4291, 3056,
# 4380, 6052, 8215), and single addresses of clouds that answer their machines with secrets.
_CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "100::/64",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
    )
)


class Closed(Exception):
    """A destination that is not written to; the message says why, without telling what the name resolved to."""


def is_open(address: Address) -> bool:
    """May it be connected to."""
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None:
        return is_open(inner)
    if not address.is_global or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    return not any(address.version == network.version and address in network for network in _CLOSED)


def resolve(host: str, port: int, *, is_trusted: bool = False) -> list[str]:
    """The addresses to connect to, in the resolver's order. Raises Closed if any of them is closed, OSError if there is none.

    `is_trusted`: a host that the installation itself names (AGENTOPS_WEBHOOK_ALLOWED_HOSTS) may be anywhere.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not is_trusted and not all(is_open(_parsed(text)) for text in found):
        raise Closed("its name leads to an address that is not public")
    return found


def _parsed(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])  # a zone ("fe80::1%eth0") says which link, not which address
