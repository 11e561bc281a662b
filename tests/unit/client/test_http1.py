"""The client's HTTP/1.1, with h11 on the other side."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import AsyncGenerator, Iterable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.client.alone import run_alone
from shipway.client.http1 import BrokenAnswerError, Line

framings = st.sampled_from(["length", "chunked", "hangs up"])
bodies = st.lists(st.binary(max_size=300), max_size=4)


def answer(framing: str, body: list[bytes], *, early: bool) -> bytes:
    """What h11 sends for an answer with this body, `early` with an informational one before it."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    server.next_event()
    headers = {
        "length": [("Content-Length", str(len(b"".join(body))))],
        "chunked": [("Transfer-Encoding", "chunked")],
        "hangs up": [("Connection", "close")],
    }
    sent = server.send(h11.InformationalResponse(status_code=103, headers=[("Link", "x")])) if early else b""
    parts: list[bytes | None] = [
        sent,
        server.send(h11.Response(status_code=200, headers=[*headers[framing], ("X-Said", "two words")])),
        *(server.send(h11.Data(data=chunk)) for chunk in body),
        server.send(h11.EndOfMessage()),
    ]
    return b"".join(part or b"" for part in parts)


def read(pieces: Iterable[bytes], *, hangs_up: bool) -> tuple[int, dict[str, str], bytes, bool]:
    """Status, headers and body of an answer that comes in these pieces, and whether the connection is reusable."""
    here, there = socket.socketpair()
    with here, there:
        line = Line(here)
        run_alone(line.send("GET", "/", {"Host": "a"}, b""))
        there.recv(4096)

        def serve() -> None:
            for piece in pieces:
                there.sendall(piece)
            if hangs_up:
                there.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            status, headers = line.response()
            body = b"".join(iter(line.chunk, b""))
            return status, headers, body, line.reusable
        finally:
            thread.join()


@given(framings, bodies, st.booleans(), st.lists(st.integers(0, 1500), max_size=5))
def test_answers_are_read_as_they_were_meant(framing: str, body: list[bytes], early: bool, cuts: list[int]) -> None:
    raw = answer(framing, body, early=early)
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    pieces = [raw[start:end] for start, end in itertools.pairwise(places)]

    status, headers, content, reusable = read(pieces, hangs_up=framing == "hangs up")

    assert (status, headers["x-said"]) == (200, "two words")
    assert content == b"".join(body)
    assert reusable is (framing != "hangs up")


@given(st.one_of(st.binary(max_size=200), st.builds(answer, framings, bodies, early=st.booleans())), st.data())
def test_nothing_that_may_come_raises_anything_else(raw: bytes, data: st.DataObject) -> None:
    damaged = bytearray(raw)
    for _ in range(3 if raw else 0):
        damaged[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"\r\n 0fX:\xff\x00"))

    try:
        read([bytes(damaged)], hangs_up=True)
    except BrokenAnswerError:
        return


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(BrokenAnswerError):
        read([raw], hangs_up=True)


@given(st.one_of(st.binary(max_size=300), st.lists(st.binary(max_size=100), max_size=4)))
def test_requests_arrive_as_they_were_sent(body: bytes | list[bytes]) -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        assert isinstance(body, list)
        for chunk in body:
            yield chunk

    here, there = socket.socketpair()
    with here, there:
        run_alone(Line(here).send("POST", "/a?b=c", {"Host": "h"}, body if isinstance(body, bytes) else chunks))
        here.shutdown(socket.SHUT_WR)
        server = h11.Connection(h11.SERVER)
        events: list[object] = []
        while not events or not isinstance(events[-1], h11.EndOfMessage):
            event = server.next_event()
            if event is h11.NEED_DATA:
                server.receive_data(there.recv(65536))
            else:
                events.append(event)

    request = events[0]
    assert isinstance(request, h11.Request)
    assert (request.method, request.target, dict(request.headers)[b"host"]) == (b"POST", b"/a?b=c", b"h")
    content = b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))
    assert content == (body if isinstance(body, bytes) else b"".join(body))


@pytest.mark.parametrize("value", ["a\r\nX: y", "\0", "é"])
def test_nothing_is_smuggled_into_a_head(value: str) -> None:
    here, there = socket.socketpair()
    with here, there, pytest.raises(BrokenAnswerError):
        run_alone(Line(here).send("GET", "/", {"Host": value}, b""))
