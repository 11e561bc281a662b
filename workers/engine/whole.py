"""Archives that the daemon sends: streamed through, and proved to be complete."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from aiohttp import ClientResponse

from shipway.exceptions import BuildSystemError
from workers.engine import refusals
from workers.engine.stream import error_in

_END = bytes(1024)
"""A tar ends with two blocks of zeros."""
_PIECE = 2**20
_TAIL = 8192
"""Bytes at the end that are kept, to find an error in: the daemon writes it behind what it has sent of the tar."""


async def whole_tar(response: ClientResponse) -> AsyncGenerator[bytes, None]:
    """Pass a tar through as it comes, in pieces that are worth their handling: the connection gives 64 KiB at most.

    Raises:
        BuildSystemError: the tar does not end as a tar does (`archive-cut-short`), or the daemon says why it
            ends early.
        aiohttp.ClientError: the connection broke.
    """
    tail, held = b"", bytearray()
    async for chunk in response.content.iter_any():
        tail = chunk[-_TAIL:] if len(chunk) >= _TAIL else (tail + chunk)[-_TAIL:]
        held += chunk
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
    if not tail.endswith(_END):
        raise _cut_short(tail)


def _cut_short(tail: bytes) -> BuildSystemError:
    start = tail.rfind(b'{"error')
    try:
        reason = error_in(json.loads(tail[start:])) if start >= 0 else None
    except ValueError:
        reason = None
    if reason and (full := refusals.disk_full(reason)):
        return full
    message = f"the daemon ended the archive early: {reason or 'it gave no reason'}"
    return BuildSystemError(message, slug="archive-cut-short")
