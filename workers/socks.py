"""A SOCKS proxy on loopback through which git reaches the world, so that every address it connects to is checked.

Source: RFC 1928, of which it speaks version 5, no login, CONNECT.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

from shipway.egress import Egress

PIECE = 64 * 1024
NO_LOGIN = b"\x05\x00"
SUCCEEDED, REFUSED, UNREACHABLE, UNSUPPORTED = 0, 2, 4, 7
IPV4, NAME, IPV6 = 1, 3, 4


class SocksProxy:
    """Connects whoever asks to where its egress permits.

    Attributes:
        port: where it listens on 127.0.0.1.
        refused: whether it was asked for an address that is not permitted.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self.port = 0
        self.refused = False

    @classmethod
    @asynccontextmanager
    async def serving(cls, egress: Egress) -> AsyncIterator[SocksProxy]:
        """Serve until the block ends."""
        proxy = cls(egress)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        async with server:
            proxy.port = server.sockets[0].getsockname()[1]
            yield proxy

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):  # either side may hang up whenever it likes
            await self._relay(reader, writer)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(NO_LOGIN)
        _, command, _, kind = await reader.readexactly(4)
        host = await _host(reader, kind)
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        if command != 1:
            writer.write(_reply(UNSUPPORTED))
            return
        try:
            there_reader, there_writer = await self._egress.connect(host, port)
        except PermissionError:
            self.refused = True
            writer.write(_reply(REFUSED))
            return
        except OSError:
            writer.write(_reply(UNREACHABLE))
            return
        writer.write(_reply(SUCCEEDED))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, there_writer))
                both.create_task(_copy(there_reader, writer))
        except* OSError:
            pass
        finally:
            there_writer.close()


async def _host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == NAME:
        (length,) = await reader.readexactly(1)
        return (await reader.readexactly(length)).decode("ascii", "replace")
    return str(ip_address(await reader.readexactly(4 if kind == IPV4 else 16)))


def _reply(code: int) -> bytes:
    return struct.pack("!BBBBIH", 5, code, 0, IPV4, 0, 0)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
