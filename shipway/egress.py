"""Which addresses a server of Shipway connects to when a user's URL asks for it.

A URL must not be a way into the operator's own network: to a metadata service, to Redis, to the daemon. What counts is
the address that is connected to, so neither a redirect nor a name whose address changes gets round it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

CONNECT = 20.0
"""Seconds to wait for a connection."""
_NAT64 = IPv6Network("64:ff9b::/96")


class Egress:
    """Opens connections to public addresses, and to those that the operator allows.

    Args:
        allowed: addresses and networks (CIDR) that may be connected to although they are not public, comma separated.

    Raises:
        ValueError: one of them is neither.
    """

    def __init__(self, allowed: str = "") -> None:
        self._allowed = [ip_network(part.strip()) for part in allowed.split(",") if part.strip()]

    def permits(self, address: str) -> bool:
        """Whether an address may be connected to."""
        meant = _meant(ip_address(address.partition("%")[0]))
        return (meant.is_global and not meant.is_multicast) or any(meant in network for network in self._allowed)

    def socket(self, info: Any) -> socket.socket:
        """Make the socket for one answer of `getaddrinfo`, as aiohttp's `socket_factory` does.

        Raises:
            PermissionError: its address may not be connected to.
        """
        family, kind, protocol, _, address = info
        if not self.permits(address[0]):
            raise PermissionError(errno.EACCES, "the address is not a public one")
        return socket.socket(family, kind, protocol)

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address of a host that may be connected to and answers.

        Raises:
            PermissionError: none of its addresses may be connected to.
            OSError: it has no address, or none answers.
        """
        loop = asyncio.get_running_loop()
        fault: OSError = PermissionError(errno.EACCES, "the host has no public address")
        async with asyncio.timeout(CONNECT):
            for info in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                try:
                    connection = self.socket(info)
                except PermissionError:
                    continue
                connection.setblocking(False)
                try:
                    await loop.sock_connect(connection, info[4])
                except OSError as why:
                    connection.close()
                    fault = why
                else:
                    return await asyncio.open_connection(sock=connection)
        raise fault


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    translated = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or translated or address
