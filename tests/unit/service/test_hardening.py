"""Patience with a reader that takes nothing."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.hardening import Hardened

SCOPE: Scope = {"type": "http", "path": "/", "headers": []}


async def nothing_more() -> Message:
    return {"type": "http.disconnect"}


async def never_taken(_: Message) -> None:
    await asyncio.Event().wait()


async def test_answer_that_nobody_reads_is_ended() -> None:
    ended: list[str] = []

    async def endless(_: Scope, __: Receive, send: Send) -> None:
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            ended.append("closed")

    await asyncio.wait_for(Hardened(endless, stall=0.01)(SCOPE, nothing_more, never_taken), 10)

    assert ended == ["closed"]


async def test_timeout_of_the_application_itself_is_not_swallowed() -> None:
    async def failing(_: Scope, __: Receive, ___: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Hardened(failing, stall=10)(SCOPE, nothing_more, never_taken)
