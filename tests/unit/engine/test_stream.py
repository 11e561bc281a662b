"""The daemon's JSON lines are read whole, whatever the pieces they come in."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from shipway.exceptions import BuildSystemError
from workers.engine import stream
from workers.engine.stream import Message, error_in, messages


def read(*chunks: bytes) -> list[Message]:
    async def run() -> list[Message]:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        protocol.connection_made(asyncio.Transport())
        reader = StreamReader(protocol, 2**20, loop=loop)

        async def feed() -> None:
            for chunk in chunks:
                reader.feed_data(chunk)
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        found = [message async for message in messages(reader)]
        await feeding
        return found

    return asyncio.run(run())


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=5), st.data())
def test_splits_make_no_difference(sent: list[dict[str, str]], data: st.DataObject) -> None:
    raw = b"".join(json.dumps(message).encode() + b"\r\n" for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))

    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    assert read(*(piece for piece in pieces if piece)) == sent


def test_long_lines_are_taken() -> None:
    long = {"aux": "x" * 3_000_000}

    raw = json.dumps(long).encode() + b"\n"

    assert read(*(raw[n : n + 65_536] for n in range(0, len(raw), 65_536))) == [long]


def test_last_line_needs_no_newline() -> None:
    assert read(b'{"a":1}\n{"b":', b"2}") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("raw", [b"not json\n", b"[1]\n", b'{"cut":'])
def test_what_is_no_object_is_the_daemons_fault(raw: bytes) -> None:
    with pytest.raises(BuildSystemError) as caught:
        read(raw)

    assert caught.value.slug == "daemon-gibberish"


def test_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_LINE", 1000)

    with pytest.raises(BuildSystemError, match="over 1000 bytes"):
        read(*[b"x" * 100] * 20)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"stream": "fine"}, None),
        ({"error": "short", "errorDetail": {"message": "long"}}, "long"),
        ({"error": "short"}, "short"),
        ({"errorDetail": {"code": 3}, "error": ""}, "the daemon gave no reason"),
    ],
)
def test_error_is_found_in_a_message(message: Message, text: str | None) -> None:
    assert error_in(message) == text
