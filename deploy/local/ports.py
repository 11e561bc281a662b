"""TCP ports on 127.0.0.1."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port nobody listens on at this moment (the kernel picks it)."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT after a stop counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int, question: bytes, beginning: bytes, *, host: str = LOOPBACK) -> bool:
    """Whether a server answers `question` within a second, with bytes that start with `beginning`."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(question)
            return connection.recv(len(beginning)) == beginning
    except OSError:
        return False
