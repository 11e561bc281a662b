"""The ground of a command: the thread that runs it, which waits by blocking."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from shipway.client.aside import Aside
from shipway.client.ground import CONNECT_TIMEOUT, LOOPBACK, Answer, Request
from shipway.client.http1 import Line
from shipway.client.refusals import unreachable

T = TypeVar("T")


def run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that stands on `Alone` to its end: whatever it waits for blocks, so it never lets go."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("this coroutine needs an event loop")


def reachable_alone(url: str) -> bool:
    """Whether a service can be spoken to directly. Proxies, and logins in URLs, are httpx's affair."""
    parts = urlsplit(url)
    if parts.hostname in LOOPBACK:
        return parts.username is None
    proxies = sys.platform == "darwin" or any(name.lower().endswith("_proxy") and value for name, value in _env())
    return parts.username is None and not proxies


def _env() -> Iterable[tuple[str, str]]:
    return os.environ.items()


class Alone:
    """Speaks HTTP/1.1 over sockets of its own, one request after the other on each."""

    def __init__(self, url: str, timeout: float, headers: Mapping[str, str]) -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._timeout = timeout
        self._headers = {"Host": self._parts.netloc, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        self._idle: list[Line] = []
        self._aside = Aside()

    async def send(self, request: Request) -> Answer:
        line = None
        try:
            line = self._line()
            line.socket.settimeout(request.patience or self._timeout)
            target = self._parts.path.rstrip("/") + request.path
            await line.send(request.method, target, {**self._headers, **request.headers}, request.body)
            status, headers = line.response()
        except OSError as fault:
            if line is not None:
                line.close()
            raise unreachable(self.url, fault, late=isinstance(fault, TimeoutError)) from fault
        except BaseException:
            if line is not None:
                line.close()
            raise
        return Answer(status, headers, self._chunks(line), lambda: self._done(line))

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  (nobody else is here)

    async def iterate(self, make: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
        for value in make():
            yield value

    async def call(self, function: Callable[[], T]) -> T:
        return function()

    def aside(self, function: Callable[[], None]) -> None:
        self._aside.run(function)

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> None:
        faults: list[Exception] = []

        def run(work: Coroutine[Any, Any, None]) -> None:
            try:
                run_alone(work)
            except Exception as fault:  # noqa: BLE001  (it is raised again below)
                faults.append(fault)

        # Daemon threads don't keep the command from ending after Ctrl-C.
        threads = [threading.Thread(target=run, args=[work], daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise ExceptionGroup("some of several things failed", faults)

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self._aside.join()

    def _line(self) -> Line:
        """A connection on which nothing is under way: one that is still open, or a new one."""
        while (line := self._took()) is not None:
            if line.open:
                return line
            line.close()
        return Line(self._connected())

    def _took(self) -> Line | None:
        try:
            return self._idle.pop()
        except IndexError:  # several threads may ask
            return None

    def _connected(self) -> socket.socket:
        secure = self._parts.scheme == "https"
        name, port = self._parts.hostname or "", self._parts.port or (443 if secure else 80)
        # As text it would load the codec for names of other letters, which takes longer than to connect.
        host = cast("str", name.encode()) if name.isascii() else name
        connected = socket.create_connection((host, port), min(self._timeout, CONNECT_TIMEOUT))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(connected, name) if secure else connected

    async def _chunks(self, line: Line) -> AsyncGenerator[bytes, None]:
        try:
            while chunk := line.chunk():
                yield chunk
        except OSError as fault:
            raise unreachable(self.url, fault, late=isinstance(fault, TimeoutError)) from fault

    async def _done(self, line: Line) -> None:
        if line.reusable:
            self._idle.append(line)
        else:
            line.close()


def _secured(connected: socket.socket, host: str) -> socket.socket:
    """Speak TLS, trusting whom httpx trusts: `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else certifi's list."""
    import ssl  # noqa: PLC0415  (plain HTTP doesn't need it)

    import certifi  # noqa: PLC0415

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder)
    return context.wrap_socket(connected, server_hostname=host)
