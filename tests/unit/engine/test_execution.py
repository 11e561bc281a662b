"""Output of commands comes through whole, however the connection cuts it."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from workers.engine.execution import Frames, Stream, Texts

FRAMES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=30)), max_size=12)


@given(FRAMES, st.integers(1, 40))
def test_every_cut_gives_the_same_text(frames: list[tuple[Stream, str]], size: int) -> None:
    wire = b"".join(
        struct.pack(">B3xI", 2 if stream == "stderr" else 1, len(text.encode())) + text.encode()
        for stream, text in frames
    )
    reader, texts = Frames(), Texts()

    events = [
        event for at in range(0, len(wire), size) for event in texts.read(reader.feed(wire[at : at + size]))
    ] + list(texts.end())

    for stream in ("stdout", "stderr"):
        told = "".join(event.text for event in events if event.stream == stream)
        assert told == "".join(text for whose, text in frames if whose == stream)
    assert all(event.text for event in events)


def test_bytes_that_are_no_text_are_replaced() -> None:
    wire = struct.pack(">B3xI", 1, 3) + b"a\xff\xc3"
    texts = Texts()

    events = [*texts.read(Frames().feed(wire)), *texts.end()]

    assert "".join(event.text for event in events) == "a��"
