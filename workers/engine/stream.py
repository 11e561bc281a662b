"""The daemon's streams of JSON messages: one object per line, of any length, errors among them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import StreamReader

from shipway.exceptions import BuildSystemError

Message = dict[str, Any]

MAX_LINE = 64 * 2**20
"""Bytes of the longest line that is taken. A trace message carries at most a few MiB of log."""


async def messages(content: StreamReader) -> AsyncIterator[Message]:
    """Yield the objects of a stream as they come.

    The end of the iteration says only that the stream ended, not that the daemon finished: callers look for
    the message that proves success.

    Raises:
        BuildSystemError: a line is not a JSON object (`daemon-gibberish`).
        aiohttp.ClientError: the connection broke.
    """
    parts: list[bytes] = []  # of a line whose end has not come; joined once, so that long lines stay linear
    held = 0
    async for chunk in content.iter_any():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            parts.append(line)
            if whole := b"".join(parts).strip():
                yield _parse(whole)
            parts, held = [], 0
        parts.append(rest)
        held += len(rest)
        if held > MAX_LINE:
            raise BuildSystemError(f"the daemon sent a line of over {MAX_LINE} bytes", slug="daemon-gibberish")
    if whole := b"".join(parts).strip():
        yield _parse(whole)


def error_in(message: Message) -> str | None:
    """Return the text of the error that a message reports, or None if it reports none."""
    detail = message.get("errorDetail")
    if detail is None and "error" not in message:
        return None
    text = detail.get("message") if isinstance(detail, dict) else None
    return str(text or message.get("error") or "").strip() or "the daemon gave no reason"


def _parse(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise BuildSystemError(f"the daemon sent {line[:80]!r}", slug="daemon-gibberish") from error
    if not isinstance(message, dict):
        raise BuildSystemError(f"the daemon sent {line[:80]!r}", slug="daemon-gibberish")
    return message
