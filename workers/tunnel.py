"""Carries standard input and output through the SOCKS proxy of `socks.py`: `tunnel.py PROXY_PORT HOST PORT`.

git runs it for `git://` and ssh for `ssh://`, neither of which speaks SOCKS. It needs nothing but Python itself.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading

PIECE = 64 * 1024


def main(proxy_port: str, host: str, port: str) -> int:
    """Return the exit code: 1 when there is no way through."""
    name = host.encode("idna")
    with socket.create_connection(("127.0.0.1", int(proxy_port))) as connection:
        connection.sendall(b"\x05\x01\x00")
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack("!H", int(port)))
        # Two bytes answer the greeting and ten the request; its second one is the code.
        if connection.recv(12, socket.MSG_WAITALL)[3:4] != b"\x00":
            sys.stderr.write(f"{host}:{port} can't be connected to\n")
            return 1
        threading.Thread(target=_send, args=(connection,), daemon=True).start()
        while piece := connection.recv(PIECE):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    return 0


def _send(connection: socket.socket) -> None:
    while piece := os.read(0, PIECE):
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
