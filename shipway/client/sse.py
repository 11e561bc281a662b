"""Reads server-sent events from bytes.

Source: the WHATWG HTML standard, "Server-sent events". Lines end with LF, CR LF or CR and with nothing else:
httpx's own `aiter_lines` splits at U+2028, U+0085 and form feeds too, which may stand inside JSON strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """One dispatched event. `id` is the last id seen so far, as the standard wants it."""

    data: str
    event: str = "message"
    id: str = ""


class SseParser:
    """Feed it chunks of any size; it yields events as soon as their closing blank line arrived."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that this chunk completes."""
        text = self._rest + chunk
        # A CR at the end may be the first half of CR LF: leave it until more is known.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(text[: len(text) - len(held)])
        self._rest = rest + held
        for line in lines:
            if not line:
                yield from self._dispatch()
            else:
                self._take(line.decode(errors="replace"))

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self) -> Iterator[ServerSentEvent]:
        if self._data:
            yield ServerSentEvent("\n".join(self._data), self._event or "message", self._id)
        self._data.clear()
        self._event = ""
